// The queue's door and its jobs: submission, changes, cancellation, dependencies, and what is forgotten. What happens on
// offers is in queue_launch.cc, what follows from updates in queue_outcome.cc, what people are shown in queue_view.cc,
// how it begins in queue_restore.cc.
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <algorithm>

namespace stoa::batch {

Queue::Queue(Options options, const Recovered& recovered) : options_(std::move(options)) {
    reconcile_interval_ = options_.reconcile_interval;
    restore(recovered);
}

void Queue::step(const Input& input, Time now, WallTime wall, Output& output) {
    Turn turn{now, wall, output};
    if (restored_) completeRestored(turn);
    due(turn);
    std::visit([&](const auto& what) { on(what, turn); }, input);
    cancelDoomed(turn);
    if (demands_changed_ || announce_) restateDemands(turn);
    answerWatchers(turn);
    setClockWatch(turn);
}

void Queue::on(const sdk::Told& told, Turn& turn) {
    std::visit([&](const auto& what) { onTold(what, turn); }, told);
}

std::optional<Time> Queue::nextDeadline() const {
    std::optional<Time> next = reconcile_at_;
    auto consider = [&](Time time) {
        if (!next || time < *next) next = time;
    };
    if (!patience_.empty()) consider(patience_.begin()->first);
    if (!delays_.empty()) consider(delays_.begin()->first);
    if (clock_watch_) consider(*clock_watch_);
    return next;
}

// ---- Submission ------------------------------------------------------------------------------------------------

absl::Status Queue::admissible(const JobSpec& spec) const {
    if (absl::Status valid = validate(spec); !valid.ok()) return valid;
    if (unfinished_ >= options_.unfinished_jobs) {
        return absl::ResourceExhaustedError(
            concat("the queue holds ", unfinished_, " unfinished jobs, as many as it may"));
    }
    for (const Dependency& before : spec.after) {
        const Job* job = find(before.job);
        // A job can wait only for those that were there before it, so none ever waits for itself in a circle.
        if (!job) return absl::NotFoundError(concat(toString(before), ": there is no job ", before.job));
        const JobState state = stateOf(*job);
        const bool never = met(*job, before.kind) == Met::kNever ||
                           (before.kind == Dependency::Kind::kAfterOk && state == JobState::kCancelling);
        if (never) {
            return absl::FailedPreconditionError(
                concat(toString(before), ": job ", before.job, " is ", name(state), ", so this one would never start"));
        }
    }
    for (const JobInput& input : spec.inputs) {
        for (std::uint32_t own : {spec.indexAt(0), spec.indexAt(spec.count - 1)}) {
            absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, own);
            if (!ref.ok()) return ref.status();
            if (!*ref) continue;
            const Job* job = find((*ref)->job);
            if (!job) {
                return absl::NotFoundError(concat("input \"", input.source, "\": there is no job ", (*ref)->job));
            }
            if ((*ref)->index && !job->spec.positionOf(*(*ref)->index)) {
                return absl::NotFoundError(
                    concat("input \"", input.source, "\": job ", (*ref)->job, " has ", job->spec.count, " tasks, ",
                           job->spec.indices.empty() ? "numbered from 0" : job->spec.indices.toString()));
            }
        }
    }
    return absl::OkStatus();
}

void Queue::on(const Submit& submit, Turn& turn) {
    JobSpec spec = submit.spec;
    // Who reads another job's outputs waits for it.
    for (const JobInput& input : spec.inputs) {
        absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, 0);
        if (ref.ok() && *ref) spec.after.emplace_back((*ref)->job);
    }
    std::sort(spec.after.begin(), spec.after.end());
    spec.after.erase(std::unique(spec.after.begin(), spec.after.end()), spec.after.end());
    if (absl::Status status = admissible(spec); !status.ok()) {
        answer(submit.request, answer::Refused{status}, turn);
        return;
    }
    const JobNumber number = next_job_++;
    Job& job = jobs_[number];
    job.number = number;
    job.spec = std::move(spec);
    shareEnvironment(job);
    job.submitted = turn.wall;
    job.phases[static_cast<std::size_t>(TaskPhase::kWaiting)] = job.spec.count;
    ++unfinished_;
    for (const Dependency& before : job.spec.after) {
        Job& predecessor = jobs_.at(before.job);
        ++predecessor.readers;
        maybeForgettable(predecessor);
        if (met(predecessor, before.kind) == Met::kYes) continue;
        ++job.unmet;
        predecessor.dependents.push_back({number, before.kind});
        // Whoever waits for a start wants to know of it after a crash, too.
        if (before.kind == Dependency::Kind::kAfter && predecessor.started.nanos != 0) storeJob(predecessor, turn);
    }
    if (job.spec.begin > turn.wall) awaitBegin(job);
    storeJob(job, turn);
    joinGroup(job);
    index(job);
    touch(job);
    answer(submit.request, answer::Submitted{number}, turn);
}

