// The life of executors in the agent's core: launched for a task, subscribed, given more, ended, and found again.
#include "protocol/codec/executor_info.h"
#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const ExecutorKey kKey{FrameworkId("f"), ExecutorId("e")};

TaskInfo taskIn(const std::string& executor, const std::string& id, double mem = 64, const std::string& data = "") {
    ExecutorSpec spec;
    spec.id = ExecutorId(executor);
    spec.command.shell = "run";
    spec.resources = Resources::cpusMem(0.5, 100);
    spec.data = data;
    TaskInfo info = task(id, 0.5, mem);
    info.executor = spec.id;
    info.body = makeTaskBody(TaskSpec{}, spec);
    return info;
}

class AgentExecutors : public ::testing::Test {
public:
    AgentExecutors() { world.connect(); }
    ~AgentExecutors() override { EXPECT_THAT(world.violations, IsEmpty()); }

protected:
    void launch(TaskInfo info, bool new_executor) {
        world.say(master_says::Launch{framework(), std::move(info), new_executor});
    }
    TaskKey container() const { return world.executors.back().key; }
    // Its container runs, and it subscribes; the stream's number is 1, 2 …
    std::uint64_t subscribe(executor_call::Subscribe call = {}) {
        if (!world.containers[container()].running) world.started(container());
        world.step(executor_says::Subscribed{kKey, ++streams, std::move(call)});
        return streams;
    }
    TaskStatus says(const std::string& id, TaskState state, std::uint8_t number, std::string data = "") {
        TaskStatus status;
        status.task = TaskId(id);
        status.executor = kKey.executor;
        status.state = state;
        status.source = StatusSource::kExecutor;
        status.uuid = Uuid{number};
        status.data = std::move(data);
        return status;
    }
    void update(const std::string& id, TaskState state, std::uint8_t number, std::string data = "") {
        world.step(executor_says::Updated{kKey, says(id, state, number, std::move(data))});
    }
    template <class Event>
    std::vector<Event> events(std::uint64_t stream) {
        std::vector<Event> found;
        for (const ExecutorEvent& event : world.streams[stream]) {
            if (const Event* one = std::get_if<Event>(&event)) found.push_back(*one);
        }
        return found;
    }
    std::vector<std::string> launched(std::uint64_t stream) {
        std::vector<std::string> ids;
        for (const auto& one : events<executor_event::Launch>(stream)) ids.push_back(one.task.id.value());
        return ids;
    }
    // With one task that runs in it.
    std::uint64_t running() {
        launch(taskIn("e", "t"), true);
        const std::uint64_t stream = subscribe();
        update("t", TaskState::kRunning, 1);
        return stream;
    }
    std::size_t endings() const { return world.said<agent_says::ExecutorEnded>().size(); }

    World world;
    std::uint64_t streams = 0;
};

TEST_F(AgentExecutors, TheFirstTaskLaunchesTheContainerWithTheLimitsOfBoth) {
    launch(taskIn("e", "t"), true);
    ASSERT_THAT(world.executors, SizeIs(1));
    EXPECT_EQ(world.executors[0].limits, Resources::cpusMem(1, 164));
    EXPECT_EQ(world.agent->used(), Resources::cpusMem(1, 164));
    EXPECT_FALSE(world.executors[0].token.empty());
}

TEST_F(AgentExecutors, IntentsOfExecutorAndTaskAreDurableBeforeTheLaunch) {
    world.auto_sync = false;
    launch(taskIn("e", "t"), true);
    EXPECT_THAT(world.executors, IsEmpty());
    world.sync(1); // the executor's
    EXPECT_THAT(world.executors, IsEmpty());
    world.sync();
    EXPECT_THAT(world.executors, SizeIs(1));
}

TEST_F(AgentExecutors, TasksWaitForTheSubscriptionAndFurtherOnesGoAtOnce) {
    launch(taskIn("e", "t1"), true);
    launch(taskIn("e", "t2"), false);
    const std::uint64_t stream = subscribe();
    EXPECT_THAT(events<executor_event::Subscribed>(stream), SizeIs(1));
    EXPECT_THAT(launched(stream), ElementsAre("t1", "t2"));
    launch(taskIn("e", "t3"), false);
    EXPECT_THAT(launched(stream), ElementsAre("t1", "t2", "t3"));
    EXPECT_THAT(world.executors, SizeIs(1));
    EXPECT_EQ(world.limits[container()], Resources::cpusMem(2, 292));
}

