// What becomes of tasks: updates, acknowledgements, kills, reconciliation, and a leader that starts anew.
#include "tests/unit/master/core_world.h"

namespace stoa::master {
namespace {

using namespace std::chrono_literals;

TEST(Updates, AnUpdateGoesToTheFrameworkAndItsAcknowledgementToTheAgent) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    const Uuid uuid = world.update(agent, framework.id(), "t", TaskState::kRunning);
    EXPECT_EQ(world.updateTo(framework).uuid, uuid);
    EXPECT_TRUE(world.heard<master_says::AcknowledgeUpdate>(agent).empty());
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), uuid});
    EXPECT_EQ(world.heardOne<master_says::AcknowledgeUpdate>(agent).uuid, uuid);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kRunning);
}

TEST(Updates, ATerminalOneFreesAtOnceAndTheTaskStaysUntilItIsAcknowledged) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    const Uuid uuid = world.update(agent, framework.id(), "t", TaskState::kFinished);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1024));
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kFinished);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), uuid});
    EXPECT_EQ(world.taskOf(framework.id(), "t"), nullptr);
}

TEST(Updates, ALatestStateThatIsTerminalFreesBeforeItsOwnUpdateCame) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    const Uuid running = world.update(agent, framework.id(), "t", TaskState::kRunning, TaskState::kFinished);
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kRunning);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1024));
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), running});
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kFinished);
    const Uuid finished = world.update(agent, framework.id(), "t", TaskState::kFinished);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), finished});
    EXPECT_EQ(world.taskOf(framework.id(), "t"), nullptr);
}

TEST(Updates, ATaskEndsOnce) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.update(agent, framework.id(), "t", TaskState::kFinished);
    world.update(agent, framework.id(), "t", TaskState::kRunning);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kFinished);
    EXPECT_EQ(world.master().counters().updates_illegal, 1u);
}

TEST(Updates, OneForAFrameworkThatIsAwayIsLeftToTheAgentToRepeat) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(framework.peer);
    world.update(agent, framework.id(), "t", TaskState::kFinished);
    EXPECT_TRUE(world.heard<master_says::AcknowledgeUpdate>(agent).empty());
    world.subscribe(framework);
    const Uuid again = world.update(agent, framework.id(), "t", TaskState::kFinished);
    EXPECT_EQ(world.updateTo(framework).uuid, again);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), again});
    EXPECT_EQ(world.taskOf(framework.id(), "t"), nullptr);
}

TEST(Updates, ARepeatAfterTheTaskIsForgottenIsPassedOnAndAcknowledgedAgain) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    Uuid uuid = world.update(agent, framework.id(), "t", TaskState::kFinished);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), uuid});
    (void)world.heard<event::Update>(framework);
    (void)world.heard<master_says::AcknowledgeUpdate>(agent);
    uuid = world.update(agent, framework.id(), "t", TaskState::kFinished);
    EXPECT_EQ(world.updateTo(framework).uuid, uuid);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), uuid});
    EXPECT_EQ(world.heardOne<master_says::AcknowledgeUpdate>(agent).uuid, uuid);
}

TEST(Kill, ItGoesToTheTasksAgentWithItsGrace) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.call(framework, call::Kill{TaskId("t"), agent.id(), 7s});
    const master_says::Kill kill = world.heardOne<master_says::Kill>(agent);
    EXPECT_EQ(kill.task, TaskId("t"));
    EXPECT_EQ(kill.grace, 7s);
}

TEST(Kill, OneForAnAgentThatIsAwayIsSaidOnItsReturn) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.call(framework, call::Kill{TaskId("t"), {}, std::nullopt});
    world.pass(100s);
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    EXPECT_EQ(world.heard<master_says::Kill>(agent).size(), 1u);
    // And again, should that session be lost too.
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    EXPECT_EQ(world.heard<master_says::Kill>(agent).size(), 1u);
}

TEST(Kill, OfATaskThatNobodyHasIsAnsweredWithItsEnd) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.call(framework, call::Kill{TaskId("never"), agent.id(), std::nullopt});
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kGone);
}

TEST(Reconciliation, ExplicitAnswersCarryTheLatestStateAndNoUuid) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.call(framework, call::Reconcile{{{TaskId("t"), agent.id()}}});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kRunning);
    EXPECT_EQ(status.reason, Reason::kReconciliation);
    EXPECT_EQ(status.source, StatusSource::kMaster);
    EXPECT_FALSE(status.uuid.has_value());
}

// Its agent's update found nobody there, and is repeated only after a while.
TEST(Reconciliation, AFrameworkThatWasAwayHearsHowItsTaskEnded) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.restart();
    AgentTask task = world.told(agent, framework.id(), "t", 1, 128);
    task.state = task.status.state = TaskState::kFailed;
    task.status.task = TaskId("t");
    task.status.uuid = Uuid{7};
    task.status.outcome.wait_status = 9 << 8;
    world.registerAgent(agent, {task});
    world.subscribe(framework);
    world.call(framework, call::Reconcile{{{TaskId("t"), agent.id()}}});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kFailed);
    EXPECT_EQ(status.outcome.wait_status, 9 << 8);
    EXPECT_FALSE(status.uuid.has_value());
}

TEST(Reconciliation, ImplicitAnswersTellOfEveryTaskOfTheFramework) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework(), other = world.framework();
    const Offer offer = world.offersTo(framework).at(0);
    world.accept(framework, offer, {world.task("a", offer, 1, 128), world.task("b", offer, 1, 128)});
    world.call(framework, call::Reconcile{});
    EXPECT_EQ(world.heard<event::Update>(framework).size(), 2u);
    world.call(other, call::Reconcile{});
    EXPECT_TRUE(world.heard<event::Update>(other).empty());
}

