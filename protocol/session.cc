#include "protocol/session.h"

#include "protocol/strings.h"

#include <algorithm>

namespace stoa {

// ---- SessionTable --------------------------------------------------------------------------------------------

SessionTable::SessionTable(std::uint64_t epoch, const SessionOptions& options) : epoch_(epoch), options_(options) {}

void SessionTable::onFrame(std::string_view connection, Frame frame, Time now, Output& out) {
    ++counters_.frames_in;
    Key key(connection, frame.channel);
    std::optional<Slot> known;
    if (auto found = by_key_.find(key); found != by_key_.end()) known = found->second;
    const std::uint64_t number = known ? entries_[*known].number : 0;
    const bool current = known && entries_[*known].end && frame.session == number;
    if (current) {
        within(*known, std::move(frame), now, out);
    } else if (frame.session < number || frame.kind == FrameKind::kReset) {
        ++counters_.stale; // an earlier session's, or about what is over already
    } else if (frame.kind == FrameKind::kOpen && frame.session > number) {
        open(std::move(key), known, std::move(frame), now, out);
    } else {
        reset(key.first, frame, out);
    }
}

void SessionTable::open(Key key, std::optional<Slot> known, Frame frame, Time now, Output& out) {
    if (known && entries_[*known].end) over(*known, "a newer session of the same peer began", now, out);
    if (by_peer_.size() + closing_ >= kMostSessions) {
        ++counters_.refused_opens;
        reset(key.first, frame, out);
        return;
    }
    Slot slot = 0;
    if (known) {
        slot = *known;
    } else if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
    } else {
        slot = static_cast<Slot>(entries_.size());
        entries_.emplace_back();
    }
    Entry& entry = entries_[slot];
    if (!known) {
        by_key_.emplace(key, slot);
        entry.key = std::move(key);
    }
    entry.number = frame.session;
    entry.peer = ++last_peer_;
    entry.forget_at = Time::max();
    entry.end.emplace(SessionEnd::Role::kAcceptor, frame.session, frame.channel, epoch_, now, options_);
    by_peer_.emplace(entry.peer, slot);
    ++counters_.opened;
    out.arrivals.push_back(arrival::Opened{entry.peer});
    within(slot, std::move(frame), now, out);
}

void SessionTable::within(Slot slot, Frame frame, Time now, Output& out) {
    Entry& entry = entries_[slot];
    if (frame.kind == FrameKind::kReset) {
        ++counters_.resets_in;
        over(slot, "the peer no longer knows the session", now, out);
        return;
    }
    // What was said to the standby that this leader was may still be on its way; a message wasn't among it.
    const bool to_standby = frame.epoch == 0 && frame.kind != FrameKind::kData;
    if ((frame.epoch != epoch_ && !to_standby) || (epoch_ == 0 && frame.kind == FrameKind::kData)) {
        ++counters_.refused_epoch; // meant for another leader, whose session had the same number
        return;
    }
    const bool goodbye = frame.kind == FrameKind::kClose;
    SessionEnd::Verdict verdict = entry.end->onFrame(std::move(frame), now, options_, counters_);
    if (verdict.deliver) out.arrivals.push_back(arrival::Message{entry.peer, std::move(verdict.deliver)});
    if (verdict.ended) {
        if (goodbye) emit(entry, FrameKind::kAck, out); // lest it be repeated
        over(slot, verdict.why, now, out);
    } else {
        touch(slot);
    }
}

void SessionTable::reset(const std::string& connection, const Frame& unknown, Output& out) {
    Frame frame;
    frame.session = unknown.session;
    frame.epoch = epoch_;
    frame.channel = unknown.channel;
    frame.kind = FrameKind::kReset;
    ++counters_.resets_out;
    ++counters_.frames_out;
    out.frames.push_back({connection, std::move(frame)});
}

void SessionTable::emit(const Entry& entry, FrameKind kind, Output& out) {
    if (kind == FrameKind::kReset) ++counters_.resets_out;
    ++counters_.frames_out;
    out.frames.push_back({entry.key.first, entry.end->frame(kind)});
}

void SessionTable::over(Slot slot, std::string_view why, Time now, Output& out) {
    Entry& entry = entries_[slot];
    ++counters_.ended;
    if (entry.peer != 0) {
        by_peer_.erase(entry.peer);
        out.arrivals.push_back(arrival::Gone{std::exchange(entry.peer, 0), std::string(why)});
    } else {
        --closing_;
    }
    entry.end.reset();
    entry.forget_at = now + kRememberEnded;
    ended_.emplace_back(entry.forget_at, slot);
    forgetDue(now);
}

