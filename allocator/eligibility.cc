#include "allocator/eligibility.h"

#include "allocator/fit.h"
#include "protocol/strings.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace stoa::allocator {

// ---- Agents ----------------------------------------------------------------------------------------------------

void Eligibility::agentAdded(Slot agent) {
    connected_.set(agent);
    agentChanged(agent);
}

void Eligibility::agentChanged(Slot agent) {
    const Attributes& attributes = ledger_.agents()[agent].attributes;
    constraint_sets_.forEach([&](Slot slot, const ConstraintSet& set) {
        const bool allowed = std::all_of(set.constraints.begin(), set.constraints.end(),
                                         [&](const Constraint& c) { return satisfied(c, attributes); });
        constraint_sets_[slot].allowed.assign(agent, allowed);
    });
    freeGrew(agent);
}

void Eligibility::agentRemoved(Slot agent) {
    connected_.reset(agent);
    refresh(agent);
    refusals_.forgetAgent(agent);
    gangs_.forgetAgent(agent);
    constraint_sets_.forEach([&](Slot slot, const ConstraintSet&) { constraint_sets_[slot].allowed.reset(agent); });
}

void Eligibility::setOfferable(Slot agent, bool offerable) {
    connected_.assign(agent, offerable);
    refresh(agent);
    if (offerable) touch(agent);
}

void Eligibility::freeGrew(Slot agent) {
    refresh(agent);
    // What an overcommitted agent has left of one resource or another is offered to nobody, so it is no reason to look.
    if (!ledger_.agents()[agent].overcommitted) refusals_.grew(agent, ledger_.agents()[agent].free);
    touch(agent);
}

void Eligibility::freeShrank(Slot agent) { refresh(agent); }

void Eligibility::refresh(Slot slot) {
    const Ledger::Agent& agent = ledger_.agents()[slot];
    const bool offerable = connected_.test(slot) && !agent.overcommitted && !agent.free.empty();
    offerable_.assign(slot, offerable);
    worthwhile_.assign(slot, offerable && (agent.free.scalar(Resources::kCpus) >= limits_.least_cpus ||
                                           agent.free.scalar(Resources::kMem) >= limits_.least_mem));
    const std::size_t at = slot / Bits::kWordBits;
    if (at >= blocks_.size()) blocks_.resize(at + 1);
    Block& block = blocks_[at];
    block.stale = true;
    if (!offerable) return;
    const Resources::Scalars& free = agent.free.scalars();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) block.most[i] = std::max(block.most[i], free[i]);
}

void Eligibility::touch(Slot agent) {
    if (dirty_.test(agent)) return;
    dirty_.set(agent);
    dirty_list_.push_back(agent);
}

void Eligibility::forgetDirty() {
    for (Slot agent : dirty_list_) dirty_.reset(agent);
    dirty_list_.clear();
}

// ---- Frameworks ------------------------------------------------------------------------------------------------

void Eligibility::frameworkAdded(Slot framework) {
    if (framework >= frameworks_.size()) frameworks_.resize(framework + 1);
    frameworks_[framework] = {};
    for (Slot client : ledger_.frameworks()[framework].clients) {
        if (ledger_.clients()[client].subscribed) clientAdded(client);
    }
}

void Eligibility::frameworkRemoved(Slot framework) {
    for (Slot client : ledger_.frameworks()[framework].clients) clientRemoved(client);
    frameworks_[framework] = {};
}

void Eligibility::clientAdded(Slot client) {
    if (client >= clients_.size()) clients_.resize(client + 1);
    clients_[client] = {};
    if (byDemand(ledger_.clients()[client].framework)) return;
    Request remainder;
    remainder.client = client;
    remainder.remainder = true;
    clients_[client].requests.push_back(addRequest(std::move(remainder)));
}

void Eligibility::clientRemoved(Slot client) {
    if (client >= clients_.size()) clients_.resize(client + 1);
    for (Slot request : clients_[client].requests) removeRequest(request);
    clients_[client] = {};
}

