// A session: a reliable, ordered stream of opaque bodies in each direction, each delivered exactly once, over frames
// that may be dropped, duplicated, delayed and reordered; or else the session ends, both ends are told, and what was
// sent last may or may not have arrived. The dialer (an agent, a framework's driver) opens; the acceptor (the master)
// numbers each session as a Peer. Nobody has to open anything twice by hand: a DialerSession dials again by itself.
//
//     dialer                          acceptor
//     Open(session 7, seq 1)     →    Opened{peer 12}; epoch checked and told from now on
//     Connected{epoch 3}         ←    Ack(ack 1, epoch 3)
//     Data(seq 2, epoch 3)       →    Message{peer 12}
//
// Both classes are used in turns: feed what came (frames, sends), then flush() to get the frames to be sent, so that
// acknowledgements ride on data and a turn's worth of frames is acknowledged once. tick() does the same and looks at the
// timers that are due; call it at nextDeadline() at the latest, and only when no frame that arrived is still unread (else
// an end that was slow to read would take its peers for silent).
//
// Rules: go-back-N with a time-out that doubles; a keepalive when idle; silence, a reset, a goodbye or a full outbox ends
// the session. A frame of a session that the acceptor doesn't know, and that doesn't open it, is answered with a
// reset. A greater session number from the same connection and channel ends the lower one. A dialer remembers the
// highest epoch it has seen and refuses frames of a lower one; a session belongs to one epoch and ends when another shows
// up. Frames carry the epoch both ways, so nothing meant for one leader reaches its successor.
//
// A standby accepts sessions in epoch 0: it acknowledges and keeps them alive, and carries no message. When it takes
// office, lead() gives all of them its epoch at once; only then is the dialer's owner told Connected. So a peer holds a
// session with every master, uses the leader's, and a fail-over costs a frame a peer instead of a handshake.
//
// Pure: no sockets, threads, clocks. Owned by one thread: the network thread of wire/, or the simulator.
// Source: the sliding window of Tanenbaum, "Computer Networks", section 3.4.2; session numbers as Lampson's incarnations.
#pragma once

#include "protocol/deadlines.h"
#include "protocol/frame.h"
#include "protocol/rng.h"
#include "protocol/session_end.h"
#include "protocol/units.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stoa {

// ---- The acceptor's side -------------------------------------------------------------------------------------

// One session at the acceptor: counted up from 1, never used again.
using Peer = std::uint64_t;

namespace arrival {

struct Opened {
    Peer peer = 0;
    std::string principal = {}; // who proved to be it; empty where nobody has to
};
struct Message {
    Peer peer = 0;
    Body body;
};
// Messages sent to the peer may not have arrived. The last that is heard of it.
struct Gone {
    Peer peer = 0;
    std::string why;
};

} // namespace arrival

using Arrival = std::variant<arrival::Opened, arrival::Message, arrival::Gone>;

// All sessions of one acceptor. A connection is named by an opaque string (ZeroMQ's routing id, the simulator's own).
class SessionTable {
public:
    // Beyond, openings are answered with a reset: a machine's memory, not the protocol, is the limit.
    static constexpr std::size_t kMostSessions = 250'000;
    // How long and how many ended sessions are remembered, so that a late duplicate of an opening doesn't revive one.
    static constexpr Duration kRememberEnded = std::chrono::minutes(2);
    static constexpr std::size_t kMostEnded = 100'000;

    struct FrameTo {
        std::string connection;
        Frame frame;
    };
    struct Output {
        std::vector<FrameTo> frames;
        std::vector<Arrival> arrivals;
    };

    // Epoch 0: a standby's.
    explicit SessionTable(std::uint64_t epoch, const SessionOptions& options = {});

    void onFrame(std::string_view connection, Frame frame, Time now, Output& out);
    // False, and nothing done, when the peer is gone already. A full outbox ends the session.
    bool send(Peer peer, Body body, Time now, Output& out);
    // Says goodbye behind everything sent before. The peer is gone for the caller at once: no arrival follows.
    void close(Peer peer, std::string_view why, Time now);
    void closeAll(std::string_view why, Time now);
    // The standby takes office: every open session is of this epoch from now on, and its dialer is told with the next
    // flush(). Once only; a leader that is deposed ends its sessions with its table.
    void lead(std::uint64_t epoch);
    // Ends the session at once, with a reset and a Gone.
    void cut(Peer peer, std::string_view why, Time now, Output& out);
    void flush(Time now, Output& out);
    void tick(Time now, Output& out);
    std::optional<Time> nextDeadline() const { return deadlines_.next(); }

    std::uint64_t epoch() const { return epoch_; }
    std::size_t openCount() const { return by_peer_.size(); } // sessions that the caller hasn't seen the end of
    std::size_t closingCount() const { return closing_; }     // goodbyes not yet acknowledged
    std::optional<std::string_view> connectionOf(Peer peer) const;
    const SessionCounters& counters() const { return counters_; }

private:
    using Slot = Deadlines::Slot;
    using Key = std::pair<std::string, std::uint32_t>;

