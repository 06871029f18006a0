// The queue's door and its jobs: submission, dependencies, cancellation, views. What happens on offers is in
// queue_launch.cc, what follows from updates in queue_outcome.cc.
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <algorithm>

namespace stoa::batch {

namespace {

constexpr std::uint32_t kMostTasksShown = 10'000; // in one answer

} // namespace

Queue::Queue(Options options, const Recovered& recovered) : options_(std::move(options)) {
    reconcile_interval_ = options_.reconcile_interval;
    restore(recovered);
}

void Queue::step(const Input& input, Time now, Output& output) {
    if (restored_) completeRestored(output);
    due(now, output);
    std::visit([&](const auto& what) { on(what, now, output); }, input);
    cancelDependents(output);
    if (demands_changed_ || announce_) restateDemands(output);
    answerWatchers(output);
}

void Queue::on(const sdk::Told& told, Time now, Output& output) {
    std::visit([&](const auto& what) { onTold(what, now, output); }, told);
}

std::optional<Time> Queue::nextDeadline() const {
    std::optional<Time> next = reconcile_at_;
    auto consider = [&](Time time) {
        if (!next || time < *next) next = time;
    };
    if (!patience_.empty()) consider(patience_.begin()->first);
    if (!delays_.empty()) consider(delays_.begin()->first);
    return next;
}

// ---- After a restart -------------------------------------------------------------------------------------------

void Queue::restore(const Recovered& recovered) {
    std::map<TaskRef, const TaskRecord*> tasks; // the newest of each
    for (const Record& record : recovered.records) {
        if (const auto* known = std::get_if<FrameworkRecord>(&record)) {
            framework_ = known->id;
        } else if (const auto* stored = std::get_if<JobRecord>(&record)) {
            Job& job = jobs_[stored->job];
            job.number = stored->job;
            job.spec = stored->spec;
            job.submitted = stored->submitted;
            job.ended = stored->ended;
            job.cancelled = stored->cancelled;
            next_job_ = std::max(next_job_, stored->job + 1);
        } else if (const auto* task = std::get_if<TaskRecord>(&record)) {
            tasks[task->task] = task;
        } else {
            const JobNumber forgotten = std::get<JobForgotten>(record).job;
            jobs_.erase(forgotten);
            tasks.erase(tasks.lower_bound({forgotten, 0}), tasks.lower_bound({forgotten + 1, 0}));
            next_job_ = std::max(next_job_, forgotten + 1);
        }
    }
    for (const auto& [ref, record] : tasks) {
        Job* job = find(ref.job);
        if (!job || ref.index >= job->spec.count) continue;
        // Tasks without a record of their own were never launched, and are not in the table beyond the last that was.
        while (job->tasks.size() <= ref.index) {
            if (job->tasks.size() < ref.index) job->again.insert(static_cast<std::uint32_t>(job->tasks.size()));
            job->tasks.emplace_back();
        }
        Task& task = job->tasks[ref.index];
        task.phase = record->phase;
        task.attempt = record->attempt;
        task.failures = record->failures;
        task.losses = record->losses;
        task.agent = slotOf(record->agent, record->address);
        task.wait_status = record->wait_status;
        task.ended = record->ended;
        if (!record->why.empty() || !record->reasons.empty()) {
            task.trouble = std::make_unique<Trouble>(Trouble{record->reasons, record->why});
            for (const auto& [reason, count] : record->reasons) job->reasons[reason] += count;
        }
        if (task.phase == TaskPhase::kWaiting) job->again.insert(ref.index);
        if (task.phase == TaskPhase::kLaunched) {
            ++live_;
            unconfirmed_.insert(ref);
        }
    }
    for (auto& [number, job] : jobs_) {
        if (!job.cancelled.empty()) {
            for (std::uint32_t waiting : job.again) job.tasks[waiting].phase = TaskPhase::kCancelled;
            job.again.clear();
        }
        for (const Task& task : job.tasks) ++job.phases[static_cast<std::size_t>(task.phase)];
        const auto fresh = static_cast<std::uint32_t>(job.spec.count - job.tasks.size());
        job.phases[static_cast<std::size_t>(job.cancelled.empty() ? TaskPhase::kWaiting : TaskPhase::kCancelled)] +=
            fresh;
        if (job.ended.nanos != 0) {
            ended_.insert({job.ended.nanos, number});
            continue;
        }
        ++unfinished_;
        for (JobNumber before : job.spec.after) {
            Job* predecessor = find(before);
            if (!predecessor) continue; // never forgotten before this job ended; so the file was tampered with
            ++predecessor->readers;
            if (predecessor->ended.nanos != 0) continue;
            ++job.unmet;
            predecessor->dependents.push_back(number);
        }
        index(job, 0);
    }
    demands_changed_ = true;
    restored_ = true;
}

// A crash may have come between the last task's record and what follows from it for jobs.
void Queue::completeRestored(Output& output) {
    restored_ = false;
    for (auto& [number, job] : jobs_) {
        if (job.ended.nanos != 0) continue;
        WallTime when = job.submitted;
        for (const Task& task : job.tasks) when = std::max(when, task.ended);
        settle(job, when, output);
        for (JobNumber before : job.spec.after) {
            const Job* predecessor = find(before);
            if (predecessor && isFinal(stateOf(*predecessor)) && stateOf(*predecessor) != JobState::kSucceeded) {
                doomed_.push_back({number, before, predecessor->ended});
            }
        }
    }
    cancelDependents(output);
}

// ---- Submitters ------------------------------------------------------------------------------------------------

absl::Status Queue::admissible(const JobSpec& spec) const {
    if (absl::Status valid = validate(spec); !valid.ok()) return valid;
    if (unfinished_ >= options_.unfinished_jobs) {
        return absl::ResourceExhaustedError(
            concat("the queue holds ", unfinished_, " unfinished jobs, as many as it may"));
    }
    for (JobNumber before : spec.after) {
        auto job = jobs_.find(before);
        if (job == jobs_.end()) return absl::NotFoundError(concat("after: there is no job ", before));
        const JobState state = stateOf(job->second);
        if (state == JobState::kFailed || state == JobState::kCancelled || state == JobState::kCancelling) {
            return absl::FailedPreconditionError(
                concat("after: job ", before, " is ", name(state), ", so this one would never start"));
        }
    }
    for (const JobInput& input : spec.inputs) {
        for (std::uint32_t own : {std::uint32_t{0}, spec.count - 1}) {
            absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, own);
            if (!ref.ok()) return ref.status();
            if (!*ref) continue;
            auto job = jobs_.find((*ref)->job);
            if (job == jobs_.end()) {
                return absl::NotFoundError(concat("input \"", input.source, "\": there is no job ", (*ref)->job));
            }
            if ((*ref)->index && *(*ref)->index >= job->second.spec.count) {
                return absl::NotFoundError(concat("input \"", input.source, "\": job ", (*ref)->job, " has ",
                                                  job->second.spec.count, " tasks, numbered from 0"));
            }
        }
    }
    return absl::OkStatus();
}

