// One end of one session: the sliding window, the timers and the outbox, the same at both ends. Private to session.h,
// whose two classes own ends and decide when one begins; apart from it so that the window can be read, and tested, alone.
// Pure; owned by one thread.
#pragma once

#include "protocol/frame.h"
#include "protocol/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

struct SessionOptions {
    // An unacknowledged frame is sent again after the first, doubling up to the second.
    Duration retransmit_min = std::chrono::milliseconds(200);
    Duration retransmit_max = std::chrono::seconds(5);
    // An acknowledgement waits this long for data to ride on, or until so many frames have come. Well under
    // retransmit_min; the count well under the window.
    Duration ack_delay = std::chrono::milliseconds(20);
    std::uint32_t ack_every = 64;
    Duration keepalive = std::chrono::seconds(5);
    Duration silence = std::chrono::seconds(15); // three keepalives
    // How long a goodbye is repeated.
    Duration close_linger = std::chrono::seconds(5);
    // Before dialing again: a random time in [x/2, x], x doubling with each failure.
    Duration redial_min = std::chrono::milliseconds(100);
    Duration redial_max = std::chrono::seconds(5);
    // Frames sent ahead of their acknowledgement; less than what a ZeroMQ pipe holds, so that it rarely refuses one.
    std::uint32_t window = 1024;
    // Frames sent again at once after a time-out, the rest when one of them is acknowledged: a deaf peer isn't flooded.
    std::uint32_t retransmit_burst = 16;
    // Sent and not acknowledged. A peer that falls so far behind (ten seconds of 20,000 messages, or the largest body
    // twice over) is better told anew from the start; the session ends.
    std::size_t outbox_messages = 200'000;
    std::size_t outbox_bytes = 2 * kLargestBody;
};

// Sums over all sessions of an owner, from its start.
struct SessionCounters {
    std::uint64_t opened = 0;
    std::uint64_t ended = 0; // all ends, whatever the reason
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t bodies_in = 0;  // delivered
    std::uint64_t bodies_out = 0; // accepted for sending
    std::uint64_t retransmitted = 0;
    std::uint64_t duplicates = 0; // frames that had arrived before
    std::uint64_t gaps = 0;       // frames ahead of a missing one, dropped
    std::uint64_t stale = 0;      // frames of an earlier session, dropped
    std::uint64_t unexpected = 0; // frames that make no sense from this side, or acknowledge what wasn't sent; dropped
    std::uint64_t refused_epoch = 0; // frames of a lower epoch (dialer), or meant for another one (acceptor)
    std::uint64_t resets_in = 0;
    std::uint64_t resets_out = 0;
    std::uint64_t silent = 0;        // sessions ended by silence
    std::uint64_t outbox_full = 0;   // sessions ended by a full outbox
    std::uint64_t refused_opens = 0; // more sessions than the table holds

    SessionCounters& operator+=(const SessionCounters& other);
};

class SessionEnd {
public:
    enum class Role : std::uint8_t { kDialer, kAcceptor };

    // What one frame or the passing of time led to.
    struct Verdict {
        Body deliver; // may be null
        bool ended = false;
        std::string why; // when ended; empty when this end had said goodbye itself
    };

    // A dialer's end begins with its opening frame to be sent, and with epoch 0.
    SessionEnd(Role role, std::uint64_t number, std::uint32_t channel, std::uint64_t epoch, Time now,
               const SessionOptions& options);

    // `frame` is of this session and epoch. Resets are the owner's to handle.
    Verdict onFrame(Frame frame, Time now, const SessionOptions& options, SessionCounters& counters);
    // False when the outbox is full.
    bool send(Body body, const SessionOptions& options, SessionCounters& counters);
    void close(std::string_view why, Time now, const SessionOptions& options);
    // The next run() sends what is unacknowledged again, and in any case something.
    void probe();
    // Frames to be sent now; with `timers` also what the time makes due.
    Verdict run(Time now, bool timers, const SessionOptions& options, SessionCounters& counters,
                std::vector<Frame>& out);
    Time deadline(const SessionOptions& options) const;

    // The dialer's end: the acceptor has answered, with its epoch; once more when a standby takes office.
    void confirm(std::uint64_t epoch);
    // The acceptor's end: it takes office. The next run() says so.
    void lead(std::uint64_t epoch);
    bool confirmed() const { return confirmed_; }
    bool closing() const { return closing_; }
    std::uint64_t epoch() const { return epoch_; }
    Frame frame(FrameKind kind) const;

private:
    struct Entry {
        FrameKind kind = FrameKind::kData;
        Body body;
    };

    // An outbox of its own instead of std::deque, whose empty one takes 600 bytes.
    std::size_t outboxSize() const { return outbox_.size() - outbox_head_; }
    std::uint64_t endSeq() const { return base_ + outboxSize(); } // of the next that is sent
    void acknowledged(std::uint64_t ack, Time now, const SessionOptions& options);
    void acknowledging(Time now); // a frame goes out, and what arrived is acknowledged by it
    void transmit(Time now, const SessionOptions& options, SessionCounters& counters, std::vector<Frame>& out);

    static constexpr Time kNever = Time::max();

    std::uint64_t number_;
    std::uint64_t epoch_;
    std::uint32_t channel_;
    Role role_;
    bool confirmed_;
    bool closing_ = false;
    bool ack_now_ = false;
    bool recovering_ = false; // after a time-out, until something is acknowledged

    // Outgoing: outbox_[outbox_head_] has number base_. base_ ≤ next_ ≤ endSeq(), next_ ≤ sent_ + 1.
    std::vector<Entry> outbox_;
    std::size_t outbox_head_ = 0;
    std::size_t outbox_bytes_ = 0;
    std::uint64_t base_ = 1; // the lowest that isn't acknowledged
    std::uint64_t next_ = 1; // to be sent next
    std::uint64_t sent_ = 0; // the highest that was ever sent
    Time retransmit_at_ = kNever;
    Duration timeout_;

    // Incoming.
    std::uint64_t expected_ = 1;
    std::uint32_t unacknowledged_ = 0;
    Time ack_at_ = kNever;

    Time heard_;
    Time spoke_;
    Time close_by_ = kNever;
};

} // namespace stoa
