// Bytes of what agents and masters say to each other: one Cap'n Proto message (schema/agent_master.capnp) as flat
// words, which the session's frame carries. Decoding is the door: it copies the bytes to aligned words, bounds what
// may be read, and gives a value that passed every check of form, or a reason. Never throws, whatever the bytes.
//
//   socket.send(encode(FromAgent(agent_says::Unregister{})));
//   absl::StatusOr<FromAgent> message = decodeFromAgent(bytes);
//
// Pure functions, usable from any thread.
#pragma once

#include "protocol/message/agent.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa {

std::string encode(const FromAgent& message);
std::string encode(const ToAgent& message);
absl::StatusOr<FromAgent> decodeFromAgent(std::string_view bytes);
absl::StatusOr<ToAgent> decodeToAgent(std::string_view bytes);

} // namespace stoa
