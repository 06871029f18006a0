// Gangs: all pieces in one turn or none, nothing held while they wait, and room cleared for one that has waited long.
#include "allocator/module_face.h"
#include "tests/unit/allocator/cluster.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

namespace stoa::allocator {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

Demand gang(const std::string& name, const Resources& shape, std::uint32_t count, std::uint32_t most_per_agent = 0) {
    Demand wanted = demand(name, shape, count);
    wanted.gang = Gang{most_per_agent};
    return wanted;
}

std::map<std::string, std::uint32_t> piecesByAgent(const std::vector<Grant>& grants) {
    std::map<std::string, std::uint32_t> pieces;
    for (const Grant& grant : grants) pieces[grant.agent.value()] += grant.count;
    return pieces;
}

std::vector<OfferId> offersOf(const std::vector<Grant>& grants) {
    std::vector<OfferId> offers;
    offers.reserve(grants.size());
    for (const Grant& grant : grants) offers.push_back(grant.offer);
    return offers;
}

// One task of all that is offered, on each agent.
std::vector<Launch> tasksOf(const std::vector<Grant>& grants, const std::string& name) {
    std::vector<Launch> launches;
    for (const Grant& grant : grants) {
        const TaskKey task{grant.framework, TaskId(name + "." + std::to_string(launches.size()))};
        launches.push_back({task, grant.resources, grant.agent});
    }
    return launches;
}

class Gangs : public testing::TestWithParam<const char*> {
protected:
    Cluster cluster = Cluster::with(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Modules, Gangs, testing::Values("drf", "spread"), [](const auto& info) { return info.param; });

TEST_P(Gangs, AreOfferedWholeInOneTurn) {
    for (const char* name : {"a", "b", "c", "d"}) cluster.agent(name, cpusMem(4, 4096));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 16)});
    const std::vector<Grant> grants = cluster.allocate();
    EXPECT_EQ(piecesByAgent(grants), (std::map<std::string, std::uint32_t>{{"a", 4}, {"b", 4}, {"c", 4}, {"d", 4}}));
    for (const Grant& grant : grants) EXPECT_EQ(grant.gang, grants.front().offer);
}

TEST_P(Gangs, AreNotOfferedInPart) {
    for (const char* name : {"a", "b", "c"}) cluster.agent(name, cpusMem(4, 4096));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 13)});
    EXPECT_TRUE(cluster.allocate().empty());
    EXPECT_EQ(cluster.free("a"), cpusMem(4, 4096));
    cluster.agent("d", cpusMem(1, 256));
    EXPECT_EQ(piecesByAgent(cluster.allocate()).size(), 4U);
}

TEST_P(Gangs, HaveNoMoreOnAnAgentThanTheyMay) {
    cluster.agent("a", cpusMem(64, 65536)).agent("b", cpusMem(64, 65536)).agent("c", cpusMem(3, 65536));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 12, 4)});
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.agent("d", cpusMem(1, 256));
    EXPECT_EQ(piecesByAgent(cluster.allocate()),
              (std::map<std::string, std::uint32_t>{{"a", 4}, {"b", 4}, {"c", 3}, {"d", 1}}));
}

TEST_P(Gangs, LeaveWhatTheyCantUseToOthers) {
    cluster.agent("a", cpusMem(4, 4096));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 5)});
    cluster.framework("other").wants("other", {demand("small", cpusMem(1, 256), 4)});
    std::uint32_t pieces = 0;
    for (const Grant& grant : cluster.allocate()) {
        EXPECT_EQ(grant.framework.value(), "other");
        pieces += grant.count;
    }
    EXPECT_EQ(pieces, 4U);
}

