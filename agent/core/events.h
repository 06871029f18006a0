// The doors of the agent's core: what comes in, what goes out. As the master's: an event and the time go in, records
// and effects come out, and the daemon (or the simulator) carries them out through OutputCommit. Launch waits for the
// durable intent, an update waits for its own record, so a crash at any point repeats nothing and loses nothing.
// Plain values, owned by whoever holds them.
#pragma once

#include "protocol/message/agent.h"
#include "protocol/message/executor.h"
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
    std::string over_disk = {}; // how much too much it had on the disk, when it was ended for that
};

} // namespace launcher_says

// An executor's id is unique within its framework only, and lives once on an agent.
struct ExecutorKey {
    FrameworkId framework;
    ExecutorId executor;

    friend auto operator<=>(const ExecutorKey&, const ExecutorKey&) = default;
    friend bool operator==(const ExecutorKey&, const ExecutorKey&) = default;
};

// What an executor says; the door has asked the core (Agent::executor()) whether it may.
namespace executor_says {

struct Subscribed {
    ExecutorKey key;
    std::uint64_t stream = 0; // the door's number for it, never used again; not 0
    executor_call::Subscribe call;
};
struct Updated {
    ExecutorKey key;
    TaskStatus status; // with a uuid
};
struct Message {
    ExecutorKey key;
    std::string data;
};
// The stream ended; the executor may subscribe again.
struct Gone {
    ExecutorKey key;
    std::uint64_t stream = 0;
};

} // namespace executor_says

// The operator ends this agent for good: its tasks are killed, the agent unregisters, then Stop.
struct Retire {};
struct Wake {};

using Input = std::variant<MasterConnected, MasterGone, MasterMessage, launcher_says::ContainerStarted,
                           launcher_says::ContainerFailed, launcher_says::ContainerExited, executor_says::Subscribed,
                           executor_says::Updated, executor_says::Message, executor_says::Gone, Retire, Wake>;

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

struct ExecutorIntended { // durable before its container is launched
    FrameworkInfo framework;
    ExecutorInfo info;
    std::string run;
    std::string token;
};
struct ExecutorShutDown { // a restarted agent goes on shutting it down
    ExecutorKey key;
};
struct ExecutorForgotten { // it has ended
    ExecutorKey key;
};

using Record = std::variant<Identity, LaunchIntended, StatusAppended, StatusAcknowledged, KillIntended, TaskForgotten,
                            ExecutorIntended, ExecutorShutDown, ExecutorForgotten>;

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
struct SignalContainer { // to the command
    TaskKey key;
    int signal = 15; // SIGTERM, or what the task wants before its time is over
};
struct DestroyContainer { // SIGKILL to everything inside
    TaskKey key;
};
struct ForgetContainer {
    TaskKey key;
};
struct LaunchExecutor {
    FrameworkInfo framework;
    ExecutorInfo info;
    std::string run;
    std::string token;
    Resources limits; // its own, and its first task's
    TaskKey key;      // of its container, by which the other effects name it
};
// As an executor's tasks come and go.
struct LimitContainer {
    TaskKey key;
    Resources limits;
};
// To the stream that it subscribed with; void when that has ended.
struct ToExecutor {
    TaskKey key; // of its container
    std::uint64_t stream = 0;
    ExecutorEvent event;
};
struct EndStream { // replaced by a newer one
    TaskKey key;
    std::uint64_t stream = 0;
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
struct ExecutorChanged {
    FrameworkId framework;
    ExecutorInfo info;
    std::string run;
    bool subscribed = false;
};
struct ExecutorGone {
    ExecutorKey key;
};

using Effect =
    std::variant<ToMaster, LaunchContainer, SignalContainer, DestroyContainer, ForgetContainer, Stop, TaskChanged,
                 TaskGone, LaunchExecutor, LimitContainer, ToExecutor, EndStream, ExecutorChanged, ExecutorGone>;

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
