// The agent's door for executors: POST /api/v1/executor, the executor API of Mesos in JSON. SUBSCRIBE is answered by a
// stream of events, a record a chunk; UPDATE, MESSAGE and HEARTBEAT by 202. Each call shows the executor's token
// ("Authorization: Bearer TOKEN", from MESOS_EXECUTOR_AUTHENTICATION_TOKEN).
//
//   ExecutorDoor door;
//   door.addTo(router);                                      // before the server starts
//   poll(door.eventFd()) … door.handle(agent, [&](Input input) { agent.step(input, …); }, now);
//   door.send(to_executor);                                  // effects of the core
//
// Calls are checked for form on the server's thread and wait in a bounded queue for the agent's loop, which asks the core
// who may speak and answers. addTo()'s handlers run on the server's thread; all else belongs to the loop. The door
// outlives the server.
#pragma once

#include "agent/core/agent.h"
#include "protocol/http/server.h"
#include "protocol/unique_fd.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace stoa::agent {

class ExecutorDoor {
public:
    static constexpr std::size_t kMostWaiting = 10'000; // calls; beyond: 503
    static constexpr Duration kHeartbeat = std::chrono::seconds(15);

    ExecutorDoor();
    ~ExecutorDoor();

    void addTo(http::Router& router);

    int eventFd() const;
    // Answers what came; `step` is called for each input, before the next is looked at. Heartbeats, too.
    void handle(const Agent& agent, const std::function<void(const Input&)>& step, Time now);
    std::optional<Time> nextDeadline() const { return heartbeat_at_; }

    void send(const ToExecutor& effect);
    void end(const EndStream& effect);

private:
    struct Queue; // shared with the handlers and the streams' ends
    struct Arrival;

    void take(Arrival arrival, const Agent& agent, const std::function<void(const Input&)>& step);

    std::shared_ptr<Queue> queue_;
    std::map<std::uint64_t, http::Stream> streams_;
    std::uint64_t last_stream_ = 0;
    std::optional<Time> heartbeat_at_;
};

} // namespace stoa::agent
