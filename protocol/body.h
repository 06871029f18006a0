// A message's encoded bytes, which are carried along unread: one immutable buffer, shared by whoever still needs it
// (an outbox that may have to send it again, a frame on its way, a table that shows it later).
// A plain value, usable from any thread.
#pragma once

#include <memory>
#include <string>
#include <utility>

namespace stoa {

// Never null where a struct has one, unless said there.
using Body = std::shared_ptr<const std::string>;

inline Body makeBody(std::string bytes) { return std::make_shared<const std::string>(std::move(bytes)); }

} // namespace stoa
