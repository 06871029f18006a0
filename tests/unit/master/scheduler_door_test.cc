// The v1 scheduler API, over HTTP and to the core: who may say what, in which order it is checked, and what is heard.
#include "tests/unit/master/api_world.h"

namespace stoa::master {
namespace {

constexpr char kInfo[] = R"({"user":"u","name":"f","failover_timeout":60})";
constexpr char kModern[] = R"({"user":"u","name":"f","failover_timeout":60,"roles":["web"],"capabilities":[
    {"type":"MULTI_ROLE"},{"type":"PARTITION_AWARE"},{"type":"RESERVATION_REFINEMENT"},{"type":"SOMETHING_NEWER"}]})";

std::string acceptOf(const rapidjson::Document& offers, const std::string& task, const std::string& resources) {
    const rapidjson::Value& offer = offers["offers"]["offers"][0];
    return concat(R"("accept":{"offer_ids":[{"value":")", offer["id"]["value"].GetString(),
                  R"("}],"operations":{"type":"LAUNCH","launch":{"task_infos":[{"name":"t","task_id":{"value":")", task,
                  R"("},"agent_id":)", R"({"value":")", offer["agent_id"]["value"].GetString(), R"("},"resources":)",
                  resources, R"(,"command":{"value":"true"}}]}},"filters":null})");
}
constexpr char kOneCpu[] = R"([{"name":"cpus","type":"SCALAR","scalar":{"value":"1"}}])";

TEST(SchedulerDoor, ASubscriberHearsThatItIsAndAHeartbeatAtOnce) {
    ApiWorld api;
    ApiStream stream =
        api.open("/api/v1/scheduler", concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", kInfo, "}}"));
    EXPECT_EQ(stream.response().status, 200);
    EXPECT_EQ(stream.response().header("Transfer-Encoding"), "chunked");
    EXPECT_EQ(stream.response().header("Content-Type"), "application/json");
    EXPECT_FALSE(stream.id().empty());
    EXPECT_LE(stream.id().size(), 128u);
    const rapidjson::Document told = stream.next();
    EXPECT_STREQ(told["type"].GetString(), "SUBSCRIBED");
    EXPECT_EQ(told["subscribed"]["heartbeat_interval_seconds"].GetDouble(), 15.0);
    EXPECT_TRUE(told["subscribed"]["master_info"].HasMember("version"));
    EXPECT_STREQ(stream.next()["type"].GetString(), "HEARTBEAT");
    api.world.pass(std::chrono::seconds(15));
    EXPECT_STREQ(stream.next()["type"].GetString(), "HEARTBEAT");
}

TEST(SchedulerDoor, ATasksWholeLifeGoesOverHttp) {
    ApiWorld api;
    TestAgent agent = api.world.agent(4, 1024);
    ApiStream stream = api.subscribe(kModern);
    const rapidjson::Document offers = stream.next("OFFERS");
    EXPECT_EQ(api.call(stream, "ACCEPT", acceptOf(offers, "t1", kOneCpu)).status, 202);
    EXPECT_EQ(api.world.heardOne<master_says::Launch>(agent).task.id, TaskId("t1"));
    api.world.update(agent, FrameworkId(stream.framework), "t1", TaskState::kRunning);
    const rapidjson::Document update = stream.next("UPDATE");
    const rapidjson::Value& status = update["update"]["status"];
    EXPECT_STREQ(status["state"].GetString(), "TASK_RUNNING");
    EXPECT_STREQ(status["executor_id"]["value"].GetString(), "t1"); // a command task's executor bears its name
    EXPECT_EQ(api.call(stream, "ACKNOWLEDGE",
                       concat(R"("acknowledge":{"agent_id":{"value":")", agent.id().value(),
                              R"("},"task_id":{"value":"t1"},"uuid":")", status["uuid"].GetString(), "\"}"))
                  .status,
              202);
    EXPECT_EQ(api.world.heard<master_says::AcknowledgeUpdate>(agent).size(), 1u);
    EXPECT_EQ(api.call(stream, "KILL", R"("kill":{"task_id":{"value":"t1"},"agent_id":null})").status, 202);
    EXPECT_EQ(api.world.heard<master_says::Kill>(agent).size(), 1u);
    EXPECT_EQ(api.call(stream, "RECONCILE", R"("reconcile":{"tasks":[]})").status, 202);
    EXPECT_STREQ(stream.next("UPDATE")["update"]["status"]["reason"].GetString(), "REASON_RECONCILIATION");
    const ApiResponse torn = api.call(stream, "TEARDOWN");
    EXPECT_EQ(torn.status, 202);
    EXPECT_EQ(torn.header("Content-Length"), "0");
    EXPECT_TRUE(stream.ended());
    EXPECT_TRUE(api.world.closed(kFirstHttpPeer + 1));
}

