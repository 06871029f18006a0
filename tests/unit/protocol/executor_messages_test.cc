#include "protocol/codec/executor_info.h"
#include "protocol/codec/executor_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/http/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

ExecutorSpec shells() {
    ExecutorSpec spec;
    spec.id = ExecutorId("shells");
    spec.name = "some shells";
    spec.command.argv = {"/opt/shells", "-v"};
    spec.resources = Resources::cpusMem(0.5, 64);
    spec.shutdown_grace = 7s;
    spec.data = "executor's";
    return spec;
}
TaskInfo taskOf(const ExecutorSpec& executor, const TaskSpec& spec = {}) {
    TaskInfo task;
    task.id = TaskId("t");
    task.name = "a task";
    task.agent = AgentId("a");
    task.executor = executor.id;
    task.resources = Resources::cpusMem(1, 32);
    task.body = makeTaskBody(spec, executor);
    return task;
}
const FrameworkId kFramework("f");

TEST(ExecutorInfos, AreReadFromTheTaskThatCarriesThem) {
    TaskSpec spec;
    spec.data = "task's";
    spec.kill_grace = 4s;
    const TaskInfo task = taskOf(shells(), spec);
    const absl::StatusOr<ExecutorInfo> info = readTaskExecutor(kFramework, task);
    ASSERT_TRUE(info.ok()) << info.status();
    EXPECT_EQ(info->id, ExecutorId("shells"));
    EXPECT_EQ(info->name, "some shells");
    EXPECT_EQ(info->resources, Resources::cpusMem(0.5, 64));
    EXPECT_EQ(taskData(task), "task's");
    EXPECT_EQ(executorData(*info), "executor's");
    EXPECT_EQ(readKillGrace(task.body), 4s);
    const absl::StatusOr<TaskSpec> launched = readExecutorBody(*info);
    ASSERT_TRUE(launched.ok()) << launched.status();
    EXPECT_THAT(launched->command.argv, ElementsAre("/opt/shells", "-v"));
    EXPECT_EQ(launched->kill_grace, 7s);
}

TEST(ExecutorInfos, WithTheSameContentAreTheSameHoweverTheyCame) {
    const TaskInfo native = taskOf(shells());
    const absl::StatusOr<TaskInfo> json = taskInfoFromJson(toJson(native));
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_EQ(*readTaskExecutor(kFramework, native), *readTaskExecutor(kFramework, *json));
    ExecutorSpec other = shells();
    other.data = "another's";
    EXPECT_FALSE(*readTaskExecutor(kFramework, native) == *readTaskExecutor(kFramework, taskOf(other)));
}

TEST(ExecutorInfos, ThatCannotBeLaunchedAreRefusedWithAReason) {
    const auto refusal = [](const std::string& json) {
        const absl::StatusOr<TaskInfo> task = taskInfoFromJson(json);
        if (!task.ok()) return task.status();
        return readTaskExecutor(kFramework, *task).status();
    };
    const std::string task = R"({"name":"t","task_id":{"value":"t"},"agent_id":{"value":"a"},"executor":)";
    EXPECT_THAT(std::string(refusal(task + R"({"executor_id":{"value":"e"}}})").message()), HasSubstr("command"));
    EXPECT_THAT(
        std::string(refusal(task + R"({"executor_id":{"value":"e"},"command":{"value":"x"}},"command":{"value":"y"}})")
                        .message()),
        HasSubstr("has no command of its own"));
    EXPECT_THAT(
        std::string(
            refusal(task + R"({"type":"DEFAULT","executor_id":{"value":"e"},"command":{"value":"x"}}})").message()),
        HasSubstr("default executor"));
    EXPECT_THAT(
        std::string(
            refusal(task + R"({"executor_id":{"value":"e"},"framework_id":{"value":"g"},"command":{"value":"x"}}})")
                .message()),
        HasSubstr("another framework"));
    EXPECT_TRUE(
        refusal(task + R"({"executor_id":{"value":"e"},"framework_id":{"value":"f"},"command":{"value":"x"}}})").ok());
}

const char kUpdate[] = R"({"framework_id":{"value":"f"},"executor_id":{"value":"e"},"type":"UPDATE","update":{"status":
    {"task_id":{"value":"t"},"state":"STATE","source":"SOURCE_EXECUTOR","uuid":"AAECAwQFBgcICQoLDA0ODw=="}}})";

std::string with(std::string text, const std::string& what, const std::string& by) {
    text.replace(text.find(what), what.size(), by);
    return text;
}