TEST_P(Gangs, ThatCompeteComeOneAfterTheOther) {
    for (int i = 0; i < 8; ++i) cluster.agent("a" + std::to_string(i), cpusMem(2, 2048));
    for (int i = 0; i < 5; ++i) {
        const std::string name = "mpi" + std::to_string(i);
        cluster.framework(name).wants(name, {gang("job", cpusMem(1, 256), 10)});
    }
    std::set<std::string> served;
    for (int turn = 0; turn < 5; ++turn) {
        const std::vector<Grant> grants = cluster.allocate();
        ASSERT_FALSE(grants.empty()) << "after " << served.size();
        std::uint32_t pieces = 0;
        for (const Grant& grant : grants) {
            EXPECT_EQ(grant.framework, grants.front().framework);
            pieces += grant.count;
        }
        EXPECT_EQ(pieces, 10U);
        served.insert(grants.front().framework.value());
        const std::vector<Launch> tasks = tasksOf(grants, "t" + std::to_string(turn));
        cluster.ok(cluster.core.accept(offersOf(grants), tasks, Duration(0), cluster.now));
        EXPECT_TRUE(cluster.allocate().empty());
        for (const Launch& task : tasks) cluster.ok(cluster.core.taskEnded(task.task));
    }
    EXPECT_EQ(served.size(), 5U);
}

TEST_P(Gangs, AreDeclinedAsOne) {
    for (const char* name : {"a", "b"}) cluster.agent(name, cpusMem(2, 2048));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    const std::vector<Grant> grants = cluster.allocate();
    ASSERT_EQ(grants.size(), 2U);
    cluster.decline(grants[1], seconds(30));
    EXPECT_FALSE(cluster.core.stands(grants[0].offer));
    // Both agents were refused, and a third is not enough.
    cluster.agent("c", cpusMem(2, 2048));
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.pass(seconds(31));
    EXPECT_GE(cluster.allocate().size(), 2U);
}

TEST_P(Gangs, EndWholeWhenAnOfferIsRescindedOrItsAgentIsLost) {
    for (const char* name : {"a", "b"}) cluster.agent(name, cpusMem(2, 2048));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    std::vector<Grant> grants = cluster.allocate();
    ASSERT_EQ(grants.size(), 2U);
    cluster.ok(cluster.core.rescind(grants[0].offer));
    EXPECT_FALSE(cluster.core.stands(grants[1].offer));
    grants = cluster.allocate();
    ASSERT_EQ(grants.size(), 2U);
    EXPECT_EQ(*cluster.core.removeAgent(grants[0].agent), offersOf(grants));
    EXPECT_FALSE(cluster.core.stands(grants[1].offer));
    EXPECT_TRUE(cluster.allocate().empty());
}

TEST_P(Gangs, AreAcceptedWholeAndTheirDemandIsMet) {
    for (const char* name : {"a", "b"}) cluster.agent(name, cpusMem(2, 2048));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    const std::vector<Grant> grants = cluster.allocate();
    const std::vector<Launch> tasks = tasksOf(grants, "t");
    const absl::Status part = cluster.core.accept({grants[0].offer}, {tasks[0]}, Duration(0), cluster.now);
    EXPECT_EQ(part.message(),
              "offer " + grants[0].offer.value() +
                  " is one of a gang of 2, of which 1 are accepted; a gang is accepted whole, in one call");
    std::vector<Launch> elsewhere = tasks;
    elsewhere[1].agent = AgentId("z");
    EXPECT_EQ(cluster.core.accept(offersOf(grants), elsewhere, Duration(0), cluster.now).message(),
              "task t.1 is for agent z, of which the gang has no offer");
    elsewhere[1].agent = tasks[0].agent;
    EXPECT_FALSE(cluster.core.accept(offersOf(grants), elsewhere, Duration(0), cluster.now).ok());
    EXPECT_EQ(cluster.tasksOf("mpi"), 0U);
    cluster.ok(cluster.core.accept(offersOf(grants), tasks, Duration(0), cluster.now));
    EXPECT_EQ(cluster.tasksOf("mpi"), 2U);
    EXPECT_EQ(cluster.core.demands(FrameworkId("mpi"))[0].count, 0U);
    for (const Launch& task : tasks) cluster.ok(cluster.core.taskEnded(task.task));
    EXPECT_TRUE(cluster.allocate().empty());
    // Said again, it is wanted again.
    cluster.wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    EXPECT_EQ(cluster.allocate().size(), 2U);
}

TEST_P(Gangs, WhoseSizeChangesAreOthers) {
    for (const char* name : {"a", "b"}) cluster.agent(name, cpusMem(4, 4096));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    const std::vector<Grant> first = cluster.allocate();
    cluster.wants("mpi", {gang("job", cpusMem(1, 256), 4)});
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.wants("mpi", {gang("job", cpusMem(1, 256), 3)});
    std::uint32_t pieces = 0;
    for (const Grant& grant : cluster.allocate()) pieces += grant.count;
    EXPECT_EQ(pieces, 3U);
    // The former one is the framework's to decline, as with any demand.
    cluster.decline(first[0], Duration(0));
}

