// Sessions by hand, frame by frame. session_property_test.cc lets chance play the network.
#include "protocol/session.h"

#include <gtest/gtest.h>

#include <string>

namespace stoa {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A table and a dialer, and the frames between them in the test's hands.
struct Pair {
    explicit Pair(SessionOptions with = {}, std::uint64_t epoch = 3, std::uint64_t highest = 0)
        : options(with), table(epoch, options), dialer(0, highest, rng, counters, now, options) {}

    SessionOptions options;
    Time now{seconds(1000)};
    Rng rng{1};
    SessionCounters counters;
    SessionTable table;
    DialerSession dialer;
    SessionTable::Output at_table;
    DialerSession::Output at_dialer;

    void turn() {
        dialer.tick(now, at_dialer);
        table.tick(now, at_table);
    }
    std::vector<Frame> fromDialer() { return std::exchange(at_dialer.frames, {}); }
    std::vector<Frame> fromTable() {
        std::vector<Frame> frames;
        for (SessionTable::FrameTo& to : at_table.frames) frames.push_back(std::move(to.frame));
        at_table.frames.clear();
        return frames;
    }
    // Hands frames over both ways until nobody has anything to say.
    void settle() {
        for (;;) {
            turn();
            std::vector<Frame> up = fromDialer();
            std::vector<Frame> down = fromTable();
            if (up.empty() && down.empty()) return;
            for (Frame& frame : up) table.onFrame("c", std::move(frame), now, at_table);
            for (Frame& frame : down) dialer.onFrame(std::move(frame), now, at_dialer);
        }
    }
    void pass(Duration time) {
        now += time;
        settle();
    }
    // What the table's owner was told, in words.
    std::vector<std::string> tableHeard() {
        std::vector<std::string> heard;
        for (const Arrival& arrival : at_table.arrivals) {
            if (auto* opened = std::get_if<arrival::Opened>(&arrival)) {
                heard.push_back("opened " + std::to_string(opened->peer));
            } else if (auto* message = std::get_if<arrival::Message>(&arrival)) {
                heard.push_back(std::to_string(message->peer) + ": " + *message->body);
            } else if (auto* gone = std::get_if<arrival::Gone>(&arrival)) {
                heard.push_back("gone " + std::to_string(gone->peer) + ": " + gone->why);
            }
        }
        at_table.arrivals.clear();
        return heard;
    }
    std::vector<std::string> dialerHeard() {
        std::vector<std::string> heard;
        for (const DialerArrival& arrival : at_dialer.arrivals) {
            if (auto* connected = std::get_if<dialed::Connected>(&arrival)) {
                heard.push_back("connected, epoch " + std::to_string(connected->epoch));
            } else if (auto* message = std::get_if<dialed::Message>(&arrival)) {
                heard.push_back(*message->body);
            } else if (auto* gone = std::get_if<dialed::Gone>(&arrival)) {
                heard.push_back("gone: " + gone->why);
            }
        }
        at_dialer.arrivals.clear();
        return heard;
    }
    bool say(std::string text) { return dialer.send(dialer.session(), makeBody(std::move(text)), now, at_dialer); }
    bool answer(Peer peer, std::string text) { return table.send(peer, makeBody(std::move(text)), now, at_table); }
};

using Heard = std::vector<std::string>;

TEST(Session, OpensAndCarriesBothWays) {
    Pair pair;
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 1"});
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 3"});
    EXPECT_EQ(pair.dialer.highestEpoch(), 3u);
    ASSERT_TRUE(pair.say("a"));
    ASSERT_TRUE(pair.say("b"));
    ASSERT_TRUE(pair.answer(1, "x"));
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), (Heard{"1: a", "1: b"}));
    EXPECT_EQ(pair.dialerHeard(), Heard{"x"});
}

TEST(Session, NothingCanBeSentBeforeTheAcceptorAnswered) {
    Pair pair;
    EXPECT_EQ(pair.dialer.session(), 0u);
    EXPECT_FALSE(pair.dialer.send(1, makeBody("early"), pair.now, pair.at_dialer));
    pair.settle();
    EXPECT_FALSE(pair.dialer.send(99, makeBody("of another session"), pair.now, pair.at_dialer));
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 1"});
}

