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
    explicit Ear(std::uint64_t epoch = 0, Duration spread = Duration(0))
        : following(epoch, rng, {.spread = spread, .most_spread = seconds(8), .soon = seconds(10)}) {}
    Time now{seconds(100)};
    Rng rng{1};
    Following following;
    std::vector<DialerArrival> told;

    void connected(Following::Link link, std::uint64_t session, std::uint64_t epoch) {
        following.on(link, dialed::Connected{0, session, epoch}, now, told);
    }
    void says(Following::Link link, std::string text) {
        following.on(link, dialed::Message{0, makeBody(std::move(text))}, now, told);
    }
    void gone(Following::Link link, std::string why) { following.on(link, dialed::Gone{0, std::move(why)}, now, told); }
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
    ear.following.dropped(1, ear.now, ear.told);
    EXPECT_EQ(ear.heard(), Heard{"gone: the master is no longer among those that may lead"});
    ear.connected(2, 2, 3);
    EXPECT_EQ(ear.heard(), Heard{"session 2, epoch 3"});
}

TEST(Following, AllButTheFirstSessionAreToldAfterARandomWait) {
    Duration longest{0};
    for (std::uint64_t seed = 1; seed <= 50; ++seed) {
        Ear ear(0, seconds(1));
        ear.rng = Rng(seed);
        ear.connected(1, 7, 3);
        EXPECT_EQ(ear.heard(), Heard{"session 1, epoch 3"}) << "the first at once";
        ear.now += seconds(60);
        ear.connected(2, 1, 4);
        EXPECT_EQ(ear.heard(), Heard{"gone: a master of epoch 4 leads now"});
        EXPECT_EQ(ear.following.highestEpoch(), 4u) << "the fence doesn't wait";
        EXPECT_EQ(ear.following.session(), 0u);
        ASSERT_TRUE(ear.following.nextDeadline());
        const Duration wait = *ear.following.nextDeadline() - ear.now;
        EXPECT_LT(wait, seconds(1));
        longest = std::max(longest, wait);
        ear.following.wake(ear.now + wait - Duration(1), ear.told);
        EXPECT_EQ(ear.heard(), Heard{});
        ear.following.wake(ear.now + wait, ear.told);
        EXPECT_EQ(ear.heard(), Heard{"session 2, epoch 4"});
        EXPECT_EQ(ear.following.wayOf(2)->link, 2u);
    }
    EXPECT_GT(longest, std::chrono::milliseconds(800)) << "they are spread";
}

TEST(Following, ASessionThatEndsDuringItsWaitIsNeverTold) {
    Ear ear(0, seconds(1));
    ear.connected(1, 7, 3);
    ear.gone(1, "silent");
    ear.heard();
    ear.connected(1, 8, 3);
    ear.gone(1, "silent again");
    EXPECT_EQ(ear.heard(), Heard{});
    EXPECT_FALSE(ear.following.nextDeadline());
}

TEST(Following, TheSpreadGrowsWhileSessionsAreInVain) {
    Ear ear(0, seconds(1));
    std::uint64_t session = 1;
    ear.connected(1, session, 3);
    Duration longest{0};
    for (int i = 0; i < 40; ++i) {
        ear.gone(1, "silent");
        ear.connected(1, ++session, 3);
        const Duration wait = *ear.following.nextDeadline() - ear.now;
        EXPECT_LE(wait, seconds(8));
        longest = std::max(longest, wait);
        ear.now += wait;
        ear.following.wake(ear.now, ear.told);
    }
    EXPECT_GT(longest, seconds(4));
    ear.now += seconds(60); // one that lasted
    ear.gone(1, "silent");
    ear.connected(1, ++session, 3);
    EXPECT_LT(*ear.following.nextDeadline() - ear.now, seconds(1));
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
