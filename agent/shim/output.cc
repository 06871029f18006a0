#include "agent/shim/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

namespace stoa::shim {
namespace {

constexpr const char* kNames[2] = {"stdout", "stderr"};

int openDirectory(const char* path) { return open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); }

int openOutput(int sandbox, const char* name, uid_t uid, gid_t gid) {
    const int fd = openat(sandbox, name, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0644);
    if (fd < 0) return -1;
    struct stat stat;
    bool good = fstat(fd, &stat) == 0;
    // A hard link put there would lead to somebody else's file.
    if (good && (!S_ISREG(stat.st_mode) || stat.st_nlink != 1)) {
        errno = EINVAL;
        good = false;
    }
    if (good && uid != kOwnerAsIs && (stat.st_uid != uid || stat.st_gid != gid)) good = fchown(fd, uid, gid) == 0;
    if (good) return fd;
    const int why = errno;
    close(fd);
    errno = why;
    return -1;
}

void rotate(int sandbox, int fd, const char* name, const struct stat& stat, std::int64_t cap_bytes) {
    char rotated[16], fresh[24];
    snprintf(rotated, sizeof rotated, "%s.1", name);
    snprintf(fresh, sizeof fresh, ".%s.1.new", name);
    unlinkat(sandbox, fresh, 0);
    const int copy = openat(sandbox, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (copy >= 0) {
        off_t from = stat.st_size > cap_bytes ? stat.st_size - cap_bytes : 0;
        while (from < stat.st_size && sendfile(copy, fd, &from, static_cast<size_t>(stat.st_size - from)) > 0) {}
        // Without a copy, on a full disk above all, truncating is still what is promised.
        if (fchown(copy, stat.st_uid, stat.st_gid) != 0 || renameat(sandbox, fresh, sandbox, rotated) != 0)
            unlinkat(sandbox, fresh, 0);
        close(copy);
    }
    if (ftruncate(fd, 0) != 0) fprintf(stderr, "stoa-shim: cannot truncate %s: %m\n", name);
}

} // namespace

bool openOutputs(const char* sandbox, uid_t uid, gid_t gid, int (&fds)[2]) {
    fds[0] = fds[1] = -1;
    const int directory = openDirectory(sandbox);
    if (directory < 0) return false;
    for (int i = 0; i < 2; ++i) {
        fds[i] = openOutput(directory, kNames[i], uid, gid);
        if (fds[i] >= 0) continue;
        const int why = errno;
        if (i == 1) close(fds[0]);
        fds[0] = fds[1] = -1;
        close(directory);
        errno = why;
        return false;
    }
    close(directory);
    return true;
}

void capOutputs(const char* sandbox, const int (&fds)[2], std::int64_t cap_bytes) {
    for (int i = 0; i < 2; ++i) {
        struct stat stat;
        if (fds[i] < 0 || fstat(fds[i], &stat) != 0 || stat.st_size <= cap_bytes) continue;
        const int directory = openDirectory(sandbox);
        if (directory < 0) return;
        rotate(directory, fds[i], kNames[i], stat, cap_bytes);
        close(directory);
    }
}

} // namespace stoa::shim
