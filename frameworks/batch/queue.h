// The batch framework's decisions: which jobs may run, what to ask the master for, which tasks to launch on an offer,
// what to do when one fails, what a submitter is told. As the other cores it does nothing itself: an input and the
// time go in, records to be stored and effects come out, and an effect is carried out only when the record that it
// waits for is durable (OutputCommit). So a submitted job is never lost once its number was told, a task is launched
// only after its attempt is on the disk, and an update is acknowledged only after its consequence is.
//
//   Queue queue({}, recovered);
//   queue.step(Submit{request, spec, wall}, now, output);
//   for (const sdk::Told& told : driver_output.told) queue.step(told, now, output);
//   // output.records -> store; output.effects -> OutputCommit -> driver.call() and answers. A call that the driver
//   // would not say comes back: queue.step(NotSaid{call}, now, output).
//
// Tasks of equal shape make one demand, whatever their jobs: an array of 1,000 is one line to the master. Pure: no
// thread, no clock, no file, no chance. Owned by the daemon's one thread, or by the simulator.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/sdk/driver_core.h"
#include "protocol/message/framework.h"
#include "protocol/output_commit.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::batch {

// One submitter's request that awaits its answer; the door's number for it, never used again.
using RequestId = std::uint64_t;

// ---- In ------------------------------------------------------------------------------------------------------

struct Submit {
    RequestId request = 0;
    JobSpec spec;
    WallTime when;
};
struct Cancel {
    RequestId request = 0;
    JobNumber job = 0;
    WallTime when;
};
struct ListJobs {
    RequestId request = 0;
};
struct ShowJob {
    RequestId request = 0;
    JobNumber job = 0;
    // Answered when the job's version is another one than this (at once without it).
    std::optional<std::uint64_t> changed_since;
    // Which of its tasks the answer shows.
    std::uint32_t first_task = 0;
    std::uint32_t task_count = 0;
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

using Input = std::variant<sdk::Told, Submit, Cancel, ListJobs, ShowJob, AnswerNow, NotSaid, Wake>;

// ---- Records: each is the newest word on its subject, and replaces the one before --------------------------------

struct FrameworkRecord {
    FrameworkId id;
};
struct JobRecord {
    JobNumber job = 0;
    JobSpec spec;
    WallTime submitted;
    WallTime ended;        // 0: not yet
    std::string cancelled; // why; empty: it was not
    friend bool operator==(const JobRecord&, const JobRecord&) = default;
};
// Of a task that was launched at least once.
struct TaskRecord {
    TaskRef task;
    TaskPhase phase = TaskPhase::kWaiting; // never kRunning, kUnreachable: those are learnt anew by reconciling
    std::uint32_t attempt = 0;
    std::uint32_t failures = 0; // attempts that count against the job's retries
    std::uint32_t losses = 0;   // attempts that don't: the cluster's fault
    AgentId agent;              // of the last attempt
    Address address;
    std::optional<int> wait_status;
    std::string why; // the last attempt did not succeed
    Reasons reasons;
    WallTime ended;
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
    std::uint32_t attempt = 0;
    TaskId id; // of the last attempt; empty before the first
    AgentId agent;
    Address address; // of the agent's HTTP door
    std::optional<int> wait_status;
    std::string why;
    friend bool operator==(const TaskView&, const TaskView&) = default;
};
struct JobView {
    JobNumber job = 0;
    std::string name;
    JobState state = JobState::kHeld;
    std::uint64_t version = 0; // changes with whatever is shown
    std::uint32_t count = 1;
    bool array = false;
    std::array<std::uint32_t, kTaskPhases> phases{}; // how many tasks are in each
    Reasons reasons;
    std::string why; // it waits, or was cancelled, or failed
    Resources shape;
    std::vector<JobNumber> after;
    std::vector<std::string> outputs;
    WallTime submitted;
    WallTime ended;
    std::vector<TaskView> tasks;
    friend bool operator==(const JobView&, const JobView&) = default;
};

namespace answer {
struct Submitted {
    JobNumber job = 0;
};
struct Cancelled {};
struct Jobs {
    std::vector<JobView> jobs;
    FrameworkId framework;
};
struct Job {
    JobView job;
    FrameworkId framework;
};
struct Refused {
    absl::Status why;
};
} // namespace answer

struct Answer {
    RequestId request = 0;
    std::variant<answer::Submitted, answer::Cancelled, answer::Jobs, answer::Job, answer::Refused> content;
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

class Queue {
public:
    struct Options {
        std::string role = "*";
        std::uint32_t max_losses = 20; // of one task; then it fails, since something is very wrong
        Duration first_retry = std::chrono::milliseconds(200); // doubles with each further one …
        Duration longest_retry = std::chrono::seconds(30);     // … up to this
        Duration unreachable_patience =
            std::chrono::minutes(10);                           // after which a task is given up and started elsewhere
        Duration reconcile_interval = std::chrono::seconds(15); // doubles to ten minutes while answers are missing
        std::size_t kept_jobs = 1'000;                          // ended ones; the oldest are forgotten
        std::size_t unfinished_jobs = 100'000;                  // further ones are refused
    };

