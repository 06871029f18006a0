// What follows from what is heard of tasks: progress, success, another attempt, failure, and doubt after silence.
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <algorithm>
#include <csignal>
#include <sys/wait.h>

namespace stoa::batch {

namespace {

constexpr std::size_t kTasksPerReconcile = 1'000; // asked about in one call
constexpr Duration kLongestReconcile = std::chrono::minutes(10);

// What a failed attempt is counted under.
std::string reasonOf(const TaskStatus& status) {
    if (status.outcome.out_of_memory || status.reason == Reason::kContainerLimitationMemory) return "out of memory";
    if (status.reason == Reason::kContainerLimitationDisk) return "out of disk";
    if (status.reason == Reason::kContainerLaunchFailed) return "could not be launched";
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

void Queue::onTold(const event::Update& update, Time now, Output& output) {
    const TaskStatus& status = update.status;
    auto acknowledge = [&] {
        if (status.uuid) say(call::Acknowledge{status.agent, status.task, *status.uuid}, output);
    };
    const std::optional<AttemptRef> ref = parseTaskId(status.task.value());
    Job* job = ref ? find(ref->task.job) : nullptr;
    Task* task = job && ref->task.index < job->tasks.size() ? &job->tasks[ref->task.index] : nullptr;
    if (!task || task->attempt != ref->attempt || isFinal(task->phase) || task->phase == TaskPhase::kWaiting) {
        // Of an attempt that we have given up or settled: it must not go on, and its word no longer counts.
        if (!isTerminal(status.state) && status.state != TaskState::kUnknown &&
            status.state != TaskState::kUnreachable && status.state != TaskState::kKilling) {
            say(call::Kill{status.task, status.agent, std::nullopt}, output);
        }
        acknowledge();
        return;
    }
    const std::uint32_t index = ref->task.index;
    if (status.state == TaskState::kUnreachable) {
        if (task->phase != TaskPhase::kUnreachable) {
            const Time until = now + options_.unreachable_patience;
            setPhase(*job, index, TaskPhase::kUnreachable);
            unreachable_[ref->task] = until;
            patience_.insert({until, ref->task});
        }
    } else if (isTerminal(status.state) || status.state == TaskState::kUnknown) {
        unconfirmed_.erase(ref->task);
        endAttempt(*job, index, status, now, output);
    } else {
        unconfirmed_.erase(ref->task);
        const bool runs = status.state == TaskState::kRunning || status.state == TaskState::kKilling;
        const TaskPhase phase = runs ? TaskPhase::kRunning : TaskPhase::kLaunched;
        if (task->phase != phase) setPhase(*job, index, phase);
    }
    acknowledge();
}

void Queue::endAttempt(Job& job, std::uint32_t index, const TaskStatus& status, Time now, Output& output) {
    Task& task = job.tasks[index];
    task.wait_status = status.outcome.wait_status;
    const bool cancelled = !job.cancelled.empty();
    if (status.state == TaskState::kFinished) {
        if (task.trouble) task.trouble->why.clear();
        finish(job, index, TaskPhase::kSucceeded, status.timestamp, output);
        return;
    }
    if (cancelled) {
        finish(job, index, TaskPhase::kCancelled, status.timestamp, output);
        return;
    }
    if (isLoss(status)) {
        loseAttempt(job, index, withMessage(std::string(name(status.state)), status), status.timestamp, now, output);
        return;
    }
    const std::string reason = reasonOf(status);
    blame(job, task, reason, withMessage(reason, status));
    // Somebody ended it on purpose, or it can never be right: another attempt would be against his will, or in vain.
    const bool hopeless = status.state == TaskState::kKilled || status.state == TaskState::kError;
    if (hopeless || task.failures >= job.spec.retries) {
        ++task.failures;
        finish(job, index, TaskPhase::kFailed, status.timestamp, output);
        return;
    }
    tryAgain(job, index, task.failures++, now);
    storeTask(job, index, output);
}

void Queue::loseAttempt(Job& job, std::uint32_t index, const std::string& why, WallTime when, Time now,
                        Output& output) {
    Task& task = job.tasks[index];
    blame(job, task, "lost", why);
    if (task.losses >= options_.max_losses) {
        task.trouble->why = concat("lost ", task.losses + 1, " times, at last: ", why);
        ++task.losses;
        finish(job, index, TaskPhase::kFailed, when, output);
        return;
    }
    tryAgain(job, index, task.losses++, now);
    storeTask(job, index, output);
}

void Queue::blame(Job& job, Task& task, const std::string& reason, std::string why) {
    if (!task.trouble) task.trouble = std::make_unique<Trouble>();
    ++task.trouble->reasons[reason];
    task.trouble->why = std::move(why);
    ++job.reasons[reason];
}

void Queue::tryAgain(Job& job, std::uint32_t index, std::uint32_t times_before, Time now) {
    const TaskRef ref{job.number, index};
    Duration delay = options_.first_retry;
    for (std::uint32_t i = 0; i < times_before && delay < options_.longest_retry; ++i) delay *= 2;
    const Time when = now + std::min(delay, options_.longest_retry);
    setPhase(job, index, TaskPhase::kWaiting);
    delayed_[ref] = when;
    delays_.insert({when, ref});
}

void Queue::finish(Job& job, std::uint32_t index, TaskPhase phase, WallTime when, Output& output) {
    job.tasks[index].ended = when;
    setPhase(job, index, phase);
    storeTask(job, index, output);
    settle(job, when, output);
}

// Every change of a launched task's phase comes through here, so that counts and look-ups stay true.
void Queue::setPhase(Job& job, std::uint32_t index, TaskPhase phase) {
    Task& task = job.tasks[index];
    const TaskRef ref{job.number, index};
    auto isLive = [](TaskPhase p) { return p != TaskPhase::kWaiting && !isFinal(p); };
    if (isLive(task.phase) && !isLive(phase)) {
        --live_;
        unconfirmed_.erase(ref);
    }
    if (!isLive(task.phase) && isLive(phase)) {
        ++live_;
        unconfirmed_.insert(ref);
    }
    if (task.phase == TaskPhase::kUnreachable) {
        patience_.erase({unreachable_.at(ref), ref});
        unreachable_.erase(ref);
    }
    --job.phases[static_cast<std::size_t>(task.phase)];
    ++job.phases[static_cast<std::size_t>(phase)];
    task.phase = phase;
    touch(job);
}

// ---- Sessions and silence --------------------------------------------------------------------------------------

void Queue::onTold(const event::Subscribed& subscribed, Time now, Output& output) {
    subscribed_ = true;
    if (framework_ != subscribed.framework) {
        framework_ = subscribed.framework;
        store(FrameworkRecord{framework_}, output);
    }
    announce_ = true;
    // Whatever may have been lost with the last session is asked about, or said, again.
    for (const auto& [number, job] : jobs_) {
        if (job.ended.nanos != 0) continue;
        for (std::uint32_t i = 0; i < job.tasks.size(); ++i) {
            const Task& task = job.tasks[i];
            if (isFinal(task.phase) || task.phase == TaskPhase::kWaiting) continue;
            unconfirmed_.insert({number, i});
            if (!job.cancelled.empty()) {
                say(call::Kill{taskId({{number, i}, task.attempt}), agents_[task.agent].id, job.spec.kill_grace},
                    output);
            }
        }
    }
    reconcile_interval_ = options_.reconcile_interval;
    reconcile(now, output);
}

void Queue::onTold(const sdk::Disconnected&, Time, Output&) {
    subscribed_ = false;
    reconcile_at_.reset();
}

// Asks about every live task that nothing was heard of in this session, and again until something is.
void Queue::reconcile(Time now, Output& output) {
    std::vector<call::Reconcile::Task> asked;
    auto ask = [&] {
        if (!asked.empty()) say(call::Reconcile{std::exchange(asked, {})}, output);
    };
    for (const TaskRef& ref : unconfirmed_) {
        const Task& task = jobs_.at(ref.job).tasks[ref.index];
        asked.push_back({taskId({ref, task.attempt}), agents_[task.agent].id});
        if (asked.size() == kTasksPerReconcile) ask();
    }
    ask();
    reconcile_at_ = now + reconcile_interval_;
    reconcile_interval_ =
        unconfirmed_.empty() ? options_.reconcile_interval : std::min(reconcile_interval_ * 2, kLongestReconcile);
}

void Queue::due(Time now, Output& output) {
    while (!delays_.empty() && delays_.begin()->first <= now) {
        const TaskRef ref = delays_.begin()->second;
        delays_.erase(delays_.begin());
        delayed_.erase(ref);
        Job& job = jobs_.at(ref.job);
        const std::uint64_t before = pendingOf(job);
        job.again.insert(ref.index);
        index(job, before);
    }
    while (!patience_.empty() && patience_.begin()->first <= now) {
        const TaskRef ref = patience_.begin()->second;
        Job& job = jobs_.at(ref.job);
        Task& task = job.tasks[ref.index];
        say(call::Kill{taskId({ref, task.attempt}), agents_[task.agent].id, job.spec.kill_grace}, output);
        if (!job.cancelled.empty()) {
            finish(job, ref.index, TaskPhase::kCancelled, job.submitted, output);
        } else {
            loseAttempt(job, ref.index, "its agent stayed unreachable", job.submitted, now, output);
        }
    }
    if (subscribed_ && reconcile_at_ && *reconcile_at_ <= now) reconcile(now, output);
}

void Queue::storeTask(const Job& job, std::uint32_t index, Output& output) {
    const Task& task = job.tasks[index];
    TaskRecord record;
    record.task = {job.number, index};
    const bool live = task.phase != TaskPhase::kWaiting && !isFinal(task.phase);
    record.phase = live ? TaskPhase::kLaunched : task.phase;
    record.attempt = task.attempt;
    record.failures = task.failures;
    record.losses = task.losses;
    record.agent = agents_[task.agent].id;
    record.address = agents_[task.agent].address;
    record.wait_status = task.wait_status;
    record.ended = task.ended;
    if (task.trouble) {
        record.why = task.trouble->why;
        record.reasons = task.trouble->reasons;
    }
    store(std::move(record), output);
}

} // namespace stoa::batch
