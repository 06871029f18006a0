// The master's ZeroMQ door: bytes of sessions become the core's inputs, and its effects become bytes. What a peer is, its
// first message says: an agent's is Register, a framework's SUBSCRIBE. A message that does not decode is counted, logged
// with its peer, and ends the session; whoever sent it dials and registers anew.
//
//     for (Arrival& arrival : acceptor.take()) if (auto input = door.read(arrival)) master.step(*input, …);
//     door.say(effect);
//
// With credentials, an agent's first message must be of a principal that may be an agent, a framework's of one that may
// be a framework, whose name becomes that of its info; whoever may not is told so in its own words and closed.
//
// Owned by the state thread. Decides nothing about the cluster.
#pragma once

#include "master/core/events.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/credentials/credentials.h"
#include "protocol/wire/acceptor.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace stoa::master {

class WireDoor {
public:
    // `acceptor` outlives the door; `credentials` are those that it was made with.
    explicit WireDoor(Acceptor& acceptor, SharedCredentials credentials = nullptr)
        : acceptor_(acceptor), credentials_(std::move(credentials)) {}

    std::optional<Input> read(const Arrival& arrival);
    void say(const ToAgentPeer& effect);
    void say(const ToFrameworkPeer& effect);
    void say(const ClosePeer& effect);

    std::uint64_t malformed() const { return malformed_; }

private:
    enum class Kind : std::uint8_t { kUnknown, kAgent, kFramework };

    struct Known {
        Kind kind = Kind::kUnknown;
        std::string principal;
    };

    std::optional<Input> readFirst(Peer peer, std::string_view bytes, Known& known);
    std::optional<Input> readCall(Peer peer, AddressedCall call, const Known& known);
    Input refuse(Peer peer, std::string_view why);
    void dismiss(Peer peer, Body last_words, const std::string& why);

    Acceptor& acceptor_;
    const SharedCredentials credentials_;
    absl::flat_hash_map<Peer, Known> known_;
    std::uint64_t malformed_ = 0;
};

} // namespace stoa::master