TEST(SchedulerDoor, ChecksComeInTheOrderOfTheApi) {
    ApiWorld api;
    ApiStream stream = api.subscribe(kInfo);
    const std::string mine = concat(R"({"framework_id":{"value":")", stream.framework, R"("},"type":"REVIVE"})");
    const std::string good = concat("Mesos-Stream-Id: ", stream.id(), "\r\n");
    const auto post = [&](const std::string& body, const std::string& headers = {}) {
        return api.post("/api/v1/scheduler", body, headers).status;
    };
    // Method, before anything else.
    const ApiResponse get = api.request("GET", "/api/v1/scheduler", "Content-Type: text/plain\r\n");
    EXPECT_EQ(get.status, 405);
    EXPECT_EQ(get.header("Allow"), "POST");
    // The body's type, before the body.
    EXPECT_EQ(api.request("POST", "/api/v1/scheduler", "", "no json").status, 400);
    EXPECT_EQ(api.request("POST", "/api/v1/scheduler", "Content-Type: application/x-protobuf\r\n", "no json").status,
              415);
    EXPECT_EQ(
        api.request("POST", "/api/v1/scheduler", "Content-Type: application/json; charset=utf-8\r\n", mine).status,
        415);
    // The body, before what the client accepts, and before who says it.
    EXPECT_EQ(post("no json", "Accept: text/html\r\n"), 400);
    EXPECT_EQ(post(R"({"type":"SUBSCRIBE"})", "Accept: text/html\r\n"), 400);
    EXPECT_EQ(post(R"({"type":"NO_SUCH_CALL"})"), 400);
    EXPECT_EQ(post(R"({"framework_id":{"value":"x"}})"), 400);
    EXPECT_EQ(post(R"({"framework_id":{"value":"x"},"type":"UNKNOWN"})"), 501);
    EXPECT_EQ(post(mine + " more"), 400);
    EXPECT_EQ(post("\xef\xbb\xbf" + mine), 400);
    EXPECT_EQ(post(R"({"type":5})"), 400);
    // Accept is SUBSCRIBE's alone.
    const std::string subscribe = concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", kInfo, "}}");
    EXPECT_EQ(post(subscribe, "Accept: text/html\r\n" + good), 406);
    EXPECT_EQ(post(mine, "Accept: text/html\r\n" + good), 202);
    EXPECT_EQ(post(subscribe, good), 400);
    // The framework, then the stream.
    EXPECT_EQ(post(R"({"framework_id":{"value":"x"},"type":"REVIVE"})", good), 400);
    EXPECT_EQ(post(mine), 400);
    EXPECT_EQ(post(mine, "Mesos-Stream-Id: another\r\n"), 400);
    EXPECT_EQ(post(mine, good), 202);
    EXPECT_EQ(api.post("/master/api/v1/scheduler/", mine, good).status, 202);
    stream.leave();
    api.workOnce();
    EXPECT_EQ(post(mine, good), 403);
}

TEST(SchedulerDoor, AFrameworkOfANativeDriverIsNotSubscribedHere) {
    ApiWorld api;
    TestFramework native = api.world.framework();
    EXPECT_EQ(api.post("/api/v1/scheduler",
                       concat(R"({"framework_id":{"value":")", native.id().value(), R"("},"type":"REVIVE"})"),
                       "Mesos-Stream-Id: x\r\n")
                  .status,
              403);
}

TEST(SchedulerDoor, AnInfoThatCantBeIsToldOnTheStream) {
    ApiWorld api;
    for (const std::string info :
         {R"({"user":"u","name":"f","role":"/web"})", R"({"user":"u","name":"f","roles":["a","b"]})",
          R"({"user":"u","name":"f","failover_timeout":-1})"}) {
        ApiStream stream =
            api.open("/api/v1/scheduler", concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", info, "}}"));
        EXPECT_EQ(stream.response().status, 200) << info;
        EXPECT_STREQ(stream.next()["type"].GetString(), "ERROR") << info;
        EXPECT_TRUE(stream.ended()) << info;
    }
}

