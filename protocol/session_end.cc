#include "protocol/session_end.h"

#include <algorithm>

namespace stoa {

SessionCounters& SessionCounters::operator+=(const SessionCounters& other) {
    opened += other.opened;
    ended += other.ended;
    frames_in += other.frames_in;
    frames_out += other.frames_out;
    bodies_in += other.bodies_in;
    bodies_out += other.bodies_out;
    retransmitted += other.retransmitted;
    duplicates += other.duplicates;
    gaps += other.gaps;
    stale += other.stale;
    unexpected += other.unexpected;
    refused_epoch += other.refused_epoch;
    resets_in += other.resets_in;
    resets_out += other.resets_out;
    silent += other.silent;
    outbox_full += other.outbox_full;
    refused_opens += other.refused_opens;
    return *this;
}

SessionEnd::SessionEnd(Role role, std::uint64_t number, std::uint32_t channel, std::uint64_t epoch, Time now,
                       const SessionOptions& options)
    : number_(number), epoch_(epoch), channel_(channel), role_(role), confirmed_(role == Role::kAcceptor),
      timeout_(options.retransmit_min), heard_(now), spoke_(now) {
    if (role == Role::kDialer) outbox_.push_back({FrameKind::kOpen, nullptr});
}

void SessionEnd::confirm(std::uint64_t epoch) {
    confirmed_ = true;
    epoch_ = epoch;
}

void SessionEnd::lead(std::uint64_t epoch) {
    epoch_ = epoch;
    ack_now_ = true;
}

Frame SessionEnd::frame(FrameKind kind) const {
    Frame frame;
    frame.session = number_;
    frame.epoch = epoch_;
    frame.ack = expected_ - 1;
    frame.channel = channel_;
    frame.kind = kind;
    return frame;
}

SessionEnd::Verdict SessionEnd::onFrame(Frame frame, Time now, const SessionOptions& options,
                                        SessionCounters& counters) {
    Verdict verdict;
    const bool opening = frame.kind == FrameKind::kOpen;
    if (frame.ack > sent_ || (opening && role_ == Role::kDialer)) {
        ++counters.unexpected;
        return verdict;
    }
    heard_ = now;
    acknowledged(frame.ack, now, options);
    if (frame.seq > 0) {
        if (frame.seq < expected_) {
            ++counters.duplicates;
            ack_now_ = true;
        } else if (frame.seq > expected_) {
            ++counters.gaps;
            ack_now_ = true;
        } else {
            ++expected_;
            if (++unacknowledged_ >= options.ack_every || opening) ack_now_ = true;
            ack_at_ = std::min(ack_at_, now + options.ack_delay);
            if (frame.kind == FrameKind::kClose) {
                verdict.ended = true;
                verdict.why = frame.body && !frame.body->empty() ? *frame.body : "closed by the peer";
            } else if (frame.kind == FrameKind::kData && !closing_) {
                ++counters.bodies_in;
                verdict.deliver = std::move(frame.body);
            }
        }
    }
    if (closing_ && outboxSize() == 0) verdict.ended = true;
    return verdict;
}

void SessionEnd::acknowledged(std::uint64_t ack, Time now, const SessionOptions& options) {
    if (ack < base_) return;
    for (; base_ <= ack; ++base_) {
        Entry& entry = outbox_[outbox_head_++];
        if (entry.body) outbox_bytes_ -= entry.body->size();
        entry.body.reset();
    }
    if (outbox_head_ == outbox_.size()) {
        outbox_.clear();
        outbox_head_ = 0;
        if (outbox_.capacity() > options.window) outbox_.shrink_to_fit(); // back to small after a flood
    } else if (outbox_head_ * 2 > outbox_.size()) {
        outbox_.erase(outbox_.begin(), outbox_.begin() + static_cast<std::ptrdiff_t>(outbox_head_));
        outbox_head_ = 0;
    }
    next_ = std::max(next_, base_);
    recovering_ = false;
    timeout_ = options.retransmit_min;
    retransmit_at_ = base_ <= sent_ ? now + timeout_ : kNever;
}

bool SessionEnd::send(Body body, const SessionOptions& options, SessionCounters& counters) {
    if (outboxSize() >= options.outbox_messages || outbox_bytes_ + body->size() > options.outbox_bytes) return false;
    ++counters.bodies_out;
    outbox_bytes_ += body->size();
    outbox_.push_back({FrameKind::kData, std::move(body)});
    return true;
}

void SessionEnd::close(std::string_view why, Time now, const SessionOptions& options) {
    closing_ = true;
    close_by_ = now + options.close_linger;
    Body goodbye = makeBody(std::string(why.substr(0, kLongestGoodbye)));
    outbox_bytes_ += goodbye->size();
    outbox_.push_back({FrameKind::kClose, std::move(goodbye)});
}

void SessionEnd::probe() {
    next_ = base_;
    recovering_ = base_ <= sent_;
    ack_now_ = true;
}

SessionEnd::Verdict SessionEnd::run(Time now, bool timers, const SessionOptions& options, SessionCounters& counters,
                                    std::vector<Frame>& out) {
    Verdict verdict;
    if (timers) {
        if (now >= close_by_) {
            verdict.ended = true;
            return verdict;
        }
        if (now - heard_ >= options.silence) {
            ++counters.silent;
            verdict.ended = true;
            verdict.why = "silent for too long";
            return verdict;
        }
        if (now >= retransmit_at_) {
            next_ = base_;
            recovering_ = true;
            timeout_ = std::min(2 * timeout_, options.retransmit_max);
            retransmit_at_ = kNever;
        }
    }
    transmit(now, options, counters, out);
    // Before the acceptor has answered there is nothing to acknowledge, and it might not know the session yet.
    const bool due = ack_now_ || (timers && (now >= ack_at_ || now - spoke_ >= options.keepalive));
    if (confirmed_ && due) {
        out.push_back(frame(FrameKind::kAck));
        acknowledging(now);
        ++counters.frames_out;
    }
    return verdict;
}

void SessionEnd::transmit(Time now, const SessionOptions& options, SessionCounters& counters, std::vector<Frame>& out) {
    // The opening frame goes alone: what would overtake it would be reset.
    const std::uint64_t ahead = !confirmed_ ? 1 : recovering_ ? options.retransmit_burst : options.window;
    const std::uint64_t stop = std::min(endSeq(), base_ + ahead);
    if (next_ >= stop) return;
    for (; next_ < stop; ++next_) {
        const Entry& entry = outbox_[outbox_head_ + (next_ - base_)];
        Frame& sent = out.emplace_back(frame(entry.kind));
        sent.seq = next_;
        sent.body = entry.body;
        ++counters.frames_out;
        if (next_ <= sent_) {
            ++counters.retransmitted;
        } else {
            sent_ = next_;
        }
    }
    if (retransmit_at_ == kNever) retransmit_at_ = now + timeout_;
    acknowledging(now);
}

void SessionEnd::acknowledging(Time now) {
    spoke_ = now;
    ack_now_ = false;
    ack_at_ = kNever;
    unacknowledged_ = 0;
}

Time SessionEnd::deadline(const SessionOptions& options) const {
    const Time keepalive = confirmed_ ? spoke_ + options.keepalive : kNever;
    return std::min({heard_ + options.silence, keepalive, ack_at_, retransmit_at_, close_by_});
}

} // namespace stoa
