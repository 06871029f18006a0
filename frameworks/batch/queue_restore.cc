// How the queue begins: from what the disk holds. What only the cluster knows, which tasks run, is asked anew.
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <algorithm>

namespace stoa::batch {

void Queue::restore(const Recovered& recovered) {
    std::map<TaskRef, const TaskRecord*> tasks; // the newest of each
    for (const Record& record : recovered.records) {
        if (const auto* known = std::get_if<FrameworkRecord>(&record)) {
            framework_ = known->id;
        } else if (const auto* stored = std::get_if<JobRecord>(&record)) {
            Job& job = jobs_[stored->job];
            job.number = stored->job;
            job.spec = stored->spec;
            shareEnvironment(job);
            job.submitted = stored->submitted;
            job.started = stored->started;
            job.ended = stored->ended;
            job.cancelled = stored->cancelled;
            next_job_ = std::max(next_job_, stored->job + 1);
        } else if (const auto* task = std::get_if<TaskRecord>(&record)) {
            tasks[task->task] = task;
        } else {
            const JobNumber forgotten = std::get<JobForgotten>(record).job;
            if (const Job* job = find(forgotten)) forgetEnvironment(*job);
            jobs_.erase(forgotten);
            tasks.erase(tasks.lower_bound({forgotten, 0}), tasks.lower_bound({forgotten + 1, 0}));
            next_job_ = std::max(next_job_, forgotten + 1);
        }
    }
    for (const auto& [ref, record] : tasks) {
        Job* job = find(ref.job);
        if (job && ref.index < job->spec.count) restoreTask(*job, *record);
    }
    for (auto& [number, job] : jobs_) {
        restoreJob(job);
        noteChange(job);
    }
    for (const auto& [number, job] : jobs_) maybeForgettable(job);
    demands_changed_ = true;
    restored_ = true;
}

void Queue::restoreTask(Job& job, const TaskRecord& record) {
    const TaskRef ref = record.task;
    // Tasks without a record of their own were never launched, and are not in the table beyond the last that was.
    materialize(job, ref.index);
    if (job.tasks.size() == ref.index) job.tasks.emplace_back();
    Task& task = job.tasks[ref.index];
    task.phase = record.phase;
    task.cancelled = record.cancelled;
    task.attempt = record.last.number;
    task.failures = record.failures;
    task.losses = record.losses;
    if (task.losses > 0) gave_up_ = true;
    if (task.attempt > 0) task.agent = slotOf(record.last.agent, record.last.address);
    task.wait_status = record.last.wait_status;
    task.launched = record.last.launched;
    task.started = record.last.started;
    task.ended = record.last.ended;
    task.cpu_nanos = record.last.cpu_nanos;
    task.max_memory = record.last.max_memory;
    if (!record.last.why.empty() || !record.reasons.empty() || !record.earlier.empty()) {
        task.trouble = std::make_unique<Trouble>(Trouble{record.reasons, record.last.why, record.earlier});
        for (const auto& [reason, count] : record.reasons) job.reasons[reason] += count;
    }
    if (task.phase == TaskPhase::kWaiting) job.again.insert(ref.index);
    if (task.phase == TaskPhase::kLaunched) {
        ++live_;
        job.live.insert(ref.index);
        unconfirmed_.insert(ref);
    }
}

void Queue::restoreJob(Job& job) {
    if (!job.cancelled.empty()) {
        for (std::uint32_t waiting : job.again) job.tasks[waiting].phase = TaskPhase::kCancelled;
        job.again.clear();
    }
    for (const Task& task : job.tasks) ++job.phases[static_cast<std::size_t>(task.phase)];
    const auto fresh = static_cast<std::uint32_t>(job.spec.count - job.tasks.size());
    const TaskPhase phase = job.cancelled.empty() ? TaskPhase::kWaiting : TaskPhase::kCancelled;
    job.phases[static_cast<std::size_t>(phase)] += fresh;
    if (job.ended.nanos != 0) return;
    ++unfinished_;
    for (const Dependency& before : job.spec.after) {
        Job* predecessor = find(before.job);
        if (!predecessor) continue; // never forgotten before this job ended; so the file was tampered with
        ++predecessor->readers;
        // Those that come before in the map are counted already, and a job's number is above those it waits for.
        if (met(*predecessor, before.kind) == Met::kYes) continue;
        ++job.unmet;
        predecessor->dependents.push_back({job.number, before.kind});
    }
    if (job.spec.begin.nanos != 0) awaitBegin(job); // the first step knows what time it is
    joinGroup(job);
    index(job);
}

// A crash may have come between the last task's record and what follows from it for jobs.
void Queue::completeRestored(Turn& turn) {
    restored_ = false;
    for (auto& [number, job] : jobs_) {
        if (job.ended.nanos != 0) {
            if (!job.dependents.empty()) tellDependents(job, turn);
            continue;
        }
        WallTime when = job.submitted;
        for (const Task& task : job.tasks) when = std::max(when, task.ended);
        settle(job, when, turn);
    }
    cancelDoomed(turn);
}

} // namespace stoa::batch
