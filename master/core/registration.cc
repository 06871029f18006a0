// Agents come, lose their sessions, return, and go. What an agent says of its tasks wins over what the master thought:
// a session that ended may have swallowed a launch, a kill or an acknowledgement, so at each registration the two lists
// are compared and made one.
#include "master/core/state.h"
#include "master/core/validation.h"

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

namespace stoa::master {

void State::on(Step& at, Peer peer, const agent_says::Register& message) {
    if (absl::Status valid = validate(message.info); !valid.ok()) {
        refuse(at, peer, std::string(valid.message()));
        return;
    }
    if (frameworks.withPeer(peer) != nullptr) {
        refuse(at, peer, "this session is a framework's");
        return;
    }

    AgentInfo info = message.info;
    // Admitted before, but the answer never reached it: the work directory tells, not a new id.
    if (info.id.empty()) {
        if (const Agent* same = agents.withWorkId(message.incarnation.work_id)) info.id = same->id();
    }
    Agent* agent = info.id.empty() ? nullptr : agents.find(info.id);
    if (const Agent* other = agents.withPeer(peer); other != nullptr && other != agent) {
        refuse(at, peer, absl::StrCat("this session is agent ", other->id().value(), "'s already"));
        return;
    }
    Reason missing = Reason::kReconciliation;
    const bool returns = agent != nullptr && agent->state == Agent::State::kUnreachable;

    if (agent == nullptr) {
        if (agents.size() >= options.max_agents) {
            refuse(at, peer, absl::StrCat("the master has its most agents, ", options.max_agents));
            return;
        }
        // An id that the registry does not know was removed, or given by a registry that was lost: it is admitted anew.
        // Of one that was removed no task lives, or it was forgotten, and its tasks were told as gone.
        Disowned disowned = Disowned::kNone;
        if (info.id.empty()) {
            info.id = AgentId(absl::StrCat(options.master_id, "-", options.epoch, "-S", ++last_agent_id));
        } else if (info.id.value().starts_with(options.master_id + "-") && !message.tasks.empty()) {
            disowned = Disowned::kAll;
        }
        if (absl::Status added = allocator.addAgent(info.id, info.resources, info.attributes); !added.ok()) {
            refuse(at, peer, std::string(added.message()));
            return;
        }
        ++counters.agent_registrations;
        agent = &agents.add(info, message.incarnation);
        agent->disowned = disowned;
        agent->record = append(at, AgentAdmitted{info, message.incarnation, disowned});
    } else {
        ++counters.agent_reregistrations;
        if (agent->awaited() && agent->deadline <= at.now) ++counters.agents_spared;
        if (agent->active() && agent->peer != peer) {
            close(at, agent->peer, "the agent has a newer session", 0);
        }
        rescindAll(at, *agent);
        if (message.incarnation.boot_id != agent->incarnation.boot_id ||
            message.incarnation.work_id != agent->incarnation.work_id) {
            missing = Reason::kAgentRestarted;
        }
        if (absl::Status updated = allocator.updateAgent(info.id, info.resources, info.attributes); !updated.ok()) {
            refuse(at, peer, std::string(updated.message()));
            return;
        }
        if (agent->state == Agent::State::kUnreachable || !(agent->info == info) ||
            !(agent->incarnation == message.incarnation)) {
            agents.describe(*agent, info, message.incarnation);
            agent->record = append(at, AgentAdmitted{info, message.incarnation, agent->disowned});
        }
    }

    agents.connect(*agent, peer, at.wall);
    (void)allocator.setOfferable(agent->id(), true);
    show(at, *agent);
    tell(at, *agent, master_says::Registered{agent->id(), options.update_retry});
    compareTasks(at, *agent, message, missing);
    if (returns) tellOfReturn(at, *agent);
}

void State::refuse(Step& at, Peer peer, std::string reason) {
    ++counters.agents_refused;
    at.out.effects.push_back({ToAgentPeer{peer, master_says::Refused{reason}}, 0});
    close(at, peer, std::move(reason), 0);
    // Whatever it was before, this session is over.
    peerGone(at, peer);
}

// ---- Two lists of tasks become one -------------------------------------------------------------------------------

void State::compareTasks(Step& at, Agent& agent, const agent_says::Register& message, Reason missing) {
    compareExecutors(at, agent, message);
    absl::flat_hash_set<TaskKey> told;
    for (const AgentTask& task : message.tasks) told.insert({task.framework, task.info.id});
    for (Task* task : tasks.of(agent)) {
        if (told.contains(task->key)) continue;
        if (task->disowned || isTerminal(task->state)) {
            forget(*task); // its end was told already, and nobody is left to repeat it
        } else if (task->known_to_agent) {
            end(at, *task, TaskState::kLost, missing, "the agent came back without the task");
        } else {
            end(at, *task, TaskState::kDropped, missing, "the launch did not reach the agent");
        }
    }

    std::vector<FrameworkId> removed;
    const auto seen = [&](const FrameworkId& id) {
        if (frameworks.find(id) == nullptr && std::find(removed.begin(), removed.end(), id) == removed.end()) {
            removed.push_back(id);
        }
    };
    for (const AgentTask& task : message.tasks) {
        seen(task.framework);
        compareTask(at, agent, task, message.frameworks);
    }
    for (const AgentExecutor& executor : message.executors) seen(executor.framework);
    // Torn down, or its failover timeout passed, while the agent was away.
    for (const FrameworkId& framework : removed) tell(at, agent, master_says::ShutdownFramework{framework});

    settleDisowned(at, agent);
    agents.setToldTasks(agent);
    if (agents.untold() == 0) early_kills.clear();
}

void State::compareTask(Step& at, Agent& agent, const AgentTask& told, const std::vector<FrameworkInfo>& infos) {
    Task* task = tasks.find(told.framework, told.info.id);
    if (task == nullptr) {
        adopt(at, agent, told, infos);
        return;
    }
    if (task->agent != &agent) {
        // Launched again elsewhere while this agent was away and unknown to this leader: the newcomer goes.
        if (!isTerminal(told.state)) tell(at, agent, master_says::Kill{told.framework, told.info.id, std::nullopt});
        return;
    }
    task->known_to_agent = true;
    if (task->disowned) {
        (void)setState(*task, told.state);
        if (!isTerminal(told.state)) sendKill(at, *task);
        return;
    }
    task->setTold(told.status);
    if (isTerminal(task->state) && !isTerminal(told.state)) {
        // We said it ended; whatever this is, it must not go on.
        tell(at, agent, master_says::Kill{told.framework, told.info.id, std::nullopt});
        return;
    }
    if (task->state != told.state && setState(*task, told.state)) show(at, *task, told.status);
    if (task->kill_wanted && !isTerminal(task->state)) sendKill(at, *task);
}

// A task that this leader did not know. One that has ended is kept, without resources, until its end is acknowledged, so
// that reconciliation does not call it gone before the agent's update tells how it ended.
void State::adopt(Step& at, Agent& agent, const AgentTask& told, const std::vector<FrameworkInfo>& infos) {
    const bool removed = frameworks.find(told.framework) == nullptr;
    const bool ended = isTerminal(told.state);
    if (removed && ended) return;
    TaskInfo info = told.info;
    info.agent = agent.id();
    if (!ended && !holdAdopted(agent, {{told.framework, info.id}, info.resources}, removed, infos)) {
        // It can't be accounted for, so it can't stay.
        tell(at, agent, master_says::Kill{told.framework, told.info.id, std::nullopt});
        return;
    }
    Task& task = tasks.add(told.framework, std::move(info), agent);
    task.held = !ended;
    task.known_to_agent = true;
    task.state = told.state;
    if (disowns(agent, told.framework, infos)) {
        // It was told before, or an earlier leader ended before it could.
        disown(at, task, agent.disowned, Reason::kReconciliation);
        if (ended) return;
        ++counters.tasks_disowned;
        sendKill(at, task);
        return;
    }
    task.setTold(told.status);
    show(at, task, told.status);
    applyEarlyKill(at, task);
}

// The agent repeats updates that wait for an acknowledgement; that it is back, only we can say. Of tasks that this leader
// has only just learnt of, too: their framework may have started them elsewhere, and its kill ended with another leader.
void State::tellOfReturn(Step& at, const Agent& agent) {
    for (const Task* task : tasks.of(agent)) {
        const Framework* framework = frameworks.find(task->key.framework);
        if (framework == nullptr || task->disowned || isTerminal(task->state)) continue;
        tell(at, *framework,
             event::Update{latestStatus(*task, Reason::kAgentReregistered, "the agent came back", at.wall)},
             agent.record);
    }
}

// The tasks of a removed framework hold, too, until their agents have ended them.
bool State::holdAdopted(const Agent& agent, const allocator::Launch& task, bool removed,
                        const std::vector<FrameworkInfo>& infos) {
    if (removed) {
        std::vector<std::string> roles = {"*"};
        for (const FrameworkInfo& info : infos) {
            if (info.id == task.task.framework && !info.roles.empty()) roles = info.roles;
        }
        (void)allocator.addFramework(task.task.framework, roles);
    }
    const bool held = allocator.adoptTask(agent.id(), task).ok();
    if (removed) (void)allocator.removeFramework(task.task.framework);
    return held;
}

// ---- Going -------------------------------------------------------------------------------------------------------

// The caller shows the agent.
void State::sessionEnded(Step& at, Agent& agent) {
    rescindAll(at, agent);
    (void)allocator.setOfferable(agent.id(), false);
    agents.await(agent, Agent::State::kDisconnected, at.now + options.agent_timeout, at.wall);
    disownUncheckpointed(at, agent);
}

void State::giveUp(Step& at, Agent& agent) {
    ++counters.agents_unreachable;
    agents.startPause(at.now);
    agents.giveUp(agent, forgetAt(at, at.wall), at.wall);
    agent.record = append(at, AgentUnreachable{agent.id(), at.wall});
    show(at, agent);
    for (Task* task : tasks.of(agent)) {
        if (task->disowned || isTerminal(task->state) || !setState(*task, TaskState::kUnreachable)) continue;
        TaskStatus status = latestStatus(*task, Reason::kAgentRemoved, "the agent is unreachable", at.wall);
        if (const Framework* framework = frameworks.find(task->key.framework)) {
            tell(at, *framework, event::Update{status}, agent.record);
        }
        show(at, *task, status);
    }
    tellOfAgentLost(at, agent, tasks.frameworksOn(agent));
}

void State::on(Step& at, Agent& agent, const agent_says::Unregister&) {
    ++counters.agents_removed;
    rescindAll(at, agent);
    agent.record = append(at, AgentRemoved{agent.id()});
    tellOfAgentLost(at, agent, tasks.frameworksOn(agent));
    close(at, agent.peer, "the agent stopped for good", agent.record);
    remove(at, agent, "the agent stopped for good");
}

// By the time of day, which leaders share. A clock that was set back only makes it later.
Time State::forgetAt(const Step& at, WallTime since) const {
    const Duration away = std::max(Duration(at.wall.nanos - since.nanos), Duration::zero());
    return at.now + std::max(options.max_unreachable_age - away, Duration::zero());
}

void State::forget(Step& at, Agent& agent) {
    ++counters.agents_forgotten;
    agent.record = append(at, AgentRemoved{agent.id()});
    remove(at, agent, "the agent was unreachable for too long, and was forgotten");
}

void State::remove(Step& at, Agent& agent, const char* why) {
    for (Task* task : tasks.of(agent)) {
        if (task->disowned || isTerminal(task->state)) {
            forget(*task);
        } else {
            end(at, *task, TaskState::kGone, Reason::kAgentRemoved, why, agent.record);
        }
    }
    for (const Executor* executor : executors.of(agent)) forget(at, *executor);
    (void)allocator.removeAgent(agent.id());
    show(at, AgentForgotten{agent.id()}, agent.record);
    agents.remove(agent);
}

void State::tellOfAgentLost(Step& at, const Agent& agent, const std::vector<FrameworkId>& affected) {
    for (const FrameworkId& id : affected) {
        if (const Framework* framework = frameworks.find(id)) {
            tell(at, *framework, event::Failure{agent.id(), ExecutorId(), std::nullopt}, agent.record);
        }
    }
}

} // namespace stoa::master