TEST(Reconciliation, ATaskThatItsAgentDoesNotHaveIsGone) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.call(framework,
               call::Reconcile{{{TaskId("a"), agent.id()}, {TaskId("b"), AgentId("none")}, {TaskId("c"), {}}}});
    std::vector<event::Update> updates = world.heard<event::Update>(framework);
    ASSERT_EQ(updates.size(), 3u);
    for (const event::Update& update : updates) EXPECT_EQ(update.status.state, TaskState::kGone);
}

TEST(Reconciliation, NothingIsAnsweredWhileAnAgentThatMayKnowIsAwaited) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.restart();
    world.subscribe(framework);
    world.call(framework, call::Reconcile{{{TaskId("a"), agent.id()}, {TaskId("b"), {}}}});
    EXPECT_TRUE(world.heard<event::Update>(framework).empty());
    world.pass(76s);
    world.call(framework, call::Reconcile{{{TaskId("a"), agent.id()}, {TaskId("b"), {}}}});
    std::vector<event::Update> updates = world.heard<event::Update>(framework);
    ASSERT_EQ(updates.size(), 2u);
    EXPECT_EQ(updates[0].status.state, TaskState::kUnreachable);
    EXPECT_EQ(updates[1].status.state, TaskState::kUnknown);
}

TEST(Messages, TheyPassBothWays) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.call(framework, call::Message{agent.id(), ExecutorId("e"), "there"});
    EXPECT_EQ(world.heardOne<master_says::ToExecutor>(agent).data, "there");
    world.agentSays(agent, agent_says::ToFramework{framework.id(), ExecutorId("e"), "back"});
    EXPECT_EQ(world.heardOne<event::Message>(framework).data, "back");
    world.agentSays(agent, agent_says::ExecutorEnded{framework.id(), ExecutorId("e"), 1792});
    EXPECT_EQ(world.heardOne<event::Failure>(framework).wait_status, 1792);
}

// ---- A new leader on the same registry

TEST(Restart, AgentsAndFrameworksAreKnownAndNothingIsOfferedOfAnAgentThatIsNotBack) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t", 1, 512);
    const AgentId id = agent.id();
    world.restart();
    EXPECT_EQ(world.master().agents().size(), 1u);
    world.subscribe(framework);
    world.pass(5s);
    EXPECT_TRUE(world.offersTo(framework).empty());
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 512)});
    EXPECT_EQ(agent.id(), id);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kRunning);
    EXPECT_EQ(world.offerTo(framework).resources, Resources::cpusMem(3, 512));
}

TEST(Restart, IdsAreNeverGivenTwice) {
    World world;
    const AgentId agent = world.agent().id();
    const FrameworkId framework = world.framework().id();
    world.restart();
    EXPECT_NE(world.agent().id(), agent);
    EXPECT_NE(world.framework().id(), framework);
}

TEST(Restart, AnAgentThatDoesNotComeBackIsUnreachable) {
    World world;
    world.agent();
    world.restart();
    world.pass(76s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 1u);
    world.restart();
    world.pass(76s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 1u); // known already
}

TEST(Restart, AFrameworkThatWasAwayHasItsRemainingTime) {
    World world;
    TestFramework framework = world.framework();
    world.gone(framework.peer);
    world.restart();
    world.pass(599s);
    EXPECT_EQ(world.master().frameworks().size(), 1u);
    world.pass(2s);
    EXPECT_EQ(world.master().frameworks().size(), 0u);
}

TEST(Restart, AFrameworkWithoutFailoverTimeoutIsGivenTheTimeThatAgentsGet) {
    World world;
    FrameworkInfo info = World::frameworkInfo();
    info.failover_timeout = 0s;
    TestFramework framework = world.framework(info);
    world.restart();
    world.pass(74s);
    EXPECT_EQ(world.master().frameworks().size(), 1u);
    world.pass(2s);
    EXPECT_EQ(world.master().frameworks().size(), 0u);
}

TEST(Restart, AKillOfATaskThatNoAgentToldOfYetIsKeptUntilOneDoes) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.restart();
    world.subscribe(framework);
    world.call(framework, call::Kill{TaskId("t"), agent.id(), 3s});
    EXPECT_TRUE(world.heard<event::Update>(framework).empty());
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    EXPECT_EQ(world.heardOne<master_says::Kill>(agent).grace, 3s);
}

TEST(Restart, ATaskLaunchedAgainElsewhereIsKilledWhereItWasFirst) {
    World world;
    TestAgent first = world.agent();
    TestFramework framework = world.framework();
    world.run(first, framework, "t");
    world.restart();
    world.subscribe(framework);
    world.pass(80s);
    TestAgent second = world.agent();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    EXPECT_EQ(world.heard<master_says::Launch>(second).size(), 1u);
    world.registerAgent(first, {world.told(first, framework.id(), "t", 1, 128)});
    EXPECT_EQ(world.heardOne<master_says::Kill>(first).task, TaskId("t"));
    // Its end is nobody's business any more.
    const Uuid uuid = world.update(first, framework.id(), "t", TaskState::kKilled);
    EXPECT_EQ(world.heardOne<master_says::AcknowledgeUpdate>(first).uuid, uuid);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kStaging);
}

TEST(Restart, WeightsAreKept) {
    Options options;
    options.weights["batch"] = 2.5;
    World world(options);
    ASSERT_EQ(world.stored<WeightSet>().size(), 1u);
    world.restart();
    EXPECT_EQ(world.stored<WeightSet>().size(), 1u);
}

} // namespace
} // namespace stoa::master
