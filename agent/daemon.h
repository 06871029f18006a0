// The agent's process: opens what the core needs (state, launcher, HTTP door, the way to the master), then takes
// events, steps the core, and carries out what it says, until it is told to stop.
//
//   auto daemon = Daemon::start(options);       // every error a sentence for the operator
//   absl::Status ended = (*daemon)->run();      // OK: SIGTERM or SIGINT (tasks go on), or retired by SIGUSR1
//
// The loop's thread owns the core, state, launcher and everything else here; network, store, HTTP, fetcher, follower and
// collector have threads of their own and meet it in queues with event descriptors. Signals must be blocked before
// start() in all threads: blockSignals(), first thing in main.
#pragma once

#include "agent/container_map.h"
#include "agent/core/agent.h"
#include "agent/doors.h"
#include "agent/doors_executors.h"
#include "agent/state/agent_state.h"
#include "protocol/leader/master_links.h"
#include "protocol/output_commit.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stoa::agent {

struct DaemonOptions {
    std::string master = "127.0.0.1:5052"; // or zk://host:port,host:port/path
    Duration registration_spread = std::chrono::milliseconds(500);
    std::string ip = "127.0.0.1";
    std::uint16_t port = 5051;
    std::string port_file; // written when the door is open, for who starts agents on free ports
    std::string hostname;  // empty: the machine's
    std::filesystem::path work_dir;
    std::filesystem::path run_dir; // empty: work_dir/run
    std::filesystem::path shim;
    LauncherKind launcher = LauncherKind::kOci;
    std::string runtime;
    bool cgroups = true;
    bool seccomp = true;
    bool enforce_disk = false;
    Duration disk_watch_every = std::chrono::seconds(15);
    std::string resources;
    std::string attributes;
    UserPolicy users;
    std::vector<std::string> writable_roots;
    std::vector<std::string> work_directory_roots;
    std::int64_t output_cap_bytes = 0;
    std::int64_t pids_limit = 0;
    Duration kill_grace = std::chrono::seconds(3);
    Duration executor_registration = std::chrono::minutes(1);
    Duration executor_reregistration = std::chrono::seconds(2);
    Duration executor_shutdown_grace = std::chrono::seconds(5);
    Duration gc_delay = std::chrono::hours(24 * 7);
    std::string version;
    std::vector<std::pair<std::string, std::string>> flags; // as /flags shows them
    SharedCredentials credentials; // who this agent is, and whom its door admits; null: everybody
};

void blockSignals();

class Daemon {
public:
    static absl::StatusOr<std::unique_ptr<Daemon>> start(const DaemonOptions& options);
    absl::Status run();

private:
    explicit Daemon(const DaemonOptions& options) : options_(options) {}

    absl::Status makeDirectories();
    absl::Status openParts();
    absl::Status startCore(std::vector<Record> records, std::vector<launcher_says::KnownContainer> containers);
    std::string hostname() const;
    std::pair<Address, std::string> addressAndHostname() const;

    bool waitForEvents(); // false: asked to stop, tasks go on
    void turn();
    void step(const Input& input);
    void takeFromMaster();
    void carryOut();
    void carryOut(Effect& effect);
    void showMetrics();
    Time soonest() const;

    const DaemonOptions options_;
    UniqueFd signals_;
    Resources resources_;
    Attributes attributes_;
    std::unique_ptr<AgentState> state_;
    std::unique_ptr<Launcher> launcher_;
    std::unique_ptr<Sandboxes> sandboxes_;
    std::unique_ptr<Collector> collector_;
    std::unique_ptr<DiskWatch> disk_; // null: not enforced
    std::unique_ptr<Fetcher> fetcher_;
    std::unique_ptr<ContainerMap> containers_;
    ExecutorDoor executors_; // before the server in doors_, which serves it
    std::unique_ptr<Doors> doors_;
    std::unique_ptr<Rng> rng_;
    std::unique_ptr<Agent> agent_;
    std::unique_ptr<MasterLinks> masters_;

    OutputCommit<Effect> commit_;
    Output out_;                   // of this turn, so that its records are one write
    std::uint64_t connection_ = 0; // as the core counts sessions
    std::uint64_t session_ = 0;    // as the links name the last one
    bool connected_ = false;
    bool shown_registered_ = false;
    std::vector<Doors::Change> shown_;
    std::optional<Time> metrics_at_;
    std::optional<Stop> stop_;
    absl::Status failure_;
};

} // namespace stoa::agent
