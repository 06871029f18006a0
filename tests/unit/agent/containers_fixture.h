// What the tests of containers share: a place on disk, a launcher there with a real shim and real
// runtimes, and waiting for its events. Leaves nothing behind, and fails when something was: a
// process, a cgroup, a mount.

#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

#include "agent/containers/launcher.h"

namespace stoa::agent {

inline constexpr uid_t kNobody = 65534;

std::string readAll(const std::filesystem::path& path);

// Field 22 of /proc/PID/stat; 0: there is no such process, or it is dead.
std::uint64_t startTimeOf(pid_t pid);
pid_t parentOf(pid_t pid);

class ContainersFixture : public testing::Test {
public:
    ContainersFixture();
    ~ContainersFixture() override;

protected:
    void TearDown() override;
    void waitForShimsEnd() const; // until none holds the run directory

    LauncherOptions options(LauncherKind kind) const;
    void makeLauncherOrDie(LauncherOptions options);

    // With a sandbox of its own, as user nobody where we are root.
    ContainerSpec spec(const std::string& id, std::vector<std::string> argv) const;
    ContainerSpec shell(const std::string& id, const std::string& script) const {
        return spec(id, {"sh", "-c", script});
    }
    std::string outputOf(const std::string& id) const { return readAll(sandboxOf(id) / "stdout"); }
    std::filesystem::path sandboxOf(const std::string& id) const { return work_dir_ / "sandboxes" / id; }

    // A named pipe in the sandbox, `gate`: a task that reads it waits until openGate().
    void makeGate(const std::string& id) const;
    void openGate(const std::string& id) const;

    // Launches and waits for the end; a failed launch fails the test.
    ContainerExited run(const ContainerSpec& spec);
    ContainerStarted start(const ContainerSpec& spec);
    std::string launchFailure(const ContainerSpec& spec);

    // Waits for the next event of this kind about the container; others are kept for later calls.
    ContainerStarted waitStarted(const std::string& id);
    ContainerExited waitExited(const std::string& id);
    ContainerLaunchFailed waitFailed(const std::string& id);

    std::filesystem::path base_;
    std::filesystem::path work_dir_;
    std::filesystem::path run_dir_;
    std::unique_ptr<Launcher> launcher_;

private:
    template <typename Event>
    Event waitFor(const std::string& id);
    std::vector<LauncherEvent> pending_;
};

// For each way in which a task can be run here.
class EveryLauncher : public ContainersFixture, public testing::WithParamInterface<const char*> {
protected:
    void SetUp() override;
    LauncherOptions parameterOptions() const;
    bool isOci() const { return std::string(GetParam()).starts_with("oci"); }
};

inline constexpr const char* kEveryLauncher[] = {"oci_crun", "oci_runc", "process_cgroups", "process_plain"};
inline const auto kLauncherName = [](const auto& info) { return std::string(info.param); };

} // namespace stoa::agent
