// The operator's side of the HTTP door: the v1 calls that only look, the stream of events without a gap, and the GETs
// with the keys that tools know from Mesos.
#include "tests/unit/master/api_world.h"

#include <map>
#include <set>

namespace stoa::master {
namespace {

using Json = rapidjson::Value;

constexpr char kInfo[] = R"({"user":"u","name":"f","failover_timeout":60})";

rapidjson::Document parsed(const std::string& json) {
    rapidjson::Document document;
    document.Parse(json.c_str(), json.size());
    EXPECT_FALSE(document.HasParseError()) << json;
    return document;
}

rapidjson::Document answerOf(ApiWorld& api, const std::string& type) {
    const ApiResponse response = api.post("/api/v1", concat(R"({"type":")", type, R"("})"));
    EXPECT_EQ(response.status, 200) << response.body;
    return parsed(response.body);
}

// "slaves[].id": every place in the document that has a value, as a path.
void paths(const Json& json, const std::string& at, std::set<std::string>& out) {
    if (!at.empty()) out.insert(at);
    if (json.IsObject()) {
        for (const auto& member : json.GetObject()) {
            paths(member.value, concat(at, at.empty() ? "" : ".", member.name.GetString()), out);
        }
    } else if (json.IsArray()) {
        for (const auto& element : json.GetArray()) paths(element, at + "[]", out);
    }
}

// What a real Mesos's answer always had of these, and ours has not.
std::string missing(const Json& json, const std::vector<std::string>& expected) {
    std::set<std::string> there;
    paths(json, "", there);
    std::string lacking;
    for (const std::string& each : expected) {
        if (!there.contains(each)) lacking += each + " ";
    }
    return lacking;
}

std::vector<std::string> below(const std::string& at, const std::vector<std::string>& keys) {
    std::vector<std::string> all;
    all.reserve(keys.size());
    for (const std::string& each : keys) all.push_back(at + each);
    return all;
}

// A cluster with a bit of everything: a task that runs, one that ended, an offer, a framework that is gone.
class Lively : public testing::Test {
protected:
    Lively() {
        TestAgent first = api.world.newAgent(4, 1024);
        first.info.resources = *Resources::parse("cpus:4;mem:1024;disk:100;ports:[31000-31009]");
        first.info.attributes = {{"rack", std::string("r1")}};
        api.world.registerAgent(first);
        agent = first;
        framework = api.world.framework();
        api.world.run(agent, framework, "runs");
        gone = api.world.framework();
        api.world.call(gone, call::Teardown{});
        const Uuid uuid = [&] {
            api.world.pass(std::chrono::seconds(6));
            const Offer offer = api.world.offersTo(framework).back();
            api.world.accept(framework, offer, {api.world.task("ended", offer, 1, 64)});
            return api.world.update(agent, framework.id(), "ended", TaskState::kFinished);
        }();
        api.world.call(framework, call::Acknowledge{agent.id(), TaskId("ended"), uuid});
        api.world.pass(std::chrono::seconds(6));
    }
    ApiWorld api;
    TestAgent agent;
    TestFramework framework;
    TestFramework gone;
};

// ---- GETs, key by key --------------------------------------------------------------------------------------------

const std::vector<std::string> kTaskKeys = {"id",
                                            "name",
                                            "framework_id",
                                            "executor_id",
                                            "slave_id",
                                            "state",
                                            "resources",
                                            "resources.cpus",
                                            "role",
                                            "statuses",
                                            "resources.mem",
                                            "resources.disk",
                                            "resources.gpus",
                                            "statuses[].state",
                                            "statuses[].timestamp"};
const std::vector<std::string> kAgentKeys = {"active",
                                             "attributes",
                                             "capabilities",
                                             "deactivated",
                                             "hostname",
                                             "id",
                                             "pid",
                                             "port",
                                             "resources",
                                             "offered_resources",
                                             "registered_time",
                                             "reserved_resources",
                                             "version",
                                             "unreserved_resources",
                                             "used_resources",
                                             "resources.cpus",
                                             "resources.mem",
                                             "resources.disk",
                                             "resources.gpus",
                                             "resources.ports",
                                             "used_resources.cpus",
                                             "offered_resources.cpus"};
const std::vector<std::string> kFrameworkKeys = {"active",
                                                 "capabilities",
                                                 "capabilities[]",
                                                 "checkpoint",
                                                 "completed_tasks",
                                                 "connected",
                                                 "executors",
                                                 "failover_timeout",
                                                 "hostname",
                                                 "id",
                                                 "name",
                                                 "offer_constraints",
                                                 "offered_resources",
                                                 "offers",
                                                 "recovered",
                                                 "registered_time",
                                                 "resources",
                                                 "tasks",
                                                 "unreachable_tasks",
                                                 "unregistered_time",
                                                 "used_resources",
                                                 "user",
                                                 "webui_url"};

TEST_F(Lively, StateHasTheKeysOfMesos) {
    const rapidjson::Document state = parsed(api.request("GET", "/state").body);
    EXPECT_EQ(missing(state, {"activated_slaves",
                              "build_date",
                              "build_time",
                              "build_user",
                              "capabilities",
                              "completed_frameworks",
                              "deactivated_slaves",
                              "elected_time",
                              "flags",
                              "frameworks",
                              "git_sha",
                              "hostname",
                              "id",
                              "leader",
                              "leader_info",
                              "leader_info.hostname",
                              "leader_info.id",
                              "leader_info.pid",
                              "leader_info.port",
                              "orphan_tasks",
                              "pid",
                              "recovered_slaves",
                              "slaves",
                              "start_time",
                              "unreachable_slaves",
                              "unregistered_frameworks",
                              "version"}),
              "");
    EXPECT_EQ(missing(state, below("slaves[].", kAgentKeys)), "");
    EXPECT_EQ(missing(state, below("frameworks[].", kFrameworkKeys)), "");
    EXPECT_EQ(missing(state, below("completed_frameworks[].", {"id", "name", "tasks", "completed_tasks"})), "");
    EXPECT_EQ(missing(state, below("frameworks[].tasks[].", kTaskKeys)), "");
    EXPECT_EQ(missing(state, below("frameworks[].completed_tasks[].", kTaskKeys)), "");
    EXPECT_EQ(missing(state, below("frameworks[].offers[].", {"id", "framework_id", "slave_id", "resources",
                                                              "allocation_info", "allocation_info.role"})),
              "");
    EXPECT_FALSE(state["slaves"][0].HasMember("used_resources_full"));
    EXPECT_STREQ(state["slaves"][0]["resources"]["ports"].GetString(), "[31000-31009]");
    EXPECT_EQ(api.request("GET", "/state.json").status, 404);
}

TEST_F(Lively, TheSmallerGetsHaveTheKeysOfMesos) {
    const auto get = [&](const std::string& path) { return parsed(api.request("GET", path).body); };
    EXPECT_EQ(missing(get("/slaves"), below("slaves[].", kAgentKeys)), "");
    EXPECT_EQ(
        missing(get("/slaves"),
                below("slaves[].", {"used_resources_full", "used_resources_full[].name", "used_resources_full[].role",
                                    "used_resources_full[].type", "used_resources_full[].allocation_info.role",
                                    "offered_resources_full", "unreserved_resources_full", "reserved_resources_full"})),
        "");
    EXPECT_EQ(missing(get("/tasks"), below("tasks[].", kTaskKeys)), "");
    EXPECT_EQ(missing(get("/frameworks"), below("frameworks[].", kFrameworkKeys)), "");
    EXPECT_EQ(missing(get("/roles"), below("roles[].", {"name", "weight", "frameworks", "resources", "allocated",
                                                        "offered", "reserved", "quota", "quota.role", "quota.consumed",
                                                        "quota.guarantee", "quota.limit", "allocated.cpus"})),
              "");
    const rapidjson::Document summary = get("/state-summary");
    EXPECT_EQ(missing(summary, {"hostname", "slaves", "frameworks"}), "");
    for (const char* state : {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_FINISHED",
                              "TASK_KILLED", "TASK_FAILED", "TASK_LOST", "TASK_ERROR", "TASK_UNREACHABLE"}) {
        EXPECT_TRUE(summary["slaves"][0].HasMember(state)) << state;
        EXPECT_TRUE(summary["frameworks"][0].HasMember(state)) << state;
    }
    EXPECT_EQ(summary["slaves"][0]["TASK_RUNNING"].GetInt(), 1);
    EXPECT_EQ(summary["slaves"][0]["TASK_FINISHED"].GetInt(), 1);
    EXPECT_EQ(missing(summary, {"slaves[].framework_ids[]", "frameworks[].slave_ids[]"}), "");
    EXPECT_EQ(missing(get("/version"), {"version", "build_date", "build_time", "build_user", "git_sha"}), "");
    EXPECT_EQ(missing(get("/flags"), {"flags"}), "");
    const rapidjson::Document metrics = get("/metrics/snapshot?timeout=5secs");
    for (const char* name : {"master/elected",
                             "master/uptime_secs",
                             "master/cpus_total",
                             "master/cpus_used",
                             "master/cpus_percent",
                             "master/mem_total",
                             "master/disk_total",
                             "master/gpus_total",
                             "master/slaves_active",
                             "master/slaves_inactive",
                             "master/slaves_connected",
                             "master/slaves_disconnected",
                             "master/frameworks_active",
                             "master/tasks_running",
                             "master/tasks_finished",
                             "master/tasks_failed",
                             "master/tasks_lost",
                             "master/tasks_staging",
                             "master/outstanding_offers",
                             "system/load_1min",
                             "system/cpus_total",
                             "system/mem_total_bytes"}) {
        ASSERT_TRUE(metrics.HasMember(name)) << name;
        EXPECT_TRUE(metrics[name].IsNumber()) << name;
    }
    EXPECT_EQ(metrics["master/tasks_running"].GetDouble(), 1);
    EXPECT_EQ(metrics["master/cpus_used"].GetDouble(), 1);
}

TEST_F(Lively, PathsPrefixesAndFiltersAreThoseOfMesos) {
    const auto get = [&](const std::string& path) { return api.request("GET", path); };
    EXPECT_EQ(parsed(get("/master/slaves/" + agent.id().value()).body)["slaves"].Size(), 1u);
    EXPECT_EQ(parsed(get("/slaves/none").body)["slaves"].Size(), 0u);
    EXPECT_EQ(parsed(get("/slaves/?slave_id=" + agent.id().value()).body)["slaves"].Size(), 1u);
    EXPECT_EQ(parsed(get("/tasks/?limit=1").body)["tasks"].Size(), 1u);
    EXPECT_EQ(parsed(get("/tasks?limit=-1").body)["tasks"].Size(), 2u);
    EXPECT_EQ(parsed(get("/tasks?task_id=ended&_ts=1").body)["tasks"].Size(), 1u);
    EXPECT_EQ(parsed(get("/tasks?framework_id=none").body)["tasks"].Size(), 0u);
    EXPECT_EQ(parsed(get("/frameworks?framework_id=" + framework.id().value()).body)["frameworks"].Size(), 1u);
    EXPECT_EQ(get("/version/x").status, 404);
    EXPECT_EQ(api.request("POST", "/version").status, 200); // GETs are not checked for their method
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(get("/health").body, "");
    EXPECT_EQ(get("/redirect").status, 307);
    EXPECT_EQ(get("/redirect").header("Location"), concat("//127.0.0.1:", api.port()));
}

TEST_F(Lively, JsonIsWrappedIntoACallWhenAsked) {
    const ApiResponse wrapped = api.request("GET", "/version?jsonp=angular.callbacks._1");
    EXPECT_EQ(wrapped.header("Content-Type"), "text/javascript");
    EXPECT_TRUE(wrapped.body.starts_with("angular.callbacks._1({")) << wrapped.body;
    EXPECT_TRUE(wrapped.body.ends_with("});"));
    EXPECT_EQ(api.request("GET", "/version?jsonp=alert(1)//").status, 400);
}

TEST_F(Lively, WhatIsLongIsCompressedWhenAsked) {
    const ApiResponse plain = api.request("GET", "/state");
    const ApiResponse zipped = api.request("GET", "/state", "Accept-Encoding: deflate, gzip\r\n");
    EXPECT_EQ(zipped.header("Content-Encoding"), "gzip");
    EXPECT_LT(zipped.body.size(), plain.body.size());
    EXPECT_TRUE(zipped.body.starts_with("\x1f\x8b"));
    EXPECT_EQ(api.request("GET", "/version", "Accept-Encoding: gzip\r\n").header("Content-Encoding"), "");
    EXPECT_EQ(api.request("GET", "/state", "Accept-Encoding: gzip;q=0\r\n").header("Content-Encoding"), "");
}

// ---- The operator API --------------------------------------------------------------------------------------------

TEST_F(Lively, CallsThatLookAreAnswered) {
    EXPECT_TRUE(answerOf(api, "GET_HEALTH")["get_health"]["healthy"].GetBool());
    EXPECT_EQ(
        missing(answerOf(api, "GET_AGENTS"),
                below("get_agents.",
                      {"agents", "recovered_agents", "agents[].agent_info.hostname", "agents[].agent_info.id.value",
                       "agents[].agent_info.port", "agents[].agent_info.resources[].scalar.value", "agents[].active",
                       "agents[].agent_info.resources[].ranges.range[].begin", "agents[].deactivated", "agents[].pid",
                       "agents[].version", "agents[].registered_time.nanoseconds", "agents[].capabilities",
                       "agents[].total_resources[].role", "agents[].allocated_resources[].name",
                       "agents[].offered_resources[].allocation_info.role"})),
        "");
    EXPECT_EQ(missing(answerOf(api, "GET_FRAMEWORKS"),
                      below("get_frameworks.",
                            {"frameworks", "completed_frameworks", "frameworks[].active", "frameworks[].connected",
                             "frameworks[].recovered", "frameworks[].framework_info.id.value",
                             "frameworks[].framework_info.user", "frameworks[].framework_info.capabilities[].type",
                             "frameworks[].registered_time.nanoseconds", "frameworks[].offer_constraints",
                             "frameworks[].reregistered_time.nanoseconds", "frameworks[].offers[].hostname",
                             "frameworks[].offers[].url.address.port", "frameworks[].allocated_resources[].role"})),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_TASKS"),
                      below("get_tasks.", {"tasks", "completed_tasks", "unreachable_tasks", "tasks[].agent_id.value",
                                           "tasks[].framework_id.value", "tasks[].name", "tasks[].state",
                                           "tasks[].task_id.value", "tasks[].resources[].allocation_info.role",
                                           "tasks[].status_update_state", "tasks[].statuses[].source",
                                           "tasks[].statuses[].task_id.value", "tasks[].statuses[].timestamp"})),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_STATE")["get_state"],
                      {"get_agents.agents", "get_tasks.tasks", "get_frameworks.frameworks", "get_executors.executors"}),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_MASTER")["get_master"],
                      {"elected_time", "start_time", "master_info.address.ip", "master_info.address.port",
                       "master_info.capabilities[].type", "master_info.hostname", "master_info.id", "master_info.ip",
                       "master_info.pid", "master_info.port", "master_info.version"}),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_VERSION")["get_version"], {"version_info.version", "version_info.git_sha"}),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_ROLES")["get_roles"],
                      {"roles[].name", "roles[].weight", "roles[].frameworks[].value", "roles[].resources[].name"}),
              "");
    EXPECT_EQ(missing(answerOf(api, "GET_METRICS")["get_metrics"], {"metrics[].name", "metrics[].value"}), "");
    EXPECT_TRUE(answerOf(api, "GET_FLAGS")["get_flags"]["flags"].IsArray());
    EXPECT_EQ(api.post("/api/v1", R"({"type":"GET_QUOTA"})").body, R"({"type":"GET_QUOTA","get_quota":{"status":{}}})");
    EXPECT_EQ(api.post("/api/v1", R"({"type":"GET_OPERATIONS"})").body,
              R"({"type":"GET_OPERATIONS","get_operations":{}})");
}

