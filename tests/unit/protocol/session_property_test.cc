// Sessions under a network that loses, repeats, delays and reorders, with partitions, masters that restart with a new
// epoch and owners that close: in virtual time, from seeds. Each message says which session it was sent in and its
// place there, so the receiver knows at once what must not be: a gap, a repeat, a stranger's message.
#include "protocol/session.h"

#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>

namespace stoa {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kDialers = 4;

struct World {
    explicit World(std::uint64_t seed) : rng(seed) {
        options.window = 16;
        options.ack_every = 8;
        options.retransmit_burst = 4;
        table = std::make_unique<SessionTable>(epoch, options);
        for (std::uint32_t i = 0; i < kDialers; ++i) {
            // Two channels a connection.
            dialers.push_back(std::make_unique<DialerSession>(i % 2, 0, rng, counters, now, options));
            sessions.emplace_back();
            DialerSession::Output out;
            dialers[i]->flush(now, out);
            carry(static_cast<int>(i), out);
        }
    }

    struct Event {
        bool up; // to the table
        int dialer;
        Frame frame;
    };
    // What one dialer's session, as its own side sees it, has sent and received.
    struct Stream {
        std::uint64_t session = 0;
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };
    // As the table's side sees it.
    struct PeerStream {
        int dialer = -1;           // known by the connection
        std::uint64_t session = 0; // known from the first message
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
    };

    static std::string connection(int dialer) { return concat("c", dialer / 2); }

