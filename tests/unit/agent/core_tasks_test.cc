#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

namespace stoa::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<TaskState> states(const std::vector<TaskStatus>& statuses) {
    std::vector<TaskState> list;
    list.reserve(statuses.size());
    for (const TaskStatus& status : statuses) list.push_back(status.state);
    return list;
}

class AgentCore : public ::testing::Test {
public:
    AgentCore() { world.connect(); }
    ~AgentCore() override { EXPECT_THAT(world.violations, IsEmpty()); }

protected:
    void run(const std::string& id) {
        world.launch(task(id));
        world.started(key(id));
    }
    void acknowledgeAll(const std::string& id) {
        for (std::size_t heard = 0; heard != world.heard.size();) {
            heard = world.heard.size();
            world.acknowledge(world.lastUpdate(id));
        }
    }

    World world;
};

TEST_F(AgentCore, ATaskIsToldAsStartingRunningAndFinishedInOrder) {
    run("t");
    world.ended(key("t"), exited(0));
    EXPECT_THAT(states(world.updates("t")), ElementsAre(TaskState::kStarting));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_THAT(states(world.updates("t")), ElementsAre(TaskState::kStarting, TaskState::kRunning));
    world.acknowledge(world.lastUpdate("t"));
    EXPECT_THAT(states(world.updates("t")),
                ElementsAre(TaskState::kStarting, TaskState::kRunning, TaskState::kFinished));
}

TEST_F(AgentCore, AnUpdateTellsTheLatestStateBesideItsOwn) {
    run("t");
    world.ended(key("t"), exited(0));
    world.acknowledge(world.lastUpdate("t"));
    const auto updates = world.said<agent_says::StatusUpdate>();
    EXPECT_EQ(updates.back().status.state, TaskState::kRunning);
    EXPECT_EQ(updates.back().latest, TaskState::kFinished);
}

TEST_F(AgentCore, ARunningTaskIsToldWithPidStartTimeAndIsolation) {
    run("t");
    world.acknowledge(world.lastUpdate("t"));
    const TaskStatus status = world.lastUpdate("t");
    EXPECT_EQ(status.pid, 4711);
    EXPECT_EQ(status.start_time, 99u);
    EXPECT_EQ(status.isolation, "fake");
    EXPECT_EQ(status.source, StatusSource::kAgent);
}

TEST_F(AgentCore, NothingIsLaunchedBeforeTheIntentIsDurable) {
    world.auto_sync = false;
    world.launch(task("t"));
    EXPECT_EQ(world.container("t"), nullptr);
    world.sync(1);
    ASSERT_NE(world.container("t"), nullptr);
}

TEST_F(AgentCore, NoStatusIsForwardedBeforeItIsDurable) {
    world.auto_sync = false;
    world.launch(task("t"));
    world.sync(1); // the intent
    EXPECT_THAT(world.updates("t"), IsEmpty());
    world.sync(1); // the status
    EXPECT_THAT(states(world.updates("t")), ElementsAre(TaskState::kStarting));
}

TEST_F(AgentCore, AContainerIsForgottenOnlyWhenItsEndIsDurable) {
    run("t");
    world.auto_sync = false;
    world.ended(key("t"), exited(0));
    EXPECT_NE(world.container("t"), nullptr);
    world.sync();
    EXPECT_EQ(world.container("t"), nullptr);
}

TEST_F(AgentCore, ATaskIsForgottenWhenItsEndIsAcknowledged) {
    run("t");
    world.ended(key("t"), exited(0));
    EXPECT_EQ(world.agent->tasks().size(), 1u);
    acknowledgeAll("t");
    EXPECT_THAT(world.agent->tasks(), IsEmpty());
    EXPECT_TRUE(std::holds_alternative<TaskForgotten>(world.disk.back()));
}

TEST_F(AgentCore, AnUnacknowledgedUpdateIsRepeatedAfterTenSecondsThenTwentyUpToTenMinutes) {
    world.launch(task("t"));
    EXPECT_EQ(world.updates("t").size(), 1u);
    world.pass(10s);
    EXPECT_EQ(world.updates("t").size(), 2u);
    world.pass(19s);
    EXPECT_EQ(world.updates("t").size(), 2u);
    world.pass(1s);
    EXPECT_EQ(world.updates("t").size(), 3u);
    world.pass(2h);
    const std::size_t before = world.updates("t").size();
    world.pass(10min);
    EXPECT_EQ(world.updates("t").size(), before + 1);
}

