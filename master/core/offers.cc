#include "master/core/offers.h"

namespace stoa::master {

StandingOffer& Offers::add(std::uint64_t number, Offer offer, Agent& agent, Framework& framework,
                           std::optional<Time> deadline) {
    auto owned = std::make_unique<StandingOffer>();
    StandingOffer& added = *owned;
    added = {number, std::move(offer), &agent, &framework, deadline};
    by_number_.emplace(number, std::move(owned));
    by_id_.emplace(added.offer.id, &added);
    by_agent_.emplace(agent.number, number);
    by_framework_.emplace(framework.number, number);
    if (!added.offer.gang.empty()) gangs_[added.offer.gang].insert(number);
    if (deadline) deadlines_.set(*deadline, number);
    return added;
}

void Offers::remove(StandingOffer& offer) {
    if (offer.deadline) deadlines_.unset(*offer.deadline, offer.number);
    if (auto gang = gangs_.find(offer.offer.gang); gang != gangs_.end()) {
        gang->second.erase(offer.number);
        if (gang->second.empty()) gangs_.erase(gang);
    }
    by_agent_.erase({offer.agent->number, offer.number});
    by_framework_.erase({offer.framework->number, offer.number});
    by_id_.erase(offer.offer.id);
    by_number_.erase(offer.number);
}

StandingOffer* Offers::find(const OfferId& id) {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

std::vector<StandingOffer*> Offers::gangOf(StandingOffer& offer) {
    if (offer.offer.gang.empty()) return {&offer};
    std::vector<StandingOffer*> offers;
    for (std::uint64_t number : gangs_.at(offer.offer.gang)) offers.push_back(by_number_.at(number).get());
    return offers;
}

std::vector<StandingOffer*> Offers::of(const Agent& agent) { return of(by_agent_, agent.number); }

std::vector<StandingOffer*> Offers::of(const Framework& framework) { return of(by_framework_, framework.number); }

std::vector<StandingOffer*> Offers::of(const Index& index, std::uint64_t number) {
    std::vector<StandingOffer*> offers;
    for (auto at = index.lower_bound({number, 0}); at != index.end() && at->first == number; ++at) {
        offers.push_back(by_number_.at(at->second).get());
    }
    return offers;
}

StandingOffer* Offers::firstDue(Time now) {
    std::optional<std::uint64_t> number = deadlines_.firstDue(now);
    return number ? by_number_.at(*number).get() : nullptr;
}

} // namespace stoa::master
