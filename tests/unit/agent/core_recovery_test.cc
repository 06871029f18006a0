#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <set>

namespace stoa::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AgentRecovery : public ::testing::Test {
public:
    AgentRecovery() { world.connect(); }
    ~AgentRecovery() override { EXPECT_THAT(world.violations, IsEmpty()); }

protected:
    void run(const std::string& id) {
        world.launch(task(id));
        world.started(key(id));
    }
    // The newest status that is durable, told or not.
    TaskStatus latest(const std::string& id) {
        TaskStatus found;
        for (const Record& record : world.disk) {
            const auto* status = std::get_if<StatusAppended>(&record);
            if (status != nullptr && status->status.task.value() == id) found = status->status;
        }
        return found;
    }

    World world;
};

TEST_F(AgentRecovery, TheIdIsKept) {
    world.crash();
    EXPECT_EQ(world.agent->info().id, AgentId("a1"));
}

TEST_F(AgentRecovery, ARunningTaskGoesOnWithoutANewStatus) {
    run("t");
    const std::size_t before = world.disk.size();
    world.crash();
    EXPECT_EQ(world.disk.size(), before);
    ASSERT_EQ(world.agent->tasks().size(), 1u);
    EXPECT_EQ(world.agent->tasks()[0].state, TaskState::kRunning);
    EXPECT_EQ(world.launches[key("t")], 1);
    EXPECT_EQ(world.agent->used(), Resources::cpusMem(1, 64));
}

TEST_F(AgentRecovery, ATaskThatStartedUnseenIsToldAsRunning) {
    world.launch(task("t"));
    world.containers[key("t")].running = true;
    world.crash();
    EXPECT_EQ(latest("t").state, TaskState::kRunning);
    EXPECT_EQ(latest("t").pid, 4711);
}

TEST_F(AgentRecovery, ATaskThatEndedMeanwhileIsToldWithItsExitCode) {
    run("t");
    world.containers[key("t")] = {.running = false, .outcome = exited(7)};
    world.crash();
    EXPECT_EQ(latest("t").state, TaskState::kFailed);
    EXPECT_EQ(latest("t").message, "exited with 7");
    EXPECT_EQ(world.container("t"), nullptr);
}

TEST_F(AgentRecovery, AnIntentWithoutAContainerIsLostAndNotLaunchedAgain) {
    world.auto_sync = false;
    world.launch(task("t"));
    world.disk.push_back(LaunchIntended{framework(), task("t")}); // durable, but the launcher was never told
    world.crash();
    world.sync();
    EXPECT_EQ(latest("t").state, TaskState::kLost);
    EXPECT_EQ(latest("t").reason, Reason::kAgentRestarted);
    EXPECT_EQ(world.launches[key("t")], 0);
}

TEST_F(AgentRecovery, ATaskWhoseContainerIsGoneIsLost) {
    run("t");
    world.containers.clear();
    world.crash();
    EXPECT_EQ(latest("t").state, TaskState::kLost);
    EXPECT_THAT(latest("t").message, HasSubstr("container is gone"));
}

TEST_F(AgentRecovery, AKillGoesOnAfterTheRestart) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    world.containers[key("t")].signalled = false;
    world.crash();
    EXPECT_TRUE(world.container("t")->signalled);
    world.pass(5s);
    EXPECT_TRUE(world.container("t")->destroyed);
    world.ended(key("t"), signalled(SIGKILL));
    EXPECT_EQ(latest("t").state, TaskState::kKilled);
}

TEST_F(AgentRecovery, ATaskOfAFrameworkThatDoesNotCheckpointIsEndedAndLost) {
    FrameworkInfo careless = framework();
    careless.checkpoint = false;
    world.launch(task("t"), careless);
    world.started(key("t"));
    world.crash();
    EXPECT_TRUE(world.container("t")->destroyed);
    EXPECT_EQ(world.agent->used(), Resources::cpusMem(1, 64)); // until it is gone
    world.ended(key("t"), signalled(SIGKILL));
    EXPECT_EQ(latest("t").state, TaskState::kLost);
    EXPECT_EQ(latest("t").reason, Reason::kAgentRestarted);
    EXPECT_EQ(world.agent->used(), Resources());
}

