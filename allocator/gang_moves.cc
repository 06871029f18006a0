// A gang of offers as one: accepted whole, on all of its agents at once.
#include "allocator/allocator.h"
#include "allocator/eligibility.h"
#include "allocator/ledger.h"
#include "protocol/strings.h"

#include <absl/container/flat_hash_set.h>

#include <map>
#include <utility>
#include <vector>

namespace stoa::allocator {

// The offers are known to stand, to be of one gang and named once each.
absl::Status Allocator::acceptGang(absl::Span<const OfferId> names, absl::Span<const Slot> offers,
                                   absl::Span<const Launch> launches, Duration refuse, Time now) {
    const Ledger::Offer first = ledger_->offers()[offers.front()];
    const std::vector<Slot> gang = ledger_->gangOf(offers.front());
    if (gang.size() != offers.size()) {
        return invalid("offer ", names.front().value(), " is one of a gang of ", gang.size(), ", of which ",
                       offers.size(), " are accepted; a gang is accepted whole, in one call");
    }
    struct Place {
        std::vector<Slot> offers;
        std::vector<Launch> launches;
        Resources rest;
    };
    std::map<Slot, Place> places; // by agent
    std::uint32_t pieces = 0;
    for (Slot slot : gang) {
        const Ledger::Offer& offer = ledger_->offers()[slot];
        Place& place = places[offer.agent];
        place.offers.push_back(slot);
        place.rest += offer.resources;
        pieces += offer.count;
    }
    const Slot framework = ledger_->clients()[first.client].framework;
    const FrameworkId& framework_id = ledger_->frameworks()[framework].id;
    absl::flat_hash_set<std::string_view> launched;
    for (const Launch& launch : launches) {
        const std::string& task = launch.task.task.value();
        if (launch.task.framework != framework_id) {
            return invalid("task ", task, " is of framework ", launch.task.framework.value(), ", the offers are of ",
                           framework_id.value());
        }
        if (!launched.insert(task).second) return invalid("task ", task, " is launched twice");
        if (ledger_->findTask(launch.task) != kNoSlot) {
            return absl::AlreadyExistsError(concat("task ", task, " holds resources already"));
        }
        const auto place = places.find(ledger_->findAgent(launch.agent));
        if (place == places.end()) {
            return invalid("task ", task, " is for agent ", launch.agent.value(), ", of which the gang has no offer");
        }
        const std::string shortfall = place->second.rest.shortfall(launch.resources);
        if (!place->second.rest.subtract(launch.resources).ok()) {
            return invalid("task ", task, " does not fit in what is offered of agent ", launch.agent.value(), ": ",
                           shortfall);
        }
        place->second.launches.push_back(launch);
    }

    // Nothing can fail from here on.
    for (const auto& [agent, place] : places) {
        ledger_->launch(place.offers, place.launches);
        if (place.rest.empty()) {
            eligibility_->freeShrank(agent);
        } else {
            eligibility_->freeGrew(agent);
        }
    }
    eligibility_->offerEnded(framework, first.request, pieces);
    if (first.request == kNoSlot) return absl::OkStatus();
    if (!launches.empty()) {
        eligibility_->launched(first.request, pieces);
        return absl::OkStatus();
    }
    for (const auto& [agent, place] : places) {
        eligibility_->refuse(first.request, agent, place.rest, refusedUntil(refuse, now));
    }
    return absl::OkStatus();
}

std::optional<Clearing> Allocator::clearing() const {
    const auto& clearing = eligibility_->gangs().clearing();
    if (!clearing) return std::nullopt;
    const Eligibility::Request& request = eligibility_->requests()[clearing->request];
    const Slot framework = ledger_->clients()[request.client].framework;
    Clearing found{ledger_->frameworks()[framework].id, request.demand, {}, clearing->until};
    clearing->agents.forEach([&](Slot agent) { found.agents.push_back(ledger_->agents()[agent].id); });
    return found;
}

} // namespace stoa::allocator