TEST_F(Lively, CallsAreCheckedInTheOrderOfTheApi) {
    EXPECT_EQ(api.request("GET", "/api/v1").status, 405);
    EXPECT_EQ(api.request("POST", "/api/v1", "", "x").status, 400);
    EXPECT_EQ(api.request("POST", "/api/v1", "Content-Type: application/x-protobuf\r\n", "x").status, 415);
    EXPECT_EQ(api.post("/api/v1", "x", "Accept: text/html\r\n").status, 400);
    EXPECT_EQ(api.post("/api/v1", std::string(100'000, '[')).status, 400);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"GET_HEALTH"})", "Accept: text/html\r\n").status, 406);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"GET_HEALTH"})", "Accept: text/html, application/*;q=0.1\r\n").status,
              200);
    EXPECT_EQ(api.post("/api/v1/operator/", R"({"type":"GET_HEALTH","type":null,"type":"GET_HEALTH"})").status, 200);
    EXPECT_EQ(api.post("/api/v1", "{}").status, 400);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"NO_SUCH_CALL"})").status, 400);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"UNKNOWN"})").status, 501);
    EXPECT_EQ(api.post("/api/v1", R"({"type":"MARK_AGENT_GONE"})").status, 501);
}

// ---- The stream --------------------------------------------------------------------------------------------------

