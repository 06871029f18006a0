// The way to a master's ZeroMQ port, for agents and frameworks. A Dialer connects a DEALER socket on a network thread of
// its own, opens a session (session.h), and opens another whenever one ends, with jittered back-off, for as long as it lives:
//
//     auto dialer = Dialer::create({.address = "127.0.0.1:5052", .highest_epoch = persisted});
//     poll(dialer->eventFd()); for (DialerArrival& arrival : dialer->take()) …   // Connected, Message…, Gone, Connected …
//     dialer->send(encode(message));
//
// send() belongs to the session whose Connected was taken last: what is said between a session's end and the owner's
// taking notice never slips into the next session. take(), send() and raiseEpoch() may be called from any one thread at a
// time, normally the owner's; none blocks on the network. Bounds as for Acceptor: an owner who doesn't take makes the
// network thread stop reading; a full outbox ends the session.
//
// A standby's session is open and isn't spoken of: Connected comes when the master at the address takes office.
//
// With several channels it holds a session for each over one connection: an agent each, for a program that plays many.
#pragma once

#include "protocol/credentials/credentials.h"
#include "protocol/session.h"
#include "protocol/wire/counters.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa {

struct DialerOptions {
    std::string address = "127.0.0.1:5052"; // host:port
    std::uint64_t highest_epoch = 0;        // frames of a lower one are refused
    std::uint32_t channels = 1;
    SessionOptions session = {};
    SharedCredentials credentials = {}; // null: none
    // How long the end waits for what was sent to arrive. Zero: no goodbye is said, as in a crash.
    Duration linger = std::chrono::seconds(1);
};

class Dialer {
public:
    static constexpr std::size_t kMostArrivals = 100'000;
    static constexpr std::size_t kMostArrivalBytes = std::size_t{256} << 20;
    static constexpr std::size_t kMostSendBytes = std::size_t{256} << 20;

    // An error means that the address makes no sense; a master that isn't there is waited for.
    static absl::StatusOr<std::unique_ptr<Dialer>> create(const DialerOptions& options);
    // Says goodbye, waits for what was sent at most options.linger, and ends.
    ~Dialer();
    Dialer(const Dialer&) = delete;
    Dialer& operator=(const Dialer&) = delete;

    // Readable when take() has something; take() makes it unreadable again.
    int eventFd() const;
    std::vector<DialerArrival> take();
    // In the session whose Connected was taken last. False, and dropped, when there is none.
    bool send(Body body, std::uint32_t channel = 0);
    bool send(std::string bytes, std::uint32_t channel = 0) { return send(makeBody(std::move(bytes)), channel); }
    // In the session of that Connected, for who holds messages back; dropped when it is over.
    void sendIn(std::uint64_t session, Body body, std::uint32_t channel = 0);

    // Why nobody there will ever answer as things stand, in the user's words: it wants a credential, doesn't know this one,
    // or isn't who it should be. eventFd() becomes readable when that is found. It is tried again all the same.
    std::optional<std::string> refusal() const;

    std::uint64_t highestEpoch() const;
    // Another Dialer, or the registry, has seen a higher epoch: refuse what is lower here, too.
    void raiseEpoch(std::uint64_t epoch);

    WireCounters counters() const;

private:
    class Network;
    explicit Dialer(std::unique_ptr<Network> network);
    std::unique_ptr<Network> network_;
};

} // namespace stoa