// Pieces of a small demand that take the room of those that end, for ever.
class Crowd {
public:
    Crowd(Cluster& cluster, std::string framework, Duration lifetime)
        : cluster_(cluster), framework_(std::move(framework)), lifetime_(lifetime) {
        cluster_.framework(framework_).wants(framework_, {demand("small", cpusMem(1, 1024), 1'000'000)});
    }
    // What was granted to others. A task ends every few milliseconds.
    std::vector<Grant> step(Duration time) {
        cluster_.pass(time);
        while (!ends_.empty() && ends_.front().first <= cluster_.now) {
            cluster_.ok(cluster_.core.taskEnded(ends_.front().second));
            ends_.pop_front();
        }
        std::vector<Grant> others;
        for (Grant& grant : cluster_.core.allocate(cluster_.now, cluster_.rng)) {
            if (grant.framework.value() != framework_) {
                others.push_back(std::move(grant));
                continue;
            }
            for (const TaskKey& task : cluster_.launch(grant)) {
                ends_.emplace_back(cluster_.now + lifetime_, task);
                ++started_;
            }
        }
        return others;
    }
    std::uint64_t started() const { return started_; }

private:
    Cluster& cluster_;
    std::string framework_;
    Duration lifetime_;
    std::deque<std::pair<Time, TaskKey>> ends_;
    std::uint64_t started_ = 0;
};

std::optional<Duration> waitForGang(Cluster& cluster, Crowd& crowd, Duration limit) {
    const Time start = cluster.now;
    while (cluster.now - start < limit) {
        if (!crowd.step(milliseconds(500)).empty()) return cluster.now - start;
    }
    return std::nullopt;
}

// Twenty agents of one processor each, whose tasks end at different times.
void fill(Cluster& cluster, Crowd& crowd) {
    for (int i = 0; i < 20; ++i) {
        cluster.agent("a" + std::to_string(i), cpusMem(1, 1024));
        crowd.step(milliseconds(500));
    }
}

TEST_P(Gangs, DontStarveBehindSmallDemands) {
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 16)});
    const std::optional<Duration> waited = waitForGang(cluster, crowd, minutes(5));
    ASSERT_TRUE(waited.has_value());
    EXPECT_GE(*waited, seconds(10)); // its patience
    EXPECT_LE(*waited, seconds(25)); // and the longest task of others
    EXPECT_FALSE(cluster.core.clearing().has_value());
}

TEST_P(Gangs, WouldStarveIfNoRoomWereCleared) {
    cluster = Cluster({.module = builtInModule(GetParam()), .parameters = {}, .gang_patience = Duration(0)});
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 16)});
    EXPECT_FALSE(waitForGang(cluster, crowd, minutes(5)).has_value());
}

TEST_P(Gangs, HoldUpTheOthersOnlyWhereRoomIsClearedAndOnlyForATime) {
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    // A service that never ends is on every second agent, so that the gang has no room until it goes.
    cluster.framework("service").wants("service", {});
    for (int i = 0; i < 20; i += 2) {
        cluster.ok(
            cluster.core.adoptTask(AgentId("a" + std::to_string(i)),
                                   {{FrameworkId("service"), TaskId("s" + std::to_string(i))}, cpusMem(1, 1024)}));
    }
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 11)});
    EXPECT_FALSE(waitForGang(cluster, crowd, seconds(15)).has_value());
    ASSERT_TRUE(cluster.core.clearing().has_value());
    EXPECT_EQ(cluster.core.clearing()->agents.size(), 11U);
    // Between clearings, everything that is free is the others'; it goes on for as long as it takes.
    bool all_busy = false;
    for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(crowd.step(milliseconds(500)).empty());
        bool busy = true;
        for (int a = 1; a < 20; a += 2) busy &= cluster.free("a" + std::to_string(a)).empty();
        all_busy |= busy && !cluster.core.clearing().has_value();
    }
    EXPECT_TRUE(all_busy);
    // The service goes: soon the gang has its room.
    for (int i = 0; i < 20; i += 2) {
        cluster.ok(cluster.core.taskEnded({FrameworkId("service"), TaskId("s" + std::to_string(i))}));
    }
    EXPECT_TRUE(waitForGang(cluster, crowd, minutes(5)).has_value());
}