TEST(Session, ATurnsFramesAreAcknowledgedOnceAndLate) {
    Pair pair;
    pair.settle();
    for (int i = 0; i < 50; ++i) pair.say("m");
    pair.turn();
    std::vector<Frame> frames = pair.fromDialer();
    ASSERT_EQ(frames.size(), 50u);
    for (Frame& frame : frames) pair.table.onFrame("c", std::move(frame), pair.now, pair.at_table);
    pair.turn();
    EXPECT_TRUE(pair.fromTable().empty());
    pair.now += pair.options.ack_delay;
    EXPECT_EQ(pair.table.nextDeadline(), pair.now);
    pair.turn();
    frames = pair.fromTable();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].ack, 51u); // the opening too
}

TEST(Session, AnAcknowledgementRidesOnAnAnswer) {
    Pair pair;
    pair.settle();
    pair.say("question");
    pair.turn();
    for (Frame& frame : pair.fromDialer()) pair.table.onFrame("c", std::move(frame), pair.now, pair.at_table);
    pair.answer(1, "answer");
    pair.turn();
    std::vector<Frame> frames = pair.fromTable();
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(frames[0].ack, 2u);
    EXPECT_EQ(*frames[0].body, "answer");
}

TEST(Session, WhatIsLostIsSentAgainWithGrowingPatience) {
    Pair pair;
    pair.settle();
    pair.say("lost");
    pair.turn();
    pair.fromDialer();
    Duration wait = pair.options.retransmit_min;
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(pair.dialer.nextDeadline(), pair.now + wait);
        pair.now += wait;
        pair.turn();
        ASSERT_EQ(pair.fromDialer().size(), 1u);
        wait *= 2;
    }
    pair.pass(wait);
    EXPECT_EQ(pair.tableHeard(), (Heard{"opened 1", "1: lost"}));
    EXPECT_EQ(pair.counters.retransmitted, 4u);
}

TEST(Session, ADeafPeerGetsASmallBurstOfWhatWaits) {
    Pair pair;
    pair.settle();
    for (int i = 0; i < 500; ++i) pair.say("m");
    pair.turn();
    EXPECT_EQ(pair.fromDialer().size(), 500u);
    pair.now += pair.options.retransmit_min;
    pair.turn();
    EXPECT_EQ(pair.fromDialer().size(), pair.options.retransmit_burst);
    pair.pass(seconds(1)); // heard again, and once that is acknowledged all that is missing follows at once
    pair.pass(pair.options.ack_delay);
    EXPECT_EQ(pair.tableHeard().size(), 501u);
}

TEST(Session, DuplicatesAndOvertakersAreNotDelivered) {
    Pair pair;
    pair.settle();
    pair.say("a");
    pair.say("b");
    pair.turn();
    std::vector<Frame> frames = pair.fromDialer();
    ASSERT_EQ(frames.size(), 2u);
    for (const Frame& frame : {frames[1], frames[0], frames[0], frames[1], frames[1]}) {
        pair.table.onFrame("c", frame, pair.now, pair.at_table);
    }
    EXPECT_EQ(pair.tableHeard(), (Heard{"opened 1", "1: a", "1: b"}));
    EXPECT_EQ(pair.table.counters().duplicates, 2u);
    EXPECT_EQ(pair.table.counters().gaps, 1u);
}

TEST(Session, KeepalivesHoldAnIdleSession) {
    Pair pair;
    pair.settle();
    for (int i = 0; i < 20; ++i) pair.pass(pair.options.keepalive);
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 1"});
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 3"});
}

TEST(Session, SilenceEndsBothEnds) {
    Pair pair;
    pair.settle();
    pair.tableHeard();
    pair.dialerHeard();
    pair.now += pair.options.silence;
    pair.turn();
    EXPECT_EQ(pair.tableHeard(), Heard{"gone 1: silent for too long"});
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: silent for too long"});
    EXPECT_TRUE(pair.at_dialer.renew_transport);
    pair.fromTable();
    pair.fromDialer();
    pair.pass(pair.options.redial_min);
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 2"});
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 3"});
}

TEST(Session, AnUnknownSessionIsResetAndDialedAnew) {
    Pair pair;
    pair.settle();
    pair.dialerHeard();
    pair.table = SessionTable(4, pair.options); // the master restarts
    pair.say("to the old one");
    pair.settle();
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: the master doesn't know the session; it has restarted, or ended it"});
    pair.pass(pair.options.redial_min);
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 4"});
    EXPECT_EQ(pair.tableHeard(), (Heard{"opened 1", "opened 1"}));
}

TEST(Session, ANewConnectionAsksWhetherTheSessionIsKnown) {
    Pair pair;
    pair.settle();
    pair.dialerHeard();
    pair.table = SessionTable(4, pair.options);
    pair.dialer.probe();
    pair.settle();
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: the master doesn't know the session; it has restarted, or ended it"});
}

