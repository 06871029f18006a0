// The gangs' part of eligibility: how many pieces fit, when to look again, and for whom room is cleared where.
#include "allocator/eligibility.h"
#include "allocator/fit.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace stoa::allocator {

std::uint32_t Eligibility::pieces(const Request& request, const Resources& in) const {
    const std::uint32_t most = request.gang->most_per_agent;
    return timesFits(in, request.shape, most == 0 ? request.count : std::min(most, request.count));
}

std::uint32_t Eligibility::piecesAtMost(Slot slot, Slot agent) const {
    const Request& request = requests_[slot];
    const bool allowed = connected_.test(agent) && !ledger_.agents()[agent].overcommitted &&
                         !refusals_.of(slot).test(agent) &&
                         (request.constrained == kNoSlot || constraint_sets_[request.constrained].allowed.test(agent));
    return allowed ? pieces(request, ledger_.agents()[agent].total) : 0;
}

std::uint32_t Eligibility::piecesThatFit(Slot slot) {
    setExhausted(slot, false); // all agents are looked at
    const Request& request = requests_[slot];
    std::uint64_t fit = 0;
    for (std::size_t at = 0; at < blocks_.size(); ++at) {
        Bits::Word word = candidates(slot, request, at);
        if (word == 0 || !blockFits(at, request.shape.scalars())) continue;
        const std::uint64_t before = fit;
        for (; word != 0; word &= word - 1) {
            const Slot agent = static_cast<Slot>(at * Bits::kWordBits) + static_cast<Slot>(std::countr_zero(word));
            ++pairs_looked_at_;
            fit += pieces(request, ledger_.agents()[agent].free);
            if (fit >= request.count) return request.count;
        }
        if (fit == before) recountBlock(at);
    }
    return static_cast<std::uint32_t>(fit);
}

void Eligibility::fellShort(Slot slot, std::uint32_t pieces, Time now) {
    setExhausted(slot, true);
    requests_[slot].short_by = pieces;
    gangs_.waits(slot, now);
}

// Whether agents have become better for as many pieces as the gang lacked. What some of them could take before counts
// again, so this errs towards looking.
bool Eligibility::mayBeWhole(Slot slot) {
    Request& request = requests_[slot];
    std::uint64_t more = 0;
    for (Slot agent : dirty_list_) {
        ++pairs_looked_at_;
        if (eligible(slot, agent)) more += pieces(request, ledger_.agents()[agent].free);
        if (more >= request.short_by) return true;
    }
    request.short_by -= static_cast<std::uint32_t>(more);
    return false;
}

void Eligibility::placed(Slot agent, std::uint32_t pieces) {
    const std::uint32_t most = requests_[placing_].gang->most_per_agent;
    if (most > 0 && pieces >= most) full_.set(agent);
}

void Eligibility::leaveLine(Slot slot) {
    if (!requests_[slot].gang) return;
    gangs_.forget(slot);
    if (gangs_.clearing() && gangs_.clearing()->request == slot) endClearing();
}

void Eligibility::endClearing() {
    gangs_.clearing()->agents.forEach([&](Slot agent) { cleared_.push_back(agent); });
    gangs_.endClearing();
    for (Slot agent : cleared_) touch(agent);
}

bool Eligibility::touchCleared() {
    const bool any = !cleared_.empty();
    for (Slot agent : cleared_) touch(agent);
    cleared_.clear();
    return any;
}

void Eligibility::clearRoom(Time now, Rng& rng) {
    if (const auto& clearing = gangs_.clearing(); clearing && clearing->until <= now) {
        const Slot slot = clearing->request;
        endClearing();
        gangs_.again(slot, now, true);
    }
    for (std::optional<Slot> slot = gangs_.due(now); slot; slot = gangs_.due(now)) {
        if (std::optional<Bits> agents = roomFor(*slot, rng)) {
            gangs_.clear(*slot, *std::move(agents), now);
        } else {
            gangs_.again(*slot, now, false);
        }
    }
}

// Agents that together could take the gang so and so many times over if they were empty: first those that are nearest to
// that. None when all agents together could not take it once.
std::optional<Bits> Eligibility::roomFor(Slot slot, Rng& rng) const {
    struct Place {
        std::uint32_t pieces = 0;
        std::uint32_t pieces_now = 0;
        Slot agent = kNoSlot;
    };
    const Request& request = requests_[slot];
    std::vector<Place> places;
    std::uint64_t all = 0;
    ledger_.agents().forEach([&](Slot agent, const Ledger::Agent& on) {
        const std::uint32_t at_most = piecesAtMost(slot, agent);
        if (at_most == 0) return;
        places.push_back({at_most, pieces(request, on.free), agent});
        all += at_most;
    });
    if (all < request.count) return std::nullopt;
    // Equal ones in an order that changes, so that one with something on it that never ends isn't always the first.
    std::rotate(places.begin(), places.begin() + static_cast<std::ptrdiff_t>(rng.below(places.size())), places.end());
    std::stable_sort(places.begin(), places.end(),
                     [](const Place& a, const Place& b) { return a.pieces_now > b.pieces_now; });
    const std::uint64_t wanted = std::uint64_t{request.count} * gangs_.times(slot);
    Bits agents;
    std::uint64_t taken = 0;
    for (const Place& place : places) {
        if (taken >= wanted) break;
        agents.set(place.agent);
        taken += place.pieces;
    }
    return agents;
}

} // namespace stoa::allocator
