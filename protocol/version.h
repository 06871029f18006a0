// The version that every program of the tree tells; the same as in configure.ac.
// A constant only.
#pragma once

namespace stoa {

inline constexpr char kVersion[] = "0.1.0";

} // namespace stoa
