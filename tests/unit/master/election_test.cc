// Who leads, as each of several masters sees it: first one by one, then three of them against a ZooKeeper that loses
// connections, answers late or not at all, and expires sessions, under processes that are paused.
#include "master/election/election.h"

#include "protocol/rng.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::master {
namespace {

using namespace std::chrono_literals;
namespace in = election_in;
namespace out = election_out;

constexpr Duration kTimeout = 10s;

class ElectionTest : public testing::Test {
protected:
    std::vector<ElectionAction> say(const ElectionInput& input) {
        std::vector<ElectionAction> actions;
        election_.step(input, now_, actions);
        return actions;
    }
    template <class Action>
    static const Action* find(const std::vector<ElectionAction>& actions) {
        for (const ElectionAction& action : actions) {
            if (const auto* found = std::get_if<Action>(&action)) return found;
        }
        return nullptr;
    }
    void join() {
        EXPECT_NE(find<out::OpenSession>(say(in::Wake{})), nullptr);
        EXPECT_NE(find<out::Join>(say(in::Connected{kTimeout})), nullptr);
        EXPECT_NE(find<out::List>(say(in::Joined{"n2"})), nullptr);
    }
    void lead() {
        join();
        EXPECT_NE(find<out::TakeOffice>(say(in::Listed{{"n2", "n3"}})), nullptr);
        const auto actions = say(in::OfficeTaken{5});
        ASSERT_NE(find<out::Lead>(actions), nullptr);
        EXPECT_EQ(find<out::Lead>(actions)->epoch, 5u);
        EXPECT_NE(find<out::Probe>(actions), nullptr);
    }

    Election election_;
    Time now_{1000s};
};

TEST_F(ElectionTest, TheLowestTakesOfficeAndTheOthersWaitForAChange) {
    join();
    EXPECT_TRUE(say(in::Listed{{"n1", "n2"}}).empty());
    EXPECT_NE(find<out::List>(say(in::Changed{})), nullptr);
    EXPECT_EQ(find<out::TakeOffice>(say(in::Listed{{"n2"}}))->node, "n2");
    EXPECT_FALSE(election_.leads(now_));
    EXPECT_EQ(find<out::Lead>(say(in::OfficeTaken{3}))->epoch, 3u);
    EXPECT_TRUE(election_.leads(now_));
}

TEST_F(ElectionTest, ALeaderThatHearsNothingStepsDownBeforeItsSessionCanExpire) {
    lead();
    now_ += Election::lease(kTimeout) - 1ms;
    EXPECT_EQ(find<out::StepDown>(say(in::Wake{})), nullptr);
    now_ += 1ms;
    EXPECT_FALSE(election_.leads(now_));
    ASSERT_TRUE(election_.nextDeadline());
    EXPECT_LE(*election_.nextDeadline(), now_);
    const auto actions = say(in::Wake{});
    EXPECT_NE(find<out::StepDown>(actions), nullptr);
    EXPECT_NE(find<out::CloseSession>(actions), nullptr);
    EXPECT_TRUE(election_.over());
    EXPECT_TRUE(say(in::Connected{kTimeout}).empty());
}

TEST_F(ElectionTest, AnAnswerThatCameDuringAPauseDoesNotSaveALeader) {
    lead();
    const Time asked_at = now_;
    now_ += kTimeout;
    EXPECT_NE(find<out::StepDown>(say(in::Heard{asked_at + 9s, 5})), nullptr);
}

TEST_F(ElectionTest, TheLeaseIsCountedFromTheAskingNotTheAnswer) {
    lead();
    const Time asked_at = now_;
    now_ += 3s;
    say(in::Heard{asked_at, 5});
    EXPECT_FALSE(election_.leads(asked_at + Election::lease(kTimeout)));
    say(in::Heard{now_, 5});
    EXPECT_TRUE(election_.leads(asked_at + Election::lease(kTimeout)));
}

TEST_F(ElectionTest, AHigherEpochEndsTheOfficeAtOnce) {
    lead();
    EXPECT_NE(find<out::StepDown>(say(in::Heard{now_, 6})), nullptr);
}

TEST_F(ElectionTest, AFailedWriteEndsTheOffice) {
    lead();
    const auto actions = say(in::WriteFailed{"connection loss"});
    ASSERT_NE(find<out::StepDown>(actions), nullptr);
    EXPECT_THAT(find<out::StepDown>(actions)->why, testing::HasSubstr("connection loss"));
}

TEST_F(ElectionTest, ALostConnectionAloneDoesNot) {
    lead();
    say(in::Suspended{});
    now_ += 2s;
    EXPECT_TRUE(say(in::Wake{}).empty()); // and nothing is asked while nobody can answer
    EXPECT_NE(find<out::Probe>(say(in::Connected{kTimeout})), nullptr);
    EXPECT_TRUE(election_.leads(now_));
}

TEST_F(ElectionTest, AnExpiredSessionDoes) {
    lead();
    EXPECT_NE(find<out::StepDown>(say(in::Expired{"expired"})), nullptr);
}

TEST_F(ElectionTest, ANodeOfWhichNobodyKnowsIsTakenAwayWithItsSession) {
    say(in::Wake{});
    say(in::Connected{kTimeout});
    EXPECT_NE(find<out::CloseSession>(say(in::JoinFailed{"connection loss"})), nullptr);
    EXPECT_EQ(find<out::OpenSession>(say(in::Wake{})), nullptr);
    now_ += Election::kRetryMin;
    EXPECT_NE(find<out::OpenSession>(say(in::Wake{})), nullptr);
}

TEST_F(ElectionTest, AnOfficeOfWhichNobodyKnowsIsGivenUp) {
    join();
    say(in::Listed{{"n2"}});
    EXPECT_NE(find<out::CloseSession>(say(in::OfficeFailed{false, "connection loss"})), nullptr);
    EXPECT_TRUE(say(in::OfficeTaken{9}).empty());
}

TEST_F(ElectionTest, ARefusedOfficeIsStoodForAgain) {
    join();
    say(in::Listed{{"n2"}});
    EXPECT_NE(find<out::List>(say(in::OfficeFailed{true, "bad version"})), nullptr);
    EXPECT_NE(find<out::TakeOffice>(say(in::Listed{{"n2"}})), nullptr);
}

TEST_F(ElectionTest, WhoseOwnNodeIsGoneBeginsAgain) {
    join();
    EXPECT_NE(find<out::CloseSession>(say(in::Listed{{"n3"}})), nullptr);
}

TEST_F(ElectionTest, FailedSessionsAreTriedAgainEverMoreRarely) {
    say(in::Wake{});
    Duration last{0};
    for (int i = 0; i < 8; ++i) {
        say(in::Expired{"no such host"});
        const Duration wait = *election_.nextDeadline() - now_;
        EXPECT_GE(wait, last);
        EXPECT_LE(wait, Election::kRetryMax);
        last = wait;
        now_ = *election_.nextDeadline();
        EXPECT_NE(find<out::OpenSession>(say(in::Wake{})), nullptr);
    }
    EXPECT_EQ(last, Election::kRetryMax);
}

// ---- Three masters, one ZooKeeper --------------------------------------------------------------------------------

// Sessions, sequential nodes and the epoch as ZooKeeper keeps them; calls and answers that take their time or are lost.
class World {
public:
    explicit World(std::uint64_t seed) : rng_(seed) { masters_.resize(3); }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) step();
        calm_ = true;
        for (int i = 0; i < 4000; ++i) step();
    }

    bool someoneLeads() {
        int leaders = 0;
        for (Master& master : masters_) leaders += master.election->leads(now_);
        return leaders == 1;
    }
    int offices() const { return static_cast<int>(epoch_); }
    int steppedDown() const { return stepped_down_; }

