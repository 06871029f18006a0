// How offers are made, accepted, declined and taken back.
#include "tests/unit/master/core_world.h"

namespace stoa::master {
namespace {

using namespace std::chrono_literals;

TEST(Offers, AFreeAgentIsOfferedWholeToAFrameworkWithoutDemands) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    EXPECT_EQ(offer.agent, agent.id());
    EXPECT_EQ(offer.hostname, agent.info.hostname);
    EXPECT_EQ(offer.resources, Resources::cpusMem(4, 1024));
    EXPECT_EQ(world.master().offers().size(), 1u);
}

TEST(Offers, AcceptLaunchesTheTasksAndTheRestIsFreeAgain) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("a", offer, 1, 256), world.task("b", offer, 1, 256)});
    std::vector<master_says::Launch> launches = world.heard<master_says::Launch>(agent);
    ASSERT_EQ(launches.size(), 2u);
    EXPECT_EQ(launches[0].task.id, TaskId("a"));
    EXPECT_EQ(launches[0].framework.id, framework.id());
    EXPECT_EQ(launches[1].task.id, TaskId("b"));
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(2, 512));
    EXPECT_EQ(world.master().offers().size(), 0u);
}

TEST(Offers, TheRestIsNotOfferedToTheSameFrameworkBeforeItsFilterEnds) {
    World world;
    world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("a", offer, 1, 256)}, 5s);
    world.pass(4900ms);
    EXPECT_TRUE(world.offersTo(framework).empty());
    world.pass(200ms);
    EXPECT_EQ(world.offerTo(framework).resources, Resources::cpusMem(3, 768));
}

TEST(Offers, AnOfferIsAcceptedOnce) {
    World world;
    world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("a", offer, 1, 128)});
    world.accept(framework, offer, {world.task("b", offer, 1, 128)});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.task, TaskId("b"));
    EXPECT_EQ(status.state, TaskState::kDropped);
    EXPECT_EQ(status.reason, Reason::kInvalidOffers);
    EXPECT_EQ(world.taskOf(framework.id(), "b"), nullptr);
}

TEST(Offers, AnotherFrameworksOfferIsNotAccepted) {
    World world;
    TestAgent agent = world.agent();
    TestFramework owner = world.framework();
    const Offer offer = world.offerTo(owner);
    TestFramework thief = world.framework();
    world.accept(thief, offer, {world.task("a", offer, 1, 128)});
    EXPECT_EQ(world.updateTo(thief).reason, Reason::kInvalidOffers);
    world.accept(owner, offer, {world.task("a", offer, 1, 128)});
    EXPECT_EQ(world.heard<master_says::Launch>(agent).size(), 1u);
}

TEST(Offers, AnAcceptWithOneBadOfferLaunchesNothingAndGivesTheGoodOneBack) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.call(framework, call::Accept{{offer.id, OfferId("none")}, {world.task("a", offer, 1, 128)}, {}});
    EXPECT_EQ(world.updateTo(framework).reason, Reason::kInvalidOffers);
    EXPECT_TRUE(world.heard<master_says::Launch>(agent).empty());
    EXPECT_FALSE(world.master().allocator().stands(offer.id));
    world.pass(1s);
    EXPECT_EQ(world.offersTo(framework).size(), 1u);
}

TEST(Offers, ATaskLargerThanTheOfferIsAnErrorAndTheOthersAreLaunched) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("big", offer, 8, 128), world.task("small", offer, 1, 128)});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.task, TaskId("big"));
    EXPECT_EQ(status.state, TaskState::kError);
    EXPECT_EQ(status.reason, Reason::kTaskInvalid);
    EXPECT_NE(status.message.find("needs cpus 8, has 4"), std::string::npos) << status.message;
    EXPECT_EQ(world.heardOne<master_says::Launch>(agent).task.id, TaskId("small"));
}

TEST(Offers, TheIdOfATaskThatIsStillThereIsAnErrorWhileTheFirstRunsOn) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    world.run(agent, framework, "t");
    world.pass(6s);
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kError);
    EXPECT_EQ(world.stateOf(framework.id(), "t"), TaskState::kRunning);
}

