// A container's life as the agent sees it: how it starts, ends, fails, is killed and forgotten, the
// same under every launcher.

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/containers/fd.h"
#include "tests/unit/agent/containers_fixture.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

class ContainerLife : public EveryLauncher {};

TEST_P(ContainerLife, AnExitCodeArrives) {
    const ContainerExited exited = run(shell("seven", "exit 7"));
    ASSERT_TRUE(exited.wait_status);
    EXPECT_TRUE(WIFEXITED(*exited.wait_status));
    EXPECT_EQ(WEXITSTATUS(*exited.wait_status), 7);
    EXPECT_FALSE(exited.out_of_memory);
}

TEST_P(ContainerLife, ADeathBySignalIsNotAnExitCode) {
    const ContainerExited killed = run(shell("killed", "kill -9 $$"));
    ASSERT_TRUE(killed.wait_status);
    EXPECT_TRUE(WIFSIGNALED(*killed.wait_status));
    EXPECT_EQ(WTERMSIG(*killed.wait_status), SIGKILL);

    const ContainerExited exited = run(shell("exited", "exit 137"));
    ASSERT_TRUE(exited.wait_status);
    EXPECT_TRUE(WIFEXITED(*exited.wait_status));
    EXPECT_EQ(WEXITSTATUS(*exited.wait_status), 137);
}

TEST_P(ContainerLife, AMissingCommandIsALaunchThatFailed) {
    EXPECT_EQ(launchFailure(spec("missing", {"nosuch"})), "execvp nosuch: No such file or directory");
}

TEST_P(ContainerLife, AMissingSandboxIsALaunchThatFailed) {
    ContainerSpec gone = shell("gone", "true");
    fs::remove(gone.sandbox);
    EXPECT_NE(launchFailure(gone).find("No such file or directory"), std::string::npos);
}

TEST_P(ContainerLife, CommandGetsArgumentsEnvironmentAndDirectory) {
    ContainerSpec echo = spec("echo", {"sh", "-c", "echo \"$GREETING $1\"; pwd; id -u; cat", "sh", "a  b\n\"c\""});
    echo.environment.emplace_back("GREETING", "hello \\ \u00e9");
    ASSERT_EQ(run(echo).wait_status, 0);
    EXPECT_EQ(outputOf("echo"),
              "hello \\ \u00e9 a  b\n\"c\"\n" + echo.sandbox.string() + "\n" + std::to_string(echo.uid) + "\n");
}

TEST_P(ContainerLife, OutputBelongsToTheTasksUser) {
    ASSERT_EQ(run(shell("owner", "echo out; echo err >&2")).wait_status, 0);
    EXPECT_EQ(outputOf("owner"), "out\n");
    EXPECT_EQ(readAll(sandboxOf("owner") / "stderr"), "err\n");
    struct stat stat;
    ASSERT_EQ(::stat((sandboxOf("owner") / "stderr").c_str(), &stat), 0);
    EXPECT_EQ(stat.st_uid, spec("any", {}).uid);
}

TEST_P(ContainerLife, ASignalReachesTheCommand) {
    ContainerSpec trap = shell("trap", "trap 'exit 42' TERM; echo ready > gate; while :; do sleep 0.01; done");
    makeGate("trap");
    start(trap);
    std::string ready;
    std::ifstream(sandboxOf("trap") / "gate") >> ready;
    ASSERT_TRUE(launcher_->signal("trap", SIGTERM).ok());
    const ContainerExited exited = waitExited("trap");
    ASSERT_TRUE(exited.wait_status);
    EXPECT_EQ(WEXITSTATUS(*exited.wait_status), 42);
}

TEST_P(ContainerLife, TerminationByDefaultIsBySigterm) {
    start(spec("sleep", {"sleep", "1000"}));
    ASSERT_TRUE(launcher_->signal("sleep", SIGTERM).ok());
    const ContainerExited exited = waitExited("sleep");
    ASSERT_TRUE(exited.wait_status);
    EXPECT_TRUE(WIFSIGNALED(*exited.wait_status));
    EXPECT_EQ(WTERMSIG(*exited.wait_status), SIGTERM);
}

// The descendants in three disguises: a child, one in a session of its own, and an orphan of one.
constexpr char kFamily[] =
    "sleep 1001 & echo $! >> pids; setsid sh -c 'echo $$ >> pids; exec sleep 1002' & "
    "(setsid sh -c 'sleep 1003 & echo $! >> pids' &); "
    "while [ $(wc -l < pids) -lt 3 ]; do sleep 0.01; done; "
    "for pid in $(cat pids); do until grep -q sleep /proc/$pid/comm; do sleep 0.01; done; done; echo ready > gate; ";

// Host pids of the processes with this argument.
std::vector<pid_t> sleepers(const std::string& seconds) {
    std::vector<pid_t> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (!isdigit(name[0])) continue;
        const std::string command = readAll(entry.path() / "cmdline");
        if (command.find(std::string("sleep") + '\0' + seconds) == 0) found.push_back(std::stoi(name));
    }
    return found;
}

void expectNoFamily() {
    for (const char* seconds : {"1001", "1002", "1003"}) EXPECT_TRUE(sleepers(seconds).empty()) << seconds;
}

