// How agents come, lose their sessions, return, and go; and what becomes of their tasks meanwhile.
#include "tests/unit/master/core_world.h"

namespace stoa::master {
namespace {

using namespace std::chrono_literals;

TEST(Registration, ANewAgentIsAdmittedAndToldOnlyWhenThatIsDurable) {
    World world;
    world.forgetSaid();
    TestAgent agent = world.agent();
    ASSERT_EQ(world.stored<AgentAdmitted>().size(), 1u);
    EXPECT_EQ(world.stored<AgentAdmitted>()[0].info.id, agent.id());
    bool found = false;
    for (const Output::Said& said : world.allSaid()) {
        const auto* to = std::get_if<ToAgentPeer>(&said.effect);
        if (to == nullptr) continue;
        found = true;
        EXPECT_EQ(said.waits_for, 1u);
    }
    EXPECT_TRUE(found);
}

TEST(Registration, AnAgentWithoutHostnameOrResourcesIsRefusedWithTheReason) {
    World world;
    TestAgent agent = world.newAgent(4, 1024);
    agent.info.resources = {};
    world.registerAgent(agent);
    EXPECT_EQ(world.heardOne<master_says::Refused>(agent).reason, "the agent has no resources to offer");
    EXPECT_TRUE(world.closed(agent.peer));
    EXPECT_EQ(world.master().agents().size(), 0u);
}

TEST(Registration, OneThatNeverHeardItsIdIsAdmittedOnce) {
    World world;
    TestAgent agent = world.newAgent(4, 1024);
    world.registerAgent(agent);
    const AgentId first = agent.id();
    agent.info.id = AgentId();
    world.registerAgent(agent);
    EXPECT_EQ(agent.id(), first);
    EXPECT_EQ(world.master().agents().size(), 1u);
}

TEST(Registration, ANewerSessionReplacesTheOld) {
    World world;
    TestAgent agent = world.agent();
    const Peer old = agent.peer;
    world.registerAgent(agent);
    EXPECT_TRUE(world.closed(old));
    world.gone(old);
    EXPECT_EQ(world.master().agents().active(), 1u);
}

TEST(Registration, AnIdThatTheRegistryDoesNotKnowIsAdmittedAnew) {
    World world;
    TestAgent agent = world.newAgent(4, 1024);
    agent.info.id = AgentId("from-a-lost-registry");
    world.registerAgent(agent);
    EXPECT_EQ(agent.id().value(), "from-a-lost-registry");
    EXPECT_EQ(world.stored<AgentAdmitted>().size(), 1u);
}

TEST(Registration, ASessionIsOneAgentsOnly) {
    World world;
    TestAgent first = world.agent();
    TestAgent other = world.newAgent(1, 128);
    world.input(AgentMessage{first.peer, agent_says::Register{other.info, other.incarnation, {}, {}}});
    EXPECT_EQ(world.heard<master_says::Refused>(first).size(), 1u);
    EXPECT_EQ(world.master().agents().size(), 1u);
}

TEST(Registration, ALostSessionTakesTheAgentsOffersBackAndOffersNothingMore) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.gone(agent.peer);
    EXPECT_EQ(world.heardOne<event::Rescind>(framework).offer, offer.id);
    world.pass(10s);
    EXPECT_TRUE(world.offersTo(framework).empty());
    world.registerAgent(agent);
    EXPECT_EQ(world.offersTo(framework).size(), 1u);
}

TEST(Registration, ARepeatedRegistrationStoresNothingNew) {
    World world;
    TestAgent agent = world.agent();
    world.gone(agent.peer);
    world.registerAgent(agent);
    EXPECT_EQ(world.stored<AgentAdmitted>().size(), 1u);
    agent.info.resources = Resources::cpusMem(8, 4096);
    world.registerAgent(agent);
    EXPECT_EQ(world.stored<AgentAdmitted>().size(), 2u);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(8, 4096));
}

TEST(Registration, ALaunchThatWasLostWithTheSessionIsDropped) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    world.gone(agent.peer);
    world.registerAgent(agent);
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kDropped);
    EXPECT_EQ(status.reason, Reason::kReconciliation);
    EXPECT_FALSE(status.uuid.has_value());
    EXPECT_EQ(world.taskOf(framework.id(), "t"), nullptr);
}

TEST(Registration, ATaskThatItsAgentKnewAndKnowsNoMoreIsLost) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    agent.incarnation.boot_id = "another boot";
    world.registerAgent(agent);
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kLost);
    EXPECT_EQ(status.reason, Reason::kAgentRestarted);
    EXPECT_EQ(world.stored<AgentAdmitted>().back().incarnation.boot_id, "another boot");
}

TEST(Registration, TasksThatOnlyTheAgentKnowsAreAdopted) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.gone(agent.peer);
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 3, 512)});
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kRunning);
    EXPECT_EQ(world.offersTo(framework).back().resources, Resources::cpusMem(1, 512));
}

