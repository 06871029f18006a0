// The one Launcher there is: containers through the shim, with or without an OCI runtime, with or
// without cgroups. It keeps nothing that the shim's journal does not have; when the shim dies it
// starts another, which takes over from the journal, and tells what that one knows.
//
// Owned by the agent's loop, used from its thread.

#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/containers/cgroups.h"
#include "agent/containers/fd.h"
#include "agent/containers/launcher.h"
#include "agent/containers/oci_bundle.h"
#include "agent/containers/shim_connection.h"

namespace stoa::agent {

class ShimLauncher : public Launcher {
public:
    static absl::StatusOr<std::unique_ptr<ShimLauncher>> open(LauncherOptions options);

    // From then on containers are made by this runtime. Unavailable when the shim can't make its view
    // of the host, or none of the cgroups that oci needs are to be had.
    absl::Status useRuntime(OciRuntime runtime, bool hide_cgroup2);

    // Runs a throw-away container to its end.
    absl::Status probe();

    ~ShimLauncher() override;

    const std::string& isolation() const override { return isolation_; }
    absl::StatusOr<std::vector<KnownContainer>> recover() override;
    absl::Status launch(const ContainerSpec& spec) override;
    absl::Status setLimits(const std::string& id, std::int64_t cpus_milli, std::int64_t memory_bytes) override;
    absl::Status signal(const std::string& id, int signo) override;
    absl::Status destroy(const std::string& id) override;
    absl::Status forget(const std::string& id) override;
    int fd() const override { return epoll_.get(); }
    std::vector<LauncherEvent> drain() override;

private:
    // What stands ready for a container.
    struct Prepared {
        std::vector<std::string> cgroups;
        std::vector<std::string> mounts_to_check; // before the command runs
    };
    // What the agent has been told of a container.
    enum class Told { kNothing, kStarted, kEnded };

    explicit ShimLauncher(LauncherOptions options) : options_(std::move(options)) {}

    absl::Status connect();
    void reconnect();
    void watch(int fd);
    absl::Status list();
    void take(const shim::Event& event);
    void takeAsKnown(const shim::Event& event, std::vector<KnownContainer>* known);
    ContainerExited exitOf(const shim::Event& event) const;
    absl::Status check(const ContainerSpec& spec) const;
    absl::Status prepare(const ContainerSpec& spec, Prepared* prepared);
    absl::Status spawn(const ContainerSpec& spec, const Prepared& prepared);
    void cleanUp(const std::string& id);
    void removeStrays();
    void describe();

    LauncherOptions options_;
    std::string isolation_;
    std::optional<ShimConnection> connection_;
    std::optional<TaskCgroups> cgroups_;
    std::optional<OciRuntime> runtime_;
    bool hide_cgroup2_ = false;
    Fd epoll_;
    Fd retry_timer_; // armed while no shim can be had
    std::map<std::string, Told> containers_;
    std::set<std::string> to_destroy_; // until forgotten
    bool recovered_ = false;           // before, the shim knows more than containers_
    std::vector<LauncherEvent> events_;
};

} // namespace stoa::agent
