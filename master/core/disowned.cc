// Tasks that their framework was told have ended while their agent was away, though nobody knows. To all but the agent
// they have; should the agent come back with one, it is killed in silence. It holds its resources until the agent has
// ended it, so that nothing is launched into what isn't free yet.
//
// Which of an agent's tasks those are is in the agent's record, so that a new leader goes on with it.
#include "master/core/state.h"

#include <algorithm>

namespace stoa::master {

bool State::disowns(const Agent& agent, const FrameworkId& framework, const std::vector<FrameworkInfo>& infos) const {
    if (agent.disowned != Disowned::kUncheckpointed) return agent.disowned == Disowned::kAll;
    return !checkpoints(framework, infos);
}

bool State::checkpoints(const FrameworkId& id, const std::vector<FrameworkInfo>& infos) const {
    if (const Framework* framework = frameworks.find(id)) return framework->info.checkpoint;
    const auto told = std::find_if(infos.begin(), infos.end(), [&id](const auto& info) { return info.id == id; });
    return told == infos.end() || told->checkpoint;
}

void State::disownUncheckpointed(Step& at, Agent& agent) {
    std::vector<Task*> lost;
    for (Task* task : tasks.of(agent)) {
        if (!task->disowned && !isTerminal(task->state) && !checkpoints(task->key.framework, {})) lost.push_back(task);
    }
    if (lost.empty()) return;
    if (agent.disowned == Disowned::kNone) {
        agent.disowned = Disowned::kUncheckpointed;
        agent.record = append(at, AgentAdmitted{agent.info, agent.incarnation, agent.disowned});
    }
    for (Task* task : lost) disown(at, *task, Disowned::kUncheckpointed, Reason::kAgentDisconnected);
}

// Precondition: the task is in the table; it holds its resources if it may live.
void State::disown(Step& at, Task& task, Disowned why, Reason reason) {
    tasks.disown(task);
    const bool all = why == Disowned::kAll;
    TaskStatus status = masterStatus(task.key.task, task.agent->id(), all ? TaskState::kGone : TaskState::kLost, reason,
                                     all ? "the agent was unreachable for too long, and was forgotten"
                                         : "the agent disconnected, and the framework does not checkpoint",
                                     at.wall);
    status.executor = task.executor;
    task.setTold(status);
    if (isTerminal(task.state)) return; // its framework may have heard how it ended
    ++counters.tasks_ended[static_cast<std::size_t>(task.told)];
    const Framework* framework = frameworks.find(task.key.framework);
    if (framework != nullptr) tell(at, *framework, event::Update{*task.end}, task.agent->record);
    show(at, TaskChanged{task.key.framework, task.taskInfo(), task.told, *task.end},
         std::max(task.agent->record, framework ? framework->record : 0));
}

// What its agent says is heard, acknowledged, and goes no further.
void State::hearDisowned(Step& at, Task& task, const TaskStatus& status, TaskState latest) {
    if (status.uuid) {
        tell(at, *task.agent, master_says::AcknowledgeUpdate{task.key.framework, task.key.task, *status.uuid});
    }
    (void)setState(task, latest);
    Agent& agent = *task.agent;
    if (isTerminal(status.state)) forget(task);
    settleDisowned(at, agent);
}

// Once it has none of them left, its tasks are as good as anybody's.
void State::settleDisowned(Step& at, Agent& agent) {
    if (!agent.active() || agent.disowned == Disowned::kNone || agent.disowned_tasks > 0) return;
    agent.disowned = Disowned::kNone;
    agent.record = append(at, AgentAdmitted{agent.info, agent.incarnation});
}

} // namespace stoa::master
