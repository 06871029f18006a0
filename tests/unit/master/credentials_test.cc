// A master with credentials: who may say what at its two doors, and whose frameworks are whose.
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/http/gate.h"
#include "protocol/wire/curve.h"
#include "tests/unit/master/api_world.h"
#include "tests/unit/master/dialed_door.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

namespace stoa::master {
namespace {

// Principals "agent", "framework", "other" (a framework, too) and "operator".
class Known {
public:
    Known() {
        const KeyPair master = newKeyPair();
        Credentials own{"", master.secret, master.public_key, "", {}};
        for (const auto& [name, right] :
             {std::pair("agent", Right::kAgent), std::pair("framework", Right::kFramework),
              std::pair("other", Right::kFramework), std::pair("operator", Right::kOperator)}) {
            const KeyPair keys = newKeyPair();
            clients_.push_back(
                std::make_shared<Credentials>(Credentials{name, keys.secret, keys.public_key, master.public_key, {}}));
            own.admitted.push_back({name, keys.public_key, static_cast<std::uint8_t>(right)});
        }
        masters_ = std::make_shared<Credentials>(std::move(own));
    }
    const SharedCredentials& masters() const { return masters_; }
    SharedCredentials client(std::string_view name) const {
        for (const SharedCredentials& one : clients_) {
            if (one->principal == name) return one;
        }
        return nullptr;
    }
    std::string header(std::string_view name) const {
        return concat("Authorization: ", http::basicAuthorization(*client(name)), "\r\n");
    }

private:
    SharedCredentials masters_;
    std::vector<SharedCredentials> clients_;
};

class CredentialsAtTheWireDoor : public DialedDoor {
protected:
    CredentialsAtTheWireDoor() { open(known_.masters()); }
    void dial(std::string_view principal) { DialedDoor::dial(known_.client(principal)); }
    void subscribe(std::string principal) {
        FrameworkInfo info = World::frameworkInfo();
        info.principal = std::move(principal);
        dialer_->send(encode(AddressedCall{FrameworkId(), call::Subscribe{info, {}}}));
    }
    // What is said to whoever is turned away.
    std::string lastWords() {
        takeUntilGone();
        return heard_.empty() ? "" : heard_.front();
    }

    const Known known_;
};

TEST_F(CredentialsAtTheWireDoor, AFrameworksPrincipalIsFilledIn) {
    dial("framework");
    subscribe("");
    const std::optional<Input> input = next();
    ASSERT_TRUE(input);
    EXPECT_EQ(std::get<call::Subscribe>(std::get<FrameworkCall>(*input).call).info.principal, "framework");
}

TEST_F(CredentialsAtTheWireDoor, AFrameworkThatNamesAnotherPrincipalIsRefused) {
    dial("framework");
    subscribe("other");
    const std::optional<Input> input = next();
    EXPECT_TRUE(!input || std::holds_alternative<PeerGone>(*input));
    const absl::StatusOr<Event> event = decodeEvent(lastWords());
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_THAT(std::get<event::Error>(*event).message, testing::HasSubstr("names \"other\""));
}

TEST_F(CredentialsAtTheWireDoor, AnAgentsCredentialRegistersNoFramework) {
    dial("agent");
    subscribe("");
    EXPECT_FALSE(next());
    const absl::StatusOr<Event> event = decodeEvent(lastWords());
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_THAT(std::get<event::Error>(*event).message, testing::HasSubstr("\"agent\" is not one of a framework"));
}

TEST_F(CredentialsAtTheWireDoor, AFrameworksCredentialRegistersNoAgent) {
    World world;
    const TestAgent agent = world.newAgent(4, 1024);
    dial("framework");
    dialer_->send(encode(FromAgent(agent_says::Register{agent.info, agent.incarnation, {}, {}})));
    EXPECT_FALSE(next());
    const absl::StatusOr<ToAgent> told = decodeToAgent(lastWords());
    ASSERT_TRUE(told.ok()) << told.status();
    EXPECT_THAT(std::get<master_says::Refused>(*told).reason, testing::HasSubstr("is not one of an agent"));
}

TEST_F(CredentialsAtTheWireDoor, AnAgentsCredentialRegistersAnAgent) {
    World world;
    const TestAgent agent = world.newAgent(4, 1024);
    dial("agent");
    dialer_->send(encode(FromAgent(agent_says::Register{agent.info, agent.incarnation, {}, {}})));
    const std::optional<Input> input = next();
    ASSERT_TRUE(input);
    EXPECT_TRUE(std::holds_alternative<AgentMessage>(*input));
}

TEST(CredentialsAtTheHttpDoor, GateEveryPathByWhatThePrincipalMay) {
    const Known known;
    ApiWorld api({}, known.masters());
    const auto get = [&](std::string_view path, const std::string& headers) {
        return api.request("GET", path, headers).status;
    };
    for (const std::string_view path :
         {"/state", "/master/state", "/", "/web/app.js", "/flags", "/api/stoa/events", "/none"}) {
        EXPECT_EQ(get(path, ""), 401) << path;
        EXPECT_EQ(get(path, known.header("agent")), 403) << path;
    }
    EXPECT_EQ(api.request("GET", "/state").header("WWW-Authenticate"), "Basic realm=\"stoa\"");
    EXPECT_EQ(get("/health", ""), 200);
    EXPECT_EQ(get("/master/health", ""), 200);
    EXPECT_EQ(get("/state", known.header("framework")), 200);
    EXPECT_EQ(get("/state", known.header("operator")), 200);

    const std::string health = R"({"type":"GET_HEALTH"})";
    EXPECT_EQ(api.post("/api/v1", health).status, 401);
    EXPECT_EQ(api.post("/api/v1", health, known.header("framework")).status, 403);
    EXPECT_EQ(api.post("/api/v1", health, known.header("operator")).status, 200);
    EXPECT_EQ(api.post("/teardown", "frameworkId=x", known.header("framework")).status, 403);
    EXPECT_EQ(api.post("/api/v1/scheduler", "{}").status, 401);
    EXPECT_EQ(api.post("/api/v1/scheduler", "{}", known.header("operator")).status, 403);
    EXPECT_EQ(api.post("/api/v1/scheduler", "{}", known.header("framework")).status, 400);
}

TEST(CredentialsAtTheHttpDoor, KeepSchedulersToTheirPrincipals) {
    const Known known;
    ApiWorld api({}, known.masters());
    const auto subscription = [](std::string_view principal) {
        return concat(R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"u","name":"f","principal":")",
                      principal, R"("}}})");
    };
    EXPECT_EQ(api.post("/api/v1/scheduler", subscription("other"), known.header("framework")).status, 400);
    ApiStream stream = api.open("/api/v1/scheduler", subscription(""), known.header("framework"));
    const rapidjson::Document told = stream.next();
    ASSERT_STREQ(told["type"].GetString(), "SUBSCRIBED");
    const std::string id = told["subscribed"]["framework_id"]["value"].GetString();
    const Framework* framework = api.world.master().frameworks().find(FrameworkId(id));
    ASSERT_NE(framework, nullptr);
    EXPECT_EQ(framework->info.principal, "framework");
    const std::string revive = concat(R"({"type":"REVIVE","framework_id":{"value":")", id, R"("}})");
    const std::string mine = concat("Mesos-Stream-Id: ", stream.id(), "\r\n");
    EXPECT_EQ(api.post("/api/v1/scheduler", revive, mine + known.header("other")).status, 400);
    EXPECT_EQ(api.post("/api/v1/scheduler", revive, mine + known.header("framework")).status, 202);
}

} // namespace
} // namespace stoa::master
