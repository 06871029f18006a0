#include "agent/shim/user_mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace stoa::shim {

bool isMountedAsSeen(pid_t container, const char* seen) {
    char* rest;
    const unsigned long long device = strtoull(seen, &rest, 10);
    const unsigned long long inode = strtoull(rest, &rest, 10);
    const bool read_only = strtoul(rest, &rest, 10) != 0;
    if (rest[0] != ' ' || rest[1] != '/') return false;
    const char* const path = rest[2] ? rest + 2 : ".";

    char root_path[32];
    snprintf(root_path, sizeof root_path, "/proc/%d/root", container);
    const int root = open(root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return false;
    open_how how = {};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    const int found = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
    close(root);
    if (found < 0) return false;
    struct statx info = {};
    struct statvfs mount = {};
    const bool looked = statx(found, "", AT_EMPTY_PATH, STATX_INO, &info) == 0 && fstatvfs(found, &mount) == 0;
    close(found);
    return looked && makedev(info.stx_dev_major, info.stx_dev_minor) == device && info.stx_ino == inode &&
           (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 && (read_only || (mount.f_flag & ST_RDONLY) == 0);
}

} // namespace stoa::shim