void SessionTable::forgetDue(Time now) {
    while (!ended_.empty() && (ended_.front().first <= now || ended_.size() > kMostEnded)) {
        const auto [forget_at, slot] = ended_.front();
        ended_.pop_front();
        Entry& entry = entries_[slot];
        if (entry.end || entry.forget_at != forget_at) continue; // begun anew, and perhaps ended again
        by_key_.erase(entry.key);
        deadlines_.cancel(slot);
        const bool touched = entry.touched;
        entry = Entry();
        entry.touched = touched;
        free_.push_back(slot);
    }
}

bool SessionTable::send(Peer peer, Body body, Time now, Output& out) {
    auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return false;
    const Slot slot = found->second;
    if (epoch_ == 0) return false;
    const std::size_t size = body->size();
    if (size > kLargestBody) {
        cut(peer, concat("a message to it had ", size, " bytes; the most is ", kLargestBody), now, out);
    } else if (!entries_[slot].end->send(std::move(body), options_, counters_)) {
        ++counters_.outbox_full;
        cut(peer, "it fell too far behind: its outbox was full", now, out);
    } else {
        touch(slot);
    }
    return true;
}

void SessionTable::close(Peer peer, std::string_view why, Time now) {
    auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;
    const Slot slot = found->second;
    by_peer_.erase(found);
    entries_[slot].peer = 0;
    entries_[slot].end->close(why, now, options_);
    ++closing_;
    touch(slot);
}

void SessionTable::closeAll(std::string_view why, Time now) {
    for (const Entry& entry : entries_) {
        if (entry.peer != 0) close(entry.peer, why, now);
    }
}

void SessionTable::lead(std::uint64_t epoch) {
    epoch_ = epoch;
    for (Slot slot = 0; slot < entries_.size(); ++slot) {
        if (!entries_[slot].end) continue;
        entries_[slot].end->lead(epoch);
        touch(slot);
    }
}

void SessionTable::cut(Peer peer, std::string_view why, Time now, Output& out) {
    auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;
    emit(entries_[found->second], FrameKind::kReset, out);
    over(found->second, why, now, out);
}

void SessionTable::touch(Slot slot) {
    if (std::exchange(entries_[slot].touched, true)) return;
    touched_.push_back(slot);
}

void SessionTable::run(Slot slot, Time now, bool timers, Output& out) {
    Entry& entry = entries_[slot];
    scratch_.clear();
    SessionEnd::Verdict verdict = entry.end->run(now, timers, options_, counters_, scratch_);
    for (Frame& frame : scratch_) out.frames.push_back({entry.key.first, std::move(frame)});
    if (verdict.ended) {
        emit(entry, FrameKind::kReset, out); // it may hear though it isn't heard
        over(slot, verdict.why, now, out);
    } else {
        deadlines_.lower(slot, entry.end->deadline(options_));
    }
}

void SessionTable::flush(Time now, Output& out) {
    for (Slot slot : touched_) {
        entries_[slot].touched = false;
        if (entries_[slot].end) run(slot, now, false, out);
    }
    touched_.clear();
    forgetDue(now);
}

void SessionTable::tick(Time now, Output& out) {
    while (std::optional<Slot> slot = deadlines_.popDue(now)) {
        const Entry& entry = entries_[*slot];
        if (!entry.end) continue;
        if (const Time due = entry.end->deadline(options_); due > now) {
            deadlines_.lower(*slot, due);
        } else {
            run(*slot, now, true, out);
        }
    }
    flush(now, out);
}

std::optional<std::string_view> SessionTable::connectionOf(Peer peer) const {
    auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return std::nullopt;
    return entries_[found->second].key.first;
}

// ---- DialerSession -------------------------------------------------------------------------------------------

DialerSession::DialerSession(std::uint32_t channel, std::uint64_t highest_epoch, Rng& rng, SessionCounters& counters,
                             Time now, const SessionOptions& options)
    : channel_(channel), options_(options), rng_(rng), counters_(counters), highest_epoch_(highest_epoch),
      back_off_(options.redial_min) {
    dial(now);
}

void DialerSession::dial(Time now) {
    ++number_;
    ++counters_.opened;
    end_.emplace(SessionEnd::Role::kDialer, number_, channel_, 0, now, options_);
}

void DialerSession::emit(FrameKind kind, Output& out) {
    if (kind == FrameKind::kReset) ++counters_.resets_out;
    ++counters_.frames_out;
    out.frames.push_back(end_->frame(kind));
}

