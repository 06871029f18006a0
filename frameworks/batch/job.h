// What a submitter asks for and what he is shown. A job is one task, or an array of tasks that are alike but for their
// index. Each launch of a task is an attempt; the three numbers make the id of the task in the cluster: "12.3.1" is
// the first attempt at task 3 of job 12. Plain values, usable from any thread.
#pragma once

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

using JobNumber = std::uint64_t; // from 1, never used again

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
    CommandSpec command; // sees STOA_JOB, STOA_TASK_INDEX, STOA_TASK_COUNT and STOA_ATTEMPT besides
    Resources shape;     // of each task
    std::uint32_t count = 1;
    bool array = false;           // for people: "task 0 of 1" is still an array when it was asked for as one
    std::vector<JobNumber> after; // start when all these have succeeded
    std::uint32_t retries = 0;    // further attempts at a task that failed
    std::vector<JobInput> inputs;
    std::vector<std::string> outputs; // paths in the sandbox, for later jobs and for the submitter
    std::vector<Constraint> constraints;
    std::vector<std::string> writable_paths;
    std::optional<Duration> kill_grace;
    friend bool operator==(const JobSpec&, const JobSpec&) = default;
};

// Of kHeld: waits for other jobs; kQueued: nothing of it runs; the last three are final.
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
