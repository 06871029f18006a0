// A task's time limit: the warning before it, its end, and what a restarted agent knows of both.
#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stoa::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TimeLimit : public ::testing::Test {
public:
    TimeLimit() { world.connect(); }
    ~TimeLimit() override { EXPECT_THAT(world.violations, IsEmpty()); }

protected:
    void run(Duration limit, std::optional<LimitWarning> warning = {}) {
        TaskSpec spec;
        spec.command.shell = "work";
        spec.time_limit = limit;
        spec.limit_warning = warning;
        TaskInfo info = task("t");
        info.body = makeTaskBody(spec);
        world.launch(info);
        world.pass(5s); // the launch takes its time, which doesn't count
        world.started(key("t"));
    }

    World world;
};

TEST_F(TimeLimit, EndsTheTaskAsAKillDoesAndTheTaskHasFailed) {
    run(60s);
    world.pass(59s);
    EXPECT_FALSE(world.container("t")->signalled);
    world.pass(1s);
    EXPECT_TRUE(world.container("t")->signalled);
    EXPECT_FALSE(world.container("t")->destroyed);
    world.pass(3s);
    EXPECT_TRUE(world.container("t")->destroyed);
    world.ended(key("t"), signalled(SIGKILL));
    const AgentTask told = world.agent->tasks().at(0);
    EXPECT_EQ(told.state, TaskState::kFailed);
    EXPECT_EQ(world.agent->counters().limits_reached, 1u);
}

TEST_F(TimeLimit, IsTheReasonOfTheEnd) {
    run(60s);
    world.acknowledge(world.lastUpdate("t"));
    world.acknowledge(world.lastUpdate("t"));
    world.pass(60s);
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kKilling);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kMaxCompletionTimeReached);
    world.ended(key("t"), exited(9));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFailed);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kMaxCompletionTimeReached);
    EXPECT_THAT(world.lastUpdate("t").message, HasSubstr("its time limit was over; exited with 9"));
}

TEST_F(TimeLimit, IsWarnedOfBefore) {
    run(60s, LimitWarning{SIGUSR1, 10s});
    world.pass(49s);
    EXPECT_THAT(world.container("t")->warnings, IsEmpty());
    world.pass(1s);
    EXPECT_THAT(world.container("t")->warnings, ElementsAre(SIGUSR1));
    EXPECT_FALSE(world.container("t")->signalled);
    world.pass(10s);
    EXPECT_TRUE(world.container("t")->signalled);
}

TEST_F(TimeLimit, AWarningLongerThanTheLimitComesAtOnce) {
    run(60s, LimitWarning{SIGUSR1, 5min});
    world.pass(0s);
    EXPECT_THAT(world.container("t")->warnings, ElementsAre(SIGUSR1));
    world.pass(59s);
    EXPECT_FALSE(world.container("t")->signalled);
}

TEST_F(TimeLimit, ATaskThatEndsInTimeHearsNothing) {
    run(60s, LimitWarning{SIGUSR1, 10s});
    world.ended(key("t"), exited(0));
    world.pass(5min);
    EXPECT_EQ(world.agent->counters().limit_warnings, 0u);
    EXPECT_EQ(world.agent->counters().limits_reached, 0u);
}

TEST_F(TimeLimit, ATaskThatIsKilledIsNotToldAsLate) {
    run(60s);
    world.acknowledge(world.lastUpdate("t"));
    world.acknowledge(world.lastUpdate("t"));
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 100s});
    world.acknowledge(world.lastUpdate("t"));
    world.pass(61s);
    world.ended(key("t"), signalled(SIGTERM));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kKilled);
}

TEST_F(TimeLimit, GoesOnOverARestartOfTheAgent) {
    run(60s);
    world.pass(40s);
    world.crash();
    world.pass(19s);
    EXPECT_FALSE(world.container("t")->signalled);
    world.pass(1s);
    EXPECT_TRUE(world.container("t")->signalled);
}

TEST_F(TimeLimit, APassedOneIsFoundByTheAgentThatComesBack) {
    run(60s);
    world.acknowledge(world.lastUpdate("t"));
    world.acknowledge(world.lastUpdate("t"));
    world.pass(60s); // it is being killed …
    world.crash();   // … and the agent dies meanwhile
    world.connect();
    world.acknowledge(world.lastUpdate("t"));
    world.ended(key("t"), signalled(SIGTERM));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFailed);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kMaxCompletionTimeReached);
}

} // namespace
} // namespace stoa::agent