private:
    struct Session {
        bool alive = false;
        Time touched{};
        std::optional<std::uint64_t> node;
    };
    struct Master {
        std::unique_ptr<Election> election = std::make_unique<Election>();
        std::uint64_t session = 0; // 0: none
        bool connected = false;
        Time paused_until{};
        // Answers under way; and what is said instead of each when the connection is lost.
        struct Answer {
            Time at;
            ElectionInput input;
            std::optional<ElectionInput> lost;
        };
        std::vector<Answer> inbox;
    };

    static std::string nameOf(std::uint64_t node) { return std::to_string(1'000'000 + node); }

    bool chance(std::uint32_t percent) { return !calm_ && rng_.below(100) < percent; }

    void step() {
        now_ += std::chrono::milliseconds(rng_.below(200));
        for (auto& [id, session] : sessions_) {
            if (session.alive && now_ - session.touched > kTimeout) end(id);
        }
        Master& master = masters_[rng_.below(3)];
        if (chance(1)) master.paused_until = now_ + std::chrono::seconds(rng_.below(20));
        if (now_ < master.paused_until) return;
        // A server whose session has expired drops the connection.
        if (master.connected && (chance(3) || !sessions_[master.session].alive)) disconnect(master);
        if (!master.connected && master.session != 0 && (calm_ || chance(30))) connect(master);
        // Pings, as the client library sends them by itself.
        if (master.connected) touch(master);

        feed(master, in::Wake{});
        while (!master.inbox.empty() && master.inbox.front().at <= now_) {
            const ElectionInput input = master.inbox.front().input;
            master.inbox.erase(master.inbox.begin());
            feed(master, input);
        }
        checkOffices();
    }

    void touch(Master& master) {
        Session& session = sessions_[master.session];
        if (session.alive) session.touched = now_;
    }

    void end(std::uint64_t id) {
        sessions_[id].alive = false;
        sessions_[id].node.reset();
        changed();
    }

    void changed() {
        for (Master& master : masters_) {
            if (master.connected && sessions_[master.session].alive) answer(master, in::Changed{});
        }
    }

    void disconnect(Master& master) {
        master.connected = false;
        feed(master, in::Suspended{});
        for (const Master::Answer& answer : std::exchange(master.inbox, {})) {
            if (answer.lost) feed(master, *answer.lost);
        }
    }

    void connect(Master& master) {
        if (sessions_[master.session].alive) {
            master.connected = true;
            touch(master);
            answer(master, in::Connected{kTimeout});
        } else {
            master.session = 0;
            feed(master, in::Expired{"expired"});
        }
    }

    void answer(Master& master, const ElectionInput& input, std::optional<ElectionInput> lost = std::nullopt) {
        const Time last = master.inbox.empty() ? now_ : std::max(now_, master.inbox.back().at);
        master.inbox.push_back(
            {last + std::chrono::milliseconds(rng_.below(calm_ ? 20 : 1000)), input, std::move(lost)});
    }

    void feed(Master& master, const ElectionInput& input) {
        std::vector<ElectionAction> actions;
        master.election->step(input, now_, actions);
        for (const ElectionAction& action : actions) {
            std::visit([&](const auto& one) { carryOut(master, one); }, action);
        }
    }

    void carryOut(Master& master, const out::OpenSession&) {
        master.session = ++last_session_;
        sessions_[master.session] = {true, now_, std::nullopt};
        master.connected = false;
    }
    void carryOut(Master& master, const out::CloseSession&) {
        if (master.session != 0 && sessions_[master.session].alive && master.connected) end(master.session);
        master.session = 0;
        master.connected = false;
        master.inbox.clear();
    }
    bool works(const Master& master) { return master.connected && sessions_[master.session].alive; }

    void carryOut(Master& master, const out::Join&) {
        const in::JoinFailed lost{"connection loss"};
        if (!works(master) || chance(10)) {
            // Made or not made: nobody is told.
            if (works(master) && chance(50)) sessions_[master.session].node = ++last_node_;
            return answer(master, lost, lost);
        }
        sessions_[master.session].node = ++last_node_;
        changed();
        answer(master, in::Joined{nameOf(last_node_)}, lost);
    }
    void carryOut(Master& master, const out::List&) {
        if (!works(master)) return;
        std::vector<std::string> names;
        for (const auto& [id, session] : sessions_) {
            if (session.node) names.push_back(nameOf(*session.node));
        }
        std::sort(names.begin(), names.end());
        answer(master, in::Listed{names});
    }
    void carryOut(Master& master, const out::TakeOffice& take) {
        const in::OfficeFailed lost{false, "connection loss"};
        if (!works(master)) return answer(master, lost, lost);
        Session& session = sessions_[master.session];
        if (!session.node || nameOf(*session.node) != take.node) return answer(master, lost, lost);
        ++epoch_;
        if (chance(15)) return answer(master, lost, lost);
        touch(master);
        answer(master, in::OfficeTaken{epoch_}, lost);
    }
    void carryOut(Master& master, const out::Probe& probe) {
        if (!works(master) || chance(10)) return;
        touch(master);
        answer(master, in::Heard{probe.asked_at, epoch_});
    }
    void carryOut(Master& master, const out::Lead& lead) {
        // Each epoch is led by one master only.
        EXPECT_TRUE(led_.insert(lead.epoch).second) << "two masters lead epoch " << lead.epoch;
        EXPECT_EQ(lead.epoch, master.election->epoch());
    }
    void carryOut(Master& master, const out::StepDown&) {
        ++stepped_down_;
        over_.push_back(&master);
    }

    // Two may both think that they lead only while ZooKeeper can't have let the other in: never, by their own clocks.
    void checkOffices() {
        for (Master* master : std::exchange(over_, {})) {
            EXPECT_TRUE(master->election->over());
            master->election = std::make_unique<Election>();
            master->inbox.clear();
        }
        int leaders = 0;
        for (const Master& master : masters_) {
            if (!master.election->leads(now_)) continue;
            ++leaders;
            EXPECT_TRUE(sessions_[master.session].alive) << "a leader whose session has expired leads on";
        }
        EXPECT_LE(leaders, 1);
    }

    Rng rng_;
    Time now_{1000s};
    bool calm_ = false;
    std::vector<Master> masters_;
    std::map<std::uint64_t, Session> sessions_;
    std::vector<Master*> over_;
    std::set<std::uint64_t> led_;
    std::uint64_t last_session_ = 0;
    std::uint64_t last_node_ = 0;
    std::uint64_t epoch_ = 0;
    int stepped_down_ = 0;
};

TEST(Elections, AtMostOneLeadsWhateverFailsAndOneDoesOnceNothingFails) {
    int offices = 0;
    int stepped_down = 0;
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SCOPED_TRACE(seed);
        World world(seed);
        world.run(4000);
        EXPECT_TRUE(world.someoneLeads());
        offices += world.offices();
        stepped_down += world.steppedDown();
        if (testing::Test::HasFailure()) break;
    }
    EXPECT_GT(offices, 1000);
    EXPECT_GT(stepped_down, 500);
}

} // namespace
} // namespace stoa::master
