// What outlives what: tasks go on when the agent or the shim dies, the same processes, and their ends
// are told truly by whoever comes next.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/containers/fd.h"
#include "agent/shim/journal.h"
#include "tests/unit/agent/containers_fixture.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

// A process in the place of the agent: launches the containers, and is killed once they have started.
class Agent {
public:
    template <typename Body>
    explicit Agent(Body body) {
        int ready[2];
        EXPECT_EQ(pipe2(ready, O_CLOEXEC), 0);
        pid_ = fork();
        if (pid_ == 0) {
            body();
            [[maybe_unused]] const ssize_t n = write(ready[1], testing::Test::HasFailure() ? "F" : "r", 1);
            for (;;) pause();
        }
        close(ready[1]);
        char byte = 0;
        EXPECT_EQ(read(ready[0], &byte, 1), 1);
        EXPECT_EQ(byte, 'r');
        close(ready[0]);
    }
    ~Agent() { kill(); }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }

private:
    pid_t pid_;
};

class Survival : public EveryLauncher {
protected:
    void SetUp() override {}

    // The only container that recover() tells of, alive.
    ContainerStarted recoverStarted() {
        const absl::StatusOr<std::vector<KnownContainer>> known = launcher_->recover();
        EXPECT_TRUE(known.ok()) << known.status();
        EXPECT_EQ(known->size(), 1u);
        const auto* started = known->size() == 1 ? std::get_if<ContainerStarted>(&(*known)[0].state) : nullptr;
        EXPECT_TRUE(started);
        return started ? *started : ContainerStarted();
    }

    std::optional<ContainerExited> recoverExited(const std::string& id) {
        const absl::StatusOr<std::vector<KnownContainer>> known = launcher_->recover();
        EXPECT_TRUE(known.ok()) << known.status();
        for (const KnownContainer& container : *known)
            if (container.id == id && std::holds_alternative<ContainerExited>(container.state))
                return std::get<ContainerExited>(container.state);
        return std::nullopt;
    }

