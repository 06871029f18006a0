// Who may be offered what: which requests want something, which agents may be offered, and which pairs of the two may
// be looked at. A request is a demand of a framework in a role or, for a framework without demands, the wish for
// remainders in a role. All rules live here and none in a module.
//
// Work follows what changed. A request that found nothing is exhausted: from then on only agents that became better
// (dirty ones: freer, offerable again, changed) are looked at for it, until it changes itself or a refusal ends. A
// search over all agents skips 64 at a time when none of them can have enough. A gang (a demand that is met whole or not
// at all) that fell short looks again only when as many pieces as it lacked may have become free.
//
// Owned by the Allocator, on its thread; reads the ledger and never changes it. The Allocator tells it of every move.
#pragma once

#include "allocator/bits.h"
#include "allocator/gangs.h"
#include "allocator/ledger.h"
#include "allocator/refusals.h"
#include "allocator/slots.h"
#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/rng.h"
#include "protocol/units.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::allocator {

class Eligibility {
public:
    struct Limits {
        Milli least_cpus;
        Milli least_mem;
        std::uint32_t most_offers = 0;
        Gangs::Limits gangs;
    };
    struct Request {
        Slot client = kNoSlot;
        bool remainder = false;
        std::string demand;
        Resources shape;
        std::vector<Constraint> constraints;
        Slot constrained = kNoSlot; // in constraint_sets_, when there are constraints
        std::optional<Gang> gang;
        std::uint32_t count = 0;    // wanted, with what stands in offers
        std::uint32_t standing = 0; // pieces in open offers made for it
        std::uint32_t order = 0;    // in its client's list
        bool wanting = false;       // mirrored in wanting_
        bool exhausted = false;     // only while wanting; nothing but dirty agents and ended refusals can help
        std::uint32_t short_by = 0; // of an exhausted gang: pieces that agents must become better for to help
    };

    Eligibility(const Ledger& ledger, Limits limits) : ledger_(ledger), limits_(limits), gangs_(limits.gangs) {}

    // ---- What happened. Slots are the ledger's.

    void agentAdded(Slot agent);
    void agentChanged(Slot agent); // total or attributes
    void agentRemoved(Slot agent); // before the ledger forgets it
    void setOfferable(Slot agent, bool offerable);
    void freeGrew(Slot agent); // or may have
    void freeShrank(Slot agent);

    void frameworkAdded(Slot framework);   // with its clients subscribed
    void frameworkRemoved(Slot framework); // before the ledger forgets it
    void clientAdded(Slot client);
    void clientRemoved(Slot client); // before the ledger forgets it; also for one that never was subscribed
    void setActive(Slot framework, bool active);
    void suppress(Slot client, bool suppressed);
    void revive(Slot client);
    // Checked demands; in which client each is. Returns the requests that are gone.
    std::vector<Slot> setDemands(Slot framework, const std::vector<Demand>& demands, const std::vector<Slot>& clients);

    void offerMade(const Ledger::Offer& offer, std::uint32_t pieces);
    // After the ledger's moves; the framework may be gone, the request is none if it was made for one that is gone.
    void offerEnded(Slot framework, Slot request, std::uint32_t pieces);
    void launched(Slot request, std::uint32_t tasks);
    void refuse(Slot request, Slot agent, const Resources& refused, Time until);

    // ---- A turn.

    void expire(Time now);
    // Begins and ends clearings of room for gangs.
    void clearRoom(Time now, Rng& rng);
    // Requests that may get something now.
    std::vector<Slot> contenders();
    // Up to `most` agents that the request may be offered and on which it fits, from a random place on.
    void sample(Slot request, Rng& rng, std::size_t most, std::vector<Slot>& found);
    bool eligible(Slot request, Slot agent) const; // the pair may be looked at
    void setExhausted(Slot request, bool exhausted);
    void forgetDirty();
    // True when a clearing has ended since the last call: its agents are dirty again, and another turn is worth while.
    bool touchCleared();

    // Of a gang: for how many of its pieces there is room, at most all.
    std::uint32_t piecesThatFit(Slot request);
    void fellShort(Slot request, std::uint32_t pieces, Time now);
    // From beginPlacing() on, agents that have as many pieces as the gang may have on one are not eligible for it.
    void beginPlacing(Slot request) { placing_ = request; }
    void placed(Slot agent, std::uint32_t pieces);
    void endPlacing() {
        placing_ = kNoSlot;
        full_.clear();
    }

