// What goes into the queue and what comes out of it: requests and what the driver tells, records to be stored, calls and
// answers, and the views in them. Plain values, usable from any thread.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/sdk/driver_core.h"
#include "protocol/message/framework.h"
#include "protocol/output_commit.h"

#include <absl/status/status.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::batch {

// One submitter's request that awaits its answer; the door's number for it, never used again.
using RequestId = std::uint64_t;

// ---- In ------------------------------------------------------------------------------------------------------

// Who asks; the door has it from the kernel. A job is changed by its owner and by root.
struct Asker {
    std::string user;
    bool root = false;
};

struct Submit {
    RequestId request = 0;
    JobSpec spec;
};
struct Cancel {
    enum class Which : std::uint8_t { kAll, kWaiting, kLive };
    RequestId request = 0;
    JobNumber job = 0;
    Asker by;
    std::optional<IndexSet> tasks{}; // of an array; absent: the whole job
    Which which = Which::kAll;
};
struct Change {
    RequestId request = 0;
    JobNumber job = 0;
    Asker by;
    std::optional<bool> held{}; // hold, or release
    std::optional<std::int32_t> priority{};
};
// A page of jobs, the newest first looked at: answered with `next` where there may be more.
struct ListJobs {
    RequestId request = 0;
    std::optional<JobNumber> before{}; // only older ones
    std::uint32_t limit = 1'000;
    bool unfinished = false; // only those
    std::string user{};      // only his
    std::string name{};      // only those of this name
};
struct ShowJob {
    RequestId request = 0;
    JobNumber job = 0;
    // Answered when the job's version is another one than this (at once without it).
    std::optional<std::uint64_t> changed_since;
    // Which of its tasks the answer shows, by position.
    std::uint32_t first_task = 0;
    std::uint32_t task_count = 0;
    bool live_tasks = false;              // of those only the ones that are launched and have not ended
    std::optional<std::uint32_t> index{}; // only the one of this index
};
// Whoever follows all jobs: answered with the jobs that changed after `after`, in the order of their last changes, as soon
// as there is one. Says so anew each time, with the number that the last answer had; 0: with every job.
struct FollowJobs {
    RequestId request = 0;
    std::uint64_t after = 0;
};
// The one who asked has gone, or won't wait longer: a ShowJob that still waits is answered now.
struct AnswerNow {
    RequestId request = 0;
};
// The driver did not say this call: the master never saw it.
struct NotSaid {
    Call call;
};
struct Wake {};

using Input = std::variant<sdk::Told, Submit, Cancel, Change, ListJobs, ShowJob, FollowJobs, AnswerNow, NotSaid, Wake>;

// ---- Records: each is the newest word on its subject, and replaces the one before --------------------------------

struct FrameworkRecord {
    FrameworkId id;
};
struct JobRecord {
    JobNumber job = 0;
    JobSpec spec; // with the changes that were made since
    WallTime submitted;
    WallTime started;      // its first task ran; 0: not yet, or nobody waited for that
    WallTime ended;        // 0: not yet
    std::string cancelled; // why; empty: it was not
    friend bool operator==(const JobRecord&, const JobRecord&) = default;
};
// One try at a task.
struct Attempt {
    std::uint32_t number = 0;
    AgentId agent;
    Address address; // of the agent's HTTP door
    WallTime launched;
    WallTime started; // it ran; 0: never, or that is not known
    WallTime ended;
    std::optional<int> wait_status;
    std::int64_t cpu_nanos = 0;
    Bytes max_memory;
    std::string why; // it did not succeed
    friend bool operator==(const Attempt&, const Attempt&) = default;
};
// Of a task that was launched at least once, or cancelled by itself.
struct TaskRecord {
    TaskRef task;
    TaskPhase phase = TaskPhase::kWaiting; // never kRunning, kUnreachable: those are learnt anew by reconciling
    bool cancelled = false;                // it alone
    std::uint32_t failures = 0;            // attempts that count against the job's retries
    std::uint32_t losses = 0;              // attempts that don't: the cluster's fault
    Attempt last;                          // number 0: never launched
    std::vector<Attempt> earlier;          // the latest of them
    Reasons reasons;
    friend bool operator==(const TaskRecord&, const TaskRecord&) = default;
};
// With all its tasks.
struct JobForgotten {
    JobNumber job = 0;
    std::uint32_t tasks = 0; // their indices are below this
};

using Record = std::variant<FrameworkRecord, JobRecord, TaskRecord, JobForgotten>;

struct Recovered {
    std::vector<Record> records; // in the order in which their subjects were first stored, or in which they came
};

// ---- Out -----------------------------------------------------------------------------------------------------

struct TaskView {
    std::uint32_t index = 0;
    TaskPhase phase = TaskPhase::kWaiting;
    TaskId id; // of the last attempt; empty before the first
    Attempt last;
    std::vector<Attempt> earlier; // the latest of them
    friend bool operator==(const TaskView&, const TaskView&) = default;
};
struct JobView {
    JobNumber job = 0;
    std::string name;
    std::string user;
    JobState state = JobState::kHeld;
    std::uint64_t version = 0; // changes with whatever is shown
    std::uint32_t count = 1;
    bool array = false;
    std::string indices;       // of an array: "0-9:3"
    std::uint32_t at_most = 0; // 0: no limit
    std::int32_t priority = 0;
    bool held = false;                               // by a person
    WallTime begin;                                  // not before; 0: at once
    std::array<std::uint32_t, kTaskPhases> phases{}; // how many tasks are in each
    Reasons reasons;
    std::string why; // it waits, or was cancelled, or failed
    Resources shape;
    std::vector<Dependency> after;
    std::vector<std::string> outputs;
    std::optional<Duration> time_limit;
    WallTime submitted;
    WallTime started;
    WallTime ended;
    std::vector<TaskView> tasks;
    // Shown of one job only. Never its environment, which may hold secrets.
    struct Details {
        std::string command; // as a person would type it
        std::string work_directory;
        std::string stdout_file;
        std::string stderr_file;
        std::uint32_t retries = 0;
        std::vector<Dependency> unmet; // of `after`
        friend bool operator==(const Details&, const Details&) = default;
    };
    std::optional<Details> details;
    friend bool operator==(const JobView&, const JobView&) = default;
};

namespace answer {
struct Submitted {
    JobNumber job = 0;
};
struct Cancelled {};
struct Changed {};
struct Jobs {
    std::vector<JobView> jobs;     // by number
    std::optional<JobNumber> next; // ListJobs::before of the next page
    std::size_t unfinished = 0;    // in the whole queue
    std::size_t ended = 0;
    FrameworkId framework;
};
struct Job {
    JobView job;
    FrameworkId framework;
};
struct ChangedJobs {
    std::vector<JobView> jobs;
    std::uint64_t upto = 0; // FollowJobs::after of what follows
};
struct Refused {
    absl::Status why;
};
} // namespace answer

struct Answer {
    RequestId request = 0;
    std::variant<answer::Submitted, answer::Cancelled, answer::Changed, answer::Jobs, answer::Job, answer::ChangedJobs,
                 answer::Refused>
        content;
};
struct Say {
    Call call;
};
using Effect = std::variant<Say, Answer>;

struct Output {
    struct Said {
        Effect effect;
        RecordNumber waits_for = 0;
    };
    std::vector<Record> records;
    std::vector<Said> effects;
};

// The destinations for OutputCommit: the master's calls keep their order, answers need none among each other.
inline Destination destinationOf(const Effect& effect) {
    const auto* said = std::get_if<Answer>(&effect);
    return said ? said->request + 1 : 0;
}

} // namespace stoa::batch
