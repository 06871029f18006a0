// The decisions of an executor's driver, without its sockets and threads: when to subscribe and with what, which updates
// wait to be stored by the agent, which launches are repeats, when to give up. executor_driver.h and the simulator feed
// it what the agent's door does and what the executor says.
//
//   core.step(Begin{}, now, out);                        // out.subscribe: open the stream with this call
//   core.step(StreamEvent{…}, now, out);                 // out.told: what the executor is told
//   core.update(status, now, wall, out);                 // out.calls: to be posted, in order
//
// States: waiting -> subscribing -> (SUBSCRIBED) subscribed -> (StreamEnded) waiting …; ended when the agent refused, the
// recovery timeout passed, or everything was said after stop() or a SHUTDOWN.
// Pure: no thread, clock or I/O; chance is an argument. Owned by one driver.
#pragma once

#include "protocol/message/executor.h"
#include "protocol/rng.h"

#include <absl/status/status.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::sdk {

// ---- In ------------------------------------------------------------------------------------------------------

struct StreamEvent {
    ExecutorEvent event;
};
// Also when it could not be opened.
struct StreamEnded {
    std::string why;
    bool refused = false; // by an agent that is there and knows no such executor, or not this token
};
struct Tick {}; // a deadline passed
using ExecutorInput = std::variant<StreamEvent, StreamEnded, Tick>;

// ---- Out -----------------------------------------------------------------------------------------------------

struct Away {}; // the agent is
// What the executor is told, in order.
using ExecutorTold = std::variant<executor_event::Subscribed, Away, executor_event::Launch, executor_event::Kill,
                                  executor_event::Message, executor_event::Shutdown, executor_event::Error>;

struct ExecutorOutput {
    std::optional<ExecutorCall> subscribe; // a new stream
    std::vector<ExecutorCall> calls;
    std::vector<ExecutorTold> told;
    bool ended = false;
};

class ExecutorCore {
public:
    struct Options {
        FrameworkId framework;
        ExecutorId executor;
        Duration recovery_timeout = std::chrono::minutes(15); // without an agent for so long, it ends
        Duration backoff_most = std::chrono::seconds(2);      // between two tries to subscribe
        Duration repeat = std::chrono::seconds(10);           // of an update that isn't acknowledged
        Duration linger = std::chrono::seconds(3);            // of the end, for updates on their way
    };
    static constexpr Duration kFirstBackoff = std::chrono::milliseconds(50);

    ExecutorCore(Options options, Rng& rng, Time now);

    void step(const ExecutorInput& input, Time now, ExecutorOutput& out);
    std::optional<Time> nextDeadline() const;

    absl::Status update(TaskStatus status, Time now, WallTime wall, ExecutorOutput& out);
    absl::Status message(std::string data, ExecutorOutput& out);
    void stop(Time now, ExecutorOutput& out);

    bool subscribed() const { return state_ == State::kSubscribed; }
    bool everSubscribed() const { return ever_subscribed_; }
    bool ended() const { return state_ == State::kEnded; }
    std::size_t liveTasks() const { return live_.size(); }
    std::size_t unacknowledged() const { return updates_.size(); }

private:
    enum class State : std::uint8_t { kWaiting, kSubscribing, kSubscribed, kEnded };
    struct Live {
        TaskInfo info;
        bool acknowledged = false; // an update of it was
    };

    void on(const StreamEvent& event, Time now, ExecutorOutput& out);
    void on(const StreamEnded& event, Time now, ExecutorOutput& out);
    void on(const Tick&, Time, ExecutorOutput&) {}
    void onEvent(const executor_event::Subscribed& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Launch& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Kill& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Acknowledged& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Message& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Shutdown& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Error& event, Time now, ExecutorOutput& out);
    void onEvent(const executor_event::Heartbeat&, Time, ExecutorOutput&) {}
    void runDue(Time now, ExecutorOutput& out);
    void subscribe(ExecutorOutput& out);
    void end(ExecutorOutput& out);
    ExecutorCall call(decltype(ExecutorCall::call) what) const;

    Options options_;
    Rng& rng_;
    State state_ = State::kWaiting;
    bool ever_subscribed_ = false;
    std::map<TaskId, Live> live_;                // launched, and their end not said
    std::deque<TaskStatus> updates_;             // not yet acknowledged, in order
    std::vector<TaskInfo> ended_unacknowledged_; // their end was said, and nothing of them acknowledged
    Duration backoff_ = kFirstBackoff;
    std::optional<Time> try_at_;
    std::optional<Time> give_up_at_;
    std::optional<Time> repeat_at_;
    bool stopping_ = false;      // ends as soon as everything was acknowledged
    std::optional<Time> end_by_; // at the latest; set by stop() and SHUTDOWN
};

} // namespace stoa::sdk
