// Acceptor and Dialer over real loopback sockets. Everything waits for the event descriptors; a timeout is a failure.
#include "protocol/wire/acceptor.h"
#include "protocol/wire/dialer.h"
#include "protocol/wire/zeromq.h"

#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <poll.h>

#include <functional>
#include <optional>
#include <string>

namespace stoa {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kFailureMilliseconds = 20'000;

std::unique_ptr<Acceptor> accept(const AcceptorOptions& options = {.port = 0}) {
    absl::StatusOr<std::unique_ptr<Acceptor>> acceptor = Acceptor::create(options);
    EXPECT_TRUE(acceptor.ok()) << acceptor.status();
    return *std::move(acceptor);
}

std::unique_ptr<Dialer> dial(std::uint16_t port, DialerOptions options = {}) {
    options.address = concat("127.0.0.1:", port);
    absl::StatusOr<std::unique_ptr<Dialer>> dialer = Dialer::create(options);
    EXPECT_TRUE(dialer.ok()) << dialer.status();
    return *std::move(dialer);
}

// What arrives at one end, kept in order.
template <class End, class Arrived>
class Ear {
public:
    explicit Ear(End& end) : end_(end) {}

    // The next arrival, which is a T.
    template <class T>
    T next() {
        while (position_ == arrived_.size()) {
            pollfd event{end_.eventFd(), POLLIN, 0};
            if (::poll(&event, 1, kFailureMilliseconds) != 1) {
                ADD_FAILURE() << "nothing arrived";
                return {};
            }
            arrived_ = end_.take();
            position_ = 0;
        }
        Arrived& arrival = arrived_[position_++];
        if (T* wanted = std::get_if<T>(&arrival)) return std::move(*wanted);
        ADD_FAILURE() << "arrived: alternative " << arrival.index();
        return {};
    }

private:
    End& end_;
    std::vector<Arrived> arrived_;
    std::size_t position_ = 0;
};

using AcceptorEar = Ear<Acceptor, Arrival>;
using DialerEar = Ear<Dialer, DialerArrival>;

TEST(Wire, CarriesAMessageAndItsAnswer) {
    auto acceptor = accept({.port = 0, .epoch = 7});
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);

    EXPECT_FALSE(dialer->send("before it is connected"));
    EXPECT_EQ(at_agent.next<dialed::Connected>().epoch, 7u);
    EXPECT_EQ(dialer->highestEpoch(), 7u);
    const Peer peer = at_master.next<arrival::Opened>().peer;
    ASSERT_TRUE(dialer->send("question"));
    const arrival::Message question = at_master.next<arrival::Message>();
    EXPECT_EQ(question.peer, peer);
    EXPECT_EQ(*question.body, "question");
    acceptor->send(peer, std::string(1'000'000, 'a'));
    EXPECT_EQ(*at_agent.next<dialed::Message>().body, std::string(1'000'000, 'a'));
    EXPECT_EQ(acceptor->counters().open_sessions, 1u);
}

TEST(Wire, TenThousandMessagesArriveInOrderBothWays) {
    auto acceptor = accept();
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);
    const Peer peer = at_master.next<arrival::Opened>().peer;
    at_agent.next<dialed::Connected>();

    constexpr int kMessages = 10'000;
    for (int i = 0; i < kMessages; ++i) {
        ASSERT_TRUE(dialer->send(concat("up ", i)));
        acceptor->send(peer, concat("down ", i));
    }
    for (int i = 0; i < kMessages; ++i) {
        ASSERT_EQ(*at_master.next<arrival::Message>().body, concat("up ", i));
        ASSERT_EQ(*at_agent.next<dialed::Message>().body, concat("down ", i));
    }
    EXPECT_EQ(acceptor->counters().sessions.bodies_in, static_cast<std::uint64_t>(kMessages));
}

TEST(Wire, ARestartOfTheMasterIsSeenAsGoneThenConnected) {
    // With a goodbye, and without one as in a crash.
    for (const Duration linger : {Duration(seconds(1)), Duration(0)}) {
        auto acceptor = accept({.port = 0, .epoch = 1, .linger = linger});
        const std::uint16_t port = acceptor->boundPort();
        auto dialer = dial(port);
        DialerEar at_agent(*dialer);
        const dialed::Connected first = at_agent.next<dialed::Connected>();
        acceptor.reset();
        acceptor = accept({.port = port, .epoch = 2});
        const std::string why = at_agent.next<dialed::Gone>().why;
        if (linger > Duration(0)) {
            EXPECT_EQ(why, "the master stops");
        }
        const dialed::Connected second = at_agent.next<dialed::Connected>();
        EXPECT_EQ(second.epoch, 2u);
        EXPECT_GT(second.session, first.session);

        AcceptorEar at_master(*acceptor);
        const Peer peer = at_master.next<arrival::Opened>().peer;
        ASSERT_TRUE(dialer->send("again"));
        EXPECT_EQ(at_master.next<arrival::Message>().peer, peer);
    }
}

