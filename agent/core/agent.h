// The agent's core: every decision about the tasks of one machine, and nothing else. An event, the time and the time
// of day go in; records to be stored and effects to be carried out come out:
//
//   Output out;
//   Agent agent(options, recovered, rng, now, wall, out);   // may already have something to say
//   carryOut(out);
//   agent.step(MasterMessage{launch}, now, wall, out);      // and again; Wake when nextDeadline() has passed
//
// What a task goes through: its launch intent is durable before LaunchContainer; each status is durable before it
// is forwarded; statuses of one task are forwarded in order, one at a time, until acknowledged, and again on every
// registration; a terminal status that is durable lets the launcher forget the container, one that is acknowledged
// lets the agent forget the task. A crash between any two steps repeats a message at most, never a launch; since
// acknowledgements are stored lazily, a repeated status (its uuid says so) may be older than one already told.
//
// Pure: no I/O, clock or thread. Owned by the daemon's state thread or by the simulator, beside an OutputCommit.
// It never reads a task's body but for the grace of a kill and the time limit, and never decides which master leads.
#pragma once

#include "agent/core/ending.h"
#include "agent/core/events.h"
#include "agent/core/executors.h"
#include "agent/core/tasks.h"
#include "protocol/rng.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stoa::agent {

class Agent {
public:
    struct Options {
        AgentInfo info; // its id is taken from the recovered Identity
        Incarnation incarnation;
        Duration kill_grace = std::chrono::seconds(3);    // where neither the kill nor the task says otherwise
        Duration update_retry = std::chrono::seconds(10); // doubles up to kLongestRetry; Registered may set another
        Duration executor_registration = std::chrono::minutes(1);   // from its container's launch to SUBSCRIBE
        Duration executor_reregistration = std::chrono::seconds(2); // of one that lived when the agent restarted
        Duration executor_shutdown_grace = std::chrono::seconds(5); // where the executor doesn't say
        // Makes an executor's secret. Absent: from `rng`, which will do where nobody guesses.
        std::function<std::string()> make_token;
    };
    static constexpr Duration kLongestRetry = std::chrono::minutes(10);
    static constexpr const char* kNotCheckpointed = "the agent restarted, and the framework does not checkpoint";
    // A retiring agent waits so long for the acknowledgement of its tasks' ends.
    static constexpr Duration kRetireWait = std::chrono::seconds(2);

    // What was counted; each is a place that a test or the simulator wants to see reached.
    struct Counters {
        std::uint64_t launches = 0;
        std::uint64_t duplicate_launches = 0; // of a task id that is known: ignored
        std::uint64_t refused_launches = 0;   // did not fit, or not to its executor, or the agent retires
        std::uint64_t kills = 0;
        std::uint64_t kills_of_unknown = 0;
        std::uint64_t updates_sent = 0;
        std::uint64_t updates_repeated = 0;
        std::uint64_t stray_acknowledgements = 0;
        std::uint64_t stray_containers = 0; // a container whose task isn't known or has ended: destroyed
        std::uint64_t dropped_messages = 0; // to executors that aren't subscribed, of them while there is no master
        std::uint64_t lost_at_recovery = 0;
        std::uint64_t out_of_memory = 0;
        std::uint64_t limit_warnings = 0;
        std::uint64_t limits_reached = 0;
        std::uint64_t unknown_exits = 0;
        std::uint64_t registrations = 0;
        std::uint64_t executor_launches = 0;
        std::uint64_t executor_subscriptions = 0;
        std::uint64_t executor_resubscriptions = 0; // of them, those after the first
        std::uint64_t executor_updates = 0;
        std::uint64_t executor_updates_repeated = 0;
        std::uint64_t executor_updates_illegal = 0; // of no live task, or of a state that can't follow
        std::uint64_t executor_updates_put_off = 0; // too many of the task wait for their framework
        std::uint64_t executor_timeouts = 0;        // didn't subscribe in time
        std::uint64_t executor_shutdowns = 0;
        std::uint64_t executors_ended = 0;
    };

    // Recovered tasks go on, but for those of frameworks that don't checkpoint: they are ended and reported as TASK_LOST
    // (REASON_AGENT_RESTARTED). An intent without a container is reported as TASK_LOST (REASON_AGENT_RESTARTED), never
    // launched again: nobody can tell whether it ran, and a framework that wants it again says so. Resources too
    // small for the recovered tasks give Stop.
    Agent(Options options, Recovered recovered, Rng& rng, Time now, WallTime wall, Output& out);

    void step(const Input& input, Time now, WallTime wall, Output& out);
    // When to call step(Wake) at the latest; any step does what is due.
    std::optional<Time> nextDeadline() const;

    RecordNumber recordsAppended() const { return appended_; }
    const AgentInfo& info() const { return options_.info; }
    bool stopped() const { return stopped_; }
    bool registered() const { return link_ == Link::kRegistered; }
    Resources used() const { return tasks_.used(); }
    const Counters& counters() const { return counters_; }
    // All that isn't terminal and acknowledged, as Register tells it, in order of their keys.
    std::vector<AgentTask> tasks() const;
    // Absent when no such one lives here.
    const Executor* executor(const ExecutorKey& key) const { return executors_.find(key); }
    const Executors& executors() const { return executors_; }
    // What is broken among the core's own invariants, in words; empty when all hold. Looks at everything.
    std::string violation() const;

private:
    enum class Link : std::uint8_t { kDown, kRegistering, kRegistered };
    // One step's arguments, passed along.
    struct Turn {
        Time now;
        WallTime wall;
        Output& out;
    };

