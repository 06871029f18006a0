// sbatch's options in the words of `stoa submit`: "-c 4 -t 1:00:00" becomes "--cpus=4 --time=1:00:00". For the command
// line of `sbatch` and for the #SBATCH lines of scripts. Pure functions, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace stoa::cli {

struct Translated {
    std::vector<std::string> words;    // options of `stoa submit`
    std::vector<std::string> warnings; // about what has no effect here, or isn't known
    std::vector<std::string> command;  // what follows the options: a script and its arguments
    std::string wrap;                  // a shell line instead
    bool parsable = false;
    bool quiet = false;
};

// Options that aren't known: a warning in a script, since other clusters may know them; an error on the command line.
enum class Unknown { kWarn, kRefuse };
absl::StatusOr<Translated> translateSbatch(const std::vector<std::string>& words, Unknown unknown);

} // namespace stoa::cli
