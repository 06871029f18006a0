// CURVE over real loopback sockets: who is admitted, and what the others are told.
#include "protocol/wire/acceptor.h"
#include "protocol/wire/curve.h"
#include "protocol/wire/dialer.h"

#include "protocol/leader/master_links.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa {
namespace {

constexpr int kFailureMilliseconds = 20'000;

class WireCredentials : public testing::Test {
protected:
    static SharedCredentials client(const std::string& name, const KeyPair& keys, const std::string& server) {
        return std::make_shared<Credentials>(Credentials{name, keys.secret, keys.public_key, server, {}});
    }
    std::unique_ptr<Acceptor> accept(SharedCredentials credentials) {
        absl::StatusOr<std::unique_ptr<Acceptor>> acceptor =
            Acceptor::create({.port = 0, .epoch = 7, .credentials = std::move(credentials)});
        EXPECT_TRUE(acceptor.ok()) << acceptor.status();
        return *std::move(acceptor);
    }
    std::unique_ptr<Dialer> dial(const Acceptor& acceptor, SharedCredentials credentials) {
        DialerOptions options;
        options.address = concat("127.0.0.1:", acceptor.boundPort());
        options.credentials = std::move(credentials);
        absl::StatusOr<std::unique_ptr<Dialer>> dialer = Dialer::create(options);
        EXPECT_TRUE(dialer.ok()) << dialer.status();
        return *std::move(dialer);
    }
    template <class End>
    static bool wait(const End& end) {
        pollfd event{end.eventFd(), POLLIN, 0};
        return ::poll(&event, 1, kFailureMilliseconds) == 1;
    }
    // What the dialer finds to be wrong.
    static std::string refusal(Dialer& dialer) {
        while (wait(dialer)) {
            EXPECT_TRUE(dialer.take().empty()) << "it was admitted";
            if (const std::optional<std::string> why = dialer.refusal()) return *why;
        }
        return "nothing was said";
    }

    const KeyPair master_ = newKeyPair();
    const KeyPair agent_ = newKeyPair();
    const KeyPair stranger_ = newKeyPair();
    const SharedCredentials masters_ = std::make_shared<Credentials>(
        Credentials{"", master_.secret, master_.public_key, "", {{"agent", agent_.public_key, 1}}});
};

TEST_F(WireCredentials, AdmitWhoIsKnownAndTellWhoItIs) {
    auto acceptor = accept(masters_);
    auto dialer = dial(*acceptor, client("agent", agent_, master_.public_key));
    ASSERT_TRUE(wait(*dialer));
    std::vector<DialerArrival> arrived = dialer->take();
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(std::get<dialed::Connected>(arrived[0]).epoch, 7u);
    EXPECT_FALSE(dialer->refusal());
    ASSERT_TRUE(dialer->send("hello"));
    std::vector<Arrival> heard;
    while (heard.size() < 2 && wait(*acceptor)) {
        for (Arrival& one : acceptor->take()) heard.push_back(std::move(one));
    }
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(std::get<arrival::Opened>(heard[0]).principal, "agent");
    EXPECT_EQ(*std::get<arrival::Message>(heard[1]).body, "hello");
    acceptor->send(std::get<arrival::Opened>(heard[0]).peer, "welcome");
    ASSERT_TRUE(wait(*dialer));
    arrived = dialer->take();
    ASSERT_EQ(arrived.size(), 1u);
    EXPECT_EQ(*std::get<dialed::Message>(arrived[0]).body, "welcome");
}

TEST_F(WireCredentials, RefuseAnUnknownKeyAndSaySo) {
    auto acceptor = accept(masters_);
    auto dialer = dial(*acceptor, client("agent", stranger_, master_.public_key));
    EXPECT_THAT(refusal(*dialer), testing::HasSubstr("doesn't admit \"agent\""));
}

TEST_F(WireCredentials, AreMissedWhereOneComesWithout) {
    auto acceptor = accept(masters_);
    auto dialer = dial(*acceptor, nullptr);
    EXPECT_THAT(refusal(*dialer), testing::HasSubstr("admits only whom it knows"));
    EXPECT_TRUE(acceptor->take().empty());
}

TEST_F(WireCredentials, AreNotForAMasterThatTakesNone) {
    auto acceptor = accept(nullptr);
    auto dialer = dial(*acceptor, client("agent", agent_, master_.public_key));
    EXPECT_THAT(refusal(*dialer), testing::HasSubstr("takes no credentials"));
}

TEST_F(WireCredentials, AreNotProvedToAMasterOfAnotherKey) {
    auto acceptor = accept(masters_);
    auto dialer = dial(*acceptor, client("agent", agent_, stranger_.public_key));
    EXPECT_THAT(refusal(*dialer), testing::HasSubstr("can't prove"));
}

TEST_F(WireCredentials, EndAFollowersWaitBeforeAnyMasterLed) {
    auto acceptor = accept(masters_);
    MasterLinksOptions options;
    options.master = concat("127.0.0.1:", acceptor->boundPort());
    options.credentials = client("agent", stranger_, master_.public_key);
    auto links = MasterLinks::create(options);
    ASSERT_TRUE(links.ok()) << links.status();
    while ((*links)->refused().ok() && wait(**links)) EXPECT_TRUE((*links)->take().empty());
    EXPECT_TRUE(absl::IsPermissionDenied((*links)->refused())) << (*links)->refused();
}

} // namespace
} // namespace stoa
