// What of the host's files a task may write to, looked at before its launch: whether the agent allows it, whether the
// task's user may get there, and which directory it is. A path is the user's to change at any time, also between this
// and the moment in which the runtime mounts it; so the shim compares what was mounted with what was seen here before it
// lets the command run (agent/shim/user_mounts.h).
//
// No state; used from the launcher's thread, which for moments looks with the user's rights.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/containers/launcher.h"

namespace stoa::agent {

struct HostPath {
    std::string path; // without symbolic links; empty: none
    dev_t device = 0;
    ino_t inode = 0;
    bool read_only = false; // its file system, or its mount
};

// Where the task starts. Refuses what is no directory (NotFound), what is below none of these roots, and what the task's
// user may not enter (PermissionDenied).
absl::StatusOr<HostPath> resolveWorkDirectory(const ContainerSpec& spec, const std::vector<std::string>& roots);

// What else it may write. One that lies in another is part of that, and left out.
absl::StatusOr<std::vector<HostPath>> resolveWritable(const ContainerSpec& spec, const std::vector<std::string>& roots);

// The path as the shim is told of it.
std::string mountToCheck(const HostPath& path);

} // namespace stoa::agent
