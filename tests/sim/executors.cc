#include "tests/sim/executors.h"

#include "agent/core/executors.h"
#include "protocol/codec/executor_messages.h"

#include <absl/strings/str_cat.h>

#include <csignal>
#include <utility>
#include <variant>

namespace stoa::sim {

namespace {

// Of the loopback; the same for all, so that order is kept.
constexpr Duration kHop = std::chrono::microseconds(100);
constexpr Duration kIdle = std::chrono::seconds(20);

} // namespace

Executors::Executors(Parts parts, Tell tell, Door door)
    : parts_(std::move(parts)), tell_(std::move(tell)), door_(std::move(door)), node_(parts_.queue.addNode()) {}

bool Executors::strikes(Fault fault) {
    if (!parts_.rng.chance(parts_.faults.of(fault))) return false;
    ++parts_.counts[static_cast<std::size_t>(fault)];
    return true;
}

void Executors::trace(const Run& run, const std::string& what) const {
    if (parts_.trace.on()) parts_.trace.line(parts_.machine + "/" + run.executor.value(), what);
}

void Executors::later(const TaskKey& container, Duration in, std::function<void(Run&)> what) {
    const std::uint64_t life = runs_.at(container).life;
    parts_.queue.schedule(node_, in, [this, container, life, what = std::move(what)] {
        const auto found = runs_.find(container);
        if (found != runs_.end() && found->second.life == life && found->second.known.running) what(found->second);
    });
}

// ---- As a launcher -----------------------------------------------------------------------------------------------

void Executors::launch(const agent::LaunchExecutor& effect) {
    for (const auto& [key, other] : runs_) {
        parts_.checker.require(!other.known.running || other.framework != effect.framework.id ||
                                   other.executor != effect.info.id,
                               absl::StrCat("two executors ", effect.info.id.value(), " live on ", parts_.machine));
    }
    Run& run = runs_[effect.key];
    run.known.key = effect.key;
    run.known.running = true;
    run.framework = effect.framework.id;
    run.executor = effect.info.id;
    run.token = effect.token;
    run.life = next_life_++;
    run.ignores_term = parts_.rng.below(4) == 0;
    run.rng = std::make_unique<Rng>(parts_.rng.next());
    const Duration start = std::chrono::microseconds(500 + parts_.rng.below(20'000));
    if (strikes(Fault::kLaunchFailure)) {
        later(effect.key, start, [this](Run& one) {
            one.known.running = false;
            one.known.failed = "execvp nosuch: No such file or directory";
            tell_(agent::launcher_says::ContainerFailed{one.known.key, one.known.failed});
        });
        return;
    }
    run.known.pid = static_cast<std::int64_t>(50'000 + run.life);
    later(effect.key, start, [this](Run& one) {
        tell_(agent::launcher_says::ContainerStarted{one.known.key, one.known.pid, 0, ""});
        if (!strikes(Fault::kExecutorHang)) begin(one);
    });
}

void Executors::signal(const TaskKey& container) {
    const auto found = runs_.find(container);
    if (found == runs_.end() || !found->second.known.running || found->second.ignores_term) return;
    later(container, std::chrono::microseconds(100 + parts_.rng.below(500'000)),
          [this](Run& one) { exit(one, SIGTERM); });
}

void Executors::destroy(const TaskKey& container) {
    const auto found = runs_.find(container);
    if (found == runs_.end() || !found->second.known.running) return;
    later(container, std::chrono::microseconds(100 + parts_.rng.below(5'000)),
          [this](Run& one) { exit(one, SIGKILL); });
}

void Executors::forget(const TaskKey& container) { runs_.erase(container); }

std::vector<agent::launcher_says::KnownContainer> Executors::known() const {
    std::vector<agent::launcher_says::KnownContainer> all;
    for (const auto& [key, run] : runs_) all.push_back(run.known);
    return all;
}

void Executors::crashShim() {
    for (auto& [key, run] : runs_) run.shim_lost |= run.known.running;
}

void Executors::reboot() {
    parts_.queue.crash(node_);
    for (auto& [key, run] : runs_) {
        for (const auto& [task, resources] : run.tasks) parts_.checker.ended(parts_.machine, {run.framework, task});
        if (run.known.running) parts_.checker.ended(parts_.machine, key);
    }
    runs_.clear();
}

std::size_t Executors::running() const {
    std::size_t count = 0;
    for (const auto& [key, run] : runs_) count += run.known.running ? 1 : 0;
    return count;
}

void Executors::exit(Run& run, int wait_status) {
    trace(run, absl::StrCat("ends with ", wait_status));
    for (const auto& [task, resources] : run.tasks) parts_.checker.ended(parts_.machine, {run.framework, task});
    run.tasks.clear();
    run.core.reset();
    run.known.running = false;
    if (run.shim_lost) {
        run.known.unknown_reason = "the shim died";
    } else {
        run.known.outcome.wait_status = wait_status;
    }
    if (run.attempt > 0) door_.hangUp(run.known.key, run.attempt);
    tell_(agent::launcher_says::ContainerExited{run.known.key, run.known.outcome, run.known.unknown_reason});
}

// ---- The executor ------------------------------------------------------------------------------------------------

void Executors::begin(Run& run) {
    sdk::ExecutorCore::Options options;
    options.framework = run.framework;
    options.executor = run.executor;
    options.backoff_most = std::chrono::seconds(1);
    run.core = std::make_unique<sdk::ExecutorCore>(std::move(options), *run.rng, parts_.queue.now());
    step(run, sdk::Tick{});
}

void Executors::step(Run& run, const sdk::ExecutorInput& input) {
    if (!run.core) return;
    sdk::ExecutorOutput out;
    run.core->step(input, parts_.queue.now(), out);
    carryOut(run, std::move(out));
}

void Executors::carryOut(Run& run, sdk::ExecutorOutput out) {
    for (ExecutorCall& call : out.calls) {
        // The connection of this one call breaks.
        if (strikes(Fault::kExecutorLink)) continue;
        door_.say({run.known.key, run.attempt, run.token, std::move(call)});
    }
    if (out.subscribe) door_.say({run.known.key, ++run.attempt, run.token, *std::move(out.subscribe)});
    for (const sdk::ExecutorTold& one : out.told) told(run, one);
    if (out.ended && run.core && run.known.running) return exit(run, 0);
    sleepUntilDue(run);
}

void Executors::sleepUntilDue(Run& run) {
    if (!run.core || !run.known.running) return;
    const std::optional<Time> at = run.core->nextDeadline();
    if (!at || (run.wake_at && *run.wake_at <= *at && *run.wake_at > parts_.queue.now())) return;
    run.wake_at = at;
    later(run.known.key, std::max(*at - parts_.queue.now(), Duration{0}), [this](Run& one) {
        one.wake_at.reset();
        step(one, sdk::Tick{});
    });
}

void Executors::event(const TaskKey& container, std::uint64_t attempt, const ExecutorEvent& event) {
    if (!has(container)) return;
    // Through the codec, as over the wire.
    absl::StatusOr<ExecutorEvent> decoded = executorEventFromJson(toJson(event));
    parts_.checker.require(decoded.ok(),
                           absl::StrCat("an executor's event does not decode: ", decoded.status().message()));
    if (!decoded.ok()) return;
    later(container, kHop, [this, attempt, event = *std::move(decoded)](Run& run) {
        if (run.attempt == attempt) step(run, sdk::StreamEvent{event});
    });
}

void Executors::streamEnded(const TaskKey& container, std::uint64_t attempt, bool refused, std::string why) {
    if (!has(container)) return;
    later(container, kHop, [this, attempt, refused, why = std::move(why)](Run& run) {
        if (run.attempt == attempt) step(run, sdk::StreamEnded{why, refused});
    });
}

void Executors::agentDown() {
    for (const auto& [key, run] : runs_) {
        if (run.attempt > 0) streamEnded(key, run.attempt, false, "the agent is gone");
    }
}

void Executors::told(Run& run, const sdk::ExecutorTold& told) {
    if (!run.core) return; // it ended on the way here
    if (const auto* launch = std::get_if<executor_event::Launch>(&told)) {
        runTask(run, launch->task);
    } else if (const auto* kill = std::get_if<executor_event::Kill>(&told)) {
        trace(run, "is told to kill " + kill->task.value());
        later(run.known.key, std::chrono::microseconds(parts_.rng.below(300'000)),
              [this, task = kill->task](Run& one) { say(one, task, TaskState::kKilled); });
    } else if (const auto* message = std::get_if<executor_event::Message>(&told)) {
        ++messages_;
        sdk::ExecutorOutput out;
        (void)run.core->message(message->data, out);
        carryOut(run, std::move(out));
    } else if (std::holds_alternative<executor_event::Shutdown>(told)) {
        trace(run, "is told to shut down");
        const std::map<TaskId, Resources> tasks = run.tasks;
        for (const auto& [task, resources] : tasks) say(run, task, TaskState::kKilled);
        if (!run.core) return;
        sdk::ExecutorOutput out;
        run.core->stop(parts_.queue.now(), out);
        carryOut(run, std::move(out));
    }
}

void Executors::runTask(Run& run, const TaskInfo& task) {
    const TaskKey key{run.framework, task.id};
    trace(run, "launches " + task.id.value());
    parts_.checker.launched(parts_.machine, key, task.resources, true);
    run.tasks[task.id] = task.resources;
    ++run.busy;
    if (strikes(Fault::kExecutorCrash)) {
        later(run.known.key, std::chrono::milliseconds(parts_.rng.below(5'000)),
              [this](Run& one) { exit(one, SIGSEGV); });
    }
    later(run.known.key, std::chrono::microseconds(parts_.rng.below(20'000)),
          [this, id = task.id](Run& one) { say(one, id, TaskState::kRunning); });
    const auto longest = static_cast<std::uint64_t>(parts_.longest_task.count());
    const Duration length(static_cast<std::int64_t>(parts_.rng.below(longest)));
    // Some tell of themselves on the way.
    if (parts_.rng.below(4) == 0) {
        later(run.known.key, length / 2, [this, id = task.id](Run& one) { say(one, id, TaskState::kRunning); });
    }
    const TaskState end = strikes(Fault::kTaskFailure) ? TaskState::kFailed : TaskState::kFinished;
    later(run.known.key, std::chrono::milliseconds(20) + length,
          [this, id = task.id, end](Run& one) { say(one, id, end); });
}

void Executors::say(Run& run, const TaskId& task, TaskState state) {
    if (!run.core || !run.tasks.contains(task)) return;
    TaskStatus status;
    status.task = task;
    status.state = state;
    sdk::ExecutorOutput out;
    const absl::Status said =
        run.core->update(status, parts_.queue.now(), WallTime{parts_.queue.now().time_since_epoch().count()}, out);
    parts_.checker.require(said.ok(), absl::StrCat("an executor may not say an update: ", said.message()));
    if (isTerminal(state)) {
        run.tasks.erase(task);
        parts_.checker.ended(parts_.machine, {run.framework, task});
    }
    if (run.tasks.empty()) {
        later(run.known.key, kIdle, [this, busy = run.busy](Run& one) {
            if (one.busy != busy || !one.tasks.empty() || !one.core) return;
            trace(one, "is idle and ends");
            sdk::ExecutorOutput last;
            one.core->stop(parts_.queue.now(), last);
            carryOut(one, std::move(last));
        });
    }
    carryOut(run, std::move(out));
}

} // namespace stoa::sim
