// The core speaks of tasks, a launcher of containers: this stands between them, translates both ways, brings input
// files before a launch, and says again what the launcher could not be told while it had no shim.
//
//   auto recovered = containers.recover(records);                 // once, for Agent's Recovered
//   containers.carryOut(effect);                                  // LaunchContainer … ForgetContainer
//   poll(launcher.fd(), fetcher.eventFd()) … for (Input& input : containers.take(now)) agent.step(input, …)
//
// Owned by the agent's loop and used from its thread only.
#pragma once

#include "agent/collector.h"
#include "agent/containers/launcher.h"
#include "agent/core/events.h"
#include "agent/disk_watch.h"
#include "agent/fetcher.h"
#include "agent/launching.h"
#include "agent/sandboxes.h"

#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stoa::agent {

class ContainerMap {
public:
    struct Options {
        UserPolicy users;
        LaunchPolicy launch;
        DiskWatch* disk = nullptr; // null: what a task has of the disk is not enforced
    };
    static constexpr Duration kSayAgain = std::chrono::milliseconds(500);

    ContainerMap(Options options, Launcher& launcher, Fetcher& fetcher, Sandboxes& sandboxes, Collector& collector)
        : options_(std::move(options)), launcher_(launcher), fetcher_(fetcher), sandboxes_(sandboxes),
          collector_(collector) {}

    void setAgentId(const AgentId& id) { options_.launch.agent = id; }
    void setDoor(std::string door) { options_.launch.door = std::move(door); }

    absl::StatusOr<std::vector<launcher_says::KnownContainer>> recover(const std::vector<Record>& records);

    void carryOut(const LaunchContainer& effect, Time now);
    void carryOut(const SignalContainer& effect, Time now);
    void carryOut(const DestroyContainer& effect, Time now);
    void carryOut(const ForgetContainer& effect, Time now);
    void carryOut(const LaunchExecutor& effect, Time now);
    void carryOut(const LimitContainer& effect, Time now);

    // What launcher and fetcher have to say, and what failed at once. Also says again what is due.
    std::vector<Input> take(Time now);
    std::optional<Time> nextDeadline() const { return say_again_at_; }
    bool hasInput() const { return !inputs_.empty(); }
    std::size_t count() const { return keys_.size(); }

private:
    absl::Status prepare(const LaunchContainer& effect, Time now);
    absl::Status prepare(const LaunchExecutor& effect, Time now);
    // At once, or when its input files are there.
    void launchWith(const TaskKey& key, const TaskSpec& spec, ContainerSpec container, const TaskUser& user);
    void launch(const TaskKey& key, const ContainerSpec& spec);
    void fail(const TaskKey& key, std::string reason);
    // True when `status` says that there is no shim just now; the effect is then said again.
    bool later(const absl::Status& status, const Effect& effect, Time now);
    void on(const ContainerStarted& event);
    void on(const ContainerLaunchFailed& event);
    void on(const ContainerExited& event);
    const TaskKey* keyOf(const std::string& id) const;
    void watchDisk(const TaskKey& key, const Resources& limits);
    void forgetDisk(const TaskKey& key);

    Options options_;
    Users users_;
    Launcher& launcher_;
    Fetcher& fetcher_;
    Sandboxes& sandboxes_;
    Collector& collector_;
    std::map<std::string, TaskKey> keys_;       // of containers not forgotten
    std::map<TaskKey, ContainerSpec> fetching_; // launched when their input files are there
    std::set<std::string> strays_;              // of tasks that nobody knows: destroyed, then forgotten
    std::map<TaskKey, std::string> over_disk_;  // destroyed for it, and how much it had
    std::vector<Effect> say_again_;
    std::optional<Time> say_again_at_;
    std::vector<Input> inputs_;
};

} // namespace stoa::agent
