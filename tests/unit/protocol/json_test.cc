#include "protocol/codec/json.h"

#include "protocol/codec/framework_messages.h"
#include "protocol/codec/task_body.h"
#include "protocol/schema/framework.capnp.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <limits>

namespace stoa {
namespace {

template <class Kind>
Kind callOf(std::string_view json) {
    const auto call = callFromJson(json);
    EXPECT_TRUE(call.ok()) << call.status();
    if (!call.ok() || !std::holds_alternative<Kind>(call->call)) {
        ADD_FAILURE() << json;
        return {};
    }
    return std::get<Kind>(call->call);
}

std::string refusal(std::string_view json) { return std::string(callFromJson(json).status().message()); }

TEST(CallJson, IsReadInTheShapeOfTheApi) {
    const auto accept = callOf<call::Accept>(R"({
        "framework_id": {"value": "F"}, "type": "ACCEPT",
        "accept": {
            "offer_ids": [{"value": "O1"}, {"value": "O2"}],
            "operations": [{"type": "LAUNCH", "launch": {"task_infos": [{
                "name": "n", "task_id": {"value": "t"}, "agent_id": {"value": "a"},
                "resources": [
                    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
                    {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 31001}]}}],
                "command": {"shell": true, "value": "exit 7",
                            "environment": {"variables": [{"name": "A", "value": "1"}]}},
                "labels": {"labels": [{"key": "k", "value": "v"}]}}]}}],
            "filters": {"refuse_seconds": 2.5}}})");
    EXPECT_EQ(accept.offers, (std::vector{OfferId("O1"), OfferId("O2")}));
    EXPECT_EQ(accept.filters.refuse, std::chrono::milliseconds(2500));
    ASSERT_EQ(accept.launches.size(), 1u);
    EXPECT_EQ(accept.launches[0].resources.toString(), "cpus:0.5;ports:[31000-31001]");
    const auto spec = readTaskBody(accept.launches[0].body);
    ASSERT_TRUE(spec.ok()) << spec.status();
    EXPECT_EQ(spec->command.shell, "exit 7");
    EXPECT_EQ(spec->command.environment.at("A"), "1");
    EXPECT_EQ(spec->labels.at("k"), "v");
}

TEST(CallJson, TakesNullForUnsetAndIgnoresWhatItDoesNotKnow) {
    const auto decline = callOf<call::Decline>(R"({
        "framework_id": {"value": "F", "more": 1}, "type": "DECLINE", "subscribe": null, "new": {"deep": [[[]]]},
        "decline": {"offer_ids": [{"value": "O"}], "filters": {"refuse_seconds": null}}})");
    EXPECT_EQ(decline.filters.refuse, Filters::kDefaultRefuse);
    const auto subscribe = callOf<call::Subscribe>(R"({
        "framework_id": null, "type": "SUBSCRIBE", "subscribe": {"framework_info": {
            "name": "f", "user": "u", "id": null, "failover_timeout": null, "checkpoint": null, "role": null,
            "roles": ["b", "a"], "labels": null, "capabilities": [{"type": "MULTI_ROLE"}, {"type": "FROM_THE_FUTURE"}, {}]}}})");
    EXPECT_EQ(subscribe.info.roles, (std::vector<std::string>{"a", "b"}));
    EXPECT_FALSE(subscribe.info.checkpoint);
}

TEST(CallJson, TakesStringsForNumbersAndBooleans) {
    const auto subscribe = callOf<call::Subscribe>(R"({"type": "SUBSCRIBE", "subscribe": {"framework_info": {
        "name": "f", "user": "u", "failover_timeout": "7.5", "checkpoint": "true"}}})");
    EXPECT_EQ(subscribe.info.failover_timeout, std::chrono::milliseconds(7500));
    EXPECT_TRUE(subscribe.info.checkpoint);
    const auto kill = callOf<call::Kill>(R"({"framework_id": {"value": "F"}, "type": "KILL", "kill": {
        "task_id": {"value": "t"}, "kill_policy": {"grace_period": {"nanoseconds": "5000000000"}}}})");
    EXPECT_EQ(kill.grace, std::chrono::seconds(5));
}

TEST(CallJson, TakesOneValueWhereAListBelongs) {
    const auto decline = callOf<call::Decline>(
        R"({"framework_id": {"value": "F"}, "type": "DECLINE", "decline": {"offer_ids": {"value": "O"}}})");
    EXPECT_EQ(decline.offers, std::vector{OfferId("O")});
    const auto revive =
        callOf<call::Revive>(R"({"framework_id": {"value": "F"}, "type": "REVIVE", "revive": {"roles": "r"}})");
    EXPECT_EQ(revive.roles, std::vector<std::string>{"r"});
}

