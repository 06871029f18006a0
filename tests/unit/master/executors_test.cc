// Executors as the master sees them: held once an agent, validated with the task that needs them, gone with their end.
#include "master/read_model/read_model.h"
#include "protocol/codec/executor_info.h"
#include "tests/unit/master/core_world.h"

namespace stoa::master {
namespace {

// Of executor "e", which needs half a cpu and 100 MB.
TaskInfo taskIn(const std::string& id, const Offer& offer, double mem = 100, const std::string& data = "") {
    ExecutorSpec spec;
    spec.id = ExecutorId("e");
    spec.name = "an executor";
    spec.command.shell = "run";
    spec.resources = Resources::cpusMem(0.5, 100);
    spec.data = data;
    return {TaskId(id), id, offer.agent, spec.id, Resources::cpusMem(0.5, mem), makeTaskBody(TaskSpec{}, spec)};
}

AgentExecutor told(const TestFramework& framework, const TaskInfo& task) {
    return {framework.id(), readTaskExecutor(framework.id(), task).value()};
}

class MasterExecutors : public ::testing::Test {
protected:
    MasterExecutors() : agent(world.agent(4, 1000)), framework(world.framework()) {}

    // With one task; the rest of the agent is offered again.
    TaskInfo live() {
        const Offer offer = world.offerTo(framework);
        TaskInfo task = taskIn("t1", offer);
        world.accept(framework, offer, {task}, Duration{0});
        world.pass(std::chrono::milliseconds(200));
        return task;
    }
    void ended() { world.agentSays(agent, agent_says::ExecutorEnded{framework.id(), ExecutorId("e"), 3 << 8}); }

    World world;
    TestAgent agent;
    TestFramework framework;
};

TEST_F(MasterExecutors, AreHeldOnceAnAgentBesideTheirTasks) {
    live();
    EXPECT_TRUE(world.heardOne<master_says::Launch>(agent).new_executor);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3, 800));
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {taskIn("t2", offer), taskIn("t3", offer)});
    for (const auto& launch : world.heard<master_says::Launch>(agent)) EXPECT_FALSE(launch.new_executor);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(2, 600));
}

TEST_F(MasterExecutors, TwoTasksOfOneCallShareTheNewOne) {
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {taskIn("t1", offer), taskIn("t2", offer)});
    const auto launches = world.heard<master_says::Launch>(agent);
    ASSERT_EQ(launches.size(), 2u);
    EXPECT_TRUE(launches[0].new_executor);
    EXPECT_FALSE(launches[1].new_executor);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(2.5, 700));
}

TEST_F(MasterExecutors, TheOfferMustHoldTheTaskAndItsNewExecutor) {
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {taskIn("t1", offer, 950)});
    const TaskStatus status = world.updateTo(framework);
    EXPECT_EQ(status.state, TaskState::kError);
    EXPECT_NE(status.message.find("do not fit"), std::string::npos) << status.message;
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1000));
}

TEST_F(MasterExecutors, AnotherDescriptionOfOneThatLivesIsRefused) {
    live();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {taskIn("t2", offer, 100, "other data")});
    EXPECT_EQ(world.updateTo(framework).state, TaskState::kError);
}

TEST_F(MasterExecutors, OffersNameThoseThatLiveOnTheirAgent) {
    live();
    EXPECT_EQ(world.offerTo(framework).executors, std::vector<ExecutorId>{ExecutorId("e")});
}

TEST_F(MasterExecutors, TheirEndFreesWhatTheyHeldAndIsTold) {
    live();
    ended();
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3.5, 900)); // its task holds until it is told to have ended
    const event::Failure failure = world.heardOne<event::Failure>(framework);
    EXPECT_EQ(failure.executor, ExecutorId("e"));
    EXPECT_EQ(failure.wait_status, 3 << 8);
}

