#include "agent/shim/sealed_program.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#ifndef MFD_EXEC // Linux 6.3
#define MFD_EXEC 0x0010U
#endif

namespace stoa::shim {
namespace {

// runc has some 10 MiB.
constexpr off_t kLargest = off_t{64} << 20;

// Exactly those that crun and runc look for.
constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

bool same(const struct stat& a, const struct stat& b) {
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && a.st_size == b.st_size &&
           a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec &&
           a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec;
}

int makeMemfd() {
    // Without MFD_EXEC a host may forbid to execute it (sysctl vm.memfd_noexec); older kernels don't know it.
    const int fd = memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    return fd >= 0 ? fd : memfd_create("runtime", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int copySealed(int file, off_t size) {
    char start[4];
    if (size > kLargest || pread(file, start, sizeof start, 0) != sizeof start || memcmp(start, "\177ELF", 4) != 0)
        return -1;
    const int copy = makeMemfd();
    if (copy < 0) return -1;
    off_t from = 0;
    while (from < size && sendfile(copy, file, &from, static_cast<size_t>(size - from)) > 0) {}
    if (from == size && fcntl(copy, F_ADD_SEALS, kSeals) == 0) return copy;
    close(copy);
    return -1;
}

} // namespace

int SealedProgram::of(const char* path) {
    struct stat now;
    if (path[0] != '/' || strlen(path) >= sizeof path_ || stat(path, &now) != 0) return -1;
    if (strcmp(path, path_) == 0 && same(now, file_)) return fd_;
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    snprintf(path_, sizeof path_, "%s", path);
    file_ = {};
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    // Of what was opened: `path` may have been replaced meanwhile.
    if (fstat(file, &file_) == 0 && (file_.st_mode & S_IXUSR) != 0) fd_ = copySealed(file, file_.st_size);
    close(file);
    return fd_;
}

} // namespace stoa::shim