TEST_F(AgentRecovery, OneThatIsJustStartingIsEndedTooAndOneThatHasEndedIsToldAsItIs) {
    FrameworkInfo careless = framework();
    careless.checkpoint = false;
    world.launch(task("starting"), careless);
    world.launch(task("over"), careless);
    world.started(key("over"));
    world.containers[key("over")] = {.running = false, .outcome = exited(0)};
    world.crash();
    EXPECT_EQ(latest("over").state, TaskState::kFinished);
    EXPECT_TRUE(world.container("starting")->destroyed);
    world.step(launcher_says::ContainerFailed{key("starting"), "destroyed"});
    EXPECT_EQ(latest("starting").state, TaskState::kLost);
}

TEST_F(AgentRecovery, ThatATaskIsBeingKilledIsStoredOnce) {
    run("t");
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    ASSERT_EQ(latest("t").state, TaskState::kKilling);
    const std::size_t before = world.disk.size();
    world.crash();
    EXPECT_EQ(world.disk.size(), before);
    EXPECT_EQ(world.agent->tasks().at(0).state, TaskState::kKilling);
    world.containers.clear();
    world.crash();
    EXPECT_EQ(latest("t").state, TaskState::kLost);
    EXPECT_THAT(latest("t").message, HasSubstr("container is gone"));
}

TEST_F(AgentRecovery, AKillThatWasStoredAndNotYetToldIsTold) {
    run("t");
    world.auto_sync = false;
    world.say(master_says::Kill{FrameworkId("f"), TaskId("t"), 5s});
    world.sync(1); // the kill
    world.auto_sync = true;
    world.crash();
    EXPECT_EQ(latest("t").state, TaskState::kKilling);
}

TEST_F(AgentRecovery, WhatWasAcknowledgedIsNotSentAgain) {
    run("t");
    world.acknowledge(world.lastUpdate("t"));
    world.acknowledge(world.lastUpdate("t"));
    const std::size_t before = world.updates("t").size();
    world.crash();
    world.connect();
    EXPECT_EQ(world.updates("t").size(), before);
}

TEST_F(AgentRecovery, AForgottenTaskStaysForgotten) {
    run("t");
    world.ended(key("t"), exited(0));
    for (int i = 0; i < 3; ++i) world.acknowledge(world.lastUpdate("t"));
    world.crash();
    EXPECT_THAT(world.agent->tasks(), IsEmpty());
}

TEST_F(AgentRecovery, AContainerOfNoTaskIsDestroyed) {
    world.containers[key("stray")].running = true;
    world.crash();
    EXPECT_TRUE(world.container("stray")->destroyed);
}

TEST_F(AgentRecovery, GrownResourcesAreRegistered) {
    run("t");
    world.useResources(Resources::cpusMem(8, 2048));
    world.crash();
    world.connect();
    EXPECT_EQ(world.said<agent_says::Register>().back().info.resources, Resources::cpusMem(8, 2048));
}

TEST_F(AgentRecovery, ResourcesTooSmallForTheTasksThatRunAreRefusedWithAReason) {
    run("t");
    world.useResources(Resources::cpusMem(0.5, 2048));
    world.crash();
    ASSERT_EQ(world.stops.size(), 1u);
    EXPECT_TRUE(world.stops[0].failed);
    EXPECT_THAT(world.stops[0].why, HasSubstr("too small"));
    EXPECT_FALSE(world.container("t")->destroyed);
}

// ---- A crash anywhere ----------------------------------------------------------------------------------------

// Runs two tasks from launch to acknowledged end, one killed on its way, with a crash after `crash_at` inputs, at which
// the disk has done `done` of the records it was given since the last sync (one in three steps syncs).
class Story {
public:
    Story(std::size_t crash_at, std::size_t done) : crash_at_(crash_at), done_(done) {
        world_.auto_sync = false;
        world_.step(MasterConnected{});
    }