TEST_F(Lively, AFollowerSeesTheWholeStateAndThenEachChange) {
    ApiStream stream = api.open("/api/v1", R"({"type":"SUBSCRIBE"})");
    EXPECT_EQ(stream.response().status, 200);
    const rapidjson::Document first = stream.next();
    EXPECT_STREQ(first["type"].GetString(), "SUBSCRIBED");
    const Json& state = first["subscribed"]["get_state"];
    EXPECT_EQ(state["get_tasks"]["tasks"].Size(), 1u);
    EXPECT_EQ(state["get_tasks"]["completed_tasks"].Size(), 1u);
    EXPECT_EQ(state["get_agents"]["agents"].Size(), 1u);
    EXPECT_EQ(first["subscribed"]["heartbeat_interval_seconds"].GetDouble(), 15.0);
    EXPECT_STREQ(stream.next()["type"].GetString(), "HEARTBEAT");

    TestAgent second = api.world.agent(2, 512);
    EXPECT_STREQ(stream.next()["agent_added"]["agent"]["agent_info"]["id"]["value"].GetString(),
                 second.id().value().c_str());
    TestFramework another = api.world.framework();
    EXPECT_STREQ(stream.next()["framework_added"]["framework"]["framework_info"]["id"]["value"].GetString(),
                 another.id().value().c_str());
    const Offer offer = api.world.offersTo(framework).back();
    api.world.accept(framework, offer, {api.world.task("new", offer, 1, 64)});
    const TestAgent& at = offer.agent == second.id() ? second : agent;
    const rapidjson::Document added = stream.next();
    EXPECT_EQ(missing(added, below("task_added.task.", {"agent_id.value", "framework_id.value", "name", "state",
                                                        "task_id.value", "resources[].allocation_info.role"})),
              "");
    api.world.update(at, framework.id(), "new", TaskState::kRunning);
    const rapidjson::Document updated = stream.next();
    EXPECT_EQ(missing(updated, below("task_updated.",
                                     {"framework_id.value", "state", "status.agent_id.value", "status.source",
                                      "status.state", "status.task_id.value", "status.timestamp", "status.uuid"})),
              "");
    EXPECT_STREQ(updated["task_updated"]["state"].GetString(), "TASK_RUNNING");
    api.world.call(another, call::Teardown{});
    EXPECT_STREQ(stream.next("FRAMEWORK_REMOVED")["framework_removed"]["framework_info"]["id"]["value"].GetString(),
                 another.id().value().c_str());
    api.world.gone(second.peer);
    EXPECT_FALSE(stream.next("AGENT_ADDED")["agent_added"]["agent"]["active"].GetBool());
    api.world.pass(std::chrono::seconds(80));
    EXPECT_STREQ(stream.next("AGENT_REMOVED")["agent_removed"]["agent_id"]["value"].GetString(),
                 second.id().value().c_str());
}

