// The last look at what a container may write of the host, when its runtime has made it and before its command runs. The
// directories are the user's, who could put a symbolic link in the place of one between the agent's look at it
// (agent/containers/host_paths.h) and the runtime's mount, and so have mounted what the agent would have refused.
//
// No state; used from the shim's one thread.

#pragma once

#include <sys/types.h>

namespace stoa::shim {

// Whether the container has, mounted at the very place, the very file or directory: "DEVICE INODE READ_ONLY PATH". What
// the agent saw as writable must be so inside, or it is the read-only view of the host that shows through.
bool isMountedAsSeen(pid_t container, const char* seen);

} // namespace stoa::shim
