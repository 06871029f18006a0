// How an agent's core begins: from the records of its state and from what the launcher still knows.
#include "agent/core/agent.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <utility>

namespace stoa::agent {

void Agent::recover(Recovered recovered, Turn& turn) {
    for (Record& record : recovered.records) recoverRecord(std::move(record));

    // All hold first: whether the agent can go on at all is decided before anything is said.
    for (auto& [key, task] : tasks_.all()) {
        if (isTerminal(task.state)) continue;
        if (absl::Status held = tasks_.hold(task); !held.ok()) {
            stop(absl::StrCat("the resources ", options_.info.resources.toString(),
                              " are too small for the tasks that run here (", held.message(), " for task ",
                              key.task.value(), "): give at least what the agent had before, or end its tasks first"),
                 true, turn);
            return;
        }
    }

    for (auto& [key, executor] : executors_.all()) {
        if (absl::Status held = tasks_.hold(executor.framework, executor.info.resources); !held.ok()) {
            stop(absl::StrCat("the resources ", options_.info.resources.toString(),
                              " are too small for the executors that live here (", held.message(), " for executor ",
                              key.executor.value(), "): give at least what the agent had before"),
                 true, turn);
            return;
        }
    }

    std::map<TaskKey, const launcher_says::KnownContainer*> containers;
    for (const launcher_says::KnownContainer& container : recovered.containers) containers[container.key] = &container;
    for (auto& [key, task] : tasks_.all()) {
        Executor* executor = executors_.find({key.framework, task.info.executor});
        if (isTerminal(task.state) || executor == nullptr) continue;
        executor->tasks.insert(key.task);
        executor->of_tasks += task.info.resources;
    }
    for (auto it = executors_.all().begin(); it != executors_.all().end();) {
        Executor& executor = (it++)->second; // may be erased below
        const auto found = containers.find(executor.container());
        recoverExecutor(executor, found == containers.end() ? nullptr : found->second, turn);
        if (found != containers.end()) containers.erase(found);
    }
    for (auto& [key, task] : tasks_.all()) {
        if (isTerminal(task.state)) continue;
        if (executors_.find({key.framework, task.info.executor}) != nullptr) continue; // as its executor is
        const auto found = containers.find(key);
        recoverTask(task, found == containers.end() ? nullptr : found->second, turn);
        if (found != containers.end()) containers.erase(found);
    }
    // What is left belongs to nobody, or to a task that has been told as ended.
    for (const auto& [key, container] : containers) {
        if (container->running || container->launching) {
            ++counters_.stray_containers;
            say(DestroyContainer{key}, 0, turn);
        } else {
            say(ForgetContainer{key}, 0, turn);
        }
    }
    for (const auto& [key, task] : tasks_.all()) {
        say(TaskChanged{task.framework, task.info, task.state, task.latest}, appended_, turn);
    }
}

void Agent::recoverRecord(Record record) {
    if (auto* identity = std::get_if<Identity>(&record)) {
        options_.info.id = identity->agent;
    } else if (auto* launch = std::get_if<LaunchIntended>(&record)) {
        if (tasks_.find({launch->framework.id, launch->task.id}) == nullptr) {
            tasks_.add(launch->framework, std::move(launch->task));
        }
    } else if (auto* appended = std::get_if<StatusAppended>(&record)) {
        Task* task = tasks_.find({appended->framework, appended->status.task});
        if (task == nullptr) return;
        if (appended->status.source == StatusSource::kExecutor) {
            task->executor_updates.push_back(appended->status.uuid.value_or(Uuid{}));
        }
        task->state = appended->status.state;
        task->latest = appended->status;
        task->unacknowledged.push_back({std::move(appended->status), 0});
    } else if (auto* acknowledged = std::get_if<StatusAcknowledged>(&record)) {
        Task* task = tasks_.find(acknowledged->key);
        if (task == nullptr) return;
        // The agent acknowledges in order, so what stands before it is acknowledged too.
        const auto found = std::find_if(task->unacknowledged.begin(), task->unacknowledged.end(),
                                        [&](const auto& one) { return one.status.uuid == acknowledged->uuid; });
        if (found == task->unacknowledged.end()) return;
        task->unacknowledged.erase(task->unacknowledged.begin(), found + 1);
        if (task->unacknowledged.empty()) task->latest.uuid.reset();
    } else if (auto* kill = std::get_if<KillIntended>(&record)) {
        Task* task = tasks_.find(kill->key);
        if (task == nullptr) return;
        task->kill_requested = true;
        task->kill_grace = kill->grace;
    } else if (auto* forgotten = std::get_if<TaskForgotten>(&record)) {
        tasks_.erase(forgotten->key);
    } else if (auto* intended = std::get_if<ExecutorIntended>(&record)) {
        Executor executor;
        executor.framework = std::move(intended->framework);
        executor.info = std::move(intended->info);
        executor.run = std::move(intended->run);
        executor.token = std::move(intended->token);
        executors_.add(std::move(executor));
    } else if (auto* shut_down = std::get_if<ExecutorShutDown>(&record)) {
        if (Executor* executor = executors_.find(shut_down->key)) executor->shut_down = true;
    } else if (auto* ended = std::get_if<ExecutorForgotten>(&record)) {
        executors_.erase(ended->key);
    }
}

void Agent::recoverTask(Task& task, const launcher_says::KnownContainer* container, Turn& turn) {
    if (container == nullptr) {
        if (task.kill_requested && !task.ran()) {
            end(task, TaskState::kKilled, Reason::kTaskKilledDuringLaunch, "killed before it ran", turn);
            return;
        }
        ++counters_.lost_at_recovery;
        end(task, TaskState::kLost, Reason::kAgentRestarted,
            task.ran()
                ? "the agent restarted and its container is gone: the machine was restarted, or the run directory lost"
                : "the agent restarted before it was launched, as far as anybody knows",
            turn);
        return;
    }
    task.container = Task::Container::kLaunching;
    if (container->launching) {
        task.abandoned = !tasks_.frameworkOf(task).checkpoint;
        if (task.abandoned) {
            say(DestroyContainer{task.key()}, task.intent, turn);
        } else if (task.kill_requested) {
            carryOutKill(task, false, turn);
        }
        return;
    }
    if (!container->failed.empty()) {
        endFailed(task, container->failed, turn);
        return;
    }
    // Seen running before, it was told with all of this.
    if (container->pid != 0 && !task.ran()) {
        task.latest.pid = container->pid;
        task.latest.start_time = container->start_time;
        if (task.latest.isolation.empty()) task.latest.isolation = options_.info.isolation;
    }
    if (task.state == TaskState::kRunning) startLimit(task, task.latest.timestamp, turn);
    if (task.state == TaskState::kKilling) task.limit_reached = task.latest.reason == Reason::kMaxCompletionTimeReached;
    if (!container->running) {
        endExited(task, {container->key, container->outcome, container->unknown_reason}, turn);
        return;
    }
    task.container = Task::Container::kRunning;
    task.abandoned = !tasks_.frameworkOf(task).checkpoint;
    if (task.abandoned) say(DestroyContainer{task.key()}, task.intent, turn);
    if (!task.ran()) {
        appendStatus(task, TaskState::kRunning, Reason::kNone, "", turn);
        startLimit(task, turn.wall, turn);
    }
    if (task.kill_requested) carryOutKill(task, false, turn);
}

} // namespace stoa::agent
