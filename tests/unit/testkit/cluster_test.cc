#include "tests/testkit/cluster.h"

#include "frameworks/sdk/flags.h"
#include "protocol/codec/task_body.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace stoa::testkit {
namespace {

// Keeps a number of tasks running, and holds on to offers when it is told to.
class Replicas : public sdk::Scheduler {
public:
    struct Options {
        int tasks = 2;
        double cpus = 1;
        bool hoards = false;
        void add(sdk::Flags& flags) { flags.add("tasks", tasks, "how many"); }
        void configure(sdk::DriverOptions& driver) const { driver.failover_timeout = std::chrono::minutes(10); }
    };

    Replicas(const Options& options, sdk::FrameworkState& state) : options_(options), state_(state) {
        if (options.tasks < 1) throw std::invalid_argument("no tasks");
        launched_ = found = std::stoi(state.get("launched").value_or("0"));
        ++lives;
    }

    void subscribed(sdk::Driver& driver, const event::Subscribed&) override {
        ++subscriptions;
        ask(driver);
    }
    void disconnected(sdk::Driver&, const std::string&) override { ++disconnections; }
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            if (options_.hoards) continue;
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration(0);
            const int missing = options_.tasks - live();
            for (std::uint32_t fit = offer.resources.timesContained(shape_, static_cast<std::uint32_t>(missing));
                 fit > 0; --fit) {
                TaskInfo task;
                task.id = TaskId("replica-" + std::to_string(launched_++));
                task.name = "replica";
                task.agent = offer.agent;
                task.resources = shape_;
                TaskSpec spec;
                spec.command.shell = "true";
                task.body = makeTaskBody(spec);
                live_.push_back(task.id);
                accept.launches.push_back(std::move(task));
            }
            ASSERT_TRUE(state_.put("launched", std::to_string(launched_)).ok());
            accepted.push_back(driver.accept(std::move(accept)));
        }
        ask(driver);
    }
    void update(sdk::Driver& driver, const TaskStatus& status) override {
        if (isTerminal(status.state)) std::erase(live_, status.task);
        ask(driver);
    }
    void woken(sdk::Driver&, Time now) override { woken_at = now; }
    void error(sdk::Driver&, const std::string&) override {}

    int live() const { return static_cast<int>(live_.size()); }

    static inline int lives = 0;
    int found = 0; // launched by earlier lives
    int subscriptions = 0;
    int disconnections = 0;
    std::vector<absl::Status> accepted;
    Time woken_at{};

private:
    void ask(sdk::Driver& driver) {
        Demand demand;
        demand.name = "replicas";
        demand.shape = shape_;
        demand.count = static_cast<std::uint32_t>(options_.tasks - live());
        ASSERT_TRUE(driver.setDemands({demand}).ok());
    }

    const Options options_;
    sdk::FrameworkState& state_;
    const Resources shape_ = Resources::cpusMem(options_.cpus, 100);
    int launched_ = 0;
    std::vector<TaskId> live_;
};

Script forever(const TaskId&) { return {.run = std::chrono::hours(1000)}; }

TEST(Cluster, RunsTasksAsTheScriptSays) {
    Cluster cluster({.agents = 2});
    cluster.script([](const TaskId& task) {
        if (task == TaskId("replica-0")) return Script{.exit_code = 3};
        if (task == TaskId("replica-1")) return Script{.fails_to_start = "no such program"};
        if (task == TaskId("replica-2")) return Script{.signal = 9, .out_of_memory = true};
        return Script{.run = std::chrono::hours(2)};
    });
    Framework& framework = cluster.start<Replicas>({.tasks = 3});
    ASSERT_TRUE(cluster.runUntil([&] {
        return framework.tasks().size() == 6 && framework.count(TaskState::kRunning) == 3;
    })) << cluster.describe();
    EXPECT_EQ(framework.tasks().at(TaskId("replica-0")).outcome.wait_status, 3 << 8);
    EXPECT_EQ(framework.tasks().at(TaskId("replica-1")).state, TaskState::kFailed);
    EXPECT_TRUE(framework.tasks().at(TaskId("replica-2")).outcome.out_of_memory);
    EXPECT_EQ(cluster.containers(), 3U);
    EXPECT_TRUE(cluster.registered(0) && cluster.registered(1));
}

TEST(Cluster, ALostAgentsTasksAreToldAndItComesBackEmpty) {
    Cluster cluster({.agents = 1});
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>({.tasks = 2});
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containers() == 2; })) << cluster.describe();
    cluster.loseAgent(0);
    EXPECT_EQ(cluster.containers(), 0U);
    const Time lost = cluster.now();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kUnreachable) == 2; })) << cluster.describe();
    EXPECT_GT(cluster.now() - lost, std::chrono::seconds(75));
    EXPECT_FALSE(cluster.registered(0));
    cluster.returnAgent(0);
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    EXPECT_EQ(cluster.containers(), 2U);
}

TEST(Cluster, ARestartedAgentKeepsItsTasks) {
    Cluster cluster({.agents = 1});
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>({.tasks = 2});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    cluster.restartAgent(0);
    cluster.advance(std::chrono::minutes(3));
    EXPECT_EQ(framework.count(TaskState::kRunning), 2U) << cluster.describe();
    EXPECT_EQ(framework.tasks().size(), 2U);
}

TEST(Cluster, AFrameworkSubscribesAnewWhenTheMasterRestarts) {
    Cluster cluster;
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    cluster.restartMaster();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.as<Replicas>().subscriptions == 2; })) << cluster.describe();
    EXPECT_EQ(framework.as<Replicas>().disconnections, 1);
    EXPECT_EQ(cluster.containers(), 2U);
}

