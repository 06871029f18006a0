// The master's decisions: which agents and frameworks there are, what is offered to whom, which tasks run where, who
// must be told. It takes one input at a time and the time, and appends to an Output what is to be stored and said:
//
//     Master master(options, recovered, now);
//     for (Input& input : batch) master.step(std::move(input), now, wall, output);
//     master.turn(now, wall, output);   // once after each batch: changes coalesce into a round of offers here
//     …number output.records, hand output.effects to OutputCommit; call again by nextDeadline() at the latest
//
// PURE: no I/O, clock, thread or chance but what its arguments bring, so that the simulator runs this very class. It
// is made of small state machines, each owning its own tables (agents.h, frameworks.h, offers.h, tasks.h), and of the
// allocator, whose ledger alone knows who holds which resources. Owned and called by the daemon's state thread (or the
// simulator) alone; views point into it and last until the next call.
//
// What a peer says is checked with a reason: it is answered with an Error, a Refused or a status, never with a crash.
#pragma once

#include "allocator/allocator.h"
#include "master/core/events.h"

#include <absl/status/status.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::master {

class Agents;
class Frameworks;
class Offers;
class Tasks;
struct State;

struct Options {
    std::string master_id = "master"; // of this registry, not of this process: ids begin with it and the epoch
    std::uint64_t epoch = 1;          // higher than that of any leader before
    Address address;                  // of the HTTP door, told to frameworks
    std::uint64_t seed = 1;           // of whatever chance the allocator's module takes

    // An agent without a session is unreachable after this long; so is a recovered one that does not come back.
    Duration agent_timeout = std::chrono::seconds(75);
    // Agents are given up one at a time, so far apart at least: a master whose network fails keeps most of them until it
    // is mended. 0: at once.
    Duration give_up_every = std::chrono::seconds(6);
    // An unreachable agent is forgotten after this long, and the longest unreachable when there are more than so many; its
    // tasks are gone then.
    Duration max_unreachable_age = std::chrono::hours(14 * 24);
    std::size_t max_unreachable = 100'000;
    // An offer that nobody answers is rescinded; 0: never.
    Duration offer_timeout = std::chrono::seconds(60);
    Duration heartbeat_interval = std::chrono::seconds(15); // to frameworks
    Duration update_retry = std::chrono::seconds(10);       // what agents are told

    // Must be one that allocator::Allocator::create() accepts. The core names the offers itself.
    allocator::Options allocator;
    std::map<std::string, double> weights; // by role; others have weight 1

    // Bounds on what peers can make us remember; beyond them a newcomer is refused with the reason.
    std::size_t max_agents = 200'000;
    std::size_t max_frameworks = 10'000;
    std::size_t max_launches_per_accept = 100'000;
    // Kills of tasks that no agent has told us of yet, kept for when one does; beyond it they are dropped (counted).
    std::size_t max_early_kills = 100'000;
};

// What happened so far, for metrics; only ever grows.
struct Counters {
    std::uint64_t agent_registrations = 0;
    std::uint64_t agent_reregistrations = 0;
    std::uint64_t agents_refused = 0;
    std::uint64_t agents_unreachable = 0;
    std::uint64_t agents_spared = 0; // that came back after their time, before their turn to be given up
    std::uint64_t agents_forgotten = 0;
    std::uint64_t agents_removed = 0;
    std::uint64_t subscriptions = 0;
    std::uint64_t failovers = 0; // subscriptions of a framework that had a session
    std::uint64_t frameworks_removed = 0;
    std::uint64_t offers_made = 0;
    std::uint64_t offers_accepted = 0;
    std::uint64_t offers_declined = 0;
    std::uint64_t offers_rescinded = 0;
    std::uint64_t offers_expired = 0; // rescinded for want of an answer
    std::uint64_t tasks_launched = 0;
    std::uint64_t tasks_refused = 0; // TASK_ERROR, or on offers that don't stand
    std::uint64_t kills = 0;
    std::uint64_t early_kills_dropped = 0;
    std::uint64_t updates = 0;
    std::uint64_t updates_illegal = 0; // a state that can't follow the last one
    std::uint64_t acknowledgements = 0;
    std::uint64_t reconciliations = 0; // tasks asked about
    std::uint64_t messages = 0;
    std::uint64_t invalid_calls = 0;
    std::uint64_t allocation_rounds = 0;
    std::uint64_t tasks_disowned = 0;                     // found alive after their end had been told, and killed
    std::array<std::uint64_t, kTaskStates> tasks_ended{}; // by terminal state
};

class Master {
public:
    Master(Options options, const Recovered& recovered, Time now, WallTime wall);
    ~Master();
    Master(Master&&) noexcept;

    // One input. DueTimes that have passed at `now` are seen to first, whatever the input.
    void step(const Input& input, Time now, WallTime wall, Output& output);
    // Makes offers if something changed since the last call.
    void turn(Time now, WallTime wall, Output& output);
    // When step(Wake{}) and turn() must be called at the latest.
    std::optional<Time> nextDeadline() const;

    // How many records were appended in all; an effect's waits_for counts in the same numbers.
    RecordNumber recordsAppended() const;

    const Options& options() const;
    const Agents& agents() const;
    const Frameworks& frameworks() const;
    const Offers& offers() const;
    const Tasks& tasks() const;
    const allocator::Allocator& allocator() const;
    const Counters& counters() const;
    // What the allocator's module had to say since the last call, for the log.
    std::vector<std::string> takeAllocatorNotes();

    // The deltas that make an empty read model equal to this state, in the order of ids.
    std::vector<Delta> snapshot() const;
    // Looks at every invariant of tables and ledger: O(all), for tests. Names the first that doesn't hold.
    absl::Status check() const;

private:
    std::unique_ptr<State> state_;
};

} // namespace stoa::master
