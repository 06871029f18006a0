// Who holds what, through the face: moves that succeed, and moves that fail and change nothing.
#include "tests/unit/allocator/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::allocator {
namespace {

const Duration kNow{0};

Resources parsed(std::string_view text) { return *Resources::parse(text); }

// The status names every one of `words`, and nothing has changed.
template <class Move>
void expectRefused(Cluster& cluster, Move move, const std::vector<std::string>& words) {
    const std::uint64_t before = cluster.core.digest();
    const absl::Status status = move();
    EXPECT_FALSE(status.ok());
    for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), testing::HasSubstr(word));
    EXPECT_EQ(cluster.core.digest(), before) << status;
    cluster.sound();
}

TEST(Ledger, AnOfferMovesWhatItPromisesFromFreeToOffered) {
    Cluster cluster;
    cluster.agent("a", parsed("cpus:4;mem:1024;ports:[1-9]")).framework("f");
    const Grant grant = cluster.onlyGrant();
    EXPECT_EQ(grant.resources, parsed("cpus:4;mem:1024;ports:[1-9]"));
    const AgentHoldings agent = *cluster.core.agent(AgentId("a"));
    EXPECT_TRUE(agent.free.empty());
    EXPECT_EQ(agent.offered, grant.resources);
    EXPECT_EQ(agent.offers, std::vector<OfferId>{grant.offer});
    EXPECT_EQ(cluster.core.framework(FrameworkId("f"))->offered, cpusMem(4, 1024));
}

TEST(Ledger, WhatNoTaskTakesIsFreeAgain) {
    Cluster cluster;
    cluster.agent("a", parsed("cpus:4;mem:1024;ports:[1-9]")).framework("f");
    const Grant grant = cluster.onlyGrant();
    const TaskKey task{grant.framework, TaskId("t")};
    cluster.ok(cluster.core.accept({grant.offer}, {{task, parsed("cpus:1;ports:[3-4]")}}, kNow, cluster.now));
    EXPECT_EQ(cluster.free("a"), parsed("cpus:3;mem:1024;ports:[1-2,5-9]"));
    EXPECT_EQ(cluster.core.agent(AgentId("a"))->used, parsed("cpus:1;ports:[3-4]"));
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_EQ(cluster.free("a"), parsed("cpus:4;mem:1024;ports:[1-9]"));
}

TEST(Ledger, AnOfferIdIsConsumedOnce) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const Grant grant = cluster.onlyGrant();
    cluster.launch(grant);
    const Launch again{{grant.framework, TaskId("again")}, cpusMem(1, 1)};
    expectRefused(cluster, [&] { return cluster.core.accept({grant.offer}, {again}, kNow, cluster.now); },
                  {grant.offer.value(), "does not stand"});
    expectRefused(cluster, [&] { return cluster.core.rescind(grant.offer); }, {grant.offer.value()});
    EXPECT_FALSE(cluster.core.stands(grant.offer));
}

TEST(Ledger, OfferIdsOfAnotherFormAreUnknown) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const std::string number = cluster.onlyGrant().offer.value().substr(1);
    for (const std::string& id :
         std::vector<std::string>{"", "O", "O0" + number, number, "O" + number + "x", "O-1", "O+1", "X" + number}) {
        EXPECT_FALSE(cluster.core.stands(OfferId(id))) << id;
    }
    EXPECT_TRUE(cluster.core.stands(OfferId("O" + number)));
}

