// What becomes of tasks once they are launched: their agents' updates on the way to the framework, its
// acknowledgements and kills on the way back, and the few last words that the master itself has to say.
//
// An update is passed on whether or not the task is known here: the agent repeats it until it is acknowledged, and
// both its repeats and the acknowledgement's may cross a restart of ours. The table only needs to know states and
// which acknowledgement is the last.
#include "master/core/state.h"

#include <algorithm>

namespace stoa::master {

bool State::setState(Task& task, TaskState next) {
    if (isTerminal(task.state) && next != task.state) return false;
    if (!nextState(task.state, next)) return false;
    const bool ends = isTerminal(next) && !isTerminal(task.state);
    task.state = next;
    if (ends) {
        if (!task.disowned) ++counters.tasks_ended[static_cast<std::size_t>(next)];
        if (task.held) (void)allocator.taskEnded(task.key);
        task.held = false;
    }
    return true;
}

void State::on(Step& at, Agent& agent, const agent_says::StatusUpdate& message) {
    ++counters.updates;
    TaskStatus status = message.status;
    status.agent = agent.id();
    const TaskState latest = message.latest == TaskState::kStaging ? status.state : message.latest;
    Task* task = tasks.find(message.framework, status.task);
    const Framework* framework = frameworks.find(message.framework);

    // Of another agent's task by the same name: the one that was told to end. Nobody waits for its story.
    if (task != nullptr && task->agent != &agent) {
        if (status.uuid) {
            tell(at, agent, master_says::AcknowledgeUpdate{message.framework, status.task, *status.uuid});
        }
        return;
    }
    if (task != nullptr && task->disowned) {
        hearDisowned(at, *task, status, latest);
        return;
    }
    if (task != nullptr) {
        task->known_to_agent = true;
        task->setTold(status);
        const TaskState before = task->state;
        if (!setState(*task, latest)) {
            ++counters.updates_illegal;
        } else if (before != latest || status.state == latest) {
            show(at, *task, status);
        }
    }
    if (framework == nullptr) {
        // The framework is removed: the update is history, and its agent may forget it.
        if (status.uuid) {
            tell(at, agent, master_says::AcknowledgeUpdate{message.framework, status.task, *status.uuid});
        }
        if (task != nullptr && isTerminal(task->state)) tasks.remove(*task);
        return;
    }
    // Not here: it is the agent that keeps the update and repeats it.
    if (!framework->active()) return;
    tell(at, *framework, event::Update{status}, agent.record);
    // Nothing to wait for.
    if (task != nullptr && !status.uuid && isTerminal(status.state) && isTerminal(task->state)) tasks.remove(*task);
}

void State::on(Step& at, Framework& framework, const call::Acknowledge& call) {
    ++counters.acknowledgements;
    Agent* agent = agents.find(call.agent);
    if (agent == nullptr || !agent->active()) return; // the agent will repeat the update
    tell(at, *agent, master_says::AcknowledgeUpdate{framework.id(), call.task, call.uuid}, framework.record);
    Task* task = tasks.find(framework.id(), call.task);
    if (task != nullptr && task->agent == agent && isTerminal(task->told) && task->told_uuid == call.uuid &&
        isTerminal(task->state)) {
        tasks.remove(*task);
    }
}

void State::end(Step& at, Task& task, TaskState state, Reason reason, std::string message, RecordNumber also) {
    if (!setState(task, state)) {
        // The table of states knows no way there; the task ends all the same, as lost.
        task.state = TaskState::kLost;
        ++counters.tasks_ended[static_cast<std::size_t>(TaskState::kLost)];
        if (task.held) (void)allocator.taskEnded(task.key);
        task.held = false;
    }
    task.told = task.state;
    TaskStatus status = latestStatus(task, reason, std::move(message), at.wall);
    if (const Framework* framework = frameworks.find(task.key.framework)) {
        tell(at, *framework, event::Update{status}, std::max(task.agent->record, also));
    }
    show(at, task, status);
    tasks.remove(task);
}

void State::forget(Task& task) {
    if (task.held) (void)allocator.taskEnded(task.key);
    tasks.remove(task);
}

// ---- Kills -------------------------------------------------------------------------------------------------------

void State::on(Step& at, Framework& framework, const call::Kill& call) {
    ++counters.kills;
    if (Task* task = tasks.find(framework.id(), call.task)) {
        if (task->disowned || isTerminal(task->state)) return; // it has been told, or is on its way
        task->kill_wanted = true;
        task->kill_grace = call.grace;
        sendKill(at, *task); // to an agent that is away: when it is back
        return;
    }
    if (std::optional<TaskStatus> status = statusOfUnknown(call.task, call.agent, at.wall)) {
        tell(at, framework, event::Update{*status});
        if (isTerminal(status->state)) return;
    }
    // An agent that has not come back yet may have it.
    const TaskKey key{framework.id(), call.task};
    if (early_kills.size() < options.max_early_kills || early_kills.contains(key)) {
        early_kills[key] = call.grace;
    } else {
        ++counters.early_kills_dropped;
    }
}

void State::sendKill(Step& at, const Task& task) {
    const Framework* framework = frameworks.find(task.key.framework);
    tell(at, *task.agent, master_says::Kill{task.key.framework, task.key.task, task.kill_grace},
         framework ? framework->record : 0);
}

void State::applyEarlyKill(Step& at, Task& task) {
    auto kill = early_kills.find(task.key);
    if (kill == early_kills.end()) return;
    task.kill_wanted = true;
    task.kill_grace = kill->second;
    early_kills.erase(kill);
    sendKill(at, task);
}

} // namespace stoa::master