    void killShimOf(const ContainerStarted& started) {
        const pid_t shim = parentOf(started.pid);
        EXPECT_GT(shim, 1);
        EXPECT_NE(readAll("/proc/" + std::to_string(shim) + "/cmdline").find(run_dir_.string()), std::string::npos);
        ASSERT_EQ(kill(shim, SIGKILL), 0);
        const Fd lock(open((run_dir_ / shim::kLockName).c_str(), O_RDWR | O_CLOEXEC));
        ASSERT_EQ(flock(lock.get(), LOCK_EX), 0); // it is gone
        pollfd seen = {launcher_ ? launcher_->fd() : -1, POLLIN, 0};
        ASSERT_EQ(poll(&seen, 1, launcher_ ? 30'000 : 0), launcher_ ? 1 : 0);
    }
};

TEST_P(Survival, ATaskGoesOnWithoutTheAgentAndItsExitCodeArrives) {
    const ContainerSpec task = shell("task", "read x < gate; exit 7");
    makeGate("task");
    Agent agent([&] {
        makeLauncherOrDie(parameterOptions());
        std::ofstream(base_ / "started") << start(task).pid;
    });
    agent.kill();
    const pid_t pid = std::stoi(readAll(base_ / "started"));
    const std::uint64_t start_time = startTimeOf(pid);
    EXPECT_GT(start_time, 0u);

    makeLauncherOrDie(parameterOptions());
    const ContainerStarted found = recoverStarted();
    EXPECT_EQ(found.pid, pid);
    EXPECT_EQ(found.start_time, start_time);
    EXPECT_EQ(found.boot_id + "\n", readAll("/proc/sys/kernel/random/boot_id"));
    openGate("task");
    const ContainerExited exited = waitExited("task");
    ASSERT_TRUE(exited.wait_status);
    EXPECT_EQ(WEXITSTATUS(*exited.wait_status), 7);
}

TEST_P(Survival, ATaskThatEndsWhileTheAgentIsAwayIsNotLost) {
    const ContainerSpec task = shell("task", "read x < gate; exit 9");
    makeGate("task");
    Agent agent([&] {
        makeLauncherOrDie(parameterOptions());
        std::ofstream(base_ / "started") << start(task).pid;
    });
    agent.kill();
    openGate("task");
    // The shim has nothing left to watch and ends; what it knew is in the journal.
    const Fd lock(open((run_dir_ / shim::kLockName).c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
    ASSERT_EQ(flock(lock.get(), LOCK_UN), 0);

    for (int restarts = 0; restarts < 2; ++restarts) {
        makeLauncherOrDie(parameterOptions());
        const std::optional<ContainerExited> exited = recoverExited("task");
        ASSERT_TRUE(exited && exited->wait_status);
        EXPECT_EQ(WEXITSTATUS(*exited->wait_status), 9);
    }
    ASSERT_TRUE(launcher_->forget("task").ok());
    makeLauncherOrDie(parameterOptions());
    EXPECT_FALSE(recoverExited("task"));
}

TEST_P(Survival, TasksGoOnWithoutTheShimButTheirExitStatusIsUnknown) {
    makeLauncherOrDie(parameterOptions());
    const ContainerSpec task = shell("task", "read x < gate; echo still; exit 7");
    makeGate("task");
    const ContainerStarted started = start(task);
    killShimOf(started);
    EXPECT_TRUE(launcher_->drain().empty()); // another shim takes over
    EXPECT_EQ(startTimeOf(started.pid), started.start_time);

    EXPECT_EQ(run(shell("next", "exit 3")).wait_status, 3 << 8);
    openGate("task");
    const ContainerExited exited = waitExited("task");
    EXPECT_FALSE(exited.wait_status);
    EXPECT_NE(exited.unknown_reason.find("the shim died"), std::string::npos) << exited.unknown_reason;
    EXPECT_EQ(outputOf("task"), "still\n");
}

TEST_P(Survival, ATaskOfADeadShimCanBeSignalledAndDestroyed) {
    makeLauncherOrDie(parameterOptions());
    const ContainerStarted gentle = start(spec("gentle", {"sleep", "1000"}));
    const ContainerStarted hard = start(shell("hard", "trap '' TERM; sleep 1001 & wait"));
    killShimOf(gentle);
    launcher_->drain();
    ASSERT_TRUE(launcher_->signal("gentle", SIGTERM).ok());
    EXPECT_FALSE(waitExited("gentle").wait_status);
    ASSERT_TRUE(launcher_->destroy("hard").ok());
    EXPECT_FALSE(waitExited("hard").wait_status);
    EXPECT_EQ(startTimeOf(gentle.pid), 0u);
    EXPECT_EQ(startTimeOf(hard.pid), 0u);
}

TEST_P(Survival, ADestroyInTheMomentOfTheShimsDeathIsNotLost) {
    makeLauncherOrDie(parameterOptions());
    ASSERT_TRUE(launcher_->recover().ok());
    const ContainerStarted started = start(spec("task", {"sleep", "1000"}));
    const pid_t shim = parentOf(started.pid);
    ASSERT_EQ(kill(shim, SIGSTOP), 0); // it will never read what is sent now
    ASSERT_TRUE(launcher_->destroy("task").ok());
    ASSERT_EQ(kill(shim, SIGKILL), 0);
    EXPECT_FALSE(waitExited("task").wait_status);
    EXPECT_EQ(startTimeOf(started.pid), 0u);
}

TEST_P(Survival, AgentAndShimDeadTheTaskIsFoundByPidAndStartTime) {
    const ContainerSpec task = shell("task", "read x < gate; exit 7");
    makeGate("task");
    Agent agent([&] {
        makeLauncherOrDie(parameterOptions());
        std::ofstream(base_ / "started") << start(task).pid;
    });
    agent.kill();
    ContainerStarted before;
    before.pid = std::stoi(readAll(base_ / "started"));
    const std::uint64_t start_time = startTimeOf(before.pid);
    killShimOf(before);

    makeLauncherOrDie(parameterOptions());
    const ContainerStarted found = recoverStarted();
    EXPECT_EQ(found.pid, before.pid);
    EXPECT_EQ(found.start_time, start_time);
    openGate("task");
    EXPECT_NE(waitExited("task").unknown_reason.find("the shim died"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(, Survival, testing::ValuesIn(kEveryLauncher), kLauncherName);

// ---- The journal ---------------------------------------------------------------------------------

class ShimJournal : public ContainersFixture {
protected:
    // One task that has ended with this code, and no shim any more.
    void leaveEndedTasks() {
        makeLauncherOrDie(options(LauncherKind::kProcess));
        run(shell("first", "exit 1"));
        run(shell("second", "exit 2"));
        waitForShimsEnd();
    }
    std::map<std::string, std::optional<int>> recoverStatuses() {
        makeLauncherOrDie(options(LauncherKind::kProcess));
        std::map<std::string, std::optional<int>> statuses;
        const absl::StatusOr<std::vector<KnownContainer>> known = launcher_->recover();
        EXPECT_TRUE(known.ok()) << known.status();
        for (const KnownContainer& container : *known)
            if (const auto* exited = std::get_if<ContainerExited>(&container.state))
                statuses[container.id] = exited->wait_status;
        return statuses;
    }
    void waitForShimsEnd() {
        launcher_.reset();
        const Fd lock(open((run_dir_ / shim::kLockName).c_str(), O_RDWR | O_CLOEXEC));
        ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
    }
    fs::path journal() const { return run_dir_ / shim::kJournalName; }
    fs::path keptAside() const { return journal().string() + ".damaged.1"; }
};

TEST_F(ShimJournal, WhatIsForgottenStaysForgotten) {
    leaveEndedTasks();
    EXPECT_EQ(recoverStatuses().size(), 2u);
    ASSERT_TRUE(launcher_->forget("first").ok());
    waitForShimsEnd();
    EXPECT_EQ(recoverStatuses(), (std::map<std::string, std::optional<int>>{{"second", 2 << 8}}));
}

TEST_F(ShimJournal, ATornLastRecordIsSkippedAndKeptAside) {
    leaveEndedTasks();
    fs::resize_file(journal(), fs::file_size(journal()) - 100); // the end of `second`
    const auto statuses = recoverStatuses();
    EXPECT_EQ(statuses.at("first"), 1 << 8);
    EXPECT_EQ(statuses.at("second"), std::nullopt);
    EXPECT_TRUE(fs::exists(keptAside()));
}

TEST_F(ShimJournal, AFlippedByteIsNoticed) {
    leaveEndedTasks();
    std::fstream file(journal(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-static_cast<int>(sizeof(shim::Record)) + 20, std::ios::end);
    file.put('\x55');
    file.close();
    const auto statuses = recoverStatuses();
    EXPECT_EQ(statuses.at("first"), 1 << 8);
    EXPECT_EQ(statuses.at("second"), std::nullopt);
    EXPECT_TRUE(fs::exists(keptAside()));
}

TEST_F(ShimJournal, AShimWhoseDirectoryIsGoneEndsWithItsLastTask) {
    makeLauncherOrDie(options(LauncherKind::kProcess));
    const ContainerStarted started = start(spec("task", {"sleep", "1000"}));
    const Fd lock(open((run_dir_ / shim::kLockName).c_str(), O_RDWR | O_CLOEXEC));
    std::vector<std::string> cgroups;
    std::ifstream note(run_dir_ / shim::kCgroupsName);
    for (std::string line; std::getline(note, line);) cgroups.push_back(line);
    fs::remove_all(run_dir_);
    launcher_.reset();
    ASSERT_EQ(kill(started.pid, SIGKILL), 0);
    EXPECT_EQ(flock(lock.get(), LOCK_EX), 0);
    for (const std::string& cgroup : cgroups) {
        rmdir((cgroup + "/task").c_str());
        rmdir(cgroup.c_str());
    }
}

TEST_F(ShimJournal, IsRewrittenWhenMostOfItIsForgotten) {
    LauncherOptions made = options(LauncherKind::kProcess);
    made.cgroups = false;
    makeLauncherOrDie(made);
    run(shell("kept", "exit 5"));
    for (int i = 0; i < 600; ++i) {
        const std::string id = "many-" + std::to_string(i);
        ContainerSpec task = spec("many", {"true"});
        task.id = id;
        run(task);
        ASSERT_TRUE(launcher_->forget(id).ok());
    }
    EXPECT_LT(fs::file_size(journal()), 1100 * sizeof(shim::Record)); // of some 1,800 written
    EXPECT_EQ(recoverStatuses().at("kept"), 5 << 8);
}

} // namespace
} // namespace stoa::agent
