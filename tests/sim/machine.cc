#include "tests/sim/machine.h"

#include <absl/strings/str_cat.h>

#include <csignal>
#include <utility>

namespace stoa::sim {

namespace {

constexpr int exitStatus(int code) {
    return code << 8; // as waitpid gives it
}

} // namespace

Machine::Machine(EventQueue& queue, Rng& rng, FaultCounts& counts, const Options& options, Tell tell)
    : queue_(queue), rng_(rng), counts_(counts), options_(options), tell_(std::move(tell)), node_(queue.addNode()) {}

bool Machine::strikes(Fault fault) {
    if (!rng_.chance(options_.faults.of(fault))) return false;
    ++counts_[static_cast<std::size_t>(fault)];
    return true;
}

void Machine::launch(const TaskKey& key) {
    ++launches_[key];
    Container& container = containers_[key];
    container = {};
    container.life = next_life_++;
    container.known.key = key;
    container.known.running = true;
    container.ignores_term = rng_.below(4) == 0;
    const std::uint64_t life = container.life;
    const Duration start = std::chrono::microseconds(500 + rng_.below(20'000));
    if (options_.play) {
        container.play = options_.play(key);
        container.ignores_term = container.play->ignores_term;
        if (!container.play->failed.empty()) return fail(key, start, container.play->failed);
    } else if (strikes(Fault::kLaunchFailure)) {
        return fail(key, start, "execvp nosuch: No such file or directory");
    }
    container.known.pid = static_cast<std::int64_t>(1000 + life);
    container.known.start_time = static_cast<std::uint64_t>(queue_.now().time_since_epoch().count());
    queue_.schedule(node_, start, [this, key, life] { started(key, life); });
}

void Machine::fail(const TaskKey& key, Duration in, std::string why) {
    const std::uint64_t life = containers_.at(key).life;
    queue_.schedule(node_, in, [this, key, life, why = std::move(why)] {
        auto found = containers_.find(key);
        if (found == containers_.end() || found->second.life != life || !found->second.known.running) return;
        found->second.known.running = false;
        found->second.known.failed = why;
        tell_(agent::launcher_says::ContainerFailed{key, why});
    });
}

void Machine::started(const TaskKey& key, std::uint64_t life) {
    auto found = containers_.find(key);
    if (found == containers_.end() || found->second.life != life || !found->second.known.running) return;
    tell_(agent::launcher_says::ContainerStarted{key, found->second.known.pid, found->second.known.start_time, ""});
    if (const std::optional<Play>& play = found->second.play) {
        return endIn(key, play->run, play->wait_status, play->out_of_memory);
    }
    const Duration run(
        static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(options_.longest_task.count()))));
    if (strikes(Fault::kOutOfMemory)) {
        // Every other time it is the disk that it has too much of.
        found->second.over_disk = life % 2 == 1;
        endIn(key, run, SIGKILL, !found->second.over_disk);
    } else if (strikes(Fault::kTaskFailure)) {
        endIn(key, run, exitStatus(1 + static_cast<int>(rng_.below(255))), false);
    } else {
        endIn(key, run, exitStatus(0), false);
    }
}

void Machine::endIn(const TaskKey& key, Duration in, int wait_status, bool out_of_memory) {
    const std::uint64_t life = containers_.at(key).life;
    queue_.schedule(node_, in,
                    [this, key, life, wait_status, out_of_memory] { ended(key, life, wait_status, out_of_memory); });
}

void Machine::ended(const TaskKey& key, std::uint64_t life, int wait_status, bool out_of_memory) {
    auto found = containers_.find(key);
    if (found == containers_.end() || found->second.life != life || !found->second.known.running) return;
    Container& container = found->second;
    container.known.running = false;
    if (container.shim_lost) {
        container.known.unknown_reason = "the shim died";
    } else {
        container.known.outcome.wait_status = wait_status;
        container.known.outcome.out_of_memory = out_of_memory;
    }
    const bool over_disk = container.over_disk && wait_status == SIGKILL && !container.shim_lost;
    tell_(agent::launcher_says::ContainerExited{key, container.known.outcome, container.known.unknown_reason,
                                                over_disk ? "disk usage 2.0 MB exceeds the limit 1.0 MB" : ""});
}

void Machine::signal(const TaskKey& key) {
    auto found = containers_.find(key);
    if (found == containers_.end() || !found->second.known.running || found->second.ignores_term) return;
    endIn(key, std::chrono::microseconds(100 + rng_.below(500'000)), SIGTERM, false);
}

void Machine::destroy(const TaskKey& key) {
    auto found = containers_.find(key);
    if (found == containers_.end() || !found->second.known.running) return;
    endIn(key, std::chrono::microseconds(100 + rng_.below(5'000)), SIGKILL, false);
}

void Machine::forget(const TaskKey& key) { containers_.erase(key); }

std::vector<agent::launcher_says::KnownContainer> Machine::known() const {
    std::vector<agent::launcher_says::KnownContainer> all;
    for (const auto& [key, container] : containers_) all.push_back(container.known);
    return all;
}

void Machine::crashShim() {
    ++counts_[static_cast<std::size_t>(Fault::kShimCrash)];
    for (auto& [key, container] : containers_) {
        if (container.known.running) container.shim_lost = true;
    }
}

void Machine::reboot() {
    ++counts_[static_cast<std::size_t>(Fault::kReboot)];
    queue_.crash(node_);
    containers_.clear(); // the run directory is on a tmpfs
    boot_id_ = absl::StrCat("boot-", ++boots_);
}

std::size_t Machine::running() const {
    std::size_t count = 0;
    for (const auto& [key, container] : containers_) count += container.known.running ? 1 : 0;
    return count;
}

bool Machine::runs(const TaskKey& key) const {
    auto found = containers_.find(key);
    return found != containers_.end() && found->second.known.running;
}

std::uint64_t Machine::launches(const TaskKey& key) const {
    auto found = launches_.find(key);
    return found == launches_.end() ? 0 : found->second;
}

} // namespace stoa::sim