void Queue::on(const Submit& submit, Time, Output& output) {
    JobSpec spec = submit.spec;
    // Who reads another job's outputs waits for it.
    for (const JobInput& input : spec.inputs) {
        absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, 0);
        if (ref.ok() && *ref) spec.after.push_back((*ref)->job);
    }
    std::sort(spec.after.begin(), spec.after.end());
    spec.after.erase(std::unique(spec.after.begin(), spec.after.end()), spec.after.end());
    if (absl::Status status = admissible(spec); !status.ok()) {
        answer(submit.request, answer::Refused{status}, output);
        return;
    }
    const JobNumber number = next_job_++;
    Job& job = jobs_[number];
    job.number = number;
    job.spec = std::move(spec);
    job.submitted = submit.when;
    job.phases[static_cast<std::size_t>(TaskPhase::kWaiting)] = job.spec.count;
    ++unfinished_;
    for (JobNumber before : job.spec.after) {
        Job& predecessor = jobs_.at(before);
        ++predecessor.readers;
        if (predecessor.ended.nanos != 0) continue;
        ++job.unmet;
        predecessor.dependents.push_back(number);
    }
    storeJob(job, output);
    index(job, 0);
    answer(submit.request, answer::Submitted{number}, output);
}

void Queue::on(const Cancel& cancel, Time, Output& output) {
    Job* job = find(cancel.job);
    if (!job) {
        answer(cancel.request, answer::Refused{absl::NotFoundError(concat("there is no job ", cancel.job))}, output);
        return;
    }
    if (job->ended.nanos == 0 && job->cancelled.empty())
        cancelJob(*job, "cancelled by its submitter", cancel.when, output);
    answer(cancel.request, answer::Cancelled{}, output);
}