TEST(Wire, AStandbyThatTakesOfficeKeepsItsSessions) {
    auto leader = accept({.port = 0, .epoch = 4});
    auto standby = accept({.port = 0, .epoch = 0});
    auto to_leader = dial(leader->boundPort());
    auto to_standby = dial(standby->boundPort());
    DialerEar from_leader(*to_leader);
    DialerEar from_standby(*to_standby);
    AcceptorEar at_standby(*standby);
    const Peer peer = at_standby.next<arrival::Opened>().peer;
    EXPECT_EQ(from_leader.next<dialed::Connected>().epoch, 4u);
    EXPECT_FALSE(to_standby->send("to nobody"));
    standby->send(peer, "from nobody");

    standby->lead(5);
    EXPECT_EQ(from_standby.next<dialed::Connected>().epoch, 5u);
    ASSERT_TRUE(to_standby->send("to the leader"));
    const arrival::Message first = at_standby.next<arrival::Message>();
    EXPECT_EQ(first.peer, peer);
    EXPECT_EQ(*first.body, "to the leader");
    EXPECT_EQ(standby->counters().sessions.opened, 1u);

    // The fence: the other session is over once the higher epoch is known.
    to_leader->raiseEpoch(5);
    EXPECT_EQ(from_leader.next<dialed::Gone>().why, "a master of epoch 5 has been seen");
}

TEST(Wire, AMasterThatIsNotThereYetIsWaitedFor) {
    auto placeholder = accept();
    const std::uint16_t port = placeholder->boundPort();
    placeholder.reset();
    auto dialer = dial(port);
    auto acceptor = accept({.port = port});
    DialerEar at_agent(*dialer);
    at_agent.next<dialed::Connected>();
}

TEST(Wire, WhatWasSentBeforeACloseArrives) {
    auto acceptor = accept();
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);
    const Peer peer = at_master.next<arrival::Opened>().peer;
    at_agent.next<dialed::Connected>();
    for (int i = 0; i < 3000; ++i) acceptor->send(peer, concat(i));
    acceptor->close(peer, "the framework is torn down");
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(*at_agent.next<dialed::Message>().body, concat(i));
    EXPECT_EQ(at_agent.next<dialed::Gone>().why, "the framework is torn down");
    at_agent.next<dialed::Connected>(); // it dials again
    EXPECT_EQ(at_master.next<arrival::Opened>().peer, peer + 1);
}

TEST(Wire, ADialersEndPassesOnWhatWasSentAndSaysGoodbye) {
    auto acceptor = accept();
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    at_master.next<arrival::Opened>();
    {
        DialerEar at_agent(*dialer);
        at_agent.next<dialed::Connected>();
    }
    for (int i = 0; i < 3000; ++i) ASSERT_TRUE(dialer->send(concat(i)));
    dialer.reset();
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(*at_master.next<arrival::Message>().body, concat(i));
    EXPECT_EQ(at_master.next<arrival::Gone>().why, "the peer stops");
}

TEST(Wire, AnOwnerWhoIsBehindStopsTheReadingAndLosesNothing) {
    auto acceptor = accept();
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);
    at_agent.next<dialed::Connected>();
    constexpr int kMessages = 150'000; // more than Acceptor::kMostArrivals, less than a session's outbox
    for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(dialer->send(concat(i)));
    at_master.next<arrival::Opened>();
    for (int i = 0; i < kMessages; ++i) ASSERT_EQ(*at_master.next<arrival::Message>().body, concat(i));
}

TEST(Wire, ChannelsShareAConnection) {
    auto acceptor = accept();
    constexpr std::uint32_t kChannels = 500;
    auto dialer = dial(acceptor->boundPort(), {.channels = kChannels});
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);
    for (std::uint32_t i = 0; i < kChannels; ++i) {
        const std::uint32_t channel = at_agent.next<dialed::Connected>().channel;
        ASSERT_TRUE(dialer->send(concat("of ", channel), channel));
    }
    std::vector<std::string> said;
    std::vector<Peer> peers;
    while (said.size() < kChannels) {
        pollfd event{acceptor->eventFd(), POLLIN, 0};
        ASSERT_EQ(::poll(&event, 1, kFailureMilliseconds), 1);
        for (Arrival& arrival : acceptor->take()) {
            if (auto* message = std::get_if<arrival::Message>(&arrival)) {
                said.push_back(*message->body);
                acceptor->send(message->peer, message->body);
            }
        }
    }
    std::sort(said.begin(), said.end());
    EXPECT_EQ(std::unique(said.begin(), said.end()), said.end());
    for (std::uint32_t i = 0; i < kChannels; ++i) {
        const dialed::Message answer = at_agent.next<dialed::Message>();
        ASSERT_EQ(*answer.body, concat("of ", answer.channel));
    }
    EXPECT_EQ(dialer->counters().open_sessions, kChannels);
}