void Eligibility::setActive(Slot framework, bool active) {
    frameworks_[framework].active = active;
    updateFramework(framework);
}

void Eligibility::suppress(Slot client, bool suppressed) {
    clients_[client].suppressed = suppressed;
    for (Slot request : clients_[client].requests) updateWanting(request);
}

void Eligibility::revive(Slot client) {
    for (Slot request : clients_[client].requests) {
        refusals_.forgetRequest(request);
        setExhausted(request, false);
    }
    suppress(client, false);
}

void Eligibility::updateFramework(Slot framework) {
    for (Slot client : ledger_.frameworks()[framework].clients) {
        for (Slot request : clients_[client].requests) updateWanting(request);
    }
}

// ---- Requests --------------------------------------------------------------------------------------------------

std::vector<Slot> Eligibility::setDemands(Slot framework, const std::vector<Demand>& demands,
                                          const std::vector<Slot>& clients) {
    frameworks_[framework].by_demand = true;
    std::map<std::string_view, Slot> known; // by name, which is unique within a framework
    for (Slot client : ledger_.frameworks()[framework].clients) {
        for (Slot request : clients_[client].requests) {
            if (!requests_[request].remainder) known.emplace(requests_[request].demand, request);
        }
    }
    std::vector<bool> stays(requests_.end());
    std::vector<Slot> slots(demands.size(), kNoSlot);
    for (std::size_t i = 0; i < demands.size(); ++i) {
        const auto same = known.find(demands[i].name);
        if (same == known.end()) continue;
        const Request& request = requests_[same->second];
        if (request.client == clients[i] && request.shape == demands[i].shape &&
            request.constraints == demands[i].constraints && request.gang == demands[i].gang &&
            (!request.gang || request.count == demands[i].count || request.count == 0)) {
            slots[i] = same->second;
            stays[same->second] = true;
        }
    }
    std::vector<Slot> gone;
    for (Slot client : ledger_.frameworks()[framework].clients) {
        for (Slot request : clients_[client].requests) {
            if (!stays[request]) gone.push_back(request);
        }
        clients_[client].requests.clear();
    }
    for (Slot request : gone) removeRequest(request);
    for (std::size_t i = 0; i < demands.size(); ++i) {
        if (slots[i] == kNoSlot) {
            Request request;
            request.client = clients[i];
            request.demand = demands[i].name;
            request.shape = demands[i].shape;
            request.constraints = demands[i].constraints;
            request.constrained = constraintSet(demands[i].constraints);
            request.gang = demands[i].gang;
            slots[i] = addRequest(std::move(request));
        }
        requests_[slots[i]].count = demands[i].count;
        requests_[slots[i]].order = static_cast<std::uint32_t>(i);
        clients_[clients[i]].requests.push_back(slots[i]);
        updateWanting(slots[i]);
    }
    return gone;
}

Slot Eligibility::addRequest(Request request) {
    const Slot slot = requests_.add(std::move(request));
    updateWanting(slot);
    return slot;
}

void Eligibility::removeRequest(Slot slot) {
    Request& request = requests_[slot];
    leaveLine(slot);
    countFresh(request, -1);
    wanting_count_ -= request.wanting ? 1 : 0;
    wanting_.reset(slot);
    refusals_.forgetRequest(slot);
    if (const Slot set = request.constrained; set != kNoSlot && --constraint_sets_[set].requests == 0) {
        constraint_set_slots_.erase(constraint_sets_[set].text);
        constraint_sets_.remove(set);
    }
    requests_.remove(slot);
}

