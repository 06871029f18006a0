// Cgroups that are used again: nothing of a task's shows in the next.

#include "agent/containers/cgroups.h"
#include "tests/unit/agent/containers_fixture.h"

#include <gmock/gmock.h>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

class ContainerCgroups : public ContainersFixture {
protected:
    void SetUp() override {
        LauncherOptions made = options(LauncherKind::kProcess);
        made.cgroups = true;
        makeLauncherOrDie(std::move(made));
    }
    ContainerExited runAndForget(const ContainerSpec& spec) {
        ContainerExited exited = run(spec);
        EXPECT_TRUE(launcher_->forget(spec.id).ok());
        return exited;
    }
};

TEST_F(ContainerCgroups, UsageIsEachTasksOwn) {
    const ContainerExited large =
        runAndForget(shell("large", "head -c 30000000 /dev/zero | tail -c 25000000 > /dev/null; x=; i=0; "
                                    "while [ $i -lt 100000 ]; do i=$((i+1)); done"));
    ASSERT_EQ(large.wait_status, 0);
    const ContainerExited small = runAndForget(shell("small", "exit 0"));
    ASSERT_EQ(small.wait_status, 0);
    EXPECT_GT(large.usage.max_memory_bytes, 20 << 20);
    EXPECT_LT(small.usage.max_memory_bytes, 8 << 20);
    EXPECT_LT(small.usage.cpu_nanos, large.usage.cpu_nanos);
}

TEST_F(ContainerCgroups, TheNextAfterOneThatRanOutOfMemoryHasNot) {
    const ContainerExited out =
        runAndForget(shell("out", "head -c 100000000 /dev/zero | tail -c 90000000 > /dev/null"));
    EXPECT_TRUE(out.out_of_memory);
    EXPECT_FALSE(runAndForget(shell("failing", "exit 1")).out_of_memory);
}

TEST_F(ContainerCgroups, LimitsAreEachTasksOwn) {
    for (int i = 0; i < 6; ++i) {
        ContainerSpec task = shell("task" + std::to_string(i), "cat /proc/self/cgroup; sleep 60");
        task.memory_bytes = std::int64_t{16 + 16 * (i % 2)} << 20;
        start(task);
        std::ifstream note(run_dir_ / "cgroups");
        std::string limit;
        for (std::string directory; std::getline(note, directory);)
            for (const char* file : {"/memory.limit_in_bytes", "/memory.max"})
                if (fs::exists(directory + "/" + task.id + file)) limit = readAll(directory + "/" + task.id + file);
        EXPECT_EQ(limit, std::to_string(task.memory_bytes) + "\n");
        ASSERT_TRUE(launcher_->destroy(task.id).ok());
        waitExited(task.id);
        ASSERT_TRUE(launcher_->forget(task.id).ok());
    }
}

TEST_F(ContainerCgroups, WhatAnAgentLeftBehindEndsWithTheShim) {
    runAndForget(shell("one", "true"));
    std::vector<std::string> left;
    std::ifstream note(run_dir_ / "cgroups");
    for (std::string cgroup; std::getline(note, cgroup);) left.push_back(cgroup + "/was-busy");
    ASSERT_FALSE(left.empty());
    for (const std::string& cgroup : left) fs::create_directory(cgroup);
    launcher_.reset();
    waitForShimsEnd();
    for (const std::string& cgroup : left) EXPECT_FALSE(fs::exists(fs::path(cgroup).parent_path())) << cgroup;
}

TEST(Cgroups, AreNotMadeWhereTheirNoteCannotBeWritten) {
    const fs::path run_dir = fs::path(testing::TempDir()) / ("unwritable-note-" + std::to_string(getpid()));
    fs::create_directories(run_dir / "cgroups"); // in the note's place
    const absl::StatusOr<TaskCgroups> made = TaskCgroups::setUp(run_dir, getpid());
    ASSERT_FALSE(made.ok());
    EXPECT_THAT(made.status().message(), testing::HasSubstr("cannot write " + run_dir.string() + "/cgroups"));
    for (const fs::directory_entry& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
        EXPECT_FALSE(fs::exists(hierarchy.path() / ("stoa-" + std::to_string(getpid()))));
    }
    fs::remove_all(run_dir);
}

} // namespace
} // namespace stoa::agent
