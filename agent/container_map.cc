#include "agent/container_map.h"

#include "agent/core/executors.h"
#include "protocol/codec/executor_info.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <csignal>
#include <utility>

namespace stoa::agent {
namespace {

TaskOutcome outcomeOf(const ContainerExited& exited) {
    TaskOutcome outcome;
    outcome.wait_status = exited.wait_status;
    outcome.out_of_memory = exited.out_of_memory;
    outcome.cpu_nanos = exited.usage.cpu_nanos;
    outcome.max_memory = {exited.usage.max_memory_bytes};
    return outcome;
}

launcher_says::KnownContainer knownOf(TaskKey key, const LauncherEvent& state) {
    launcher_says::KnownContainer known;
    known.key = std::move(key);
    if (const auto* started = std::get_if<ContainerStarted>(&state)) {
        known.running = true;
        known.pid = started->pid;
        known.start_time = started->start_time;
    } else if (const auto* failed = std::get_if<ContainerLaunchFailed>(&state)) {
        known.failed = failed->reason.empty() ? "the launch failed" : failed->reason;
    } else if (const auto* exited = std::get_if<ContainerExited>(&state)) {
        known.outcome = outcomeOf(*exited);
        known.unknown_reason = exited->unknown_reason;
    }
    return known;
}

} // namespace

absl::StatusOr<std::vector<launcher_says::KnownContainer>> ContainerMap::recover(const std::vector<Record>& records) {
    for (const Record& record : records) {
        TaskKey key;
        if (const auto* launch = std::get_if<LaunchIntended>(&record)) {
            if (!launch->task.executor.empty()) continue; // its executor has the container
            key = {launch->framework.id, launch->task.id};
            watchDisk(key, launch->task.resources);
        } else if (const auto* executor = std::get_if<ExecutorIntended>(&record)) {
            key = containerKey({executor->framework.id, executor->info.id}, executor->run);
        } else {
            continue;
        }
        collector_.keep(Sandboxes::relative(key));
        keys_.emplace(containerId(key), std::move(key));
    }
    auto found = launcher_.recover();
    if (!found.ok()) return found.status();
    std::vector<launcher_says::KnownContainer> known;
    std::set<std::string> told;
    for (const KnownContainer& container : *found) {
        told.insert(container.id);
        if (const TaskKey* key = keyOf(container.id)) {
            known.push_back(knownOf(*key, container.state));
            continue;
        }
        LOG(WARNING) << "container " << container.id << " belongs to no task that the agent knows: it is removed";
        if (std::holds_alternative<ContainerStarted>(container.state)) {
            strays_.insert(container.id);
            (void)launcher_.destroy(container.id);
        } else {
            (void)launcher_.forget(container.id);
        }
    }
    // A launch on its way isn't told of, but can be signalled: with nothing, which only asks.
    for (auto it = keys_.begin(); it != keys_.end();) {
        if (!told.contains(it->first)) {
            if (absl::IsNotFound(launcher_.signal(it->first, 0))) {
                it = keys_.erase(it);
                continue;
            }
            launcher_says::KnownContainer launching;
            launching.key = it->second;
            launching.launching = true;
            known.push_back(std::move(launching));
        }
        ++it;
    }
    return known;
}

const TaskKey* ContainerMap::keyOf(const std::string& id) const {
    const auto found = keys_.find(id);
    return found == keys_.end() ? nullptr : &found->second;
}

void ContainerMap::watchDisk(const TaskKey& key, const Resources& limits) {
    const Bytes limit = bytesOfMegabytes(limits.scalar(Resources::kDisk));
    if (options_.disk != nullptr && limit.count > 0) options_.disk->watch(key, sandboxes_.of(key), limit);
}

void ContainerMap::forgetDisk(const TaskKey& key) {
    if (options_.disk != nullptr) options_.disk->forget(key);
    over_disk_.erase(key);
}

void ContainerMap::fail(const TaskKey& key, std::string reason) {
    forgetDisk(key);
    inputs_.push_back(launcher_says::ContainerFailed{key, std::move(reason)});
}

bool ContainerMap::later(const absl::Status& status, const Effect& effect, Time now) {
    if (!absl::IsUnavailable(status)) return false;
    say_again_.push_back(effect);
    if (!say_again_at_) say_again_at_ = now + kSayAgain;
    return true;
}

void ContainerMap::carryOut(const LaunchContainer& effect, Time now) {
    if (absl::Status ready = prepare(effect, now); !ready.ok()) {
        fail({effect.framework.id, effect.task.id}, std::string(ready.message()));
    }
}

absl::Status ContainerMap::prepare(const LaunchContainer& effect, Time now) {
    const TaskKey key{effect.framework.id, effect.task.id};
    collector_.keep(Sandboxes::relative(key));
    const absl::StatusOr<TaskSpec> spec = readTaskBody(effect.task.body);
    if (!spec.ok()) return spec.status();
    const absl::StatusOr<TaskUser> user = taskUser(effect.framework, spec->command, options_.users, users_, now);
    if (!user.ok()) return user.status();
    const auto sandbox = sandboxes_.create(key, user->uid, user->gid);
    if (!sandbox.ok()) return sandbox.status();
    watchDisk(key, effect.task.resources);
    launchWith(key, *spec, containerSpec(effect.framework, effect.task, *spec, *user, *sandbox, options_.launch),
               *user);
    return absl::OkStatus();
}

void ContainerMap::launchWith(const TaskKey& key, const TaskSpec& spec, ContainerSpec container, const TaskUser& user) {
    if (spec.inputs.empty()) return launch(key, container);
    Fetcher::Job job{key, spec.inputs, container.sandbox, user.uid, user.gid};
    fetching_.insert_or_assign(key, std::move(container));
    fetcher_.submit(std::move(job));
}

void ContainerMap::carryOut(const LaunchExecutor& effect, Time now) {
    if (absl::Status ready = prepare(effect, now); !ready.ok()) fail(effect.key, std::string(ready.message()));
}

absl::Status ContainerMap::prepare(const LaunchExecutor& effect, Time now) {
    collector_.keep(Sandboxes::relative(effect.key));
    const absl::StatusOr<TaskSpec> spec = readExecutorBody(effect.info);
    if (!spec.ok()) return spec.status();
    const absl::StatusOr<TaskUser> user = taskUser(effect.framework, spec->command, options_.users, users_, now);
    if (!user.ok()) return user.status();
    const auto sandbox = sandboxes_.create(effect.key, user->uid, user->gid);
    if (!sandbox.ok()) return sandbox.status();
    launchWith(effect.key, *spec, executorContainerSpec(effect, *spec, *user, *sandbox, options_.launch), *user);
    return absl::OkStatus();
}

void ContainerMap::carryOut(const LimitContainer& effect, Time) {
    const std::int64_t cpus_milli = effect.limits.scalar(Resources::kCpus).count;
    const std::int64_t memory_bytes = bytesOfMegabytes(effect.limits.scalar(Resources::kMem)).count;
    watchDisk(effect.key, effect.limits); // also of the first of an executor's tasks
    if (const auto waiting = fetching_.find(effect.key); waiting != fetching_.end()) {
        waiting->second.cpus_milli = cpus_milli;
        waiting->second.memory_bytes = memory_bytes;
        return;
    }
    const absl::Status status = launcher_.setLimits(containerId(effect.key), cpus_milli, memory_bytes);
    if (!status.ok() && !absl::IsNotFound(status)) {
        LOG(WARNING) << "limits of executor " << effect.key.task << ": " << status;
    }
}

void ContainerMap::launch(const TaskKey& key, const ContainerSpec& spec) {
    keys_.insert_or_assign(spec.id, key);
    if (absl::Status launched = launcher_.launch(spec); !launched.ok()) {
        keys_.erase(spec.id);
        fail(key, std::string(launched.message()));
    }
}

void ContainerMap::carryOut(const SignalContainer& effect, Time now) {
    const absl::Status status = launcher_.signal(containerId(effect.key), effect.signal);
    if (later(status, effect, now) || status.ok() || absl::IsNotFound(status)) return; // its end is on its way
    LOG(WARNING) << "signal " << effect.signal << " to task " << effect.key.task << ": " << status;
}

void ContainerMap::carryOut(const DestroyContainer& effect, Time now) {
    if (fetching_.contains(effect.key)) {
        fetcher_.cancel(effect.key);
        return;
    }
    const absl::Status status = launcher_.destroy(containerId(effect.key));
    if (later(status, effect, now) || status.ok() || absl::IsNotFound(status)) return;
    LOG(WARNING) << "kill of task " << effect.key.task << ": " << status;
}

void ContainerMap::carryOut(const ForgetContainer& effect, Time now) {
    const std::string id = containerId(effect.key);
    const absl::Status status = launcher_.forget(id);
    if (later(status, effect, now)) return;
    if (!status.ok() && !absl::IsNotFound(status)) LOG(WARNING) << "container " << id << ": " << status;
    keys_.erase(id);
    forgetDisk(effect.key);
}

std::vector<Input> ContainerMap::take(Time now) {
    if (options_.disk != nullptr) {
        for (DiskWatch::Over& over : options_.disk->take()) {
            LOG(INFO) << "task " << over.key.task << ": " << over.message;
            carryOut(DestroyContainer{over.key}, now);
            over_disk_.insert_or_assign(over.key, std::move(over.message));
        }
    }
    if (say_again_at_ && *say_again_at_ <= now) {
        say_again_at_.reset();
        for (const Effect& effect : std::exchange(say_again_, {})) {
            if (const auto* signal = std::get_if<SignalContainer>(&effect)) carryOut(*signal, now);
            if (const auto* destroy = std::get_if<DestroyContainer>(&effect)) carryOut(*destroy, now);
            if (const auto* forget = std::get_if<ForgetContainer>(&effect)) carryOut(*forget, now);
        }
    }
    for (Fetcher::Result& result : fetcher_.take()) {
        const auto waiting = fetching_.find(result.key);
        if (waiting == fetching_.end()) continue;
        const ContainerSpec spec = std::move(waiting->second);
        fetching_.erase(waiting);
        if (result.status.ok())
            launch(result.key, spec);
        else
            fail(result.key, std::string(result.status.message()));
    }
    for (const LauncherEvent& event : launcher_.drain()) std::visit([&](const auto& one) { on(one); }, event);
    return std::exchange(inputs_, {});
}

void ContainerMap::on(const ContainerStarted& event) {
    if (const TaskKey* key = keyOf(event.id)) {
        inputs_.push_back(launcher_says::ContainerStarted{*key, event.pid, event.start_time, launcher_.isolation()});
    }
}

void ContainerMap::on(const ContainerLaunchFailed& event) {
    if (const TaskKey* key = keyOf(event.id)) fail(*key, event.reason);
}

void ContainerMap::on(const ContainerExited& event) {
    if (strays_.erase(event.id) > 0) {
        (void)launcher_.forget(event.id);
    } else if (const TaskKey* key = keyOf(event.id)) {
        const auto over = over_disk_.find(*key);
        inputs_.push_back(launcher_says::ContainerExited{*key, outcomeOf(event), event.unknown_reason,
                                                         over == over_disk_.end() ? "" : over->second});
    }
}

} // namespace stoa::agent