TEST(Ledger, AnAcceptIsAllOrNothing) {
    Cluster cluster;
    cluster.agent("a", parsed("cpus:4;mem:1024;ports:[1-9]")).agent("b", cpusMem(4, 1024)).framework("f");
    const std::vector<Grant> grants = cluster.allocate();
    ASSERT_EQ(grants.size(), 2U);
    const Grant& first = grants[0].agent == AgentId("a") ? grants[0] : grants[1];
    const Grant& second = grants[0].agent == AgentId("a") ? grants[1] : grants[0];
    const auto task = [&](const char* id, const char* resources) {
        return Launch{{FrameworkId("f"), TaskId(id)}, parsed(resources)};
    };
    const auto accept = [&](const std::vector<OfferId>& offers, const std::vector<Launch>& launches) {
        return [&cluster, offers, launches] { return cluster.core.accept(offers, launches, kNow, cluster.now); };
    };
    expectRefused(cluster, accept({first.offer}, {task("t1", "cpus:3"), task("t2", "cpus:2")}), {"t2", "cpus"});
    expectRefused(cluster, accept({first.offer}, {task("t1", "ports:[1-2]"), task("t2", "ports:[2-3]")}),
                  {"t2", "ports"});
    expectRefused(cluster, accept({first.offer}, {task("t1", "cpus:1"), task("t1", "cpus:1")}), {"t1", "twice"});
    expectRefused(cluster, accept({first.offer, second.offer}, {task("t1", "cpus:1")}), {"different agents"});
    expectRefused(cluster, accept({first.offer, first.offer}, {task("t1", "cpus:1")}), {"twice"});
    expectRefused(cluster, accept({}, {task("t1", "cpus:1")}), {"no offer"});
    expectRefused(cluster, accept({first.offer}, {{{FrameworkId("g"), TaskId("t1")}, cpusMem(1, 1)}}),
                  {"t1", "framework g"});
    cluster.ok(accept({first.offer}, {task("t1", "cpus:1")})());
    expectRefused(cluster, accept({second.offer}, {task("t1", "cpus:1")}), {"t1", "already"});
}

TEST(Ledger, AnAcceptMayJoinOffersOfOneAgent) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const Grant whole = cluster.onlyGrant();
    cluster.ok(cluster.core.accept({whole.offer}, {{{FrameworkId("f"), TaskId("small")}, cpusMem(2, 512)}}, kNow,
                                   cluster.now));
    cluster.pass(std::chrono::seconds(1));
    const Grant rest = cluster.onlyGrant();
    cluster.ok(cluster.core.taskEnded({FrameworkId("f"), TaskId("small")}));
    const Grant returned = cluster.onlyGrant();
    const TaskKey big{FrameworkId("f"), TaskId("big")};
    cluster.ok(cluster.core.accept({rest.offer, returned.offer}, {{big, cpusMem(4, 1024)}}, kNow, cluster.now));
    EXPECT_TRUE(cluster.free("a").empty());
    EXPECT_TRUE(cluster.core.agent(AgentId("a"))->offers.empty());
}

TEST(Ledger, ADeclinePassesOverOffersThatDontStandAndRefusesThoseOfOthers) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f").framework("g");
    const Grant grant = cluster.onlyGrant();
    const FrameworkId other(grant.framework == FrameworkId("f") ? "g" : "f");
    expectRefused(cluster, [&] { return cluster.core.decline(other, {grant.offer}, kNow, cluster.now); },
                  {grant.offer.value(), "another framework"});
    cluster.ok(cluster.core.rescind(grant.offer));
    cluster.ok(cluster.core.decline(grant.framework, {grant.offer}, kNow, cluster.now));
}

TEST(Ledger, TasksOfAnAgentThatMayNotBeOfferedStillHold) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const TaskKey task = cluster.launch(cluster.onlyGrant()).front();
    cluster.ok(cluster.core.setOfferable(AgentId("a"), false));
    EXPECT_TRUE(cluster.core.holds(task));
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.ok(cluster.core.setOfferable(AgentId("a"), true));
    EXPECT_EQ(cluster.allocate().size(), 1U);
}

TEST(Ledger, ARemovedAgentTakesItsOffersAndTasksWithIt) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f");
    const TaskKey task = cluster.launch(cluster.onlyGrant()).front();
    cluster.agent("b", cpusMem(2, 512));
    const Grant grant = cluster.onlyGrant();
    EXPECT_EQ(*cluster.core.removeAgent(AgentId("b")), std::vector<OfferId>{grant.offer});
    EXPECT_TRUE(cluster.core.removeAgent(AgentId("a"))->empty());
    EXPECT_FALSE(cluster.core.holds(task));
    EXPECT_TRUE(cluster.core.total().empty());
    expectRefused(cluster, [&] { return cluster.core.removeAgent(AgentId("a")).status(); }, {"agent a", "not known"});
}

TEST(Ledger, TasksOfARemovedFrameworkHoldUntilTheyEnd) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f", {"r"});
    const TaskKey task = cluster.launch(cluster.onlyGrant()).front();
    EXPECT_TRUE(cluster.core.removeFramework(FrameworkId("f"))->empty());
    cluster.sound();
    EXPECT_TRUE(cluster.free("a").empty());
    EXPECT_EQ(cluster.core.roles().at(0).held, cpusMem(4, 1024));
    cluster.framework("f", {"r"}); // and may come back in between
    EXPECT_EQ(cluster.tasksOf("f"), 1U);
    EXPECT_TRUE(cluster.core.removeFramework(FrameworkId("f"))->empty());
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_FALSE(cluster.core.framework(FrameworkId("f")).has_value());
    EXPECT_TRUE(cluster.core.roles().empty());
}

