// What a new leader knows before anyone has spoken: the registry's records, replayed. Agents are awaited for the agent
// timeout and frameworks for what remained of theirs; tasks are learnt from the agents. Nothing of an agent that has not
// come back is offered.
#include "master/core/state.h"

#include <algorithm>
#include <cmath>

namespace stoa::master {

namespace {

Milli weightOf(double weight) { return {std::max<std::int64_t>(1, std::llround(weight * 1000))}; }

struct RecoveredAgent {
    AgentAdmitted admitted;
    std::optional<AgentUnreachable> unreachable;
    std::size_t order = 0;
};
struct RecoveredFramework {
    FrameworkStored stored;
    std::optional<Duration> remaining;
    std::size_t order = 0;
};

template <class Map>
auto inOrder(Map& by_id) {
    std::vector<typename Map::mapped_type*> ordered;
    ordered.reserve(by_id.size());
    for (auto& [id, one] : by_id) ordered.push_back(&one);
    std::sort(ordered.begin(), ordered.end(), [](const auto* a, const auto* b) { return a->order < b->order; });
    return ordered;
}

} // namespace

void State::recover(const Recovered& recovered, Step& at) {
    std::map<AgentId, RecoveredAgent> known_agents;
    std::map<FrameworkId, RecoveredFramework> known_frameworks;
    std::map<std::string, double> weights;
    std::size_t order = 0;
    for (const Record& record : recovered.records) {
        ++order;
        if (const auto* admitted = std::get_if<AgentAdmitted>(&record)) {
            known_agents[admitted->info.id] = {*admitted, std::nullopt, order};
        } else if (const auto* unreachable = std::get_if<AgentUnreachable>(&record)) {
            auto agent = known_agents.find(unreachable->agent);
            if (agent != known_agents.end()) agent->second.unreachable = *unreachable;
        } else if (const auto* gone = std::get_if<AgentRemoved>(&record)) {
            known_agents.erase(gone->agent);
        } else if (const auto* stored = std::get_if<FrameworkStored>(&record)) {
            known_frameworks[stored->info.id] = {*stored, std::nullopt, order};
        } else if (const auto* deadline = std::get_if<FrameworkDeadline>(&record)) {
            auto framework = known_frameworks.find(deadline->framework);
            if (framework != known_frameworks.end()) framework->second.remaining = deadline->remaining;
        } else if (const auto* removed = std::get_if<FrameworkRemoved>(&record)) {
            known_frameworks.erase(removed->framework);
        } else if (const auto* weight = std::get_if<WeightSet>(&record)) {
            weights[weight->role] = weight->weight;
        }
    }

    for (const auto& [role, weight] : options.weights) {
        auto known = weights.find(role);
        if (known == weights.end() || known->second != weight) append(at, WeightSet{role, weight});
        weights[role] = weight;
    }
    for (const auto& [role, weight] : weights) (void)allocator.setWeight(role, weightOf(weight));

    for (RecoveredAgent* known : inOrder(known_agents)) {
        AgentInfo info = known->admitted.info;
        if (!allocator.addAgent(info.id, info.resources, info.attributes).ok()) continue;
        (void)allocator.setOfferable(info.id, false);
        Agent& agent = agents.add(std::move(info), known->admitted.incarnation);
        agent.disowned = known->admitted.disowned;
        if (known->unreachable) {
            WallTime since = known->unreachable->since;
            if (since.nanos == 0) {
                since = at.wall;
                agent.record = append(at, AgentUnreachable{agent.id(), since});
            }
            agents.giveUp(agent, forgetAt(at, since), since);
        } else {
            agents.await(agent, Agent::State::kRecovered, at.now + options.agent_timeout, at.wall);
        }
        show(at, agent);
    }
    for (RecoveredFramework* known : inOrder(known_frameworks)) {
        FrameworkInfo info = known->stored.info;
        if (!allocator.addFramework(info.id, info.roles).ok()) continue;
        (void)allocator.setActive(info.id, false);
        Duration remaining = known->remaining.value_or(info.failover_timeout);
        // One that was connected when the last leader ended gets the time that agents get, at least: it can't know yet.
        if (!known->remaining) remaining = std::max(remaining, options.agent_timeout);
        Framework& framework = frameworks.add(std::move(info), at.now + remaining, at.wall);
        awaitNote(at, framework);
        show(at, framework);
    }
}

} // namespace stoa::master
