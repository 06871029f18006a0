// Who may be offered what: filters, pauses, suppression, demands, constraints, limits.
#include "tests/unit/allocator/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::allocator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Filters, ARefusedRemainderIsOfferedAgainWhenTheRefusalEnds) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    cluster.decline(cluster.onlyGrant(), seconds(5));
    EXPECT_TRUE(cluster.allocate().empty());
    EXPECT_EQ(cluster.core.nextDeadline(), cluster.now + seconds(5));
    cluster.pass(seconds(5) - milliseconds(1));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.pass(milliseconds(1));
    EXPECT_EQ(cluster.allocate().size(), 1U);
    EXPECT_EQ(cluster.core.nextDeadline(), std::nullopt);
}

TEST(Filters, ARefusalForNoTimeIsAPauseForThePair) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    for (int round = 0; round < 3; ++round) {
        cluster.decline(cluster.onlyGrant(), Duration(0));
        EXPECT_TRUE(cluster.allocate().empty());
        cluster.pass(milliseconds(100));
    }
}

TEST(Filters, WhatOneRefusesIsOfferedToAnotherAtOnce) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f").framework("g");
    const Grant first = cluster.onlyGrant();
    cluster.decline(first, seconds(5));
    EXPECT_NE(cluster.onlyGrant().framework, first.framework);
}

TEST(Filters, ARefusedPairLooksAgainWhenMoreIsFreeThanWasRefused) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const Grant whole = cluster.onlyGrant();
    const TaskKey task{FrameworkId("f"), TaskId("t")};
    cluster.ok(cluster.core.accept({whole.offer}, {{task, cpusMem(3, 512)}}, std::chrono::hours(1), cluster.now));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_EQ(cluster.onlyGrant().resources, cpusMem(4, 1024));
}

TEST(Filters, ADeclineOfSeveralOffersRefusesTheirSum) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("g").wants("g", {demand("d", cpusMem(2, 512), 1)});
    const TaskKey task = cluster.launch(cluster.onlyGrant()).front();
    cluster.framework("f");
    const Grant first = cluster.onlyGrant();
    cluster.ok(cluster.core.taskEnded(task));
    const Grant second = cluster.onlyGrant();
    cluster.ok(cluster.core.decline(FrameworkId("f"), {first.offer, second.offer}, seconds(5), cluster.now));
    EXPECT_TRUE(cluster.allocate().empty());
}

TEST(Filters, TheLaterOfTwoRefusalsOfTheSameStands) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f").wants("f", {demand("d", cpusMem(1, 256), 1)});
    const Grant first = cluster.onlyGrant();
    cluster.wants("f", {demand("d", cpusMem(1, 256), 2)});
    const Grant second = cluster.onlyGrant();
    cluster.decline(first, seconds(1));
    cluster.decline(second, seconds(10));
    cluster.pass(seconds(2));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.pass(seconds(8));
    EXPECT_EQ(cluster.onlyGrant().count, 2U);
}

TEST(Filters, ReviveForgetsWhatWasRefused) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    cluster.decline(cluster.onlyGrant(), seconds(5));
    cluster.ok(cluster.core.revive(FrameworkId("f"), {}));
    EXPECT_EQ(cluster.core.counters().refusals, 0U);
    EXPECT_EQ(cluster.allocate().size(), 1U);
}

TEST(Filters, RefusalsOfWhatIsGoneAreForgotten) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    cluster.decline(cluster.onlyGrant(), seconds(5));
    cluster.ok(cluster.core.removeAgent(AgentId("a")).status());
    cluster.agent("a", cpusMem(4, 1024)); // another agent, in the same slot
    cluster.decline(cluster.onlyGrant(), seconds(50));
    cluster.ok(cluster.core.removeFramework(FrameworkId("f")).status());
    cluster.framework("f");
    cluster.decline(cluster.onlyGrant(), seconds(50));
    cluster.pass(seconds(10)); // past the first one's end
    EXPECT_TRUE(cluster.allocate().empty());
}

TEST(Suppression, IsPerRoleAndEndsWithRevive) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f", {"x", "y"});
    cluster.ok(cluster.core.suppress(FrameworkId("f"), {"x"}));
    const Grant grant = cluster.onlyGrant();
    EXPECT_EQ(grant.role, "y");
    cluster.ok(cluster.core.suppress(FrameworkId("f"), {"y"}));
    cluster.ok(cluster.core.rescind(grant.offer));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.ok(cluster.core.revive(FrameworkId("f"), {"x"}));
    EXPECT_EQ(cluster.onlyGrant().role, "x");
    EXPECT_FALSE(cluster.core.suppress(FrameworkId("f"), {"z"}).ok());
}

TEST(Activity, AnInactiveFrameworkIsOfferedNothing) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    cluster.ok(cluster.core.setActive(FrameworkId("f"), false));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.ok(cluster.core.setActive(FrameworkId("f"), true));
    EXPECT_EQ(cluster.allocate().size(), 1U);
}