// ---- Changes ---------------------------------------------------------------------------------------------------

absl::Status Queue::mayChange(const Job* job, JobNumber number, const Asker& by) const {
    if (!job) return absl::NotFoundError(concat("there is no job ", number));
    const std::string& owner = job->spec.command.user;
    if (by.root || by.user == owner) return absl::OkStatus();
    return absl::PermissionDeniedError(
        concat("job ", number, " is ", owner, "'s; only ", owner, " and root may change it, and you are ", by.user));
}

void Queue::on(const Change& change, Turn& turn) {
    Job* job = find(change.job);
    absl::Status status = mayChange(job, change.job, change.by);
    if (status.ok() && (job->ended.nanos != 0 || !job->cancelled.empty())) {
        status = absl::FailedPreconditionError(
            concat("job ", change.job, " is ", name(stateOf(*job)), "; there is nothing left to change"));
    }
    if (!status.ok()) return answer(change.request, answer::Refused{status}, turn);
    if (change.held) job->spec.held = *change.held;
    if (change.priority) job->spec.priority = *change.priority;
    storeJob(*job, turn);
    index(*job);
    touch(*job);
    answer(change.request, answer::Changed{}, turn);
}

void Queue::on(const Cancel& cancel, Turn& turn) {
    Job* job = find(cancel.job);
    absl::Status status = mayChange(job, cancel.job, cancel.by);
    if (status.ok() && cancel.tasks) {
        for (std::uint32_t i = 0; i < cancel.tasks->count() && status.ok(); ++i) {
            if (job->spec.positionOf(cancel.tasks->at(i))) continue;
            status = absl::NotFoundError(concat("job ", cancel.job, " has no task ", cancel.tasks->at(i)));
        }
    }
    if (!status.ok()) return answer(cancel.request, answer::Refused{status}, turn);
    if (job->ended.nanos == 0 && job->cancelled.empty()) {
        const bool whole = !cancel.tasks || cancel.tasks->count() == job->spec.count;
        if (!whole) {
            for (std::uint32_t i = 0; i < cancel.tasks->count(); ++i) {
                cancelTask(*job, *job->spec.positionOf(cancel.tasks->at(i)), cancel.which, turn);
            }
            settle(*job, turn.wall, turn);
        } else if (cancel.which == Cancel::Which::kAll) {
            const bool own = cancel.by.user == job->spec.command.user;
            cancelJob(*job, own ? "cancelled by its submitter" : concat("cancelled by ", cancel.by.user), turn);
        } else if (cancel.which == Cancel::Which::kLive) {
            for (std::uint32_t position : std::set<std::uint32_t>(job->live)) {
                cancelTask(*job, position, cancel.which, turn);
            }
        } else {
            const std::uint32_t waiting = job->phases[static_cast<std::size_t>(TaskPhase::kWaiting)];
            if (waiting == job->spec.count) {
                cancelJob(*job, "cancelled while it waited", turn);
            } else {
                for (std::uint32_t i = 0; i < job->spec.count; ++i) cancelTask(*job, i, cancel.which, turn);
                settle(*job, turn.wall, turn);
            }
        }
    }
    answer(cancel.request, answer::Cancelled{}, turn);
}

// Waiting tasks end here and now; live ones are killed and end when their updates say so.
void Queue::cancelJob(Job& job, const std::string& why, Turn& turn) {
    job.cancelled = why;
    storeJob(job, turn);
    job.again.clear();
    std::uint32_t& waiting = job.phases[static_cast<std::size_t>(TaskPhase::kWaiting)];
    job.phases[static_cast<std::size_t>(TaskPhase::kCancelled)] += waiting;
    waiting = 0;
    for (std::uint32_t i = 0; i < job.tasks.size(); ++i) {
        Task& task = job.tasks[i];
        if (task.phase != TaskPhase::kWaiting) continue;
        task.phase = TaskPhase::kCancelled;
        forgetDelay({job.number, i});
    }
    for (std::uint32_t position : job.live) sayKill(job, position, turn);
    index(job);
    touch(job);
    settle(job, turn.wall, turn);
}

