// The doors over real sockets: what peers send becomes inputs or ends their session, what readers ask is answered.
#include "master/doors/answers.h"
#include "master/doors/http_door.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/http/client.h"
#include "tests/unit/master/core_world.h"
#include "tests/unit/master/dialed_door.h"

#include <thread>

namespace stoa::master {
namespace {

class WireDoorTest : public DialedDoor {
protected:
    WireDoorTest() {
        open();
        dial();
    }
};

TEST_F(WireDoorTest, ARegistrationMakesAnAgentsSession) {
    World world;
    const TestAgent agent = world.newAgent(4, 1024);
    dialer_->send(encode(FromAgent(agent_says::Register{agent.info, agent.incarnation, {}, {}})));
    const auto first = std::get<AgentMessage>(next().value());
    EXPECT_EQ(std::get<agent_says::Register>(first.message).info, agent.info);
    dialer_->send(encode(FromAgent(agent_says::Unregister{})));
    EXPECT_TRUE(std::holds_alternative<agent_says::Unregister>(std::get<AgentMessage>(next().value()).message));
}

TEST_F(WireDoorTest, ASubscriptionMakesAFrameworksSession) {
    dialer_->send(encode(AddressedCall{FrameworkId(), call::Subscribe{World::frameworkInfo(), {}}}));
    const auto first = std::get<FrameworkCall>(next().value());
    EXPECT_EQ(std::get<call::Subscribe>(first.call).info, World::frameworkInfo());
    dialer_->send(encode(AddressedCall{FrameworkId("f"), call::Teardown{}}));
    EXPECT_TRUE(std::holds_alternative<call::Teardown>(std::get<FrameworkCall>(next().value()).call));
}

TEST_F(WireDoorTest, AMalformedMessageEndsTheSessionAndIsCounted) {
    dialer_->send(std::string("this is no message at all"));
    EXPECT_TRUE(std::holds_alternative<PeerGone>(next().value()));
    EXPECT_EQ(door_->malformed(), 1u);
    takeUntilGone();
}

TEST_F(WireDoorTest, WhatIsSaidToAPeerArrivesBeforeItsEnd) {
    dialer_->send(encode(AddressedCall{FrameworkId(), call::Subscribe{World::frameworkInfo(), {}}}));
    const Peer peer = std::get<FrameworkCall>(next().value()).peer;
    door_->say(ToFrameworkPeer{peer, event::Error{"no"}});
    door_->say(ClosePeer{peer, "no"});
    takeUntilGone();
    ASSERT_EQ(heard_.size(), 1u);
    EXPECT_EQ(std::get<event::Error>(*decodeEvent(heard_[0])).message, "no");
}

class HttpDoorTest : public testing::Test {
protected:
    HttpDoorTest() {
        door_ = *HttpDoor::start(http::ServerOptions{}, Identity{"m", 1, {"127.0.0.1", 0}, 5052, "0.1.0", {}, {}},
                                 questions_, calls_);
    }
    http::ClientResponse get(const std::string& target) {
        absl::StatusOr<http::ClientResponse> response =
            http::get("http://127.0.0.1:" + std::to_string(door_->port()) + target);
        EXPECT_TRUE(response.ok()) << response.status();
        return response.ok() ? *response : http::ClientResponse{};
    }
    // As get(), with this thread as the state thread.
    http::ClientResponse ask(const std::string& target) {
        http::ClientResponse response;
        std::thread reader([&] { response = get(target); });
        EXPECT_TRUE(readable(questions_.eventFd()));
        questions_.answerAll({world_.master(), world_.now(), {}, door_->counts(), 7, 0, 0, 0});
        reader.join();
        return response;
    }

    World world_;
    Questions questions_;
    HttpCalls calls_;
    std::unique_ptr<HttpDoor> door_;
};

TEST_F(HttpDoorTest, StateShowsWhatTheCoreRevealed) {
    TestAgent agent = world_.agent();
    door_->show(world_.deltas());
    EXPECT_NE(get("/state").body.find(agent.id().value()), std::string::npos);
    EXPECT_NE(get("/master/slaves").body.find(agent.id().value()), std::string::npos);
    EXPECT_EQ(get("/slaves?slave_id=other").body, R"({"slaves":[],"recovered_slaves":[]})");
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_TRUE(get("/version").body.starts_with(R"({"version":"0.1.0",)"));
    EXPECT_EQ(get("/nothing").status, 404);
}

TEST_F(HttpDoorTest, ABadQueryIsRefusedWithTheReason) {
    const http::ClientResponse response = get("/tasks?limit=many");
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(response.body, "limit: \"many\" is not a number of tasks");
    EXPECT_EQ(get("/tasks?order=up").status, 400);
    EXPECT_EQ(get("/tasks?limit=-1").status, 200);
}

TEST_F(HttpDoorTest, FitsSaysWhetherAnyAgentIsLargeEnough) {
    AgentChanged agent;
    agent.info.id = AgentId("S1");
    agent.info.resources = Resources::cpusMem(4, 1024);
    AgentChanged away = agent;
    away.info.id = AgentId("S2");
    away.info.resources = Resources::cpusMem(64, 65536);
    away.state = AgentChanged::State::kUnreachable;
    door_->show({agent, away});
    EXPECT_EQ(get("/api/stoa/fits?resources=cpus:4;mem:1024").body, R"({"fits":true})");
    EXPECT_EQ(get("/api/stoa/fits?resources=cpus:5;mem:1").body, R"({"fits":false})") << "one that is away is none";
    EXPECT_EQ(get("/api/stoa/fits?resources=cpus:many").status, 400);
}

TEST_F(HttpDoorTest, MetricsComeFromTheStateThread) {
    world_.agent();
    const http::ClientResponse response = ask("/metrics");
    EXPECT_NE(response.body.find("stoa_agents{state=\"active\"} 1\n"), std::string::npos) << response.body;
    EXPECT_NE(response.body.find("stoa_agent_registrations_total 1\n"), std::string::npos);
    EXPECT_NE(response.body.find("stoa_store_commits_total 7\n"), std::string::npos);
    EXPECT_NE(response.body.find("# TYPE stoa_agents gauge\n"), std::string::npos);
}

TEST_F(HttpDoorTest, ExplainSaysWhatFallsShort) {
    world_.agent(4, 1024);
    TestFramework framework = world_.framework();
    Demand demand;
    demand.name = "giant";
    demand.shape = Resources::cpusMem(64, 1024);
    demand.count = 1;
    world_.call(framework, call::SetDemands{{demand}});
    const http::ClientResponse response = ask("/api/stoa/explain?framework=" + framework.id().value());
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_NE(response.body.find("\"demand\":\"giant\""), std::string::npos) << response.body;
    EXPECT_NE(response.body.find("needs cpus 64, has 4"), std::string::npos) << response.body;
    EXPECT_EQ(ask("/api/stoa/explain?framework=none").status, 404);
    EXPECT_EQ(ask("/api/stoa/explain?framework=" + framework.id().value() + "&resources=cpus:x").status, 400);
}

} // namespace
} // namespace stoa::master
