#include "agent/launching.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>

namespace stoa::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::MatchesRegex;

FrameworkInfo frameworkOf(std::string user) {
    FrameworkInfo info;
    info.id = FrameworkId("f");
    info.user = std::move(user);
    return info;
}

std::string valueOf(const ContainerSpec& spec, std::string_view name) {
    const auto found = std::find_if(spec.environment.begin(), spec.environment.end(),
                                    [&](const auto& variable) { return variable.first == name; });
    return found == spec.environment.end() ? "" : found->second;
}

ContainerSpec specOf(const TaskSpec& spec) {
    TaskInfo task;
    task.id = TaskId("t");
    task.resources = Resources::cpusMem(0.5, 64);
    return containerSpec(
        frameworkOf(""), task, spec, {"nobody", 65534, 65534}, "/w/sandboxes/f/t",
        {.agent = AgentId("a1"), .door = "http://127.0.0.1:5051", .pids_limit = 100, .output_cap_bytes = 5});
}

TEST(Launching, AShellLineRunsInAShell) {
    TaskSpec spec;
    spec.command.shell = "exit 7";
    EXPECT_THAT(specOf(spec).argv, ElementsAre("/bin/sh", "-c", "exit 7"));
}

TEST(Launching, AProgramRunsAsItIs) {
    TaskSpec spec;
    spec.command.argv = {"echo", "a b"};
    EXPECT_THAT(specOf(spec).argv, ElementsAre("echo", "a b"));
}

TEST(Launching, TheTasksResourcesBecomeLimits) {
    const ContainerSpec container = specOf({});
    EXPECT_EQ(container.cpus_milli, 500);
    EXPECT_EQ(container.memory_bytes, 64 << 20);
    EXPECT_EQ(container.pids_limit, 100);
    EXPECT_EQ(container.uid, 65534u);
}

TEST(Launching, TheEnvironmentTellsTheTaskWhereItIsAndItsOwnWordsWin) {
    TaskSpec spec;
    spec.command.environment = {{"HOME", "/elsewhere"}, {"MY", "1"}};
    const ContainerSpec container = specOf(spec);
    EXPECT_EQ(valueOf(container, "HOME"), "/elsewhere");
    EXPECT_EQ(valueOf(container, "MY"), "1");
    EXPECT_EQ(valueOf(container, "STOA_TASK_ID"), "t");
    EXPECT_EQ(valueOf(container, "MESOS_SANDBOX"), "/w/sandboxes/f/t");
    EXPECT_NE(valueOf(container, "PATH"), "");
}

TEST(Launching, AContainersNameIsReadableBoundedAndUnique) {
    EXPECT_THAT(containerId({FrameworkId("f-1"), TaskId("map.3")}), MatchesRegex("f-1\\.map\\.3\\.[0-9a-f]+"));
    EXPECT_NE(containerId({FrameworkId("a"), TaskId("bc")}), containerId({FrameworkId("ab"), TaskId("c")}));
    const std::string long_id(255, '/');
    EXPECT_THAT(containerId({FrameworkId(long_id), TaskId(long_id)}), MatchesRegex("[A-Za-z0-9_.-]+"));
    EXPECT_LE(containerId({FrameworkId(long_id), TaskId(long_id)}).size(), 200u);
}

absl::StatusOr<TaskUser> userOf(const FrameworkInfo& framework, const CommandSpec& command, const UserPolicy& policy) {
    Users users;
    return taskUser(framework, command, policy, users, Time{});
}

TEST(Launching, ATaskOfRootRunsAsTheUnprivilegedUserUnlessAllowed) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    EXPECT_NE(userOf(frameworkOf("root"), {}, {})->uid, 0u);
    EXPECT_NE(userOf(frameworkOf(""), {}, {})->uid, 0u);
    EXPECT_EQ(userOf(frameworkOf("root"), {}, {.allow_root_tasks = true})->uid, 0u);
}

TEST(Launching, TheTasksUserIsPreferredToTheFrameworks) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    CommandSpec command;
    command.user = "daemon";
    EXPECT_EQ(userOf(frameworkOf("nobody"), command, {})->name, "daemon");
}

TEST(Launching, AnUnknownUserIsNamed) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    const auto user = userOf(frameworkOf("no-such-user"), {}, {});
    ASSERT_FALSE(user.ok());
    EXPECT_THAT(std::string(user.status().message()), ::testing::HasSubstr("no-such-user"));
}

} // namespace
} // namespace stoa::agent
