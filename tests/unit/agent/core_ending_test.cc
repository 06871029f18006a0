#include "agent/core/ending.h"
#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stoa::agent {
namespace {

using ::testing::HasSubstr;

Ending plain(const TaskOutcome& outcome, bool kill_requested = false, const std::string& unknown = "") {
    return endingOf(outcome, unknown, kill_requested, Resources::cpusMem(1, 64));
}

TEST(Ending, ExitZeroIsFinished) { EXPECT_EQ(plain(exited(0)).state, TaskState::kFinished); }

TEST(Ending, AnotherExitCodeIsFailedAndNamed) {
    const Ending ending = plain(exited(7));
    EXPECT_EQ(ending.state, TaskState::kFailed);
    EXPECT_EQ(ending.reason, Reason::kNone);
    EXPECT_EQ(ending.message, "exited with 7");
}

TEST(Ending, ASignalIsNamed) {
    const Ending ending = plain(signalled(SIGSEGV));
    EXPECT_EQ(ending.state, TaskState::kFailed);
    EXPECT_EQ(ending.message, "killed by SIGSEGV (11)");
}

TEST(Ending, WhateverCameAfterAKillWasRequestedIsKilled) {
    EXPECT_EQ(plain(signalled(SIGTERM), true).state, TaskState::kKilled);
    EXPECT_EQ(plain(exited(0), true).state, TaskState::kKilled);
    EXPECT_THAT(plain(exited(0), true).message, HasSubstr("exited with 0"));
}

TEST(Ending, OutOfMemoryIsToldWithLimitAndPeak) {
    TaskOutcome outcome = signalled(SIGKILL);
    outcome.out_of_memory = true;
    outcome.max_memory = Bytes{63 << 20};
    const Ending ending = plain(outcome);
    EXPECT_EQ(ending.state, TaskState::kFailed);
    EXPECT_EQ(ending.reason, Reason::kContainerLimitationMemory);
    EXPECT_THAT(ending.message, HasSubstr("limit 64.0 MB"));
    EXPECT_THAT(ending.message, HasSubstr("peak usage 63.0 MB"));
}

TEST(Ending, TooMuchOnTheDiskIsToldWithHowMuch) {
    TaskOutcome outcome;
    outcome.wait_status = SIGKILL;
    const Ending ending = endingOf(outcome, "", false, Resources(), "disk usage 3.0 MB exceeds the limit 1.0 MB");
    EXPECT_EQ(ending.state, TaskState::kFailed);
    EXPECT_EQ(ending.reason, Reason::kContainerLimitationDisk);
    EXPECT_EQ(ending.message, "disk usage 3.0 MB exceeds the limit 1.0 MB; killed by SIGKILL (9)");
    EXPECT_EQ(endingOf(outcome, "", true, Resources(), "disk").state, TaskState::kKilled);
}

TEST(Ending, ACommandThatSucceededThoughAChildRanOutOfMemoryIsFinished) {
    TaskOutcome outcome = exited(0);
    outcome.out_of_memory = true;
    EXPECT_EQ(plain(outcome).state, TaskState::kFinished);
}

TEST(Ending, AnUnknownExitStatusIsToldAsSuch) {
    const Ending ending = plain(TaskOutcome{}, false, "the shim was killed");
    EXPECT_EQ(ending.state, TaskState::kFailed);
    EXPECT_EQ(ending.reason, Reason::kExecutorTerminated);
    EXPECT_EQ(ending.message, "exit status unknown: the shim was killed");
}

} // namespace
} // namespace stoa::agent