TEST(SchedulerDoor, ASecondStreamReplacesTheFirst) {
    ApiWorld api;
    ApiStream first = api.subscribe(kInfo);
    ApiStream second = api.subscribe(
        concat(R"({"user":"u","name":"f","id":{"value":")", first.framework, R"("},"failover_timeout":60})"),
        first.framework);
    EXPECT_EQ(second.framework, first.framework);
    EXPECT_FALSE(first.next("ERROR").ObjectEmpty());
    EXPECT_TRUE(first.ended());
    EXPECT_EQ(api.call(first, "REVIVE").status, 400); // the stream is another's
    EXPECT_EQ(api.call(second, "REVIVE").status, 202);
}

TEST(SchedulerDoor, WhoNeverReadsIsCutOffAndItsFrameworkDisconnected) {
    ApiWorld api;
    http::RawClient client(api.port());
    const int little = 4096;
    ::setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
    const std::string body = concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", kInfo, "}}");
    client.say(concat("POST /api/v1/scheduler HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ",
                      body.size(), "\r\n\r\n", body));
    api.workOnce();
    ASSERT_EQ(api.world.master().frameworks().active(), 1u);
    const FrameworkId id = api.world.master().frameworks().all().begin()->second->id();
    TestAgent agent = api.world.agent(4, 1024);
    // A hundred times what may wait for a reader.
    const std::string megabyte(1 << 20, 'x');
    std::size_t most = 0;
    for (int i = 0; i < 400; ++i) {
        api.world.agentSays(agent, agent_says::ToFramework{id, ExecutorId("e"), megabyte});
        most = std::max(most, api.door().counts().stream_bytes);
        if (api.streams() == 1) api.work();
    }
    while (api.streams() > 0) api.workOnce();
    EXPECT_LE(most, std::size_t{8} << 20);
    EXPECT_EQ(api.world.master().frameworks().active(), 0u);
}

// ---- What a scheduler's capabilities change ----------------------------------------------------------------------

TEST(SchedulerDoor, OffersAreInTheFormThatTheSchedulerReads) {
    ApiWorld api;
    api.world.agent(4, 1024);
    ApiStream old = api.subscribe(kInfo);
    rapidjson::Document told = old.next("OFFERS");
    const rapidjson::Value& offer = told["offers"]["offers"][0];
    EXPECT_FALSE(offer.HasMember("allocation_info"));
    EXPECT_FALSE(offer.HasMember("attributes")); // empty lists are left out
    for (const auto& resource : offer["resources"].GetArray()) {
        EXPECT_STREQ(resource["role"].GetString(), "*");
        EXPECT_FALSE(resource.HasMember("allocation_info"));
    }
    EXPECT_EQ(api.call(old, "DECLINE",
                       concat(R"("decline":{"offer_ids":[{"value":")", offer["id"]["value"].GetString(),
                              R"("}],"filters":{"refuse_seconds":1e9}})"))
                  .status,
              202);
    ApiStream modern = api.subscribe(kModern);
    told = modern.next("OFFERS");
    const rapidjson::Value& newer = told["offers"]["offers"][0];
    EXPECT_STREQ(newer["allocation_info"]["role"].GetString(), "web");
    for (const auto& resource : newer["resources"].GetArray()) {
        EXPECT_FALSE(resource.HasMember("role"));
        EXPECT_STREQ(resource["allocation_info"]["role"].GetString(), "web");
    }
}

TEST(SchedulerDoor, WhoKnowsNoPartitionsHearsThatTasksAreLost) {
    for (const bool aware : {false, true}) {
        ApiWorld api;
        TestAgent agent = api.world.agent(4, 1024);
        std::string info(aware ? kModern : kInfo);
        info.insert(1, R"("checkpoint":true,)");
        ApiStream stream = api.subscribe(info);
        EXPECT_EQ(api.call(stream, "ACCEPT", acceptOf(stream.next("OFFERS"), "t1", kOneCpu)).status, 202);
        api.world.update(agent, FrameworkId(stream.framework), "t1", TaskState::kRunning);
        EXPECT_STREQ(stream.next("UPDATE")["update"]["status"]["state"].GetString(), "TASK_RUNNING");
        api.world.gone(agent.peer);
        api.world.pass(std::chrono::seconds(80));
        const rapidjson::Document update = stream.next("UPDATE");
        EXPECT_STREQ(update["update"]["status"]["state"].GetString(), aware ? "TASK_UNREACHABLE" : "TASK_LOST");
        EXPECT_STREQ(update["update"]["status"]["reason"].GetString(), "REASON_AGENT_REMOVED");
        EXPECT_FALSE(update["update"]["status"].HasMember("uuid"));
        EXPECT_EQ(api.call(stream, "RECONCILE", R"("reconcile":{"tasks":[{"task_id":{"value":"never"}}]})").status,
                  202);
    }
}