Slot Eligibility::constraintSet(const std::vector<Constraint>& constraints) {
    if (constraints.empty()) return kNoSlot;
    std::string text;
    for (const Constraint& constraint : constraints)
        text += concat(toString(constraint).size(), ":", toString(constraint));
    if (const auto known = constraint_set_slots_.find(text); known != constraint_set_slots_.end()) {
        ++constraint_sets_[known->second].requests;
        return known->second;
    }
    ConstraintSet set{text, constraints, 1, {}};
    ledger_.agents().forEach([&](Slot slot, const Ledger::Agent& agent) {
        if (std::all_of(constraints.begin(), constraints.end(),
                        [&](const Constraint& c) { return satisfied(c, agent.attributes); })) {
            set.allowed.set(slot);
        }
    });
    const Slot slot = constraint_sets_.add(std::move(set));
    constraint_set_slots_.emplace(std::move(text), slot);
    return slot;
}

bool Eligibility::wants(const Request& request) const {
    const Slot framework = ledger_.clients()[request.client].framework;
    if (!frameworks_[framework].active || clients_[request.client].suppressed) return false;
    if (limits_.most_offers > 0 && ledger_.frameworks()[framework].open_offers >= limits_.most_offers) return false;
    if (request.gang) return request.count > 0 && request.standing == 0;
    return request.remainder || request.count > request.standing;
}

void Eligibility::updateWanting(Slot slot) {
    Request& request = requests_[slot];
    const bool wanting = wants(request);
    if (wanting == request.wanting) return;
    countFresh(request, -1);
    request.wanting = wanting;
    request.exhausted = false; // what happens while it wants nothing is not remembered for it, so it starts afresh
    countFresh(request, +1);
    wanting_.assign(slot, wanting);
    wanting_count_ += wanting ? 1 : -1;
    if (!wanting) leaveLine(slot);
}

void Eligibility::setExhausted(Slot slot, bool exhausted) {
    Request& request = requests_[slot];
    if (!request.wanting) return;
    countFresh(request, -1);
    request.exhausted = exhausted;
    countFresh(request, +1);
}

void Eligibility::offerMade(const Ledger::Offer& offer, std::uint32_t pieces) {
    freeShrank(offer.agent);
    requests_[offer.request].standing += pieces;
    if (limits_.most_offers > 0) {
        updateFramework(ledger_.clients()[offer.client].framework);
    } else {
        updateWanting(offer.request);
    }
}

void Eligibility::offerEnded(Slot framework, Slot request, std::uint32_t pieces) {
    if (request != kNoSlot) {
        requests_[request].standing -= pieces;
        updateWanting(request);
    }
    if (limits_.most_offers > 0 && ledger_.frameworks().live(framework)) updateFramework(framework);
}

void Eligibility::launched(Slot request, std::uint32_t tasks) {
    requests_[request].count -= std::min(tasks, requests_[request].count);
    updateWanting(request);
}

void Eligibility::refuse(Slot request, Slot agent, const Resources& refused, Time until) {
    const Ledger::Agent& on = ledger_.agents()[agent];
    if (!requests_[request].remainder) {
        refusals_.refuseLasting(request, agent, until);
    } else if (on.overcommitted || refused.contains(on.free)) { // else more is free than it knew of
        refusals_.refuse(request, agent, refused, until);
    }
}

// ---- A turn ----------------------------------------------------------------------------------------------------

void Eligibility::expire(Time now) {
    refusals_.expire(now, [&](Slot request) { setExhausted(request, false); });
}

std::optional<Time> Eligibility::nextDeadline() const {
    const std::optional<Time> refusal = refusals_.nextEnd();
    const std::optional<Time> gang = gangs_.nextDeadline();
    return refusal && gang ? std::min(*refusal, *gang) : refusal ? refusal : gang;
}

bool Eligibility::fits(const Request& request, Slot agent) const {
    const auto& free = ledger_.agentFigures(agent).free;
    const Resources::Scalars& shape = request.shape.scalars();
    if (free[0] < shape[0] || free[1] < shape[1] || free[2] < shape[2] || free[3] < shape[3]) return false;
    return request.shape.others().empty() || timesFits(ledger_.agents()[agent].free, request.shape, 1) > 0;
}