    // False when the story ended before the crash.
    bool run() {
        world_.say(master_says::Registered{AgentId("a1"), Duration{0}});
        turn();
        world_.launch(task("a"));
        turn();
        world_.launch(task("b"));
        turn();
        for (int i = 0; i < 40; ++i) {
            if (i == 4) kill();
            advance();
            turn();
        }
        return crashed_;
    }
    const World& world() const { return world_; }

private:
    void kill() {
        kill_wanted_ = true;
        world_.say(master_says::Kill{FrameworkId("f"), TaskId("b"), 1s});
    }
    void turn() {
        ++turns_;
        if (turns_ == crash_at_) {
            world_.sync(std::min(done_, world_.pendingCount()));
            world_.crash();
            crashed_ = true;
            world_.sync();
            world_.step(MasterConnected{});
            world_.sync();
            world_.say(master_says::Registered{AgentId("a1"), Duration{0}});
            if (kill_wanted_) kill(); // what was said in a session that ended, its sayer says again
        }
        if (turns_ % 3 == 0 || crashed_) world_.sync();
        world_.now += 300ms;
        world_.step(Wake{});
    }
    // One thing happens on the machine or at the master: a container moves on, or an update is acknowledged.
    void advance() {
        for (auto& [key, container] : world_.containers) {
            if (!container.running && !container.outcome && container.launches > 0) {
                world_.started(key);
                return;
            }
            const bool ends = key.task.value() == "a" || container.destroyed;
            if (container.running && ends) {
                world_.ended(key, container.destroyed ? signalled(SIGKILL) : exited(7));
                return;
            }
        }
        for (const AgentTask& one : world_.agent->tasks()) {
            const auto updates = world_.updates(one.info.id.value());
            if (updates.empty()) continue;
            world_.acknowledge(updates.back());
        }
    }

    World world_;
    std::size_t crash_at_;
    std::size_t done_;
    std::size_t turns_ = 0;
    bool crashed_ = false;
    bool kill_wanted_ = false;
};

TEST(AgentCrash, AnywhereRepeatsNoLaunchAndLosesNoEnd) {
    std::size_t stories = 0;
    for (std::size_t at = 1; at <= 40; ++at) {
        for (std::size_t done = 0; done <= 4; ++done) {
            SCOPED_TRACE("crash after " + std::to_string(at) + " turns, " + std::to_string(done) + " records done");
            Story story(at, done);
            ASSERT_TRUE(story.run());
            ++stories;
            const World& world = story.world();
            EXPECT_THAT(world.violations, IsEmpty());
            EXPECT_THAT(world.agent->tasks(), IsEmpty());
            EXPECT_THAT(world.containers, IsEmpty());
            for (const std::string id : {"a", "b"}) {
                const auto found = world.launches.find(key(id));
                const int launches = found == world.launches.end() ? 0 : found->second;
                EXPECT_LE(launches, 1) << id;
                const auto updates = world.updates(id);
                if (updates.empty()) {
                    EXPECT_EQ(launches, 0) << id << " ran, and nobody was told";
                    continue;
                }
                TaskState state = TaskState::kStaging;
                std::set<Uuid> seen;
                for (const TaskStatus& update : updates) {
                    if (!update.uuid) continue;                      // the answer to a kill of what is forgotten
                    if (!seen.insert(*update.uuid).second) continue; // repeated
                    EXPECT_EQ(nextState(state, update.state), update.state) << id;
                    state = update.state;
                }
                const TaskState ran = id == "a" ? TaskState::kFailed : TaskState::kKilled;
                EXPECT_EQ(launches == 0 ? updates.back().state : state, launches == 0 ? TaskState::kLost : ran) << id;
            }
        }
    }
    EXPECT_EQ(stories, 200u);
}

} // namespace
} // namespace stoa::agent