// ---- The form of events, and hostile bodies ---------------------------------------------------------------------

// Whether the path, with [0] for each element of a list, is there.
bool has(const rapidjson::Value& json, std::string_view path) {
    const rapidjson::Value* at = &json;
    for (const std::string_view part : split(path, '.')) {
        const bool list = part.ends_with("[]");
        const std::string name(part.substr(0, part.size() - (list ? 2 : 0)));
        if (!at->IsObject() || !at->HasMember(name.c_str())) return false;
        at = &(*at)[name.c_str()];
        if (list && (!at->IsArray() || at->Empty())) return false;
        if (list) at = &(*at)[0];
    }
    return true;
}

std::string lacking(const rapidjson::Value& json, const std::vector<std::string>& paths) {
    std::string missing;
    for (const std::string& path : paths) {
        if (!has(json, path)) missing += path + " ";
    }
    return missing;
}

TEST(SchedulerDoor, EventsHaveTheKeysOfMesos) {
    ApiWorld api;
    TestAgent agent = api.world.newAgent(4, 1024);
    agent.info.resources = *Resources::parse("cpus:4;mem:1024;ports:[31000-31009]");
    api.world.registerAgent(agent);
    ApiStream stream =
        api.open("/api/v1/scheduler", concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", kModern, "}}"));
    const rapidjson::Document told = stream.next("SUBSCRIBED");
    EXPECT_EQ(
        lacking(told["subscribed"], {"framework_id.value", "heartbeat_interval_seconds", "master_info.address.hostname",
                                     "master_info.address.ip", "master_info.address.port",
                                     "master_info.capabilities[].type", "master_info.hostname", "master_info.id",
                                     "master_info.ip", "master_info.pid", "master_info.port", "master_info.version"}),
        "");
    stream.framework = told["subscribed"]["framework_id"]["value"].GetString();
    const rapidjson::Document heartbeat = stream.next("HEARTBEAT");
    EXPECT_EQ(heartbeat.MemberCount(), 1u);
    const rapidjson::Document offers = stream.next("OFFERS");
    EXPECT_EQ(
        lacking(offers["offers"],
                {"offers[].agent_id.value", "offers[].allocation_info.role", "offers[].framework_id.value",
                 "offers[].hostname", "offers[].id.value", "offers[].resources[].name", "offers[].resources[].type",
                 "offers[].resources[].scalar.value", "offers[].resources[].allocation_info.role",
                 "offers[].url.scheme", "offers[].url.address.hostname", "offers[].url.address.ip",
                 "offers[].url.address.port", "offers[].url.path"}),
        "");
    const rapidjson::Value& ports = offers["offers"]["offers"][0]["resources"][2];
    EXPECT_STREQ(ports["type"].GetString(), "RANGES");
    EXPECT_EQ(lacking(ports, {"ranges.range[].begin", "ranges.range[].end"}), "");
    EXPECT_EQ(api.call(stream, "ACCEPT", acceptOf(offers, "t1", kOneCpu)).status, 202);
    api.world.update(agent, FrameworkId(stream.framework), "t1", TaskState::kRunning);
    EXPECT_EQ(lacking(stream.next("UPDATE")["update"],
                      {"status.agent_id.value", "status.executor_id.value", "status.source", "status.state",
                       "status.task_id.value", "status.timestamp", "status.uuid"}),
              "");
    EXPECT_EQ(api.call(stream, "RECONCILE", R"("reconcile":{"tasks":[{"task_id":{"value":"t1"}}]})").status, 202);
    EXPECT_EQ(lacking(stream.next("UPDATE")["update"],
                      {"status.agent_id.value", "status.message", "status.reason", "status.source", "status.state",
                       "status.task_id.value", "status.timestamp"}),
              "");
    api.world.agentSays(agent, agent_says::ToFramework{FrameworkId(stream.framework), ExecutorId("e"), "bytes"});
    const rapidjson::Document message = stream.next("MESSAGE");
    EXPECT_EQ(lacking(message["message"], {"agent_id.value", "executor_id.value", "data"}), "");
    EXPECT_STREQ(message["message"]["data"].GetString(), "Ynl0ZXM=");
    api.world.pass(std::chrono::seconds(6)); // until what is left is offered again
    EXPECT_FALSE(stream.next("OFFERS").ObjectEmpty());
    api.world.gone(agent.peer);
    const rapidjson::Document rescind = stream.next("RESCIND");
    ASSERT_FALSE(rescind.ObjectEmpty());
    EXPECT_EQ(lacking(rescind["rescind"], {"offer_id.value"}), "");
    api.world.pass(std::chrono::seconds(80));
    const rapidjson::Document failure = stream.next("FAILURE");
    ASSERT_FALSE(failure.ObjectEmpty());
    EXPECT_EQ(lacking(failure["failure"], {"agent_id.value"}), "");
    EXPECT_EQ(failure["failure"].MemberCount(), 1u);
}

