// The allocator once more, without indices and without haste: what the cluster looks like after each move, and what may
// be offered in it. The random tests hold the real one against it. For tests only.
#pragma once

#include "allocator/allocator.h"
#include "protocol/ids.h"
#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stoa::allocator {

class Model {
public:
    struct Agent {
        Resources total;
        Attributes attributes;
        bool offerable = true;
    };
    struct Role {
        bool suppressed = false;
    };
    struct Framework {
        std::map<std::string, Role> roles;
        bool present = true;
        bool active = true;
        bool by_demand = false;
        std::vector<Demand> demands;
    };
    struct Offer {
        FrameworkId framework;
        std::string role;
        AgentId agent;
        Resources resources;
        std::string demand;
        std::uint32_t count = 0;
        bool wanted = true; // what it was made for still is
        OfferId gang;
    };
    struct Task {
        AgentId agent;
        Resources resources;
    };
    struct Refusal {
        FrameworkId framework;
        std::string role;
        std::string demand;
        AgentId agent;
        std::optional<Resources> refused; // of a remainder
        Time until;
    };

    std::map<AgentId, Agent> agents;
    std::map<FrameworkId, Framework> frameworks;
    std::map<OfferId, Offer> offers;
    std::map<TaskKey, Task> tasks;
    std::vector<Refusal> refusals;
    std::optional<Clearing> clearing; // as the allocator says

    // Absent: more is held than there is.
    std::optional<Resources> free(const AgentId& agent) const {
        Resources left = agents.at(agent).total;
        for (const auto& [id, offer] : offers) {
            if (offer.agent == agent && !left.subtract(offer.resources).ok()) return std::nullopt;
        }
        for (const auto& [key, task] : tasks) {
            if (task.agent == agent && !left.subtract(task.resources).ok()) return std::nullopt;
        }
        return left;
    }

    // Remainders that were refused are looked at again where more is free now.
    void settle() {
        std::erase_if(refusals, [&](const Refusal& refusal) {
            if (!refusal.refused.has_value()) return false;
            const auto now_free = free(refusal.agent);
            return now_free.has_value() && !refusal.refused->contains(*now_free);
        });
    }
    void expire(Time now) {
        std::erase_if(refusals, [&](const Refusal& refusal) { return refusal.until <= now; });
    }

    const Demand* demand(const Framework& framework, const std::string& name) const {
        const auto found = std::find_if(framework.demands.begin(), framework.demands.end(),
                                        [&](const Demand& d) { return d.name == name; });
        return found == framework.demands.end() ? nullptr : &*found;
    }
    // The offers that stand and fall with this one, in order.
    std::vector<OfferId> gangOf(const OfferId& id) const {
        std::vector<OfferId> all;
        for (const auto& [other, offer] : offers) {
            if (other == id || (!offer.gang.empty() && offer.gang == offers.at(id).gang)) all.push_back(other);
        }
        return all;
    }
    std::uint32_t standing(const FrameworkId& framework, const std::string& demand) const {
        std::uint32_t pieces = 0;
        for (const auto& [id, offer] : offers) {
            if (offer.framework == framework && offer.demand == demand && offer.wanted) pieces += offer.count;
        }
        return pieces;
    }

    // Why the agent may not be offered to the framework for the demand (null: as a remainder); empty when it may.
    std::string obstacle(const FrameworkId& framework_id, const std::string& role, const Demand* demand,
                         const AgentId& agent_id) const {
        const Framework& framework = frameworks.at(framework_id);
        const Agent& agent = agents.at(agent_id);
        if (!framework.present || !framework.active) return "the framework is not active";
        if (!framework.roles.contains(role)) return "the framework is not in the role";
        if (framework.roles.at(role).suppressed) return "the role is suppressed";
        if (framework.by_demand != (demand != nullptr)) return "the framework asks otherwise";
        if (!agent.offerable) return "the agent is not offerable";
        const std::string name = demand == nullptr ? "" : demand->name;
        if (clearing.has_value() && (clearing->framework != framework_id || clearing->demand != name) &&
            std::find(clearing->agents.begin(), clearing->agents.end(), agent_id) != clearing->agents.end()) {
            return "room is being cleared for a gang";
        }
        for (const Refusal& refusal : refusals) {
            if (refusal.framework == framework_id && refusal.role == role && refusal.demand == name &&
                refusal.agent == agent_id) {
                return "it was refused";
            }
        }
        if (demand == nullptr) return "";
        for (const Constraint& constraint : demand->constraints) {
            if (!satisfied(constraint, agent.attributes)) return "a constraint is not satisfied";
        }
        return "";
    }

    // For how many of a gang's pieces there is room.
    std::uint32_t roomFor(const FrameworkId& framework, const Demand& demand) const {
        std::uint32_t pieces = 0;
        for (const auto& [agent_id, agent] : agents) {
            const auto left = free(agent_id);
            if (!left.has_value() || !obstacle(framework, demand.role, &demand, agent_id).empty()) continue;
            const std::uint32_t most = demand.gang->most_per_agent;
            pieces += left->timesContained(demand.shape, most == 0 ? demand.count : std::min(most, demand.count));
        }
        return pieces;
    }

    // A pair that should have been granted in the turn that just ended; empty when there is none.
    std::string missed() const {
        for (const auto& [agent_id, agent] : agents) {
            const auto left = free(agent_id);
            if (!left.has_value() || left->empty()) continue;
            for (const auto& [framework_id, framework] : frameworks) {
                for (const Demand& demand : framework.demands) {
                    if (demand.gang) {
                        if (demand.count > 0 && standing(framework_id, demand.name) == 0 &&
                            roomFor(framework_id, demand) >= demand.count) {
                            return framework_id.value() + " wants gang " + demand.name + ", for which there is room";
                        }
                    } else if (demand.count > standing(framework_id, demand.name) && left->contains(demand.shape) &&
                               obstacle(framework_id, demand.role, &demand, agent_id).empty()) {
                        return framework_id.value() + " wants " + demand.name + ", which fits on " + agent_id.value();
                    }
                }
                for (const auto& [role, state] : framework.roles) {
                    if (obstacle(framework_id, role, nullptr, agent_id).empty() &&
                        (left->scalar(Resources::kCpus) >= Milli{10} ||
                         left->scalar(Resources::kMem) >= Milli{32'000})) {
                        return framework_id.value() + " wants the remainder of " + agent_id.value();
                    }
                }
            }
        }
        return "";
    }
};

} // namespace stoa::allocator
