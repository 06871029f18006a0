// The doors of the agent's core: what comes in, what goes out. As the master's: an event and the time go in, records
// and effects come out, and the daemon (or the simulator) carries them out through OutputCommit. Launch waits for the
// durable intent, an update waits for its own record, so a crash at any point repeats nothing and loses nothing.
// Plain values, owned by whoever holds them.
#pragma once

#include "protocol/message/agent.h"
#include "protocol/output_commit.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::agent {

// ---- In ------------------------------------------------------------------------------------------------------

// A session with a master is open; the core answers with Register.
struct MasterConnected {};
struct MasterGone {};
struct MasterMessage {
    ToAgent message;
};

// What the launcher saw, keyed by task; agent/containers has structs of its own, keyed by its containers' ids.
namespace launcher_says {

struct ContainerStarted {
    TaskKey key;
    std::int64_t pid = 0;
    std::uint64_t start_time = 0; // clock ticks since boot
    std::string isolation;        // achieved; empty: the agent's
};
struct ContainerFailed { // never ran
    TaskKey key;
    std::string reason;
};
struct ContainerExited {
    TaskKey key;
    TaskOutcome outcome;
    std::string unknown_reason; // why outcome.wait_status is absent
};

} // namespace launcher_says

// The operator ends this agent for good: its tasks are killed, the agent unregisters, then Stop.
struct Retire {};
struct Wake {};

using Input = std::variant<MasterConnected, MasterGone, MasterMessage, launcher_says::ContainerStarted,
                           launcher_says::ContainerFailed, launcher_says::ContainerExited, Retire, Wake>;

// ---- The agent's state on disk -------------------------------------------------------------------------------

struct Identity { // admitted; kept for the life of the work directory
    AgentId agent;
};
struct LaunchIntended { // durable before the launch
    FrameworkInfo framework;
    TaskInfo task;
};
struct StatusAppended { // durable before it is forwarded
    FrameworkId framework;
    TaskStatus status;
};
struct StatusAcknowledged { // lazily: a repeat is harmless
    TaskKey key;
    Uuid uuid{};
};
struct KillIntended { // a restarted agent goes on killing
    TaskKey key;
    Duration grace{0};
};
struct TaskForgotten { // terminal and acknowledged; its container is forgotten, its sandbox stays until collected
    TaskKey key;
};

using Record = std::variant<Identity, LaunchIntended, StatusAppended, StatusAcknowledged, KillIntended, TaskForgotten>;

namespace launcher_says {

// A container that the launcher knows of at start: on its way (ContainerStarted or ContainerFailed will follow),
// running (ContainerExited will follow), ended, or failed.
struct KnownContainer {
    TaskKey key;
    bool launching = false;
    bool running = false;
    std::int64_t pid = 0;
    std::uint64_t start_time = 0;
    TaskOutcome outcome;        // when it has ended
    std::string unknown_reason; // why outcome.wait_status is absent though it ended
    std::string failed;         // it never ran, and why
};

} // namespace launcher_says

struct Recovered {
    std::vector<Record> records; // in order
    std::vector<launcher_says::KnownContainer> containers;
};

// ---- Out -----------------------------------------------------------------------------------------------------

// Of the session whose number `connection` is, counted by MasterConnected from 1: one that was held back until its
// session had ended must not be said in the next.
struct ToMaster {
    FromAgent message;
    std::uint64_t connection = 0;
};
struct LaunchContainer {
    FrameworkInfo framework;
    TaskInfo task;
};
struct SignalContainer { // SIGTERM to the command
    TaskKey key;
};
struct DestroyContainer { // SIGKILL to everything inside
    TaskKey key;
};
struct ForgetContainer {
    TaskKey key;
};
// The process ends with this message and leaves its tasks running.
struct Stop {
    std::string why;
    bool failed = true; // false: the operator asked for it
};
// What the agent's own /state shows.
struct TaskChanged {
    FrameworkId framework;
    TaskInfo info;
    TaskState state = TaskState::kStaging;
    TaskStatus status;
};
struct TaskGone {
    TaskKey key;
};

using Effect = std::variant<ToMaster, LaunchContainer, SignalContainer, DestroyContainer, ForgetContainer, Stop,
                            TaskChanged, TaskGone>;

// `waits_for` counts the records that this Agent appended since it was built (Agent::recordsAppended()); recovered
// ones are not among them. 0: at once. Order matters to one master, and to one container.

struct Output {
    struct Said {
        Effect effect;
        RecordNumber waits_for = 0;
    };
    std::vector<Record> records;
    std::vector<Said> effects;
};

} // namespace stoa::agent