    Queue(Options options, const Recovered& recovered);

    void step(const Input& input, Time now, Output& output);
    std::optional<Time> nextDeadline() const;

    // Records appended since construction; Output::Said::waits_for counts in these.
    RecordNumber recordsAppended() const { return appended_; }

    const FrameworkId& frameworkId() const { return framework_; } // empty before the first subscription
    std::size_t jobCount() const { return jobs_.size(); }
    std::size_t liveTasks() const { return live_; } // launched and not ended
    // As its submitter would see it now, durable or not; for tests. Absent: no such job.
    std::optional<JobView> view(JobNumber job, std::uint32_t first_task = 0, std::uint32_t task_count = 0) const;

private:
    using AgentSlot = std::uint32_t;
    struct Agent {
        AgentId id;
        Address address;
    };
    // A task's troubles, which most don't have.
    struct Trouble {
        Reasons reasons;
        std::string why;
    };
    struct Task {
        TaskPhase phase = TaskPhase::kWaiting;
        std::uint32_t attempt = 0;
        std::uint32_t failures = 0;
        std::uint32_t losses = 0;
        AgentSlot agent = 0;
        std::optional<int> wait_status;
        std::unique_ptr<Trouble> trouble;
        WallTime ended;
    };
    struct Job {
        JobNumber number = 0;
        JobSpec spec;
        WallTime submitted;
        WallTime ended;
        std::string cancelled;
        std::vector<Task> tasks;       // those launched at least once: indices below tasks.size()
        std::set<std::uint32_t> again; // of these, the ones to be launched anew, now
        std::uint32_t unmet = 0;       // jobs of spec.after that have not succeeded yet
        std::array<std::uint32_t, kTaskPhases> phases{};
        Reasons reasons;
        std::uint64_t version = 1;
        bool touched = false;              // in touched_
        std::vector<JobNumber> dependents; // unfinished jobs that wait for this one
        std::uint32_t readers = 0;         // unfinished jobs that name this one, and may fetch its outputs
        std::vector<ShowJob> watchers;
    };
    struct Doomed { // to be cancelled, for a job that it waits for did not succeed
        JobNumber job = 0;
        JobNumber because_of = 0;
        WallTime when;
    };
    // Tasks that are alike to the master.
    struct Group {
        std::string demand; // its name
        Resources shape;
        std::vector<Constraint> constraints;
        std::set<JobNumber> jobs;  // with something to launch
        std::uint64_t pending = 0; // tasks to launch, over all jobs
    };

    void on(const sdk::Told& told, Time now, Output& output);
    void on(const Submit& submit, Time now, Output& output);
    void on(const Cancel& cancel, Time now, Output& output);
    void on(const ListJobs& list, Time now, Output& output);
    void on(const ShowJob& show, Time now, Output& output);
    void on(const AnswerNow& answer, Time now, Output& output);
    void on(const NotSaid& not_said, Time now, Output& output);
    void on(const Wake&, Time, Output&) {} // what is due is looked at in every step