// Waiting tasks end here and now; live ones are killed and end when their updates say so.
void Queue::cancelJob(Job& job, const std::string& why, WallTime when, Output& output) {
    const std::uint64_t before = pendingOf(job);
    job.cancelled = why;
    storeJob(job, output);
    job.again.clear();
    auto& phases = job.phases;
    std::uint32_t& waiting = phases[static_cast<std::size_t>(TaskPhase::kWaiting)];
    phases[static_cast<std::size_t>(TaskPhase::kCancelled)] += waiting;
    waiting = 0;
    for (std::uint32_t i = 0; i < job.tasks.size(); ++i) {
        Task& task = job.tasks[i];
        const TaskRef ref{job.number, i};
        if (task.phase == TaskPhase::kWaiting) {
            task.phase = TaskPhase::kCancelled;
            if (auto delay = delayed_.find(ref); delay != delayed_.end()) {
                delays_.erase({delay->second, ref});
                delayed_.erase(delay);
            }
        } else if (!isFinal(task.phase)) {
            say(call::Kill{taskId({ref, task.attempt}), agents_[task.agent].id, job.spec.kill_grace}, output);
        }
    }
    index(job, before);
    touch(job);
    settle(job, when, output);
}

// Not recursive: a chain of dependent jobs may be long.
void Queue::cancelDependents(Output& output) {
    while (!doomed_.empty()) {
        const Doomed doomed = doomed_.back();
        doomed_.pop_back();
        Job* job = find(doomed.job);
        if (!job || job->ended.nanos != 0 || !job->cancelled.empty()) continue;
        cancelJob(*job, concat("job ", doomed.because_of, " did not succeed"), doomed.when, output);
    }
}

// Ends the job if all of its tasks have ended, and tells those that wait for it.
void Queue::settle(Job& job, WallTime when, Output& output) {
    if (job.ended.nanos != 0) return;
    std::uint32_t ended = 0;
    for (std::size_t i = static_cast<std::size_t>(TaskPhase::kSucceeded); i < kTaskPhases; ++i) ended += job.phases[i];
    if (ended < job.spec.count) return;

    job.ended = {std::max<std::int64_t>(when.nanos, 1)};
    --unfinished_;
    ended_.insert({job.ended.nanos, job.number});
    touch(job);
    storeJob(job, output);
    const bool succeeded = stateOf(job) == JobState::kSucceeded;
    const JobNumber number = job.number;
    for (JobNumber dependent : std::exchange(job.dependents, {})) {
        Job* waiting = find(dependent);
        if (!waiting || waiting->ended.nanos != 0 || !waiting->cancelled.empty()) continue;
        if (succeeded) {
            --waiting->unmet;
            index(*waiting, 0);
            touch(*waiting);
        } else {
            doomed_.push_back({dependent, number, when});
        }
    }
    for (JobNumber before : job.spec.after) {
        if (Job* predecessor = find(before)) --predecessor->readers;
    }
    forgetOldest(output);
}

// The newest job stays, since its number says which was given last; so do those that an unfinished one reads from.
void Queue::forgetOldest(Output& output) {
    auto oldest = ended_.begin();
    while (ended_.size() > options_.kept_jobs && oldest != ended_.end()) {
        const JobNumber number = oldest->second;
        Job& job = jobs_.at(number);
        if (number + 1 == next_job_ || job.readers > 0 || job.touched) {
            ++oldest;
            continue;
        }
        oldest = ended_.erase(oldest);
        const auto tasks = static_cast<std::uint32_t>(job.tasks.size());
        jobs_.erase(number);
        store(JobForgotten{number, tasks}, output);
    }
}

// ---- Views -----------------------------------------------------------------------------------------------------

void Queue::on(const ListJobs& list, Time, Output& output) {
    answer::Jobs jobs;
    jobs.framework = framework_;
    for (const auto& [number, job] : jobs_) jobs.jobs.push_back(viewOf(job, 0, 0));
    answer(list.request, std::move(jobs), output);
}

void Queue::on(const ShowJob& show, Time, Output& output) {
    Job* job = find(show.job);
    if (!job) {
        answer(show.request, answer::Refused{absl::NotFoundError(concat("there is no job ", show.job))}, output);
    } else if (show.changed_since && *show.changed_since == job->version && job->ended.nanos == 0) {
        watching_[show.request] = job->number;
        job->watchers.push_back(show);
    } else {
        answer(show.request, answer::Job{viewOf(*job, show.first_task, show.task_count), framework_}, output);
    }
}

