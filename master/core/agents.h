// The table of agents: those with a session, those that lost it a moment ago, those that are unreachable, and those
// that an earlier leader admitted and that have not come back yet. Indexed by id, by session and by number; it keeps the
// deadlines after which an absent agent is given up, at most one in Options::give_up_every, and those after which one that
// was given up is forgotten.
//
// It owns the facts about agents and nothing else: tasks are in tasks.h, offers in offers.h, resources in the
// allocator's ledger. Owned by the master's core.
#pragma once

#include "master/core/due_times.h"
#include "master/core/events.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>

namespace stoa::master {

struct Agent {
    enum class State : std::uint8_t {
        kActive,       // has a session; its resources may be offered
        kDisconnected, // lost it; unreachable at `deadline`
        kRecovered,    // known from the registry alone; unreachable at `deadline`
        kUnreachable,
    };

    std::uint64_t number = 0; // in the order in which this master met them
    AgentInfo info;           // its id is never empty
    Incarnation incarnation;
    State state = State::kActive;
    // Whether this master has heard of its tasks; until then an unknown task may be one of them.
    bool told_tasks = false;
    Peer peer = 0;           // 0 unless active
    RecordNumber record = 0; // the newest about it: what is said of it waits for this one
    Time deadline{};         // kDisconnected and kRecovered: to be given up; kUnreachable: to be forgotten
    WallTime since;          // of this state
    Disowned disowned = Disowned::kNone;
    std::size_t disowned_tasks = 0; // of its tasks in the table

    const AgentId& id() const { return info.id; }
    bool active() const { return state == State::kActive; }
    bool awaited() const { return state == State::kDisconnected || state == State::kRecovered; }
};

class Agents {
public:
    explicit Agents(Duration give_up_every = Duration::zero()) : give_up_every_(give_up_every) {}

    // Precondition of add(): the id is not in the table.
    Agent& add(AgentInfo info, Incarnation incarnation);
    void remove(Agent& agent);

    // What it says of itself changed; its id is the same.
    void describe(Agent& agent, AgentInfo info, Incarnation incarnation);

    Agent* find(const AgentId& id);
    const Agent* find(const AgentId& id) const;
    Agent* withPeer(Peer peer);
    // One that was admitted and never heard its id: it comes again without one, but from the same work directory.
    Agent* withWorkId(const std::string& work_id);
    Agent* numbered(std::uint64_t number);

    // The only ways in which state, peer and deadline change.
    void connect(Agent& agent, Peer peer, WallTime now);
    void await(Agent& agent, Agent::State state, Time deadline, WallTime now);
    void giveUp(Agent& agent, Time forget_at, WallTime since);
    void setToldTasks(Agent& agent);

    std::optional<Time> nextDeadline() const;
    // The next to be given up. The one after it follows give_up_every later at the earliest: the caller says startPause().
    Agent* firstDue(Time now);
    void startPause(Time now) { give_up_from_ = now + give_up_every_; }
    // An unreachable one whose time is over, or the one that was given up first when there are more than `most`.
    Agent* firstToForget(Time now, std::size_t most);
    std::size_t unreachable() const { return forgetting_.size(); }

    std::size_t size() const { return by_number_.size(); }
    std::size_t active() const { return by_peer_.size(); }
    // Agents that are awaited, or unreachable, and whose tasks this master never heard of.
    std::size_t untold() const { return untold_; }
    std::size_t untoldAwaited() const { return untold_awaited_; }

    // In the order of numbers.
    const std::map<std::uint64_t, std::unique_ptr<Agent>>& all() const { return by_number_; }
    absl::Status check() const;

private:
    void forgetWorkId(const Agent& agent);
    void leaveState(Agent& agent);
    void enterState(Agent& agent);

    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Agent>> by_number_;
    absl::flat_hash_map<AgentId, Agent*> by_id_;
    absl::flat_hash_map<Peer, Agent*> by_peer_;
    absl::flat_hash_map<std::string, Agent*> by_work_id_; // the latest with each; an empty one is not indexed
    DueTimes deadlines_;                                  // of those that are awaited
    DueTimes forgetting_;                                 // of those that are unreachable
    Duration give_up_every_;
    Time give_up_from_{};
    std::size_t untold_ = 0;
    std::size_t untold_awaited_ = 0;
};

} // namespace stoa::master
