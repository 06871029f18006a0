// What the APIs over HTTP have in common: which bodies they take and which answers a client will have, in the order in
// which a v1 server checks it, and how a record stands in a stream.
// Pure functions, usable from any thread.
#pragma once

#include "protocol/http/message.h"

#include <optional>
#include <string>
#include <string_view>

namespace stoa::master {

// 400 without a Content-Type, 415 with one that is not JSON's; absent when the body may be read.
std::optional<http::Response> refuseContentType(const http::Request& request);
// 406 when the client will not have JSON. Without an Accept header it will.
std::optional<http::Response> refuseAccept(const http::Request& request);

// "21\n{\"type\":\"HEARTBEAT\"}": one chunk of a stream.
std::string record(std::string_view json);

// Of a stream: JSON, told apart by nothing but its length.
http::Response streamHead();

} // namespace stoa::master
