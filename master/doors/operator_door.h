// The door for operators and their tools: the v1 operator API at /api/v1, and the GETs that tools know from Mesos. Who
// only looks is answered from the read model, on the HTTP server's thread, which alone touches it; what changes
// something, and what only the state thread knows, is handed over by HttpCalls and Questions.
//
//     routeOperator(router, read_side, calls, questions);
#pragma once

#include "master/doors/http_calls.h"
#include "master/doors/operator_streams.h"
#include "master/doors/questions.h"
#include "master/doors/renderer.h"
#include "master/read_model/state_json.h"

#include <memory>

namespace stoa::master {

// What the HTTP server's thread owns. Model and identity are changed by renderer.change() alone.
struct ReadSide {
    ReadModel model;
    Identity identity;
    OperatorStreams streams;
    Renderer renderer;
};

// Answers with what is made of model and identity alone, on this thread when they are small. `what` as for Renderer.
void look(ReadSide& read, const std::string& what, http::Responder reply, Renderer::Make make);

// `calls` and `questions` outlive the server.
void routeOperator(http::Router& router, const std::shared_ptr<ReadSide>& read, HttpCalls& calls, Questions& questions);

// Puts a question to the state thread; 503 when too many wait.
void put(Questions& questions, http::Responder reply, std::function<http::Response(const Glance&)> answer);

} // namespace stoa::master
