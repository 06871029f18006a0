#include "master/election/election.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa::master {

namespace {

namespace in = election_in;
namespace out = election_out;

using Actions = std::vector<ElectionAction>;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

} // namespace

void Election::step(const ElectionInput& input, Time now, Actions& actions) {
    // Whatever the input says of the past, a lease that has run out is looked at first.
    if (phase_ == Phase::kLeading && now >= lease_until_) {
        stepDown(concat("ZooKeeper has not answered for ", seconds(lease(session_timeout_)),
                        " s, and the session may have expired"),
                 actions);
    }
    if (phase_ == Phase::kOver) return;
    std::visit([&](const auto& one) { on(one, now, actions); }, input);
    if (phase_ == Phase::kClosed && now >= retry_at_) {
        phase_ = Phase::kOpening;
        actions.emplace_back(out::OpenSession{});
    }
    if (phase_ == Phase::kLeading && now >= probe_at_) {
        probe_at_ = now + lease(session_timeout_) / 4;
        if (connected_) actions.emplace_back(out::Probe{now});
    }
}

std::optional<Time> Election::nextDeadline() const {
    switch (phase_) {
    case Phase::kClosed: return retry_at_;
    case Phase::kLeading: return std::min(probe_at_, lease_until_);
    default: return std::nullopt;
    }
}

// Not in office: what a session leaves behind goes with it.
void Election::restart(Time now, Actions& actions) {
    actions.emplace_back(out::CloseSession{});
    phase_ = Phase::kClosed;
    connected_ = false;
    node_.clear();
    retry_at_ = now + retry_;
    retry_ = std::min(2 * retry_, kRetryMax);
}

void Election::stepDown(std::string why, Actions& actions) {
    actions.emplace_back(out::StepDown{std::move(why)});
    actions.emplace_back(out::CloseSession{});
    phase_ = Phase::kOver;
    connected_ = false;
    epoch_ = 0;
}

void Election::on(const in::Connected& connected, Time, Actions& actions) {
    connected_ = true;
    session_timeout_ = connected.session_timeout;
    if (phase_ == Phase::kOpening) {
        phase_ = Phase::kJoining;
        actions.emplace_back(out::Join{});
    } else if (phase_ == Phase::kStanding) {
        actions.emplace_back(out::List{}); // the last one may have been lost
    } else if (phase_ == Phase::kLeading) {
        probe_at_ = Time{}; // at once
    }
}

void Election::on(const in::Suspended&, Time, Actions&) { connected_ = false; }

void Election::on(const in::Expired& expired, Time now, Actions& actions) {
    if (phase_ == Phase::kLeading) {
        stepDown(concat("the session with ZooKeeper is over: ", expired.why), actions);
    } else if (phase_ != Phase::kClosed) {
        restart(now, actions);
    }
}

void Election::on(const in::Joined& joined, Time, Actions& actions) {
    if (phase_ != Phase::kJoining) return;
    phase_ = Phase::kStanding;
    node_ = joined.node;
    retry_ = kRetryMin;
    actions.emplace_back(out::List{});
}

// It may be there all the same: only the end of the session makes sure.
void Election::on(const in::JoinFailed&, Time now, Actions& actions) {
    if (phase_ == Phase::kJoining) restart(now, actions);
}

void Election::on(const in::Listed& listed, Time now, Actions& actions) {
    if (phase_ != Phase::kStanding) return;
    const auto ours = std::find(listed.candidates.begin(), listed.candidates.end(), node_);
    if (ours == listed.candidates.end()) {
        restart(now, actions);
    } else if (ours == listed.candidates.begin()) {
        phase_ = Phase::kTakingOffice;
        asked_at_ = now;
        actions.emplace_back(out::TakeOffice{node_});
    }
}

void Election::on(const in::ListFailed&, Time now, Actions& actions) {
    // Without a connection the next one lists again.
    if (phase_ == Phase::kStanding && connected_) restart(now, actions);
}

void Election::on(const in::Changed&, Time, Actions& actions) {
    if (phase_ == Phase::kStanding && connected_) actions.emplace_back(out::List{});
}

void Election::on(const in::OfficeTaken& taken, Time now, Actions& actions) {
    if (phase_ != Phase::kTakingOffice) return;
    lease_until_ = asked_at_ + lease(session_timeout_);
    // A pause between asking and hearing may have used it up.
    if (now >= lease_until_) return restart(now, actions);
    phase_ = Phase::kLeading;
    epoch_ = taken.epoch;
    probe_at_ = now;
    actions.emplace_back(out::Lead{epoch_});
}

void Election::on(const in::OfficeFailed& failed, Time now, Actions& actions) {
    if (phase_ != Phase::kTakingOffice) return;
    if (failed.refused && connected_) {
        phase_ = Phase::kStanding;
        actions.emplace_back(out::List{});
    } else {
        restart(now, actions);
    }
}

void Election::on(const in::Heard& heard, Time, Actions& actions) {
    if (phase_ != Phase::kLeading) return;
    if (heard.epoch != epoch_) {
        stepDown(concat("another master has taken office, of epoch ", heard.epoch), actions);
    } else {
        lease_until_ = std::max(lease_until_, heard.asked_at + lease(session_timeout_));
    }
}

void Election::on(const in::WriteFailed& failed, Time, Actions& actions) {
    if (phase_ == Phase::kLeading) stepDown(concat("a write of the registry failed: ", failed.why), actions);
}

} // namespace stoa::master