    // ---- Looking.

    const Slots<Request>& requests() const { return requests_; }
    const std::vector<Slot>& requestsOf(Slot client) const { return clients_[client].requests; }
    bool active(Slot framework) const { return frameworks_[framework].active; }
    bool byDemand(Slot framework) const { return frameworks_[framework].by_demand; }
    bool suppressed(Slot client) const { return clients_[client].suppressed; }
    bool offerable(Slot agent) const { return connected_.test(agent); }
    bool pending() const { return fresh_count_ > 0 || (!dirty_list_.empty() && wanting_count_ > 0); }
    std::optional<Time> nextDeadline() const;
    const Refusals& refusals() const { return refusals_; }
    const Gangs& gangs() const { return gangs_; }
    // Kept free for somebody else's gang.
    bool withheld(Slot request, Slot agent) const {
        return gangs_.clearing() && gangs_.clearing()->request != request && gangs_.clearing()->agents.test(agent);
    }
    // Of a gang, if all of the agent were free; 0 when it may not be offered.
    std::uint32_t piecesAtMost(Slot request, Slot agent) const;
    std::uint64_t pairsLookedAt() const { return pairs_looked_at_; }
    std::string check() const; // empty, or the invariant that is broken

private:
    struct ClientState {
        bool suppressed = false;
        std::vector<Slot> requests; // in the order of the demands
    };
    struct FrameworkState {
        bool active = true;
        bool by_demand = false; // has stated demands, be they none
    };
    struct ConstraintSet {
        std::string text; // its key
        std::vector<Constraint> constraints;
        std::uint32_t requests = 0;
        Bits allowed; // agents
    };
    // Of the 64 agents in one word of a bitmap: at least the most that is free, of each resource.
    struct Block {
        Resources::Scalars most{};
        bool stale = false; // may be more than the most
    };

    void refresh(Slot agent); // the agent's bits
    void touch(Slot agent);   // dirty
    void updateWanting(Slot request);
    void updateFramework(Slot framework);
    bool wants(const Request& request) const;
    void countFresh(const Request& request, int sign) {
        fresh_count_ += request.wanting && !request.exhausted ? sign : 0;
    }
    Slot addRequest(Request request);
    void removeRequest(Slot request);
    Slot constraintSet(const std::vector<Constraint>& constraints);
    bool fits(const Request& request, Slot agent) const;
    std::uint32_t pieces(const Request& request, const Resources& in) const;
    std::optional<Bits> roomFor(Slot request, Rng& rng) const;
    void endClearing();
    void leaveLine(Slot request);
    bool mayBeWhole(Slot request);
    bool blockFits(std::size_t at, const Resources::Scalars& shape) const;
    void recountBlock(std::size_t at);
    void collect(const Request& request, std::size_t at, Bits::Word word, std::size_t most, std::vector<Slot>& found);
    Bits::Word candidates(Slot number, const Request& request, std::size_t at) const;

    const Ledger& ledger_;
    Limits limits_;
    Slots<Request> requests_;
    std::vector<ClientState> clients_;       // by the ledger's slots
    std::vector<FrameworkState> frameworks_; // by the ledger's slots
    Slots<ConstraintSet> constraint_sets_;
    std::map<std::string, Slot> constraint_set_slots_;

    Bits connected_;  // agents that the owner says may be offered
    Bits offerable_;  // and aren't overcommitted, and have anything free
    Bits worthwhile_; // and have enough for a remainder
    std::vector<Block> blocks_;
    Bits dirty_;
    std::vector<Slot> dirty_list_;

    Bits wanting_; // requests
    std::uint64_t wanting_count_ = 0;
    std::uint64_t fresh_count_ = 0; // wanting and not exhausted
    Refusals refusals_;
    Gangs gangs_;
    std::vector<Slot> cleared_; // agents of clearings that have ended since touchCleared()
    Slot placing_ = kNoSlot;    // the gang that is being placed
    Bits full_;                 // agents that may have no more of its pieces
    std::uint64_t pairs_looked_at_ = 0;
};

} // namespace stoa::allocator
