// stoa-shim: the small program that outlives the agent.
//
//   stoa-shim serve --run_dir=DIR   becomes a daemon that starts and watches tasks; returns when an
//                                   agent can connect to it
//   stoa-shim init COMMAND…         pid 1 of a container; started by `serve` through a runtime
//   stoa-shim version               prints the protocol's version; also what a probe runs

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shim/init.h"
#include "agent/shim/server.h"
#include "agent/shim/shim_protocol.h"

namespace {

using stoa::shim::kLockName;
using stoa::shim::kMessagesName;
using stoa::shim::kProtocolVersion;
using stoa::shim::runInit;
using stoa::shim::Server;

// An ending shim holds the lock for some milliseconds; one that lives does not let go of it.
constexpr unsigned kLockSeconds = 5;

// The one that asked for the daemon waits for a byte; what goes wrong before, it has seen on stderr.
int waitForDaemon(int ready) {
    char byte;
    return read(ready, &byte, 1) == 1 ? 0 : 1;
}

bool becomeOnlyShim(int run_directory) {
    const int lock = openat(run_directory, kLockName, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0) {
        fprintf(stderr, "stoa-shim: %s: %m\n", kLockName);
        return false;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        // Seen only if the alarm ends this one.
        fprintf(stderr, "stoa-shim: another shim holds %s and does not end\n", kLockName);
        alarm(kLockSeconds);
        if (flock(lock, LOCK_EX) != 0) return false;
        alarm(0);
    }
    return true; // kept open, and with it locked, for the life of the process
}

void redirectStandardFiles(int run_directory) {
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int messages = openat(run_directory, kMessagesName, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    dup2(null, 0);
    dup2(messages >= 0 ? messages : null, 1);
    dup2(messages >= 0 ? messages : null, 2);
    if (null > 2) close(null);
    if (messages > 2) close(messages);
}

int serve(const char* run_dir) {
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0) return 1;
    if (const pid_t starter = fork(); starter != 0) {
        close(ready[1]);
        return starter > 0 ? waitForDaemon(ready[0]) : 1;
    }
    close(ready[0]);
    setsid();
    // Twice, so that the daemon is no session's leader and can't get a terminal.
    if (fork() != 0) _exit(0);

    umask(022);
    const int run_directory = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run_directory < 0 || fchdir(run_directory) != 0) {
        fprintf(stderr, "stoa-shim: --run_dir=%s: %m\n", run_dir);
        return 1;
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (!becomeOnlyShim(run_directory)) return 1;
    static Server server;
    if (!server.open(run_directory)) return 1;
    redirectStandardFiles(run_directory);
    if (write(ready[1], "r", 1) != 1) return 1;
    close(ready[1]);
    return server.run();
}

int usage() {
    fprintf(stderr, "usage: stoa-shim serve --run_dir=DIR | init COMMAND... | version\n");
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) return usage();
    constexpr char kRunDir[] = "--run_dir=";
    if (strcmp(argv[1], "serve") == 0 && argc == 3 && strncmp(argv[2], kRunDir, sizeof kRunDir - 1) == 0)
        return serve(argv[2] + sizeof kRunDir - 1);
    if (strcmp(argv[1], "init") == 0 && argc > 2) return runInit(argv + 2, environ);
    if (strcmp(argv[1], "version") == 0) {
        printf("%u\n", kProtocolVersion);
        return 0;
    }
    return usage();
}