TEST_F(AgentExecutors, TheLimitsShrinkWithTheTasks) {
    running();
    update("t", TaskState::kFinished, 2);
    EXPECT_EQ(world.limits[container()], Resources::cpusMem(0.5, 100));
    EXPECT_EQ(world.agent->used(), Resources::cpusMem(0.5, 100));
}

TEST_F(AgentExecutors, AnUpdateIsAcknowledgedAndForwardedWhenItIsDurable) {
    launch(taskIn("e", "t"), true);
    const std::uint64_t stream = subscribe();
    world.auto_sync = false;
    update("t", TaskState::kRunning, 1, "half");
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), IsEmpty());
    EXPECT_THAT(world.updates("t"), IsEmpty());
    world.sync();
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(1));
    const TaskStatus status = world.lastUpdate("t");
    EXPECT_EQ(status.source, StatusSource::kExecutor);
    EXPECT_EQ(status.uuid, Uuid{1});
    EXPECT_EQ(status.data, "half");
    EXPECT_EQ(status.agent, AgentId("a1"));
    EXPECT_EQ(status.pid, 4711);
}

TEST_F(AgentExecutors, ARepeatedUpdateIsAcknowledgedAndToldOnce) {
    const std::uint64_t stream = running();
    update("t", TaskState::kRunning, 1);
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(2));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_THAT(world.updates("t"), SizeIs(1));
}

TEST_F(AgentExecutors, OfOneStateItMayTellSeveral) {
    running();
    update("t", TaskState::kRunning, 2, "more");
    world.acknowledge(world.updates("t").front());
    EXPECT_EQ(world.lastUpdate("t").data, "more");
}

TEST_F(AgentExecutors, WhatFollowsAnEndOrIsOfNoTaskIsAcknowledgedAndDropped) {
    const std::uint64_t stream = running();
    update("t", TaskState::kFinished, 2);
    update("t", TaskState::kRunning, 3);
    update("unknown", TaskState::kRunning, 4);
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(4));
    EXPECT_EQ(world.agent->counters().executor_updates_illegal, 2u);
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFinished);
}

TEST_F(AgentExecutors, OneThatTellsMoreThanItsFrameworkHearsIsNotAcknowledged) {
    const std::uint64_t stream = running();
    for (int i = 0; i < 200; ++i) update("t", TaskState::kRunning, static_cast<std::uint8_t>(2 + i));
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(100));
    EXPECT_EQ(world.agent->counters().executor_updates_put_off, 101u);
    update("t", TaskState::kFinished, 255);
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(101));
}

TEST_F(AgentExecutors, AKillGoesToTheExecutorWithItsGrace) {
    const std::uint64_t stream = running();
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 9s});
    const auto kills = events<executor_event::Kill>(stream);
    ASSERT_THAT(kills, SizeIs(1));
    EXPECT_EQ(kills[0].task, TaskId("t"));
    EXPECT_EQ(kills[0].grace, 9s);
    update("t", TaskState::kKilled, 2);
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kKilled);
}

TEST_F(AgentExecutors, ATaskKilledBeforeItsExecutorHadItNeverReachesIt) {
    launch(taskIn("e", "t1"), true);
    launch(taskIn("e", "t2"), false);
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t1"), std::nullopt});
    EXPECT_EQ(world.lastUpdate("t1").state, TaskState::kKilled);
    EXPECT_EQ(world.lastUpdate("t1").reason, Reason::kTaskKilledDuringLaunch);
    EXPECT_THAT(launched(subscribe()), ElementsAre("t2"));
}

