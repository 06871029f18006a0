// `stoa-shim init` without a container: what pid 1 does with its command.
#include "agent/containers/fd.h"
#include "agent/shim/shim_protocol.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/agent/scratch_dir.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using shim::ReportKind;

struct Init {
    pid_t pid = 0;
    Fd socket;

    void go() const { ASSERT_EQ(send(socket.get(), "g", 1, MSG_NOSIGNAL), 1); }
    // `kind` 0: end of file.
    shim::StartReport report() const {
        shim::StartReport report = {};
        if (recv(socket.get(), &report, sizeof report, 0) <= 0) report = {};
        return report;
    }
    int exitCode() const {
        int status = 0;
        EXPECT_EQ(waitpid(pid, &status, 0), pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
};

Init start(std::vector<std::string> command, std::vector<std::string> environment = {"PATH=/bin:/usr/bin"}) {
    const std::string program = fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" / "stoa-shim";
    command.insert(command.begin(), {"stoa-shim", "init"});
    std::vector<char*> arguments, variables;
    for (std::string& one : command) arguments.push_back(one.data());
    for (std::string& one : environment) variables.push_back(one.data());
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    Init init;
    init.socket = Fd(pair[0]);
    const Fd theirs(pair[1]);
    init.pid = fork();
    if (init.pid == 0) {
        if (theirs.get() == shim::kGoFd || dup2(theirs.get(), shim::kGoFd) != shim::kGoFd) _exit(126);
        execve(program.c_str(), arguments.data(), variables.data());
        _exit(126);
    }
    return init;
}

TEST(ShimInit, RunsNothingBeforeTheWordToGo) {
    Init init = start({"true"});
    init.socket = Fd();
    EXPECT_EQ(init.exitCode(), 127);
}

TEST(ShimInit, TellsThatTheCommandRunsAndHowItEnded) {
    const Init init = start({"sh", "-c", "exit 7"});
    init.go();
    EXPECT_EQ(init.report().kind, ReportKind::kRunning);
    const shim::StartReport end = init.report();
    EXPECT_EQ(end.kind, ReportKind::kEnded);
    EXPECT_EQ(end.value, 7 << 8);
    EXPECT_EQ(init.exitCode(), 7);
}

TEST(ShimInit, TellsWhatCouldNotBeExecuted) {
    for (const auto& [command, error] : {std::pair("no-such-command", ENOENT), std::pair("", ENOENT),
                                         std::pair("/etc/passwd", EACCES), std::pair("/no/such", ENOENT)}) {
        const Init init = start({command});
        init.go();
        const shim::StartReport report = init.report();
        EXPECT_EQ(report.kind, ReportKind::kFailed) << command;
        EXPECT_EQ(report.value, error) << command;
        EXPECT_EQ(std::string(report.what), std::string("execvp ") + command);
        EXPECT_EQ(init.exitCode(), 127);
    }
}

TEST(ShimInit, CutsALongNameInItsReport) {
    const Init init = start({std::string(5'000, 'a')});
    init.go();
    const shim::StartReport report = init.report();
    EXPECT_EQ(report.kind, ReportKind::kFailed);
    EXPECT_EQ(std::string(report.what), "execvp " + std::string(sizeof report.what - 8, 'a'));
    EXPECT_EQ(init.exitCode(), 127);
}

TEST(ShimInit, SearchesThePathAndGivesAScriptWithoutAFirstLineToTheShell) {
    const ScratchDir scratch;
    const fs::path script = scratch.path() / "script";
    std::ofstream(script) << "exit $1\n";
    fs::permissions(script, fs::perms::owner_all);
    const std::vector<std::vector<std::string>> ways = {
        {script.string(), "PATH=/nowhere"},
        {"script", "PATH=/no/such:/etc/passwd:" + scratch.path().string() + ":/bin"},
    };
    for (const std::vector<std::string>& way : ways) {
        const Init init = start({way[0], "3"}, {"OTHER=1", way[1]});
        init.go();
        EXPECT_EQ(init.report().kind, ReportKind::kRunning) << way[0];
        EXPECT_EQ(init.report().value, 3 << 8) << way[0];
        EXPECT_EQ(init.exitCode(), 3);
    }
}

TEST(ShimInit, PassesSignalsOn) {
    const Init init = start({"sleep", "60"});
    init.go();
    EXPECT_EQ(init.report().kind, ReportKind::kRunning);
    kill(init.pid, SIGTERM);
    const shim::StartReport end = init.report();
    EXPECT_EQ(end.kind, ReportKind::kEnded);
    EXPECT_TRUE(WIFSIGNALED(end.value) && WTERMSIG(end.value) == SIGTERM);
    EXPECT_EQ(init.exitCode(), 128 + SIGTERM);
}

} // namespace
} // namespace stoa::agent