bool Eligibility::eligible(Slot slot, Slot agent) const {
    const Request& request = requests_[slot];
    return (request.remainder ? worthwhile_ : offerable_).test(agent) && !refusals_.of(slot).test(agent) &&
           !withheld(slot, agent) && !(slot == placing_ && full_.test(agent)) &&
           (request.constrained == kNoSlot || constraint_sets_[request.constrained].allowed.test(agent));
}

Bits::Word Eligibility::candidates(Slot slot, const Request& request, std::size_t at) const {
    Bits::Word word = (request.remainder ? worthwhile_ : offerable_).word(at);
    if (request.exhausted) word &= dirty_.word(at);
    if (word == 0) return 0;
    word &= ~refusals_.of(slot).word(at);
    if (gangs_.clearing() && gangs_.clearing()->request != slot) word &= ~gangs_.clearing()->agents.word(at);
    if (slot == placing_) word &= ~full_.word(at);
    if (request.constrained != kNoSlot) word &= constraint_sets_[request.constrained].allowed.word(at);
    return word;
}

bool Eligibility::blockFits(std::size_t at, const Resources::Scalars& shape) const {
    const Resources::Scalars& most = blocks_[at].most;
    return most[0] >= shape[0] && most[1] >= shape[1] && most[2] >= shape[2] && most[3] >= shape[3];
}

void Eligibility::recountBlock(std::size_t at) {
    Block& block = blocks_[at];
    if (!block.stale) return;
    block = {};
    for (Bits::Word word = offerable_.word(at); word != 0; word &= word - 1) {
        const auto& free =
            ledger_.agentFigures(static_cast<Slot>(at * Bits::kWordBits) + static_cast<Slot>(std::countr_zero(word)))
                .free;
        for (std::size_t i = 0; i < Resources::kScalars; ++i) block.most[i] = std::max(block.most[i], free[i]);
    }
}

void Eligibility::collect(const Request& request, std::size_t at, Bits::Word word, std::size_t most,
                          std::vector<Slot>& found) {
    for (; word != 0 && found.size() < most; word &= word - 1) {
        const Slot agent = static_cast<Slot>(at * Bits::kWordBits) + static_cast<Slot>(std::countr_zero(word));
        ++pairs_looked_at_;
        if (fits(request, agent)) found.push_back(agent);
    }
}

namespace {
// Below this many dirty agents the list is walked, from there on the bitmap.
constexpr std::size_t kFewDirty = 64;
} // namespace

std::vector<Slot> Eligibility::contenders() {
    std::vector<Slot> found;
    wanting_.forEach([&](Slot slot) {
        const Request& request = requests_[slot];
        bool contends = !request.exhausted;
        if (!contends && request.gang) {
            contends = mayBeWhole(slot);
        } else if (!contends && dirty_list_.size() < kFewDirty) {
            contends = std::any_of(dirty_list_.begin(), dirty_list_.end(),
                                   [&](Slot agent) { return eligible(slot, agent) && fits(request, agent); });
        } else if (!contends) {
            for (std::size_t at = 0; at < blocks_.size() && !contends; ++at) {
                const Bits::Word word = candidates(slot, request, at);
                contends = word != 0 && (request.remainder || blockFits(at, request.shape.scalars()));
            }
        }
        if (contends) found.push_back(slot);
    });
    return found;
}