TEST_F(AgentExecutors, AnExecutorWhoseTasksWereAllKilledBeforeItCameIsNotWaitedFor) {
    launch(taskIn("e", "t"), true);
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), std::nullopt});
    EXPECT_TRUE(world.containers[container()].destroyed);
    world.ended(container(), signalled(9));
    EXPECT_EQ(endings(), 1u);
    EXPECT_EQ(world.agent->used(), Resources());
}

TEST_F(AgentExecutors, ItsEndFailsItsTasksAndIsTold) {
    running();
    launch(taskIn("e", "t2"), false);
    world.ended(container(), exited(3));
    EXPECT_EQ(world.lastUpdate("t2").state, TaskState::kFailed);
    EXPECT_EQ(world.lastUpdate("t2").reason, Reason::kExecutorTerminated);
    EXPECT_THAT(world.lastUpdate("t2").message, HasSubstr("exited with 3"));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFailed);
    ASSERT_EQ(endings(), 1u);
    EXPECT_EQ(world.said<agent_says::ExecutorEnded>()[0].wait_status, 3 << 8);
    EXPECT_EQ(world.agent->used(), Resources());
    EXPECT_EQ(world.agent->executor(kKey), nullptr);
}

TEST_F(AgentExecutors, OneThatDoesNotSubscribeInTimeIsKilledAndTheReasonTold) {
    launch(taskIn("e", "t"), true);
    world.started(container());
    world.pass(61s);
    EXPECT_TRUE(world.containers[container()].destroyed);
    world.ended(container(), signalled(9));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFailed);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kExecutorRegistrationTimeout);
}

TEST_F(AgentExecutors, AContainerThatCannotBeMadeFailsTheTasksForThat) {
    launch(taskIn("e", "t"), true);
    world.step(launcher_says::ContainerFailed{container(), "no such program"});
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kContainerLaunchFailed);
    EXPECT_EQ(endings(), 1u);
}

TEST_F(AgentExecutors, ATaskForOneThatEndedMeanwhileIsDroppedAndLaunchesNone) {
    launch(taskIn("e", "t"), false);
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kDropped);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kExecutorTerminated);
    EXPECT_THAT(world.executors, IsEmpty());
    EXPECT_EQ(endings(), 0u);
}

TEST_F(AgentExecutors, AnotherDescriptionOfOneThatLivesIsRefused) {
    running();
    launch(taskIn("e", "other", 64, "another's data"), false);
    EXPECT_EQ(world.lastUpdate("other").state, TaskState::kError);
    EXPECT_THAT(world.lastUpdate("other").message, HasSubstr("described otherwise"));
}

TEST_F(AgentExecutors, WhatTheMasterHoldsForOneThatCouldNotBeLaunchedIsGivenBack) {
    launch(taskIn("e", "t", 4000), true);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kInvalidOffers);
    EXPECT_EQ(endings(), 1u);
}

TEST_F(AgentExecutors, MessagesGoBothWays) {
    const std::uint64_t stream = running();
    world.say(master_says::ToExecutor{FrameworkId("f"), ExecutorId("e"), "ping"});
    ASSERT_THAT(events<executor_event::Message>(stream), SizeIs(1));
    EXPECT_EQ(events<executor_event::Message>(stream)[0].data, "ping");
    world.step(executor_says::Message{kKey, "pong"});
    ASSERT_THAT(world.said<agent_says::ToFramework>(), SizeIs(1));
    EXPECT_EQ(world.said<agent_says::ToFramework>()[0].data, "pong");
}

TEST_F(AgentExecutors, AShutdownIsToldAndAfterTheGraceKilled) {
    const std::uint64_t stream = running();
    world.say(master_says::ShutdownExecutor{FrameworkId("f"), ExecutorId("e")});
    EXPECT_THAT(events<executor_event::Shutdown>(stream), SizeIs(1));
    EXPECT_FALSE(world.containers[container()].destroyed);
    launch(taskIn("e", "late"), false);
    EXPECT_EQ(world.lastUpdate("late").state, TaskState::kDropped);
    world.pass(5s);
    EXPECT_TRUE(world.containers[container()].destroyed);
}

