// What the queue shows: pages of jobs, one job with everything, and those who watch a job until it changes.
#include "frameworks/batch/queue.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <chrono>

namespace stoa::batch {

namespace {

constexpr std::uint32_t kMostTasksShown = 10'000; // in one answer
constexpr std::uint32_t kMostJobsShown = 5'000;   // likewise
constexpr std::size_t kMostJobsFollowed = 500;    // likewise, to one who follows them all
constexpr std::size_t kMostJobsLookedAt = 20'000; // for one answer; the next page goes on from there
constexpr std::size_t kLongestCommand = 4'096;    // of what is shown of it

bool plainWord(std::string_view word) {
    return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                                   "_-+=./,:@%") == std::string_view::npos;
}

std::string commandLine(const JobSpec& spec) {
    std::string line = spec.command.shell;
    for (const std::string& word : spec.command.argv) {
        if (!line.empty()) line += " ";
        if (plainWord(word)) {
            line += word;
            continue;
        }
        line += "'";
        for (char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
        line += "'";
        if (line.size() > kLongestCommand) break;
    }
    if (line.size() > kLongestCommand) line = line.substr(0, kLongestCommand) + "…";
    return line;
}

// "2026-11-24 16:00:00 UTC": who reads it may live anywhere.
std::string utc(WallTime time) {
    const std::chrono::sys_time<Duration> moment{Duration(time.nanos)};
    const auto day = std::chrono::floor<std::chrono::days>(moment);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss hour(std::chrono::floor<std::chrono::seconds>(moment - day));
    return absl::StrFormat("%04d-%02d-%02d %02d:%02d:%02d UTC", static_cast<int>(date.year()),
                           static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), hour.hours().count(),
                           hour.minutes().count(), hour.seconds().count());
}

} // namespace

void Queue::on(const ListJobs& list, Turn& turn) {
    answer::Jobs jobs;
    jobs.framework = framework_;
    jobs.unfinished = unfinished_;
    jobs.ended = jobs_.size() - unfinished_;
    const std::uint32_t limit = std::clamp(list.limit, 1u, kMostJobsShown);
    auto job = list.before ? jobs_.lower_bound(*list.before) : jobs_.end();
    for (std::size_t looked_at = 0; job != jobs_.begin(); ++looked_at) {
        if (jobs.jobs.size() == limit || looked_at == kMostJobsLookedAt) {
            jobs.next = job == jobs_.end() ? next_job_ : job->first;
            break;
        }
        --job;
        const Job& one = job->second;
        if (list.unfinished && one.ended.nanos != 0) continue;
        if (!list.user.empty() && one.spec.command.user != list.user) continue;
        if (!list.name.empty() && one.spec.name != list.name) continue;
        jobs.jobs.push_back(viewOf(one));
    }
    std::reverse(jobs.jobs.begin(), jobs.jobs.end());
    answer(list.request, std::move(jobs), turn);
}

void Queue::on(const ShowJob& show, Turn& turn) {
    Job* job = find(show.job);
    if (!job) {
        answer(show.request, answer::Refused{absl::NotFoundError(concat("there is no job ", show.job))}, turn);
    } else if (show.index && !job->spec.positionOf(*show.index)) {
        answer(show.request,
               answer::Refused{absl::NotFoundError(
                   concat("job ", show.job, " has no task ", *show.index, "; it has ", job->spec.count, ", ",
                          job->spec.indices.empty() ? "numbered from 0" : job->spec.indices.toString()))},
               turn);
    } else if (show.changed_since && *show.changed_since == job->version && job->ended.nanos == 0) {
        watching_[show.request] = job->number;
        job->watchers.push_back(show);
    } else {
        answer(show.request, answer::Job{detailedViewOf(*job, show), framework_}, turn);
    }
}

void Queue::on(const AnswerNow& now, Turn& turn) {
    std::erase_if(followers_, [&](const FollowJobs& follow) { return follow.request == now.request; });
    auto watching = watching_.find(now.request);
    if (watching == watching_.end()) return;
    if (Job* job = find(watching->second)) {
        auto watcher = std::find_if(job->watchers.begin(), job->watchers.end(),
                                    [&](const ShowJob& show) { return show.request == now.request; });
        answer(now.request, answer::Job{detailedViewOf(*job, *watcher), framework_}, turn);
        job->watchers.erase(watcher);
    }
    watching_.erase(watching);
}

void Queue::answerWatchers(Turn& turn) {
    for (JobNumber number : std::exchange(touched_, {})) {
        Job* job = find(number);
        if (!job) continue;
        job->touched = false;
        noteChange(*job);
        for (const ShowJob& watcher : std::exchange(job->watchers, {})) {
            watching_.erase(watcher.request);
            answer(watcher.request, answer::Job{detailedViewOf(*job, watcher), framework_}, turn);
        }
    }
    if (followers_.empty() || followers_.front().after == last_change_) return;
    for (const FollowJobs& follow : std::exchange(followers_, {})) {
        answer(follow.request, changedAfter(follow.after), turn);
    }
}

// ---- Following all jobs ----------------------------------------------------------------------------------------

void Queue::noteChange(Job& job) {
    by_change_.erase(job.change);
    job.change = ++last_change_;
    by_change_[job.change] = job.number;
}

answer::ChangedJobs Queue::changedAfter(std::uint64_t change) const {
    answer::ChangedJobs changed;
    changed.upto = change;
    for (auto next = by_change_.upper_bound(change);
         next != by_change_.end() && changed.jobs.size() < kMostJobsFollowed; ++next) {
        changed.jobs.push_back(viewOf(jobs_.at(next->second)));
        changed.upto = next->first;
    }
    return changed;
}

