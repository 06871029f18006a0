// Names of principals that mean something to others than their owner.
#pragma once

#include <string_view>

namespace stoa {

// Of the batch framework's queue: `stoa` and the page say who asks to a queue of this principal only. Any framework may
// say that it is a queue, and would be told operators' secrets.
inline constexpr std::string_view kBatchPrincipal = "batch";

} // namespace stoa