TEST(Session, ANewerSessionOfTheSameConnectionEndsTheOld) {
    Pair pair;
    pair.settle();
    Frame open;
    open.kind = FrameKind::kOpen;
    open.session = 2;
    open.seq = 1;
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    EXPECT_EQ(pair.tableHeard(), (Heard{"opened 1", "gone 1: a newer session of the same peer began", "opened 2"}));
    open.channel = 1; // another channel is another session
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 3"});
    EXPECT_EQ(pair.table.openCount(), 2u);
}

TEST(Session, ALateDuplicateOfAnOpeningRevivesNothing) {
    Pair pair;
    pair.turn();
    const Frame open = pair.fromDialer().at(0);
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    pair.table.close(1, "enough", pair.now);
    pair.settle();
    pair.tableHeard();
    pair.now += seconds(6);
    pair.turn();
    EXPECT_EQ(pair.table.closingCount(), 0u);
    pair.fromTable();
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    EXPECT_EQ(pair.tableHeard(), Heard{});
    EXPECT_EQ(pair.fromTable().at(0).kind, FrameKind::kReset);
}

TEST(Session, AGoodbyeComesBehindWhatWasSaidBefore) {
    Pair pair;
    pair.settle();
    pair.answer(1, "last words");
    pair.table.close(1, "the agent is removed", pair.now);
    EXPECT_FALSE(pair.answer(1, "too late"));
    pair.settle();
    EXPECT_EQ(pair.dialerHeard(), (Heard{"connected, epoch 3", "last words", "gone: the agent is removed"}));
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 1"}); // no Gone for what one has closed oneself
    EXPECT_EQ(pair.table.closingCount(), 0u);
}

TEST(Session, ADialersGoodbyeEndsIt) {
    Pair pair;
    pair.settle();
    pair.say("last words");
    pair.dialer.close("stopped", pair.now, pair.at_dialer);
    EXPECT_FALSE(pair.dialer.closed());
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), (Heard{"opened 1", "1: last words", "gone 1: stopped"}));
    EXPECT_TRUE(pair.dialer.closed());
    EXPECT_EQ(pair.dialer.nextDeadline(), std::nullopt);
}

TEST(Session, AGoodbyeNobodyAnswersIsGivenUp) {
    Pair pair;
    pair.settle();
    pair.table.close(1, "bye", pair.now);
    pair.dialer.close("bye", pair.now, pair.at_dialer);
    pair.now += pair.options.close_linger;
    pair.turn();
    EXPECT_TRUE(pair.dialer.closed());
    EXPECT_EQ(pair.table.closingCount(), 0u);
}

TEST(Session, AFullOutboxEndsTheSession) {
    SessionOptions small;
    small.outbox_messages = 3;
    Pair pair(small);
    pair.settle();
    pair.tableHeard();
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(pair.answer(1, "m"));
    EXPECT_EQ(pair.tableHeard(), Heard{"gone 1: it fell too far behind: its outbox was full"});
    EXPECT_EQ(pair.table.counters().outbox_full, 1u);
    pair.settle();
    EXPECT_EQ(pair.dialerHeard().back(), "gone: the master doesn't know the session; it has restarted, or ended it");

    small = {};
    small.outbox_bytes = 10;
    Pair bytes(small);
    bytes.settle();
    EXPECT_TRUE(bytes.say("0123456789"));
    EXPECT_TRUE(bytes.say("x"));
    EXPECT_EQ(bytes.dialerHeard().back(), "gone: the master fell too far behind: the outbox was full");
}

TEST(Session, ADialerRefusesALowerEpoch) {
    Pair pair({}, 3, 4); // it has seen epoch 4
    pair.settle();
    EXPECT_EQ(pair.dialerHeard(), Heard{});
    EXPECT_GE(pair.counters.refused_epoch, 1u);
    EXPECT_EQ(pair.dialer.highestEpoch(), 4u);
}

TEST(Session, AnotherEpochWithinASessionEndsIt) {
    Pair pair;
    pair.turn();
    const Frame open = pair.fromDialer().at(0);
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    pair.settle();
    pair.dialerHeard();

    SessionTable successor(4, pair.options); // gets a duplicate of the opening
    SessionTable::Output out;
    successor.onFrame("c", open, pair.now, out);
    successor.flush(pair.now, out);
    pair.dialer.onFrame(out.frames.at(0).frame, pair.now, pair.at_dialer);
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: another master answers, of epoch 4"});
    EXPECT_EQ(pair.dialer.highestEpoch(), 4u);
}

