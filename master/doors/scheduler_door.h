// The door for schedulers that speak the v1 API over HTTP: to the core they are peers like native drivers, saying the
// same calls and hearing the same events. What the door adds is HTTP's: who may say something on which stream, the
// status that a call is answered with, and the JSON that each scheduler's capabilities allow it to read.
//
// Two halves, one a thread. routeScheduler() reads and checks requests on the HTTP server's thread, and hands them over
// by HttpCalls. SchedulerDoor is the state thread's own:
//
//     for (HttpArrival& arrival : calls.take())
//         if (std::optional<Input> input = door.read(arrival, core)) core.step(*input, …);
//     door.say(effect);      // for each effect whose peer is one of its own
#pragma once

#include "master/core/master.h"
#include "master/doors/http_calls.h"
#include "protocol/http/gate.h"

#include <absl/container/flat_hash_map.h>

#include <cstdint>
#include <optional>
#include <string>

namespace stoa::master {

// POST /api/v1/scheduler. `calls` and `gate` outlive the server; a request has passed the gate, which knows who says it.
void routeScheduler(http::Router& router, HttpCalls& calls, http::Gate& gate);

class SchedulerDoor {
public:
    // What the core is to be told, if anything; a request that may not be said is answered here.
    std::optional<Input> read(HttpArrival& arrival, const Master& master);

    static bool isHttp(Peer peer) { return peer >= kFirstHttpPeer; }
    void say(const ToFrameworkPeer& effect);
    void say(const ClosePeer& effect);
    void say(const CallAnswered& effect);
    std::size_t streams() const { return schedulers_.size(); }

private:
    struct Scheduler {
        std::string stream_id;
        http::Stream stream;
        Capabilities reads;
    };
    struct Asked {
        http::Responder reply;
        std::optional<Capabilities> reads; // that the scheduler has once the call is granted
    };
    std::optional<Input> read(HttpSubscribe& arrival);
    std::optional<Input> read(HttpCall& arrival, const Master& master);
    std::optional<Input> read(HttpWish& arrival);
    // Check 7 of the API's order: is it known, subscribed here, and said on its own stream?
    std::optional<http::Response> refuse(const HttpCall& arrival, const Master& master) const;

    absl::flat_hash_map<Peer, Scheduler> schedulers_;
    absl::flat_hash_map<std::uint64_t, Asked> asked_; // by request, until answered
    std::uint64_t last_request_ = 0;
};

} // namespace stoa::master
