// The table of frameworks: those whose scheduler has a session, and those that wait for it until their failover
// timeout. Indexed by id, by session and by number; it keeps two sorts of deadlines: when an absent framework is
// removed, and when a connected one hears the next heartbeat.
//
// It owns the facts about frameworks and nothing else: tasks are in tasks.h, offers in offers.h, roles' shares and
// demands in the allocator. Owned by the master's core.
#pragma once

#include "master/core/due_times.h"
#include "master/core/events.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <map>
#include <memory>

namespace stoa::master {

struct Framework {
    enum class State : std::uint8_t {
        kActive,       // its scheduler has a session
        kDisconnected, // removed at `deadline`
    };

    std::uint64_t number = 0; // in the order in which this master met them
    FrameworkInfo info;       // its id is never empty
    State state = State::kDisconnected;
    Peer peer = 0;           // 0 unless active
    RecordNumber record = 0; // the newest about it: what is said of it waits for this one
    Time deadline{};         // of removal when disconnected, of the next heartbeat when active
    Time note_at{};          // disconnected: when what remains until the deadline is stored again
    WallTime since;          // of this state

    const FrameworkId& id() const { return info.id; }
    bool active() const { return state == State::kActive; }
};

class Frameworks {
public:
    // Precondition of add(): the id is not in the table. What is added is disconnected until `deadline`.
    Framework& add(FrameworkInfo info, Time deadline, WallTime now);
    void remove(Framework& framework);

    Framework* find(const FrameworkId& id);
    const Framework* find(const FrameworkId& id) const;
    Framework* withPeer(Peer peer);
    Framework* numbered(std::uint64_t number);

    // The only ways in which state, peer and deadline change.
    void connect(Framework& framework, Peer peer, Time next_heartbeat, WallTime now);
    void disconnect(Framework& framework, Time deadline, WallTime now);
    void setNextHeartbeat(Framework& framework, Time at);
    void setNextNote(Framework& framework, Time at);

    std::optional<Time> nextDeadline() const;
    // A disconnected one whose deadline, or whose next note, is due.
    Framework* firstToRemove(Time now);
    Framework* firstToHear(Time now);

    std::size_t size() const { return by_number_.size(); }
    std::size_t active() const { return by_peer_.size(); }
    // In the order of numbers.
    const std::map<std::uint64_t, std::unique_ptr<Framework>>& all() const { return by_number_; }
    absl::Status check() const;

private:
    static Time dueOf(const Framework& framework);
    void leaveState(Framework& framework);
    void enterState(Framework& framework);

    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, std::unique_ptr<Framework>> by_number_;
    absl::flat_hash_map<FrameworkId, Framework*> by_id_;
    absl::flat_hash_map<Peer, Framework*> by_peer_;
    DueTimes removals_;
    DueTimes heartbeats_;
};

} // namespace stoa::master