void DialerSession::onFrame(Frame frame, Time now, Output& out) {
    ++counters_.frames_in;
    const bool standby = frame.epoch == 0;
    if (!standby && frame.epoch < highest_epoch_) {
        ++counters_.refused_epoch;
        return;
    }
    highest_epoch_ = std::max(highest_epoch_, frame.epoch);
    if (!end_ || frame.session != number_) {
        ++counters_.stale;
        if (frame.kind == FrameKind::kReset || frame.session > number_) return;
        // The acceptor holds a session that is over here: it opened on a late duplicate, or its goodbye's answer was lost.
        Frame reset;
        reset.session = frame.session;
        reset.channel = channel_;
        reset.kind = FrameKind::kReset;
        ++counters_.resets_out;
        ++counters_.frames_out;
        out.frames.push_back(std::move(reset));
        return;
    }
    if (frame.kind == FrameKind::kReset) {
        ++counters_.resets_in;
        over("the master doesn't know the session; it has restarted, or ended it", false, now, out);
        return;
    }
    if (standby && (connected_ || frame.kind == FrameKind::kData)) {
        ++counters_.stale; // said before it took office; and a standby has no messages
        return;
    }
    if (connected_ && frame.epoch != end_->epoch()) {
        over(concat("another master answers, of epoch ", frame.epoch), false, now, out);
        return;
    }
    if (standby) {
        back_off_ = options_.redial_min;
        end_->confirm(0);
    } else if (!connected_) {
        connected_ = true;
        back_off_ = options_.redial_min;
        end_->confirm(frame.epoch);
        out.arrivals.push_back(dialed::Connected{channel_, number_, frame.epoch});
    }
    const bool goodbye = frame.kind == FrameKind::kClose;
    SessionEnd::Verdict verdict = end_->onFrame(std::move(frame), now, options_, counters_);
    if (verdict.deliver) out.arrivals.push_back(dialed::Message{channel_, std::move(verdict.deliver)});
    if (verdict.ended) {
        if (goodbye) emit(FrameKind::kAck, out); // lest it be repeated
        over(verdict.why, false, now, out);
    }
}

bool DialerSession::send(std::uint64_t session, Body body, Time now, Output& out) {
    if (!connected_ || closed_ || session != number_) return false;
    const std::size_t size = body->size();
    if (size > kLargestBody) {
        cut(session, concat("a message had ", size, " bytes; the most is ", kLargestBody), now, out);
    } else if (!end_->send(std::move(body), options_, counters_)) {
        ++counters_.outbox_full;
        cut(session, "the master fell too far behind: the outbox was full", now, out);
    }
    return true;
}

void DialerSession::cut(std::uint64_t session, std::string_view why, Time now, Output& out) {
    if (!connected_ || closed_ || session != number_) return;
    emit(FrameKind::kReset, out);
    over(why, true, now, out);
}

void DialerSession::probe() {
    if (end_) end_->probe();
}

void DialerSession::close(std::string_view why, Time now, Output& out) {
    if (std::exchange(closed_, true) || !end_) return;
    if (end_->confirmed()) {
        end_->close(why, now, options_);
    } else {
        // Nothing was said; the acceptor may have seen the opening.
        emit(FrameKind::kReset, out);
        over("", false, now, out);
    }
}

void DialerSession::raiseEpoch(std::uint64_t epoch, Time now, Output& out) {
    if (epoch <= highest_epoch_) return;
    highest_epoch_ = epoch;
    if (connected_) over(concat("a master of epoch ", epoch, " has been seen"), false, now, out);
}

void DialerSession::over(std::string_view why, bool renew_transport, Time now, Output& out) {
    ++counters_.ended;
    if (connected_ && !closed_) out.arrivals.push_back(dialed::Gone{channel_, std::string(why)});
    connected_ = false;
    end_.reset();
    if (closed_) return;
    out.renew_transport |= renew_transport;
    const auto half = static_cast<std::uint64_t>(back_off_.count() / 2);
    redial_at_ = now + Duration(static_cast<Duration::rep>(half + rng_.below(half + 1)));
    back_off_ = std::min(2 * back_off_, options_.redial_max);
}

void DialerSession::run(Time now, bool timers, Output& out) {
    if (!end_) {
        if (closed_ || !timers || now < redial_at_) return;
        dial(now);
    }
    SessionEnd::Verdict verdict = end_->run(now, timers, options_, counters_, out.frames);
    if (!verdict.ended) return;
    emit(FrameKind::kReset, out); // it may hear though it isn't heard
    over(verdict.why, true, now, out);
}

void DialerSession::flush(Time now, Output& out) { run(now, false, out); }

void DialerSession::tick(Time now, Output& out) { run(now, true, out); }

std::optional<Time> DialerSession::nextDeadline() const {
    if (end_) return end_->deadline(options_);
    if (closed_) return std::nullopt;
    return redial_at_;
}

} // namespace stoa
