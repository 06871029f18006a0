#include "agent/container_map.h"
#include "tests/unit/agent/core_world.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

namespace stoa::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A launcher that remembers what it was asked, and says what it is told to say.
class FakeLauncher : public Launcher {
public:
    const std::string& isolation() const override { return isolation_; }
    absl::StatusOr<std::vector<KnownContainer>> recover() override { return known; }
    absl::Status launch(const ContainerSpec& spec) override {
        if (answer.ok()) launched.push_back(spec);
        return answer;
    }
    absl::Status setLimits(const std::string& id, std::int64_t cpus_milli, std::int64_t) override {
        return note("limit", id, static_cast<int>(cpus_milli));
    }
    absl::Status signal(const std::string& id, int signo) override { return note("signal", id, signo); }
    absl::Status destroy(const std::string& id) override { return note("destroy", id, 0); }
    absl::Status forget(const std::string& id) override { return note("forget", id, 0); }
    int fd() const override { return -1; }
    std::vector<LauncherEvent> drain() override { return std::exchange(events, {}); }

    absl::Status answer;
    std::vector<KnownContainer> known;
    std::vector<ContainerSpec> launched;
    std::vector<std::string> asked;
    std::set<std::string> on_their_way;
    std::vector<LauncherEvent> events;

private:
    absl::Status note(const std::string& what, const std::string& id, int signo) {
        if (what == "signal" && signo == 0) {
            return on_their_way.contains(id) ? absl::OkStatus() : absl::NotFoundError("no container");
        }
        if (answer.ok()) asked.push_back(what + " " + id);
        return answer;
    }
    std::string isolation_ = "fake";
};