TEST(Ledger, TheAgentsWordWinsOverWhatIsFree) {
    Cluster cluster;
    cluster.agent("a", parsed("cpus:4;mem:1024;ports:[1-9]")).framework("f");
    const Grant grant = cluster.onlyGrant();
    const TaskKey unheard{FrameworkId("f"), TaskId("unheard")};
    cluster.ok(cluster.core.adoptTask(AgentId("a"), {unheard, parsed("cpus:3;ports:[2-3]")}));
    EXPECT_TRUE(cluster.core.agent(AgentId("a"))->overcommitted);
    EXPECT_TRUE(cluster.free("a").empty());
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.ok(cluster.core.rescind(grant.offer));
    EXPECT_FALSE(cluster.core.agent(AgentId("a"))->overcommitted);
    EXPECT_EQ(cluster.free("a"), parsed("cpus:1;mem:1024;ports:[1-1,4-9]"));
    cluster.ok(cluster.core.adoptTask(AgentId("a"), {unheard, cpusMem(2, 0)}));
    EXPECT_EQ(cluster.free("a"), parsed("cpus:2;mem:1024;ports:[1-9]"));
}

TEST(Ledger, AnAgentThatShrankOwesUntilEnoughHasEnded) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f").wants("f", {demand("d", cpusMem(1, 256), 4)});
    const std::vector<TaskKey> tasks = cluster.launch(cluster.onlyGrant());
    ASSERT_EQ(tasks.size(), 4U);
    cluster.ok(cluster.core.updateAgent(AgentId("a"), cpusMem(2, 1024), {}));
    EXPECT_TRUE(cluster.core.agent(AgentId("a"))->overcommitted);
    for (int i = 0; i < 2; ++i) cluster.ok(cluster.core.taskEnded(tasks[i]));
    EXPECT_FALSE(cluster.core.agent(AgentId("a"))->overcommitted);
    EXPECT_EQ(cluster.free("a"), cpusMem(0, 512));
    cluster.ok(cluster.core.taskEnded(tasks[2]));
    EXPECT_EQ(cluster.free("a"), cpusMem(1, 768));
}

TEST(Ledger, AnAdoptedTaskIsChargedToARoleThatItsFrameworkLeft) {
    Cluster cluster;
    cluster.agent("a", cpusMem(4, 1024)).framework("f", {"now"});
    const TaskKey task{FrameworkId("f"), TaskId("t")};
    cluster.ok(cluster.core.adoptTask(AgentId("a"), {task, cpusMem(4, 1024)}, "before"));
    EXPECT_EQ(cluster.core.roles().at(0).role, "before");
    EXPECT_EQ(cluster.core.roles().at(0).held, cpusMem(4, 1024));
    EXPECT_TRUE(cluster.core.roles().at(1).held.empty());
    cluster.ok(cluster.core.taskEnded(task));
    EXPECT_EQ(cluster.core.roles().size(), 1U);
}

TEST(Ledger, TheDominantShareIsTheLargestOfAFrameworksShares) {
    Cluster cluster;
    cluster.agent("a", cpusMem(9, 18)).framework("f").wants("f", {demand("d", cpusMem(1, 4), 3)});
    cluster.onlyGrant();
    const FrameworkHoldings holdings = *cluster.core.framework(FrameworkId("f"));
    EXPECT_EQ(holdings.dominant, Resources::kMem);
    EXPECT_EQ(holdings.dominant_held, Milli{12'000});
    EXPECT_EQ(holdings.dominant_total, Milli{18'000});
}

TEST(Ledger, SumsThatNoNumberHoldsAreRefused) {
    Cluster cluster;
    Resources absurd;
    absurd.setScalar(Resources::kCpus, Milli{std::int64_t{1} << 60});
    cluster.agent("a", absurd).agent("b", absurd);
    expectRefused(cluster, [&] { return cluster.core.addAgent(AgentId("c"), absurd, {}); }, {"agent c", "more than"});
    expectRefused(cluster, [&] { return cluster.core.updateAgent(AgentId("d"), absurd, {}); },
                  {"agent d", "not known"});
}

} // namespace
} // namespace stoa::allocator
