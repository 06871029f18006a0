// A framework says in its info whose it is, and proves it by its credential: both doors hold the one against the other.
// Pure; usable from any thread.
#pragma once

#include "protocol/message/framework.h"

#include <optional>
#include <string>

namespace stoa::master {

// An info that names no principal is given `principal`. The other one that it names, which must not be.
std::optional<std::string> completePrincipal(Call& call, const std::string& principal);

} // namespace stoa::master