TEST_F(AgentCore, TheMasterSetsTheBaseOfTheRetry) {
    world.say(master_says::Registered{AgentId("a1"), 1s});
    world.launch(task("t"));
    world.pass(1s);
    EXPECT_EQ(world.updates("t").size(), 2u);
}

TEST_F(AgentCore, AnAcknowledgedUpdateIsNotRepeated) {
    world.launch(task("t"));
    world.acknowledge(world.lastUpdate("t"));
    world.pass(1h);
    EXPECT_EQ(world.updates("t").size(), 1u);
}

TEST_F(AgentCore, AnAcknowledgementOfAnotherUuidIsIgnored) {
    world.launch(task("t"));
    TaskStatus other = world.lastUpdate("t");
    (*other.uuid)[0] ^= 1;
    world.acknowledge(other);
    EXPECT_EQ(world.agent->counters().stray_acknowledgements, 1u);
    world.pass(10s);
    EXPECT_EQ(world.updates("t").size(), 2u);
}

TEST_F(AgentCore, UnacknowledgedUpdatesAreSentAgainOnReconnection) {
    world.launch(task("t"));
    world.step(MasterGone{});
    world.pass(1h);
    EXPECT_EQ(world.updates("t").size(), 1u);
    world.connect();
    EXPECT_EQ(world.updates("t").size(), 2u);
    EXPECT_EQ(world.updates("t")[0].uuid, world.updates("t")[1].uuid);
}

TEST_F(AgentCore, AMessageHeldBackForOneSessionIsNotSaidInTheNext) {
    world.auto_sync = false;
    world.launch(task("t"));
    world.step(MasterGone{});
    world.step(MasterConnected{});
    world.sync();
    EXPECT_THAT(world.updates("t"), IsEmpty());
}

TEST_F(AgentCore, RegistrationListsLiveAndUnacknowledgedTasksWithTheirFrameworks) {
    run("live");
    run("over");
    world.ended(key("over"), exited(1));
    run("told");
    world.ended(key("told"), exited(0));
    acknowledgeAll("told");
    world.step(MasterGone{});
    world.step(MasterConnected{});
    const agent_says::Register said = world.said<agent_says::Register>().back();
    ASSERT_EQ(said.tasks.size(), 2u);
    EXPECT_EQ(said.tasks[0].info.id, TaskId("live"));
    EXPECT_EQ(said.tasks[0].state, TaskState::kRunning);
    EXPECT_EQ(said.tasks[1].info.id, TaskId("over"));
    EXPECT_EQ(said.tasks[1].state, TaskState::kFailed);
    ASSERT_EQ(said.frameworks.size(), 1u);
    EXPECT_EQ(said.info.id, AgentId("a1"));
    EXPECT_EQ(said.incarnation.work_id, "work");
}

TEST_F(AgentCore, RegistrationTellsTheStatusThatWaitsForItsAcknowledgement) {
    run("t");
    world.step(MasterGone{});
    world.step(MasterConnected{});
    const AgentTask said = world.said<agent_says::Register>().back().tasks.at(0);
    EXPECT_EQ(said.state, TaskState::kRunning);
    EXPECT_EQ(said.status.state, TaskState::kStarting);
    EXPECT_TRUE(said.status.uuid.has_value());
}

TEST_F(AgentCore, ARefusedAgentStopsAndLeavesItsTasksRunning) {
    run("t");
    world.say(master_says::Refused{"another agent has this id"});
    ASSERT_EQ(world.stops.size(), 1u);
    EXPECT_THAT(world.stops[0].why, HasSubstr("another agent has this id"));
    EXPECT_TRUE(world.stops[0].failed);
    EXPECT_FALSE(world.container("t")->destroyed);
}

TEST_F(AgentCore, AKilledTaskGetsSigtermThenAfterTheGraceSigkill) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    EXPECT_TRUE(world.container("t")->signalled);
    world.pass(4999ms);
    EXPECT_FALSE(world.container("t")->destroyed);
    world.pass(1ms);
    EXPECT_TRUE(world.container("t")->destroyed);
    world.ended(key("t"), signalled(SIGKILL));
    acknowledgeAll("t");
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kKilled);
}

TEST_F(AgentCore, ATaskThatEndsWithinTheGraceIsNotDestroyed) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    world.ended(key("t"), signalled(SIGTERM));
    world.pass(1min);
    EXPECT_EQ(world.container("t"), nullptr);
    EXPECT_EQ(world.agent->tasks()[0].state, TaskState::kKilled);
}

