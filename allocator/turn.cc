// One turn: the module says who comes next and where it is placed, the rules decide whether that may be, and the
// ledger moves it. What a client gets of one demand on one agent in one turn becomes one offer. A gang whose pieces all
// find room is placed piece by piece without interruption; should the module not place one of them, none is.
#include "allocator/allocator.h"
#include "allocator/eligibility.h"
#include "allocator/fit.h"
#include "allocator/ledger.h"
#include "allocator/module_runner.h"
#include "protocol/strings.h"

#include <algorithm>
#include <cassert>
#include <tuple>
#include <utility>

namespace stoa::allocator {
namespace {

// Candidates that a module chooses among: a cluster fills to within a percent of what choosing among all agents gives.
constexpr std::size_t kSampled = 4;

// A client in a turn: what it may get something for, in the order of its demands.
struct Contender {
    std::size_t at = 0;  // in the turn's requests: those before it get nothing more in this turn
    std::size_t end = 0; // one past its last
    bool retired = false;
};

class Turn {
public:
    Turn(Ledger& ledger, Eligibility& eligibility, std::uint64_t number)
        : ledger_(ledger), eligibility_(eligibility), number_(number), requests_(eligibility.contenders()),
          places_(ledger.clients().end(), kNoSlot) {
        const auto& all = eligibility.requests();
        std::sort(requests_.begin(), requests_.end(), [&](Slot a, Slot b) {
            return std::tie(all[a].client, all[a].order) < std::tie(all[b].client, all[b].order);
        });
        for (std::size_t at = 0; at < requests_.size(); ++at) {
            const Slot client = all[requests_[at]].client;
            if (clients_.empty() || clients_.back() != client) {
                places_[client] = static_cast<Slot>(contenders_.size());
                contenders_.push_back({at, at});
                clients_.push_back(client);
            }
            ++contenders_.back().end;
        }
    }

    const std::vector<Slot>& clients() const { return clients_; }

    // Null when it doesn't contend, or no more.
    Contender* contender(Slot client) {
        if (client >= places_.size() || places_[client] == kNoSlot) return nullptr;
        Contender& contender = contenders_[places_[client]];
        return contender.retired ? nullptr : &contender;
    }

    // The request that it is the client's turn for; none when it wants nothing more.
    Slot request(Contender& contender) {
        for (; contender.at < contender.end; ++contender.at) {
            if (eligibility_.requests()[requests_[contender.at]].wanting) return requests_[contender.at];
        }
        contender.retired = true;
        return kNoSlot;
    }

    // Empty when the grant stands, otherwise why it doesn't.
    std::string grant(Slot request_slot, const stoa_allocator_placement_v1& placement, std::uint32_t wanted) {
        const Eligibility::Request& request = eligibility_.requests()[request_slot];
        const Slot agent = placement.agent;
        if (!ledger_.agents().live(agent)) return concat("placed on agent ", agent, ", which is none");
        const std::string& name = ledger_.agents()[agent].id.value();
        if (!eligibility_.eligible(request_slot, agent))
            return concat("placed on agent ", name, ", which may not be offered");
        const Resources& free = ledger_.agents()[agent].free;
        if (request.remainder) {
            open(request_slot, agent, 0, Resources(free));
            return {};
        }
        const std::uint32_t count = placement.count;
        if (count == 0 || count > wanted) return concat("placed ", count, " pieces where 1 to ", wanted, " are wanted");
        if (timesFits(free, request.shape, count) < count) {
            return concat("placed ", count, " times ", request.shape.toString(), " on agent ", name, ", where ",
                          free.toString(), " is free");
        }
        Resources pieces = cut(free, request.shape, count);
        if (const Slot offer = openedFor(request_slot, agent); offer != kNoSlot) {
            ledger_.grow(offer, count, pieces);
            eligibility_.offerMade(ledger_.offers()[offer], count);
            return {};
        }
        open(request_slot, agent, count, std::move(pieces));
        return {};
    }