void Queue::on(const FollowJobs& follow, Turn& turn) {
    if (follow.after >= last_change_) {
        followers_.push_back(follow);
    } else {
        answer(follow.request, changedAfter(follow.after), turn);
    }
}

JobState Queue::stateOf(const Job& job) const {
    auto in = [&](TaskPhase phase) { return job.phases[static_cast<std::size_t>(phase)]; };
    if (job.ended.nanos != 0) {
        if (in(TaskPhase::kFailed) > 0) return JobState::kFailed;
        return in(TaskPhase::kCancelled) > 0 ? JobState::kCancelled : JobState::kSucceeded;
    }
    if (!job.cancelled.empty()) return JobState::kCancelling;
    if (!job.live.empty()) return JobState::kRunning;
    if (job.unmet > 0 || job.early || job.spec.held) return JobState::kHeld;
    const bool started = in(TaskPhase::kWaiting) < job.spec.count;
    return started ? JobState::kRunning : JobState::kQueued;
}

std::string Queue::whyOf(const Job& job, JobState state) const {
    if (!job.cancelled.empty()) return job.cancelled;
    if (state == JobState::kHeld && job.unmet > 0) {
        return concat("waits for ", job.unmet, job.unmet == 1 ? " job" : " jobs");
    }
    if (job.spec.held && !isFinal(state)) return "held; `stoa release` lets it go";
    if (job.early && !isFinal(state)) return concat("begins at ", utc(job.spec.begin));
    const bool waits = job.phases[static_cast<std::size_t>(TaskPhase::kWaiting)] > 0;
    if (job.spec.at_most > 0 && job.live.size() >= job.spec.at_most && waits) {
        return concat("as many of its tasks run as its array allows, ", job.spec.at_most);
    }
    return "";
}

JobView Queue::viewOf(const Job& job) const {
    JobView view;
    view.job = job.number;
    view.name = job.spec.name;
    view.user = job.spec.command.user;
    view.state = stateOf(job);
    view.version = job.version;
    view.count = job.spec.count;
    view.array = job.spec.array;
    if (job.spec.array) {
        view.indices =
            job.spec.indices.empty() ? IndexSet::upTo(job.spec.count).toString() : job.spec.indices.toString();
    }
    view.at_most = job.spec.at_most;
    view.priority = job.spec.priority;
    view.held = job.spec.held;
    view.begin = job.spec.begin;
    view.phases = job.phases;
    view.reasons = job.reasons;
    view.why = whyOf(job, view.state);
    view.shape = job.spec.shape;
    view.after = job.spec.after;
    view.outputs = job.spec.outputs;
    view.time_limit = job.spec.time_limit;
    view.submitted = job.submitted;
    view.started = job.started;
    view.ended = job.ended;
    return view;
}

JobView Queue::detailedViewOf(const Job& job, const ShowJob& show) const {
    JobView view = viewOf(job);
    JobView::Details details;
    details.command = commandLine(job.spec);
    details.work_directory = job.spec.work_directory;
    details.stdout_file = job.spec.stdout_file;
    details.stderr_file = job.spec.stderr_file;
    details.retries = job.spec.retries;
    for (const Dependency& before : job.spec.after) {
        const Job* predecessor = job.ended.nanos == 0 ? find(before.job) : nullptr;
        if (predecessor && met(*predecessor, before.kind) != Met::kYes) details.unmet.push_back(before);
    }
    view.details = std::move(details);
    const std::uint32_t most = std::min(show.task_count, kMostTasksShown);
    if (show.live_tasks) {
        for (auto it = job.live.lower_bound(show.first_task); it != job.live.end() && view.tasks.size() < most; ++it) {
            view.tasks.push_back(taskViewOf(job, *it));
        }
        return view;
    }
    if (show.index) {
        view.tasks.push_back(taskViewOf(job, job.spec.positionOf(*show.index).value_or(0)));
        return view;
    }
    const std::uint64_t end = std::min<std::uint64_t>(job.spec.count, std::uint64_t{show.first_task} + most);
    for (std::uint64_t i = show.first_task; i < end; ++i) {
        view.tasks.push_back(taskViewOf(job, static_cast<std::uint32_t>(i)));
    }
    return view;
}

TaskView Queue::taskViewOf(const Job& job, std::uint32_t position) const {
    TaskView shown;
    shown.index = job.spec.indexAt(position);
    if (position >= job.tasks.size()) {
        if (!job.cancelled.empty()) shown.phase = TaskPhase::kCancelled;
        return shown;
    }
    const Task& task = job.tasks[position];
    shown.phase = task.phase;
    shown.last = lastAttempt(task, agents_);
    if (task.trouble) shown.earlier = task.trouble->earlier;
    if (task.attempt > 0) shown.id = idOf(job, position);
    return shown;
}

Attempt Queue::lastAttempt(const Task& task, const std::vector<Agent>& agents) {
    Attempt attempt;
    attempt.number = task.attempt;
    if (task.attempt > 0) {
        attempt.agent = agents[task.agent].id;
        attempt.address = agents[task.agent].address;
    }
    attempt.launched = task.launched;
    attempt.started = task.started;
    attempt.ended = task.ended;
    attempt.wait_status = task.wait_status;
    attempt.cpu_nanos = task.cpu_nanos;
    attempt.max_memory = task.max_memory;
    if (task.trouble) attempt.why = task.trouble->why;
    return attempt;
}

std::optional<JobView> Queue::view(JobNumber job, std::uint32_t first_task, std::uint32_t task_count) const {
    const Job* found = find(job);
    if (!found) return std::nullopt;
    ShowJob show;
    show.first_task = first_task;
    show.task_count = task_count;
    return detailedViewOf(*found, show);
}

} // namespace stoa::batch
