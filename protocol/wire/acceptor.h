// The master's ZeroMQ port. An Acceptor binds a ROUTER socket and keeps the sessions (session.h) of every agent and
// framework that dials it, on a network thread of its own:
//
//     auto acceptor = Acceptor::create({.bind_address = "127.0.0.1", .port = 5052, .epoch = 7});
//     poll(acceptor->eventFd()); for (Arrival& arrival : acceptor->take()) …
//     acceptor->send(peer, encode(message));
//
// take(), send() and close() may be called from any one thread at a time, normally the owner's; none of them ever blocks
// on the network. Queues are bounded. When the owner doesn't take what arrived (kMostArrivals, kMostArrivalBytes) the
// network thread stops reading, so the peers' windows and outboxes fill, and the sessions' clock stands still
// meanwhile: nobody is taken for silent who wasn't heard. A peer whose messages can't be queued (kMostSendBytes, or its session's outbox) loses its
// session and dials anew.
//
// With epoch 0 it is a standby's: peers open their sessions and wait. lead() gives all of them the epoch; who is deposed
// ends the Acceptor.
//
// With credentials, nobody is heard whose key they don't admit, all is encrypted, and Opened tells the principal. A session
// is his who opened it: frames of another principal in his name are another connection's.
//
// What isn't a frame is counted by reason, logged with its sender at a limited rate, and dropped.
#pragma once

#include "protocol/credentials/credentials.h"
#include "protocol/session.h"
#include "protocol/wire/counters.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

struct AcceptorOptions {
    std::string bind_address = "127.0.0.1"; // an IP address, an interface's name, or "*"
    std::uint16_t port = 5052;              // 0: any free one
    std::uint64_t epoch = 1;                // the leader's, greater than that of any leader before; 0: a standby
    SessionOptions session = {};
    SharedCredentials credentials = {}; // whom to admit; null: everybody
    // How long the end waits for goodbyes to arrive. Zero: none are said, as in a crash.
    Duration linger = std::chrono::seconds(1);
    int io_threads = 1;
};

class Acceptor {
public:
    // More arrivals than a second of work; of bodies, a tenth of a small machine's memory.
    static constexpr std::size_t kMostArrivals = 100'000;
    static constexpr std::size_t kMostArrivalBytes = std::size_t{256} << 20;
    static constexpr std::size_t kMostSendBytes = std::size_t{256} << 20;

    // An error names the address: in use, not one of this machine's, not permitted.
    static absl::StatusOr<std::unique_ptr<Acceptor>> create(const AcceptorOptions& options);
    // Says goodbye to all, waits for what was sent at most options.linger, and ends.
    ~Acceptor();
    Acceptor(const Acceptor&) = delete;
    Acceptor& operator=(const Acceptor&) = delete;

    std::uint16_t boundPort() const;
    // Readable when take() has something; take() makes it unreadable again.
    int eventFd() const;
    std::vector<Arrival> take();
    // To a peer that is gone: dropped, since its Gone is on its way.
    void send(Peer peer, Body body);
    void send(Peer peer, std::string bytes) { send(peer, makeBody(std::move(bytes))); }
    // Behind everything sent to it before. No Gone follows; what had arrived before may still be taken.
    void close(Peer peer, std::string why);

    // A standby takes office, once. Messages come from now on, and send() has an effect.
    void lead(std::uint64_t epoch);

    WireCounters counters() const;

private:
    class Network;
    explicit Acceptor(std::unique_ptr<Network> network);
    std::unique_ptr<Network> network_;
};

} // namespace stoa