TEST(Wire, AHigherEpochSeenElsewhereEndsASession) {
    auto acceptor = accept({.port = 0, .epoch = 3});
    auto dialer = dial(acceptor->boundPort());
    DialerEar at_agent(*dialer);
    at_agent.next<dialed::Connected>();
    dialer->raiseEpoch(9);
    EXPECT_EQ(at_agent.next<dialed::Gone>().why, "a master of epoch 9 has been seen");
    EXPECT_EQ(dialer->highestEpoch(), 9u);
}

TEST(Wire, GarbageIsCountedAndHarmless) {
    auto acceptor = accept();
    auto dialer = dial(acceptor->boundPort());
    AcceptorEar at_master(*acceptor);
    DialerEar at_agent(*dialer);
    at_agent.next<dialed::Connected>();
    at_master.next<arrival::Opened>();

    zeromq::Context context(1);
    zeromq::Socket raw(context, ZMQ_DEALER);
    raw.set(ZMQ_LINGER, 0);
    ASSERT_EQ(zmq_connect(raw.get(), concat("tcp://127.0.0.1:", acceptor->boundPort()).c_str()), 0);
    const auto say = [&](std::vector<std::string> parts) {
        for (std::size_t i = 0; i < parts.size(); ++i) {
            zmq_send(raw.get(), parts[i].data(), parts[i].size(), i + 1 < parts.size() ? ZMQ_SNDMORE : 0);
        }
    };
    Frame open;
    open.kind = FrameKind::kOpen;
    open.session = 1;
    open.seq = 1;
    const FrameHeader encoded = encodeHeader(open);
    const std::string header(encoded.begin(), encoded.end());
    say({""});
    say({"hello"});
    say({"Sto\x01 truncated"});
    say({"Sto\x7f"});
    say({header, "a body where none belongs"});
    say({header, "a", "b", "c"});
    say({std::string(1'000'000, 'x')});
    say({"", header});
    Frame data = open;
    data.kind = FrameKind::kData;
    data.seq = 2;
    data.body = makeBody("short");
    const FrameHeader data_header = encodeHeader(data);
    say({{data_header.begin(), data_header.end()}, "longer than it says"});
    // A proper frame behind them on the same connection: when it is there, the others have been read.
    say({header});
    at_master.next<arrival::Opened>();

    const WireCounters counters = acceptor->counters();
    EXPECT_EQ(counters.malformedTotal(), 9u);
    const auto count = [&](FrameError error) { return counters.malformed[static_cast<std::size_t>(error)]; };
    EXPECT_EQ(count(FrameError::kHeaderSize), 3u);
    EXPECT_EQ(count(FrameError::kMagic), 2u);
    EXPECT_EQ(count(FrameError::kVersion), 1u);
    EXPECT_EQ(count(FrameError::kPartCount), 2u);
    EXPECT_EQ(count(FrameError::kBodySize), 1u);
    ASSERT_TRUE(dialer->send("unharmed"));
    EXPECT_EQ(*at_master.next<arrival::Message>().body, "unharmed");
}

TEST(Wire, APortInUseIsSaid) {
    auto acceptor = accept();
    absl::StatusOr<std::unique_ptr<Acceptor>> second = Acceptor::create({.port = acceptor->boundPort()});
    EXPECT_EQ(second.status().message(),
              concat("can't listen on 127.0.0.1:", acceptor->boundPort(),
                     ": the port is in use; stop what listens there, or choose another port"));
    EXPECT_EQ(Acceptor::create({.bind_address = "192.0.2.1", .port = 5052}).status().message(),
              "can't listen on 192.0.2.1:5052: this machine has no such address");
}

TEST(Wire, AnAddressThatMakesNoSenseIsSaid) {
    for (std::string address : {"nowhere", ":5052", "localhost:0", "localhost:70000", "localhost:x"}) {
        EXPECT_EQ(Dialer::create({.address = address}).status().message(),
                  concat("\"", address, "\" is not an address; write host:port, as in 127.0.0.1:5052"));
    }
}

TEST(Wire, ADialerWithoutAMasterEndsAtOnce) {
    auto placeholder = accept();
    const std::uint16_t port = placeholder->boundPort();
    placeholder.reset();
    const auto start = std::chrono::steady_clock::now();
    dial(port, {.linger = seconds(30)});
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

} // namespace
} // namespace stoa