class Containers : public ::testing::Test {
protected:
    Containers() {
        std::filesystem::create_directory(dir.path() / "uploads");
        std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
    }
    static TaskInfo running(const std::string& shell, std::vector<InputSpec> inputs = {}) {
        TaskInfo info = task("t");
        TaskSpec spec;
        spec.command.shell = shell;
        spec.inputs = std::move(inputs);
        info.body = makeTaskBody(spec);
        return info;
    }
    std::string onlyFailure() {
        const auto inputs = containers.take(now);
        if (inputs.size() != 1) return "";
        const auto* failed = std::get_if<launcher_says::ContainerFailed>(&inputs[0]);
        return failed == nullptr ? "" : failed->reason;
    }
    void waitForFetcher() {
        pollfd ready{fetcher.eventFd(), POLLIN, 0};
        ASSERT_EQ(::poll(&ready, 1, 20'000), 1);
    }
    static InputSpec input(const std::string& uri) {
        InputSpec spec;
        spec.uri = uri;
        return spec;
    }

    ScratchDir dir;
    Time now{1s};
    FakeLauncher launcher;
    Sandboxes sandboxes{dir.path() / "sandboxes"};
    Collector collector{{.sandboxes = sandboxes.root(), .uploads = dir.path() / "uploads", .policy = {}}};
    Fetcher fetcher{{.threads = 1}};
    ContainerMap containers{{}, launcher, fetcher, sandboxes, collector};
    std::string id = containerId(key("t"));
};

TEST_F(Containers, ALaunchMakesTheSandboxAndRunsTheCommandInIt) {
    containers.carryOut(LaunchContainer{framework(), running("exit 7")}, now);
    ASSERT_EQ(launcher.launched.size(), 1u);
    EXPECT_THAT(launcher.launched[0].argv, ElementsAre("/bin/sh", "-c", "exit 7"));
    EXPECT_TRUE(std::filesystem::is_directory(launcher.launched[0].sandbox));
    EXPECT_THAT(containers.take(now), IsEmpty());
}

TEST_F(Containers, ABodyThatNobodyCanRunFailsWithTheReason) {
    TaskInfo bad = task("t");
    bad.body = makeBody("no message");
    containers.carryOut(LaunchContainer{framework(), bad}, now);
    EXPECT_NE(onlyFailure(), "");
    EXPECT_THAT(launcher.launched, IsEmpty());
}

TEST_F(Containers, WhatTheLauncherRefusesFailsWithItsReason) {
    launcher.answer = absl::InvalidArgumentError("writable path /etc is not allowed");
    containers.carryOut(LaunchContainer{framework(), running("true")}, now);
    EXPECT_EQ(onlyFailure(), "writable path /etc is not allowed");
}

TEST_F(Containers, InputFilesAreThereBeforeTheLaunch) {
    std::ofstream(dir.path() / "words") << "a b";
    containers.carryOut(
        LaunchContainer{framework(), running("wc words", {input("file://" + (dir.path() / "words").string())})}, now);
    EXPECT_THAT(launcher.launched, IsEmpty());
    waitForFetcher();
    EXPECT_THAT(containers.take(now), IsEmpty());
    ASSERT_EQ(launcher.launched.size(), 1u);
    EXPECT_TRUE(std::filesystem::exists(launcher.launched[0].sandbox / "words"));
}

TEST_F(Containers, AnInputThatIsMissingFailsTheLaunchWithItsUri) {
    containers.carryOut(LaunchContainer{framework(), running("true", {input("file:///no/such/words")})}, now);
    waitForFetcher();
    EXPECT_THAT(onlyFailure(), HasSubstr("file:///no/such/words"));
    EXPECT_THAT(launcher.launched, IsEmpty());
}

TEST_F(Containers, WhatTheLauncherSaysIsToldAsOfTheTask) {
    containers.carryOut(LaunchContainer{framework(), running("true")}, now);
    launcher.events.push_back(ContainerStarted{id, 42, 99, "boot"});
    ContainerExited exit;
    exit.id = id;
    exit.wait_status = 7 << 8;
    exit.usage.max_memory_bytes = 5;
    launcher.events.push_back(exit);
    const auto inputs = containers.take(now);
    ASSERT_EQ(inputs.size(), 2u);
    const auto& started = std::get<launcher_says::ContainerStarted>(inputs[0]);
    EXPECT_EQ(started.key, key("t"));
    EXPECT_EQ(started.pid, 42);
    EXPECT_EQ(started.isolation, "fake");
    const auto& ended = std::get<launcher_says::ContainerExited>(inputs[1]);
    EXPECT_EQ(ended.outcome.wait_status, 7 << 8);
    EXPECT_EQ(ended.outcome.max_memory.count, 5);
}

TEST_F(Containers, ATaskWithTooMuchOnTheDiskIsDestroyedAndItsEndSaysWhy) {
    DiskWatch disk(1ms);
    ContainerMap watching({.users = {}, .launch = {}, .disk = &disk}, launcher, fetcher, sandboxes, collector);
    TaskInfo info = running("true");
    info.resources.setScalar(Resources::kDisk, Milli{1'000});
    watching.carryOut(LaunchContainer{framework(), info}, now);
    ASSERT_EQ(launcher.launched.size(), 1u);
    std::ofstream(launcher.launched[0].sandbox / "file") << std::string(2 << 20, 'x');
    pollfd ready{disk.eventFd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 20'000), 1);
    EXPECT_THAT(watching.take(now), IsEmpty());
    EXPECT_THAT(launcher.asked, ElementsAre("destroy " + id));

    ContainerExited exit;
    exit.id = id;
    exit.wait_status = SIGKILL;
    launcher.events.push_back(exit);
    const auto inputs = watching.take(now);
    ASSERT_EQ(inputs.size(), 1u);
    EXPECT_THAT(std::get<launcher_says::ContainerExited>(inputs[0]).over_disk, HasSubstr("exceeds the limit 1.0 MB"));
}

TEST_F(Containers, SignalDestroyAndForgetReachTheTasksContainer) {
    containers.carryOut(LaunchContainer{framework(), running("true")}, now);
    containers.carryOut(SignalContainer{key("t")}, now);
    containers.carryOut(DestroyContainer{key("t")}, now);
    containers.carryOut(ForgetContainer{key("t")}, now);
    EXPECT_THAT(launcher.asked, ElementsAre("signal " + id, "destroy " + id, "forget " + id));
    EXPECT_EQ(containers.count(), 0u);
}

TEST_F(Containers, WhatCouldNotBeSaidWithoutAShimIsSaidAgain) {
    containers.carryOut(LaunchContainer{framework(), running("true")}, now);
    launcher.answer = absl::UnavailableError("there is no shim");
    containers.carryOut(DestroyContainer{key("t")}, now);
    EXPECT_THAT(launcher.asked, IsEmpty());
    launcher.answer = absl::OkStatus();
    ASSERT_TRUE(containers.nextDeadline().has_value());
    (void)containers.take(*containers.nextDeadline());
    EXPECT_THAT(launcher.asked, ElementsAre("destroy " + id));
    EXPECT_FALSE(containers.nextDeadline().has_value());
}

TEST_F(Containers, RecoveryTellsRunningEndedFailedAndThoseOnTheirWay) {
    std::vector<Record> records;
    for (const char* name : {"live", "over", "failed", "coming", "never"}) {
        records.push_back(LaunchIntended{framework(), task(name)});
    }
    const auto idOf = [](const char* name) { return containerId(key(name)); };
    launcher.known.push_back({idOf("live"), ContainerStarted{idOf("live"), 42, 99, "boot"}});
    ContainerExited exit;
    exit.id = idOf("over");
    exit.unknown_reason = "the shim was killed";
    launcher.known.push_back({idOf("over"), exit});
    launcher.known.push_back({idOf("failed"), ContainerLaunchFailed{idOf("failed"), "no such command"}});
    launcher.on_their_way.insert(idOf("coming"));
    const auto recovered = containers.recover(records);
    ASSERT_TRUE(recovered.ok());
    std::map<std::string, launcher_says::KnownContainer> known;
    for (const auto& one : *recovered) known[one.key.task.value()] = one;
    EXPECT_EQ(known.size(), 4u);
    EXPECT_TRUE(known["live"].running);
    EXPECT_EQ(known["live"].pid, 42);
    EXPECT_EQ(known["over"].unknown_reason, "the shim was killed");
    EXPECT_EQ(known["failed"].failed, "no such command");
    EXPECT_TRUE(known["coming"].launching);
}

TEST_F(Containers, AContainerOfNoKnownTaskIsDestroyedAndForgottenAfterIts) {
    launcher.known.push_back({"stray", ContainerStarted{"stray", 42, 99, "boot"}});
    ASSERT_TRUE(containers.recover({}).ok());
    EXPECT_THAT(launcher.asked, ElementsAre("destroy stray"));
    ContainerExited exit;
    exit.id = "stray";
    launcher.events.push_back(exit);
    EXPECT_THAT(containers.take(now), IsEmpty());
    EXPECT_THAT(launcher.asked, ElementsAre("destroy stray", "forget stray"));
}

} // namespace
} // namespace stoa::agent
