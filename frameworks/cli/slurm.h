// Slurm's everyday commands, for those who know them: `stoa` called by the name of sbatch, squeue, scancel or sinfo (a
// link to it) is that command. docs/batch-and-mpi.md has a table of the options. Used from the main thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

struct Context;

// Absent: this program goes by another name. Else the exit code.
std::optional<int> runAsSlurm(int argc, char** argv);

// Each with the words behind its name.
int sbatch(const std::vector<std::string>& words, const Context& context);
int squeue(const std::vector<std::string>& words, const Context& context);
int scancel(const std::vector<std::string>& words, const Context& context);
int sinfo(const std::vector<std::string>& words, const Context& context);

// "PD", "R" … for a job's state or a task's, and "PENDING", "RUNNING" ….
struct SlurmState {
    const char* code;
    const char* name;
};
SlurmState slurmState(const std::string& state);
// "pd", "PENDING" to "PD"; empty: there is no such state.
std::string slurmStateCode(const std::string& text);

// "5", "5_3", "5_[1-3,7]".
struct SlurmJobId {
    std::uint64_t job = 0;
    std::string tasks; // "3", "1-3,7"; empty: all
};
std::optional<SlurmJobId> parseSlurmJobId(const std::string& text);

} // namespace stoa::cli