TEST_F(Lively, OffersAreToldToWhoAsksForThem) {
    ApiStream with = api.open("/api/v1", R"({"type":"SUBSCRIBE","subscribe":{"offers":true}})");
    ApiStream without = api.open("/api/v1", R"({"type":"SUBSCRIBE"})");
    EXPECT_STREQ(with.next()["type"].GetString(), "SUBSCRIBED");
    EXPECT_STREQ(without.next()["type"].GetString(), "SUBSCRIBED");
    api.world.agent(2, 512);
    EXPECT_STREQ(with.next("OFFER_ADDED")["offer_added"]["offer"]["framework_id"]["value"].GetString(),
                 framework.id().value().c_str());
    api.world.call(framework, call::Teardown{});
    EXPECT_FALSE(with.next("OFFER_REMOVED").ObjectEmpty());
    for (rapidjson::Document record = without.next();; record = without.next()) {
        const std::string type = record["type"].GetString();
        EXPECT_EQ(type.find("OFFER"), std::string::npos);
        if (type == "FRAMEWORK_REMOVED") break;
    }
}

// The copy that a follower makes of the events, and what GET_STATE says, are the same: nothing lies between.
TEST(OperatorStream, SnapshotAndEventsLeaveNoGap) {
    ApiWorld api;
    TestAgent agent = api.world.agent(64, 65536);
    TestFramework framework = api.world.framework();
    struct Follower {
        ApiStream stream;
        std::map<std::string, std::string> tasks;
    };
    std::vector<Follower> followers;
    const auto read = [](Follower& follower, const rapidjson::Document& record) {
        const std::string type = record["type"].GetString();
        if (type == "SUBSCRIBED") {
            for (const Json& task : record["subscribed"]["get_state"]["get_tasks"]["tasks"].GetArray()) {
                follower.tasks[task["task_id"]["value"].GetString()] = task["state"].GetString();
            }
        } else if (type == "TASK_ADDED") {
            const Json& task = record["task_added"]["task"];
            EXPECT_TRUE(follower.tasks.emplace(task["task_id"]["value"].GetString(), task["state"].GetString()).second);
        } else if (type == "TASK_UPDATED") {
            const Json& update = record["task_updated"];
            const auto task = follower.tasks.find(update["status"]["task_id"]["value"].GetString());
            ASSERT_NE(task, follower.tasks.end());
            task->second = update["state"].GetString();
            if (task->second == "TASK_FINISHED") follower.tasks.erase(task);
        }
    };
    for (int i = 0; i < 20; ++i) {
        const std::string id = "t" + std::to_string(i);
        api.world.pass(std::chrono::seconds(6));
        const Offer offer = api.world.offersTo(framework).back();
        api.world.accept(framework, offer, {api.world.task(id, offer, 1, 64)});
        if (i % 3 == 0) followers.push_back({api.open("/api/v1", R"({"type":"SUBSCRIBE"})"), {}});
        api.world.update(agent, framework.id(), id, TaskState::kRunning);
        if (i % 2 == 0) {
            const Uuid uuid = api.world.update(agent, framework.id(), id, TaskState::kFinished);
            api.world.call(framework, call::Acknowledge{agent.id(), TaskId(id), uuid});
        }
    }
    api.world.agent(1, 64); // the last event
    for (Follower& follower : followers) {
        for (;;) {
            const rapidjson::Document record = follower.stream.next();
            ASSERT_FALSE(record.ObjectEmpty());
            if (std::string_view(record["type"].GetString()) == "AGENT_ADDED" && !follower.tasks.empty() &&
                std::string_view(record["agent_added"]["agent"]["agent_info"]["id"]["value"].GetString()) !=
                    agent.id().value()) {
                break;
            }
            read(follower, record);
        }
        EXPECT_EQ(follower.tasks.size(), 10u);
        for (const auto& [id, state] : follower.tasks) EXPECT_EQ(state, "TASK_RUNNING") << id;
    }
}

