// Whether, how often and as what a demand's shape fits in what is free on an agent. A range or set in a shape asks for
// exactly what it names, so it fits once; a number under a name that the agent has as a range asks for so many, and
// gets the lowest. Pure functions.
#pragma once

#include "protocol/resources/resources.h"

#include <cstdint>
#include <string>

namespace stoa::allocator {

// At most `limit`.
std::uint32_t timesFits(const Resources& free, const Resources& shape, std::uint32_t limit);
// `count` pieces of the shape, out of `free`. Precondition: they fit.
Resources cut(const Resources& free, const Resources& shape, std::uint32_t count);
// In words, what the shape lacks: "needs mem 4096, has 2048"; empty when it fits.
std::string lacks(const Resources& free, const Resources& shape);

} // namespace stoa::allocator
