// Why a demand waits, in a person's words: what keeps the framework from offers altogether, and per agent what falls
// short. Only read here; may look at everything.
#include "allocator/allocator.h"
#include "allocator/eligibility.h"
#include "allocator/fit.h"
#include "allocator/ledger.h"
#include "protocol/strings.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

namespace stoa::allocator {
namespace {

// How far the shape is from fitting: the sum over resources of what is missing, in millionths of what is asked.
std::uint64_t missing(const Resources& free, const Resources& shape) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::int64_t asked = shape.scalars()[i];
        const std::int64_t has = free.scalars()[i];
        if (has < asked) {
            sum += static_cast<std::uint64_t>(static_cast<unsigned __int128>(asked - has) * 1'000'000 /
                                              static_cast<unsigned __int128>(asked));
        }
    }
    for (const Resources::Other& other : shape.others()) {
        Resources alone;
        if (alone.add(other).ok() && timesFits(free, alone, 1) == 0) sum += 1'000'000;
    }
    return sum;
}

} // namespace

absl::StatusOr<Explanation> Allocator::explain(const FrameworkId& framework, const Demand& demand, Time now) const {
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    const auto clients = clientsOf(framework, {demand.role});
    if (!clients.ok()) return clients.status();
    const Slot client = clients->front();

    Explanation explanation;
    if (!eligibility_->active(*slot)) explanation.framework.push_back("its scheduler is not connected");
    if (eligibility_->suppressed(client))
        explanation.framework.push_back(concat("role \"", demand.role, "\" is suppressed"));
    if (options_.most_offers > 0 && ledger_->frameworks()[*slot].open_offers >= options_.most_offers) {
        explanation.framework.push_back(concat("it holds ", options_.most_offers, " offers, the most that it may"));
    }
    // The demand as it stands, if it does: what was refused was refused for it.
    Slot request = kNoSlot;
    for (Slot candidate : eligibility_->requestsOf(client)) {
        const Eligibility::Request& known = eligibility_->requests()[candidate];
        if (known.remainder || known.demand == demand.name) request = candidate;
    }
    const auto next_end = eligibility_->refusals().nextEnd();
    const bool refusals_are_over = next_end.has_value() && *next_end <= now; // the next allocate() ends them

    if (demand.gang) {
        explanation.gang = Explanation::OfGang{};
        if (request != kNoSlot) explanation.gang->waits_since = eligibility_->gangs().waitsSince(request);
        if (const auto& clearing = eligibility_->gangs().clearing(); clearing && clearing->request == request) {
            explanation.gang->clearing = static_cast<std::uint32_t>(clearing->agents.count());
        }
    }
    const std::uint32_t most = demand.gang && demand.gang->most_per_agent > 0
                                   ? std::min(demand.gang->most_per_agent, demand.count)
                                   : std::max(demand.count, 1U);

    std::map<std::string, std::uint32_t> reasons;
    std::pair<std::uint64_t, AgentId> nearest{std::numeric_limits<std::uint64_t>::max(), AgentId()};
    const auto near = [&](const Ledger::Agent& agent, std::uint64_t distance, const std::string& what) {
        const std::pair<std::uint64_t, AgentId> by{distance, agent.id};
        if (nearest <= by) return;
        nearest = by;
        explanation.nearest = concat("agent ", agent.id.value(), ": ", what);
    };
    const auto lacking = [&](const Ledger::Agent& agent, const Resources& has, const std::string& what) {
        ++reasons[what];
        near(agent, missing(has, demand.shape), what);
    };
    // Of a gang, an agent that takes some pieces but not as many as it might.
    const auto room = [&](const Ledger::Agent& agent) {
        const std::uint32_t fit = timesFits(agent.free, demand.shape, most);
        explanation.gang->fit_now += fit;
        if (fit == most) return;
        const Resources more = Resources(demand.shape.scalars()).times(fit + 1);
        std::string what = lacks(agent.total, more);
        if (!what.empty()) {
            what += " at all";
        } else {
            what = lacks(agent.free, more) + " free";
        }
        if (agent.free.contains(more)) what = "has not enough of " + demand.shape.others().front().name;
        near(agent, missing(agent.free, more), concat("has room for ", fit, ", for one more it ", what));
    };
    ledger_->agents().forEach([&](Slot agent_slot, const Ledger::Agent& agent) {
        ++explanation.agents;
        const auto unsatisfied = std::find_if(demand.constraints.begin(), demand.constraints.end(),
                                              [&](const Constraint& c) { return !satisfied(c, agent.attributes); });
        if (unsatisfied != demand.constraints.end()) {
            ++reasons[concat("constraint ", toString(*unsatisfied), " is not satisfied")];
            return;
        }
        if (!eligibility_->offerable(agent_slot)) {
            ++reasons["disconnected, unreachable or drained"];
            return;
        }
        if (demand.gang) explanation.gang->fit_ever += timesFits(agent.total, demand.shape, most);
        if (eligibility_->withheld(request, agent_slot)) {
            ++reasons["is kept free for a gang that has waited long"];
        } else if (std::string never = lacks(agent.total, demand.shape); !never.empty()) {
            lacking(agent, agent.total, never + " at all");
        } else if (agent.overcommitted) {
            lacking(agent, agent.free, "holds more than it has");
        } else if (std::string now_lacks = lacks(agent.free, demand.shape); !now_lacks.empty()) {
            lacking(agent, agent.free, now_lacks + " free");
        } else if (request != kNoSlot && eligibility_->refusals().of(request).test(agent_slot) && !refusals_are_over) {
            ++reasons["refused by the framework, or returned by it just now"];
        } else {
            ++explanation.fit_now;
            if (demand.gang) room(agent);
        }
    });
    for (auto& [what, agents] : reasons) explanation.reasons.push_back({what, agents});
    std::stable_sort(explanation.reasons.begin(), explanation.reasons.end(),
                     [](const auto& a, const auto& b) { return a.agents > b.agents; });
    return explanation;
}

} // namespace stoa::allocator