    void put(const Event& event) {
        if (partitioned && event.dialer / 2 == 0) return;
        if (faults && rng.chance(150'000)) return;
        const int copies = faults && rng.chance(100'000) ? 2 : 1;
        for (int i = 0; i < copies; ++i) {
            Duration delay = milliseconds(1);
            if (faults && rng.chance(100'000)) delay += milliseconds(rng.below(3000));
            flying.emplace(now + delay, event);
        }
    }

    void carry(int dialer, DialerSession::Output& out) {
        for (Frame& frame : out.frames) put({true, dialer, std::move(frame)});
        Stream& stream = sessions[static_cast<std::size_t>(dialer)];
        for (DialerArrival& arrival : out.arrivals) {
            if (auto* connected = std::get_if<dialed::Connected>(&arrival)) {
                ASSERT_EQ(stream.session, 0u) << "connected twice";
                ASSERT_GE(connected->epoch, told_epoch[dialer]) << "an epoch went back";
                told_epoch[dialer] = connected->epoch;
                stream = {connected->session, 0, 0};
                ++connects;
            } else if (auto* message = std::get_if<dialed::Message>(&arrival)) {
                ASSERT_NE(stream.session, 0u);
                ASSERT_EQ(*message->body,
                          concat("down ", told_epoch[dialer], " ", peerOf(dialer), " ", stream.received));
                ++stream.received;
                ++delivered;
            } else {
                ASSERT_NE(stream.session, 0u) << "gone without having been there";
                stream = {};
            }
        }
        out = {};
    }
    // The peer number is learnt from the first message of a session; the epoch tells tables apart.
    std::uint64_t peerOf(int dialer) {
        return peer_by_session[{told_epoch[dialer], dialer, sessions[static_cast<std::size_t>(dialer)].session}];
    }

    void carry(SessionTable::Output& out) {
        for (Arrival& arrival : out.arrivals) {
            if (auto* opened = std::get_if<arrival::Opened>(&arrival)) {
                ASSERT_TRUE(peers.emplace(opened->peer, PeerStream()).second) << "a peer number was used twice";
            } else if (auto* message = std::get_if<arrival::Message>(&arrival)) {
                ASSERT_TRUE(peers.contains(message->peer)) << "a message of a peer that is gone";
                PeerStream& stream = peers[message->peer];
                const std::vector<std::string_view> words = split(*message->body, ' ');
                const std::uint64_t session = std::stoull(std::string(words.at(2)));
                if (stream.session == 0) {
                    stream.session = session;
                    stream.dialer = std::stoi(std::string(words.at(1)));
                    ASSERT_TRUE(heard_in.emplace(stream.dialer, session).second) << "one session reached two peers";
                }
                ASSERT_EQ(*message->body, concat("up ", stream.dialer, " ", stream.session, " ", stream.received));
                ++stream.received;
                ++delivered;
            } else if (auto* gone = std::get_if<arrival::Gone>(&arrival)) {
                ASSERT_EQ(peers.erase(gone->peer), 1u) << "gone twice";
            }
        }
        for (SessionTable::FrameTo& to : out.frames) {
            const int dialer = (to.connection == "c0" ? 0 : 2) + static_cast<int>(to.frame.channel);
            // Which peer serves which session is the test's own knowledge, so that it can check what arrives.
            put({false, dialer, std::move(to.frame)});
        }
        out = {};
    }

    void talk() {
        const int dialer = static_cast<int>(rng.below(kDialers));
        Stream& stream = sessions[static_cast<std::size_t>(dialer)];
        DialerSession::Output out;
        if (stream.session != 0) {
            const std::uint64_t burst = 1 + rng.below(20);
            for (std::uint64_t i = 0; i < burst; ++i) {
                Body body = makeBody(concat("up ", dialer, " ", stream.session, " ", stream.sent++));
                ASSERT_TRUE(dialers[static_cast<std::size_t>(dialer)]->send(stream.session, std::move(body), now, out));
            }
        }
        dialers[static_cast<std::size_t>(dialer)]->flush(now, out);
        carry(dialer, out);

        SessionTable::Output to;
        for (auto& [peer, peer_stream] : peers) {
            if (peer_stream.session == 0 || !rng.chance(500'000)) continue; // answers once it knows who it is
            peer_by_session[{epoch, peer_stream.dialer, peer_stream.session}] = peer;
            const std::uint64_t burst = 1 + rng.below(20);
            for (std::uint64_t i = 0; i < burst; ++i) {
                Body body = makeBody(concat("down ", epoch, " ", peer, " ", peer_stream.sent++));
                ASSERT_TRUE(table->send(peer, std::move(body), now, to));
            }
        }
        table->flush(now, to);
        carry(to);
    }

    void restartTable() {
        total += table->counters();
        table = std::make_unique<SessionTable>(++epoch, options);
        peers.clear();
    }

    void closeOne() {
        if (peers.empty()) return;
        auto peer = std::next(peers.begin(), static_cast<std::ptrdiff_t>(rng.below(peers.size())));
        table->close(peer->first, "closed by the test", now);
        peers.erase(peer);
        SessionTable::Output out;
        table->flush(now, out);
        carry(out);
    }

    // Everything that is due up to `until`, in order.
    void run(Time until) {
        for (;;) {
            Time next = until;
            if (!flying.empty()) next = std::min(next, flying.begin()->first);
            if (std::optional<Time> due = table->nextDeadline()) next = std::min(next, *due);
            for (auto& dialer : dialers) {
                if (std::optional<Time> due = dialer->nextDeadline()) next = std::min(next, *due);
            }
            now = std::max(now, next);
            if (now >= until) return;
            SessionTable::Output at_table;
            while (!flying.empty() && flying.begin()->first <= now) {
                Event event = std::move(flying.begin()->second);
                flying.erase(flying.begin());
                if (event.up) {
                    table->onFrame(connection(event.dialer), std::move(event.frame), now, at_table);
                } else {
                    DialerSession::Output out;
                    dialers[static_cast<std::size_t>(event.dialer)]->onFrame(std::move(event.frame), now, out);
                    dialers[static_cast<std::size_t>(event.dialer)]->flush(now, out);
                    carry(event.dialer, out);
                }
            }
            table->tick(now, at_table);
            carry(at_table);
            for (int i = 0; i < kDialers; ++i) {
                DialerSession::Output out;
                dialers[static_cast<std::size_t>(i)]->tick(now, out);
                carry(i, out);
            }
            if (testing::Test::HasFatalFailure()) return;
        }
    }

    SessionOptions options;
    Rng rng;
    Time now{seconds(1)};
    bool faults = true;
    bool partitioned = false;
    std::uint64_t epoch = 1;
    SessionCounters counters; // the dialers'
    SessionCounters total;    // the tables' that ended
    std::unique_ptr<SessionTable> table;
    std::vector<std::unique_ptr<DialerSession>> dialers;
    std::vector<Stream> sessions;
    std::map<int, std::uint64_t> told_epoch;
    std::map<Peer, PeerStream> peers;
    std::set<std::pair<int, std::uint64_t>> heard_in;
    std::map<std::tuple<std::uint64_t, int, std::uint64_t>, Peer> peer_by_session;
    std::multimap<Time, Event> flying;
    std::uint64_t delivered = 0;
    std::uint64_t connects = 0;
};

void runSeed(std::uint64_t seed, SessionCounters& dialers, SessionCounters& tables, std::uint64_t& delivered) {
    World world(seed);
    for (int step = 0; step < 300; ++step) {
        world.talk();
        if (world.rng.chance(10'000)) world.restartTable();
        if (world.rng.chance(10'000)) world.closeOne();
        if (world.rng.chance(20'000)) world.partitioned = !world.partitioned;
        world.run(world.now + milliseconds(world.rng.below(400)));
        if (testing::Test::HasFatalFailure()) return;
    }
    // Faults stop: every dialer is connected, and what is said now arrives, all of it.
    world.faults = false;
    world.partitioned = false;
    world.run(world.now + seconds(60));
    if (testing::Test::HasFatalFailure()) return;
    for (int i = 0; i < 40; ++i) world.talk();
    world.run(world.now + seconds(30));
    if (testing::Test::HasFatalFailure()) return;
    ASSERT_EQ(world.table->openCount(), static_cast<std::size_t>(kDialers));
    for (const auto& [peer, stream] : world.peers) {
        if (stream.session == 0) continue; // nothing was said in it
        const World::Stream& other = world.sessions[static_cast<std::size_t>(stream.dialer)];
        ASSERT_EQ(other.session, stream.session);
        ASSERT_EQ(stream.received, other.sent);
        ASSERT_EQ(other.received, stream.sent);
    }
    // Goodbyes end everything on both sides.
    for (int i = 0; i < kDialers; ++i) {
        DialerSession::Output out;
        world.dialers[static_cast<std::size_t>(i)]->close("done", world.now, out);
        world.dialers[static_cast<std::size_t>(i)]->flush(world.now, out);
        world.carry(i, out);
    }
    world.run(world.now + seconds(1));
    for (auto& dialer : world.dialers) ASSERT_TRUE(dialer->closed());
    ASSERT_EQ(world.table->openCount(), 0u);
    dialers += world.counters;
    tables += world.total;
    tables += world.table->counters();
    delivered += world.delivered;
}

TEST(SessionProperty, EachMessageArrivesOnceAndInOrderOrTheSessionEnds) {
    SessionCounters dialers;
    SessionCounters tables;
    std::uint64_t delivered = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(concat("seed ", seed));
        runSeed(seed, dialers, tables, delivered);
        if (HasFatalFailure()) return;
    }
    // What was never reached was not tested.
    EXPECT_GT(delivered, 100'000u);
    for (const SessionCounters* side : {&dialers, &tables}) {
        EXPECT_GT(side->retransmitted, 0u);
        EXPECT_GT(side->duplicates, 0u);
        EXPECT_GT(side->gaps, 0u);
        EXPECT_GT(side->stale, 0u);
        EXPECT_GT(side->refused_epoch, 0u);
        EXPECT_GT(side->resets_in, 0u);
        EXPECT_GT(side->resets_out, 0u);
        EXPECT_GT(side->silent, 0u);
        EXPECT_EQ(side->outbox_full, 0u);
    }
}

} // namespace
} // namespace stoa