    // Places all pieces of a gang for which there is room, or none: empty, or why.
    std::string placeGang(Slot slot, ModuleRunner& module, const stoa_allocator_view_v1& view, Rng& rng) {
        const Eligibility::Request& request = eligibility_.requests()[slot];
        const std::size_t first = offers_.size();
        const std::uint32_t most = request.gang->most_per_agent;
        std::uint32_t left = request.count;
        std::string wrong;
        stoa_allocator_request_v1 asked{sizeof(asked), request.client, 0, 1, {}};
        std::copy(request.shape.scalars().begin(), request.shape.scalars().end(), asked.shape);
        eligibility_.beginPlacing(slot);
        while (left > 0 && wrong.empty()) {
            eligibility_.sample(slot, rng, kSampled, found_);
            asked.wanted = request.shape.others().empty() ? left : 1;
            if (most > 0) asked.wanted = std::min(asked.wanted, most);
            stoa_allocator_placement_v1 placement{kNoSlot, 0};
            if (!found_.empty()) placement = module.place(view, asked, found_);
            if (placement.agent == kNoSlot) {
                wrong = concat("placed ", request.count - left, " of a gang's ", request.count,
                               " pieces, all of which have room");
                break;
            }
            if (most > 0) placement.count = std::min(placement.count, most - placedOn(slot, placement.agent));
            wrong = grant(slot, placement, asked.wanted);
            if (!wrong.empty()) break;
            left -= placement.count;
            eligibility_.placed(placement.agent, placedOn(slot, placement.agent));
        }
        eligibility_.endPlacing();
        if (wrong.empty()) {
            ledger_.makeGang(absl::MakeConstSpan(offers_).subspan(first));
        } else {
            takeBack(first);
        }
        return wrong;
    }

    // Requests that could still get something look again in the next turn.
    void cutShort() {
        for (const Contender& contender : contenders_) {
            for (std::size_t at = contender.at; at < contender.end && !contender.retired; ++at) {
                eligibility_.setExhausted(requests_[at], false);
            }
        }
    }

    const std::vector<Slot>& offers() const { return offers_; }

private:
    // The offer that this turn has made for the request on the agent already.
    Slot openedFor(Slot request, Slot agent) const {
        if (ledger_.agents()[agent].offered_in != number_) return kNoSlot;
        const auto& list = ledger_.agents()[agent].offers;
        for (Slot offer = list.last(); offer != kNoSlot; offer = list.before(ledger_.offers(), offer)) {
            if (ledger_.offers()[offer].turn != number_) break;
            if (ledger_.offers()[offer].request == request) return offer;
        }
        return kNoSlot;
    }

    std::uint32_t placedOn(Slot request, Slot agent) const {
        if (!ledger_.agents().live(agent)) return 0;
        const Slot offer = openedFor(request, agent);
        return offer == kNoSlot ? 0 : ledger_.offers()[offer].count;
    }

    // The turn's offers from this one on.
    void takeBack(std::size_t first) {
        for (; offers_.size() > first; offers_.pop_back()) {
            const Ledger::Offer offer = ledger_.offers()[offers_.back()];
            const Slot framework = ledger_.clients()[offer.client].framework;
            ledger_.endOffer(offers_.back());
            eligibility_.offerEnded(framework, offer.request, offer.count);
            eligibility_.freeGrew(offer.agent);
        }
    }

    void open(Slot request, Slot agent, std::uint32_t count, Resources resources) {
        const Slot client = eligibility_.requests()[request].client;
        const Slot offer = ledger_.offer(agent, client, request, count, number_, std::move(resources));
        eligibility_.offerMade(ledger_.offers()[offer], count);
        offers_.push_back(offer);
    }

