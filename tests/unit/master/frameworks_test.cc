// How frameworks subscribe, take over from themselves, vanish, and are removed.
#include "tests/unit/master/core_world.h"

namespace stoa::master {
namespace {

using namespace std::chrono_literals;

TEST(Subscription, AFrameworkGetsAnIdAHeartbeatAtOnceAndThenEveryFifteenSeconds) {
    World world;
    TestFramework framework = world.framework();
    EXPECT_EQ(world.stored<FrameworkStored>().at(0).info.id, framework.id());
    const event::Subscribed subscribed = world.heardOne<event::Subscribed>(framework);
    EXPECT_EQ(subscribed.heartbeat_interval, 15s);
    EXPECT_EQ(subscribed.epoch, 1u);
    EXPECT_EQ(world.heard<event::Heartbeat>(framework).size(), 1u);
    world.pass(14s);
    EXPECT_TRUE(world.heard<event::Heartbeat>(framework).empty());
    world.pass(31s);
    EXPECT_EQ(world.heard<event::Heartbeat>(framework).size(), 3u);
}

TEST(Subscription, SubscribedWaitsForItsRecord) {
    World world;
    world.forgetSaid();
    world.framework();
    int seen = 0;
    for (const Output::Said& said : world.allSaid()) {
        if (const auto* to = std::get_if<ToFrameworkPeer>(&said.effect);
            to != nullptr && std::holds_alternative<event::Subscribed>(to->event)) {
            ++seen;
            EXPECT_EQ(said.waits_for, 1u);
        }
    }
    EXPECT_EQ(seen, 1);
}

TEST(Subscription, AnIdNeverSeenIsTakenAsItIs) {
    World world;
    FrameworkInfo info = World::frameworkInfo();
    info.id = FrameworkId("mine");
    EXPECT_EQ(world.framework(info).id().value(), "mine");
}

TEST(Subscription, BadRolesAreRefusedWithAnErrorAndTheSessionIsClosed) {
    for (const char* role : {"", "/a", "a/", "a//b", "-a", ".", "a/..", "a/*", "a b"}) {
        World world;
        TestFramework framework{0, World::frameworkInfo()};
        framework.info.roles = {role};
        world.subscribe(framework);
        EXPECT_NE(world.heardOne<event::Error>(framework).message.find("role"), std::string::npos) << role;
        EXPECT_TRUE(world.closed(framework.peer)) << role;
        EXPECT_EQ(world.master().frameworks().size(), 0u) << role;
    }
}

TEST(Subscription, AnotherPrincipalDoesNotGetTheFramework) {
    World world;
    TestFramework framework = world.framework();
    TestFramework thief = framework;
    thief.info.principal = "thief";
    world.subscribe(thief);
    EXPECT_EQ(world.heard<event::Error>(thief).size(), 1u);
    EXPECT_TRUE(world.heard<event::Error>(framework).empty());
    EXPECT_FALSE(world.closed(framework.peer));
}

TEST(Failover, TheOldSchedulerGetsAnErrorAndItsOffersAreTakenBack) {
    World world;
    world.agent();
    TestFramework framework = world.framework();
    EXPECT_EQ(world.offersTo(framework).size(), 1u);
    TestFramework next = framework;
    world.subscribe(next);
    EXPECT_EQ(next.id(), framework.id());
    EXPECT_EQ(world.heard<event::Error>(framework).size(), 1u);
    EXPECT_TRUE(world.closed(framework.peer));
    EXPECT_EQ(world.offersTo(next).size(), 1u);
    // The old one's session ends later, and takes nothing with it.
    world.gone(framework.peer);
    EXPECT_EQ(world.master().frameworks().active(), 1u);
}

TEST(Failover, UserAndCheckpointStayAsTheyWere) {
    World world;
    TestFramework framework = world.framework();
    TestFramework next = framework;
    next.info.user = "another";
    next.info.checkpoint = false;
    next.info.name = "renamed";
    world.subscribe(next);
    const FrameworkInfo& info = world.master().frameworks().find(framework.id())->info;
    EXPECT_EQ(info.user, "somebody");
    EXPECT_TRUE(info.checkpoint);
    EXPECT_EQ(info.name, "renamed");
}

TEST(Failover, AVanishedFrameworkIsRemovedWhenItsTimeoutHasPassed) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(framework.peer);
    ASSERT_EQ(world.stored<FrameworkDeadline>().size(), 1u);
    EXPECT_EQ(world.stored<FrameworkDeadline>()[0].remaining, 10min);
    world.pass(599s);
    EXPECT_TRUE(world.heard<master_says::ShutdownFramework>(agent).empty());
    world.pass(1s);
    EXPECT_EQ(world.heardOne<master_says::ShutdownFramework>(agent).framework, framework.id());
    EXPECT_EQ(world.stored<FrameworkRemoved>().size(), 1u);
    EXPECT_EQ(world.master().frameworks().size(), 0u);
}

TEST(Failover, TheTimeOfOneThatIsAwayGoesOnAcrossLeaders) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(framework.peer);
    for (int leader = 0; leader < 3; ++leader) {
        world.pass(180s);
        world.restart();
    }
    EXPECT_LE(world.stored<FrameworkDeadline>().back().remaining, 120s) << "of ten minutes nine are over";
    EXPECT_EQ(world.master().frameworks().size(), 1u);
    world.pass(120s);
    EXPECT_EQ(world.master().frameworks().size(), 0u);
}

