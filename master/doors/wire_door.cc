#include "master/doors/wire_door.h"

#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <utility>

namespace stoa::master {

std::optional<Input> WireDoor::read(const Arrival& arrival) {
    if (const auto* opened = std::get_if<arrival::Opened>(&arrival)) {
        kinds_[opened->peer] = Kind::kUnknown;
        return std::nullopt;
    }
    if (const auto* gone = std::get_if<arrival::Gone>(&arrival)) {
        if (kinds_.erase(gone->peer) == 0) return std::nullopt; // closed by us; its end was told
        LOG(INFO) << "session " << gone->peer << " ended: " << gone->why;
        return PeerGone{gone->peer};
    }
    const auto& message = std::get<arrival::Message>(arrival);
    auto kind = kinds_.find(message.peer);
    if (kind == kinds_.end()) return std::nullopt; // closed by us; this was under way
    switch (kind->second) {
    case Kind::kUnknown: return readFirst(message.peer, *message.body, kind->second);
    case Kind::kAgent: {
        absl::StatusOr<FromAgent> from = decodeFromAgent(*message.body);
        if (!from.ok()) return refuse(message.peer, toStd(from.status().message()));
        return AgentMessage{message.peer, *std::move(from)};
    }
    case Kind::kFramework: break;
    }
    absl::StatusOr<AddressedCall> call = decodeCall(*message.body);
    if (!call.ok()) return refuse(message.peer, toStd(call.status().message()));
    return FrameworkCall{message.peer, std::move(call->framework), std::move(call->call)};
}

// The two declarations differ in what a first message looks like: of agents only Register, whose place in the union is
// 0, may come first; a call's type is never 0. So neither is taken for the other.
std::optional<Input> WireDoor::readFirst(Peer peer, std::string_view bytes, Kind& kind) {
    absl::StatusOr<FromAgent> from = decodeFromAgent(bytes);
    if (from.ok() && std::holds_alternative<agent_says::Register>(*from)) {
        kind = Kind::kAgent;
        return AgentMessage{peer, *std::move(from)};
    }
    absl::StatusOr<AddressedCall> call = decodeCall(bytes);
    if (call.ok()) {
        // Whether it is SUBSCRIBE, as it must be, the core looks at.
        kind = Kind::kFramework;
        return FrameworkCall{peer, std::move(call->framework), std::move(call->call)};
    }
    // A damaged registration is as likely as a damaged call; both reasons help whoever wrote the peer.
    return refuse(peer,
                  concat("the first message is neither a registration (", from.ok() ? "" : from.status().message(),
                         ") nor a subscription (", call.status().message(), ")"));
}

Input WireDoor::refuse(Peer peer, std::string_view why) {
    ++malformed_;
    LOG_EVERY_N(WARNING, 100) << "session " << peer << " is closed for a malformed message (" << malformed_
                              << " so far): " << why;
    acceptor_.close(peer, std::string(why));
    kinds_.erase(peer);
    return PeerGone{peer};
}

void WireDoor::say(const ToAgentPeer& effect) { acceptor_.send(effect.peer, encode(effect.message)); }

void WireDoor::say(const ToFrameworkPeer& effect) { acceptor_.send(effect.peer, encode(effect.event)); }

void WireDoor::say(const ClosePeer& effect) {
    acceptor_.close(effect.peer, effect.why);
    kinds_.erase(effect.peer);
}

} // namespace stoa::master
