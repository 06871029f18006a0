#include "agent/shim/init.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/shim/shim_protocol.h"

namespace stoa::shim {
namespace {

// With the shim gone there is nobody to tell, which is no reason to end.
void report(ReportKind kind, int value, const char* what) {
    StartReport message = {};
    message.kind = kind;
    message.value = value;
    snprintf(message.what, sizeof message.what, "%s", what);
    send(kGoFd, &message, sizeof message, MSG_NOSIGNAL);
}

[[noreturn]] void runCommand(char** command, int error_pipe) {
    setsid();
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execvp(command[0], command);
    const int why = errno;
    [[maybe_unused]] const ssize_t written = write(error_pipe, &why, sizeof why);
    _exit(127);
}

// The command's wait status once it has ended, reaping all else that has.
bool reap(pid_t child, int* status) {
    bool ended = false;
    for (;;) {
        int one;
        const pid_t pid = waitpid(-1, &one, WNOHANG);
        if (pid <= 0) return ended;
        if (pid == child) {
            *status = one;
            ended = true;
        }
    }
}

} // namespace

int runInit(char** command) {
    fcntl(kGoFd, F_SETFD, FD_CLOEXEC);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    char go;
    if (recv(kGoFd, &go, 1, 0) != 1) return 127;

    int error_pipe[2];
    const bool piped = pipe2(error_pipe, O_CLOEXEC) == 0;
    const pid_t child = piped ? fork() : -1;
    if (child < 0) {
        report(ReportKind::kFailed, errno, "fork in the container");
        return 127;
    }
    if (child == 0) runCommand(command, error_pipe[1]);
    close(error_pipe[1]);
    int why;
    if (read(error_pipe[0], &why, sizeof why) == sizeof why) {
        char what[sizeof(StartReport::what)];
        snprintf(what, sizeof what, "execvp %s", command[0]);
        report(ReportKind::kFailed, why, what);
        return 127;
    }
    close(error_pipe[0]);
    report(ReportKind::kRunning, 0, "");

    for (;;) {
        const int signo = sigwaitinfo(&all, nullptr);
        if (signo > 0 && signo != SIGCHLD) kill(child, signo);
        int status;
        if (signo != SIGCHLD || !reap(child, &status)) continue;
        report(ReportKind::kEnded, status, "");
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

} // namespace stoa::shim