TEST(SchedulerDoor, NoBodyStopsItWhateverItHolds) {
    ApiWorld api;
    api.world.agent(4, 1024);
    ApiStream stream = api.subscribe(kModern);
    const rapidjson::Document offers = stream.next("OFFERS");
    const std::string mine = concat(R"({"framework_id":{"value":")", stream.framework, R"("},"type":")");
    const std::vector<std::string> calls = {
        concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":)", kModern, "}}"),
        concat(mine, R"(ACCEPT",)", acceptOf(offers, "t1", kOneCpu), "}"),
        concat(mine, R"(DECLINE","decline":{"offer_ids":[{"value":"o"}],"filters":{"refuse_seconds":1e300}}})"),
        concat(
            mine,
            R"(ACKNOWLEDGE","acknowledge":{"agent_id":{"value":"a"},"task_id":{"value":"t"},"uuid":"AAAAAAAAAAAAAAAAAAAAAA=="}})"),
        concat(mine, R"(UPDATE_FRAMEWORK","update_framework":{"framework_info":)", kModern, "}}"),
        concat(mine, R"(RECONCILE","reconcile":{"tasks":[{"task_id":{"value":"t1"},"agent_id":{"value":"a"}}]}})"),
        R"({"type":"KILL_TASK","kill_task":{"framework_id":{"value":"f"},"task_id":{"value":"t"}}})"};
    const std::vector<std::string> pieces = {"{",
                                             "}",
                                             "[",
                                             "]",
                                             "\"",
                                             "\\u0000",
                                             "null",
                                             "1e999",
                                             "-1",
                                             ",",
                                             ":",
                                             std::string(1, '\0'),
                                             "\xff",
                                             R"({"value":{}})",
                                             std::string(70'000, '['),
                                             std::string(5'000, 'x')};
    Rng rng(7);
    for (int i = 0; i < 1500; ++i) {
        std::string body = calls[rng.below(calls.size())];
        for (std::uint64_t change = rng.below(4); change > 0; --change) {
            const std::size_t at = rng.below(body.size());
            switch (rng.below(4)) {
            case 0: body[at] = static_cast<char>(rng.below(256)); break;
            case 1: body.erase(at, 1 + rng.below(20)); break;
            case 2: body.insert(at, pieces[rng.below(pieces.size())]); break;
            default: body.insert(at, body.substr(rng.below(body.size()), rng.below(40))); break;
            }
            if (body.empty()) body = "{";
        }
        const std::string target = rng.below(4) == 0 ? "/api/v1" : "/api/v1/scheduler";
        const std::string headers = rng.below(2) == 0 ? concat("Mesos-Stream-Id: ", stream.id(), "\r\n") : "";
        // Whatever it is, it is answered; a stream is left at once.
        const ApiStream answered = api.open(target, body, headers);
        EXPECT_GE(answered.response().status, 200) << body;
    }
    while (api.door().counts().connections > 1) std::this_thread::yield();
    api.work();
    const std::size_t held = api.door().counts().body_bytes;
    EXPECT_EQ(held, 0u);
    ApiStream another = api.subscribe(kModern);
    EXPECT_EQ(api.call(another, "TEARDOWN").status, 202);
}

// ---- UPDATE_FRAMEWORK --------------------------------------------------------------------------------------------

TEST(SchedulerDoor, AnUpdateOfTheFrameworkIsAllOrNothing) {
    ApiWorld api;
    ApiStream stream = api.subscribe(kModern);
    const auto update = [&](const std::string& info) {
        return api.call(stream, "UPDATE_FRAMEWORK", concat(R"("update_framework":{"framework_info":)", info, "}"));
    };
    const std::string id = concat(R"("id":{"value":")", stream.framework, R"("},)");
    const auto name = [&] { return api.world.master().frameworks().find(FrameworkId(stream.framework))->info.name; };
    EXPECT_EQ(update(concat("{", id, R"("user":"u","name":"g"})")).status, 200);
    EXPECT_EQ(name(), "g");
    EXPECT_EQ(api.world.stored<FrameworkStored>().back().info.name, "g");
    const ApiResponse other_user = update(concat("{", id, R"("user":"root","name":"h"})"));
    EXPECT_EQ(other_user.status, 400);
    EXPECT_NE(other_user.body.find("user"), std::string::npos);
    EXPECT_EQ(update(concat("{", id, R"("user":"u","name":"h","checkpoint":true})")).status, 400);
    EXPECT_EQ(update(concat("{", id, R"("user":"u","name":"h","principal":"p"})")).status, 400);
    EXPECT_EQ(update(concat("{", id, R"("user":"u","name":"h","role":"a//b"})")).status, 400);
    EXPECT_EQ(update(R"({"id":{"value":"other"},"user":"u","name":"h"})").status, 400);
    EXPECT_EQ(name(), "g");
}

TEST(SchedulerDoor, RolesAndCapabilitiesChangeAtOnce) {
    ApiWorld api;
    api.world.agent(4, 1024);
    ApiStream stream = api.subscribe(kModern);
    const rapidjson::Document first = stream.next("OFFERS");
    const ApiResponse done = api.call(stream, "UPDATE_FRAMEWORK",
                                      R"("update_framework":{"framework_info":{"user":"u","name":"f","role":"db"}})");
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_STREQ(stream.next("RESCIND")["rescind"]["offer_id"]["value"].GetString(),
                 first["offers"]["offers"][0]["id"]["value"].GetString());
    const rapidjson::Document second = stream.next("OFFERS");
    EXPECT_FALSE(second["offers"]["offers"][0].HasMember("allocation_info"));
    EXPECT_EQ(api.world.master().offers().all().begin()->second->offer.role, "db");
}

// ---- Operators ---------------------------------------------------------------------------------------------------

TEST(SchedulerDoor, AnOperatorKillsATaskAndTearsAFrameworkDown) {
    ApiWorld api;
    TestAgent agent = api.world.agent(4, 1024);
    ApiStream stream = api.subscribe(kModern);
    EXPECT_EQ(api.call(stream, "ACCEPT", acceptOf(stream.next("OFFERS"), "t1", kOneCpu)).status, 202);
    const auto ids = [&](const std::string& task) {
        return concat(R"({"framework_id":{"value":")", stream.framework, R"("},"task_id":{"value":")", task, R"("}})");
    };
    EXPECT_EQ(api.post("/api/v1", concat(R"({"type":"KILL_TASK","kill_task":)", ids("t1"), "}")).status, 200);
    EXPECT_EQ(api.world.heard<master_says::Kill>(agent).size(), 1u);
    EXPECT_EQ(api.post("/api/v1", concat(R"({"type":"KILL_TASK","kill_task":)", ids("t2"), "}")).status, 404);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"TEARDOWN","teardown":{"framework_id":{"value":"none"}}})").status, 400);
    EXPECT_EQ(api.request("POST", "/teardown", "Content-Type: application/x-www-form-urlencoded\r\n",
                          "frameworkId=" + stream.framework)
                  .status,
              200);
    EXPECT_FALSE(stream.next("ERROR").ObjectEmpty());
    EXPECT_TRUE(stream.ended());
    EXPECT_EQ(api.world.heard<master_says::ShutdownFramework>(agent).size(), 1u);
}

} // namespace
} // namespace stoa::master
