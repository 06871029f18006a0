// The root file system of containers that have no image: the host's own, read-only and live, as one
// recursive bind made once, in a mount namespace that the shim has to itself. Mounts that the host
// makes later are not in it; a file system that the host unmounts later stays in use by it.
//
// Device files in it are dead (nodev): a container gets a /dev of its own. Called from the shim's
// one thread, whose working directory is the run directory, before the first container.

#pragma once

#include <cstddef>

namespace stoa::shim {

// `hide_cgroup2` also takes the cgroup2 tree of a hybrid host out of the shim's namespace, where
// crun refuses to work beside it. Nothing outside changes. False: `error` says what failed.
bool makeHostView(bool hide_cgroup2, char* error, size_t error_size);

} // namespace stoa::shim