TEST_P(Gangs, FindRoomBesideServicesThoughTheFirstAgentsClearedHaveOne) {
    Crowd crowd(cluster, "crowd", seconds(5));
    fill(cluster, crowd);
    cluster.framework("service").wants("service", {});
    for (int i = 0; i < 8; ++i) {
        cluster.ok(
            cluster.core.adoptTask(AgentId("a" + std::to_string(i)),
                                   {{FrameworkId("service"), TaskId("s" + std::to_string(i))}, cpusMem(1, 1024)}));
    }
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 12)});
    EXPECT_TRUE(waitForGang(cluster, crowd, minutes(10)).has_value());
}

TEST_P(Gangs, ThatCanNeverFitHoldUpNobody) {
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 21)});
    for (int i = 0; i < 200; ++i) {
        EXPECT_TRUE(crowd.step(milliseconds(500)).empty());
        EXPECT_FALSE(cluster.core.clearing().has_value());
    }
    const auto deadline = cluster.core.nextDeadline();
    EXPECT_TRUE(!deadline.has_value() || *deadline > cluster.now);
}

TEST_P(Gangs, ThatGiveUpGiveBackTheRoomAtOnce) {
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 20)});
    EXPECT_FALSE(waitForGang(cluster, crowd, seconds(15)).has_value());
    ASSERT_TRUE(cluster.core.clearing().has_value());
    const std::uint64_t started = crowd.started();
    cluster.wants("mpi", {});
    EXPECT_FALSE(cluster.core.clearing().has_value());
    EXPECT_TRUE(cluster.core.pending());
    crowd.step(Duration(0));
    EXPECT_GT(crowd.started(), started);
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(cluster.free("a" + std::to_string(i)).empty());
}

TEST_P(Gangs, GiveBackWhatTheyDidNotNeedInTheTurnInWhichTheyArePlaced) {
    // Cleared: all four agents. Needed: two, since each has room for two.
    for (const char* name : {"a", "b", "c", "d"}) cluster.agent(name, cpusMem(2, 2048));
    cluster.framework("other").wants("other", {});
    for (const char* name : {"a", "b", "c", "d"}) {
        cluster.ok(cluster.core.adoptTask(AgentId(name), {{FrameworkId("other"), TaskId(name)}, cpusMem(1, 1024)}));
    }
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 5)});
    EXPECT_TRUE(cluster.allocate().empty());
    cluster.pass(seconds(10));
    EXPECT_TRUE(cluster.allocate().empty());
    ASSERT_TRUE(cluster.core.clearing().has_value());
    EXPECT_EQ(cluster.core.clearing()->agents.size(), 3U);
    cluster.wants("other", {demand("small", cpusMem(1, 1024), 10)});
    cluster.core.allocate(cluster.now, cluster.rng); // takes what is not withheld
    cluster.agent("e", cpusMem(8, 8192));
    std::uint32_t of_gang = 0;
    std::uint32_t of_other = 0;
    for (const Grant& grant : cluster.allocate()) (grant.gang.empty() ? of_other : of_gang) += grant.count;
    EXPECT_EQ(of_gang, 5U);
    for (const char* name : {"a", "b", "c", "d", "e"}) EXPECT_EQ(cluster.free(name).scalar(Resources::kCpus), Milli{0});
    EXPECT_GT(of_other, 0U);
}

TEST_P(Gangs, AreExplainedWithTheNearestAgent) {
    cluster.agent("a", cpusMem(4, 4096))
        .agent("b", cpusMem(4, 4096))
        .agent("c", cpusMem(4, 1100))
        .agent("d", cpusMem(0.5, 64));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 16, 4)});
    EXPECT_TRUE(cluster.allocate().empty());
    const Explanation why =
        *cluster.core.explain(FrameworkId("mpi"), gang("job", cpusMem(1, 1024), 16, 4), cluster.now);
    ASSERT_TRUE(why.gang.has_value());
    EXPECT_EQ(why.gang->fit_now, 9U);
    EXPECT_EQ(why.gang->fit_ever, 9U);
    EXPECT_EQ(why.gang->waits_since, cluster.now);
    EXPECT_EQ(why.fit_now, 3U);
    EXPECT_EQ(why.nearest, "agent c: has room for 1, for one more it needs mem 2048, has 1100 at all");
    ASSERT_EQ(why.reasons.size(), 1U);
    EXPECT_EQ(why.reasons[0].what, "needs cpus 1, has 0.5; needs mem 1024, has 64 at all");
}