TEST(Registration, TasksOfARemovedFrameworkAreShutDownAndHoldUntilTheyEnd) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    world.gone(agent.peer);
    const FrameworkId removed("gone");
    world.registerAgent(agent, {world.told(agent, removed, "t", 3, 512)});
    EXPECT_EQ(world.heardOne<master_says::ShutdownFramework>(agent).framework, removed);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(1, 512));
    const Uuid uuid = world.update(agent, removed, "t", TaskState::kKilled);
    EXPECT_EQ(world.heardOne<master_says::AcknowledgeUpdate>(agent).uuid, uuid);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1024));
    EXPECT_EQ(world.taskOf(removed, "t"), nullptr);
}

TEST(Unreachable, AnAgentThatStaysAwayIsUnreachableAndItsTasksAreToldSo) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.pass(74s);
    EXPECT_TRUE(world.heard<event::Update>(framework).empty());
    world.pass(1s);
    ASSERT_EQ(world.stored<AgentUnreachable>().size(), 1u);
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kUnreachable);
    EXPECT_EQ(status.reason, Reason::kAgentRemoved);
    EXPECT_EQ(world.heardOne<event::Failure>(framework).agent, agent.id());
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kUnreachable);
}

TEST(Unreachable, OneThatReturnsHasItsTasksRunningAgainByItsOwnWord) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.pass(80s);
    (void)world.heard<event::Update>(framework);
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kRunning);
    EXPECT_EQ(status.reason, Reason::kAgentReregistered);
    EXPECT_EQ(world.stored<AgentAdmitted>().size(), 2u); // which takes the mark of unreachability back
}

// It may have started them elsewhere meanwhile, and told the former leader to kill them.
TEST(Unreachable, OfOneThatReturnsToANewLeaderTheFrameworkHearsThatItsTasksRun) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.pass(80s);
    world.restart();
    world.subscribe(framework);
    (void)world.heard<event::Update>(framework);
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kRunning);
    EXPECT_EQ(status.reason, Reason::kAgentReregistered);
}

TEST(Unreachable, TasksOfAnUnreachableAgentStillHold) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t", 1, 512);
    world.gone(agent.peer);
    world.pass(80s);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3, 512));
}

TEST(Unreachable, AgentsAreGivenUpOneByOne) {
    World world;
    std::vector<TestAgent> agents;
    agents.reserve(4);
    for (int i = 0; i < 4; ++i) agents.push_back(world.agent());
    for (const TestAgent& agent : agents) world.gone(agent.peer);
    world.pass(75s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 1u);
    world.pass(5s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 1u);
    world.pass(1s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 2u);
    // Its time has long been over, but it comes back before its turn.
    world.registerAgent(agents[3]);
    world.pass(60s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 3u);
    EXPECT_EQ(world.master().counters().agents_spared, 1u);
    EXPECT_EQ(world.master().agents().active(), 1u);
}

TEST(Unreachable, WithoutALimitAllAreGivenUpAtOnce) {
    Options options;
    options.give_up_every = Duration::zero();
    World world(options);
    const std::vector<TestAgent> agents = {world.agent(), world.agent(), world.agent()};
    for (const TestAgent& agent : agents) world.gone(agent.peer);
    world.pass(75s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 3u);
}

TEST(Unreachable, ANewLeaderGivesUpOneByOneToo) {
    World world;
    for (int i = 0; i < 3; ++i) world.agent();
    world.restart();
    world.pass(76s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 1u);
    world.pass(12s);
    EXPECT_EQ(world.stored<AgentUnreachable>().size(), 3u);
}

TEST(Forgetting, OneThatWasUnreachableForTooLongIsForgottenAndItsTasksAreGone) {
    Options options;
    options.max_unreachable_age = 1h;
    World world(options);
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.pass(75s);
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kUnreachable);
    world.pass(1h - 1s);
    EXPECT_EQ(world.master().agents().size(), 1u);
    world.forgetSaid();
    world.pass(1s);
    EXPECT_EQ(world.master().agents().size(), 0u);
    ASSERT_EQ(world.stored<AgentRemoved>().size(), 1u);
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kGone);
    EXPECT_EQ(status.reason, Reason::kAgentRemoved);
    EXPECT_EQ(world.taskOf(framework.id(), "t"), nullptr);
    for (const Output::Said& said : world.allSaid()) {
        const auto* delta = std::get_if<Delta>(&said.effect);
        if (delta == nullptr || !std::holds_alternative<AgentForgotten>(*delta)) continue;
        EXPECT_EQ(said.waits_for, world.master().recordsAppended());
    }
}