    void onTold(const event::Subscribed& subscribed, Time now, Output& output);
    void onTold(const sdk::Disconnected& disconnected, Time now, Output& output);
    void onTold(const event::Offers& offers, Time now, Output& output);
    void onTold(const event::Update& update, Time now, Output& output);
    void onTold(const event::Rescind&, Time, Output&) {} // an accept that crosses it comes back as NotSaid, or as LOST
    void onTold(const event::Message&, Time, Output&) {} // command tasks send none
    void onTold(const event::Failure&, Time, Output&) {} // the tasks' own updates follow
    void onTold(const event::Error&, Time, Output&) {}   // the daemon ends

    void restore(const Recovered& recovered);
    void completeRestored(Output& output);
    absl::Status admissible(const JobSpec& spec) const;
    void cancelJob(Job& job, const std::string& why, WallTime when, Output& output);
    void cancelDependents(Output& output);
    void settle(Job& job, WallTime when, Output& output);
    void forgetOldest(Output& output);

    void useOffer(const Offer& offer, Output& output);
    void fill(Group& group, AgentSlot agent, Resources& left, std::vector<TaskInfo>& launches, Output& output);
    TaskInfo launch(Job& job, std::uint32_t index, AgentSlot agent, Output& output);
    TaskSpec taskSpec(const Job& job, std::uint32_t index, std::uint32_t attempt) const;
    std::vector<InputSpec> resolveInputs(const Job& job, std::uint32_t index) const;

    void endAttempt(Job& job, std::uint32_t index, const TaskStatus& status, Time now, Output& output);
    void loseAttempt(Job& job, std::uint32_t index, const std::string& why, WallTime when, Time now, Output& output);
    void tryAgain(Job& job, std::uint32_t index, std::uint32_t times_before, Time now);
    void finish(Job& job, std::uint32_t index, TaskPhase phase, WallTime when, Output& output);
    void blame(Job& job, Task& task, const std::string& reason, std::string why);
    void setPhase(Job& job, std::uint32_t index, TaskPhase phase);

    Job* find(JobNumber job);
    std::uint64_t pendingOf(const Job& job) const;
    // To be called after whatever changes pendingOf(job), with what it was before.
    void index(Job& job, std::uint64_t pending_before);
    AgentSlot slotOf(const AgentId& agent, const Address& address);
    void due(Time now, Output& output);
    void restateDemands(Output& output);
    void reconcile(Time now, Output& output);
    JobState stateOf(const Job& job) const;
    JobView viewOf(const Job& job, std::uint32_t first_task, std::uint32_t task_count) const;
    void touch(Job& job);
    void answerWatchers(Output& output);
    void store(Record record, Output& output);
    void storeJob(const Job& job, Output& output);
    void storeTask(const Job& job, std::uint32_t index, Output& output);
    void say(Call call, Output& output);
    void answer(RequestId request, decltype(Answer::content) content, Output& output);

    Options options_;
    RecordNumber appended_ = 0;
    FrameworkId framework_;
    bool subscribed_ = false;
    JobNumber next_job_ = 1;
    std::map<JobNumber, Job> jobs_;
    std::size_t unfinished_ = 0;
    std::set<std::pair<std::int64_t, JobNumber>> ended_; // by end, oldest first

    std::map<std::string, Group> groups_; // by shape and constraints as text; those with pending tasks
    absl::flat_hash_map<std::string, std::string> group_keys_; // by demand name
    std::uint64_t next_demand_ = 1;
    std::vector<Demand> stated_; // as last said
    bool demands_changed_ = false;
    bool announce_ = false; // state them whether they changed or not: the master may remember an earlier life's

    std::vector<Agent> agents_; // by slot
    absl::flat_hash_map<AgentId, AgentSlot> agent_slots_;

    std::size_t live_ = 0;
    std::set<TaskRef> unconfirmed_; // live, and nothing heard of in this session
    std::optional<Time> reconcile_at_;
    Duration reconcile_interval_{0};
    std::map<TaskRef, Time> unreachable_;         // when patience ends
    std::set<std::pair<Time, TaskRef>> patience_; // the same, by time
    std::map<TaskRef, Time> delayed_;             // when to try again
    std::set<std::pair<Time, TaskRef>> delays_;   // the same, by time

    bool restored_ = false;          // completeRestored() is still to come
    std::vector<Doomed> doomed_;     // empty between steps
    std::vector<JobNumber> touched_; // in this step
    absl::flat_hash_map<RequestId, JobNumber> watching_;
};

} // namespace stoa::batch