void Queue::on(const AnswerNow& now, Time, Output& output) {
    auto watching = watching_.find(now.request);
    if (watching == watching_.end()) return;
    if (Job* job = find(watching->second)) {
        auto watcher = std::find_if(job->watchers.begin(), job->watchers.end(),
                                    [&](const ShowJob& show) { return show.request == now.request; });
        answer(now.request, answer::Job{viewOf(*job, watcher->first_task, watcher->task_count), framework_}, output);
        job->watchers.erase(watcher);
    }
    watching_.erase(watching);
}

void Queue::answerWatchers(Output& output) {
    for (JobNumber number : std::exchange(touched_, {})) {
        Job* job = find(number);
        if (!job) continue;
        job->touched = false;
        for (const ShowJob& watcher : std::exchange(job->watchers, {})) {
            watching_.erase(watcher.request);
            answer(watcher.request, answer::Job{viewOf(*job, watcher.first_task, watcher.task_count), framework_},
                   output);
        }
    }
}

JobState Queue::stateOf(const Job& job) const {
    auto in = [&](TaskPhase phase) { return job.phases[static_cast<std::size_t>(phase)]; };
    if (job.ended.nanos != 0) {
        if (in(TaskPhase::kFailed) > 0) return JobState::kFailed;
        return in(TaskPhase::kCancelled) > 0 ? JobState::kCancelled : JobState::kSucceeded;
    }
    if (!job.cancelled.empty()) return JobState::kCancelling;
    if (job.unmet > 0) return JobState::kHeld;
    const bool started = in(TaskPhase::kWaiting) < job.spec.count;
    return started ? JobState::kRunning : JobState::kQueued;
}

JobView Queue::viewOf(const Job& job, std::uint32_t first_task, std::uint32_t task_count) const {
    JobView view;
    view.job = job.number;
    view.name = job.spec.name;
    view.state = stateOf(job);
    view.version = job.version;
    view.count = job.spec.count;
    view.array = job.spec.array;
    view.phases = job.phases;
    view.reasons = job.reasons;
    view.why = job.cancelled;
    view.shape = job.spec.shape;
    view.after = job.spec.after;
    view.outputs = job.spec.outputs;
    view.submitted = job.submitted;
    view.ended = job.ended;
    if (view.state == JobState::kHeld) view.why = concat("waits for ", job.unmet, " job", job.unmet == 1 ? "" : "s");
    const std::uint64_t end = std::min<std::uint64_t>(
        {job.spec.count, std::uint64_t{first_task} + task_count, std::uint64_t{first_task} + kMostTasksShown});
    for (std::uint64_t i = first_task; i < end; ++i) {
        TaskView shown;
        shown.index = static_cast<std::uint32_t>(i);
        if (i < job.tasks.size()) {
            const Task& task = job.tasks[i];
            shown.phase = task.phase;
            shown.attempt = task.attempt;
            shown.wait_status = task.wait_status;
            if (task.trouble) shown.why = task.trouble->why;
            if (task.attempt > 0) {
                shown.id = taskId({{job.number, shown.index}, task.attempt});
                shown.agent = agents_[task.agent].id;
                shown.address = agents_[task.agent].address;
            }
        } else if (!job.cancelled.empty()) {
            shown.phase = TaskPhase::kCancelled;
        }
        view.tasks.push_back(std::move(shown));
    }
    return view;
}

std::optional<JobView> Queue::view(JobNumber job, std::uint32_t first_task, std::uint32_t task_count) const {
    auto found = jobs_.find(job);
    if (found == jobs_.end()) return std::nullopt;
    return viewOf(found->second, first_task, task_count);
}

// ---- The one way out -------------------------------------------------------------------------------------------

Queue::Job* Queue::find(JobNumber job) {
    auto found = jobs_.find(job);
    return found == jobs_.end() ? nullptr : &found->second;
}

void Queue::touch(Job& job) {
    if (job.touched) return;
    job.touched = true;
    ++job.version;
    touched_.push_back(job.number);
}

void Queue::store(Record record, Output& output) {
    output.records.push_back(std::move(record));
    ++appended_;
}

void Queue::storeJob(const Job& job, Output& output) {
    store(JobRecord{job.number, job.spec, job.submitted, job.ended, job.cancelled}, output);
}

void Queue::say(Call call, Output& output) { output.effects.push_back({Say{std::move(call)}, appended_}); }

void Queue::answer(RequestId request, decltype(Answer::content) content, Output& output) {
    output.effects.push_back({Answer{request, std::move(content)}, appended_});
}

} // namespace stoa::batch
