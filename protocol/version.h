// The version that every program of the tree tells. configure.ac says it, the Makefile hands it to the compiler.
// A constant only; no installed header includes this.
#pragma once

namespace stoa {

inline constexpr char kVersion[] = STOA_VERSION;

} // namespace stoa
