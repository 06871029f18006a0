#include "agent/core/agent.h"

#include "agent/core/ending.h"
#include "protocol/codec/executor_info.h"
#include "protocol/codec/task_body.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

namespace stoa::agent {

Agent::Agent(Options options, Recovered recovered, Rng& rng, Time now, WallTime wall, Output& out)
    : options_(std::move(options)), rng_(rng), tasks_(options_.info.resources) {
    Turn turn{now, wall, out};
    recover(std::move(recovered), turn);
}

void Agent::step(const Input& input, Time now, WallTime wall, Output& out) {
    if (stopped_) return;
    Turn turn{now, wall, out};
    std::visit([&](const auto& event) { on(event, turn); }, input);
    runDue(turn);
    runDueExecutors(turn);
    retireIfDone(turn);
}

std::optional<Time> Agent::nextDeadline() const {
    if (stopped_) return std::nullopt;
    std::optional<Time> next;
    for (const std::optional<Time>& one : {tasks_.nextDeadline(), executors_.nextDeadline(), retire_by_}) {
        if (one && (!next || *one < *next)) next = one;
    }
    return next;
}

// ---- The session with the master -----------------------------------------------------------------------------

void Agent::on(const MasterConnected&, Turn& turn) {
    ++connection_;
    link_ = Link::kRegistering;
    ++counters_.registrations;
    // It tells every task's state, so it waits for all that was ever stored.
    sayToMaster(
        agent_says::Register{options_.info, options_.incarnation, tasks(), tasks_.frameworks(), executors_.list()},
        appended_, turn);
}

void Agent::on(const MasterGone&, Turn&) { link_ = Link::kDown; }

void Agent::on(const MasterMessage& event, Turn& turn) {
    if (link_ == Link::kDown) return;
    std::visit([&](const auto& message) { on(message, turn); }, event.message);
}

void Agent::on(const master_says::Registered& message, Turn& turn) {
    link_ = Link::kRegistered;
    if (message.update_retry > Duration::zero()) options_.update_retry = message.update_retry;
    if (message.id != options_.info.id) {
        options_.info.id = message.id;
        append(Identity{message.id}, turn);
    }
    for (auto& [key, task] : tasks_.all()) {
        task.sent = false;
        forward(task, turn);
    }
}

void Agent::on(const master_says::Refused& message, Turn& turn) {
    stop(absl::StrCat("the master refused this agent: ", message.reason), true, turn);
}

// ---- Launch and kill -----------------------------------------------------------------------------------------

void Agent::on(const master_says::Launch& message, Turn& turn) {
    const TaskKey key{message.framework.id, message.task.id};
    if (tasks_.find(key) != nullptr) {
        ++counters_.duplicate_launches;
    } else if (Task& task = tasks_.add(message.framework, message.task); !task.info.executor.empty()) {
        launchInExecutor(task, message, turn);
    } else {
        launch(task, message, turn);
    }
    // What the master holds for it isn't needed after all.
    const ExecutorKey executor{message.framework.id, message.task.executor};
    if (message.new_executor && executors_.find(executor) == nullptr) {
        sayExecutorEnded(executor, std::nullopt, appended_, turn);
    }
}

void Agent::launch(Task& task, const master_says::Launch& message, Turn& turn) {
    task.intent = append(LaunchIntended{message.framework, message.task}, turn);
    if (retiring_) {
        refuse(task, TaskState::kLost, Reason::kAgentRemoved, "the agent is being stopped for good", turn);
        return;
    }
    // They would share a sandbox.
    if (executors_.find({task.framework, ExecutorId(task.info.id.value())}) != nullptr) {
        refuse(task, TaskState::kError, Reason::kTaskInvalid, "an executor with the task's id lives on the agent",
               turn);
        return;
    }
    if (absl::Status held = tasks_.hold(task); !held.ok()) {
        refuse(task, TaskState::kLost, Reason::kInvalidOffers,
               absl::StrCat("does not fit in what is free on the agent: ", held.message()), turn);
        return;
    }
    ++counters_.launches;
    task.container = Task::Container::kLaunching;
    say(LaunchContainer{message.framework, message.task}, task.intent, turn);
    appendStatus(task, TaskState::kStarting, Reason::kNone, "", turn);
}

// A refused task is one that ended at once: its status is stored, repeated and acknowledged like any other.
void Agent::refuse(Task& task, TaskState state, Reason reason, std::string message, Turn& turn) {
    ++counters_.refused_launches;
    end(task, state, reason, std::move(message), turn);
}

void Agent::on(const master_says::Kill& message, Turn& turn) {
    Task* task = tasks_.find({message.framework, message.task});
    if (task == nullptr) {
        ++counters_.kills_of_unknown;
        TaskStatus status;
        status.task = message.task;
        status.agent = options_.info.id;
        status.state = TaskState::kLost;
        status.source = StatusSource::kAgent;
        status.reason = Reason::kTaskUnknown;
        status.message = "the agent to which the kill was sent doesn't know the task";
        status.timestamp = turn.wall;
        sayToMaster(agent_says::StatusUpdate{message.framework, status, status.state}, appended_, turn);
        return;
    }
    ++counters_.kills;
    kill(*task, message.grace ? *message.grace : graceOf(*task), turn);
}

void Agent::on(const master_says::ShutdownFramework& message, Turn& turn) {
    auto [executor, last_executor] = executors_.of(message.framework);
    for (; executor != last_executor; ++executor) shutDown(executor->second, turn);
    auto [it, last] = tasks_.of(message.framework);
    while (it != last) {
        Task& task = (it++)->second; // may be erased below
        task.framework_shut_down = true;
        if (isTerminal(task.state)) {
            forget(task, turn);
            continue;
        }
        task.unacknowledged.clear();
        task.latest.uuid.reset();
        task.retry_at.reset();
        tasks_.reindex(task);
        kill(task, graceOf(task), turn);
    }
}

void Agent::on(const Retire&, Turn& turn) {
    if (retiring_) return;
    retiring_ = true;
    for (auto it = tasks_.all().begin(); it != tasks_.all().end();) {
        Task& task = (it++)->second; // may be erased below
        kill(task, graceOf(task), turn);
    }
    for (auto& [key, executor] : executors_.all()) shutDown(executor, turn);
}

void Agent::kill(Task& task, Duration grace, Turn& turn) {
    if (isTerminal(task.state)) return;
    grace = std::max(grace, Duration::zero());
    if (task.kill_requested && grace >= task.kill_grace) return;
    const bool again = task.kill_requested;
    task.kill_requested = true;
    task.kill_grace = grace;
    task.intent = append(KillIntended{task.key(), grace}, turn);
    carryOutKill(task, again, turn);
}

void Agent::carryOutKill(Task& task, bool signalled, Turn& turn) {
    if (!task.info.executor.empty()) return killInExecutor(task, turn);
    if (task.container != Task::Container::kRunning || task.kill_grace == Duration::zero()) {
        // On its way, it never has to run; and without a grace there is nothing to wait for.
        task.destroy_at.reset();
        say(DestroyContainer{task.key()}, task.intent, turn);
    } else {
        if (!signalled) say(SignalContainer{task.key()}, task.intent, turn);
        const Time at = turn.now + task.kill_grace;
        task.destroy_at = task.destroy_at ? std::min(*task.destroy_at, at) : at;
        tellKilling(task, turn);
    }
    tasks_.reindex(task);
}

void Agent::tellKilling(Task& task, Turn& turn) {
    if (task.state != TaskState::kRunning) return;
    if (!tasks_.frameworkOf(task).capabilities.has(Capability::kTaskKillingState)) return;
    if (task.limit_reached) {
        appendStatus(task, TaskState::kKilling, Reason::kMaxCompletionTimeReached, "its time limit is over", turn);
    } else {
        appendStatus(task, TaskState::kKilling, Reason::kNone, "a kill was requested", turn);
    }
}

Duration Agent::graceOf(const Task& task) const { return readKillGrace(task.info.body).value_or(options_.kill_grace); }

void Agent::startLimit(Task& task, WallTime started, Turn& turn) {
    const absl::StatusOr<TaskSpec> spec = readTaskBody(task.info.body);
    if (!spec.ok() || !spec->time_limit) return;
    const Duration ran = std::max(Duration(turn.wall.nanos - started.nanos), Duration::zero());
    const Duration left = *spec->time_limit - std::min(ran, *spec->time_limit);
    task.limit_reached = task.kill_requested && left == Duration::zero();
    if (task.limit_reached) return;
    task.limit_at = turn.now + left;
    if (spec->limit_warning && spec->limit_warning->before < left) {
        task.warn_at = turn.now + (left - spec->limit_warning->before);
    } else if (spec->limit_warning) {
        task.warn_at = turn.now;
    }
    tasks_.reindex(task);
}

// The warning, then the end. An agent that restarted in between warns again.
void Agent::runLimit(Task& task, Turn& turn) {
    if (task.warn_at && *task.warn_at <= turn.now) {
        task.warn_at.reset();
        const absl::StatusOr<TaskSpec> spec = readTaskBody(task.info.body);
        if (!task.kill_requested && spec.ok() && spec->limit_warning) {
            ++counters_.limit_warnings;
            say(SignalContainer{task.key(), spec->limit_warning->signal}, 0, turn);
        }
    }
    if (task.limit_at && *task.limit_at <= turn.now) {
        task.limit_at.reset();
        if (task.kill_requested) return; // its end is on its way
        ++counters_.limits_reached;
        task.limit_reached = true;
        kill(task, graceOf(task), turn);
    }
}

// ---- What the launcher saw -----------------------------------------------------------------------------------

void Agent::on(const launcher_says::ContainerStarted& event, Turn& turn) {
    if (Executor* executor = executors_.withContainer(event.key)) {
        executor->pid = event.pid;
        executor->start_time = event.start_time;
        executor->isolation = event.isolation.empty() ? options_.info.isolation : event.isolation;
        return;
    }
    Task* task = tasks_.find(event.key);
    if (task == nullptr || isTerminal(task->state)) {
        ++counters_.stray_containers;
        say(DestroyContainer{event.key}, 0, turn);
        return;
    }
    if (task->container == Task::Container::kRunning) return;
    task->container = Task::Container::kRunning;
    task->latest.pid = event.pid;
    task->latest.start_time = event.start_time;
    task->latest.isolation = event.isolation.empty() ? options_.info.isolation : event.isolation;
    appendStatus(*task, TaskState::kRunning, Reason::kNone, "", turn);
    startLimit(*task, turn.wall, turn);
}

void Agent::on(const launcher_says::ContainerFailed& event, Turn& turn) {
    if (Executor* executor = executors_.withContainer(event.key)) {
        executorEnded(*executor, Reason::kContainerLaunchFailed, event.reason, std::nullopt, turn);
        return;
    }
    Task* task = tasks_.find(event.key);
    if (task == nullptr || isTerminal(task->state)) {
        say(ForgetContainer{event.key}, appended_, turn);
        return;
    }
    endFailed(*task, event.reason, turn);
}

void Agent::on(const launcher_says::ContainerExited& event, Turn& turn) {
    if (Executor* executor = executors_.withContainer(event.key)) {
        const Ending ending = endingOf(event.outcome, event.unknown_reason, false, executor->limits(), event.over_disk);
        const bool limitation =
            ending.reason == Reason::kContainerLimitationMemory || ending.reason == Reason::kContainerLimitationDisk;
        executorEnded(*executor, limitation ? ending.reason : Reason::kExecutorTerminated,
                      absl::StrCat("the executor ended: ", ending.message), event.outcome.wait_status, turn);
        return;
    }
    Task* task = tasks_.find(event.key);
    if (task == nullptr || isTerminal(task->state)) {
        say(ForgetContainer{event.key}, appended_, turn);
        return;
    }
    endExited(*task, event, turn);
}

void Agent::endFailed(Task& task, const std::string& reason, Turn& turn) {
    if (task.kill_requested) {
        end(task, TaskState::kKilled, Reason::kTaskKilledDuringLaunch, "killed before it ran", turn);
    } else if (task.abandoned) {
        end(task, TaskState::kLost, Reason::kAgentRestarted, kNotCheckpointed, turn);
    } else {
        end(task, TaskState::kFailed, Reason::kContainerLaunchFailed, reason, turn);
    }
}

void Agent::endExited(Task& task, const launcher_says::ContainerExited& event, Turn& turn) {
    task.latest.outcome = event.outcome;
    if (event.outcome.out_of_memory) ++counters_.out_of_memory;
    if (!event.outcome.wait_status) ++counters_.unknown_exits;
    Ending ending = endingOf(event.outcome, event.unknown_reason, task.kill_requested && !task.limit_reached,
                             task.info.resources, event.over_disk);
    if (task.limit_reached && ending.state == TaskState::kFailed) {
        ending.reason = Reason::kMaxCompletionTimeReached;
        ending.message = absl::StrCat("its time limit was over; ", ending.message);
    } else if (task.abandoned && ending.state == TaskState::kFailed) {
        ending = {TaskState::kLost, Reason::kAgentRestarted, kNotCheckpointed};
    }
    end(task, ending.state, ending.reason, std::move(ending.message), turn);
}

// ---- Deadlines -----------------------------------------------------------------------------------------------

void Agent::runDue(Turn& turn) {
    while (Task* task = tasks_.due(turn.now)) {
        if (task->destroy_at && *task->destroy_at <= turn.now) {
            task->destroy_at.reset();
            say(DestroyContainer{task->key()}, task->intent, turn);
        }
        runLimit(*task, turn);
        if (task->retry_at && *task->retry_at <= turn.now) {
            task->retry_at.reset();
            if (link_ == Link::kRegistered) ++counters_.updates_repeated;
            forward(*task, turn);
        }
        tasks_.reindex(*task);
    }
}

void Agent::retireIfDone(Turn& turn) {
    if (!retiring_ || stopped_ || tasks_.liveCount() > 0 || !executors_.all().empty()) return;
    if (!retire_by_) retire_by_ = turn.now + kRetireWait;
    // Without a master nobody acknowledges; what is stored is told when the agent is started again. It does not
    // unregister then: the master would call tasks gone whose ends are still to be told.
    if (!tasks_.all().empty()) {
        if (link_ == Link::kRegistered && turn.now < *retire_by_) return;
        return stop("stopped as asked; the ends of some tasks are told when it is started again", false, turn);
    }
    if (link_ == Link::kRegistered) sayToMaster(agent_says::Unregister{}, appended_, turn);
    stop("stopped for good, as asked", false, turn);
}

void Agent::stop(std::string why, bool failed, Turn& turn) {
    say(Stop{std::move(why), failed}, appended_, turn);
    stopped_ = true;
}

// ---- Output --------------------------------------------------------------------------------------------------

RecordNumber Agent::append(Record record, Turn& turn) {
    turn.out.records.push_back(std::move(record));
    return ++appended_;
}

void Agent::say(Effect effect, RecordNumber waits_for, Turn& turn) {
    turn.out.effects.push_back({std::move(effect), waits_for});
}

void Agent::sayToMaster(FromAgent message, RecordNumber waits_for, Turn& turn) {
    say(ToMaster{std::move(message), connection_}, waits_for, turn);
}

// Version 4, from chance.
Uuid Agent::makeUuid() {
    Uuid uuid;
    for (std::size_t half = 0; half < 2; ++half) {
        std::uint64_t bits = rng_.next();
        for (std::size_t i = 0; i < 8; ++i, bits >>= 8) uuid[half * 8 + i] = static_cast<std::uint8_t>(bits);
    }
    uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);
    uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

std::vector<AgentTask> Agent::tasks() const {
    std::vector<AgentTask> list;
    list.reserve(tasks_.all().size());
    for (const auto& [key, task] : tasks_.all()) {
        const TaskStatus& next = task.unacknowledged.empty() ? task.latest : task.unacknowledged.front().status;
        list.push_back({task.framework, task.info, task.state, next});
    }
    return list;
}

std::string Agent::violation() const {
    // One that stopped because its resources are too small holds them only in part.
    if (stopped_) return "";
    std::vector<std::pair<FrameworkId, Resources>> held;
    for (const auto& [key, executor] : executors_.all()) {
        held.emplace_back(key.framework, executor.info.resources);
        Resources of_tasks;
        for (const TaskId& id : executor.tasks) {
            const auto task = tasks_.all().find({key.framework, id});
            if (task == tasks_.all().end() || !task->second.holds || task->second.info.executor != key.executor) {
                return absl::StrCat("executor ", key.executor.value(),
                                    " counts a task that isn't its own: ", id.value());
            }
            of_tasks += task->second.info.resources;
        }
        if (of_tasks != executor.of_tasks) return absl::StrCat("executor ", key.executor.value(), " sums up wrong");
    }
    if (std::string broken = executors_.violation(); !broken.empty()) return broken;
    return tasks_.violation(held);
}

} // namespace stoa::agent