TEST_P(ContainerLife, DestroyKillsEverythingInside) {
    ContainerSpec family = shell("family", std::string(kFamily) + "sleep 1000");
    makeGate("family");
    start(family);
    std::string ready;
    std::ifstream(sandboxOf("family") / "gate") >> ready;
    for (const char* seconds : {"1001", "1002", "1003"}) EXPECT_EQ(sleepers(seconds).size(), 1u) << seconds;
    ASSERT_TRUE(launcher_->destroy("family").ok());
    const ContainerExited exited = waitExited("family");
    ASSERT_TRUE(exited.wait_status);
    EXPECT_TRUE(WIFSIGNALED(*exited.wait_status));
    expectNoFamily();
}

TEST_P(ContainerLife, TheCommandsEndIsTheEndOfEverythingInside) {
    ContainerSpec family = shell("left", std::string(kFamily) + "exit 3");
    makeGate("left");
    start(family);
    std::string ready;
    std::ifstream(sandboxOf("left") / "gate") >> ready;
    const ContainerExited exited = waitExited("left");
    ASSERT_TRUE(exited.wait_status);
    EXPECT_EQ(WEXITSTATUS(*exited.wait_status), 3);
    expectNoFamily();
}

TEST_P(ContainerLife, DestroyEndsALaunchOnItsWay) {
    for (int i = 0; i < 5; ++i) {
        const std::string id = "early-" + std::to_string(i);
        ASSERT_TRUE(launcher_->launch(spec(id, {"sleep", "1000"})).ok());
        ASSERT_TRUE(launcher_->destroy(id).ok());
    }
    int ended = 0;
    while (ended < 5) {
        pollfd readable = {launcher_->fd(), POLLIN, 0};
        ASSERT_EQ(poll(&readable, 1, 30'000), 1);
        for (const LauncherEvent& event : launcher_->drain()) ended += !std::holds_alternative<ContainerStarted>(event);
    }
    EXPECT_TRUE(sleepers("1000").empty());
}

TEST_P(ContainerLife, ManyRunAtOnce) {
    constexpr int kCount = 40;
    for (int i = 0; i < kCount; ++i)
        ASSERT_TRUE(launcher_->launch(shell("many-" + std::to_string(i), "exit " + std::to_string(i))).ok());
    for (int i = 0; i < kCount; ++i) {
        const ContainerExited exited = waitExited("many-" + std::to_string(i));
        ASSERT_TRUE(exited.wait_status);
        EXPECT_EQ(WEXITSTATUS(*exited.wait_status), i);
    }
}

TEST_P(ContainerLife, OutputIsCappedWhenTheTaskEnds) {
    ContainerSpec loud = shell("loud", "i=0; while [ $i -lt 20000 ]; do echo 'line '$i; i=$((i+1)); done");
    loud.output_cap_bytes = 10'000;
    ASSERT_EQ(run(loud).wait_status, 0);
    EXPECT_LE(fs::file_size(sandboxOf("loud") / "stdout"), 10'000u);
    EXPECT_LE(fs::file_size(sandboxOf("loud") / "stdout.1"), 10'000u);
    EXPECT_TRUE((readAll(sandboxOf("loud") / "stdout.1") + outputOf("loud")).ends_with("line 19999\n"));
}

TEST_P(ContainerLife, OutputIsCappedWhileTheTaskRuns) {
    ContainerSpec loud =
        shell("loud", "i=0; while [ $i -lt 2000 ]; do echo 'line '$i; i=$((i+1)); done; read x < gate");
    loud.output_cap_bytes = 1000;
    makeGate("loud");
    const Fd watch(inotify_init1(IN_CLOEXEC));
    inotify_add_watch(watch.get(), sandboxOf("loud").c_str(), IN_MOVED_TO);
    start(loud);
    char event[sizeof(inotify_event) + NAME_MAX + 1];
    pollfd readable = {watch.get(), POLLIN, 0};
    ASSERT_EQ(poll(&readable, 1, 30'000), 1) << "stdout was not rotated";
    ASSERT_GT(read(watch.get(), event, sizeof event), 0);
    EXPECT_STREQ(reinterpret_cast<inotify_event*>(event)->name, "stdout.1");
    openGate("loud");
    EXPECT_EQ(waitExited("loud").wait_status, 0);
    EXPECT_LE(fs::file_size(sandboxOf("loud") / "stdout"), 1000u);
}

TEST_P(ContainerLife, ALinkInTheSandboxLeadsNowhere) {
    const ContainerSpec task = shell("link", "true");
    const fs::path victim = base_ / "victim";
    std::ofstream(victim) << "untouched";
    fs::create_symlink(victim, task.sandbox / "stdout");
    EXPECT_NE(launchFailure(task), "");
    EXPECT_EQ(readAll(victim), "untouched");
}

TEST_P(ContainerLife, WrongSpecsAreRefused) {
    EXPECT_TRUE(absl::IsInvalidArgument(launcher_->launch(spec("a/b", {"true"}))));
    ContainerSpec empty = spec("empty", {});
    EXPECT_TRUE(absl::IsInvalidArgument(launcher_->launch(empty)));
    ContainerSpec relative = spec("relative", {"true"});
    relative.sandbox = "sandbox";
    EXPECT_TRUE(absl::IsInvalidArgument(launcher_->launch(relative)));
    EXPECT_TRUE(absl::IsNotFound(launcher_->signal("unknown", SIGTERM)));
    EXPECT_TRUE(absl::IsNotFound(launcher_->destroy("unknown")));
    run(spec("twice", {"true"}));
    EXPECT_TRUE(absl::IsAlreadyExists(launcher_->launch(spec("twice", {"true"}))));
}

INSTANTIATE_TEST_SUITE_P(, ContainerLife, testing::ValuesIn(kEveryLauncher), kLauncherName);

} // namespace
} // namespace stoa::agent
