#include "master/doors/wire_door.h"

#include "master/doors/principal.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <utility>

namespace stoa::master {

std::optional<Input> WireDoor::read(const Arrival& arrival) {
    if (const auto* opened = std::get_if<arrival::Opened>(&arrival)) {
        known_[opened->peer] = {Kind::kUnknown, opened->principal};
        return std::nullopt;
    }
    if (const auto* gone = std::get_if<arrival::Gone>(&arrival)) {
        if (known_.erase(gone->peer) == 0) return std::nullopt; // closed by us; its end was told
        LOG(INFO) << "session " << gone->peer << " ended: " << gone->why;
        return PeerGone{gone->peer};
    }
    const auto& message = std::get<arrival::Message>(arrival);
    auto known = known_.find(message.peer);
    if (known == known_.end()) return std::nullopt; // closed by us; this was under way
    switch (known->second.kind) {
    case Kind::kUnknown: return readFirst(message.peer, *message.body, known->second);
    case Kind::kAgent: {
        absl::StatusOr<FromAgent> from = decodeFromAgent(*message.body);
        if (!from.ok()) return refuse(message.peer, toStd(from.status().message()));
        return AgentMessage{message.peer, *std::move(from)};
    }
    case Kind::kFramework: break;
    }
    absl::StatusOr<AddressedCall> call = decodeCall(*message.body);
    if (!call.ok()) return refuse(message.peer, toStd(call.status().message()));
    return readCall(message.peer, *std::move(call), known->second);
}

// Who a framework is, its key has shown; the info says the same, or says nothing and is completed.
std::optional<Input> WireDoor::readCall(Peer peer, AddressedCall call, const Known& known) {
    const auto other = credentials_ ? completePrincipal(call.call, known.principal) : std::nullopt;
    if (other) {
        const std::string why = concat("the framework names \"", *other,
                                       "\" as its principal, and its credential is that of \"", known.principal, "\"");
        dismiss(peer, makeBody(encode(Event(event::Error{why}))), why);
        return PeerGone{peer};
    }
    return FrameworkCall{peer, std::move(call.framework), std::move(call.call)};
}

// The two declarations differ in what a first message looks like: of agents only Register, whose place in the union is
// 0, may come first; a call's type is never 0. So neither is taken for the other.
std::optional<Input> WireDoor::readFirst(Peer peer, std::string_view bytes, Known& known) {
    const auto denied = [&](Right right, std::string_view what) -> std::optional<std::string> {
        if (!credentials_ || credentials_->may(known.principal, right)) return std::nullopt;
        return concat("the credential of \"", known.principal, "\" is not one of ", what);
    };
    absl::StatusOr<FromAgent> from = decodeFromAgent(bytes);
    if (from.ok() && std::holds_alternative<agent_says::Register>(*from)) {
        if (const auto why = denied(Right::kAgent, "an agent")) {
            dismiss(peer, makeBody(encode(ToAgent(master_says::Refused{*why}))), *why);
            return std::nullopt;
        }
        known.kind = Kind::kAgent;
        return AgentMessage{peer, *std::move(from)};
    }
    absl::StatusOr<AddressedCall> call = decodeCall(bytes);
    if (call.ok()) {
        // Whether it is SUBSCRIBE, as it must be, the core looks at.
        if (const auto why = denied(Right::kFramework, "a framework")) {
            dismiss(peer, makeBody(encode(Event(event::Error{*why}))), *why);
            return std::nullopt;
        }
        known.kind = Kind::kFramework;
        return readCall(peer, *std::move(call), known);
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
    known_.erase(peer);
    return PeerGone{peer};
}

void WireDoor::dismiss(Peer peer, Body last_words, const std::string& why) {
    LOG_EVERY_T(WARNING, 1) << "session " << peer << " is closed: " << why;
    acceptor_.send(peer, std::move(last_words));
    acceptor_.close(peer, why);
    known_.erase(peer);
}

void WireDoor::say(const ToAgentPeer& effect) { acceptor_.send(effect.peer, encode(effect.message)); }

void WireDoor::say(const ToFrameworkPeer& effect) { acceptor_.send(effect.peer, encode(effect.event)); }

void WireDoor::say(const ClosePeer& effect) {
    acceptor_.close(effect.peer, effect.why);
    known_.erase(effect.peer);
}

} // namespace stoa::master
