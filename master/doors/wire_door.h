// The master's ZeroMQ door: bytes of sessions become the core's inputs, and its effects become bytes. What a peer is, its
// first message says: an agent's is Register, a framework's SUBSCRIBE. A message that does not decode is counted, logged
// with its peer, and ends the session; whoever sent it dials and registers anew.
//
//     for (Arrival& arrival : acceptor.take()) if (auto input = door.read(arrival)) master.step(*input, …);
//     door.say(effect);
//
// Owned by the state thread. Decides nothing about the cluster.
#pragma once

#include "master/core/events.h"
#include "protocol/wire/acceptor.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>

namespace stoa::master {

class WireDoor {
public:
    // `acceptor` outlives the door.
    explicit WireDoor(Acceptor& acceptor) : acceptor_(acceptor) {}

    std::optional<Input> read(const Arrival& arrival);
    void say(const ToAgentPeer& effect);
    void say(const ToFrameworkPeer& effect);
    void say(const ClosePeer& effect);

    std::uint64_t malformed() const { return malformed_; }

private:
    enum class Kind : std::uint8_t { kUnknown, kAgent, kFramework };

    std::optional<Input> readFirst(Peer peer, std::string_view bytes, Kind& kind);
    Input refuse(Peer peer, std::string_view why);

    Acceptor& acceptor_;
    absl::flat_hash_map<Peer, Kind> kinds_;
    std::uint64_t malformed_ = 0;
};

} // namespace stoa::master