TEST(Session, WhatWasMeantForOneLeaderNeverReachesTheNext) {
    Pair pair;
    pair.turn();
    const Frame open = pair.fromDialer().at(0);
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    pair.settle();
    pair.say("to epoch 3");
    pair.turn();
    const Frame data = pair.fromDialer().at(0);
    EXPECT_EQ(data.epoch, 3u);

    SessionTable successor(4, pair.options);
    SessionTable::Output out;
    successor.onFrame("c", open, pair.now, out);
    successor.onFrame("c", data, pair.now, out);
    ASSERT_EQ(out.arrivals.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<arrival::Opened>(out.arrivals[0]));
    EXPECT_EQ(successor.counters().refused_epoch, 1u);
}

TEST(Session, AnEpochSeenElsewhereEndsASessionOfALowerOne) {
    Pair pair;
    pair.settle();
    pair.dialerHeard();
    pair.dialer.raiseEpoch(5, pair.now, pair.at_dialer);
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: a master of epoch 5 has been seen"});
    pair.pass(seconds(1));
    EXPECT_EQ(pair.dialerHeard(), Heard{});
}

// ---- Standbys -------------------------------------------------------------------------------------------------

TEST(Session, AStandbysSessionIsOpenAndCarriesNothing) {
    Pair pair({}, 0);
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), Heard{"opened 1"});
    EXPECT_EQ(pair.dialerHeard(), Heard{});
    EXPECT_TRUE(pair.dialer.standby());
    EXPECT_EQ(pair.dialer.session(), 0u);
    EXPECT_FALSE(pair.say("too early"));
    EXPECT_FALSE(pair.answer(1, "not mine to say"));
    for (int i = 0; i < 10; ++i) pair.pass(seconds(5));
    EXPECT_EQ(pair.tableHeard(), Heard{});
    EXPECT_EQ(pair.counters.opened, 1u) << "keepalives hold it";
}

TEST(Session, AStandbyThatTakesOfficeTellsItsPeersAtOnce) {
    Pair pair({}, 0, 3);
    pair.settle();
    pair.tableHeard();
    pair.table.lead(4);
    pair.settle();
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 4"});
    EXPECT_EQ(pair.counters.opened, 1u) << "no second handshake";
    EXPECT_TRUE(pair.say("hello"));
    pair.answer(1, "welcome");
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), Heard{"1: hello"});
    EXPECT_EQ(pair.dialerHeard(), Heard{"welcome"});
}

TEST(Session, WhatAStandbySaidMayComeLate) {
    Pair pair({}, 0);
    pair.turn();
    const Frame open = pair.fromDialer().at(0);
    pair.table.onFrame("c", open, pair.now, pair.at_table);
    pair.table.flush(pair.now, pair.at_table);
    const Frame acknowledged = pair.fromTable().at(0);
    pair.dialer.onFrame(acknowledged, pair.now, pair.at_dialer);
    pair.pass(seconds(5));
    pair.table.lead(4);
    pair.settle();
    pair.dialer.onFrame(acknowledged, pair.now, pair.at_dialer);
    EXPECT_EQ(pair.counters.stale, 1u);
    EXPECT_EQ(pair.dialerHeard(), Heard{"connected, epoch 4"});
    // And so may what was said to it.
    Frame keepalive;
    keepalive.session = 1;
    keepalive.ack = 1;
    pair.table.onFrame("c", keepalive, pair.now, pair.at_table);
    EXPECT_EQ(pair.table.counters().refused_epoch, 0u);
}

TEST(Session, AStandbyTakesNoMessages) {
    Pair pair({}, 0);
    pair.settle();
    pair.tableHeard();
    Frame data;
    data.session = 1;
    data.seq = 2;
    data.kind = FrameKind::kData;
    data.body = makeBody("of no epoch");
    pair.table.onFrame("c", data, pair.now, pair.at_table);
    EXPECT_EQ(pair.tableHeard(), Heard{});
    EXPECT_EQ(pair.table.counters().refused_epoch, 1u);
}

TEST(Session, AStandbyOfALowerEpochThanTheLeadersIsRefusedInOffice) {
    Pair pair({}, 0, 7);
    pair.settle();
    EXPECT_TRUE(pair.dialer.standby());
    pair.table.lead(6);
    pair.pass(seconds(1));
    EXPECT_EQ(pair.dialerHeard(), Heard{});
    EXPECT_GE(pair.counters.refused_epoch, 1u);
}

