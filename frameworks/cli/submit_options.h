// What `stoa submit` can be told of a job, on its command line and in a script's #STOA lines, and the job that follows
// from it. Plain values; jobOf() reads the environment and the current directory.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/cli/task_options.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace CLI { // NOLINT(readability-identifier-naming): CLI11's own name
class App;
}

namespace stoa::cli {

struct SubmitOptions {
    TaskOptions task;
    std::string array; // "24", "0-99%4", "1,3,5-9"; empty: one task
    std::vector<std::string> after;
    std::string dependency;
    std::uint32_t retries = 0;
    bool no_requeue = false;
    std::int32_t priority = 0;
    bool hold = false;
    bool wait = false;
    std::string time;
    std::string begin;
    std::string signal;
    std::string output;
    std::string error;
    std::string standard_input;
    bool append = false;
    std::string directory;
    bool sandbox = false;
    bool all_env = false;
    std::vector<std::string> inputs;
    std::vector<std::string> results;
    bool extract = false;
    // For sbatch's sake.
    std::uint32_t slots = 1;
    std::string mem_per_cpu;
    bool slurm = false;

    void add(CLI::App& command);
    // `command` is the name of a script, when `script` is its text, and its arguments.
    absl::StatusOr<batch::JobSpec> job(const std::vector<std::string>& command, std::string script,
                                       double agent_cpus) const;
};

// What was given to a command, as words that say the same: "--cpus=2". What another App of the same options is to hear
// after a script's lines.
std::vector<std::string> wordsGiven(const CLI::App& command);

} // namespace stoa::cli