void Eligibility::sample(Slot slot, Rng& rng, std::size_t most, std::vector<Slot>& found) {
    found.clear();
    const Request& request = requests_[slot];
    if (request.exhausted && dirty_list_.size() < kFewDirty) {
        for (Slot agent : dirty_list_) {
            if (found.size() == most) return;
            ++pairs_looked_at_;
            if (eligible(slot, agent) && fits(request, agent)) found.push_back(agent);
        }
        return;
    }
    if (blocks_.empty()) return;
    const std::uint64_t start = rng.below(blocks_.size() * Bits::kWordBits);
    const std::size_t first = start / Bits::kWordBits;
    const Bits::Word from_start = ~Bits::Word{0} << (start % Bits::kWordBits);
    for (std::size_t step = 0; step <= blocks_.size() && found.size() < most; ++step) {
        const std::size_t at = first + step < blocks_.size() ? first + step : first + step - blocks_.size();
        Bits::Word word = candidates(slot, request, at);
        if (step == 0) word &= from_start;
        if (step == blocks_.size()) word &= ~from_start;
        if (word == 0 || (!request.remainder && !blockFits(at, request.shape.scalars()))) continue;
        const std::size_t before = found.size();
        collect(request, at, word, most, found);
        if (found.size() == before) recountBlock(at);
    }
}

// ---- Invariants ------------------------------------------------------------------------------------------------

std::string Eligibility::check() const {
    std::uint64_t wanting = 0;
    std::uint64_t fresh = 0;
    std::size_t in_line = 0;
    std::string wrong = refusals_.check();
    std::vector<std::uint32_t> standing(requests_.end());
    ledger_.offers().forEach([&](Slot, const Ledger::Offer& offer) {
        if (offer.request == kNoSlot) return;
        if (!requests_.live(offer.request) || requests_[offer.request].client != offer.client) {
            wrong = concat("offer ", offer.number, " was made for a request that is gone");
            return;
        }
        standing[offer.request] += offer.count;
    });
    requests_.forEach([&](Slot slot, const Request& request) {
        wanting += request.wanting ? 1 : 0;
        fresh += request.wanting && !request.exhausted ? 1 : 0;
        if (request.wanting != wants(request) || request.wanting != wanting_.test(slot)) {
            wrong = concat("request ", slot, " is wrong about whether it wants");
        }
        if (request.standing != standing[slot]) wrong = concat("request ", slot, " miscounts what stands for it");
        const std::vector<Slot>& list = clients_[request.client].requests;
        if (std::count(list.begin(), list.end(), slot) != 1)
            wrong = concat("request ", slot, " is not in its client's list");
        if (request.gang && request.standing != 0 && request.standing != request.count) {
            wrong = concat("request ", slot, " is a gang, and a part of it stands in offers");
        }
        in_line += gangs_.contains(slot) ? 1 : 0;
        if (gangs_.contains(slot) && !request.wanting) wrong = concat("request ", slot, " waits and wants nothing");
        if (!request.wanting || !request.exhausted) return;
        if (request.gang) {
            std::uint64_t fit = 0;
            ledger_.agents().forEach([&](Slot agent, const Ledger::Agent& on) {
                if (!dirty_.test(agent) && eligible(slot, agent)) fit += pieces(request, on.free);
            });
            if (fit >= request.count) wrong = concat("request ", slot, " is exhausted, but the gang fits");
            return;
        }
        ledger_.agents().forEach([&](Slot agent, const Ledger::Agent&) {
            if (!dirty_.test(agent) && eligible(slot, agent) && fits(request, agent)) {
                wrong = concat("request ", slot, " is exhausted, but agent ", agent, " fits");
            }
        });
    });
    if (in_line != gangs_.count()) wrong = "a gang that is gone waits";
    if (wanting != wanting_count_ || fresh != fresh_count_) wrong = "wanting requests are counted wrongly";
    ledger_.agents().forEach([&](Slot slot, const Ledger::Agent& agent) {
        if (offerable_.test(slot) != (connected_.test(slot) && !agent.overcommitted && !agent.free.empty())) {
            wrong = concat("agent ", agent.id.value(), " is wrong about being offerable");
        }
        if (offerable_.test(slot) && !blockFits(slot / Bits::kWordBits, agent.free.scalars())) {
            wrong = concat("agent ", agent.id.value(), " has more than its block");
        }
    });
    if (offerable_.count() > ledger_.agents().count()) wrong = "an agent that is gone is offerable";
    return wrong;
}

} // namespace stoa::allocator
