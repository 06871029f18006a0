// What a submitter asks for and what he is shown. A job is one task, or an array of tasks that are alike but for their
// index. Each launch of a task is an attempt; the three numbers make the id of the task in the cluster: "12.3.1" is
// the first attempt at task 3 of job 12. Plain values, usable from any thread.
#pragma once

#include "frameworks/batch/dependency.h"
#include "frameworks/batch/index_set.h"
#include "protocol/codec/task_body.h"
#include "protocol/message/framework.h"

#include <absl/status/statusor.h>

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::batch {

// A task by its position in its job, which is its index but for an array whose indices are not 0, 1, 2, …
struct TaskRef {
    JobNumber job = 0;
    std::uint32_t index = 0;
    friend auto operator<=>(const TaskRef&, const TaskRef&) = default;
};

struct AttemptRef {
    TaskRef task;
    std::uint32_t attempt = 0; // from 1
    friend bool operator==(const AttemptRef&, const AttemptRef&) = default;
};
TaskId taskId(const AttemptRef& attempt);
std::optional<AttemptRef> parseTaskId(std::string_view id);

// A file that stands in the sandbox before the command starts. In both parts "%i" is the task's index.
struct JobInput {
    // "http://…", "file://…", or an output of an earlier job: "job:7/3/counts", or "job:7/*/counts" for those of all
    // its tasks.
    std::string source;
    // In the sandbox; empty: the last part of the source. With "*" the predecessor's index is appended: "counts.3".
    std::string name;
    bool executable = false;
    bool extract = false;
    friend bool operator==(const JobInput&, const JobInput&) = default;
};

struct JobSpec {
    std::string name;
    // Sees STOA_JOB, STOA_TASK_INDEX, STOA_TASK_COUNT and STOA_ATTEMPT besides. Its user is the job's owner.
    CommandSpec command;
    // The text of a script; the command's argv are then the name it goes by and its arguments.
    std::string script;
    Resources shape; // of each task
    std::uint32_t count = 1;
    bool array = false;        // for people: "task 0 of 1" is still an array when it was asked for as one
    IndexSet indices;          // of an array; empty: 0 to count-1
    std::uint32_t at_most = 0; // tasks of it that run at the same time; 0: as many as fit
    std::vector<Dependency> after;
    std::uint32_t retries = 0; // further attempts at a task that failed
    bool requeue = true;       // an attempt that is lost with its agent is made again, and is no failure
    std::int32_t priority = 0; // the larger, the sooner
    bool held = false;         // until it is released
    WallTime begin;            // not before; 0: at once
    std::vector<JobInput> inputs;
    std::vector<std::string> outputs; // paths in the sandbox, for later jobs and for the submitter
    std::vector<Constraint> constraints;
    std::vector<std::string> writable_paths;
    // Of the host: where it starts, and may write; empty: its sandbox.
    std::string work_directory;
    // Files for what it prints, below the work directory, with %j and the like (see outputFile()); empty: the sandbox's
    // own. The second is empty for "as the first".
    std::string stdout_file;
    std::string stderr_file;
    std::string stdin_file;
    bool append = false; // to those files
    std::optional<Duration> time_limit;
    std::optional<LimitWarning> limit_warning;
    std::optional<Duration> kill_grace;
    std::uint32_t slots = 1;        // what Slurm calls its tasks: the processors are for so many processes
    bool slurm_environment = false; // sees SLURM_JOB_ID and the like, too

    std::uint32_t indexAt(std::uint32_t position) const { return indices.empty() ? position : indices.at(position); }
    std::optional<std::uint32_t> positionOf(std::uint32_t index) const {
        if (!indices.empty()) return indices.positionOf(index);
        return index < count ? std::optional(index) : std::nullopt;
    }
    friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

// A pattern with its parts filled in: %j the job ("12", "12_3" for a task of an array), %A the job's number, %a and %t
// the task's index, %x the job's name, %u its owner, %% a percent sign; a number in between fills up with zeros ("%4a").
std::string outputFile(std::string_view pattern, const JobSpec& spec, JobNumber job, std::uint32_t index);
// Refuses an unknown part, naming it.
absl::Status validateOutputFile(std::string_view pattern);

// Of kHeld: waits for other jobs, for its time, or to be released; kQueued: nothing of it runs; the last three are final.
enum class JobState : std::uint8_t { kHeld, kQueued, kRunning, kCancelling, kSucceeded, kFailed, kCancelled };
// Of kLaunched: the launch is under way; kUnreachable: its agent is; the last three are final.
enum class TaskPhase : std::uint8_t { kWaiting, kLaunched, kRunning, kUnreachable, kSucceeded, kFailed, kCancelled };
inline constexpr std::size_t kTaskPhases = 7;

std::string_view name(JobState state);  // "running"
std::string_view name(TaskPhase phase); // "waiting"
std::optional<TaskPhase> taskPhaseNamed(std::string_view name);
constexpr bool isFinal(JobState state) { return state >= JobState::kSucceeded; }
constexpr bool isFinal(TaskPhase phase) { return phase >= TaskPhase::kSucceeded; }

// How often something went wrong, by what: {"exit 1": 3, "out of memory": 1}.
using Reasons = std::map<std::string, std::uint32_t>;

// The door's check of form: what is refused here could never run, wherever. Names the field and its value.
absl::Status validate(const JobSpec& spec);

// "job:7/3/counts" taken apart; absent when the source is no output of a job. An error says what is wrong with it.
struct OutputRef {
    JobNumber job = 0;
    std::optional<std::uint32_t> index; // absent: of all tasks ("*")
    std::string path;
};
absl::StatusOr<std::optional<OutputRef>> parseOutputRef(std::string_view source, std::uint32_t own_index);

} // namespace stoa::batch
