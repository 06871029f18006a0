// What executors and their agent say to each other, decoded and checked: calls go to the agent, events to the executor.
// They travel as JSON over the agent's HTTP door in the shape of the Mesos v1 executor API (codec/executor_messages.h),
// for executors of our own SDK as for anybody's.
// Plain values, usable from any thread.
#pragma once

#include "protocol/message/agent.h"
#include "protocol/message/framework.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa {

namespace executor_call {

// The first call; its answer is the stream of events. Said again, it replaces the stream that was.
struct Subscribe {
    std::vector<TaskInfo> unacknowledged_tasks; // launched, and no update of it was acknowledged yet
    std::vector<TaskStatus> unacknowledged_updates;
};
struct Update {
    TaskStatus status; // it has a uuid, and its source is the executor
};
struct Message {
    std::string data;
};
struct Heartbeat {};

} // namespace executor_call

struct ExecutorCall {
    FrameworkId framework;
    ExecutorId executor;
    std::variant<executor_call::Subscribe, executor_call::Update, executor_call::Message, executor_call::Heartbeat>
        call;
};

namespace executor_event {

struct Subscribed {
    ExecutorInfo executor;
    FrameworkInfo framework;
    AgentInfo agent;
    std::string container;
};
struct Launch {
    TaskInfo task;
};
struct Kill {
    TaskId task;
    std::optional<Duration> grace;
};
// The agent has stored the update: it needn't be said again.
struct Acknowledged {
    TaskId task;
    Uuid uuid{};
};
struct Message {
    std::string data;
};
// End your tasks and yourself; what still runs after the grace is killed.
struct Shutdown {};
struct Error {
    std::string message;
};
struct Heartbeat {};

} // namespace executor_event

using ExecutorEvent =
    std::variant<executor_event::Subscribed, executor_event::Launch, executor_event::Kill, executor_event::Acknowledged,
                 executor_event::Message, executor_event::Shutdown, executor_event::Error, executor_event::Heartbeat>;

} // namespace stoa