TEST(Forgetting, AgesGoOnUnderANewLeader) {
    Options options;
    options.max_unreachable_age = 1h;
    World world(options);
    TestAgent agent = world.agent();
    world.gone(agent.peer);
    world.pass(75s + 40min);
    world.restart();
    EXPECT_EQ(world.master().agents().size(), 1u);
    world.pass(20min - 1s);
    EXPECT_EQ(world.master().agents().size(), 1u);
    world.pass(1s);
    EXPECT_EQ(world.master().agents().size(), 0u);
    world.restart();
    EXPECT_EQ(world.master().agents().size(), 0u);
}

TEST(Forgetting, AnOlderVersionsMarkCountsFromTheFirstLeaderThatReadsIt) {
    Options options;
    options.max_unreachable_age = 1h;
    World first(options);
    TestAgent agent = first.agent();
    World world(options, Recovered{{first.stored<AgentAdmitted>()[0], AgentUnreachable{agent.id()}}});
    world.pass(59min);
    EXPECT_EQ(world.master().agents().size(), 1u);
    world.restart();
    world.pass(2min);
    EXPECT_EQ(world.master().agents().size(), 0u);
}

TEST(Forgetting, OfTooManyTheOneThatIsUnreachableTheLongestIsForgotten) {
    Options options;
    options.max_unreachable = 2;
    World world(options);
    std::vector<TestAgent> agents;
    agents.reserve(4);
    for (int i = 0; i < 4; ++i) agents.push_back(world.agent());
    for (std::size_t i : {2, 0, 3, 1}) {
        world.gone(agents[i].peer);
        world.pass(10s);
    }
    world.pass(100s);
    ASSERT_EQ(world.stored<AgentRemoved>().size(), 2u);
    EXPECT_EQ(world.stored<AgentRemoved>()[0].agent, agents[2].id());
    EXPECT_EQ(world.stored<AgentRemoved>()[1].agent, agents[0].id());
    EXPECT_EQ(world.master().agents().unreachable(), 2u);
}

// The agent's id, and its task, which was told as gone.
struct Forgotten {
    World world{[] {
        Options options;
        options.max_unreachable = 0;
        return options;
    }()};
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();

    Forgotten() {
        world.run(agent, framework, "t", 1, 512);
        world.gone(agent.peer);
        world.pass(75s);
        (void)world.heard<event::Update>(framework);
    }
    void comeBack() { world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 512)}); }
};

TEST(Forgetting, TasksOfOneThatComesBackAreKilledInSilenceAndHoldUntilThen) {
    Forgotten it;
    it.comeBack();
    EXPECT_EQ(it.world.master().agents().active(), 1u);
    EXPECT_EQ(it.world.heardOne<master_says::Kill>(it.agent).task.value(), "t");
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(3, 512));
    EXPECT_EQ(it.world.updateTo(it.framework).state, TaskState::kGone); // again, since it may not have heard
    const Uuid uuid = it.world.update(it.agent, it.framework.id(), "t", TaskState::kKilled);
    EXPECT_EQ(it.world.heardOne<master_says::AcknowledgeUpdate>(it.agent).uuid, uuid);
    EXPECT_TRUE(it.world.heard<event::Update>(it.framework).empty());
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(4, 1024));
    EXPECT_EQ(it.world.taskOf(it.framework.id(), "t"), nullptr);
    EXPECT_EQ(it.world.stored<AgentAdmitted>().back().disowned, Disowned::kNone);
}

TEST(Forgetting, WhoeverLeadsNextGoesOnKillingTheTasksOfOneThatCameBack) {
    Forgotten it;
    it.comeBack();
    it.world.restart();
    it.world.subscribe(it.framework);
    it.comeBack();
    EXPECT_EQ(it.world.heardOne<master_says::Kill>(it.agent).task.value(), "t");
    EXPECT_EQ(it.world.updateTo(it.framework).state, TaskState::kGone);
    it.world.registerAgent(it.agent);
    EXPECT_TRUE(it.world.heard<event::Update>(it.framework).empty());
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(4, 1024));
    EXPECT_EQ(it.world.stored<AgentAdmitted>().back().disowned, Disowned::kNone);
}

TEST(Forgetting, ADisownedTaskIsReconciledAsGone) {
    Forgotten it;
    it.comeBack();
    (void)it.world.heard<event::Update>(it.framework);
    it.world.call(it.framework, call::Reconcile{});
    EXPECT_TRUE(it.world.heard<event::Update>(it.framework).empty());
    it.world.call(it.framework, call::Reconcile{{{TaskId("t"), it.agent.id()}}});
    EXPECT_EQ(it.world.updateTo(it.framework).state, TaskState::kGone);
}

// A framework that doesn't checkpoint, and one that does, with a task each on one agent.
struct Uncheckpointed {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework careful = world.framework();
    TestFramework careless;