TEST(Offers, BadTasksAreErrorsWithAReason) {
    World world;
    TestAgent agent = world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    TaskInfo nameless = world.task("", offer, 1, 128), slash = world.task("a/b", offer, 1, 128),
             nothing = world.task("c", offer, 0, 0), elsewhere = world.task("d", offer, 1, 128),
             twice = world.task("e", offer, 1, 128), bodiless = world.task("f", offer, 1, 128);
    elsewhere.agent = AgentId("another");
    bodiless.body = nullptr;
    world.accept(framework, offer, {nameless, slash, nothing, elsewhere, twice, twice, bodiless});
    std::vector<event::Update> updates = world.heard<event::Update>(framework);
    ASSERT_EQ(updates.size(), 6u);
    for (const event::Update& update : updates) {
        EXPECT_EQ(update.status.state, TaskState::kError);
        EXPECT_FALSE(update.status.message.empty());
    }
    EXPECT_EQ(world.heard<master_says::Launch>(agent).size(), 1u);
}

TEST(Offers, AnAcceptWithoutTasksIsADecline) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.accept(framework, world.offerTo(framework), {});
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1024));
}

TEST(Offers, ADeclinedAgentGoesToTheNextFrameworkAtOnce) {
    World world;
    world.agent();
    TestFramework first = world.framework();
    const Offer offer = world.offerTo(first);
    TestFramework second = world.framework();
    EXPECT_TRUE(world.offersTo(second).empty());
    world.call(first, call::Decline{{offer.id}, Filters{60s}});
    EXPECT_EQ(world.offersTo(second).size(), 1u);
    EXPECT_TRUE(world.offersTo(first).empty());
}

TEST(Offers, ReviveForgetsWhatWasRefused) {
    World world;
    world.agent();
    TestFramework framework = world.framework();
    world.call(framework, call::Decline{{world.offerTo(framework).id}, Filters{3600s}});
    world.pass(10s);
    EXPECT_TRUE(world.offersTo(framework).empty());
    world.call(framework, call::Revive{});
    world.pass(1s);
    EXPECT_EQ(world.offersTo(framework).size(), 1u);
}

TEST(Offers, ASuppressedFrameworkGetsNoneUntilItRevives) {
    World world;
    TestFramework framework = world.framework();
    world.call(framework, call::Suppress{});
    world.agent();
    EXPECT_TRUE(world.offersTo(framework).empty());
    world.call(framework, call::Revive{});
    EXPECT_EQ(world.offersTo(framework).size(), 1u);
}

TEST(Offers, OneThatNobodyAnswersIsTakenBackAfterAMinute) {
    World world;
    world.agent();
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.pass(59s);
    EXPECT_TRUE(world.heard<event::Rescind>(framework).empty());
    world.pass(1s);
    EXPECT_EQ(world.heardOne<event::Rescind>(framework).offer, offer.id);
    world.accept(framework, offer, {world.task("late", offer, 1, 128)});
    EXPECT_EQ(world.updateTo(framework).reason, Reason::kInvalidOffers);
}

TEST(Offers, ADemandIsOfferedItsShapeAsOftenAsItIsWanted) {
    World world;
    world.agent(4, 4096);
    TestFramework framework{0, World::frameworkInfo()};
    framework.info.roles = {"batch"};
    world.subscribe(framework, {"batch"}); // nothing until it has said what it wants
    Demand demand;
    demand.name = "workers";
    demand.role = "batch";
    demand.shape = Resources::cpusMem(1, 512);
    demand.count = 3;
    world.call(framework, call::SetDemands{{demand}});
    world.call(framework, call::Revive{});
    const Offer offer = world.offerTo(framework);
    EXPECT_EQ(offer.demand, "workers");
    EXPECT_EQ(offer.count, 3u);
    EXPECT_EQ(offer.resources, Resources::cpusMem(3, 1536));
}

// A framework that wants a gang of four on two agents of two processors, and has been offered it.
struct GangWorld {
    World world;
    TestAgent first = world.agent(2, 1024);
    TestAgent second = world.agent(2, 1024);
    TestFramework framework{0, World::frameworkInfo()};
    std::vector<Offer> offers;

