// What readers see: the sum of the deltas, with histories that are bounded, and its JSON.
#include "master/read_model/read_model.h"

#include "master/read_model/state_json.h"
#include "tests/unit/master/core_world.h"

#include <rapidjson/document.h>

namespace stoa::master {
namespace {

ReadModel modelOf(const World& world) {
    ReadModel model;
    for (const Delta& delta : world.deltas()) model.apply(delta);
    return model;
}

rapidjson::Document parsed(const std::string& json) {
    rapidjson::Document document;
    document.Parse(json.c_str(), json.size());
    EXPECT_FALSE(document.HasParseError()) << json;
    return document;
}

TEST(ReadModel, ATasksWayIsSeenUntilItsEndAndAfter) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t", 1, 256);
    EXPECT_EQ(modelOf(world).agents().at(agent.id()).used, Resources::cpusMem(1, 256));
    EXPECT_EQ(modelOf(world).tasks().size(), 1u);
    const Uuid uuid = world.update(agent, framework.id(), "t", TaskState::kFinished);
    world.call(framework, call::Acknowledge{agent.id(), TaskId("t"), uuid});
    const ReadModel model = modelOf(world);
    EXPECT_TRUE(model.tasks().empty());
    EXPECT_EQ(model.agents().at(agent.id()).used, Resources());
    const FrameworkView& view = model.frameworks().at(framework.id());
    ASSERT_EQ(view.completed.size(), 1u);
    ASSERT_EQ(view.completed[0].statuses.size(), 3u); // staging, running, finished
    EXPECT_EQ(view.completed[0].statuses.back().state, TaskState::kFinished);
    EXPECT_EQ(view.ended.at(TaskState::kFinished), 1u);
}

TEST(ReadModel, HistoriesAreBounded) {
    ReadModel model;
    for (std::size_t f = 0; f < ReadModel::kMostCompletedFrameworks + 5; ++f) {
        FrameworkInfo info;
        info.id = FrameworkId("f" + std::to_string(f));
        model.apply(FrameworkChanged{info, true, {}});
        model.apply(FrameworkForgotten{info.id});
    }
    EXPECT_EQ(model.completedFrameworks().size(), ReadModel::kMostCompletedFrameworks);
    FrameworkInfo info;
    info.id = FrameworkId("busy");
    model.apply(FrameworkChanged{info, true, {}});
    for (std::size_t t = 0; t < ReadModel::kMostCompletedTasks + 5; ++t) {
        TaskInfo task{TaskId(std::to_string(t)), "", AgentId("a"), {}, Resources::cpusMem(1, 1), World::body()};
        model.apply(TaskChanged{info.id, task, TaskState::kStaging, {}});
        model.apply(TaskChanged{info.id, task, TaskState::kFinished, {}});
    }
    EXPECT_EQ(model.frameworks().at(info.id).completed.size(), ReadModel::kMostCompletedTasks);
    EXPECT_EQ(model.frameworks().at(info.id).completed.front().info.id, TaskId("5"));
}

TEST(StateJson, ItHasTheKeysThatToolsRead) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    world.run(agent, framework, "t", 1.5, 256);
    const Identity identity{"m", 3, {"127.0.0.1", 5050}, 5052, "0.1.0", {}, {{"ip", "127.0.0.1"}}};
    const rapidjson::Document state = parsed(stateJson(modelOf(world), identity));
    EXPECT_STREQ(state["id"].GetString(), "m");
    EXPECT_EQ(state["activated_slaves"].GetInt(), 1);
    const auto& slave = state["slaves"][0];
    EXPECT_STREQ(slave["id"].GetString(), agent.id().value().c_str());
    EXPECT_EQ(slave["used_resources"]["cpus"].GetDouble(), 1.5);
    EXPECT_EQ(slave["resources"]["disk"].GetDouble(), 0);
    const auto& shown = state["frameworks"][0];
    EXPECT_STREQ(shown["role"].GetString(), "*");
    const auto& task = shown["tasks"][0];
    EXPECT_STREQ(task["id"].GetString(), "t");
    EXPECT_STREQ(task["state"].GetString(), "TASK_RUNNING");
    EXPECT_STREQ(task["executor_id"].GetString(), "");
    EXPECT_STREQ(task["slave_id"].GetString(), agent.id().value().c_str());
    EXPECT_EQ(task["statuses"].Size(), 2u);
    for (const char* key : {"completed_frameworks", "orphan_tasks", "unregistered_frameworks", "recovered_slaves"}) {
        EXPECT_TRUE(state[key].IsArray()) << key;
    }
}

TEST(StateJson, TasksAreFilteredOrderedAndCut) {
    World world;
    TestAgent agent = world.agent(4, 1024);
    TestFramework framework = world.framework();
    const Offer offer = world.offerTo(framework);
    world.accept(framework, offer, {world.task("a", offer, 1, 16), world.task("b", offer, 1, 16)});
    const ReadModel model = modelOf(world);
    EXPECT_EQ(parsed(tasksJson(model, {}))["tasks"].Size(), 2u);
    EXPECT_EQ(parsed(tasksJson(model, {.limit = 1, .framework = "", .task = ""}))["tasks"].Size(), 1u);
    EXPECT_EQ(parsed(tasksJson(model, {.offset = 5, .framework = "", .task = ""}))["tasks"].Size(), 0u);
    EXPECT_EQ(parsed(tasksJson(model, {.framework = "other", .task = ""}))["tasks"].Size(), 0u);
    const rapidjson::Document one = parsed(tasksJson(model, {.framework = "", .task = "b"}));
    ASSERT_EQ(one["tasks"].Size(), 1u);
    EXPECT_STREQ(one["tasks"][0]["id"].GetString(), "b");
}

} // namespace
} // namespace stoa::master