    Uncheckpointed() {
        world.run(agent, careful, "kept", 1, 128);
        world.call(careful, call::Suppress{});
        FrameworkInfo info = World::frameworkInfo("careless");
        info.checkpoint = false;
        careless = world.framework(info);
        world.run(agent, careless, "lost", 1, 256);
    }
    void comeBack() {
        world.registerAgent(
            agent, {world.told(agent, careful.id(), "kept", 1, 128), world.told(agent, careless.id(), "lost", 1, 256)});
    }
};

TEST(Checkpoint, TasksOfAFrameworkWithoutItAreLostWithTheirAgentsSession) {
    Uncheckpointed it;
    it.world.forgetSaid();
    it.world.gone(it.agent.peer);
    const TaskStatus status = it.world.updateTo(it.careless);
    EXPECT_EQ(status.task.value(), "lost");
    EXPECT_EQ(status.state, TaskState::kLost);
    EXPECT_EQ(status.reason, Reason::kAgentDisconnected);
    EXPECT_FALSE(status.uuid.has_value());
    EXPECT_TRUE(it.world.heard<event::Update>(it.careful).empty());
    // Durable before it is told.
    EXPECT_EQ(it.world.stored<AgentAdmitted>().back().disowned, Disowned::kUncheckpointed);
    for (const Output::Said& said : it.world.allSaid()) {
        if (std::holds_alternative<ToFrameworkPeer>(said.effect) &&
            std::holds_alternative<event::Update>(std::get<ToFrameworkPeer>(said.effect).event)) {
            EXPECT_EQ(said.waits_for, it.world.master().recordsAppended());
        }
    }
    it.world.pass(80s);
    EXPECT_TRUE(it.world.heard<event::Update>(it.careless).empty());
    EXPECT_EQ(it.world.updateTo(it.careful).state, TaskState::kUnreachable);
}

TEST(Checkpoint, WhatAnAgentComesBackWithOfThemIsKilledInSilence) {
    Uncheckpointed it;
    it.world.gone(it.agent.peer);
    (void)it.world.heard<event::Update>(it.careless);
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(2, 640));
    it.comeBack();
    EXPECT_EQ(it.world.heardOne<master_says::Kill>(it.agent).task.value(), "lost");
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(2, 640));
    it.world.update(it.agent, it.careless.id(), "lost", TaskState::kKilled);
    EXPECT_EQ(it.world.freeOn(it.agent), Resources::cpusMem(3, 896));
    EXPECT_TRUE(it.world.heard<event::Update>(it.careless).empty());
    EXPECT_EQ(it.world.heard<master_says::AcknowledgeUpdate>(it.agent).size(), 1u);
    EXPECT_EQ(it.world.stateOf(it.careful.id(), "kept"), TaskState::kRunning);
    EXPECT_EQ(it.world.stored<AgentAdmitted>().back().disowned, Disowned::kNone);
}

TEST(Checkpoint, ANewLeaderKnowsThatTheyWereLost) {
    Uncheckpointed it;
    it.world.gone(it.agent.peer);
    it.world.restart();
    it.world.subscribe(it.careful);
    it.world.subscribe(it.careless);
    it.comeBack();
    EXPECT_EQ(it.world.heardOne<master_says::Kill>(it.agent).task.value(), "lost");
    EXPECT_EQ(it.world.updateTo(it.careless).state, TaskState::kLost);
    EXPECT_EQ(it.world.stateOf(it.careful.id(), "kept"), TaskState::kRunning);
}

TEST(Checkpoint, ANewLeaderAloneCostsThemNothing) {
    Uncheckpointed it;
    it.world.restart();
    it.world.subscribe(it.careful);
    it.world.subscribe(it.careless);
    it.comeBack();
    EXPECT_TRUE(it.world.heard<master_says::Kill>(it.agent).empty());
    EXPECT_EQ(it.world.stateOf(it.careless.id(), "lost"), TaskState::kRunning);
}

TEST(Unregistration, AnAgentThatStopsForGoodIsForgottenAndItsTasksAreGone) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.agentSays(agent, agent_says::Unregister{});
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kGone);
    EXPECT_EQ(world.stored<AgentRemoved>().size(), 1u);
    EXPECT_EQ(world.master().agents().size(), 0u);
    EXPECT_TRUE(world.closed(agent.peer));
}

TEST(Registration, MessagesOfASessionThatIsNotRegisteredChangeNothing) {
    World world;
    TestAgent stranger = world.newAgent(1, 128);
    stranger.peer = 77;
    stranger.info.id = AgentId("x");
    world.update(stranger, FrameworkId("f"), "t", TaskState::kRunning);
    world.agentSays(stranger, agent_says::Unregister{});
    EXPECT_TRUE(world.heard<master_says::AcknowledgeUpdate>(stranger).empty());
}

} // namespace
} // namespace stoa::master
