// Who of several masters leads, as one of them sees it: a candidacy from its first session with ZooKeeper to the end of its
// office. What happened comes in, what is to be done comes out, and whoever drives it (candidate.h, or the simulator) carries
// it out and says what came of it (but nothing of a session that it was told to close):
//
//     Election election;                       // asks for a session at once
//     election.step(election_in::Listed{names}, now, actions);  for (ElectionAction& action : actions) …
//     call step(election_in::Wake{}) by nextDeadline() at the latest, and after every pause of the process BEFORE anything is said
//
// The rules. A candidate is an ephemeral sequential node; the lowest takes office by advancing the version of the epoch's node,
// in one atomic write that also needs its own node to be there, so a session that has ended can't. That version is its
// epoch; every later write of the registry names it, and agents and frameworks refuse lower ones: these two are the
// fence. The leader's own clock only shortens the lie: it asks ZooKeeper for the epoch again and again, and what it asked
// at T proves that its session lives until T + timeout; well before that it steps down. A write of which nobody knows
// whether it happened (its connection was lost) is never guessed at: a candidate that isn't in office gives up its session,
// and with it its node, and begins again; a leader steps down, and whoever leads next reads what is there. Stepping
// down is final: the master starts over with a new Election.
//
// PURE: no ZooKeeper, clock, thread or chance; owned by the master's state thread, or the simulator.
#pragma once

#include "protocol/units.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::master {

// ---- In ------------------------------------------------------------------------------------------------------

namespace election_in {

// A connection with ZooKeeper, first or again, under the same session; what was agreed as its timeout.
struct Connected {
    Duration session_timeout{0};
};
// No connection; calls under way fail, as Joined and the others then say, or said already.
struct Suspended {};
// The session is over, or could not be opened at all.
struct Expired {
    std::string why;
};
// To Join: the name of the node (not its path), or an error, after which nobody knows whether it was made.
struct Joined {
    std::string node;
};
struct JoinFailed {
    std::string why;
};
// To List: the candidates' names, the lowest first. ListFailed is for a reason other than a lost connection, after which
// Connected has them listed again.
struct Listed {
    std::vector<std::string> candidates;
};
struct ListFailed {
    std::string why;
};
// The watch set by List has fired.
struct Changed {};
// To TakeOffice.
struct OfficeTaken {
    std::uint64_t epoch = 0;
};
// Refused: certainly not taken, e.g. since another took it meanwhile. Otherwise nobody knows.
struct OfficeFailed {
    bool refused = false;
    std::string why;
};
// To Probe: the epoch that stands now, for a Probe asked at that time.
struct Heard {
    Time asked_at;
    std::uint64_t epoch = 0;
};
// A write of the registry failed, for whatever reason.
struct WriteFailed {
    std::string why;
};
// Time has passed.
struct Wake {};

} // namespace election_in

using ElectionInput =
    std::variant<election_in::Connected, election_in::Suspended, election_in::Expired, election_in::Joined,
                 election_in::JoinFailed, election_in::Listed, election_in::ListFailed, election_in::Changed,
                 election_in::OfficeTaken, election_in::OfficeFailed, election_in::Heard, election_in::WriteFailed,
                 election_in::Wake>;

// ---- Out -----------------------------------------------------------------------------------------------------

namespace election_out {

// A new session; any earlier one has been closed.
struct OpenSession {};
// End it at once, which takes the candidate's node away.
struct CloseSession {};
// Make the ephemeral sequential node (and the path above it).
struct Join {};
// Ask for the candidates, with a watch.
struct List {};
// One atomic write: the epoch's node, set at the version read just before; our own node, told the epoch.
struct TakeOffice {
    std::string node;
};
// Read the epoch's node; answered with Heard{asked_at}, or not at all.
struct Probe {
    Time asked_at;
};
// In office: recover the registry, then speak under this epoch.
struct Lead {
    std::uint64_t epoch = 0;
};
// Say nothing more, write nothing more, and start over. Follows a Lead, once.
struct StepDown {
    std::string why;
};

} // namespace election_out

using ElectionAction =
    std::variant<election_out::OpenSession, election_out::CloseSession, election_out::Join, election_out::List,
                 election_out::TakeOffice, election_out::Probe, election_out::Lead, election_out::StepDown>;

class Election {
public:
    // Before a new session, doubling from the first to the second while none comes about.
    static constexpr Duration kRetryMin = std::chrono::milliseconds(500);
    static constexpr Duration kRetryMax = std::chrono::seconds(8);

    void step(const ElectionInput& input, Time now, std::vector<ElectionAction>& out);
    std::optional<Time> nextDeadline() const;

    std::uint64_t epoch() const { return epoch_; } // in office; else 0
    bool over() const { return phase_ == Phase::kOver; }
    // In office and by its own clock not yet bound to step down.
    bool leads(Time now) const { return phase_ == Phase::kLeading && now < lease_until_; }

    // Of a session's timeout, how much may pass unheard before a leader steps down: the rest is for ZooKeeper's servers,
    // which tell each other of a session's life a tick late. Probes go out at a quarter of it.
    static Duration lease(Duration session_timeout) { return session_timeout * 2 / 3; }

private:
    enum class Phase : std::uint8_t {
        kClosed,       // waits until retry_at_ to open a session
        kOpening,      // no connection yet
        kJoining,      // the node is being made
        kStanding,     // a candidate; another leads
        kTakingOffice, //
        kLeading,
        kOver,
    };

    void restart(Time now, std::vector<ElectionAction>& out);
    void stepDown(std::string why, std::vector<ElectionAction>& out);
    void on(const election_in::Connected&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Suspended&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Expired&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Joined&, Time, std::vector<ElectionAction>&);
    void on(const election_in::JoinFailed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Listed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::ListFailed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Changed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::OfficeTaken&, Time, std::vector<ElectionAction>&);
    void on(const election_in::OfficeFailed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Heard&, Time, std::vector<ElectionAction>&);
    void on(const election_in::WriteFailed&, Time, std::vector<ElectionAction>&);
    void on(const election_in::Wake&, Time, std::vector<ElectionAction>&) {}

    Phase phase_ = Phase::kClosed;
    bool connected_ = false;
    Time retry_at_{}; // kClosed: when a session is opened; the first at once
    Duration retry_ = kRetryMin;
    Duration session_timeout_{0};
    std::string node_; // ours, from kStanding on
    Time asked_at_{};  // kTakingOffice: when it was asked for
    std::uint64_t epoch_ = 0;
    Time lease_until_{};
    Time probe_at_{};
};

} // namespace stoa::master