TEST_F(AgentCore, AKillIsToldInItsPlaceWhenItsGraceBegins) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 2s});
    world.ended(key("t"), signalled(SIGTERM));
    acknowledgeAll("t");
    EXPECT_THAT(states(world.updates("t")),
                ElementsAre(TaskState::kStarting, TaskState::kRunning, TaskState::kKilling, TaskState::kKilled));
}

TEST_F(AgentCore, ThatATaskIsBeingKilledIsRepeatedUntilItIsAcknowledged) {
    run("t");
    world.acknowledge(world.lastUpdate("t"));
    world.acknowledge(world.lastUpdate("t"));
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 60s});
    const TaskStatus killing = world.lastUpdate("t");
    EXPECT_EQ(killing.state, TaskState::kKilling);
    EXPECT_EQ(killing.pid, 4711);
    const std::size_t told = world.updates("t").size();
    world.pass(10s);
    EXPECT_EQ(world.updates("t").size(), told + 1);
    EXPECT_EQ(world.lastUpdate("t"), killing);
    EXPECT_EQ(world.agent->used(), Resources::cpusMem(1, 64));
}

TEST_F(AgentCore, AFrameworkThatDoesNotKnowItHearsNothingOfAKillsGrace) {
    FrameworkInfo old = framework();
    old.capabilities = {};
    world.launch(task("t"), old);
    world.started(key("t"));
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    EXPECT_EQ(world.agent->tasks().at(0).state, TaskState::kRunning);
    EXPECT_TRUE(world.container("t")->signalled);
}

TEST_F(AgentCore, AKillWithoutAGraceIsOverAtOnce) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 0s});
    EXPECT_EQ(world.agent->tasks().at(0).state, TaskState::kRunning);
    EXPECT_TRUE(world.container("t")->destroyed);
}

TEST_F(AgentCore, TheKillsOwnGraceIsThreeSecondsUnlessSaidOtherwise) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), std::nullopt});
    world.pass(2999ms);
    EXPECT_FALSE(world.container("t")->destroyed);
    world.pass(1ms);
    EXPECT_TRUE(world.container("t")->destroyed);
}

TEST_F(AgentCore, TheTasksOwnGraceIsUsedWhenTheKillHasNone) {
    TaskInfo patient = task("t");
    TaskSpec spec;
    spec.command.shell = "sleep 100";
    spec.kill_grace = 20s;
    patient.body = makeTaskBody(spec);
    world.launch(patient);
    world.started(key("t"));
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), std::nullopt});
    world.pass(19s);
    EXPECT_FALSE(world.container("t")->destroyed);
    world.pass(1s);
    EXPECT_TRUE(world.container("t")->destroyed);
}

TEST_F(AgentCore, ASecondKillShortensTheGraceAndNeverLengthensIt) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 60s});
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 2s});
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 60s});
    world.pass(2s);
    EXPECT_TRUE(world.container("t")->destroyed);
}

TEST_F(AgentCore, AStagingTaskThatIsKilledIsToldAsKilledDuringLaunch) {
    world.launch(task("t"));
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), std::nullopt});
    EXPECT_TRUE(world.container("t")->destroyed);
    world.step(launcher_says::ContainerFailed{key("t"), "destroyed"});
    acknowledgeAll("t");
    EXPECT_THAT(states(world.updates("t")), ElementsAre(TaskState::kStarting, TaskState::kKilled));
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kTaskKilledDuringLaunch);
}

TEST_F(AgentCore, AKillOfAnUnknownTaskIsAnsweredWithoutAnythingBeingStored) {
    const std::size_t before = world.disk.size();
    world.say(master_says::Kill{FrameworkId("f"), TaskId("nobody"), std::nullopt});
    const TaskStatus status = world.lastUpdate("nobody");
    EXPECT_EQ(status.state, TaskState::kLost);
    EXPECT_EQ(status.reason, Reason::kTaskUnknown);
    EXPECT_FALSE(status.uuid.has_value());
    EXPECT_EQ(world.disk.size(), before);
}

TEST_F(AgentCore, ALaunchOfAKnownTaskIsIgnored) {
    run("t");
    world.launch(task("t"));
    EXPECT_EQ(world.launches[key("t")], 1);
    EXPECT_EQ(world.agent->counters().duplicate_launches, 1u);
}

