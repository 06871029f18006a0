// The HTTP doors' gate: who is let in, and as what.
#include "protocol/http/gate.h"

#include "protocol/strings.h"
#include "protocol/wire/curve.h"

#include <absl/strings/escaping.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace stoa::http {
namespace {

class HttpGate : public testing::Test {
protected:
    static constexpr std::uint8_t bits(Right right) { return static_cast<std::uint8_t>(right); }

    static Request request(std::string authorization, std::string method = "GET") {
        Request made;
        made.method = std::move(method);
        made.path = "/state";
        made.target = "/state";
        made.headers = {{"Host", "master:5050"}};
        if (!authorization.empty()) made.headers.emplace_back("Authorization", std::move(authorization));
        return made;
    }
    static std::string basic(const std::string& name, const std::string& secret) {
        return "Basic " + absl::Base64Escape(concat(name, ":", secret));
    }
    int statusOf(const Request& asked, std::initializer_list<Right> rights) {
        const std::optional<Response> refused = gate_.refuse(asked, rights);
        return refused ? refused->status : 200;
    }

    const KeyPair user_ = newKeyPair();
    const KeyPair framework_ = newKeyPair();
    const KeyPair agent_ = newKeyPair();
    const SharedCredentials credentials_ =
        std::make_shared<Credentials>(Credentials{"agent",
                                                  agent_.secret,
                                                  agent_.public_key,
                                                  "",
                                                  {{"user", user_.public_key, bits(Right::kOperator)},
                                                   {"framework", framework_.public_key, bits(Right::kFramework)}}});
    Gate gate_{credentials_};
};

TEST_F(HttpGate, AsksWhoComesWithoutAProof) {
    const std::optional<Response> refused = gate_.refuse(request(""), {Right::kOperator});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 401);
    EXPECT_EQ(find(refused->headers, "WWW-Authenticate"), "Basic realm=\"stoa\"");
    EXPECT_THAT(refused->body, testing::HasSubstr("--credential"));
}

TEST_F(HttpGate, LetsInWhoHasTheSecretAndNobodyElse) {
    for (int again = 0; again < 2; ++again) { // the second time it is remembered
        EXPECT_EQ(statusOf(request(basic("user", user_.secret)), {Right::kOperator}), 200);
        EXPECT_EQ(statusOf(request(basic("user", framework_.secret)), {Right::kOperator}), 401);
        EXPECT_EQ(statusOf(request(basic("user", user_.public_key)), {Right::kOperator}), 401);
        EXPECT_EQ(statusOf(request(basic("user", user_.secret + "0")), {Right::kOperator}), 401);
        EXPECT_EQ(statusOf(request(basic("user", "")), {Right::kOperator}), 401);
        EXPECT_EQ(statusOf(request(basic("nobody", user_.secret)), {Right::kOperator}), 401);
    }
    EXPECT_EQ(gate_.who(request(basic("user", user_.secret)))->principal, "user");
}

TEST_F(HttpGate, IsNotConfusedByWhatIsNoBasicAuthentication) {
    for (const std::string& given :
         {std::string("Basic"), std::string("Basic !!!"), std::string("Bearer ") + user_.secret,
          "Basic " + absl::Base64Escape("user"), std::string(100'000, 'A'),
          "Basic " + absl::Base64Escape(std::string("user\0:x", 7))}) {
        EXPECT_EQ(statusOf(request(given), {Right::kOperator}), 401);
    }
    EXPECT_EQ(statusOf(request("basic " + absl::Base64Escape(concat("user:", user_.secret))), {Right::kOperator}), 200);
}

TEST_F(HttpGate, KeepsEachToWhatHeMay) {
    const Request asked = request(basic("framework", framework_.secret), "POST");
    EXPECT_EQ(statusOf(asked, {Right::kOperator}), 403);
    EXPECT_EQ(statusOf(asked, {Right::kFramework}), 200);
    EXPECT_EQ(statusOf(asked, {Right::kOperator, Right::kFramework}), 200);
}

TEST_F(HttpGate, TakesNoChangesFromOtherSitesPages) {
    Request asked = request(basic("user", user_.secret), "POST");
    asked.headers.emplace_back("Origin", "http://elsewhere:5050");
    EXPECT_EQ(statusOf(asked, {Right::kOperator}), 403);
    asked.headers.back().second = "null";
    EXPECT_EQ(statusOf(asked, {Right::kOperator}), 403);
    asked.headers.back().second = "http://master:5050";
    EXPECT_EQ(statusOf(asked, {Right::kOperator}), 200);
}

TEST_F(HttpGate, WithoutCredentialsIsOpen) {
    Gate open(nullptr);
    EXPECT_FALSE(open.refuse(request(""), {Right::kOperator}));
    EXPECT_EQ(open.who(request("")), nullptr);
}

TEST_F(HttpGate, KnowsAnAgentsCodeForOneUrlOnly) {
    const std::string code = agentAuthorization(*credentials_, "a:5051", "/api/stoa/uploads/x");
    const auto asked = [&](std::string host, std::string target, std::string method = "GET") {
        Request made = request(code, std::move(method));
        made.target = std::move(target);
        made.headers[0].second = std::move(host);
        return made;
    };
    EXPECT_TRUE(gate_.fromAgent(asked("a:5051", "/api/stoa/uploads/x"), "a:5051"));
    EXPECT_FALSE(gate_.fromAgent(asked("a:5051", "/api/stoa/uploads/y"), "a:5051"));
    EXPECT_FALSE(gate_.fromAgent(asked("a:5051", "/api/stoa/uploads/x", "PUT"), "a:5051"));
    EXPECT_FALSE(gate_.fromAgent(asked("b:5051", "/api/stoa/uploads/x"), "b:5051")); // taken elsewhere
    EXPECT_FALSE(gate_.fromAgent(asked("a:5051", "/api/stoa/uploads/x"), "b:5051"));
    const Credentials foreign{"agent", newKeyPair().secret, "", "", {}};
    EXPECT_NE(agentAuthorization(foreign, "a:5051", "/api/stoa/uploads/x"), code);
    EXPECT_THAT(code, testing::Not(testing::HasSubstr(agent_.secret)));
}

} // namespace
} // namespace stoa::http
