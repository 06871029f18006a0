// @Name@ in a cluster that is in this process and in virtual time: an hour takes milliseconds, and each run is the same.
#include "@name@.h"

#include "testkit/cluster.h"

#include <gtest/gtest.h>

#include <random>

using namespace stoa;
using testkit::Cluster;
using testkit::Script;

TEST(@Name@, RunsItsTasksAndEnds) {
    Cluster cluster;
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 5});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.count(TaskState::kFinished), 5U);
    EXPECT_EQ(framework.as<@Name@>().finished(), 5);
}

TEST(@Name@, RunsATaskAgainThatFailed) {
    Cluster cluster;
    cluster.script([](const TaskId& task) { return Script{.exit_code = task == TaskId("@name@-0.1") ? 1 : 0}; });
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 1});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.tasks().at(TaskId("@name@-0.1")).state, TaskState::kFailed);
    EXPECT_EQ(framework.tasks().at(TaskId("@name@-0.2")).state, TaskState::kFinished);
}

TEST(@Name@, GivesUpATaskThatAlwaysFails) {
    Cluster cluster;
    cluster.script([](const TaskId&) { return Script{.exit_code = 1}; });
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 2, .attempts = 3});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.as<@Name@>().failed(), 2);
    EXPECT_EQ(framework.count(TaskState::kFailed), 6U);
}

TEST(@Name@, RunsElsewhereWhatWasLostWithAnAgent) {
    Cluster cluster({.agents = 2});
    cluster.script([](const TaskId&) { return Script{.run = std::chrono::hours(1)}; });
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 4, .cpus = 1});
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containers() == 4; })) << cluster.describe();
    cluster.loseAgent(cluster.containersOn(0) > 0 ? 0 : 1);
    cluster.advance(std::chrono::minutes(2)); // by then the master has given the agent up
    cluster.returnAgent(0);
    cluster.returnAgent(1);
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); }, std::chrono::hours(3))) << cluster.describe();
    EXPECT_EQ(framework.as<@Name@>().finished(), 4);
}

TEST(@Name@, GoesOnWhenTheMasterRestarts) {
    Cluster cluster;
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 5});
    ASSERT_TRUE(cluster.runUntil([&] { return cluster.containers() > 0; })) << cluster.describe();
    cluster.restartMaster();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.count(TaskState::kFinished), 5U); // no task was run twice
}

TEST(@Name@, TakesItsTasksOverAfterACrash) {
    Cluster cluster;
    cluster.script([](const TaskId&) { return Script{.run = std::chrono::minutes(5)}; });
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 3});
    ASSERT_TRUE(cluster.runUntil([&] { return framework.count(TaskState::kRunning) == 3; })) << cluster.describe();
    const FrameworkId before = framework.id();
    framework.restart();
    cluster.advance(std::chrono::minutes(1));
    EXPECT_EQ(framework.id(), before);
    EXPECT_EQ(cluster.containers(), 3U);
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.count(TaskState::kFinished), 3U);
}

TEST(@Name@, LaunchesWhatARescindedOfferWasFor) {
    Cluster cluster;
    testkit::Framework& framework = cluster.start<@Name@>({.tasks = 5});
    // In the moment between an offer and its acceptance.
    ASSERT_TRUE(cluster.runUntil([&] { return framework.offersTold() > 0; })) << cluster.describe();
    cluster.rescindOffers();
    ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); })) << cluster.describe();
    EXPECT_EQ(framework.as<@Name@>().finished(), 5);
}

// What nobody thought of: twenty runs, each with other harm at other times. The seed of one that fails replays it.
TEST(@Name@, EndsWhateverHappens) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Cluster cluster({.seed = seed});
        std::mt19937_64 random(seed);
        cluster.script([](const TaskId&) { return Script{.run = std::chrono::seconds(30)}; });
        testkit::Framework& framework = cluster.start<@Name@>({.tasks = 10, .attempts = 100});
        for (int harm = 0; harm < 10; ++harm) {
            cluster.advance(std::chrono::milliseconds(random() % 10'000));
            if (framework.ended()) break;
            const std::size_t agent = random() % cluster.agents();
            switch (random() % 5) {
            case 0: framework.restart(); break;
            case 1: cluster.restartMaster(); break;
            case 2: cluster.rescindOffers(); break;
            case 3: cluster.cutOff(framework, std::chrono::seconds(random() % 60)); break;
            case 4:
                cluster.loseAgent(agent);
                cluster.returnAgent(agent);
                break;
            }
        }
        ASSERT_TRUE(cluster.runUntil([&] { return framework.tornDown(); }, std::chrono::hours(2)))
            << "seed " << seed << ": " << cluster.describe();
        EXPECT_EQ(framework.as<@Name@>().finished(), 10) << "seed " << seed;
    }
}
