// The doors of the master's core: what comes in, what goes out. The core decides and does nothing else: it takes an
// event and the time, and appends to an Output what is to be stored and what is to be said. There are no callbacks,
// because a caller that must carry out a list can't be re-entered half-way through a decision, and because the
// simulator can then delay, lose or reorder each element of the list as a real machine would.
//
// The daemon (or the simulator) numbers the appended records in order, hands the effects to OutputCommit with the
// record each waits for, and sends what that releases. Plain values, owned by whoever holds them.
#pragma once

#include "protocol/message/agent.h"
#include "protocol/message/framework.h"
#include "protocol/output_commit.h"

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace stoa::master {

// A session with an agent or a framework's driver, or an HTTP scheduler's stream: the door's number for it, never
// used again once it has ended. One number space for all.
using Peer = std::uint64_t;

// ---- In ------------------------------------------------------------------------------------------------------

struct AgentMessage {
    Peer peer = 0;
    FromAgent message;
};
struct FrameworkCall {
    Peer peer = 0;
    FrameworkId framework; // as the call says; empty in a first SUBSCRIBE
    Call call;
    // Not 0: whoever said it waits for a CallAnswered with this number. Only UPDATE_FRAMEWORK has an answer.
    std::uint64_t request = 0;
};
// What an operator may change.
struct TearDownFramework {
    FrameworkId framework;
};
struct KillTask {
    FrameworkId framework;
    TaskId task;
};
using Wish = std::variant<TearDownFramework, KillTask>;
// Answered by a CallAnswered with this number, to peer 0.
struct OperatorWish {
    std::uint64_t request = 0;
    Wish wish;
};
// The session ended or its peer fell silent; messages sent in it may not have arrived.
struct PeerGone {
    Peer peer = 0;
};
// A deadline (nextDeadline()) passed; step() looks at what is due at `now`, whatever the event.
struct Wake {};

using Input = std::variant<AgentMessage, FrameworkCall, OperatorWish, PeerGone, Wake>;

// ---- The registry's records ----------------------------------------------------------------------------------

// Which of an absent agent's tasks their frameworks were told have ended: should it come back with one, that must not go
// on, and nothing more is said of it.
enum class Disowned : std::uint8_t { kNone, kUncheckpointed, kAll };

struct AgentAdmitted { // also a change of what is known of it
    AgentInfo info;
    Incarnation incarnation;
    Disowned disowned = Disowned::kNone;
};
struct AgentUnreachable {
    AgentId agent;
    WallTime since{}; // 0: by a version that did not keep it
};
struct AgentRemoved {
    AgentId agent;
};
struct FrameworkStored { // subscribed, or its info changed
    FrameworkInfo info;
    std::string principal;
};
// Disconnected: removed when `remaining` has passed, counted anew by a new leader from where it stood.
struct FrameworkDeadline {
    FrameworkId framework;
    Duration remaining{0};
};
struct FrameworkRemoved {
    FrameworkId framework;
};
struct WeightSet {
    std::string role;
    double weight = 1;
};

using Record = std::variant<AgentAdmitted, AgentUnreachable, AgentRemoved, FrameworkStored, FrameworkDeadline,
                            FrameworkRemoved, WeightSet>;

// What the registry held when this master became leader: records in order, replayed by Master's constructor.
struct Recovered {
    std::vector<Record> records;
};

// ---- Out -----------------------------------------------------------------------------------------------------

struct ToAgentPeer {
    Peer peer = 0;
    ToAgent message;
};
struct ToFrameworkPeer {
    Peer peer = 0;
    Event event;
};
// After everything already said to the peer.
struct ClosePeer {
    Peer peer = 0;
    std::string why;
};

// What became of a call that asked for it.
struct CallAnswered {
    Peer peer = 0;
    std::uint64_t request = 0;
    absl::Status status;
};

// ---- Deltas: the read model is their sum ------------------------------------------------------------------------

struct AgentChanged {
    AgentInfo info;
    enum class State : std::uint8_t { kActive, kDisconnected, kUnreachable, kRecovered } state = State::kActive;
    WallTime since;
};
struct AgentForgotten {
    AgentId agent;
};
struct FrameworkChanged {
    FrameworkInfo info;
    bool active = false;
    WallTime since;
};
struct FrameworkForgotten {
    FrameworkId framework;
};
struct TaskChanged {
    FrameworkId framework;
    TaskInfo info;
    TaskState state = TaskState::kStaging;
    TaskStatus status; // the latest
};
struct ExecutorChanged {
    FrameworkId framework;
    AgentId agent;
    ExecutorInfo info;
};
struct ExecutorGone {
    FrameworkId framework;
    AgentId agent;
    ExecutorId executor;
};
struct OfferMade {
    Offer offer;
};
struct OfferGone {
    OfferId offer;
};

using Delta = std::variant<AgentChanged, AgentForgotten, FrameworkChanged, FrameworkForgotten, TaskChanged,
                           ExecutorChanged, ExecutorGone, OfferMade, OfferGone>;

using Effect = std::variant<ToAgentPeer, ToFrameworkPeer, ClosePeer, CallAnswered, Delta>;

// `waits_for` is an index into this master's sequence of records: the caller's count of records appended before this
// Output plus what it holds so far. Master keeps that count itself (Master::recordsAppended()).
struct Output {
    struct Said {
        Effect effect;
        RecordNumber waits_for = 0;
    };
    std::vector<Record> records;
    std::vector<Said> effects;
};

} // namespace stoa::master
