// Time as people write it, in files and flags of `stoa simulate`, and the way back. Pure functions.
#pragma once

#include "protocol/units.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa::sim {

// Of a task that doesn't end by itself, such as a service.
inline constexpr Duration kForever = Duration::max();
inline constexpr Duration kLongestSpan = std::chrono::hours(24 * 365 * 100);

// "90" and "1.5" (seconds), "250ms", "90s", "10m", "1h30m", "2d", "1w"; "01:30:00" and "2-00:00:00", as Slurm has it.
// `forever` allows that word, too.
absl::StatusOr<Duration> parseSpan(std::string_view text, bool forever = false);
// When something was submitted: a span since whatever beginning (seconds since 1970 are one), or a date in UTC,
// "2026-03-01T08:00:00".
absl::StatusOr<Duration> parseMoment(std::string_view text);

// "0.25s", "12s", "3m20s", "5h07m", "2d03h", "forever".
std::string showSpan(Duration span);
constexpr double secondsOf(Duration span) { return std::chrono::duration<double>(span).count(); }

} // namespace stoa::sim
