// What must hold whatever goes wrong. The world tells the checker what was seen from outside each part: what a
// framework was told, what a machine launched, what a master revealed. The checker keeps the first violation; it never
// changes anything.
//
// Owned by the World; single-threaded. Invariants as in the design: an offer id is used once, a gang is offered whole, legal transitions,
// terminal once, an attempt runs at most once anywhere, machines are never overcommitted, nothing is revealed before it
// is durable, the deltas replayed give the state, epochs never go back.
#pragma once

#include "agent/core/events.h"
#include "master/core/events.h"
#include "protocol/message/framework.h"
#include "tests/sim/event_queue.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace stoa::sim {

class Checker {
public:
    // ---- Seen from a framework -----------------------------------------------------------------------------------
    // Capabilities: what its scheduler understands.
    void frameworkTold(const FrameworkId& framework, const TaskStatus& status, Capabilities understands);
    void frameworkSubscribed(const FrameworkId& framework, std::uint64_t epoch);
    void gangsWanted(const FrameworkId& framework, const std::vector<Demand>& demands);
    // In one message: a gang's offers are all there, and all that was wanted at once.
    void offered(const FrameworkId& framework, const std::vector<Offer>& offers);

    // ---- Seen from a machine -------------------------------------------------------------------------------------
    // `durable`: the agent's disk holds the intent.
    void launched(const std::string& machine, const TaskKey& key, const Resources& resources, bool durable);
    void ended(const std::string& machine, const TaskKey& key);
    void machineTotal(const std::string& machine, const Resources& total);

    // ---- Seen from a master --------------------------------------------------------------------------------------
    // One that steps into its office, or starts; what it reveals counts from nothing. Two may be at it, when one of them
    // doesn't know yet that it was deposed.
    void masterStarted(NodeId master);
    void revealed(NodeId master, const master::Delta& delta);
    // Called when nothing is held back: the revealed deltas must add up to `state`.
    void compare(NodeId master, const std::vector<master::Delta>& state);
    // ZooKeeper has given it the office.
    void tookOffice(NodeId master, std::uint64_t epoch);
    // ZooKeeper has carried out a write of one that leads under this epoch, as it believes.
    void wroteRegistry(NodeId master, std::uint64_t epoch);
    // A follower has done what a master said under this epoch.
    void followed(NodeId master, std::uint64_t epoch);

    void require(bool holds, const std::string& what) {
        if (!holds && violation_.empty()) violation_ = what;
    }
    // The first; empty when all has held.
    const std::string& violation() const { return violation_; }

    // transitions()[from][to], as frameworks saw them; a first sight counts from TASK_STAGING.
    using Transitions = std::array<std::array<std::uint64_t, kTaskStates>, kTaskStates>;
    const Transitions& transitions() const { return transitions_; }
    std::uint64_t gangsOffered() const { return gangs_offered_; }

private:
    struct MachineSeen {
        Resources total;
        Resources used;
        std::map<TaskKey, Resources> tasks;
    };

    std::string violation_;
    Transitions transitions_{};
    struct Story {
        TaskState state = TaskState::kStaging;
        std::uint32_t states = 0; // a bit for each that was told
    };
    absl::flat_hash_map<TaskKey, Story> told_;
    absl::flat_hash_set<Uuid> updates_told_;
    absl::flat_hash_map<FrameworkId, std::uint64_t> epochs_;
    absl::flat_hash_set<FrameworkId> removed_;                  // ever, by a master
    std::map<FrameworkId, std::set<std::uint32_t>> gang_sizes_; // ever wanted
    std::uint64_t gangs_offered_ = 0;
    absl::flat_hash_set<TaskKey> launched_;
    std::map<std::string, MachineSeen> machines_;
    absl::flat_hash_set<OfferId> offers_seen_; // ever
    // By master, the read model: what it is, in one line a thing.
    std::map<NodeId, std::map<std::string, std::string>> revealed_;
    std::map<std::uint64_t, NodeId> offices_; // by epoch
};

} // namespace stoa::sim