TEST_F(AgentExecutors, AFrameworksEndShutsItsExecutorsDownAndForgetsTheirTasks) {
    const std::uint64_t stream = running();
    world.say(master_says::ShutdownFramework{FrameworkId("f")});
    EXPECT_THAT(events<executor_event::Shutdown>(stream), SizeIs(1));
    world.ended(container(), exited(0));
    EXPECT_THAT(world.agent->tasks(), IsEmpty());
    EXPECT_EQ(world.agent->used(), Resources());
    EXPECT_EQ(endings(), 1u);
}

TEST_F(AgentExecutors, ANewStreamReplacesTheOldAndLaunchesWhatWasLost) {
    running();
    launch(taskIn("e", "lost"), false);
    launch(taskIn("e", "had"), false);
    executor_call::Subscribe call;
    call.unacknowledged_tasks = {taskIn("e", "had")};
    const std::uint64_t stream = subscribe(call);
    EXPECT_THAT(launched(stream), ElementsAre("lost"));
}

TEST_F(AgentExecutors, SurvivesTheAgentsRestartWithItsTasks) {
    running();
    launch(taskIn("e", "t2"), false);
    const TaskKey key = container();
    world.crash();
    world.connect();
    const auto registered = world.said<agent_says::Register>().back();
    ASSERT_THAT(registered.executors, SizeIs(1));
    EXPECT_EQ(registered.executors[0].info.id, ExecutorId("e"));
    EXPECT_THAT(registered.tasks, SizeIs(2));
    EXPECT_EQ(world.agent->executor(kKey)->token, world.executors[0].token);
    executor_call::Subscribe call;
    call.unacknowledged_tasks = {taskIn("e", "t2")};
    call.unacknowledged_updates = {says("t", TaskState::kRunning, 1), says("t", TaskState::kFinished, 2)};
    const std::uint64_t stream = subscribe(call);
    EXPECT_THAT(launched(stream), IsEmpty());
    EXPECT_THAT(events<executor_event::Acknowledged>(stream), SizeIs(2));
    world.pass(1h);
    EXPECT_FALSE(world.containers[key].destroyed);
    EXPECT_EQ(world.launches[key], 1);
}

TEST_F(AgentExecutors, OneThatDoesNotComeBackAfterARestartIsKilled) {
    running();
    world.crash();
    world.connect();
    world.pass(2s);
    EXPECT_TRUE(world.containers[container()].destroyed);
    world.ended(container(), signalled(9));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kExecutorReregistrationTimeout);
}

TEST_F(AgentExecutors, AnIntentWithoutAContainerAfterARestartIsLostWithItsTasks) {
    launch(taskIn("e", "t"), true);
    world.containers.clear();
    world.crash();
    world.connect();
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kLost);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kAgentRestarted);
    EXPECT_EQ(world.agent->executor(kKey), nullptr);
}

TEST_F(AgentExecutors, AShutdownGoesOnAfterARestart) {
    running();
    world.say(master_says::ShutdownExecutor{FrameworkId("f"), ExecutorId("e")});
    world.crash();
    EXPECT_TRUE(world.containers[container()].signalled);
    EXPECT_THAT(events<executor_event::Shutdown>(subscribe()), SizeIs(1));
    world.pass(5s);
    EXPECT_TRUE(world.containers[container()].destroyed);
}

TEST_F(AgentExecutors, ARetiringAgentWaitsForItsExecutors) {
    running();
    world.step(Retire{});
    update("t", TaskState::kKilled, 2);
    for (int i = 0; i < 2; ++i) world.acknowledge(world.lastUpdate("t"));
    EXPECT_THAT(world.stops, IsEmpty());
    world.ended(container(), exited(0));
    ASSERT_THAT(world.stops, SizeIs(1));
    EXPECT_FALSE(world.stops[0].failed);
}

TEST_F(AgentExecutors, AnIdMayLiveAgainInAnotherRun) {
    running();
    const TaskKey first = container();
    world.ended(first, exited(0));
    launch(taskIn("e", "again"), true);
    EXPECT_NE(container(), first);
    EXPECT_EQ(world.launches[first], 1);
    EXPECT_EQ(world.agent->executor(kKey)->run, executorRunOf(container())->run);
}

} // namespace
} // namespace stoa::agent