TEST(CallJson, TakesTheLastOfDuplicateKeys) {
    const auto kill = callOf<call::Kill>(R"({
        "framework_id": {"value": "F"}, "type": "DECLINE", "type": "KILL",
        "kill": {"task_id": {"value": "a"}, "agent_id": {"value": "x"}},
        "kill": {"task_id": {"value": "b", "value": "c"}}})");
    EXPECT_EQ(kill.task, TaskId("c"));
    EXPECT_TRUE(kill.agent.empty());
}

TEST(CallJson, TakesInfiniteSecondsForTheLongest) {
    const auto decline = callOf<call::Decline>(R"({"framework_id": {"value": "F"}, "type": "DECLINE",
        "decline": {"offer_ids": [], "filters": {"refuse_seconds": "Infinity"}}})");
    EXPECT_EQ(decline.filters.refuse, Filters::kLongestRefuse);
    const auto negative = callOf<call::Decline>(R"({"framework_id": {"value": "F"}, "type": "DECLINE",
        "decline": {"offer_ids": [], "filters": {"refuse_seconds": -1}}})");
    EXPECT_EQ(negative.filters.refuse, Filters::kDefaultRefuse);
}

TEST(CallJson, RoundsAmountsToThousandths) {
    const auto task =
        taskInfoFromJson(R"({"name": "n", "task_id": {"value": "t"}, "agent_id": {"value": "a"}, "resources": [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.2004}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}, "role": "*", "reservation": {}}]})");
    ASSERT_TRUE(task.ok()) << task.status();
    EXPECT_EQ(task->resources.scalar(Resources::kCpus).count, 300);
    EXPECT_EQ(task->resources.scalar(Resources::kMem).count, 64'000);
}

TEST(CallJson, SaysWhereItIsWrong) {
    EXPECT_EQ(refusal(R"({"framework_id": {"value": "F"}, "type": "ACCEPT", "accept": {"offer_ids": [{"value": 7}]}})"),
              "accept.offer_ids[0].value: expected a string");
    EXPECT_EQ(refusal(R"({"type": "ACCEPT", "accept": {"offer_ids": [{}]}})"), "accept.offer_ids[0].value: missing");
    EXPECT_EQ(refusal(R"({"type": "ACCEPT", "accept": {"offer_ids": [null]}})"),
              "accept.offer_ids[0]: expected an object");
    EXPECT_EQ(refusal(R"({"type": "ACCEPT", "accept": []})"), "accept: expected an object");
    EXPECT_EQ(refusal(R"([])"), "the message: expected an object");
    EXPECT_EQ(refusal(R"({"type": 3})"), "type: expected a name");
    EXPECT_EQ(refusal(R"({"type": "KILL", "kill": {}})"), "kill.task_id: missing");
    EXPECT_EQ(refusal(R"({"type": "KILL", "kill": {"task_id": {}}})"), "kill.task_id.value: missing");
    EXPECT_EQ(
        refusal(
            R"({"type": "SUBSCRIBE", "subscribe": {"framework_info": {"name": "f", "user": "u", "checkpoint": 1}}})"),
        "subscribe.framework_info.checkpoint: expected true or false");
    EXPECT_EQ(refusal(R"({"type": "ACKNOWLEDGE", "acknowledge": {"agent_id": {"value": "a"}, "task_id": {"value": "t"},
                          "uuid": "not base64!"}})"),
              "acknowledge.uuid: expected base64");
    EXPECT_EQ(refusal(R"({"framework_id": {"value": "F"}, "type": "ACKNOWLEDGE", "acknowledge": {
                          "agent_id": {"value": "a"}, "task_id": {"value": "t"}, "uuid": "QUJD"}})"),
              "call: acknowledge.uuid: has 3 bytes, not 16");
    EXPECT_EQ(refusal(R"({"framework_id": {"value": "F"}, "type": "KILL", "kill": {"task_id": {"value": "a/b"}}})"),
              "call: kill.task_id: \"a/b\" has a slash");
    EXPECT_EQ(refusal(R"({"type": "TEARDOWN"})"), "call: framework_id: missing");
    EXPECT_EQ(refusal(R"({"framework_id": {"value": "F"}, "type": "KILL"})"), "call: kill: missing");
    EXPECT_EQ(refusal(R"({"type": "NONSENSE"})"), "call: type: missing or not known");
}

