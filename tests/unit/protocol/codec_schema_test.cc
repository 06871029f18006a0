// What must hold of the schemas as a whole, now and when fields are added.
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/codec/shape.h"
#include "protocol/codec/task_body.h"
#include "protocol/schema/executor.capnp.h"
#include "protocol/schema/framework.capnp.h"
#include "protocol/strings.h"

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace stoa {
namespace {

using codec::Shape;

// Every struct below, once.
void collect(const Shape& shape, const std::string& name, std::map<const Shape*, std::string>& found) {
    if (!found.emplace(&shape, name).second) return;
    for (const Shape::Field& field : shape.fields()) {
        if (field.shape != nullptr) collect(*field.shape, concat(name, ".", field.name), found);
    }
}

std::map<const Shape*, std::string> apiShapes() {
    std::map<const Shape*, std::string> found;
    collect(Shape::of(capnp::Schema::from<schema::Call>()), "call", found);
    collect(Shape::of(capnp::Schema::from<schema::Event>()), "event", found);
    collect(Shape::of(capnp::Schema::from<schema::ExecutorCall>()), "executor call", found);
    collect(Shape::of(capnp::Schema::from<schema::ExecutorEvent>()), "executor event", found);
    return found;
}

TEST(Schema, NumbersEveryFieldOfTheApisMessagesOnce) {
    const auto shapes = apiShapes();
    EXPECT_GT(shapes.size(), 80u);
    for (const auto& [shape, name] : shapes) {
        std::set<std::uint32_t> numbers;
        for (const Shape::Field& field : shape->fields()) {
            EXPECT_GT(field.number, 0u) << name << "." << field.name;
            EXPECT_TRUE(numbers.insert(field.number).second) << name << "." << field.name << " repeats a number";
            EXPECT_FALSE(field.names != nullptr && field.decimals > 0) << name << "." << field.name;
        }
    }
}

TEST(Schema, BeginsEveryEnumWithUnset) {
    for (const auto& [shape, name] : apiShapes()) {
        for (const Shape::Field& field : shape->fields()) {
            if (field.names == nullptr) continue;
            EXPECT_EQ(field.names->names[0], "") << name << "." << field.name;
            for (std::size_t i = 1; i < field.names->names.size(); ++i) EXPECT_NE(field.names->names[i], "");
        }
    }
}

TEST(Schema, GivesNamesByTheRuleAndWhereItDoesNotHoldByAnnotation) {
    const Shape& task = Shape::of(capnp::Schema::from<schema::TaskInfo>());
    ASSERT_NE(task.named("health_check"), nullptr);
    EXPECT_EQ(task.named("health_check")->number, 8u);
    EXPECT_EQ(task.named("healthCheck"), nullptr);
    EXPECT_EQ(task.named("task_id")->inside, "value");
    EXPECT_TRUE(task.named("task_id")->required);
    const Shape& address = Shape::of(capnp::Schema::from<schema::NetworkInfo::IpAddress>());
    EXPECT_EQ(address.named("protocol")->names->names[1], "IPv4");
    const Shape& scalar = Shape::of(capnp::Schema::from<schema::Resource>());
    EXPECT_EQ(scalar.named("scalar")->decimals, 3);
}

// Messages as they were written when they were first declared. They stay readable: an agent that outlives its master,
// or a store that outlives a version, depends on it.
constexpr const char* kRecordedLaunch =
    "AAAAAEQAAAAAAAAAAQABAAIAAAAAAAAAAAAAAAAAAgAEAAAAAgAIADgAAAAAAAYAAKC4MEYDAAAAAAAAAAAAAB0AAAAaAAAAHQAAADIA"
    "AAAAAAAAAAAAABkAAAAOAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABGMQAAAAAAAGJhdGNoAAAAAQAAABIAAAAqAAAA"
    "AAAAABUAAAAaAAAAFQAAABIAAAAVAAAAGgAAAAAAAAAAAAAAEAAAAAQAAQBFAAAAggYAAHQxAAAAAAAAbgAAAAAAAABBMQAAAAAAAPQB"
    "AAAAAAAAAPoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQAAACcAAAAEAAAAAgACAAAAAAAAAAAAAQAAAAAAAAAFAAAAMgAAAAUAAAAXAAAA"
    "cG9ydHMAAAAEAAAAAgAAABh5AAAAAAAAGXkAAAAAAAAAAAAAGQAAAAAAAAACAA8AAAABAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAkAAAAAQAFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAkAAAA6AAAAAAAAAAAAAAAAAAAAAAAAAGV4"
    "aXQgNwAA";

constexpr const char* kRecordedUpdate =
    "AAAAACAAAAAAAAAAAQABAAEAAAAAAAAAAAAAAAEAAgAIAAAAAAAAAAUAAAAaAAAABAAAAAQACABGMQAAAAAAAAgAAgAJAAAAAAAqNv6c"
    "lxcqAAAAAAAAANIEAAAAAAAAHQAAABoAAAAdAAAAGgAAAAAAAAAAAAAAGQAAAHIAAAAdAAAAggAAACEAAABKAAAAJAAAAAMAAQAAAAAA"
    "AAAAAHQxAAAAAAAAQTEAAAAAAABvdXQgb2YgbWVtb3J5AAAAAQIDAAAAAAAAAAAAAAAAAG9jaS9jcnVuAAAAAAAAAAABAAAAAAAAAEBC"
    "DwAAAAAAAAAABAAAAAAAAAAAAQAAAAkAAAAAAAAA";

constexpr const char* kRecordedCall =
    "AAAAAEEAAAAAAAAAAQASABMAAAAAAAAARQAAABoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAQAAAAAAAEARjEAAAAAAAABAAAALwAAAAQAAAABAAQAAwAAAAAAAAANAAAAEgAAAA0AAAASAAAADQAAANcAAAB9AAAAHwAAAGQA"
    "AAAAAAAAKgAAAAAAAAAIAAAAAgALAAEAAQAAAAAA6AMAAAAAAABdAAAAKgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQABAAAAAAAA+gAAAAAAAC0AAAAiAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABjcHVz"
    "AAAAAG1lbQAAAAAABAAAAAEAAgACAAAAAAAAAAUAAAAqAAAABQAAABIAAAByYWNrAAAAAGEAAAAAAAAA";

std::string_view bytesOf(const char* base64, std::string& out) {
    EXPECT_TRUE(absl::Base64Unescape(base64, &out));
    return out;
}

TEST(RecordedMessages, OfAMasterAreStillRead) {
    std::string bytes;
    const auto launch = decodeToAgent(bytesOf(kRecordedLaunch, bytes));
    ASSERT_TRUE(launch.ok()) << launch.status();
    const auto& said = std::get<master_says::Launch>(*launch);
    EXPECT_EQ(said.framework.id, FrameworkId("F1"));
    EXPECT_EQ(said.framework.roles, std::vector<std::string>{"*"});
    EXPECT_EQ(said.framework.failover_timeout, std::chrono::hours(1));
    EXPECT_EQ(said.task.id, TaskId("t1"));
    EXPECT_EQ(said.task.resources.toString(), "cpus:0.5;mem:64;ports:[31000-31001]");
    const auto spec = readTaskBody(said.task.body);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->command.shell, "exit 7");
    EXPECT_EQ(spec->attempt, 2u);
}

TEST(RecordedMessages, OfAnAgentAreStillRead) {
    std::string bytes;
    const auto update = decodeFromAgent(bytesOf(kRecordedUpdate, bytes));
    ASSERT_TRUE(update.ok()) << update.status();
    const auto& said = std::get<agent_says::StatusUpdate>(*update);
    EXPECT_EQ(said.status.state, TaskState::kFailed);
    EXPECT_EQ(said.status.reason, Reason::kContainerLimitationMemory);
    EXPECT_EQ(said.status.outcome.wait_status, 9);
    EXPECT_EQ(said.latest, TaskState::kFailed);
}

TEST(RecordedMessages, OfASchedulerAreStillRead) {
    std::string bytes;
    const auto call = decodeCall(bytesOf(kRecordedCall, bytes));
    ASSERT_TRUE(call.ok()) << call.status();
    const auto& said = std::get<call::SetDemands>(call->call);
    ASSERT_EQ(said.demands.size(), 1u);
    EXPECT_EQ(said.demands[0].count, 3u);
    EXPECT_EQ(toString(said.demands[0].constraints.at(0)), "rack!=a");
}

} // namespace
} // namespace stoa
