// The door for operators and their tools: the v1 operator API at /api/v1, and the GETs that tools know from Mesos. Who
// only looks is answered from the read model, on the HTTP server's thread, which alone touches it; what changes
// something, and what only the state thread knows, is handed over by HttpCalls and Questions.
//
//     routeOperator(router, read_side, calls, questions);
#pragma once

#include "master/doors/http_calls.h"
#include "master/doors/operator_streams.h"
#include "master/doors/questions.h"
#include "master/read_model/state_json.h"

#include <memory>

namespace stoa::master {

// What the HTTP server's thread owns.
struct ReadSide {
    ReadModel model;
    Identity identity;
    OperatorStreams streams;
};

// `calls` and `questions` outlive the server.
void routeOperator(http::Router& router, const std::shared_ptr<ReadSide>& read, HttpCalls& calls, Questions& questions);

// Puts a question to the state thread; 503 when too many wait.
void put(Questions& questions, http::Responder reply, std::function<http::Response(const Glance&)> answer);

} // namespace stoa::master