TEST(Failover, OneThatReturnsInTimeKeepsItsTasks) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(framework.peer);
    world.pass(500s);
    world.subscribe(framework);
    world.pass(500s);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kRunning);
    EXPECT_EQ(world.stored<FrameworkStored>().size(), 2u); // which takes the deadline back
}

TEST(Failover, WithoutATimeoutTheTasksDieWithTheSession) {
    World world;
    TestAgent agent = world.agent();
    FrameworkInfo info = World::frameworkInfo();
    info.failover_timeout = 0s;
    TestFramework framework = world.framework(info);
    world.run(agent, framework, "t");
    world.gone(framework.peer);
    EXPECT_EQ(world.heard<master_says::ShutdownFramework>(agent).size(), 1u);
    EXPECT_EQ(world.master().frameworks().size(), 0u);
}

TEST(Teardown, ItEndsTheTasksAndFreesWhatTheyHeldWhenTheyHaveEnded) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t", 1, 512);
    world.call(framework, call::Teardown{});
    EXPECT_EQ(world.heardOne<master_says::ShutdownFramework>(agent).framework, framework.id());
    EXPECT_TRUE(world.closed(framework.peer));
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3, 512));
    world.update(agent, framework.id(), "t", TaskState::kKilled);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1024));
}

TEST(Teardown, AnAgentThatWasAwayIsToldOnItsReturn) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.gone(agent.peer);
    world.call(framework, call::Teardown{});
    world.registerAgent(agent, {world.told(agent, framework.id(), "t", 1, 128)});
    EXPECT_EQ(world.heardOne<master_says::ShutdownFramework>(agent).framework, framework.id());
}

TEST(Calls, OneFromASessionThatIsNotSubscribedGetsAnErrorAndIsClosed) {
    World world;
    TestFramework framework = world.framework();
    TestFramework stranger = framework;
    stranger.peer = 99;
    world.call(stranger, call::Teardown{});
    EXPECT_NE(world.heardOne<event::Error>(stranger).message.find("subscribe first"), std::string::npos);
    EXPECT_TRUE(world.closed(99));
    EXPECT_EQ(world.master().frameworks().size(), 1u);
}

TEST(Calls, AnInvalidDemandGetsAnErrorThatNamesIt) {
    World world;
    TestFramework framework = world.framework();
    Demand demand;
    demand.name = "workers";
    demand.role = "other";
    demand.shape = Resources::cpusMem(1, 128);
    demand.count = 1;
    world.call(framework, call::SetDemands{{demand}});
    EXPECT_EQ(world.heardOne<event::Error>(framework).message,
              "demand \"workers\" is for role \"other\", which the framework did not subscribe with");
    EXPECT_FALSE(world.closed(framework.peer));
}

} // namespace
} // namespace stoa::master