TEST_F(MasterExecutors, ADemandIsServedByTasksNotByTheirExecutor) {
    Demand demand;
    demand.name = "d";
    demand.shape = Resources::cpusMem(1, 200);
    demand.count = 3;
    world.call(framework, call::SetDemands{{demand}});
    (void)world.offersTo(framework);
    world.call(framework, call::Revive{});
    std::vector<Offer> offers = world.offersTo(framework);
    if (offers.empty()) {
        world.pass(std::chrono::seconds(70)); // the remainder that was offered first ends
        offers = world.offersTo(framework);
    }
    ASSERT_FALSE(offers.empty());
    world.accept(framework, offers.back(), {taskIn("t1", offers.back())});
    ASSERT_EQ(world.master().allocator().demands(framework.id()).size(), 1u);
    EXPECT_EQ(world.master().allocator().demands(framework.id())[0].count, 2u);
}

TEST_F(MasterExecutors, AnAgentThatReturnsWithoutOneFreesIt) {
    live();
    world.gone(agent.peer);
    world.registerAgent(agent);
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1000));
    EXPECT_EQ(world.heardOne<event::Failure>(framework).executor, ExecutorId("e"));
}

TEST_F(MasterExecutors, ANewLeaderLearnsOfThemFromTheirAgents) {
    const TaskInfo task = live();
    world.restart();
    agent.peer = 1000;
    AgentTask running{framework.id(), task, TaskState::kRunning, {}};
    running.status.task = task.id;
    running.status.state = TaskState::kRunning;
    world.input(AgentMessage{
        agent.peer,
        agent_says::Register{agent.info, agent.incarnation, {running}, {framework.info}, {told(framework, task)}}});
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3, 800));
    world.subscribe(framework);
    const Offer offer = world.offerTo(framework);
    EXPECT_EQ(offer.executors, std::vector<ExecutorId>{ExecutorId("e")});
    world.accept(framework, offer, {taskIn("t2", offer)});
    EXPECT_FALSE(world.heardOne<master_says::Launch>(agent).new_executor);
}

TEST_F(MasterExecutors, OfARemovedFrameworkAreHeldAndShutDownUntilTheyEnd) {
    live();
    const Uuid uuid = world.update(agent, framework.id(), "t1", TaskState::kFinished);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t1"), uuid});
    world.call(framework, call::Teardown{});
    EXPECT_EQ(world.heard<master_says::ShutdownFramework>(agent).size(), 1u); // though no task of it is left
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(3.5, 900));
    ended();
    EXPECT_EQ(world.freeOn(agent), Resources::cpusMem(4, 1000));
}

TEST_F(MasterExecutors, GoWithTheirAgent) {
    live();
    world.agentSays(agent, agent_says::Unregister{});
    bool gone = false;
    for (const Delta& delta : world.deltas()) gone |= std::holds_alternative<ExecutorGone>(delta);
    EXPECT_TRUE(gone);
}

TEST_F(MasterExecutors, AreShownAsDeltasAndInASnapshot) {
    live();
    std::size_t shown = 0;
    for (const Delta& delta : world.master().snapshot()) {
        if (const auto* changed = std::get_if<ExecutorChanged>(&delta)) {
            ++shown;
            EXPECT_EQ(changed->info.name, "an executor");
            EXPECT_EQ(changed->agent, agent.id());
        }
    }
    EXPECT_EQ(shown, 1u);
}

TEST_F(MasterExecutors, ReadersSeeThemUntilTheyEnd) {
    live();
    ReadModel model;
    std::size_t applied = 0;
    const auto catchUp = [&] {
        for (; applied < world.deltas().size(); ++applied) model.apply(world.deltas()[applied]);
    };
    catchUp();
    ASSERT_EQ(model.executors().size(), 1u);
    EXPECT_EQ(model.executors().begin()->second.info.name, "an executor");
    EXPECT_EQ(model.agents().at(agent.id()).used, Resources::cpusMem(1, 200));
    EXPECT_EQ(model.frameworks().at(framework.id()).used, Resources::cpusMem(1, 200));
    EXPECT_EQ(model.frameworks().at(framework.id()).tasks, 1u);
    ended();
    catchUp();
    EXPECT_TRUE(model.executors().empty());
    EXPECT_EQ(model.agents().at(agent.id()).used, Resources::cpusMem(0.5, 100));
}

} // namespace
} // namespace stoa::master
