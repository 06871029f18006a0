// An OCI bundle for one container without an image (OCI runtime spec 1.0, config.json), and the
// runtime's command line that starts it.
//
// Inside, the host's file system is read-only; /proc, /dev and /tmp are the container's own; /run is
// empty but for what resolv.conf points to, since sockets of daemons work through a read-only mount;
// the agent's directories are hidden; the sandbox and the paths that were asked for are writable.
// Pid 1 is `stoa-shim init`. No new privileges; a user other than root has no capabilities, root has
// those that Docker gives less CAP_MKNOD: there is no device cgroup, and what cannot be made needs no
// filter (every file system in there but /dev is nodev). System calls that change the machine are
// refused (seccomp.h).
//
// Pure but for writing the bundle: no state. Used from the launcher's thread.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/containers/launcher.h"

namespace stoa::agent {

struct OciRuntime {
    std::string path;
    bool is_runc = false; // makes cgroups of its own, whatever it is told
    bool seccomp = true;
    std::filesystem::path shim;
    std::filesystem::path work_dir;
    std::filesystem::path run_dir;
};

// Whether the work directory is a mount of its own; else it lies in one of the writable paths, and is that one's.
bool mountsWorkDirectory(const ContainerSpec& spec);

// Where a container's pid 1 is found inside.
inline constexpr char kInitPath[] = "/dev/stoa-init";

struct OciBundle {
    std::filesystem::path directory;
    std::filesystem::path pid_file;
    std::filesystem::path runtime_log;
    std::vector<std::string> command;
};

OciBundle bundleOf(const OciRuntime& runtime, const std::string& id);

// As config.json has it. `runc_cgroup` is ignored by crun.
std::string ociConfig(const OciRuntime& runtime, const ContainerSpec& spec, const std::string& runc_cgroup);

absl::Status writeBundle(const OciBundle& bundle, const std::string& config);

// Also the runtime's own record of the container, which is what its `delete` would remove: there is
// nothing else left once the container has ended.
void removeBundle(const OciRuntime& runtime, const std::string& id);

// Ids of the bundles that are there.
std::vector<std::string> bundles(const OciRuntime& runtime);

} // namespace stoa::agent