TEST(Session, ALeaderThatComesBackAsAStandbyEndsTheSession) {
    Pair pair;
    pair.settle();
    pair.dialerHeard();
    SessionTable restarted(0, pair.options);
    SessionTable::Output out;
    Frame keepalive;
    keepalive.session = 1;
    keepalive.epoch = 3;
    restarted.onFrame("c", keepalive, pair.now, out);
    ASSERT_EQ(out.frames.size(), 1u);
    pair.dialer.onFrame(out.frames[0].frame, pair.now, pair.at_dialer);
    EXPECT_EQ(pair.dialerHeard(), Heard{"gone: the master doesn't know the session; it has restarted, or ended it"});
}

TEST(Session, AGoodbyeToAStandbyArrives) {
    Pair pair({}, 0);
    pair.settle();
    pair.tableHeard();
    pair.dialer.close("the peer stops", pair.now, pair.at_dialer);
    pair.settle();
    EXPECT_EQ(pair.tableHeard(), Heard{"gone 1: the peer stops"});
    EXPECT_TRUE(pair.dialer.closed());
    EXPECT_EQ(pair.dialerHeard(), Heard{});
}

TEST(Session, AcknowledgingWhatWasNeverSentIsDropped) {
    Pair pair;
    pair.settle();
    Frame frame;
    frame.session = 1;
    frame.epoch = 3;
    frame.ack = 1000;
    pair.table.onFrame("c", frame, pair.now, pair.at_table);
    EXPECT_EQ(pair.table.counters().unexpected, 1u);
    pair.answer(1, "still here");
    pair.settle();
    EXPECT_EQ(pair.dialerHeard().back(), "still here");
}

TEST(Session, RedialingBacksOff) {
    Pair pair;
    Time last = pair.now;
    std::vector<Duration> gaps;
    while (gaps.size() < 9) {
        pair.now = *pair.dialer.nextDeadline();
        const std::uint64_t before = pair.counters.opened;
        pair.turn();
        if (pair.counters.opened == before) continue;
        gaps.push_back(pair.now - last - pair.options.silence);
        last = pair.now;
    }
    EXPECT_GE(gaps.front(), pair.options.redial_min / 2);
    EXPECT_LE(gaps.front(), pair.options.redial_min);
    EXPECT_GE(gaps.back(), pair.options.redial_max / 2);
    EXPECT_LE(gaps.back(), pair.options.redial_max);
}

TEST(SessionTable, ABusySessionRarelyMovesInTheOrderOfDeadlines) {
    // 100,000 sessions, one of which talks: an event costs nothing that grows with the others.
    SessionTable table(1);
    SessionTable::Output out;
    Time now{seconds(1)};
    constexpr int kSessions = 100'000;
    for (int i = 0; i < kSessions; ++i) {
        Frame open;
        open.kind = FrameKind::kOpen;
        open.session = 1;
        open.seq = 1;
        open.channel = static_cast<std::uint32_t>(i);
        table.onFrame("c", open, now, out);
    }
    table.flush(now, out);
    EXPECT_EQ(out.frames.size(), static_cast<std::size_t>(kSessions));
    out = {};
    for (std::uint64_t i = 0; i < 1000; ++i) {
        now += milliseconds(1);
        Frame data;
        data.kind = FrameKind::kData;
        data.session = 1;
        data.epoch = 1;
        data.seq = 2 + i;
        data.body = makeBody("m");
        table.onFrame("c", data, now, out);
        table.tick(now, out);
    }
    EXPECT_EQ(out.arrivals.size(), 1000u);
    EXPECT_LE(out.frames.size(), 60u); // acknowledgements, every 20 ms
    // They fall silent together; the ends come in one tick.
    out = {};
    table.tick(now + seconds(16), out);
    EXPECT_EQ(out.arrivals.size(), static_cast<std::size_t>(kSessions));
    EXPECT_EQ(table.openCount(), 0u);
}

TEST(SessionTable, EndedSessionsAreForgottenInTime) {
    SessionTable table(1);
    SessionTable::Output out;
    const Time now{seconds(1)};
    Frame open;
    open.kind = FrameKind::kOpen;
    open.session = 1;
    open.seq = 1;
    table.onFrame("c", open, now, out);
    table.cut(1, "cut", now, out);
    out = {};
    table.onFrame("c", open, now + seconds(1), out);
    EXPECT_TRUE(out.arrivals.empty());
    table.tick(now + SessionTable::kRememberEnded, out);
    table.onFrame("c", open, now + SessionTable::kRememberEnded, out);
    ASSERT_EQ(out.arrivals.size(), 1u);
    EXPECT_EQ(std::get<arrival::Opened>(out.arrivals[0]).peer, 2u);
}

} // namespace
} // namespace stoa
