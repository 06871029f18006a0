// Whether, how often and as what a demand's shape fits in what is free on an agent. A range in a shape asks for as many
// numbers as it holds and gets the lowest that are free, since ports are as good as each other and differ from agent to
// agent; a set asks for exactly the names in it, so it fits once. Pure functions.
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
