// The batch framework's decisions: which jobs may run, what to ask the master for, which tasks to launch on an offer,
// what to do when one fails, what a submitter is told. As the other cores it does nothing itself: an input and the
// time go in, records to be stored and effects come out, and an effect is carried out only when the record that it
// waits for is durable (OutputCommit). So a submitted job is never lost once its number was told, a task is launched
// only after its attempt is on the disk, and an update is acknowledged only after its consequence is.
//
//   Queue queue({}, recovered);
//   queue.step(Submit{request, spec}, now, wall, output);
//   for (const sdk::Told& told : driver_output.told) queue.step(told, now, wall, output);
//   // output.records -> store; output.effects -> OutputCommit -> driver.call() and answers. A call that the driver
//   // would not say comes back: queue.step(NotSaid{call}, now, wall, output).
//
// Tasks of equal shape make one demand, whatever their jobs: an array of 1,000 is one line to the master. Within it the
// job of the highest priority comes first, then the oldest. No step looks at all jobs: 100,000 may wait. Pure: no
// thread, no clock, no file, no chance. Owned by the daemon's one thread, or by the simulator.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/batch/queue_events.h"

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
#include <vector>

namespace stoa::batch {

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
        std::size_t kept_jobs = 10'000;                         // ended ones; the oldest are forgotten
        std::size_t unfinished_jobs = 200'000;                  // further ones are refused
    };

    Queue(Options options, const Recovered& recovered);

    // `wall` is what people and records are told of times.
    void step(const Input& input, Time now, WallTime wall, Output& output);
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
    // One step's arguments, passed along.
    struct Turn {
        Time now;
        WallTime wall;
        Output& out;
    };
    // A task's troubles and earlier attempts, which most don't have.
    struct Trouble {
        Reasons reasons;
        std::string why;
        std::vector<Attempt> earlier; // at most kKeptAttempts
    };
    struct Task {
        TaskPhase phase = TaskPhase::kWaiting;
        bool cancelled = false; // it alone, while it ran
        std::uint32_t attempt = 0;
        std::uint32_t failures = 0;
        std::uint32_t losses = 0;
        AgentSlot agent = 0;
        std::optional<int> wait_status;
        WallTime launched; // 0 though it has an attempt: that one was never said
        WallTime started;
        WallTime ended;
        std::int64_t cpu_nanos = 0;
        Bytes max_memory;
        std::unique_ptr<Trouble> trouble;
    };
    // Who comes first.
    struct Rank {
        std::int32_t priority = 0;
        JobNumber job = 0;
        bool operator<(const Rank& other) const {
            return priority != other.priority ? priority > other.priority : job < other.job;
        }
    };
    // Tasks that are alike to the master. Lives as long as an unfinished job is of it.
    struct Group {
        std::string key;    // shape and constraints as text
        std::string demand; // its name
        Resources shape;
        std::vector<Constraint> constraints;
        std::size_t members = 0;   // unfinished jobs
        std::set<Rank> jobs;       // those with something to launch
        std::uint64_t pending = 0; // tasks to launch, over all jobs
        std::optional<Rank> best;  // as in best_
    };
    struct Dependent {
        JobNumber job = 0;
        Dependency::Kind kind = Dependency::Kind::kAfterOk;
    };
    using Environment = std::map<std::string, std::string>;
    struct Job {
        JobNumber number = 0;
        JobSpec spec;                                   // without its environment,
        std::shared_ptr<const Environment> environment; // which it shares with others that have the same
        WallTime submitted;
        WallTime started;
        WallTime ended;
        std::string cancelled;
        std::vector<Task> tasks;       // those launched or cancelled at least once: positions below tasks.size()
        std::set<std::uint32_t> again; // of these, the ones to be launched anew, now
        std::set<std::uint32_t> live;  // of these, the ones launched and not ended
        std::uint32_t unmet = 0;       // of spec.after
        bool early = false;            // spec.begin is still to come: it is in begins_
        std::array<std::uint32_t, kTaskPhases> phases{};
        Reasons reasons;
        std::uint64_t version = 1;
        bool touched = false;              // in touched_
        std::uint64_t change = 0;          // its place in by_change_
        std::vector<Dependent> dependents; // unfinished jobs that wait for this one
        std::uint32_t readers = 0;         // unfinished jobs that name this one, and may fetch its outputs
        std::vector<ShowJob> watchers;
        Group* group = nullptr;       // while it is unfinished
        std::uint64_t pending = 0;    // as counted in its group
        std::optional<Rank> ranked{}; // as in its group's jobs
    };
    struct Doomed { // to be cancelled, for a job that it waits for ended otherwise
        JobNumber job = 0;
        std::string why;
    };

    void on(const sdk::Told& told, Turn& turn);
    void on(const Submit& submit, Turn& turn);
    void on(const Cancel& cancel, Turn& turn);
    void on(const Change& change, Turn& turn);
    void on(const ListJobs& list, Turn& turn);
    void on(const ShowJob& show, Turn& turn);
    void on(const FollowJobs& follow, Turn& turn);
    void on(const AnswerNow& answer, Turn& turn);
    void on(const NotSaid& not_said, Turn& turn);
    void on(const Wake&, Turn&) {} // what is due is looked at in every step

    void onTold(const event::Subscribed& subscribed, Turn& turn);
    void onTold(const sdk::Disconnected& disconnected, Turn& turn);
    void onTold(const event::Offers& offers, Turn& turn);
    void onTold(const event::Update& update, Turn& turn);
    void onTold(const event::Rescind&, Turn&) {} // an accept that crosses it comes back as NotSaid, or as LOST
    void onTold(const event::Message&, Turn&) {} // command tasks send none
    void onTold(const event::Failure&, Turn&) {} // the tasks' own updates follow
    void onTold(const event::Error&, Turn&) {}   // the daemon ends

    void restore(const Recovered& recovered);
    void restoreTask(Job& job, const TaskRecord& record);
    void restoreJob(Job& job);
    void completeRestored(Turn& turn);

    absl::Status admissible(const JobSpec& spec) const;
    absl::Status mayChange(const Job* job, JobNumber number, const Asker& by) const;
    void cancelJob(Job& job, const std::string& why, Turn& turn);
    void cancelTask(Job& job, std::uint32_t position, Cancel::Which which, Turn& turn);
    void cancelDoomed(Turn& turn);
    // Whether the dependency holds, never will (then why), or may yet.
    enum class Met : std::uint8_t { kYes, kNo, kNever };
    Met met(const Job& predecessor, Dependency::Kind kind) const;
    void tellDependents(Job& job, Turn& turn);
    void settle(Job& job, WallTime when, Turn& turn);
    void maybeForgettable(const Job& job);
    void forgetOldest(Turn& turn);

    void useOffer(const Offer& offer, Turn& turn);
    void fill(Group& group, AgentSlot agent, Resources& left, std::vector<TaskInfo>& launches, Turn& turn);
    TaskInfo launch(Job& job, std::uint32_t position, AgentSlot agent, Turn& turn);
    TaskSpec taskSpec(const Job& job, std::uint32_t position, const Agent& agent) const;
    std::vector<InputSpec> resolveInputs(const Job& job, std::uint32_t index) const;

    void start(Job& job, Task& task, WallTime when, Turn& turn);
    void endAttempt(Job& job, std::uint32_t position, const TaskStatus& status, Turn& turn);
    void loseAttempt(Job& job, std::uint32_t position, const std::string& why, WallTime when, Turn& turn);
    void tryAgain(Job& job, std::uint32_t position, std::uint32_t times_before, Turn& turn);
    void finish(Job& job, std::uint32_t position, TaskPhase phase, WallTime when, Turn& turn);
    void blame(Job& job, Task& task, const std::string& reason, std::string why);
    void setPhase(Job& job, std::uint32_t position, TaskPhase phase);
    void forgetDelay(TaskRef ref);

    Job* find(JobNumber job);
    const Job* find(JobNumber job) const;
    // The task that an attempt's id names, if it is one of ours.
    struct Located {
        Job* job = nullptr;
        std::uint32_t position = 0;
        std::uint32_t attempt = 0;
    };
    std::optional<Located> locate(const TaskId& id);
    static TaskId idOf(const Job& job, std::uint32_t position);
    // All below the position are in the job's table after this.
    static void materialize(Job& job, std::uint32_t position);
    static Attempt lastAttempt(const Task& task, const std::vector<Agent>& agents);
    std::uint64_t pendingOf(const Job& job) const;
    // To be called after whatever changes pendingOf(job), or the job's priority.
    void index(Job& job);
    void joinGroup(Job& job);
    void leaveGroup(Job& job);
    void rerank(Group& group);
    AgentSlot slotOf(const AgentId& agent, const Address& address);
    void awaitBegin(Job& job);
    void forgetBegin(Job& job);
    void due(Turn& turn);
    void setClockWatch(const Turn& turn);
    void restateDemands(Turn& turn);
    void reconcile(Turn& turn);
    JobState stateOf(const Job& job) const;
    std::string whyOf(const Job& job, JobState state) const;
    JobView viewOf(const Job& job) const;
    JobView detailedViewOf(const Job& job, const ShowJob& show) const;
    TaskView taskViewOf(const Job& job, std::uint32_t position) const;
    void touch(Job& job);
    void noteChange(Job& job);
    answer::ChangedJobs changedAfter(std::uint64_t change) const;
    void answerWatchers(Turn& turn);
    void store(Record record, Turn& turn);
    void shareEnvironment(Job& job);
    void forgetEnvironment(const Job& job);
    void storeJob(const Job& job, Turn& turn);
    void storeTask(const Job& job, std::uint32_t position, Turn& turn);
    void say(Call call, Turn& turn);
    void sayKill(const Job& job, std::uint32_t position, Turn& turn);
    void answer(RequestId request, decltype(Answer::content) content, Turn& turn);

    Options options_;
    RecordNumber appended_ = 0;
    FrameworkId framework_;
    bool subscribed_ = false;
    // Attempts that may run on, of which no job knows any more: for ever, since none of their ends is waited for.
    bool gave_up_ = false;
    JobNumber next_job_ = 1;
    std::map<JobNumber, Job> jobs_;
    std::size_t unfinished_ = 0;
    std::set<std::pair<std::int64_t, JobNumber>> forgettable_; // ended and read by no other, oldest first

    struct ByContent {
        bool operator()(const std::shared_ptr<const Environment>& a,
                        const std::shared_ptr<const Environment>& b) const {
            return *a < *b;
        }
    };
    // A thousand submissions from one shell have one environment, of some kilobytes.
    std::set<std::shared_ptr<const Environment>, ByContent> environments_;

    std::map<std::string, Group> groups_;                       // by their keys
    std::map<Rank, Group*> best_;                               // those with pending tasks, by their first job
    absl::flat_hash_map<std::string, Group*> groups_by_demand_; // by demand name
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
    std::map<TaskRef, Time> unreachable_;             // when patience ends
    std::set<std::pair<Time, TaskRef>> patience_;     // the same, by time
    std::map<TaskRef, Time> delayed_;                 // when to try again
    std::set<std::pair<Time, TaskRef>> delays_;       // the same, by time
    std::set<std::pair<WallTime, JobNumber>> begins_; // unfinished jobs whose time is still to come
    std::optional<Time> clock_watch_;                 // when to compare those with the wall's clock

    bool restored_ = false;          // completeRestored() is still to come
    std::vector<Doomed> doomed_;     // empty between steps
    std::vector<JobNumber> touched_; // in this step
    absl::flat_hash_map<RequestId, JobNumber> watching_;
    std::uint64_t last_change_ = 0;
    std::map<std::uint64_t, JobNumber> by_change_; // every job, by its last change
    std::vector<FollowJobs> followers_;            // who know of all changes so far
};

} // namespace stoa::batch
