// The files of credentials: what they say, and whose are refused.
#include "protocol/credentials/credentials.h"

#include "protocol/strings.h"
#include "protocol/wire/curve.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace stoa {
namespace {

class CredentialsFile : public testing::Test {
protected:
    CredentialsFile() {
        char name[] = "/tmp/stoa-credentials.XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~CredentialsFile() override { std::filesystem::remove_all(directory_); }

    std::string write(const std::string& text, mode_t mode = 0600) const {
        const std::string path = directory_ + "/file.json";
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
        return path;
    }

    const KeyPair master_ = newKeyPair();
    const KeyPair agent_ = newKeyPair();
    const KeyPair operator_ = newKeyPair();
    const Credentials masters_{
        "",
        master_.secret,
        master_.public_key,
        "",
        {{"agent", agent_.public_key, static_cast<std::uint8_t>(Right::kAgent)},
         {"operator", operator_.public_key,
          static_cast<std::uint8_t>(Right::kOperator) | static_cast<std::uint8_t>(Right::kFramework)}}};
    const Credentials agents_{"agent", agent_.secret, agent_.public_key, master_.public_key, {}};
    std::string directory_;
};

std::string why(const absl::Status& status) { return std::string(status.message()); }

TEST_F(CredentialsFile, SaysAgainWhatWasWritten) {
    const absl::StatusOr<SharedCredentials> masters = readCredentials(write(toJson(masters_)), CredentialsOf::kMaster);
    ASSERT_TRUE(masters.ok()) << masters.status();
    EXPECT_EQ(**masters, masters_);
    EXPECT_TRUE((*masters)->may("operator", Right::kOperator));
    EXPECT_TRUE((*masters)->may("operator", Right::kFramework));
    EXPECT_FALSE((*masters)->may("agent", Right::kFramework));
    EXPECT_FALSE((*masters)->may("nobody", Right::kAgent));
    EXPECT_EQ((*masters)->withKey(agent_.public_key)->principal, "agent");

    const absl::StatusOr<SharedCredentials> agents = readCredentials(write(toJson(agents_)), CredentialsOf::kClient);
    ASSERT_TRUE(agents.ok()) << agents.status();
    EXPECT_EQ(**agents, agents_);
}

TEST_F(CredentialsFile, ThatOthersMayReadIsRefused) {
    for (const mode_t mode : {0640, 0604, 0620}) {
        const absl::StatusOr<SharedCredentials> read =
            readCredentials(write(toJson(agents_), mode), CredentialsOf::kClient);
        EXPECT_THAT(why(read.status()), testing::HasSubstr("chmod 600 " + directory_)) << mode;
    }
}

TEST_F(CredentialsFile, OfAnotherKindIsRefused) {
    const auto refused = [&](const Credentials& credentials, CredentialsOf whose) {
        return why(readCredentials(write(toJson(credentials)), whose).status());
    };
    EXPECT_THAT(refused(masters_, CredentialsOf::kClient), testing::HasSubstr("\"principal\""));
    EXPECT_THAT(refused(agents_, CredentialsOf::kMaster), testing::HasSubstr("a client's file"));
    EXPECT_THAT(refused(agents_, CredentialsOf::kClientWithDoor), testing::HasSubstr("admits nobody"));
    EXPECT_THAT(why(readCredentials(directory_ + "/none", CredentialsOf::kClient).status()),
                testing::HasSubstr("No such file"));
}

TEST_F(CredentialsFile, WithAMistakeIsRefusedAndNamesIt) {
    const std::string key = agent_.public_key;
    const auto refused = [](const std::string& text) { return why(parseCredentials(text).status()); };
    EXPECT_THAT(refused("{"), testing::HasSubstr("not JSON"));
    EXPECT_THAT(refused("[]"), testing::HasSubstr("no JSON object"));
    EXPECT_THAT(refused(R"({"secrets": "x"})"), testing::HasSubstr("\"secrets\" is not known"));
    EXPECT_THAT(refused(R"({"secret": "too short"})"), testing::HasSubstr("secret: is no key"));
    EXPECT_THAT(refused(R"({"secret": 7})"), testing::HasSubstr("secret: is no text"));
    EXPECT_THAT(refused(R"({"principal": "a:b"})"), testing::HasSubstr("a:b"));
    EXPECT_THAT(refused(R"({"admitted": [{"principal": "p", "public": "k", "may": []}]})"),
                testing::HasSubstr("the public key of p"));
    EXPECT_THAT(refused(concat(R"({"admitted": [{"principal": "p", "public": ")", key, R"(", "may": ["lead"]}]})")),
                testing::HasSubstr("may"));
    const std::string one = concat(R"({"principal": "p", "public": ")", key, R"(", "may": ["agent"]})");
    EXPECT_THAT(refused(concat(R"({"admitted": [)", one, ",", one, "]}")), testing::HasSubstr("twice"));
    // A secret that was mistyped doesn't end up in a log.
    EXPECT_THAT(refused(R"({"secret": "mistyped-secret"})"), testing::Not(testing::HasSubstr("mistyped-secret")));
}

TEST(CurveKeys, ArePairs) {
    const KeyPair keys = newKeyPair();
    EXPECT_EQ(publicKeyOf(keys.secret), keys.public_key);
    EXPECT_NE(newKeyPair().secret, keys.secret);
    EXPECT_FALSE(publicKeyOf("").has_value());
    EXPECT_FALSE(publicKeyOf(std::string(40, '~')).has_value());
    EXPECT_FALSE(publicKeyOf(keys.secret + "0").has_value());
}

} // namespace
} // namespace stoa