// One of an array; the job goes on.
void Queue::cancelTask(Job& job, std::uint32_t position, Cancel::Which which, Turn& turn) {
    const bool fresh = position >= job.tasks.size();
    const bool waits = fresh || job.tasks[position].phase == TaskPhase::kWaiting;
    if (which == (waits ? Cancel::Which::kLive : Cancel::Which::kWaiting)) return;
    if (fresh) {
        materialize(job, position);
        job.tasks.emplace_back();
    }
    Task& task = job.tasks[position];
    if (isFinal(task.phase) || task.cancelled) return;
    task.cancelled = true;
    if (waits) {
        job.again.erase(position);
        forgetDelay({job.number, position});
        task.ended = turn.wall;
        setPhase(job, position, TaskPhase::kCancelled);
    } else {
        sayKill(job, position, turn);
        touch(job);
    }
    storeTask(job, position, turn);
}

void Queue::materialize(Job& job, std::uint32_t position) {
    while (job.tasks.size() < position) {
        job.again.insert(static_cast<std::uint32_t>(job.tasks.size()));
        job.tasks.emplace_back();
    }
}

void Queue::forgetDelay(TaskRef ref) {
    auto delay = delayed_.find(ref);
    if (delay == delayed_.end()) return;
    delays_.erase({delay->second, ref});
    delayed_.erase(delay);
}

// ---- Dependencies and the end ----------------------------------------------------------------------------------

Queue::Met Queue::met(const Job& predecessor, Dependency::Kind kind) const {
    const bool ended = predecessor.ended.nanos != 0;
    const bool succeeded = ended && stateOf(predecessor) == JobState::kSucceeded;
    switch (kind) {
    case Dependency::Kind::kAfter: return ended || predecessor.started.nanos != 0 ? Met::kYes : Met::kNo;
    case Dependency::Kind::kAfterAny: return ended ? Met::kYes : Met::kNo;
    case Dependency::Kind::kAfterOk: return !ended ? Met::kNo : succeeded ? Met::kYes : Met::kNever;
    case Dependency::Kind::kAfterNotOk: return !ended ? Met::kNo : succeeded ? Met::kNever : Met::kYes;
    }
    return Met::kNo;
}

void Queue::tellDependents(Job& job, Turn&) {
    std::vector<Dependent> still;
    for (const Dependent& dependent : std::exchange(job.dependents, {})) {
        Job* waiting = find(dependent.job);
        if (!waiting || waiting->ended.nanos != 0 || !waiting->cancelled.empty()) continue;
        switch (met(job, dependent.kind)) {
        case Met::kNo: still.push_back(dependent); break;
        case Met::kYes:
            --waiting->unmet;
            index(*waiting);
            touch(*waiting);
            break;
        case Met::kNever:
            doomed_.push_back({dependent.job, dependent.kind == Dependency::Kind::kAfterOk
                                                  ? concat("job ", job.number, " did not succeed")
                                                  : concat("job ", job.number, " did not fail")});
        }
    }
    job.dependents = std::move(still);
}

// Not recursive: a chain of dependent jobs may be long.
void Queue::cancelDoomed(Turn& turn) {
    while (!doomed_.empty()) {
        const Doomed doomed = doomed_.back();
        doomed_.pop_back();
        Job* job = find(doomed.job);
        if (!job || job->ended.nanos != 0 || !job->cancelled.empty()) continue;
        cancelJob(*job, doomed.why, turn);
    }
}

// Ends the job if all of its tasks have ended, and tells those that wait for it.
void Queue::settle(Job& job, WallTime when, Turn& turn) {
    if (job.ended.nanos != 0) return;
    std::uint32_t ended = 0;
    for (std::size_t i = static_cast<std::size_t>(TaskPhase::kSucceeded); i < kTaskPhases; ++i) ended += job.phases[i];
    if (ended < job.spec.count) return;

    job.ended = {std::max<std::int64_t>(when.nanos, 1)};
    --unfinished_;
    forgetBegin(job);
    leaveGroup(job);
    touch(job);
    storeJob(job, turn);
    maybeForgettable(job);
    tellDependents(job, turn);
    for (const Dependency& before : job.spec.after) {
        Job* predecessor = find(before.job);
        if (!predecessor) continue;
        --predecessor->readers;
        maybeForgettable(*predecessor);
    }
    forgetOldest(turn);
}

