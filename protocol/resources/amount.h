// Amounts between their text, JSON and integer forms: "1.5" is 1500 thousandths. Three decimals are kept, the rest is
// rounded, as Mesos does; what is too large for the algebra to add up safely is refused.
// Pure functions, usable from any thread.
#pragma once

#include "protocol/units.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa {

// 4.5 billion units of a thousand, or four exabytes of memory: 2,000 such amounts still fit an integer of 64 bits.
inline constexpr Milli kLargestAmount{std::int64_t{1} << 52};

// May be negative. The error quotes the text: `"abc" is not a number`.
absl::StatusOr<Milli> parseAmount(std::string_view text);
absl::StatusOr<Milli> amountOf(double value);
std::string toString(Milli amount); // "1.5", "2048", "-0.001"
constexpr double toDouble(Milli amount) { return static_cast<double>(amount.count) / 1000; }

} // namespace stoa