TEST(Limits, ARemainderHasAtLeastTheLeastOfCpusOrMem) {
    Cluster cluster;
    cluster.framework("f").agent("a", cpusMem(0.009, 31)).agent("b", cpusMem(0.01, 0)).agent("c", cpusMem(0, 32));
    std::vector<std::string> offered;
    for (const Grant& grant : cluster.allocate()) offered.push_back(grant.agent.value());
    EXPECT_THAT(offered, testing::UnorderedElementsAre("b", "c"));
    cluster.wants("f", {demand("d", cpusMem(0.001, 1), 5)});
    EXPECT_EQ(cluster.onlyGrant().agent, AgentId("a"));
}

TEST(Limits, AFrameworkHoldsNoMoreOffersThanItMay) {
    Options options;
    options.most_offers = 2;
    Cluster cluster(options);
    cluster.framework("f").agent("a", cpusMem(1, 64)).agent("b", cpusMem(1, 64)).agent("c", cpusMem(1, 64));
    const std::vector<Grant> grants = cluster.allocate();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.decline(grants[0], seconds(5));
    EXPECT_NE(cluster.onlyGrant().agent, grants[0].agent);
}

TEST(Demands, AreOfferedPiecesOfTheirShapeAndNoMoreThanWanted) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192)).framework("f").wants("f", {demand("d", cpusMem(2, 1024), 3)});
    const Grant grant = cluster.onlyGrant();
    EXPECT_EQ(grant.count, 3U);
    EXPECT_EQ(grant.demand, "d");
    EXPECT_EQ(grant.resources, cpusMem(6, 3072));
    EXPECT_TRUE(cluster.allocate().empty());
}

TEST(Demands, WhatStandsInOffersIsNotOfferedTwice) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192)).framework("f").wants("f", {demand("d", cpusMem(1, 1024), 2)});
    EXPECT_EQ(cluster.onlyGrant().count, 2U);
    cluster.wants("f", {demand("d", cpusMem(1, 1024), 5)});
    EXPECT_EQ(cluster.onlyGrant().count, 3U);
}

TEST(Demands, AreLoweredByTheTasksLaunched) {
    Cluster cluster;
    cluster.agent("a", cpusMem(3, 8192)).framework("f").wants("f", {demand("d", cpusMem(1, 1024), 5)});
    cluster.launch(cluster.onlyGrant());
    EXPECT_EQ(cluster.core.demands(FrameworkId("f")).at(0).count, 2U);
    cluster.agent("b", cpusMem(3, 8192));
    EXPECT_EQ(cluster.onlyGrant().count, 2U);
}

TEST(Demands, PiecesThatWereNotLaunchedAreOfferedElsewhere) {
    Cluster cluster;
    cluster.agent("a", cpusMem(2, 2048)).framework("f").wants("f", {demand("d", cpusMem(1, 1024), 2)});
    const Grant grant = cluster.onlyGrant();
    cluster.ok(cluster.core.accept({grant.offer}, {{{FrameworkId("f"), TaskId("t")}, cpusMem(1, 1024)}}, seconds(5),
                                   cluster.now));
    EXPECT_TRUE(cluster.allocate().empty()); // the rest of a was returned
    cluster.agent("b", cpusMem(2, 2048));
    const Grant elsewhere = cluster.onlyGrant();
    EXPECT_EQ(elsewhere.agent, AgentId("b"));
    EXPECT_EQ(elsewhere.count, 1U);
}

TEST(Demands, OnceStatedNothingElseIsOfferedEvenIfTheyAreNone) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192)).framework("f").wants("f", {demand("d", cpusMem(16, 1024), 1)});
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.wants("f", {});
    EXPECT_TRUE(cluster.allocate().empty());
}

TEST(Demands, ThatChangeAreNotBoundByOldRefusals) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192)).framework("f").wants("f", {demand("d", cpusMem(1, 1024), 1)});
    cluster.decline(cluster.onlyGrant(), seconds(5));
    cluster.wants("f", {demand("d", cpusMem(1, 1024), 4)}); // the same, only more
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.wants("f", {demand("d", cpusMem(1, 1025), 4)});
    EXPECT_EQ(cluster.onlyGrant().count, 4U);
}

TEST(Demands, OffersMadeForADemandThatIsGoneStillStand) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192)).framework("f").wants("f", {demand("d", cpusMem(1, 1024), 2)});
    const Grant grant = cluster.onlyGrant();
    cluster.wants("f", {demand("e", cpusMem(2, 1024), 1)});
    cluster.launch(grant);
    EXPECT_EQ(cluster.onlyGrant().demand, "e");
    EXPECT_EQ(cluster.core.demands(FrameworkId("f")).at(0).count, 1U);
}