void Queue::maybeForgettable(const Job& job) {
    if (job.ended.nanos == 0) return;
    if (job.readers == 0) {
        forgettable_.insert({job.ended.nanos, job.number});
    } else {
        forgettable_.erase({job.ended.nanos, job.number});
    }
}

// The newest job stays, since its number says which was given last; so do those that an unfinished one reads from.
void Queue::forgetOldest(Turn& turn) {
    auto oldest = forgettable_.begin();
    while (jobs_.size() - unfinished_ > options_.kept_jobs && oldest != forgettable_.end()) {
        const JobNumber number = oldest->second;
        Job& job = jobs_.at(number);
        if (number + 1 == next_job_ || job.touched) {
            ++oldest;
            continue;
        }
        oldest = forgettable_.erase(oldest);
        const auto tasks = static_cast<std::uint32_t>(job.tasks.size());
        forgetEnvironment(job);
        by_change_.erase(job.change);
        jobs_.erase(number);
        store(JobForgotten{number, tasks}, turn);
    }
}

// ---- The one way out -------------------------------------------------------------------------------------------

Queue::Job* Queue::find(JobNumber job) {
    auto found = jobs_.find(job);
    return found == jobs_.end() ? nullptr : &found->second;
}

const Queue::Job* Queue::find(JobNumber job) const {
    auto found = jobs_.find(job);
    return found == jobs_.end() ? nullptr : &found->second;
}

std::optional<Queue::Located> Queue::locate(const TaskId& id) {
    const std::optional<AttemptRef> ref = parseTaskId(id.value());
    if (!ref) return std::nullopt;
    Job* job = find(ref->task.job);
    if (!job) return std::nullopt;
    const std::optional<std::uint32_t> position = job->spec.positionOf(ref->task.index);
    if (!position || *position >= job->tasks.size()) return std::nullopt;
    return Located{job, *position, ref->attempt};
}

TaskId Queue::idOf(const Job& job, std::uint32_t position) {
    return taskId({{job.number, job.spec.indexAt(position)}, job.tasks[position].attempt});
}

void Queue::touch(Job& job) {
    if (job.touched) return;
    job.touched = true;
    ++job.version;
    touched_.push_back(job.number);
}

void Queue::store(Record record, Turn& turn) {
    turn.out.records.push_back(std::move(record));
    ++appended_;
}

void Queue::storeJob(const Job& job, Turn& turn) {
    JobRecord record{job.number, job.spec, job.submitted, job.started, job.ended, job.cancelled};
    record.spec.command.environment = *job.environment;
    store(std::move(record), turn);
}

void Queue::shareEnvironment(Job& job) {
    Environment& own = job.spec.command.environment;
    job.environment = *environments_.insert(std::make_shared<const Environment>(std::exchange(own, {}))).first;
}

void Queue::forgetEnvironment(const Job& job) {
    if (job.environment.use_count() == 2) environments_.erase(job.environment); // the set's and this job's
}

void Queue::storeTask(const Job& job, std::uint32_t position, Turn& turn) {
    const Task& task = job.tasks[position];
    TaskRecord record;
    record.task = {job.number, position};
    const bool live = task.phase != TaskPhase::kWaiting && !isFinal(task.phase);
    record.phase = live ? TaskPhase::kLaunched : task.phase;
    record.cancelled = task.cancelled;
    record.failures = task.failures;
    record.losses = task.losses;
    record.last = lastAttempt(task, agents_);
    if (task.trouble) {
        record.earlier = task.trouble->earlier;
        record.reasons = task.trouble->reasons;
    }
    store(std::move(record), turn);
}

void Queue::say(Call call, Turn& turn) { turn.out.effects.push_back({Say{std::move(call)}, appended_}); }

void Queue::sayKill(const Job& job, std::uint32_t position, Turn& turn) {
    say(call::Kill{idOf(job, position), agents_[job.tasks[position].agent].id, job.spec.kill_grace}, turn);
}

void Queue::answer(RequestId request, decltype(Answer::content) content, Turn& turn) {
    turn.out.effects.push_back({Answer{request, std::move(content)}, appended_});
}

} // namespace stoa::batch
