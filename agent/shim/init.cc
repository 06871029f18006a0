#include "agent/shim/init.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent/shim/shim_protocol.h"
#include "agent/shim/syscalls.h"

namespace stoa::shim {
namespace {

using Signals = std::uint64_t; // as the kernel has them: signal n is bit n - 1
constexpr Signals kAll = ~Signals{0};
constexpr Signals kNone = 0;

struct Command {
    char** argv;
    char** environment;
    int error; // why it could not be executed
};

// Not on the stack, which they would ask the C library's memset to clear.
StartReport message;
alignas(16) char command_stack[32 * 1024];

bool startsWith(const char* text, const char* start) {
    while (*start)
        if (*text++ != *start++) return false;
    return true;
}

// Appends what fits, and a NUL. Returns the end.
char* append(char* to, const char* end, const char* text) {
    while (*text && to + 1 < end) *to++ = *text++;
    *to = '\0';
    return to;
}

// With the shim gone there is nobody to tell, which is no reason to end.
void report(ReportKind kind, int value, const char* what, const char* name) {
    message.kind = kind;
    message.value = value;
    char* const end = message.what + sizeof message.what;
    append(append(message.what, end, what), end, name);
    bare::call(SYS_sendto, kGoFd, &message, sizeof message, MSG_NOSIGNAL, 0, 0);
}

void setMask(const Signals& signals) { bare::call(SYS_rt_sigprocmask, SIG_SETMASK, &signals, 0, sizeof signals); }

// execve(), and what execvp(3) does with a script that does not say who runs it. Returns errno.
int execute(const char* path, const Command& command) {
    const long error = bare::call(SYS_execve, path, command.argv, command.environment);
    if (error != -ENOEXEC) return static_cast<int>(-error);
    command.argv[-1] = const_cast<char*>("/bin/sh");
    command.argv[0] = const_cast<char*>(path);
    return static_cast<int>(-bare::call(SYS_execve, command.argv[-1], command.argv - 1, command.environment));
}

const char* searchPath(char** environment) {
    for (; *environment; ++environment)
        if (startsWith(*environment, "PATH=")) return *environment + 5;
    return "/bin:/usr/bin";
}

bool hasSlash(const char* text) {
    for (; *text; ++text)
        if (*text == '/') return true;
    return false;
}

// As execvp(3) searches. Returns errno.
int search(const Command& command) {
    const char* const name = command.argv[0];
    if (hasSlash(name)) return execute(name, command);
    if (!*name) return ENOENT;
    int outcome = ENOENT;
    for (const char* directory = searchPath(command.environment);;) {
        char path[PATH_MAX];
        const char* const end = path + sizeof path;
        char* to = path;
        while (*directory && *directory != ':' && to + 1 < end) *to++ = *directory++;
        if (to > path && to + 1 < end) *to++ = '/'; // an empty one is the working directory
        to = append(to, end, name);
        // What was cut off can't be there.
        const int error = to + 1 < end ? execute(path, command) : ENOENT;
        if (error == EACCES)
            outcome = EACCES; // told unless another is found
        else if (error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV && error != ETIMEDOUT)
            return error;
        while (*directory && *directory != ':') ++directory;
        if (!*directory++) return outcome;
    }
}

// Shares pid 1's memory, which stands still meanwhile.
void runCommand(void* argument) {
    Command& command = *static_cast<Command*>(argument);
    bare::call(SYS_setsid);
    setMask(kNone);
    command.error = search(command);
    bare::call(SYS_exit_group, 127);
}

// The command's wait status once it has ended, reaping all else that has.
bool reap(long child, int* status) {
    bool ended = false;
    for (;;) {
        int one = 0;
        const long pid = bare::call(SYS_wait4, -1, &one, WNOHANG, 0);
        if (pid <= 0) return ended;
        if (pid == child) {
            *status = one;
            ended = true;
        }
    }
}

} // namespace

int runInit(char** argv, char** environment) {
    bare::call(SYS_fcntl, kGoFd, F_SETFD, FD_CLOEXEC);
    setMask(kAll);
    char go;
    if (bare::call(SYS_read, kGoFd, &go, 1) != 1) return 127;

    Command command = {argv, environment, 0};
    const char* const name = argv[0]; // a script's is replaced
    // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): ours, not the C library's, which hasn't started
    const long child = bare::vfork(command_stack + sizeof command_stack, runCommand, &command);
    if (child < 0) {
        report(ReportKind::kFailed, static_cast<int>(-child), "fork in the container", "");
        return 127;
    }
    if (const int error = *const_cast<volatile int*>(&command.error)) {
        report(ReportKind::kFailed, error, "execvp ", name);
        return 127;
    }
    report(ReportKind::kRunning, 0, "", "");

    for (;;) {
        const long signo = bare::call(SYS_rt_sigtimedwait, &kAll, 0, 0, sizeof kAll);
        if (signo > 0 && signo != SIGCHLD) bare::call(SYS_kill, child, signo);
        int status;
        if (signo != SIGCHLD || !reap(child, &status)) continue;
        report(ReportKind::kEnded, status, "", "");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

} // namespace stoa::shim