TEST(CallJson, RefusesWhatIsNoJson) {
    EXPECT_EQ(refusal("{\"type\": \"TEARDOWN\""),
              "not JSON: Missing a comma or '}' after an object member. At byte 19.");
    for (const std::string_view bad : {"", "\xef\xbb\xbf{}", "{} {}", "{}x", "{\"type\": TEARDOWN}", "{'type': 1}",
                                       "{\"a\": \"\xff\"}", "{\"a\": NaN}", "nul", "{\"a\": 1,}"}) {
        EXPECT_TRUE(absl::IsInvalidArgument(callFromJson(bad).status())) << bad;
    }
    EXPECT_NE(refusal(std::string("{}\0{}", 5)).find("NUL"), std::string::npos);
}

TEST(CallJson, KnowsCallsThatAreNotServed) {
    const auto status = [](std::string_view json) { return callFromJson(json).status(); };
    EXPECT_TRUE(absl::IsUnimplemented(status(R"({"framework_id": {"value": "F"}, "type": "REQUEST", "request": {}})")));
    EXPECT_TRUE(absl::IsUnimplemented(status(R"({"framework_id": {"value": "F"}, "type": "UNKNOWN"})")));
    EXPECT_TRUE(absl::IsUnimplemented(status(R"({"framework_id": {"value": "F"}, "type": "ACCEPT", "accept": {
        "offer_ids": [{"value": "O"}], "operations": [{"type": "RESERVE", "reserve": {}}]}})")));
}

TEST(CallJson, IsReadToAnyDepthWithoutTheStack) {
    const std::string deep = "{\"ignored\": " + std::string(3'000'000, '[') + std::string(3'000'000, ']') + "}";
    EXPECT_EQ(refusal(deep), "call: type: missing or not known");
    std::string parents = "{}";
    for (int i = 0; i < 100; ++i) parents = concat("{\"value\": \"c\", \"parent\": ", parents, "}");
    const auto event = eventFromJson(concat(
        R"({"type": "UPDATE", "update": {"status": {"task_id": {"value": "t"}, "state": "TASK_LOST", "container_status": {"container_id": )",
        parents, "}}}}"));
    EXPECT_NE(event.status().message().find("nested too deeply"), absl::string_view::npos) << event.status();
    const std::string large = "\"" + std::string(kMaxMessageBytes, 'x') + "\"";
    EXPECT_TRUE(absl::IsResourceExhausted(callFromJson(large).status()));
}

TEST(CallJson, ReadsUnicodeAsItIsWritten) {
    const auto kill = callOf<call::Kill>(
        R"({"framework_id": {"value": "F"}, "type": "KILL", "kill": {"task_id": {"value": "\u00e9\ud83d\ude00é"}}})");
    EXPECT_EQ(kill.task, TaskId("é😀é"));
    EXPECT_EQ(callFromJson(R"({"type": "KILL", "kill": {"task_id": {"value": "\ud83d"}}})").ok(), false);
}

TEST(EventJson, HasTheShapeOfTheApi) {
    Offer offer;
    offer.id = OfferId("O");
    offer.framework = FrameworkId("F");
    offer.agent = AgentId("A");
    offer.hostname = "h";
    offer.address = {"127.0.0.1", 5051};
    offer.role = "r";
    offer.resources = *Resources::parse("cpus:1.5;mem:64;ports:[31000-32000]");
    EXPECT_EQ(toJson(Event(event::Offers{{offer}})),
              R"({"type":"OFFERS","offers":{"offers":[{"id":{"value":"O"},"framework_id":{"value":"F"},)"
              R"("agent_id":{"value":"A"},"hostname":"h",)"
              R"("url":{"scheme":"http","address":{"hostname":"127.0.0.1","ip":"127.0.0.1","port":5051},"path":""},)"
              R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1.5},"allocation_info":{"role":"r"}},)"
              R"({"name":"mem","type":"SCALAR","scalar":{"value":64.0},"allocation_info":{"role":"r"}},)"
              R"({"name":"ports","type":"RANGES","ranges":{"range":[{"begin":31000,"end":32000}]},)"
              R"("allocation_info":{"role":"r"}}],"allocation_info":{"role":"r"}}]}})");
    EXPECT_EQ(toJson(Event(event::Heartbeat{})), R"({"type":"HEARTBEAT"})");
    EXPECT_EQ(toJson(Event(event::Error{"a/b \"c\"\n"})), R"({"type":"ERROR","error":{"message":"a/b \"c\"\n"}})");
    EXPECT_EQ(toJson(Event(event::Failure{AgentId("A"), ExecutorId("E"), 1792})),
              R"({"type":"FAILURE","failure":{"agent_id":{"value":"A"},"executor_id":{"value":"E"},"status":1792}})");
}

