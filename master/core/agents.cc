#include "master/core/agents.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cassert>

namespace stoa::master {

Agent& Agents::add(AgentInfo info, Incarnation incarnation) {
    auto agent = std::make_unique<Agent>();
    agent->number = ++last_number_;
    agent->info = std::move(info);
    agent->incarnation = std::move(incarnation);
    agent->state = Agent::State::kUnreachable; // until the caller says more: no session, no deadline
    Agent& added = *agent;
    bool is_new = by_id_.emplace(added.id(), &added).second;
    assert(is_new);
    (void)is_new;
    if (!added.incarnation.work_id.empty()) by_work_id_[added.incarnation.work_id] = &added;
    by_number_.emplace(added.number, std::move(agent));
    enterState(added);
    return added;
}

void Agents::remove(Agent& agent) {
    leaveState(agent);
    forgetWorkId(agent);
    by_id_.erase(agent.id());
    by_number_.erase(agent.number);
}

void Agents::describe(Agent& agent, AgentInfo info, Incarnation incarnation) {
    assert(info.id == agent.id());
    forgetWorkId(agent);
    agent.info = std::move(info);
    agent.incarnation = std::move(incarnation);
    if (!agent.incarnation.work_id.empty()) by_work_id_[agent.incarnation.work_id] = &agent;
}

void Agents::forgetWorkId(const Agent& agent) {
    auto found = by_work_id_.find(agent.incarnation.work_id);
    if (found != by_work_id_.end() && found->second == &agent) by_work_id_.erase(found);
}

Agent* Agents::find(const AgentId& id) {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

const Agent* Agents::find(const AgentId& id) const { return const_cast<Agents*>(this)->find(id); }

Agent* Agents::withPeer(Peer peer) {
    auto found = by_peer_.find(peer);
    return found == by_peer_.end() ? nullptr : found->second;
}

Agent* Agents::withWorkId(const std::string& work_id) {
    auto found = by_work_id_.find(work_id);
    return found == by_work_id_.end() ? nullptr : found->second;
}

Agent* Agents::numbered(std::uint64_t number) {
    auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : found->second.get();
}

void Agents::connect(Agent& agent, Peer peer, WallTime now) {
    leaveState(agent);
    agent.state = Agent::State::kActive;
    agent.peer = peer;
    agent.since = now;
    enterState(agent);
}

void Agents::await(Agent& agent, Agent::State state, Time deadline, WallTime now) {
    leaveState(agent);
    agent.state = state;
    agent.peer = 0;
    agent.deadline = deadline;
    agent.since = now;
    enterState(agent);
}

void Agents::giveUp(Agent& agent, Time forget_at, WallTime since) {
    leaveState(agent);
    agent.state = Agent::State::kUnreachable;
    agent.peer = 0;
    agent.deadline = forget_at;
    agent.since = since;
    enterState(agent);
}

void Agents::setToldTasks(Agent& agent) {
    leaveState(agent);
    agent.told_tasks = true;
    enterState(agent);
}

std::optional<Time> Agents::nextDeadline() const {
    std::optional<Time> next = deadlines_.next();
    if (next) next = std::max(*next, give_up_from_);
    const std::optional<Time> forget = forgetting_.next();
    if (forget && (!next || *forget < *next)) next = forget;
    return next;
}

Agent* Agents::firstDue(Time now) {
    if (now < give_up_from_) return nullptr;
    std::optional<std::uint64_t> number = deadlines_.firstDue(now);
    return number ? numbered(*number) : nullptr;
}

Agent* Agents::firstToForget(Time now, std::size_t most) {
    std::optional<std::uint64_t> number = forgetting_.firstDue(forgetting_.size() > most ? Time::max() : now);
    return number ? numbered(*number) : nullptr;
}

// Every index that follows from an agent's state, taken out before a change and put back after it.
void Agents::leaveState(Agent& agent) {
    if (agent.active()) by_peer_.erase(agent.peer);
    if (agent.awaited()) deadlines_.unset(agent.deadline, agent.number);
    if (agent.state == Agent::State::kUnreachable) forgetting_.unset(agent.deadline, agent.number);
    if (!agent.told_tasks) {
        --untold_;
        if (agent.awaited()) --untold_awaited_;
    }
}

void Agents::enterState(Agent& agent) {
    if (agent.active()) by_peer_[agent.peer] = &agent;
    if (agent.awaited()) deadlines_.set(agent.deadline, agent.number);
    if (agent.state == Agent::State::kUnreachable) forgetting_.set(agent.deadline, agent.number);
    if (!agent.told_tasks) {
        ++untold_;
        if (agent.awaited()) ++untold_awaited_;
    }
}

absl::Status Agents::check() const {
    std::size_t active = 0, awaited = 0, unreachable = 0, untold = 0;
    for (const auto& [number, agent] : by_number_) {
        if (find(agent->id()) != agent.get()) {
            return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " is not found by its id"));
        }
        if (agent->active()) {
            ++active;
            auto found = by_peer_.find(agent->peer);
            if (found == by_peer_.end() || found->second != agent.get()) {
                return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " is not found by its session"));
            }
        }
        if (agent->awaited()) {
            ++awaited;
            if (!deadlines_.contains(agent->deadline, number)) {
                return absl::InternalError(
                    absl::StrCat("agent ", agent->id().value(), " is awaited without a deadline"));
            }
        }
        if (agent->state == Agent::State::kUnreachable) {
            ++unreachable;
            if (!forgetting_.contains(agent->deadline, number)) {
                return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " will never be forgotten"));
            }
        }
        if (!agent->told_tasks) ++untold;
    }
    if (by_id_.size() != by_number_.size() || by_peer_.size() != active || deadlines_.size() != awaited ||
        forgetting_.size() != unreachable || untold != untold_) {
        return absl::InternalError("the table of agents has an index entry too many");
    }
    return absl::OkStatus();
}

} // namespace stoa::master
