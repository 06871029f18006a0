// When a job may begin, as Slurm's users write it for --begin: "now+1hour", "16:00", "2027-01-31T08:00". Pure functions
// of the text, the time and the machine's time zone, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <ctime>
#include <string_view>

namespace stoa::cli {

// "now", "now+N" with seconds (or none), minutes, hours, days or weeks; "HH:MM[:SS]", "noon", "midnight": the next such
// time; "today", "tomorrow", "YYYY-MM-DD": that day's beginning; "YYYY-MM-DDTHH:MM[:SS]". Local time. What has passed
// is a time, too.
absl::StatusOr<std::time_t> parseBeginTime(std::string_view text, std::time_t now);

} // namespace stoa::cli
