// The options that stand in a batch script: lines "#STOA --mem=2G" and "#SBATCH --mem=2G" among the comments at its
// beginning. Pure functions, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

namespace stoa::cli {

struct Directive {
    enum class Dialect { kStoa, kSlurm } dialect = Dialect::kStoa;
    int line = 0; // from 1
    std::vector<std::string> words;
};

// Up to the first line that is neither a comment nor empty, as in Slurm. The error names the line.
absl::StatusOr<std::vector<Directive>> directivesOf(std::string_view script);

// As a shell splits them: quotes and backslashes keep words together, a "#" in front of a word ends the line.
absl::StatusOr<std::vector<std::string>> splitWords(std::string_view line);

// A time limit: minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]], or with units "90s",
// "10m", "2h", "1d". Seconds; 0 for none ("0", "UNLIMITED").
absl::StatusOr<double> parseTimeLimit(std::string_view text);

// "[B:]USR1[@60]": a signal's name or number, and the seconds before the end at which it comes.
struct Warning {
    int signal = 0;
    double seconds = 60;
};
absl::StatusOr<Warning> parseWarning(std::string_view text);

} // namespace stoa::cli
