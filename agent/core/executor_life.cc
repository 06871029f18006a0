// The life of an agent's executors: launched for their first task, subscribed, given further tasks, asked to end, ended.
#include "agent/core/agent.h"
#include "protocol/codec/executor_info.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <utility>

namespace stoa::agent {
namespace {

// An executor has but a few updates on its way at once; one repeated later than this is taken for a new one, and then
// only where its state may follow.
constexpr std::size_t kUpdatesRemembered = 16;
// Of one task, that its framework hasn't acknowledged. More that aren't its end are left to the executor, unacknowledged,
// which says them again.
constexpr std::size_t kMostUpdatesWaiting = 100;

std::string asText(const Uuid& uuid) {
    std::string text;
    for (std::size_t i = 0; i < uuid.size(); ++i) {
        absl::StrAppendFormat(&text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
    }
    return text;
}

} // namespace

// ---- Launching -----------------------------------------------------------------------------------------------

void Agent::launchInExecutor(Task& task, const master_says::Launch& message, Turn& turn) {
    const ExecutorKey key{task.framework, task.info.executor};
    absl::StatusOr<ExecutorInfo> info = readTaskExecutor(task.framework, task.info);
    // The intent of the executor goes before that of its task: a task without one would make no sense after a crash.
    Executor* executor = executors_.find(key);
    const bool fresh = executor == nullptr;
    std::optional<Ending> refusal;
    if (info.ok()) {
        refusal = refusalOf(task, *info, executor, message.new_executor);
    } else {
        refusal = Ending{TaskState::kError, Reason::kTaskInvalid, std::string(info.status().message())};
    }
    if (!refusal && fresh) executor = launchExecutor(message.framework, *info, turn);
    task.intent = append(LaunchIntended{message.framework, message.task}, turn);
    if (refusal) return refuse(task, refusal->state, refusal->reason, std::move(refusal->message), turn);
    ++counters_.launches;
    (void)tasks_.hold(task); // it fits, as seen above
    executor->tasks.insert(task.info.id);
    executor->of_tasks += task.info.resources;
    say(TaskChanged{task.framework, task.info, task.state, task.latest}, task.intent, turn);
    if (fresh) {
        say(LaunchExecutor{executor->framework, executor->info, executor->run, executor->token, executor->limits(),
                           executor->container()},
            task.intent, turn);
        return;
    }
    limit(*executor, turn);
    if (executor->stream != 0) deliver(*executor, task, turn);
}

std::optional<Ending> Agent::refusalOf(const Task& task, const ExecutorInfo& info, const Executor* executor,
                                       bool new_executor) {
    const std::string named = absl::StrCat("the executor \"", info.id.value(), "\" ");
    if (retiring_) return Ending{TaskState::kLost, Reason::kAgentRemoved, "the agent is being stopped for good"};
    if (executor != nullptr && !(executor->info == info)) {
        return Ending{TaskState::kError, Reason::kTaskInvalid,
                      named + "lives on the agent, and was described otherwise than by this task"};
    }
    if (executor != nullptr && executor->ending()) {
        return Ending{TaskState::kDropped, Reason::kExecutorTerminated, named + "is ending"};
    }
    if (executor == nullptr && !new_executor) {
        return Ending{TaskState::kDropped, Reason::kExecutorTerminated, named + "ended before the task reached it"};
    }
    const Task* same = tasks_.find({task.framework, TaskId(info.id.value())});
    if (same != nullptr && same->info.executor.empty() && !isTerminal(same->state)) {
        // They would share a sandbox.
        return Ending{TaskState::kError, Reason::kTaskInvalid, "a task with the executor's id runs on the agent"};
    }
    Resources needed = task.info.resources;
    if (executor == nullptr) needed += info.resources;
    if (tasks_.free().contains(needed)) return std::nullopt;
    return Ending{TaskState::kLost, Reason::kInvalidOffers,
                  absl::StrCat("does not fit in what is free on the agent: ", tasks_.free().shortfall(needed))};
}

Executor* Agent::launchExecutor(const FrameworkInfo& framework, const ExecutorInfo& info, Turn& turn) {
    ++counters_.executor_launches;
    (void)tasks_.hold(framework, info.resources);
    Executor executor;
    executor.framework = framework;
    executor.info = info;
    executor.run = asText(makeUuid());
    executor.token = options_.make_token ? options_.make_token() : asText(makeUuid());
    executor.record = append(ExecutorIntended{framework, info, executor.run, executor.token}, turn);
    Executor& added = executors_.add(std::move(executor));
    executors_.setDeadline(added, turn.now + options_.executor_registration);
    show(added, turn);
    return &added;
}

void Agent::deliver(Executor& executor, Task& task, Turn& turn) {
    task.delivered = true;
    say(ToExecutor{executor.container(), executor.stream, executor_event::Launch{task.info}}, task.intent, turn);
}

void Agent::limit(const Executor& executor, Turn& turn) {
    say(LimitContainer{executor.container(), executor.limits()}, executor.record, turn);
}

void Agent::leaveExecutor(Task& task, Turn& turn) {
    if (task.info.executor.empty()) return;
    Executor* executor = executors_.find({task.framework, task.info.executor});
    if (executor == nullptr || executor->tasks.erase(task.info.id) == 0) return;
    (void)executor->of_tasks.subtract(task.info.resources);
    if (executor->state != Executor::State::kKilled) limit(*executor, turn);
}

// ---- What executors say --------------------------------------------------------------------------------------

void Agent::on(const executor_says::Subscribed& event, Turn& turn) {
    Executor* executor = executors_.find(event.key);
    if (executor == nullptr) return;
    ++counters_.executor_subscriptions;
    if (executor->stream != 0) say(EndStream{executor->container(), executor->stream}, 0, turn);
    const bool first = executor->state == Executor::State::kRegistering;
    if (!first) ++counters_.executor_resubscriptions;
    executor->stream = event.stream;
    if (!executor->ending()) {
        executor->state = Executor::State::kRegistered;
        executors_.setDeadline(*executor, std::nullopt);
    }
    say(ToExecutor{executor->container(), event.stream,
                   executor_event::Subscribed{executor->info, executor->framework, options_.info, executor->run}},
        executor->record, turn);
    show(*executor, turn);

    // In order, since each may be what the next one follows.
    for (const TaskStatus& status : event.call.unacknowledged_updates) takeUpdate(*executor, status, turn);
    std::set<TaskId> had;
    for (const TaskInfo& task : event.call.unacknowledged_tasks) had.insert(task.id);
    const std::set<TaskId> tasks = executor->tasks; // ends below take out of it
    for (const TaskId& id : tasks) {
        Task& task = *tasks_.find({event.key.framework, id});
        // A launch on its way to the stream before may be lost; the executor says what it has and wasn't acknowledged,
        // and has all that it said anything of.
        task.delivered = task.state != TaskState::kStaging || had.contains(id);
        if (task.kill_requested) {
            killInExecutor(task, turn);
        } else if (!task.delivered && !executor->ending()) {
            deliver(*executor, task, turn);
        }
    }
    if (executor->ending()) {
        say(ToExecutor{executor->container(), executor->stream, executor_event::Shutdown{}}, executor->record, turn);
    } else if (first && executor->tasks.empty()) {
        shutDown(*executor, turn); // what it was launched for was killed
    }
}

void Agent::on(const executor_says::Updated& event, Turn& turn) {
    if (Executor* executor = executors_.find(event.key)) takeUpdate(*executor, event.status, turn);
}

void Agent::takeUpdate(Executor& executor, const TaskStatus& status, Turn& turn) {
    ++counters_.executor_updates;
    const Uuid uuid = status.uuid.value_or(Uuid{});
    // An update that can't be used is acknowledged all the same, or it would be said for ever.
    const auto acknowledge = [&, container = executor.container(), stream = executor.stream](RecordNumber record) {
        if (stream == 0) return;
        say(ToExecutor{container, stream, executor_event::Acknowledged{status.task, uuid}}, record, turn);
    };
    Task* task = tasks_.find({executor.framework.id, status.task});
    if (task == nullptr || task->info.executor != executor.info.id) {
        ++counters_.executor_updates_illegal;
        return acknowledge(appended_);
    }
    std::deque<Uuid>& said = task->executor_updates;
    if (std::find(said.begin(), said.end(), uuid) != said.end()) {
        ++counters_.executor_updates_repeated;
        return acknowledge(appended_);
    }
    if (isTerminal(task->state) || !nextState(task->state, status.state)) {
        ++counters_.executor_updates_illegal;
        return acknowledge(appended_);
    }
    if (!isTerminal(status.state) && task->unacknowledged.size() >= kMostUpdatesWaiting) {
        ++counters_.executor_updates_put_off;
        return;
    }
    said.push_back(uuid);
    if (said.size() > kUpdatesRemembered) said.pop_front();
    task->delivered = true; // it has it
    TaskStatus& latest = task->latest;
    latest = status;
    latest.agent = options_.info.id;
    latest.executor = executor.info.id;
    latest.source = StatusSource::kExecutor;
    if (latest.timestamp.nanos == 0) latest.timestamp = turn.wall;
    latest.pid = executor.pid;
    latest.start_time = executor.start_time;
    latest.isolation = executor.isolation;
    if (!isTerminal(status.state)) {
        storeStatus(*task, turn);
        return acknowledge(appended_);
    }
    release(*task, turn);
    storeStatus(*task, turn);
    acknowledge(appended_);
    finish(*task, turn);
}

void Agent::on(const executor_says::Message& event, Turn& turn) {
    if (link_ != Link::kRegistered) {
        ++counters_.dropped_messages;
        return;
    }
    sayToMaster(agent_says::ToFramework{event.key.framework, event.key.executor, event.data}, 0, turn);
}

void Agent::on(const executor_says::Gone& event, Turn& turn) {
    Executor* executor = executors_.find(event.key);
    if (executor == nullptr || executor->stream != event.stream) return;
    executor->stream = 0;
    show(*executor, turn);
}

// ---- What the master says ------------------------------------------------------------------------------------

void Agent::on(const master_says::ToExecutor& message, Turn& turn) {
    const Executor* executor = executors_.find({message.framework, message.executor});
    if (executor == nullptr || executor->stream == 0) {
        ++counters_.dropped_messages;
        return;
    }
    say(ToExecutor{executor->container(), executor->stream, executor_event::Message{message.data}}, executor->record,
        turn);
}

void Agent::on(const master_says::ShutdownExecutor& message, Turn& turn) {
    if (Executor* executor = executors_.find({message.framework, message.executor})) shutDown(*executor, turn);
}

// Until the executor's next subscription, where it can't be told now.
void Agent::killInExecutor(Task& task, Turn& turn) {
    Executor* executor = executors_.find({task.framework, task.info.executor});
    if (executor == nullptr) return;
    const bool never_had_it =
        executor->state == Executor::State::kRegistering || (executor->stream != 0 && !task.delivered);
    if (never_had_it) {
        end(task, TaskState::kKilled, Reason::kTaskKilledDuringLaunch, "killed before its executor had it", turn);
        if (executor->tasks.empty() && executor->state == Executor::State::kRegistering) shutDown(*executor, turn);
    } else if (executor->stream != 0) {
        say(ToExecutor{executor->container(), executor->stream, executor_event::Kill{task.info.id, task.kill_grace}},
            task.intent, turn);
    }
}

// ---- Ending --------------------------------------------------------------------------------------------------

void Agent::shutDown(Executor& executor, Turn& turn) {
    if (executor.ending()) return;
    ++counters_.executor_shutdowns;
    const bool began = executor.state == Executor::State::kRegistering;
    executor.shut_down = true;
    executor.record = append(ExecutorShutDown{executor.key()}, turn);
    executor.state = Executor::State::kShuttingDown;
    if (began) return destroy(executor, Reason::kNone, "", turn); // nothing to wait for
    Duration grace = options_.executor_shutdown_grace;
    if (const absl::StatusOr<TaskSpec> spec = readExecutorBody(executor.info); spec.ok() && spec->kill_grace) {
        grace = *spec->kill_grace;
    }
    executors_.setDeadline(executor, turn.now + grace);
    if (executor.stream != 0) {
        say(ToExecutor{executor.container(), executor.stream, executor_event::Shutdown{}}, executor.record, turn);
    } else {
        say(SignalContainer{executor.container(), SIGTERM}, executor.record, turn);
    }
}

void Agent::destroy(Executor& executor, Reason reason, std::string why, Turn& turn) {
    executor.state = Executor::State::kKilled;
    executor.reason = reason;
    executor.why = std::move(why);
    executors_.setDeadline(executor, std::nullopt);
    say(DestroyContainer{executor.container()}, executor.record, turn);
}

void Agent::runDueExecutors(Turn& turn) {
    while (Executor* executor = executors_.due(turn.now)) {
        switch (executor->state) {
        case Executor::State::kRegistering:
            ++counters_.executor_timeouts;
            destroy(*executor, Reason::kExecutorRegistrationTimeout, "the executor did not subscribe in time", turn);
            break;
        case Executor::State::kRecovering:
            ++counters_.executor_timeouts;
            destroy(*executor, Reason::kExecutorReregistrationTimeout,
                    "the executor did not subscribe again in time after a restart of the agent", turn);
            break;
        default: destroy(*executor, Reason::kNone, "", turn); break; // the grace is over
        }
    }
}

// Its container is gone; with it end the tasks that live.
void Agent::executorEnded(Executor& executor, Reason reason, const std::string& why, std::optional<int> wait_status,
                          Turn& turn) {
    ++counters_.executors_ended;
    const bool ours = executor.reason != Reason::kNone;
    executor.state = Executor::State::kKilled; // nothing more is said to it
    executors_.setDeadline(executor, std::nullopt);
    const std::set<TaskId> tasks = executor.tasks;
    for (const TaskId& id : tasks) {
        Task& task = *tasks_.find({executor.framework.id, id});
        const std::string& message = ours ? executor.why : why;
        if (task.kill_requested) {
            end(task, TaskState::kKilled, Reason::kExecutorTerminated, absl::StrCat("a kill was requested; ", message),
                turn);
        } else {
            const Reason because = ours ? executor.reason : reason;
            const bool lost = because == Reason::kAgentRestarted;
            end(task, lost ? TaskState::kLost : TaskState::kFailed, because, message, turn);
        }
    }
    const ExecutorKey key = executor.key();
    const TaskKey container = executor.container();
    tasks_.release(key.framework, executor.info.resources);
    executors_.erase(key); // the reference is void from here on
    const RecordNumber record = append(ExecutorForgotten{key}, turn);
    say(ForgetContainer{container}, record, turn);
    say(ExecutorGone{key}, record, turn);
    sayExecutorEnded(key, wait_status, record, turn);
}

// Also behind a Register that told of it and wasn't answered yet.
void Agent::sayExecutorEnded(const ExecutorKey& key, std::optional<int> wait_status, RecordNumber waits_for,
                             Turn& turn) {
    if (link_ == Link::kDown) return;
    sayToMaster(agent_says::ExecutorEnded{key.framework, key.executor, wait_status}, waits_for, turn);
}

// ---- After a restart -----------------------------------------------------------------------------------------

void Agent::recoverExecutor(Executor& executor, const launcher_says::KnownContainer* container, Turn& turn) {
    if (container == nullptr) {
        executorEnded(executor, Reason::kAgentRestarted,
                      "the agent restarted and the executor's container is not there: it was not launched, the machine "
                      "was restarted, or the run directory lost",
                      std::nullopt, turn);
        return;
    }
    if (!container->failed.empty()) {
        executorEnded(executor, Reason::kContainerLaunchFailed, container->failed, std::nullopt, turn);
        return;
    }
    if (!container->running && !container->launching) {
        on(launcher_says::ContainerExited{container->key, container->outcome, container->unknown_reason}, turn);
        return;
    }
    executor.pid = container->pid;
    executor.start_time = container->start_time;
    executor.isolation = options_.info.isolation;
    if (executor.shut_down) {
        executor.state = Executor::State::kShuttingDown;
        executors_.setDeadline(executor, turn.now + options_.executor_shutdown_grace);
        say(SignalContainer{executor.container(), SIGTERM}, 0, turn);
        return;
    }
    if (!executor.framework.checkpoint) {
        destroy(executor, Reason::kAgentRestarted, kNotCheckpointed, turn);
        return;
    }
    // One that was never heard of may be just starting.
    bool heard = false;
    for (const TaskId& id : executor.tasks) {
        heard |= tasks_.find({executor.framework.id, id})->state != TaskState::kStaging;
    }
    executor.state = Executor::State::kRecovering;
    executors_.setDeadline(executor,
                           turn.now + (heard ? options_.executor_reregistration : options_.executor_registration));
    limit(executor, turn);
    show(executor, turn);
}

void Agent::show(const Executor& executor, Turn& turn) {
    say(ExecutorChanged{executor.framework.id, executor.info, executor.run, executor.stream != 0}, executor.record,
        turn);
}

} // namespace stoa::agent
