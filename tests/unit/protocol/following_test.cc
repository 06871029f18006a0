// Which master is followed, told by hand; and the same over real sockets, with masters that take office.
#include "protocol/leader/following.h"
#include "protocol/leader/master_links.h"
#include "protocol/strings.h"
#include "protocol/wire/acceptor.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <memory>
#include <string>
#include <vector>

namespace stoa {
namespace {

using std::chrono::seconds;
using Heard = std::vector<std::string>;

std::string inWords(const DialerArrival& arrival) {
    if (auto* connected = std::get_if<dialed::Connected>(&arrival)) {
        return concat("session ", connected->session, ", epoch ", connected->epoch);
    }
    if (auto* message = std::get_if<dialed::Message>(&arrival)) return *message->body;
    return "gone: " + std::get<dialed::Gone>(arrival).why;
}

struct Ear {
    explicit Ear(std::uint64_t epoch = 0) : following(epoch) {}
    Following following;
    std::vector<DialerArrival> told;

    void connected(Following::Link link, std::uint64_t session, std::uint64_t epoch) {
        following.on(link, dialed::Connected{0, session, epoch}, told);
    }
    void says(Following::Link link, std::string text) {
        following.on(link, dialed::Message{0, makeBody(std::move(text))}, told);
    }
    void gone(Following::Link link, std::string why) { following.on(link, dialed::Gone{0, std::move(why)}, told); }
    Heard heard() {
        Heard words;
        for (const DialerArrival& arrival : std::exchange(told, {})) words.push_back(inWords(arrival));
        return words;
    }
};

TEST(Following, OneMasterIsFollowedAsItIs) {
    Ear ear;
    ear.connected(1, 7, 3);
    ear.says(1, "hello");
    ear.gone(1, "silent");
    ear.connected(1, 8, 3);
    EXPECT_EQ(ear.heard(), (Heard{"session 1, epoch 3", "hello", "gone: silent", "session 2, epoch 3"}));
    EXPECT_EQ(ear.following.wayOf(2)->session, 8u);
    EXPECT_FALSE(ear.following.wayOf(1)) << "over";
    EXPECT_EQ(ear.following.counters().failovers, 0u);
}

TEST(Following, AHigherEpochEndsTheSessionBeforeIt) {
    Ear ear;
    ear.connected(1, 7, 3);
    ear.connected(2, 1, 4);
    EXPECT_EQ(ear.heard(), (Heard{"session 1, epoch 3", "gone: a master of epoch 4 leads now", "session 2, epoch 4"}));
    ear.says(1, "launch this");
    ear.gone(1, "at last");
    EXPECT_EQ(ear.heard(), Heard{}) << "the deposed one isn't listened to, nor its end told twice";
    EXPECT_EQ(ear.following.counters().failovers, 1u);
    EXPECT_EQ(ear.following.counters().refused_epochs, 1u);
    EXPECT_EQ(ear.following.highestEpoch(), 4u);
}

TEST(Following, ALowerEpochIsRefusedAndCounted) {
    Ear ear(5);
    ear.connected(1, 7, 4);
    ear.says(1, "launch this");
    EXPECT_EQ(ear.heard(), Heard{});
    EXPECT_EQ(ear.following.session(), 0u);
    EXPECT_EQ(ear.following.counters().refused_epochs, 2u);
    ear.connected(2, 1, 5);
    EXPECT_EQ(ear.heard(), Heard{"session 1, epoch 5"});
}

TEST(Following, OfTwoWaysToOneLeaderTheFirstIsUsedWhileItLasts) {
    Ear ear;
    ear.connected(1, 7, 3);
    ear.connected(2, 1, 3);
    EXPECT_EQ(ear.heard(), Heard{"session 1, epoch 3"});
    ear.following.dropped(1, ear.told);
    EXPECT_EQ(ear.heard(), Heard{"gone: the master is no longer among those that may lead"});
    ear.connected(2, 2, 3);
    EXPECT_EQ(ear.heard(), Heard{"session 2, epoch 3"});
}

// ---- Over real sockets ----------------------------------------------------------------------------------------

TEST(MasterLinks, AnAddressThatMakesNoSenseIsSaid) {
    for (const char* master : {"nowhere", ":5052", "host:0", "zk://", "zk://host:2181"}) {
        EXPECT_EQ(MasterLinks::create({.master = master}).status().code(), absl::StatusCode::kInvalidArgument)
            << master;
    }
}

TEST(MasterLinks, AFixedMasterThatIsAStandbyIsWaitedFor) {
    absl::StatusOr<std::unique_ptr<Acceptor>> master = Acceptor::create({.port = 0, .epoch = 0});
    ASSERT_TRUE(master.ok()) << master.status();
    auto links = MasterLinks::create({.master = concat("127.0.0.1:", (*master)->boundPort())});
    ASSERT_TRUE(links.ok()) << links.status();
    std::vector<DialerArrival> heard;
    bool led = false;
    bool answered = false;
    const auto wait = [&](std::size_t count) {
        while (heard.size() < count) {
            pollfd fds[] = {{(*links)->eventFd(), POLLIN, 0}, {(*master)->eventFd(), POLLIN, 0}};
            ASSERT_GT(::poll(fds, 2, 20'000), 0) << "nothing happened";
            for (DialerArrival& arrival : (*links)->take()) heard.push_back(std::move(arrival));
            for (const Arrival& arrival : (*master)->take()) {
                if (std::holds_alternative<arrival::Opened>(arrival) && !std::exchange(led, true)) {
                    EXPECT_FALSE((*links)->send("too early"));
                    (*master)->lead(9);
                }
                if (const auto* message = std::get_if<arrival::Message>(&arrival)) {
                    answered = true;
                    (*master)->send(message->peer, *message->body + ", too");
                }
            }
        }
    };
    wait(1);
    EXPECT_EQ(inWords(heard.at(0)), "session 1, epoch 9");
    EXPECT_EQ((*links)->leaderAddress(), concat("127.0.0.1:", (*master)->boundPort()));
    ASSERT_TRUE((*links)->send("hello"));
    wait(2);
    EXPECT_TRUE(answered);
    EXPECT_EQ(inWords(heard.at(1)), "hello, too");
    EXPECT_EQ((*links)->highestEpoch(), 9u);
    EXPECT_EQ((*links)->counters().links, 1u);

    // Who says that a session is of no use gets another.
    std::vector<DialerArrival> told;
    (*links)->drop(1, told);
    ASSERT_EQ(told.size(), 1u);
    wait(3);
    EXPECT_EQ(inWords(heard.at(2)), "session 2, epoch 9");
}

} // namespace
} // namespace stoa
