// The master's HTTP door, put together from its parts: what tools read (lookups.h), the operator's API
// (operator_door.h), the schedulers' API (scheduler_door.h), and what is put to the state thread: /metrics,
// /metrics/snapshot and /api/stoa/explain?framework=ID[&resources=cpus:4;mem:1024]. Each also answers below /master, as
// in Mesos. The read model is the server's thread's own.
//
//     absl::StatusOr<std::unique_ptr<HttpDoor>> door = HttpDoor::start({…}, identity, questions, calls);
//     (*door)->show(deltas);     // state thread, after each turn
//
// Started, shown to and stopped by the state thread.
#pragma once

#include "master/doors/http_calls.h"
#include "master/doors/questions.h"
#include "master/read_model/state_json.h"
#include "protocol/credentials/credentials.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stoa::master {

class HttpDoor {
public:
    // show() waits while so many deltas are not applied yet: a reader's page may make the state thread slower, but never
    // the queue longer.
    static constexpr std::size_t kMostDeltasWaiting = 1'000'000;

    // Port 0 takes any free one; the identity is told with the port that was taken. `questions` and `calls` outlive the
    // door.
    // With `credentials`, /health, the way to the leader and nothing else is open to everybody: looking takes a framework's
    // or an operator's, a scheduler's calls take a framework's, all else an operator's.
    static absl::StatusOr<std::unique_ptr<HttpDoor>> start(http::ServerOptions options, Identity identity,
                                                           Questions& questions, HttpCalls& calls,
                                                           SharedCredentials credentials = nullptr);
    ~HttpDoor();

    // A door that opens with epoch 0 is a standby's: it sends everybody to the leader (standing.h), until lead().
    void stand(std::string leader); // host:port of its HTTP door; empty: nobody leads
    void lead(std::string master_id, std::uint64_t epoch);
    // Where all masters' HTTP doors are: the page goes to another when this one dies.
    void setMasters(std::vector<std::string> masters);
    std::uint16_t port() const;
    void setWirePort(std::uint16_t port); // known only once the door is open
    void setWeights(std::map<std::string, double> weights);
    void show(std::vector<Delta> deltas);
    http::Server::Counts counts() const;

private:
    struct Shared;
    HttpDoor(std::shared_ptr<Shared> shared, std::unique_ptr<http::Server> server);

    void change(std::function<void(Shared&)> work); // of what answers are made of
    void beatLater();

    std::shared_ptr<Shared> shared_;
    std::unique_ptr<http::Server> server_;
};

} // namespace stoa::master