TEST_P(Gangs, ThatKeepAgentsFreeAreNamedAsTheReasonToOthers) {
    Crowd crowd(cluster, "crowd", seconds(10));
    fill(cluster, crowd);
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 1024), 20)});
    EXPECT_FALSE(waitForGang(cluster, crowd, seconds(12)).has_value());
    const Explanation why =
        *cluster.core.explain(FrameworkId("crowd"), demand("small", cpusMem(1, 1024), 1), cluster.now);
    ASSERT_EQ(why.reasons.size(), 1U);
    EXPECT_EQ(why.reasons[0].what, "is kept free for a gang that has waited long");
    EXPECT_EQ(why.reasons[0].agents, 20U);
    EXPECT_EQ(cluster.core.explain(FrameworkId("mpi"), gang("job", cpusMem(1, 1024), 20), cluster.now)->gang->clearing,
              20U);
}

// Places the first piece of anything, and then nothing more.
class Lazy final : public Policy {
public:
    Lazy(Host, std::string_view) {}
    void begin(const View&, std::span<const std::uint32_t> contenders) override {
        contenders_.assign(contenders.begin(), contenders.end());
        placed_ = false;
    }
    std::uint32_t next(const View&) override { return contenders_.empty() ? kNone : contenders_.back(); }
    Placement place(const View&, const Request&, std::span<const std::uint32_t> candidates) override {
        return std::exchange(placed_, true) ? Placement{kNone, 0} : Placement{candidates[0], 1};
    }
    void charged(const View&, std::uint32_t) override {}
    void retired(const View&, std::uint32_t) override { contenders_.pop_back(); }

private:
    std::vector<std::uint32_t> contenders_;
    bool placed_ = false;
};

TEST(Gang, ThatAModulePlacesInPartIsTakenBack) {
    Cluster cluster({.module = ModuleOf<Lazy>::table("lazy"), .parameters = {}});
    for (const char* name : {"a", "b"}) cluster.agent(name, cpusMem(2, 2048));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 3)});
    EXPECT_TRUE(cluster.allocate().empty());
    EXPECT_EQ(cluster.free("a"), cpusMem(2, 2048));
    EXPECT_EQ(cluster.free("b"), cpusMem(2, 2048));
    EXPECT_EQ(cluster.core.takeNotes().front(),
              "allocator module lazy: placed 1 of a gang's 3 pieces, all of which have room");
}

TEST(Gang, IsPackedOnFewAgentsUnderDrf) {
    Cluster cluster = Cluster::with("drf");
    for (int i = 0; i < 4; ++i) cluster.agent("a" + std::to_string(i), cpusMem(8, 8192));
    cluster.framework("mpi").wants("mpi", {gang("job", cpusMem(1, 256), 16)});
    cluster.framework("other").wants("other", {demand("small", cpusMem(1, 256), 4)});
    std::size_t agents = 0;
    for (const Grant& grant : cluster.allocate()) agents += grant.gang.empty() ? 0 : 1;
    EXPECT_LE(agents, 3U);
}

TEST(Gang, WithPortsGetsOtherNumbersForEachPiece) {
    Cluster cluster;
    cluster.agent("a", *Resources::parse("cpus:4;mem:4096;ports:[1000-1002]"));
    cluster.agent("b", *Resources::parse("cpus:4;mem:4096;ports:[1000-1002]"));
    cluster.framework("mpi").wants("mpi", {gang("job", *Resources::parse("cpus:1;mem:256;ports:[1-1]"), 6)});
    EXPECT_EQ(piecesByAgent(cluster.allocate()), (std::map<std::string, std::uint32_t>{{"a", 3}, {"b", 3}}));
}

} // namespace
} // namespace stoa::allocator
