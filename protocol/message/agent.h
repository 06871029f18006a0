// What agents and masters say to each other: binary only, ours alone (schema/agent_master.capnp), decoded and
// checked by codec/. Everything travels in a session (session.h), so it arrives in order and once, or the session
// ends and the agent registers anew; both ends' cores are written for exactly that.
// Plain values, usable from any thread.
#pragma once

#include "protocol/message/framework.h"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace stoa {

struct AgentInfo {
    AgentId id; // empty until admitted; kept in the agent's state
    std::string hostname;
    Address address; // of the HTTP door
    Resources resources;
    Attributes attributes;
    std::string isolation; // what containers get here, e.g. "oci/crun"
    std::string version;
    friend bool operator==(const AgentInfo&, const AgentInfo&) = default;
};

// One life of an agent's work: a new one starts with the machine's boot or an emptied work directory.
struct Incarnation {
    std::string boot_id;
    std::string work_id; // made at random when the work directory was first used
    friend bool operator==(const Incarnation&, const Incarnation&) = default;
};

// A task as its agent knows it. The agent's word wins over the master's.
struct AgentTask {
    FrameworkId framework;
    TaskInfo info;
    TaskState state = TaskState::kStaging; // latest, acknowledged or not
    // The status that waits for an acknowledgement first (it has a uuid), else the last that was acknowledged: how far
    // the framework's story of the task can be told without telling its end before its middle.
    TaskStatus status;
};

// An executor that lives on an agent. The agent's word wins, as with tasks.
struct AgentExecutor {
    FrameworkId framework;
    ExecutorInfo info;
};

namespace agent_says {

// The first message of every session.
struct Register {
    AgentInfo info;
    Incarnation incarnation;
    std::vector<AgentTask> tasks;          // all that aren't terminal and acknowledged
    std::vector<FrameworkInfo> frameworks; // those of the tasks and executors
    std::vector<AgentExecutor> executors{};
};
// Repeated until acknowledged; updates of one task arrive in order.
struct StatusUpdate {
    FrameworkId framework;
    TaskStatus status;
    TaskState latest = TaskState::kStaging; // newer than status.state when updates wait for acknowledgement
};
struct ToFramework {
    FrameworkId framework;
    ExecutorId executor;
    std::string data;
};
// What it held is free; its tasks' ends are told on their own.
struct ExecutorEnded {
    FrameworkId framework;
    ExecutorId executor;
    std::optional<int> wait_status;
};
// The agent stops for good (`stoa down`): its tasks are ended already.
struct Unregister {};

} // namespace agent_says

using FromAgent = std::variant<agent_says::Register, agent_says::StatusUpdate, agent_says::ToFramework,
                               agent_says::ExecutorEnded, agent_says::Unregister>;

namespace master_says {

struct Registered {
    AgentId id;
    Duration update_retry{0}; // base of the retry of unacknowledged updates
};
// The agent must not go on as it is: it ends with this message, its tasks untouched.
struct Refused {
    std::string reason;
};
struct Launch {
    FrameworkInfo framework;
    TaskInfo task;
    // The task's executor is not there yet, as far as the master knows, and what it needs is held. Without this, an agent
    // whose executor has ended meanwhile must not start another.
    bool new_executor = false;
};
struct Kill {
    FrameworkId framework;
    TaskId task;
    std::optional<Duration> grace;
};
struct AcknowledgeUpdate {
    FrameworkId framework;
    TaskId task;
    Uuid uuid{};
};
// End all of the framework's tasks and forget it.
struct ShutdownFramework {
    FrameworkId framework;
};
struct ToExecutor {
    FrameworkId framework;
    ExecutorId executor;
    std::string data;
};
struct ShutdownExecutor {
    FrameworkId framework;
    ExecutorId executor;
};

} // namespace master_says

using ToAgent = std::variant<master_says::Registered, master_says::Refused, master_says::Launch, master_says::Kill,
                             master_says::AcknowledgeUpdate, master_says::ShutdownFramework, master_says::ToExecutor,
                             master_says::ShutdownExecutor>;

} // namespace stoa