TEST(OperatorStream, AThousandStalledReadersDontGrowTheMaster) {
    http::ServerOptions serving;
    serving.stream_queue_bytes = std::size_t{256} << 10;
    ApiWorld api(serving);
    TestAgent agent = api.world.agent(64, 65536);
    std::vector<http::RawClient> stalled;
    const std::string body = R"({"type":"SUBSCRIBE"})";
    for (int i = 0; i < 1000; ++i) {
        stalled.emplace_back(api.port());
        const int little = 4096;
        ::setsockopt(stalled.back().fd(), SOL_SOCKET, SO_RCVBUF, &little, sizeof little);
        stalled.back().say(concat("POST /api/v1 HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ",
                                  body.size(), "\r\n\r\n", body));
    }
    while (api.door().counts().streams < 1000) std::this_thread::yield();
    ApiStream reader = api.open("/api/v1", body);
    EXPECT_STREQ(reader.next()["type"].GetString(), "SUBSCRIBED");
    TestFramework framework = api.world.framework();
    const auto resident = [] {
        std::ifstream statm("/proc/self/statm");
        std::size_t all = 0, in_memory = 0;
        statm >> all >> in_memory;
        return in_memory * 4096;
    };
    // Events of 60 kB: a few fill a reader's queue, and more than a hundred times as much passes.
    FrameworkInfo info = framework.info;
    info.id = framework.id();
    info.webui_url = std::string(60'000, 'w');
    const std::size_t before = resident();
    std::size_t most = 0;
    std::size_t after_fifty = 0;
    std::size_t passed = 0;
    for (int i = 0; i < 500; ++i) {
        info.labels["turn"] = std::to_string(i);
        api.door().show({FrameworkChanged{info, true, {}}}); // the world would keep them all
        EXPECT_STREQ(reader.next("FRAMEWORK_UPDATED")["type"].GetString(), "FRAMEWORK_UPDATED");
        passed += info.webui_url.size();
        most = std::max(most, resident());
        if (i == 50) after_fifty = most;
    }
    EXPECT_GE(passed, 100 * serving.stream_queue_bytes);
    // What is on its way to a socket is each reader's own; what waits behind it is there once for all of them.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) // these keep what was freed, or more beside it
    EXPECT_LT(most, before + 1000 * (std::size_t{256} << 10));
    EXPECT_LE(most, after_fifty + (std::size_t{8} << 20));
#endif
    std::cout << "1000 stalled readers, " << (passed >> 20)
              << " MiB of events past each: " << ((most - std::min(most, before)) >> 20) << " MiB at most, of which "
              << ((most - after_fifty) >> 10) << " KiB after the first tenth\n";
    EXPECT_LE(api.door().counts().streams, 1u); // all that did not read are cut off
}

} // namespace
} // namespace stoa::master
