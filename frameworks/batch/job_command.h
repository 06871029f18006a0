// From a job to what one of its tasks executes and sees: a script is put into the task's sandbox and run from there,
// files for what it prints are opened by the task's own user, variables tell it who it is. Pure functions.
#pragma once

#include "frameworks/batch/job.h"

#include <map>
#include <string>

namespace stoa::batch {

// The exit code of a task whose files could not be opened.
inline constexpr int kNoFile = 125;

// Without its environment.
CommandSpec commandOf(const JobSpec& spec, JobNumber job, std::uint32_t index);

struct WhichTask {
    JobNumber job = 0;
    std::uint32_t index = 0;
    std::uint32_t attempt = 0;
    std::string host; // its agent's
};
// What the task is told of itself, beside its job's environment.
void addOwnVariables(const JobSpec& spec, const WhichTask& task, std::map<std::string, std::string>& environment);

} // namespace stoa::batch
