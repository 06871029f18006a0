// What follows from what is heard of tasks: progress, success, another attempt, failure, and doubt after silence.
#include "frameworks/batch/job_command.h"
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <algorithm>
#include <csignal>
#include <sys/wait.h>

namespace stoa::batch {

namespace {

constexpr std::size_t kTasksPerReconcile = 1'000; // asked about in one call
constexpr Duration kLongestReconcile = std::chrono::minutes(10);
constexpr Duration kLooksAtClock = std::chrono::minutes(1); // while a job waits for its time

// What a failed attempt is counted under.
std::string reasonOf(const TaskStatus& status) {
    if (status.outcome.out_of_memory || status.reason == Reason::kContainerLimitationMemory) return "out of memory";
    if (status.reason == Reason::kContainerLimitationDisk) return "out of disk";
    if (status.reason == Reason::kContainerLaunchFailed) return "could not be launched";
    if (status.reason == Reason::kMaxCompletionTimeReached) return "time limit";
    if (status.state == TaskState::kKilled) return "killed";
    if (status.state == TaskState::kError) return "refused";
    if (status.outcome.wait_status) {
        const int wait_status = *status.outcome.wait_status;
        if (WIFEXITED(wait_status)) return concat("exit ", WEXITSTATUS(wait_status));
        if (WIFSIGNALED(wait_status)) return concat("signal ", WTERMSIG(wait_status));
    }
    return "exit status unknown";
}

std::string withMessage(const std::string& reason, const TaskStatus& status) {
    return status.message.empty() ? reason : concat(reason, ": ", status.message);
}

// The cluster's fault and not the task's: the attempt does not count against the job's retries.
bool isLoss(const TaskStatus& status) {
    switch (status.state) {
    case TaskState::kLost:
    case TaskState::kDropped:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
    case TaskState::kUnknown: return true;
    case TaskState::kError: return status.reason == Reason::kInvalidOffers;
    default: return false;
    }
}

} // namespace

void Queue::onTold(const event::Update& update, Turn& turn) {
    const TaskStatus& status = update.status;
    auto acknowledge = [&] {
        if (status.uuid) say(call::Acknowledge{status.agent, status.task, *status.uuid}, turn);
    };
    const std::optional<Located> found = locate(status.task);
    Task* task = found ? &found->job->tasks[found->position] : nullptr;
    if (!task || task->attempt != found->attempt || isFinal(task->phase) || task->phase == TaskPhase::kWaiting) {
        // Of an attempt that we have given up or settled: it must not go on, and its word no longer counts.
        if (!isTerminal(status.state) && status.state != TaskState::kUnknown &&
            status.state != TaskState::kUnreachable && status.state != TaskState::kKilling) {
            say(call::Kill{status.task, status.agent, std::nullopt}, turn);
        }
        acknowledge();
        return;
    }
    Job& job = *found->job;
    const std::uint32_t position = found->position;
    const TaskRef ref{job.number, position};
    if (status.state == TaskState::kUnreachable) {
        if (task->phase != TaskPhase::kUnreachable) {
            const Time until = turn.now + options_.unreachable_patience;
            setPhase(job, position, TaskPhase::kUnreachable);
            unreachable_[ref] = until;
            patience_.insert({until, ref});
        }
    } else if (isTerminal(status.state) || status.state == TaskState::kUnknown) {
        unconfirmed_.erase(ref);
        endAttempt(job, position, status, turn);
    } else {
        unconfirmed_.erase(ref);
        const bool runs = status.state == TaskState::kRunning || status.state == TaskState::kKilling;
        if (runs) start(job, *task, status.timestamp, turn);
        const TaskPhase phase = runs ? TaskPhase::kRunning : TaskPhase::kLaunched;
        if (task->phase != phase) setPhase(job, position, phase);
    }
    acknowledge();
}

void Queue::start(Job& job, Task& task, WallTime when, Turn& turn) {
    if (task.started.nanos == 0) task.started = when;
    if (job.started.nanos != 0) return;
    job.started = {std::max<std::int64_t>(when.nanos, 1)};
    touch(job);
    if (job.dependents.empty()) return;
    storeJob(job, turn); // somebody may wait for just this
    tellDependents(job, turn);
}

void Queue::endAttempt(Job& job, std::uint32_t position, const TaskStatus& status, Turn& turn) {
    Task& task = job.tasks[position];
    task.wait_status = status.outcome.wait_status;
    task.cpu_nanos = status.outcome.cpu_nanos;
    task.max_memory = status.outcome.max_memory;
    task.ended = status.timestamp;
    const bool cancelled = !job.cancelled.empty() || task.cancelled;
    if (status.state == TaskState::kFinished) {
        if (task.trouble) task.trouble->why.clear();
        finish(job, position, TaskPhase::kSucceeded, status.timestamp, turn);
        return;
    }
    if (cancelled) {
        finish(job, position, TaskPhase::kCancelled, status.timestamp, turn);
        return;
    }
    if (isLoss(status)) {
        loseAttempt(job, position, withMessage(std::string(name(status.state)), status), status.timestamp, turn);
        return;
    }
    std::string reason = reasonOf(status);
    const bool has_files =
        !job.spec.stdout_file.empty() || !job.spec.stderr_file.empty() || !job.spec.stdin_file.empty();
    if (has_files && status.outcome.wait_status == kNoFile << 8) {
        reason = "its files could not be opened (stoa logs --stderr says more)";
    }
    blame(job, task, reason, withMessage(reason, status));
    // Somebody ended it on purpose, or it can never be right: another attempt would be against his will, or in vain.
    const bool hopeless = status.state == TaskState::kKilled || status.state == TaskState::kError;
    if (hopeless || task.failures >= job.spec.retries) {
        ++task.failures;
        finish(job, position, TaskPhase::kFailed, status.timestamp, turn);
        return;
    }
    tryAgain(job, position, task.failures++, turn);
    storeTask(job, position, turn);
}

void Queue::loseAttempt(Job& job, std::uint32_t position, const std::string& why, WallTime when, Turn& turn) {
    Task& task = job.tasks[position];
    task.ended = when;
    blame(job, task, "lost", why);
    if (task.losses >= options_.max_losses || !job.spec.requeue) {
        task.trouble->why = job.spec.requeue ? concat("lost ", task.losses + 1, " times, at last: ", why)
                                             : concat("lost, and it was not to be queued again: ", why);
        ++task.losses;
        finish(job, position, TaskPhase::kFailed, when, turn);
        return;
    }
    tryAgain(job, position, task.losses++, turn);
    storeTask(job, position, turn);
}

void Queue::blame(Job& job, Task& task, const std::string& reason, std::string why) {
    if (!task.trouble) task.trouble = std::make_unique<Trouble>();
    ++task.trouble->reasons[reason];
    task.trouble->why = std::move(why);
    ++job.reasons[reason];
}

void Queue::tryAgain(Job& job, std::uint32_t position, std::uint32_t times_before, Turn& turn) {
    const TaskRef ref{job.number, position};
    Duration delay = options_.first_retry;
    for (std::uint32_t i = 0; i < times_before && delay < options_.longest_retry; ++i) delay *= 2;
    const Time when = turn.now + std::min(delay, options_.longest_retry);
    setPhase(job, position, TaskPhase::kWaiting);
    delayed_[ref] = when;
    delays_.insert({when, ref});
}

void Queue::finish(Job& job, std::uint32_t position, TaskPhase phase, WallTime when, Turn& turn) {
    job.tasks[position].ended = when;
    setPhase(job, position, phase);
    storeTask(job, position, turn);
    settle(job, when, turn);
}

// Every change of a launched task's phase comes through here, so that counts and look-ups stay true.
void Queue::setPhase(Job& job, std::uint32_t position, TaskPhase phase) {
    Task& task = job.tasks[position];
    const TaskRef ref{job.number, position};
    auto isLive = [](TaskPhase p) { return p != TaskPhase::kWaiting && !isFinal(p); };
    if (isLive(task.phase) && !isLive(phase)) {
        --live_;
        job.live.erase(position);
        unconfirmed_.erase(ref);
    }
    if (!isLive(task.phase) && isLive(phase)) {
        ++live_;
        job.live.insert(position);
        unconfirmed_.insert(ref);
    }
    if (task.phase == TaskPhase::kUnreachable) {
        patience_.erase({unreachable_.at(ref), ref});
        unreachable_.erase(ref);
    }
    --job.phases[static_cast<std::size_t>(task.phase)];
    ++job.phases[static_cast<std::size_t>(phase)];
    task.phase = phase;
    index(job);
    touch(job);
}

// ---- Sessions and silence --------------------------------------------------------------------------------------

void Queue::onTold(const event::Subscribed& subscribed, Turn& turn) {
    subscribed_ = true;
    if (framework_ != subscribed.framework) {
        framework_ = subscribed.framework;
        store(FrameworkRecord{framework_}, turn);
    }
    announce_ = true;
    // Whatever may have been lost with the last session is asked about, or said, again.
    for (const auto& [number, job] : jobs_) {
        for (std::uint32_t position : job.live) {
            unconfirmed_.insert({number, position});
            if (!job.cancelled.empty() || job.tasks[position].cancelled) sayKill(job, position, turn);
        }
    }
    // What we gave up may run still, its agent back, and our kill gone with the leader that heard it.
    if (gave_up_) say(call::Reconcile{}, turn);
    reconcile_interval_ = options_.reconcile_interval;
    reconcile(turn);
}

void Queue::onTold(const sdk::Disconnected&, Turn&) {
    subscribed_ = false;
    reconcile_at_.reset();
}

// Asks about every live task that nothing was heard of in this session, and again until something is.
void Queue::reconcile(Turn& turn) {
    std::vector<call::Reconcile::Task> asked;
    auto ask = [&] {
        if (!asked.empty()) say(call::Reconcile{std::exchange(asked, {})}, turn);
    };
    for (const TaskRef& ref : unconfirmed_) {
        const Job& job = jobs_.at(ref.job);
        asked.push_back({idOf(job, ref.index), agents_[job.tasks[ref.index].agent].id});
        if (asked.size() == kTasksPerReconcile) ask();
    }
    ask();
    reconcile_at_ = turn.now + reconcile_interval_;
    reconcile_interval_ =
        unconfirmed_.empty() ? options_.reconcile_interval : std::min(reconcile_interval_ * 2, kLongestReconcile);
}

void Queue::awaitBegin(Job& job) {
    job.early = true;
    begins_.insert({job.spec.begin, job.number});
}

void Queue::forgetBegin(Job& job) {
    if (std::exchange(job.early, false)) begins_.erase({job.spec.begin, job.number});
}

// The clock on the wall may be set while a job waits for its time, so it is looked at now and then.
void Queue::setClockWatch(const Turn& turn) {
    clock_watch_.reset();
    if (begins_.empty()) return;
    const Duration left(begins_.begin()->first.nanos - turn.wall.nanos);
    clock_watch_ = turn.now + std::min(left, kLooksAtClock);
}

void Queue::due(Turn& turn) {
    while (!begins_.empty() && begins_.begin()->first <= turn.wall) {
        Job& job = jobs_.at(begins_.begin()->second);
        forgetBegin(job);
        index(job);
        touch(job);
    }
    while (!delays_.empty() && delays_.begin()->first <= turn.now) {
        const TaskRef ref = delays_.begin()->second;
        delays_.erase(delays_.begin());
        delayed_.erase(ref);
        Job& job = jobs_.at(ref.job);
        job.again.insert(ref.index);
        index(job);
    }
    while (!patience_.empty() && patience_.begin()->first <= turn.now) {
        const TaskRef ref = patience_.begin()->second;
        Job& job = jobs_.at(ref.job);
        sayKill(job, ref.index, turn);
        gave_up_ = true;
        if (!job.cancelled.empty() || job.tasks[ref.index].cancelled) {
            finish(job, ref.index, TaskPhase::kCancelled, turn.wall, turn);
        } else {
            loseAttempt(job, ref.index, "its agent stayed unreachable", turn.wall, turn);
        }
    }
    if (subscribed_ && reconcile_at_ && *reconcile_at_ <= turn.now) reconcile(turn);
}

} // namespace stoa::batch
