// A copy of the OCI runtime in memory that nobody can write to any more. crun and runc start themselves a second time from
// such a copy, so that a container can't get at their file through /proc/self/exe (CVE-2019-5736), unless they see that
// they were started from one: that saves a fifth of what a container costs.
//
// Owned by Tasks and used from the shim's one thread.

#pragma once

#include <limits.h>
#include <sys/stat.h>

namespace stoa::shim {

class SealedProgram {
public:
    // A descriptor of the copy of the file as it is now, which stays open. -1: there can't be one, or `path` is no file
    // that the kernel executes itself (a script, say, whose interpreter could not read it).
    int of(const char* path);

private:
    int fd_ = -1; // -1 also after a failure, which is not tried again for the same file
    char path_[PATH_MAX] = {};
    struct stat file_ = {};
};

} // namespace stoa::shim
