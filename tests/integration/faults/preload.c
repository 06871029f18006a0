// What a host's daemons are started with (LD_PRELOAD), to meet a clock that was set and a disk that fails. Both are read,
// at each call, from the file that STOA_FAULTS_CONTROL names: "+03600 005\n" is a clock one hour ahead, and EIO for
// whoever writes to or syncs a file below STOA_FAULTS_DISK. Nothing else is changed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char* control;
static const char* disk;
static size_t disk_length;

__attribute__((constructor)) static void begin(void) {
    const char* path = getenv("STOA_FAULTS_CONTROL");
    disk = getenv("STOA_FAULTS_DISK");
    disk_length = disk != NULL ? strlen(disk) : 0;
    const int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void* mapped = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) control = mapped;
}

static long clockAhead(void) { return control != NULL ? strtol(control, NULL, 10) : 0; }

// 0, or what fails with this file.
static int errorOf(int fd) {
    const int error = control != NULL && disk_length > 0 ? atoi(control + 7) : 0;
    if (error == 0) return 0;
    char link[32] = "/proc/self/fd/", path[PATH_MAX], digits[12];
    int i = 0;
    for (int rest = fd; i == 0 || rest > 0; rest /= 10) digits[i++] = (char)('0' + rest % 10);
    char* end = link + strlen(link);
    while (i > 0) *end++ = digits[--i];
    *end = 0;
    const ssize_t length = readlink(link, path, sizeof path);
    return length >= (ssize_t)disk_length && memcmp(path, disk, disk_length) == 0 ? error : 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF_BROKEN(fd)                                                                                             \
    do {                                                                                                               \
        const int error = errorOf(fd);                                                                                 \
        if (error != 0) {                                                                                              \
            errno = error;                                                                                             \
            return -1;                                                                                                 \
        }                                                                                                              \
    } while (0)

ssize_t write(int fd, const void* data, size_t size) {
    FAIL_IF_BROKEN(fd);
    return syscall(SYS_write, fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
    FAIL_IF_BROKEN(fd);
    return syscall(SYS_pwrite64, fd, data, size, offset);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
    FAIL_IF_BROKEN(fd);
    return syscall(SYS_pwrite64, fd, data, size, offset);
}
int fsync(int fd) {
    FAIL_IF_BROKEN(fd);
    return (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd) {
    FAIL_IF_BROKEN(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
    static __typeof__(&clock_gettime) real;
    if (real == NULL) real = REAL(clock_gettime);
    const int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += clockAhead();
    return result;
}
int gettimeofday(struct timeval* restrict time, void* restrict zone) {
    static __typeof__(&gettimeofday) real;
    if (real == NULL) real = REAL(gettimeofday);
    const int result = real(time, zone);
    if (result == 0) time->tv_sec += clockAhead();
    return result;
}
time_t time(time_t* where) {
    static __typeof__(&time) real;
    if (real == NULL) real = REAL(time);
    const time_t now = real(NULL) + clockAhead();
    if (where != NULL) *where = now;
    return now;
}
