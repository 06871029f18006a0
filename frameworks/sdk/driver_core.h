// The driver's decisions, without its sockets and its thread: when to subscribe and with which id, which offers still
// stand, what must be acknowledged, what may be said at all. The daemon half (driver.h) and the simulator feed it
// what the connection does and what the scheduler says, send what it wants sent, and tell the scheduler what it
// wants told.
//
//   core.step(Connected{7}, now, output);            // output.calls: one SUBSCRIBE
//   core.step(Received{event::Offers{…}}, now, output);  // output.told: the offers
//   core.call(call::Accept{…}, output);              // output.calls: the ACCEPT, or a status that says why not
//   core.told(update, output);                       // after the scheduler's update() returned: the acknowledgement
//
// States: disconnected -> (Connected) subscribing -> (SUBSCRIBED) subscribed -> (Gone) disconnected …; ended after an
// ERROR or teardown. Pure: no thread, no clock, no I/O. Owned by one driver.
#pragma once

#include "protocol/codec/framework_messages.h"
#include "protocol/message/framework.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::sdk {

// ---- In ------------------------------------------------------------------------------------------------------

// A session with a leader of this epoch is open.
struct Connected {
    std::uint64_t epoch = 0;
};
struct Gone {
    std::string why;
};
struct Received {
    Event event;
};
using DriverInput = std::variant<Connected, Gone, Received>;

// ---- Out -----------------------------------------------------------------------------------------------------

struct Disconnected {
    std::string why;
};
// What the scheduler is told, in order; each alternative is one of its callbacks.
using Told = std::variant<event::Subscribed, Disconnected, event::Offers, event::Rescind, event::Update, event::Message,
                          event::Failure, event::Error>;

struct DriverOutput {
    std::vector<AddressedCall> calls; // to the master, in order
    std::vector<Told> told;
    std::string drop_session; // not empty: this session must not be used; close it and try again, for this reason
};

class DriverCore {
public:
    struct Options {
        FrameworkInfo framework; // with its id when it subscribed in an earlier life
        std::vector<std::string> suppressed_roles;
        bool explicit_acknowledgements = false;
    };
    enum class State : std::uint8_t { kDisconnected, kSubscribing, kSubscribed, kEnded };

    explicit DriverCore(Options options) : options_(std::move(options)) {}

    void step(const DriverInput& input, Time now, DriverOutput& output);

    // What the scheduler says. Unavailable: not subscribed, and nothing was said (SetDemands is kept instead).
    // NotFound: an offer that does not stand. FailedPrecondition: the driver has ended.
    absl::Status call(Call call, DriverOutput& output);

    // The scheduler's callback for this returned: acknowledges an update, unless acknowledgements are explicit.
    void told(const Told& told, DriverOutput& output);

    State state() const { return state_; }
    const FrameworkId& frameworkId() const { return options_.framework.id; }
    std::uint64_t highestEpoch() const { return highest_epoch_; }
    std::size_t openOffers() const { return offers_.size(); }

private:
    void on(const Connected& connected, DriverOutput& output);
    void on(const Gone& gone, DriverOutput& output);
    void on(const Received& received, DriverOutput& output);
    void onEvent(const event::Subscribed& subscribed, DriverOutput& output);
    void onEvent(const event::Offers& offers, DriverOutput& output);
    void onEvent(const event::Rescind& rescind, DriverOutput& output);
    void onEvent(const event::Update& update, DriverOutput& output);
    void onEvent(const event::Message& message, DriverOutput& output);
    void onEvent(const event::Failure& failure, DriverOutput& output);
    void onEvent(const event::Error& error, DriverOutput& output);
    void onEvent(const event::Heartbeat&, DriverOutput&) {} // the session watches for silence
    absl::Status takeOffers(const std::vector<OfferId>& offers, bool accepted);
    void say(Call call, DriverOutput& output);

    Options options_;
    State state_ = State::kDisconnected;
    std::uint64_t highest_epoch_ = 0;
    std::optional<call::SetDemands> demands_; // as last said; restated at each subscription
    struct Open {
        AgentId agent;
        OfferId gang; // empty: of none
    };
    void forget(const OfferId& offer);
    void forgetAll();
    // Those that stand in this session; never iterated. Of a gang all stand or none.
    absl::flat_hash_map<OfferId, Open> offers_;
    absl::flat_hash_map<OfferId, std::vector<OfferId>> gangs_; // by the gang's first offer, in order
};

} // namespace stoa::sdk