    GangWorld() {
        world.subscribe(framework, {framework.info.roles.front()});
        Demand demand;
        demand.name = "job";
        demand.role = framework.info.roles.front();
        demand.shape = Resources::cpusMem(1, 256);
        demand.count = 4;
        demand.gang = Gang{};
        world.call(framework, call::SetDemands{{demand}});
        world.call(framework, call::Revive{});
        offers = world.offersTo(framework);
    }
    void accept(std::vector<TaskInfo> tasks) {
        world.call(framework, call::Accept{{offers[0].id, offers[1].id}, std::move(tasks), Filters{5s}});
    }
};

TEST(Offers, AGangIsOfferedInOneMessageAndAcceptedInOneCall) {
    GangWorld gang;
    ASSERT_EQ(gang.offers.size(), 2u);
    EXPECT_EQ(gang.offers[0].gang, gang.offers[0].id);
    EXPECT_EQ(gang.offers[1].gang, gang.offers[0].id);
    EXPECT_EQ(gang.offers[0].count + gang.offers[1].count, 4u);
    gang.accept({gang.world.task("a", gang.offers[0], 2, 512), gang.world.task("b", gang.offers[1], 2, 512)});
    EXPECT_EQ(gang.world.heard<master_says::Launch>(gang.first).size(), 1u);
    EXPECT_EQ(gang.world.heard<master_says::Launch>(gang.second).size(), 1u);
    EXPECT_EQ(gang.world.master().offers().size(), 0u);
}

TEST(Offers, OfAGangAllTasksAreLaunchedOrNone) {
    GangWorld gang;
    gang.accept({gang.world.task("a", gang.offers[0], 2, 512), gang.world.task("b", gang.offers[1], 3, 512)});
    EXPECT_TRUE(gang.world.heard<master_says::Launch>(gang.first).empty());
    std::map<TaskId, TaskState> states;
    for (const event::Update& update : gang.world.heard<event::Update>(gang.framework)) {
        states[update.status.task] = update.status.state;
    }
    EXPECT_EQ(states,
              (std::map<TaskId, TaskState>{{TaskId("a"), TaskState::kDropped}, {TaskId("b"), TaskState::kError}}));
    EXPECT_EQ(gang.world.freeOn(gang.second), Resources::cpusMem(2, 1024));
}

TEST(Offers, OfAGangAPartIsNotAcceptedAndTheRestIsRescinded) {
    GangWorld gang;
    gang.world.accept(gang.framework, gang.offers[0], {gang.world.task("a", gang.offers[0], 2, 512)});
    EXPECT_EQ(gang.world.updateTo(gang.framework).state, TaskState::kDropped);
    EXPECT_EQ(gang.world.heardOne<event::Rescind>(gang.framework).offer, gang.offers[1].id);
}

TEST(Offers, AGangIsDeclinedWithOneOfItsOffers) {
    GangWorld gang;
    gang.world.call(gang.framework, call::Decline{{gang.offers[1].id}, Filters{5s}});
    EXPECT_EQ(gang.world.heardOne<event::Rescind>(gang.framework).offer, gang.offers[0].id);
    EXPECT_EQ(gang.world.master().offers().size(), 0u);
}

TEST(Offers, AGangIsRescindedWithAnAgent) {
    GangWorld gang;
    gang.world.gone(gang.first.peer);
    EXPECT_EQ(gang.world.heard<event::Rescind>(gang.framework).size(), 2u);
    EXPECT_EQ(gang.world.master().offers().size(), 0u);
}

TEST(Offers, NothingIsSaidOfAnAgentOrFrameworkBeforeItsRecordIsDurable) {
    World world;
    world.forgetSaid();
    world.agent();                               // record 1
    TestFramework framework = world.framework(); // record 2
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("t", offer, 1, 128)});
    int checked = 0;
    for (const Output::Said& said : world.allSaid()) {
        if (const auto* to = std::get_if<ToFrameworkPeer>(&said.effect);
            to != nullptr && std::holds_alternative<event::Offers>(to->event)) {
            EXPECT_EQ(said.waits_for, 2u);
            ++checked;
        }
        if (const auto* to = std::get_if<ToAgentPeer>(&said.effect);
            to != nullptr && std::holds_alternative<master_says::Launch>(to->message)) {
            EXPECT_EQ(said.waits_for, 2u);
            ++checked;
        }
    }
    EXPECT_EQ(checked, 2);
}

} // namespace
} // namespace stoa::master