TEST(Demands, AreServedInTheirOrder) {
    Cluster cluster;
    cluster.agent("a", cpusMem(2, 2048)).framework("f");
    cluster.wants("f", {demand("first", cpusMem(4, 1024), 1), demand("second", cpusMem(2, 1024), 1),
                        demand("third", cpusMem(1, 1), 1)});
    EXPECT_EQ(cluster.onlyGrant().demand, "second");
}

TEST(Demands, SatisfyTheirConstraints) {
    Cluster cluster;
    cluster.agent("a", cpusMem(8, 8192), "rack:a").framework("f");
    Demand wanted = demand("d", cpusMem(1, 1024), 2);
    wanted.constraints = {*parseConstraint("rack=b")};
    cluster.wants("f", {wanted});
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.agent("b", cpusMem(1, 8192), "rack:b");
    EXPECT_EQ(cluster.onlyGrant().agent, AgentId("b"));
    cluster.ok(cluster.core.updateAgent(AgentId("a"), cpusMem(8, 8192), *parseAttributes("rack:b")));
    EXPECT_EQ(cluster.onlyGrant().agent, AgentId("a"));
}

TEST(Demands, PortsAreCutFromTheLowestThatAreFree) {
    Cluster cluster;
    cluster.agent("a", *Resources::parse("cpus:8;mem:1024;ports:[10-14,20-30]")).framework("f");
    cluster.wants("f", {demand("d", *Resources::parse("cpus:1;ports:[1-3]"), 2)});
    const Grant grant = cluster.onlyGrant();
    EXPECT_EQ(grant.resources, *Resources::parse("cpus:2;ports:[10-14,20-20]"));
    EXPECT_EQ(grant.count, 2U);
    cluster.wants("f", {demand("d", *Resources::parse("cpus:1;ports:[1-11]"), 1)});
    EXPECT_TRUE(cluster.allocate().empty()); // ten are left
    const Explanation why =
        *cluster.core.explain(FrameworkId("f"), cluster.core.demands(FrameworkId("f")).at(0), cluster.now);
    EXPECT_EQ(why.nearest, "agent a: needs 11 ports, has 10 free");
}

TEST(Demands, ThatMakeNoSenseAreRefusedWithTheirName) {
    Cluster cluster;
    cluster.framework("f");
    const auto refused = [&](const std::vector<Demand>& demands, const std::string& why) {
        const absl::Status status = cluster.core.setDemands(FrameworkId("f"), demands);
        EXPECT_THAT(std::string(status.message()), testing::HasSubstr(why));
    };
    refused({demand("d", Resources(), 1)}, "\"d\" has an empty shape");
    refused({demand("d", cpusMem(1, 1), 1), demand("d", cpusMem(2, 1), 1)}, "\"d\" is named twice");
    refused({demand("d", cpusMem(1, 1), 1, "other")}, "not subscribed to role \"other\"");
    EXPECT_TRUE(cluster.core.demands(FrameworkId("f")).empty());
}

TEST(Roles, ARoleThatWasLeftIsOfferedNothingAndItsHoldingsStay) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f", {"x"});
    const Grant grant = cluster.onlyGrant();
    cluster.ok(cluster.core.updateRoles(FrameworkId("f"), {"y"}));
    const TaskKey task = cluster.launch(grant).front();
    EXPECT_EQ(cluster.core.roles().at(0).held, cpusMem(4, 1024));
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_EQ(cluster.onlyGrant().role, "y");
    EXPECT_EQ(cluster.core.roles().size(), 1U);
}

TEST(Explanation, CountsPerReasonAndNamesTheNearestMiss) {
    Cluster cluster;
    cluster.agent("small", cpusMem(2, 8192)).agent("tight", cpusMem(8, 4096)).agent("tiny", cpusMem(1, 8192), "rack:b");
    cluster.agent("gone", cpusMem(8, 8192)).framework("f").framework("g");
    cluster.ok(cluster.core.setOfferable(AgentId("gone"), false));
    Demand wanted = demand("d", cpusMem(4, 4096), 1);
    wanted.constraints = {*parseConstraint("rack!=b")};
    cluster.wants("g", {demand("d", cpusMem(1, 1024), 1)}).wants("f", {wanted});
    const Explanation before = *cluster.core.explain(FrameworkId("f"), wanted, cluster.now);
    EXPECT_EQ(before.agents, 4U);
    EXPECT_EQ(before.fit_now, 1U);

    const std::vector<Grant> grants = cluster.allocate();
    cluster.ok(cluster.core.suppress(FrameworkId("f"), {}));
    wanted.shape = cpusMem(8, 8192);
    const Explanation after = *cluster.core.explain(FrameworkId("f"), wanted, cluster.now);
    EXPECT_EQ(after.fit_now, 0U);
    EXPECT_THAT(after.framework, testing::ElementsAre("role \"*\" is suppressed"));
    EXPECT_EQ(after.reasons.size(), 4U);
    EXPECT_THAT(after.nearest, testing::StartsWith("agent tight: needs mem 8192, has 4096"));
}

} // namespace
} // namespace stoa::allocator