TEST_F(AgentCore, ATaskThatDoesNotFitIsLostWithTheReason) {
    world.launch(task("big", 5, 64));
    EXPECT_EQ(world.launches[key("big")], 0);
    EXPECT_EQ(world.lastUpdate("big").state, TaskState::kLost);
    EXPECT_THAT(world.lastUpdate("big").message, HasSubstr("cpus"));
    EXPECT_TRUE(world.lastUpdate("big").uuid.has_value());
    EXPECT_TRUE(world.agent->used().empty());
}

TEST_F(AgentCore, AnEndedTaskGivesItsResourcesBackBeforeItsEndIsAcknowledged) {
    world.launch(task("a", 4));
    world.started(key("a"));
    world.ended(key("a"), exited(0));
    world.launch(task("b", 4));
    EXPECT_EQ(world.launches[key("b")], 1);
}

TEST_F(AgentCore, ATaskOfAnExecutorIsRefusedByAnAgentThatRunsCommands) {
    TaskInfo info = task("t");
    info.executor = ExecutorId("own");
    world.launch(info);
    EXPECT_EQ(world.launches[key("t")], 0);
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kError);
}

TEST_F(AgentCore, AFailedLaunchIsToldWithItsReason) {
    world.launch(task("t"));
    world.step(launcher_says::ContainerFailed{key("t"), "command \"nope\" not found"});
    acknowledgeAll("t");
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFailed);
    EXPECT_EQ(world.lastUpdate("t").reason, Reason::kContainerLaunchFailed);
    EXPECT_EQ(world.lastUpdate("t").message, "command \"nope\" not found");
}

TEST_F(AgentCore, AShutFrameworksTasksAreKilledAndForgottenWithoutAcknowledgement) {
    run("t");
    world.launch(task("other"), framework("g"));
    world.say(master_says::ShutdownFramework{FrameworkId("f")});
    EXPECT_TRUE(world.container("t")->signalled);
    world.ended(key("t"), signalled(SIGTERM));
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kKilled);
    EXPECT_FALSE(world.lastUpdate("t").uuid.has_value());
    EXPECT_EQ(world.container("t"), nullptr);
    ASSERT_EQ(world.agent->tasks().size(), 1u);
    EXPECT_EQ(world.agent->tasks()[0].framework, FrameworkId("g"));
}

TEST_F(AgentCore, AShutFrameworksEndedTaskIsForgottenAtOnce) {
    run("t");
    world.ended(key("t"), exited(0));
    world.say(master_says::ShutdownFramework{FrameworkId("f")});
    EXPECT_THAT(world.agent->tasks(), IsEmpty());
}

TEST_F(AgentCore, ARetiringAgentEndsItsTasksThenUnregistersThenStops) {
    run("t");
    world.step(Retire{});
    EXPECT_TRUE(world.container("t")->signalled);
    EXPECT_THAT(world.said<agent_says::Unregister>(), IsEmpty());
    world.ended(key("t"), signalled(SIGTERM));
    acknowledgeAll("t");
    EXPECT_EQ(world.said<agent_says::Unregister>().size(), 1u);
    ASSERT_EQ(world.stops.size(), 1u);
    EXPECT_FALSE(world.stops[0].failed);
}

TEST_F(AgentCore, ARetiringAgentDoesNotWaitForEverForAcknowledgements) {
    run("t");
    world.step(Retire{});
    world.ended(key("t"), signalled(SIGTERM));
    EXPECT_THAT(world.stops, IsEmpty());
    world.pass(2s);
    EXPECT_EQ(world.stops.size(), 1u);
    // Else the master would call the task gone, and hear of its end when the agent is started again.
    EXPECT_THAT(world.said<agent_says::Unregister>(), IsEmpty());
}

TEST_F(AgentCore, ARetiringAgentLaunchesNothing) {
    run("t");
    world.step(Retire{});
    world.launch(task("late"));
    EXPECT_EQ(world.launches[key("late")], 0);
    EXPECT_EQ(world.lastUpdate("late").state, TaskState::kLost);
}

TEST_F(AgentCore, AContainerWithoutATaskIsDestroyedAndThenForgotten) {
    world.started(key("stray"));
    EXPECT_TRUE(world.container("stray")->destroyed);
    world.ended(key("stray"), signalled(SIGKILL));
    EXPECT_EQ(world.container("stray"), nullptr);
}

} // namespace
} // namespace stoa::agent
