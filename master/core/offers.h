// The table of offers that stand: made, and not yet accepted, declined or rescinded. An id is used once: what has left
// the table never comes back. Indexed by id, by agent, by framework and by gang, with the deadline at which each is
// rescinded for want of an answer. What an offer promises is held in the allocator's ledger. Owned by the master's core.
#pragma once

#include "master/core/agents.h"
#include "master/core/frameworks.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace stoa::master {

struct StandingOffer {
    std::uint64_t number = 0; // in the order in which they were made
    Offer offer;
    Agent* agent = nullptr;
    Framework* framework = nullptr;
    std::optional<Time> deadline;
};

class Offers {
public:
    StandingOffer& add(std::uint64_t number, Offer offer, Agent& agent, Framework& framework,
                       std::optional<Time> deadline);
    void remove(StandingOffer& offer);

    StandingOffer* find(const OfferId& id);
    // In the order in which they were made.
    std::vector<StandingOffer*> of(const Agent& agent);
    std::vector<StandingOffer*> of(const Framework& framework);
    // Of its gang, itself included; of none, itself alone.
    std::vector<StandingOffer*> gangOf(StandingOffer& offer);

    std::optional<Time> nextDeadline() const { return deadlines_.next(); }
    StandingOffer* firstDue(Time now);

    std::size_t size() const { return by_number_.size(); }
    const std::map<std::uint64_t, std::unique_ptr<StandingOffer>>& all() const { return by_number_; }

private:
    using Index = std::set<std::pair<std::uint64_t, std::uint64_t>>; // agent's or framework's number, offer's number
    std::vector<StandingOffer*> of(const Index& index, std::uint64_t number);

    std::map<std::uint64_t, std::unique_ptr<StandingOffer>> by_number_;
    absl::flat_hash_map<OfferId, StandingOffer*> by_id_;
    Index by_agent_;
    Index by_framework_;
    absl::flat_hash_map<OfferId, std::set<std::uint64_t>> gangs_; // by first offer, the numbers of those that stand
    DueTimes deadlines_;
};

} // namespace stoa::master