TEST(ExecutorCalls, AnUpdateNeedsAUuidItsOwnSourceAndAStateThatIsAnExecutorsToSay) {
    const std::string good = with(kUpdate, "STATE", "TASK_RUNNING");
    const absl::StatusOr<ExecutorCall> call = executorCallFromJson(good);
    ASSERT_TRUE(call.ok()) << call.status();
    const TaskStatus& status = std::get<executor_call::Update>(call->call).status;
    EXPECT_EQ(status.state, TaskState::kRunning);
    EXPECT_EQ(status.executor, ExecutorId("e"));
    for (const auto& [what, by] : {std::pair("TASK_RUNNING", "TASK_STAGING"),
                                   {"TASK_RUNNING", "TASK_GONE"},
                                   {"SOURCE_EXECUTOR", "SOURCE_AGENT"},
                                   {"\"uuid\"", "\"uui\""},
                                   {"\"state\"", "\"executor_id\":{\"value\":\"other\"},\"state\""}}) {
        EXPECT_TRUE(absl::IsInvalidArgument(executorCallFromJson(with(good, what, by)).status())) << by;
    }
}

TEST(ExecutorCalls, ASubscribeWithoutItsBodyIsRefused) {
    const std::string head = R"({"framework_id":{"value":"f"},"executor_id":{"value":"e"},"type":"SUBSCRIBE")";
    EXPECT_TRUE(absl::IsInvalidArgument(executorCallFromJson(head + "}").status()));
    EXPECT_TRUE(executorCallFromJson(head + R"(,"subscribe":{}})").ok());
}

TEST(ExecutorCalls, AreWhatTheyWereAfterJson) {
    executor_call::Subscribe subscribe;
    subscribe.unacknowledged_tasks = {taskOf(shells())};
    TaskStatus status;
    status.task = TaskId("t");
    status.executor = ExecutorId("shells");
    status.state = TaskState::kFinished;
    status.source = StatusSource::kExecutor;
    status.uuid = Uuid{1, 2, 3};
    status.message = "done";
    status.data = std::string("\0\xff", 2);
    subscribe.unacknowledged_updates = {status};
    const auto call = executorCallFromJson(toJson(ExecutorCall{kFramework, ExecutorId("shells"), subscribe}));
    ASSERT_TRUE(call.ok()) << call.status();
    const auto& read = std::get<executor_call::Subscribe>(call->call);
    EXPECT_EQ(read.unacknowledged_updates.front(), status);
    EXPECT_EQ(*readTaskExecutor(kFramework, read.unacknowledged_tasks.front()),
              *readTaskExecutor(kFramework, subscribe.unacknowledged_tasks.front()));
}

TEST(ExecutorEvents, HaveTheShapeOfTheApi) {
    const ExecutorInfo info = *readTaskExecutor(kFramework, taskOf(shells()));
    FrameworkInfo framework;
    framework.id = kFramework;
    AgentInfo agent;
    agent.id = AgentId("a1");
    agent.hostname = "host";
    agent.address = {"host", 5051};
    const std::string subscribed = toJson(ExecutorEvent(executor_event::Subscribed{info, framework, agent, "run"}));
    EXPECT_THAT(subscribed, HasSubstr(R"("type":"SUBSCRIBED")"));
    EXPECT_THAT(subscribed, HasSubstr(R"("executor_id":{"value":"shells"})"));
    EXPECT_THAT(subscribed, HasSubstr(R"("container_id":{"value":"run"})"));
    EXPECT_THAT(subscribed, HasSubstr(R"("port":5051)"));
    EXPECT_THAT(toJson(ExecutorEvent(executor_event::Kill{TaskId("t"), 3s})),
                HasSubstr(R"("kill_policy":{"grace_period":{"nanoseconds":3000000000}})"));
    EXPECT_EQ(toJson(ExecutorEvent(executor_event::Shutdown{})), R"({"type":"SHUTDOWN"})");
    EXPECT_THAT(toJson(ExecutorEvent(executor_event::Message{"hi"})), HasSubstr(R"("data":"aGk=")"));
    const auto read = executorEventFromJson(subscribed);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(executorData(std::get<executor_event::Subscribed>(*read).executor), "executor's");
}

TEST(ExecutorEvents, ALaunchGroupIsRefusedAsNotServed) {
    const auto event = executorEventFromJson(R"({"type":"LAUNCH_GROUP","launch_group":{"task_group":{"tasks":[]}}})");
    EXPECT_TRUE(absl::IsUnimplemented(event.status())) << event.status();
}

TEST(Records, ComeOutWholeHoweverTheyAreCut) {
    const std::string stream = http::asRecord("one") + http::asRecord("") + http::asRecord("two\nthree");
    for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        http::RecordReader reader;
        std::vector<std::string> records;
        for (std::size_t at = 0; at < stream.size(); at += cut) {
            ASSERT_TRUE(reader.feed(std::string_view(stream).substr(at, cut)));
            for (std::string& record : reader.take()) records.push_back(std::move(record));
        }
        EXPECT_THAT(records, ElementsAre("one", "", "two\nthree")) << cut;
    }
}

TEST(Records, WhatIsNoStreamOfThemIsRefused) {
    EXPECT_FALSE(http::RecordReader().feed("<html>"));
    EXPECT_FALSE(http::RecordReader().feed("\n"));
    EXPECT_FALSE(http::RecordReader().feed("99999999999999999999\n"));
}

} // namespace
} // namespace stoa