TEST(EventJson, GivesStatusesByTheApisNames) {
    TaskStatus status;
    status.task = TaskId("t");
    status.agent = AgentId("a");
    status.state = TaskState::kGoneByOperator;
    status.source = StatusSource::kAgent;
    status.reason = Reason::kContainerLaunchFailed;
    status.uuid = Uuid{0xff, 0xfe};
    status.timestamp.nanos = 1'500'000'000;
    status.data = std::string("\0\x01\xff", 3);
    EXPECT_EQ(toJson(status), R"({"task_id":{"value":"t"},"state":"TASK_GONE_BY_OPERATOR","source":"SOURCE_AGENT",)"
                              R"("reason":"REASON_CONTAINER_LAUNCH_FAILED","data":"AAH/","agent_id":{"value":"a"},)"
                              R"("timestamp":1.5,"uuid":"//4AAAAAAAAAAAAAAAAAAA=="})");
}

TEST(EventJson, NamesEveryStateAndReasonAsTheTableDoes) {
    for (int i = 0; i < kTaskStates; ++i) {
        TaskStatus status;
        status.task = TaskId("t");
        status.state = static_cast<TaskState>(i);
        EXPECT_NE(toJson(status).find(concat("\"state\":\"", name(status.state), "\"")), std::string::npos);
    }
    for (int i = 1; i < kReasons; ++i) {
        TaskStatus status;
        status.task = TaskId("t");
        status.reason = static_cast<Reason>(i);
        EXPECT_NE(toJson(status).find(concat("\"reason\":\"", name(status.reason), "\"")), std::string::npos);
    }
}

TEST(EventJson, RepairsBytesThatAreNoUtf8) {
    EXPECT_EQ(toJson(Event(event::Error{"a\xff\xc3(é"})),
              "{\"type\":\"ERROR\",\"error\":{\"message\":\"a\uFFFD\uFFFD(é\"}}");
}

TEST(Json, WritesEmptyListsWhereAsked) {
    capnp::MallocMessageBuilder message;
    auto offers = message.initRoot<schema::Event::Offers>();
    std::string left_out;
    std::string written;
    EXPECT_TRUE(appendJson(offers.asReader(), left_out).ok());
    EXPECT_TRUE(appendJson(offers.asReader(), written, EmptyLists::kWrite).ok());
    EXPECT_EQ(left_out, "{}");
    EXPECT_EQ(written, R"({"offers":[]})");
}

TEST(Json, HasMapsAsObjects) {
    capnp::MallocMessageBuilder message;
    auto task = message.initRoot<schema::TaskInfo>();
    ASSERT_TRUE(readJson(R"({"name": "n", "task_id": {"value": "t"}, "agent_id": {"value": "a"},
                             "limits": {"cpus": {"value": 1.5}, "mem": {"value": "Infinity"}}})",
                         task)
                    .ok());
    ASSERT_EQ(task.getLimits().size(), 2u);
    EXPECT_EQ(task.getLimits()[0].getValue().getValue(), 1500);
    EXPECT_EQ(task.getLimits()[1].getValue().getValue(), std::numeric_limits<std::int64_t>::max());
    std::string out;
    ASSERT_TRUE(appendJson(task.asReader(), out).ok());
    EXPECT_EQ(out, R"({"name":"n","task_id":{"value":"t"},"agent_id":{"value":"a"},)"
                   R"("limits":{"cpus":{"value":1.5},"mem":{"value":"Infinity"}}})");
}

TEST(Json, WritesDecimalsExactly) {
    EXPECT_EQ(decimalText(0, 3), "0.0");
    EXPECT_EQ(decimalText(1, 3), "0.001");
    EXPECT_EQ(decimalText(1500, 3), "1.5");
    EXPECT_EQ(decimalText(-1, 3), "-0.001");
    EXPECT_EQ(decimalText(-64'000, 3), "-64.0");
    EXPECT_EQ(decimalText(1'700'000'000'123'456'789, 9), "1700000000.123456789");
    EXPECT_EQ(decimalText(std::numeric_limits<std::int64_t>::min(), 3), "-9223372036854775.808");
}

TEST(Json, ChecksTheRangeOfNumbers) {
    capnp::MallocMessageBuilder message;
    const auto read = [&](std::string_view port) {
        return readJson(concat("{\"port\": ", port, "}"), message.initRoot<schema::Address>());
    };
    EXPECT_TRUE(read("5050").ok());
    EXPECT_TRUE(read("\"5050\"").ok());
    EXPECT_TRUE(read("5e3").ok());
    EXPECT_EQ(message.getRoot<schema::Address>().getPort(), 5000);
    for (const std::string_view bad : {"2147483648", "-2147483649", "1.5", "\"1.5\"", "\"x\"", "true", "[]", "{}",
                                       "1e300", "99999999999999999999"}) {
        EXPECT_FALSE(read(bad).ok()) << bad;
    }
    EXPECT_EQ(read("2147483648").message(), "port: 2147483648 is out of range");
}

} // namespace
} // namespace stoa
