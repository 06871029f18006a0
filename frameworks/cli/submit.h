// Putting a job into the queue, for `stoa submit` and for `sbatch`: reads a script and its lines of options, joins them
// with those of the command line, uploads what the job wants, and says which number it has. Waits for the cluster.
#pragma once

#include "frameworks/cli/command.h"

#include <string>
#include <vector>

namespace stoa::cli {

struct Submission {
    std::vector<std::string> defaults; // words that come before those of the script
    std::vector<std::string> words;    // options of `stoa submit`
    std::vector<std::string> command;  // a command, or a script and its arguments
    bool from_stdin = false;           // the script; the command is then the name it goes by
    bool is_script = false;            // sbatch's always is one; else a file that starts with "#!" is
    std::string before_number;         // "Submitted batch job "
    bool quiet = false;
};
int submit(const Submission& submission, const Context& context);

} // namespace stoa::cli