TEST(Cluster, AFrameworkThatCrashesKeepsItsIdItsStateAndItsTasks) {
    Cluster cluster;
    cluster.script(forever);
    Replicas::lives = 0;
    Framework& framework = cluster.start<Replicas>();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    const FrameworkId id = framework.id();
    framework.crash();
    EXPECT_FALSE(framework.running());
    EXPECT_FALSE(framework.driver().revive({}).ok());
    cluster.advance(std::chrono::minutes(5)); // within its failover timeout
    framework.start();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.as<Replicas>().subscriptions == 1; })) << cluster.describe();
    EXPECT_EQ(framework.id(), id);
    EXPECT_EQ(framework.as<Replicas>().found, 2);
    EXPECT_EQ(Replicas::lives, 2);
    EXPECT_GE(cluster.containers(), 2U);
}

TEST(Cluster, TasksEndWhenTheFailoverTimeoutHasPassed) {
    Cluster cluster;
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>();
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containers() == 2; })) << cluster.describe();
    framework.crash();
    cluster.advance(std::chrono::minutes(11));
    EXPECT_EQ(cluster.containers(), 0U) << cluster.describe();
}

TEST(Cluster, OffersAreRescindedWhileAFrameworkHoldsThem) {
    Cluster cluster({.agents = 2});
    Framework& framework = cluster.start<Replicas>({.tasks = 2, .hoards = true});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.offersTold() > 0; })) << cluster.describe();
    cluster.rescindOffers();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.offersRescinded() > 0; }, std::chrono::seconds(10)))
        << cluster.describe();
}

TEST(Cluster, AnAcceptOfAnOfferThatIsRescindedMeanwhileLaunchesNothingTwice) {
    Cluster cluster({.agents = 2});
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>({.tasks = 4});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.offersTold() > 0; })) << cluster.describe();
    cluster.rescindOffers();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 4; })) << cluster.describe();
}

TEST(Cluster, AFrameworkThatIsCutOffComesBack) {
    Cluster cluster;
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    cluster.cutOff(framework, std::chrono::minutes(1));
    ASSERT_TRUE(cluster.runUntil([&] { return framework.as<Replicas>().disconnections == 1; })) << cluster.describe();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.as<Replicas>().subscriptions == 2; })) << cluster.describe();
    EXPECT_EQ(cluster.containers(), 2U);
}

TEST(Cluster, StopLeavesTheTasksAndTeardownEndsThem) {
    Cluster cluster;
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 2; })) << cluster.describe();
    framework.driver().stop();
    ASSERT_TRUE(cluster.runUntil([&] { return !framework.running(); })) << cluster.describe();
    EXPECT_TRUE(framework.ended() && !framework.tornDown());
    EXPECT_EQ(cluster.containers(), 2U);

    framework.start();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.driver().teardown().ok(); })) << cluster.describe();
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containers() == 0; })) << cluster.describe();
    EXPECT_TRUE(framework.tornDown());
    EXPECT_TRUE(framework.id().empty());
    EXPECT_FALSE(framework.state().get("launched").has_value());
}

TEST(Cluster, TimeIsVirtualAndWakesTheScheduler) {
    Cluster cluster;
    cluster.script(forever);
    Framework& framework = cluster.start<Replicas>();
    framework.driver().wakeAt(framework.driver().now() + std::chrono::hours(3));
    cluster.advance(std::chrono::hours(2));
    EXPECT_EQ(framework.as<Replicas>().woken_at, Time{});
    cluster.advance(std::chrono::hours(2));
    EXPECT_GE(framework.as<Replicas>().woken_at, Time{} + std::chrono::hours(3));
    EXPECT_LT(framework.as<Replicas>().woken_at, Time{} + std::chrono::hours(3) + std::chrono::seconds(1));
}

TEST(Cluster, OffersFollowAttributes) {
    Cluster cluster({.agents = 0});
    cluster.addAgent(Resources::cpusMem(1, 1000));
    EXPECT_EQ(cluster.addAgent(Resources::cpusMem(8, 1000), *parseAttributes("rack:a")), 1U);
    cluster.script(forever);
    cluster.start<Replicas>({.tasks = 2, .cpus = 4});
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containersOn(1) == 2; })) << cluster.describe();
    EXPECT_EQ(cluster.containersOn(0), 0U);
}

TEST(Cluster, WhatNeverHappensIsToldWithWhatDid) {
    Cluster cluster({.agents = 1});
    cluster.start<Replicas>({.tasks = 1, .cpus = 64}, "greedy");
    EXPECT_FALSE(cluster.runUntil([&] { return cluster.containers() > 0; }, std::chrono::minutes(1)));
    EXPECT_NE(cluster.describe().find("greedy"), std::string::npos) << cluster.describe();
}

TEST(Cluster, TheSameSeedGivesTheSameRun) {
    auto run = [](std::uint64_t seed) {
        Cluster cluster({.seed = seed});
        Framework& framework = cluster.start<Replicas>({.tasks = 4});
        EXPECT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kFinished) == 20; }));
        return cluster.now();
    };
    EXPECT_EQ(run(1), run(1));
    EXPECT_NE(run(1), run(2));
}

TEST(Cluster, OptionsThatASchedulerRefusesReachTheTest) {
    Cluster cluster;
    EXPECT_THROW(cluster.start<Replicas>({.tasks = 0}), std::invalid_argument);
}

} // namespace
} // namespace stoa::testkit