    // A session, or the memory of one that has ended.
    struct Entry {
        Key key;
        std::uint64_t number = 0;
        Peer peer = 0;                 // 0 when the caller has closed it or was told its end
        std::optional<SessionEnd> end; // absent when the session has ended
        Time forget_at = Time::max();  // then
        bool touched = false;
    };

    void open(Key key, std::optional<Slot> known, Frame frame, Time now, Output& out);
    void within(Slot slot, Frame frame, Time now, Output& out); // a frame of a live session
    void over(Slot slot, std::string_view why, Time now, Output& out);
    void forgetDue(Time now);
    void touch(Slot slot);
    void run(Slot slot, Time now, bool timers, Output& out);
    void emit(const Entry& entry, FrameKind kind, Output& out);
    void reset(const std::string& connection, const Frame& unknown, Output& out);

    std::uint64_t epoch_;
    SessionOptions options_;
    SessionCounters counters_;
    Peer last_peer_ = 0;
    std::size_t closing_ = 0;
    std::vector<Entry> entries_;
    std::vector<Slot> free_;
    std::vector<Slot> touched_; // in the order of touching
    std::deque<std::pair<Time, Slot>>
        ended_; // by when they are forgotten; one that has begun anew meanwhile is skipped
    std::vector<Frame> scratch_;
    absl::flat_hash_map<Key, Slot> by_key_;
    absl::flat_hash_map<Peer, Slot> by_peer_;
    Deadlines deadlines_;
};

// ---- The dialer's side ---------------------------------------------------------------------------------------

namespace dialed {

// The acceptor has answered, and leads. `session` names this connection until Gone.
struct Connected {
    std::uint32_t channel = 0;
    std::uint64_t session = 0;
    std::uint64_t epoch = 0; // to be persisted by who must refuse lower ones after a restart
};
struct Message {
    std::uint32_t channel = 0;
    Body body;
};
// Follows each Connected at last; a new session is being dialed already.
struct Gone {
    std::uint32_t channel = 0;
    std::string why;
};

} // namespace dialed

using DialerArrival = std::variant<dialed::Connected, dialed::Message, dialed::Gone>;

// One channel of a connection to an acceptor: dials at once, and again with jittered back-off when a session ends. With a
// standby it holds its session and says nothing of it. It counts its sessions from 1, so the connection's name must be new
// for each DialerSession.
class DialerSession {
public:
    struct Output {
        std::vector<Frame> frames;
        std::vector<DialerArrival> arrivals;
        // The peer fell silent: what still waits in the transport is of no use, take a new connection.
        bool renew_transport = false;
    };

    // `rng`, for the jitter, and `counters`, which many may share, outlive this.
    DialerSession(std::uint32_t channel, std::uint64_t highest_epoch, Rng& rng, SessionCounters& counters, Time now,
                  const SessionOptions& options = {});

    void onFrame(Frame frame, Time now, Output& out);
    // False, and nothing done, unless `session` is connected now. A full outbox ends the session.
    bool send(std::uint64_t session, Body body, Time now, Output& out);
    // Ends `session` at once, with a reset and a Gone.
    void cut(std::uint64_t session, std::string_view why, Time now, Output& out);
    // The transport has a new connection: ask at once whether the acceptor still knows the session.
    void probe();
    // Says goodbye behind everything sent before, and dials no more. No arrival follows. closed() when it has arrived, or
    // was given up.
    void close(std::string_view why, Time now, Output& out);
    bool closed() const { return closed_ && !end_; }
    void flush(Time now, Output& out);
    void tick(Time now, Output& out);
    // Absent when closed().
    std::optional<Time> nextDeadline() const;

    std::uint64_t session() const { return connected_ ? number_ : 0; } // 0: not connected
    // The acceptor has answered and doesn't lead.
    bool standby() const { return end_ && end_->confirmed() && !connected_; }
    std::uint64_t highestEpoch() const { return highest_epoch_; }
    // Another source (a second master, the registry) has seen a higher epoch. Ends a session of a lower one.
    void raiseEpoch(std::uint64_t epoch, Time now, Output& out);

private:
    void dial(Time now);
    void emit(FrameKind kind, Output& out);
    void over(std::string_view why, bool renew_transport, Time now, Output& out);
    void run(Time now, bool timers, Output& out);

    const std::uint32_t channel_;
    const SessionOptions options_;
    Rng& rng_;
    SessionCounters& counters_;
    std::uint64_t highest_epoch_;
    std::uint64_t number_ = 0; // of the current or last session
    bool connected_ = false;   // the acceptor has answered with an epoch
    bool closed_ = false;
    std::optional<SessionEnd> end_;
    Time redial_at_{};
    Duration back_off_;
};

} // namespace stoa
