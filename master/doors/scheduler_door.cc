#include "master/doors/scheduler_door.h"

#include "master/core/frameworks.h"
#include "master/doors/api_request.h"
#include "master/doors/principal.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>
#include <glog/logging.h>

#include <memory>
#include <random>
#include <utility>

namespace stoa::master {

namespace {

using http::Request;
using http::Responder;
using http::Response;
using http::textResponse;

constexpr std::string_view kStreamId = "Mesos-Stream-Id";

// Nobody else may be able to guess it: it is what a call on the stream proves itself with.
std::string newStreamId() {
    std::random_device chance;
    return absl::StrFormat("%08x-%04x-%04x-%08x%04x", chance(), chance() & 0xffff, chance() & 0xffff, chance(),
                           chance() & 0xffff);
}

int statusOf(const absl::Status& status) {
    switch (status.code()) {
    case absl::StatusCode::kUnimplemented: return 501;
    case absl::StatusCode::kPermissionDenied: return 403;
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kAborted: return 409;
    default: return 400;
    }
}

Response refusal(const absl::Status& status) { return textResponse(statusOf(status), concat(status.message(), "\n")); }

Response busy() { return textResponse(503, "too many calls wait for the master; say it again later\n"); }

void subscribe(HttpCalls& calls, const Request& request, absl::StatusOr<AddressedCall> call, Responder reply,
               Peer peer) {
    const std::string stream_id = newStreamId();
    Response head = streamHead();
    head.headers.emplace_back(std::string(kStreamId), stream_id);
    http::Stream stream = reply.stream(std::move(head));
    const auto fail = [&](std::string why) {
        stream.write(record(toJson(Event(event::Error{std::move(why)}))));
        stream.end();
    };
    // An info that can't be is told to a subscriber as an event: he listens to the stream already.
    if (!call.ok()) return fail(std::string(call.status().message()));
    HttpArrival arrival = HttpSubscribe{peer, stream_id, stream, std::move(call->framework),
                                        std::move(std::get<call::Subscribe>(call->call))};
    if (!calls.put(arrival, request.body.size())) return fail("too many calls wait for the master; subscribe later");
    stream.onEnd([&calls, peer](std::string why) { calls.putGone({peer, std::move(why)}); });
}

// A framework's info names the principal who says it, or none and is completed.
std::optional<Response> complete(absl::StatusOr<AddressedCall>& call, const std::optional<std::string>& principal) {
    if (!call.ok() || !principal) return std::nullopt;
    const auto other = completePrincipal(call->call, *principal);
    if (!other) return std::nullopt;
    return textResponse(400, concat("framework_info.principal: \"", *other, "\" is not \"", *principal,
                                    "\", whose credential this is\n"));
}

// In the order in which a v1 server checks: a client sees the same answer to the same mistake.
void takeCall(HttpCalls& calls, http::Gate& gate, const Request& request, Responder reply, Peer& last_peer) {
    if (auto refused = refuseContentType(request)) return reply.respond(*std::move(refused));
    absl::StatusOr<AddressedCall> call = callFromJson(request.body);
    std::optional<std::string> principal;
    if (const Admitted* who = gate.who(request)) principal = who->principal;
    const bool subscribes =
        call.ok() ? std::holds_alternative<call::Subscribe>(call->call) : absl::IsFailedPrecondition(call.status());
    if (!call.ok() && !subscribes) return reply.respond(refusal(call.status()));
    if (subscribes) {
        if (auto refused = refuseAccept(request)) return reply.respond(*std::move(refused));
        if (!request.header(kStreamId).empty()) {
            return reply.respond(
                textResponse(400, concat("SUBSCRIBE opens a stream of its own: send it without ", kStreamId, "\n")));
        }
        if (auto refused = complete(call, principal)) return reply.respond(*std::move(refused));
        return subscribe(calls, request, std::move(call), std::move(reply), ++last_peer);
    }
    if (auto refused = complete(call, principal)) return reply.respond(*std::move(refused));
    HttpArrival arrival =
        HttpCall{std::string(request.header(kStreamId)), *std::move(call), std::move(reply), principal};
    if (!calls.put(arrival, request.body.size())) std::get<HttpCall>(arrival).reply.respond(busy());
}

} // namespace

void routeScheduler(http::Router& router, HttpCalls& calls, http::Gate& gate) {
    auto last_peer = std::make_shared<Peer>(kFirstHttpPeer);
    const auto handler = [&calls, &gate, last_peer](const Request& request, Responder reply) {
        takeCall(calls, gate, request, std::move(reply), *last_peer);
    };
    router.subtree("POST", "/api/v1/scheduler", handler);
}

// ---- The state thread's half -------------------------------------------------------------------------------------

std::optional<Input> SchedulerDoor::read(HttpArrival& arrival, const Master& master) {
    if (auto* subscription = std::get_if<HttpSubscribe>(&arrival)) return read(*subscription);
    if (auto* call = std::get_if<HttpCall>(&arrival)) return read(*call, master);
    if (auto* wish = std::get_if<HttpWish>(&arrival)) return read(*wish);
    const auto& gone = std::get<HttpGone>(arrival);
    if (schedulers_.erase(gone.peer) == 0) return std::nullopt; // closed by us; its end was told
    LOG(INFO) << "scheduler's stream " << (gone.peer - kFirstHttpPeer) << " ended: " << gone.why;
    return PeerGone{gone.peer};
}

std::optional<Input> SchedulerDoor::read(HttpSubscribe& arrival) {
    schedulers_[arrival.peer] = {arrival.stream_id, std::move(arrival.stream), arrival.call.info.capabilities};
    return FrameworkCall{arrival.peer, std::move(arrival.framework), std::move(arrival.call)};
}

std::optional<Response> SchedulerDoor::refuse(const HttpCall& arrival, const Master& master) const {
    const FrameworkId& id = arrival.call.framework;
    const Framework* framework = master.frameworks().find(id);
    if (framework == nullptr) {
        return textResponse(400, concat("no framework has the id \"", id.value(), "\": subscribe first\n"));
    }
    if (arrival.principal && framework->info.principal != *arrival.principal) {
        return textResponse(
            400, concat("framework \"", id.value(), "\" is another principal's than \"", *arrival.principal, "\"\n"));
    }
    const auto scheduler = framework->active() ? schedulers_.find(framework->peer) : schedulers_.end();
    if (scheduler == schedulers_.end()) {
        return textResponse(403, concat("framework \"", id.value(), "\" is not subscribed over HTTP\n"));
    }
    if (arrival.stream_id.empty()) {
        return textResponse(400, concat(callName(arrival.call.call), " needs the header ", kStreamId,
                                        " that SUBSCRIBE was answered with\n"));
    }
    if (arrival.stream_id != scheduler->second.stream_id) {
        return textResponse(
            400, concat("\"", arrival.stream_id, "\" is not the stream of framework \"", id.value(), "\"\n"));
    }
    return std::nullopt;
}

std::optional<Input> SchedulerDoor::read(HttpCall& arrival, const Master& master) {
    if (auto refused = refuse(arrival, master)) {
        arrival.reply.respond(*std::move(refused));
        return std::nullopt;
    }
    FrameworkCall call{master.frameworks().find(arrival.call.framework)->peer, arrival.call.framework,
                       std::move(arrival.call.call)};
    if (const auto* update = std::get_if<call::UpdateFramework>(&call.call)) {
        call.request = ++last_request_;
        asked_.emplace(call.request, Asked{std::move(arrival.reply), update->info.capabilities});
    } else {
        arrival.reply.respond(textResponse(202, ""));
    }
    return call;
}

std::optional<Input> SchedulerDoor::read(HttpWish& arrival) {
    const std::uint64_t request = ++last_request_;
    asked_.emplace(request, Asked{std::move(arrival.reply), std::nullopt});
    return OperatorWish{request, std::move(arrival.wish)};
}

void SchedulerDoor::say(const ToFrameworkPeer& effect) {
    const auto scheduler = schedulers_.find(effect.peer);
    if (scheduler == schedulers_.end()) return; // its end is on the way to the core
    // That a stream is over, be it for being too slow, is heard as HttpGone.
    scheduler->second.stream.write(record(toJson(effect.event, scheduler->second.reads)));
}

void SchedulerDoor::say(const ClosePeer& effect) {
    const auto scheduler = schedulers_.find(effect.peer);
    if (scheduler == schedulers_.end()) return;
    scheduler->second.stream.end();
    schedulers_.erase(scheduler);
}

void SchedulerDoor::say(const CallAnswered& effect) {
    const auto asked = asked_.find(effect.request);
    if (asked == asked_.end()) return;
    if (effect.status.ok()) {
        const auto scheduler = schedulers_.find(effect.peer);
        if (asked->second.reads && scheduler != schedulers_.end()) scheduler->second.reads = *asked->second.reads;
        asked->second.reply.respond(textResponse(200, ""));
    } else {
        asked->second.reply.respond(refusal(effect.status));
    }
    asked_.erase(asked);
}

} // namespace stoa::master
