// Subtraction that stops at nothing: what is left of a bundle when more is taken than there is. Pure.
#pragma once

#include "protocol/resources/resources.h"

namespace stoa::allocator {

// Takes `part` from `from`, of each resource as much as there is. True when all of it was there.
bool subtractClamped(Resources& from, const Resources& part);

} // namespace stoa::allocator
