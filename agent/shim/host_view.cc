#include "agent/shim/host_view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shim/shim_protocol.h"

namespace stoa::shim {
namespace {

bool enterNamespace() {
    // Slave, not private: what the host unmounts goes away here, too, but for the view itself.
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
}

// By the working directory, the run directory: a descriptor opened before still leads to the host's namespace.
bool attachView() {
    if (mkdir(kHostViewName, 0755) != 0 && errno != EEXIST) return false;
    const int tree = open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0) return false;
    mount_attr attributes = {};
    attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV;
    // A mount that reached the view from the host would come writable.
    attributes.propagation = MS_PRIVATE;
    const bool attached = mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes) == 0 &&
                          move_mount(tree, "", AT_FDCWD, kHostViewName, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    const int why = errno;
    close(tree);
    errno = why;
    return attached;
}

// Beside a v1 hierarchy, that is: where all is cgroup2, it is what works.
bool hideCgroup2() {
    FILE* mounts = fopen("/proc/self/mounts", "re");
    if (!mounts) return false;
    char line[1024], point[512] = "", type[64], found[512] = "";
    bool v1 = false;
    while (fgets(line, sizeof line, mounts)) {
        if (sscanf(line, "%*s %511s %63s", point, type) != 2) continue;
        if (strcmp(type, "cgroup") == 0) v1 = true;
        if (strcmp(type, "cgroup2") == 0 && strncmp(point, "/sys/fs/cgroup/", 15) == 0)
            memcpy(found, point, sizeof found);
    }
    fclose(mounts);
    return !v1 || !found[0] || umount2(found, MNT_DETACH) == 0;
}

} // namespace

bool makeHostView(bool hide_cgroup2, char* error, size_t error_size) {
    static bool made = false;
    error[0] = '\0';
    const char* failed = nullptr;
    if (!made && !enterNamespace()) failed = "a private mount namespace";
    if (!failed && !made && !attachView()) failed = "a read-only view of the host's file systems";
    if (!failed) made = true;
    if (!failed && hide_cgroup2 && !hideCgroup2()) failed = "hiding the cgroup2 tree";
    if (failed) snprintf(error, error_size, "%s: %s", failed, strerror(errno));
    return !failed;
}

} // namespace stoa::shim
