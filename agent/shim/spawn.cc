#include "agent/shim/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shim/processes.h"

namespace stoa::shim {
namespace {

constexpr int kProgramFd = kGoFd + 1;

bool readAll(int fd, char* to, size_t size) {
    for (size_t have = 0; have < size;) {
        const ssize_t n = pread(fd, to + have, size - have, static_cast<off_t>(have));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        have += static_cast<size_t>(n);
    }
    return true;
}

[[noreturn]] void fail(const char* format, const char* what) {
    const int why = errno;
    StartReport report = {};
    report.kind = ReportKind::kFailed;
    report.value = why;
    snprintf(report.what, sizeof report.what, format, what);
    send(kGoFd, &report, sizeof report, MSG_NOSIGNAL);
    _exit(127);
}

void arrangeFiles(const SpawnFiles& files, bool keep_socket) {
    // The sources are all above 4 (the server sees to that), so none is overwritten before its turn.
    dup2(files.null, 0);
    dup2(files.outputs[0], 1);
    dup2(files.outputs[1], 2);
    dup2(files.socket, kGoFd);
    if (!keep_socket) fcntl(kGoFd, F_SETFD, FD_CLOEXEC);
    const bool has_program = files.program >= 0 && dup2(files.program, kProgramFd) == kProgramFd &&
                             fcntl(kProgramFd, F_SETFD, FD_CLOEXEC) == 0;
    // Above all the shim's ends of other tasks' sockets: whoever holds one hides the shim's death.
    close_range(has_program ? kProgramFd + 1 : kProgramFd, ~0u, 0);
}

void enterCgroup(const char* cgroup) {
    char path[kCgroupSize + 32];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1) fail("cannot enter the cgroup %s", cgroup);
    close(fd);
}

void becomeUser(const SpawnHeader& header) {
    if (geteuid() != 0) return;
    const gid_t gid = header.gid;
    gid_t groups[1 + kMaxGroups] = {gid};
    for (std::uint32_t i = 0; i < header.group_count; ++i) groups[1 + i] = header.groups[i];
    if (setgroups(1 + header.group_count, groups) != 0 || setresgid(gid, gid, gid) != 0) fail("%s", "setgid");
    if (setresuid(header.uid, header.uid, header.uid) != 0) fail("%s", "setuid");
}

[[noreturn]] void run(const SpawnDescription& description, const char* id, const SpawnFiles& files,
                      const rlimit& open_files) {
    const bool is_runtime = description.header.mode == TaskMode::kOci;
    arrangeFiles(files, is_runtime);
    setsid();
    setrlimit(RLIMIT_NOFILE, &open_files);
    umask(022);
    if (!is_runtime) {
        for (std::uint32_t i = 0; i < description.header.cgroup_count; ++i) enterCgroup(description.cgroups[i]);
        becomeUser(description.header);
        // As the user: root may enter what he may not.
        if (chdir(description.directory) != 0) fail("cannot enter the directory %s", description.directory);
        char go;
        if (recv(kGoFd, &go, 1, 0) != 1) _exit(127);
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    environ = description.environment;
    if (!is_runtime) setenv(kTaskVariable, id, 1);
    if (files.program >= 0) fexecve(kProgramFd, description.argv, environ);
    execvp(description.argv[0], description.argv);
    fail("execvp %s", description.argv[0]);
}

} // namespace

bool readSpawnDescription(int memfd, SpawnDescription* description, const char** error) {
    SpawnHeader& header = description->header;
    *error = "the description of the task is damaged";
    description->memory = nullptr;
    if (!readAll(memfd, reinterpret_cast<char*>(&header), sizeof header)) return false;
    if (header.version != kProtocolVersion) {
        *error = "the description of the task is of another version";
        return false;
    }
    if (header.string_bytes > kMaxSpawnBytes) {
        *error = "arguments and environment are too large (4 MiB)";
        return false;
    }
    const size_t fixed = 4; // sandbox, directory, pid file, runtime's log
    const size_t listed =
        size_t{header.argument_count} + header.environment_count + header.cgroup_count + header.mount_count;
    if (header.group_count > kMaxGroups || header.argument_count == 0 || fixed + listed > header.string_bytes)
        return false;

    const size_t pointers = (listed + 2) * sizeof(char*);
    auto* memory = static_cast<char*>(malloc(pointers + sizeof header + header.string_bytes));
    if (!memory) return false;
    auto** slot = reinterpret_cast<char**>(memory);
    char* const file = memory + pointers;
    char* at = file + sizeof header;
    char* const end = at + header.string_bytes;
    const auto next = [&]() -> char* {
        char* const string = at;
        char* const nul = at < end ? static_cast<char*>(memchr(at, '\0', static_cast<size_t>(end - at))) : nullptr;
        if (!nul) return nullptr;
        at = nul + 1;
        return string;
    };
    bool good = readAll(memfd, file, sizeof header + header.string_bytes);
    const auto list = [&](std::uint32_t count) {
        char** const first = slot;
        for (std::uint32_t i = 0; i < count && good; ++i) good = (*slot++ = next()) != nullptr;
        return first;
    };
    description->sandbox = next();
    description->directory = next();
    description->pid_file = next();
    description->runtime_log = next();
    good = good && description->sandbox && description->directory && description->pid_file && description->runtime_log;
    description->argv = list(header.argument_count);
    *slot++ = nullptr;
    description->environment = list(header.environment_count);
    *slot++ = nullptr;
    description->cgroups = list(header.cgroup_count);
    description->mounts = list(header.mount_count);
    for (std::uint32_t i = 0; i < header.cgroup_count && good; ++i)
        good = strlen(description->cgroups[i]) < kCgroupSize;
    if (!good || strlen(description->sandbox) >= kSandboxSize) {
        free(memory);
        return false;
    }
    description->memory = memory;
    return true;
}

pid_t spawnProcess(const SpawnDescription& description, const char* id, const SpawnFiles& files,
                   const rlimit& open_files) {
    const pid_t pid = fork();
    if (pid == 0) run(description, id, files, open_files);
    return pid;
}

} // namespace stoa::shim