    void recover(Recovered recovered, Turn& turn);
    void recoverRecord(Record record);
    void recoverTask(Task& task, const launcher_says::KnownContainer* container, Turn& turn);

    void on(const MasterConnected& event, Turn& turn);
    void on(const MasterGone& event, Turn& turn);
    void on(const MasterMessage& event, Turn& turn);
    void on(const launcher_says::ContainerStarted& event, Turn& turn);
    void on(const launcher_says::ContainerFailed& event, Turn& turn);
    void on(const launcher_says::ContainerExited& event, Turn& turn);
    void on(const executor_says::Subscribed& event, Turn& turn);
    void on(const executor_says::Updated& event, Turn& turn);
    void on(const executor_says::Message& event, Turn& turn);
    void on(const executor_says::Gone& event, Turn& turn);
    void on(const Retire& event, Turn& turn);
    void on(const Wake&, Turn&) {}

    void on(const master_says::Registered& message, Turn& turn);
    void on(const master_says::Refused& message, Turn& turn);
    void on(const master_says::Launch& message, Turn& turn);
    void on(const master_says::Kill& message, Turn& turn);
    void on(const master_says::AcknowledgeUpdate& message, Turn& turn);
    void on(const master_says::ShutdownFramework& message, Turn& turn);
    void on(const master_says::ToExecutor& message, Turn& turn);
    void on(const master_says::ShutdownExecutor& message, Turn& turn);

    // What is due at turn.now: retries, graces, the end of retiring.
    void runDue(Turn& turn);
    void launch(Task& task, const master_says::Launch& message, Turn& turn);
    void refuse(Task& task, TaskState state, Reason reason, std::string message, Turn& turn);
    void kill(Task& task, Duration grace, Turn& turn);
    void carryOutKill(Task& task, bool signalled, Turn& turn);
    // Its grace has begun; of an executor's task the executor tells it.
    void tellKilling(Task& task, Turn& turn);
    Duration graceOf(const Task& task) const;
    // From its start on, which may have been before this process's.
    void startLimit(Task& task, WallTime started, Turn& turn);
    void runLimit(Task& task, Turn& turn);
    void endFailed(Task& task, const std::string& reason, Turn& turn);
    void endExited(Task& task, const launcher_says::ContainerExited& event, Turn& turn);
    void retireIfDone(Turn& turn);
    void stop(std::string why, bool failed, Turn& turn);

    // ---- statuses.cc
    // Appends a status of the task and forwards it, or queues it behind the one that waits for acknowledgement.
    void appendStatus(Task& task, TaskState state, Reason reason, std::string message, Turn& turn);
    // What `latest` has become is stored and forwarded.
    void storeStatus(Task& task, Turn& turn);
    // The last status; gives the task's resources back and lets the launcher forget the container.
    void end(Task& task, TaskState state, Reason reason, std::string message, Turn& turn);
    // The two halves of end() around its status.
    void release(Task& task, Turn& turn);
    void finish(Task& task, Turn& turn);
    void forward(Task& task, Turn& turn);
    RecordNumber forget(Task& task, Turn& turn); // erases it

    // ---- executor_life.cc
    void launchInExecutor(Task& task, const master_says::Launch& message, Turn& turn);
    // Why the task can't be, if so; `executor` is the one that lives, if any.
    std::optional<Ending> refusalOf(const Task& task, const ExecutorInfo& info, const Executor* executor,
                                    bool new_executor);
    Executor* launchExecutor(const FrameworkInfo& framework, const ExecutorInfo& info, Turn& turn);
    void deliver(Executor& executor, Task& task, Turn& turn);
    void killInExecutor(Task& task, Turn& turn);
    void takeUpdate(Executor& executor, const TaskStatus& status, Turn& turn);
    // The executor's container is allowed what it and its tasks hold.
    void limit(const Executor& executor, Turn& turn);
    void leaveExecutor(Task& task, Turn& turn);
    void shutDown(Executor& executor, Turn& turn);
    void destroy(Executor& executor, Reason reason, std::string why, Turn& turn);
    void executorEnded(Executor& executor, Reason reason, const std::string& why, std::optional<int> wait_status,
                       Turn& turn);
    void sayExecutorEnded(const ExecutorKey& key, std::optional<int> wait_status, RecordNumber waits_for, Turn& turn);
    void runDueExecutors(Turn& turn);
    void recoverExecutor(Executor& executor, const launcher_says::KnownContainer* container, Turn& turn);
    void show(const Executor& executor, Turn& turn);

    RecordNumber append(Record record, Turn& turn);
    void say(Effect effect, RecordNumber waits_for, Turn& turn);
    void sayToMaster(FromAgent message, RecordNumber waits_for, Turn& turn);
    Uuid makeUuid();

    Options options_;
    Rng& rng_;
    RecordNumber appended_ = 0;
    Link link_ = Link::kDown;
    std::uint64_t connection_ = 0; // sessions so far
    bool stopped_ = false;         // Stop was said: nothing more is
    bool retiring_ = false;
    std::optional<Time> retire_by_; // set when a retiring agent's last task has ended
    Tasks tasks_;
    Executors executors_;
    Counters counters_;
};

} // namespace stoa::agent
