// Reconciliation: a framework asks what became of tasks, those it names or all of them. Answers carry no uuid, since
// nobody repeats them. While an agent that may know the task is awaited there is no answer; it comes when the agent has
// come back, or has been given up, and the framework asks again.
#include "master/core/state.h"

namespace stoa::master {

void State::on(Step& at, Framework& framework, const call::Reconcile& call) {
    if (call.tasks.empty()) {
        for (const Task* task : tasks.of(framework.id())) {
            if (task->disowned) continue;
            ++counters.reconciliations;
            tell(at, framework,
                 event::Update{latestStatus(*task, Reason::kReconciliation, "the latest state known", at.wall)},
                 task->agent->record);
        }
        return;
    }
    counters.reconciliations += call.tasks.size();
    for (const call::Reconcile::Task& asked : call.tasks) {
        if (const Task* task = tasks.find(framework.id(), asked.task)) {
            tell(at, framework,
                 event::Update{latestStatus(*task, Reason::kReconciliation, "the latest state known", at.wall)},
                 task->agent->record);
        } else if (std::optional<TaskStatus> status = statusOfUnknown(asked.task, asked.agent, at.wall)) {
            const Agent* agent = agents.find(asked.agent);
            tell(at, framework, event::Update{*std::move(status)}, agent ? agent->record : 0);
        }
    }
}

std::optional<TaskStatus> State::statusOfUnknown(const TaskId& task, const AgentId& id, WallTime now) const {
    auto answer = [&](TaskState state, std::string message) {
        return masterStatus(task, id, state, Reason::kReconciliation, std::move(message), now);
    };
    if (id.empty()) {
        if (agents.untoldAwaited() > 0) return std::nullopt;
        if (agents.untold() > 0) return answer(TaskState::kUnknown, "no agent that is here has the task");
        return answer(TaskState::kGone, "no agent has the task");
    }
    const Agent* agent = agents.find(id);
    if (agent == nullptr) return answer(TaskState::kGone, "the agent is not in the cluster");
    if (agent->told_tasks) return answer(TaskState::kGone, "the agent does not have the task");
    if (agent->awaited()) return std::nullopt;
    return answer(TaskState::kUnreachable, "the agent is unreachable");
}

TaskStatus State::masterStatus(const TaskId& task, const AgentId& agent, TaskState state, Reason reason,
                               std::string message, WallTime now) const {
    TaskStatus status;
    status.task = task;
    status.agent = agent;
    status.state = state;
    status.source = StatusSource::kMaster;
    status.reason = reason;
    status.message = std::move(message);
    status.timestamp = now;
    return status;
}

TaskStatus State::latestStatus(const Task& task, Reason reason, std::string message, WallTime now) const {
    // What only the master can say (the agent is unreachable) goes before what the agent last said.
    const TaskState state = task.state == TaskState::kUnreachable ? task.state : task.told;
    TaskStatus status = masterStatus(task.key.task, task.agent->id(), state, reason, std::move(message), now);
    status.executor = task.executor;
    if (task.end != nullptr && task.end->state == state) {
        status.outcome = task.end->outcome;
        status.pid = task.end->pid;
        status.start_time = task.end->start_time;
        status.isolation = task.end->isolation;
        status.data = task.end->data;
    }
    return status;
}

} // namespace stoa::master