    Ledger& ledger_;
    Eligibility& eligibility_;
    std::uint64_t number_;
    std::vector<Slot> requests_; // those of a client together
    std::vector<Slot> places_;   // by client, in contenders_
    std::vector<Contender> contenders_;
    std::vector<Slot> clients_;
    std::vector<Slot> offers_; // made in this turn, in order
    std::vector<Slot> found_;
};

} // namespace

void Allocator::fault(std::string_view what) {
    ++counters_.module_faults;
    module_->note(what);
}

std::vector<Grant> Allocator::allocate(Time now, Rng& rng) {
    std::vector<Grant> grants;
    eligibility_->expire(now);
    eligibility_->clearRoom(now, rng);
    do {
        allocateOnce(now, rng, grants);
        eligibility_->forgetDirty();
        // A gang that was placed has given back the agents that were cleared for it.
    } while (eligibility_->touchCleared());
    counters_.grants += grants.size();
    return grants;
}

void Allocator::allocateOnce(Time now, Rng& rng, std::vector<Grant>& grants) {
    ++counters_.turns;
    eligibility_->touchCleared();
    if (!eligibility_->pending()) return;
    Turn turn(*ledger_, *eligibility_, counters_.turns);
    const stoa_allocator_view_v1 view = ledger_->view();
    if (!turn.clients().empty()) module_->begin(view, turn.clients(), rng);
    std::vector<Slot> found;
    while (!turn.clients().empty()) {
        const Slot client = module_->next(view);
        if (client == kNoSlot) break;
        Contender* contender = turn.contender(client);
        if (contender == nullptr) {
            fault(concat("named client ", client, ", which doesn't contend"));
            break;
        }
        const Slot slot = turn.request(*contender);
        if (slot == kNoSlot) {
            module_->retired(view, client);
            continue;
        }
        if (eligibility_->requests()[slot].gang) {
            const std::uint32_t whole = eligibility_->requests()[slot].count;
            const std::uint32_t fit = eligibility_->piecesThatFit(slot);
            if (fit < whole) {
                eligibility_->fellShort(slot, whole - fit, now);
                ++contender->at;
                continue;
            }
            const std::string wrong = turn.placeGang(slot, *module_, view, rng);
            if (wrong.empty()) {
                module_->charged(view, client);
                continue;
            }
            fault(wrong);
            eligibility_->setExhausted(slot, false);
            ++contender->at;
            continue;
        }
        eligibility_->sample(slot, rng, kSampled, found);
        if (found.empty()) {
            eligibility_->setExhausted(slot, true);
            ++contender->at;
            continue;
        }
        const Eligibility::Request& request = eligibility_->requests()[slot];
        stoa_allocator_request_v1 asked{sizeof(asked), client, 0, 0, {}};
        if (!request.remainder) {
            // What isn't a scalar the module doesn't see, so it can't know how many fit: one at a time.
            asked.wanted = request.shape.others().empty() ? request.count - request.standing : 1;
            std::copy(request.shape.scalars().begin(), request.shape.scalars().end(), asked.shape);
        }
        const stoa_allocator_placement_v1 placement = module_->place(view, asked, found);
        if (placement.agent != kNoSlot) {
            const std::string wrong = turn.grant(slot, placement, asked.wanted);
            if (wrong.empty()) {
                module_->charged(view, client);
                continue;
            }
            fault(wrong);
        }
        eligibility_->setExhausted(slot, false); // it was found something
        ++contender->at;
    }
    module_->end();
    turn.cutShort();

    grants.reserve(grants.size() + turn.offers().size());
    for (Slot slot : turn.offers()) {
        const Ledger::Offer& offer = ledger_->offers()[slot];
        const Ledger::Client& client = ledger_->clients()[offer.client];
        grants.push_back({nameOf(offer.number), ledger_->frameworks()[client.framework].id,
                          ledger_->roles()[client.role].name, ledger_->agents()[offer.agent].id, offer.resources,
                          eligibility_->requests()[offer.request].demand, offer.count,
                          offer.gang == 0 ? OfferId() : nameOf(offer.gang)});
    }
}

} // namespace stoa::allocator
