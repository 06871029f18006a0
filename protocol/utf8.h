// Whether bytes are text, and text made of bytes that are not: names and messages come from peers, and JSON can hold
// only UTF-8. Pure functions, usable from any thread.
#pragma once

#include <string>
#include <string_view>

namespace stoa {

bool validUtf8(std::string_view text);
// Each byte that is no part of a character becomes U+FFFD.
std::string repairedUtf8(std::string_view text);

} // namespace stoa
