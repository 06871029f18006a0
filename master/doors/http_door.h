// The master's HTTP door: what people and tools read of the cluster. /state, /slaves, /tasks, /frameworks, /flags and
// /version are answered from the read model, which only the server's thread touches; /metrics and
// /api/stoa/explain?framework=ID[&resources=cpus:4;mem:1024] are put to the state thread. Each also answers below
// /master, as in Mesos.
//
//     absl::StatusOr<std::unique_ptr<HttpDoor>> door = HttpDoor::start({…}, identity, questions);
//     (*door)->show(deltas);     // state thread, after each turn
//
// Started, shown to and stopped by the state thread.
#pragma once

#include "master/doors/questions.h"
#include "master/read_model/state_json.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace stoa::master {

class HttpDoor {
public:
    // show() waits while so many deltas are not applied yet: a reader's page may make the state thread slower, but never
    // the queue longer.
    static constexpr std::size_t kMostDeltasWaiting = 1'000'000;

    // Port 0 takes any free one; the identity is told with the port that was taken. `questions` outlives the door.
    static absl::StatusOr<std::unique_ptr<HttpDoor>> start(http::ServerOptions options, Identity identity,
                                                           Questions& questions);
    ~HttpDoor();

    std::uint16_t port() const;
    void setWirePort(std::uint16_t port); // known only once the door is open
    void show(std::vector<Delta> deltas);
    http::Server::Counts counts() const;

private:
    struct Shared;
    HttpDoor(std::shared_ptr<Shared> shared, std::unique_ptr<http::Server> server);

    std::shared_ptr<Shared> shared_;
    std::unique_ptr<http::Server> server_;
};

} // namespace stoa::master
