#include "frameworks/sdk/driver_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace stoa::sdk {
namespace {

using State = DriverCore::State;

DriverCore::Options options() {
    DriverCore::Options options;
    options.framework.name = "test";
    return options;
}

event::Subscribed subscribedAs(const std::string& id, std::uint64_t epoch = 1) {
    event::Subscribed subscribed;
    subscribed.framework = FrameworkId(id);
    subscribed.epoch = epoch;
    return subscribed;
}

Offer offer(const std::string& id, const std::string& agent = "a1") {
    Offer offer;
    offer.id = OfferId(id);
    offer.agent = AgentId(agent);
    return offer;
}

call::Accept acceptOf(const std::vector<std::string>& ids) {
    call::Accept accept;
    for (const std::string& id : ids) accept.offers.push_back(OfferId(id));
    return accept;
}

class DriverCoreTest : public testing::Test {
protected:
    DriverOutput step(const DriverInput& input) {
        DriverOutput output;
        core_.step(input, Time{}, output);
        return output;
    }
    DriverOutput event(Event event) { return step(Received{std::move(event)}); }
    absl::Status call(Call call) {
        said_ = {};
        return core_.call(std::move(call), said_);
    }
    void subscribe() {
        step(Connected{1});
        event(subscribedAs("f1"));
    }

    DriverCore core_{options()};
    DriverOutput said_;
};

template <class T>
const T& only(const DriverOutput& output) {
    EXPECT_EQ(output.calls.size(), 1u);
    return std::get<T>(output.calls.at(0).call);
}

TEST_F(DriverCoreTest, SubscribesOnEachNewConnectionWithTheIdItWasGiven) {
    DriverOutput first = step(Connected{1});
    EXPECT_TRUE(only<call::Subscribe>(first).info.id.empty());
    event(subscribedAs("f1"));
    step(Gone{"silent"});
    DriverOutput second = step(Connected{1});
    EXPECT_EQ(only<call::Subscribe>(second).info.id, FrameworkId("f1"));
    EXPECT_EQ(second.calls[0].framework, FrameworkId("f1"));
}

TEST_F(DriverCoreTest, SaysNothingWhileItIsNotSubscribedAndTellsSo) {
    EXPECT_EQ(call(call::Revive{}).code(), absl::StatusCode::kUnavailable);
    EXPECT_TRUE(said_.calls.empty());
    step(Connected{1});
    EXPECT_EQ(call(call::Kill{TaskId("t"), {}, {}}).code(), absl::StatusCode::kUnavailable);
    event(subscribedAs("f1"));
    EXPECT_TRUE(call(call::Kill{TaskId("t"), {}, {}}).ok());
    EXPECT_EQ(only<call::Kill>(said_).task, TaskId("t"));
}

TEST_F(DriverCoreTest, RestatesTheLastDemandsAtEachSubscription) {
    Demand demand;
    demand.name = "workers";
    demand.count = 3;
    EXPECT_TRUE(call(call::SetDemands{{demand}}).ok());
    EXPECT_TRUE(said_.calls.empty());
    step(Connected{1});
    EXPECT_EQ(only<call::SetDemands>(event(subscribedAs("f1"))).demands, std::vector{demand});
    step(Gone{"silent"});
    step(Connected{1});
    EXPECT_EQ(only<call::SetDemands>(event(subscribedAs("f1"))).demands, std::vector{demand});
}

TEST_F(DriverCoreTest, SubscribesAsItLastSaidItWas) {
    subscribe();
    FrameworkInfo info;
    info.name = "renamed";
    info.roles = {"db", "web"};
    EXPECT_TRUE(call(call::UpdateFramework{info, {"web"}}).ok());
    const DriverOutput output = step(Connected{1});
    const auto& again = only<call::Subscribe>(output);
    EXPECT_EQ(again.info.name, "renamed");
    EXPECT_EQ(again.info.roles, info.roles);
    EXPECT_EQ(again.info.id, FrameworkId("f1"));
    EXPECT_EQ(again.suppressed_roles, std::vector<std::string>{"web"});
}

TEST_F(DriverCoreTest, AnOfferCanBeAnsweredOnce) {
    subscribe();
    event(event::Offers{{offer("o1")}});
    EXPECT_TRUE(call(acceptOf({"o1"})).ok());
    EXPECT_EQ(call(acceptOf({"o1"})).code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(call(call::Decline{{OfferId("o1")}, {}}).code(), absl::StatusCode::kNotFound);
}

TEST_F(DriverCoreTest, ARescindedOfferIsToldOnceAndCanNotBeAccepted) {
    subscribe();
    event(event::Offers{{offer("o1")}});
    EXPECT_EQ(event(event::Rescind{OfferId("o1")}).told.size(), 1u);
    EXPECT_EQ(call(acceptOf({"o1"})).code(), absl::StatusCode::kNotFound);
    EXPECT_TRUE(event(event::Rescind{OfferId("o1")}).told.empty());
}

TEST_F(DriverCoreTest, ADisconnectVoidsTheOffers) {
    subscribe();
    event(event::Offers{{offer("o1")}});
    DriverOutput gone = step(Gone{"silent"});
    ASSERT_EQ(gone.told.size(), 1u);
    EXPECT_EQ(std::get<Disconnected>(gone.told[0]).why, "silent");
    subscribe();
    EXPECT_EQ(call(acceptOf({"o1"})).code(), absl::StatusCode::kNotFound);
}

TEST_F(DriverCoreTest, OffersOfTwoAgentsAreNotJoinedAndStandOn) {
    subscribe();
    event(event::Offers{{offer("o1", "a1"), offer("o2", "a2"), offer("o3", "a1")}});
    EXPECT_EQ(call(acceptOf({"o1", "o2"})).code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(call(acceptOf({"o1", "o3"})).ok());
}

std::vector<Offer> gang() {
    std::vector<Offer> offers = {offer("o1", "a1"), offer("o2", "a2"), offer("o3", "a3")};
    for (Offer& each : offers) each.gang = OfferId("o1");
    return offers;
}

TEST_F(DriverCoreTest, AGangIsAcceptedWholeOrStandsOn) {
    subscribe();
    event(event::Offers{gang()});
    event(event::Offers{{offer("x", "a1")}});
    EXPECT_EQ(call(acceptOf({"o1", "o3"})).message(),
              "the accept names 2 of a gang's 3 offers; a gang is accepted whole, in one call");
    EXPECT_FALSE(call(acceptOf({"o1", "o2", "o3", "x"})).ok());
    EXPECT_TRUE(call(acceptOf({"o3", "o1", "o2"})).ok());
    EXPECT_EQ(core_.openOffers(), 1u);
}

TEST_F(DriverCoreTest, AGangIsDeclinedWithOneOfItsOffers) {
    subscribe();
    event(event::Offers{gang()});
    EXPECT_TRUE(call(call::Decline{{OfferId("o2")}, {}}).ok());
    EXPECT_EQ(core_.openOffers(), 0u);
    EXPECT_TRUE(event(event::Rescind{OfferId("o1")}).told.empty());
}

TEST_F(DriverCoreTest, AGangIsRescindedWithOneOfItsOffers) {
    subscribe();
    event(event::Offers{gang()});
    EXPECT_EQ(event(event::Rescind{OfferId("o2")}).told.size(), 3u);
    EXPECT_TRUE(event(event::Rescind{OfferId("o1")}).told.empty());
    EXPECT_EQ(call(acceptOf({"o1", "o2", "o3"})).code(), absl::StatusCode::kNotFound);
}

TEST_F(DriverCoreTest, AcknowledgesAnUpdateAfterTheSchedulerHasSeenIt) {
    subscribe();
    TaskStatus status;
    status.task = TaskId("t1");
    status.agent = AgentId("a1");
    status.uuid = Uuid{1};
    DriverOutput told = event(event::Update{status});
    EXPECT_TRUE(told.calls.empty());
    DriverOutput after;
    core_.told(told.told.at(0), after);
    EXPECT_EQ(only<call::Acknowledge>(after).uuid, Uuid{1});
}

TEST_F(DriverCoreTest, DoesNotAcknowledgeWhatWantsNoneOrWhatTheSchedulerAcknowledgesItself) {
    subscribe();
    DriverOutput after;
    core_.told(event(event::Update{TaskStatus{}}).told.at(0), after);
    EXPECT_TRUE(after.calls.empty());

    DriverCore::Options explicitly = options();
    explicitly.explicit_acknowledgements = true;
    core_ = DriverCore(explicitly);
    subscribe();
    TaskStatus status;
    status.uuid = Uuid{1};
    core_.told(event(event::Update{status}).told.at(0), after);
    EXPECT_TRUE(after.calls.empty());
    EXPECT_TRUE(call(call::Acknowledge{AgentId("a1"), TaskId("t1"), Uuid{1}}).ok());
}

TEST_F(DriverCoreTest, RefusesAMasterOfALowerEpoch) {
    step(Connected{5});
    event(subscribedAs("f1", 5));
    step(Gone{"silent"});
    DriverOutput stale = step(Connected{4});
    EXPECT_TRUE(stale.calls.empty());
    EXPECT_THAT(stale.drop_session, testing::HasSubstr("epoch 5"));
    EXPECT_EQ(core_.state(), State::kDisconnected);
    EXPECT_EQ(step(Connected{6}).calls.size(), 1u);
}

TEST_F(DriverCoreTest, EndsWithAnErrorAndSubscribesNoMore) {
    subscribe();
    EXPECT_EQ(event(event::Error{"torn down"}).told.size(), 1u);
    EXPECT_EQ(core_.state(), State::kEnded);
    EXPECT_TRUE(step(Gone{"closed"}).told.empty());
    EXPECT_TRUE(step(Connected{2}).calls.empty());
    EXPECT_EQ(call(call::Revive{}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(DriverCoreTest, EndsWithATeardown) {
    subscribe();
    EXPECT_TRUE(call(call::Teardown{}).ok());
    EXPECT_EQ(said_.calls.size(), 1u);
    EXPECT_EQ(core_.state(), State::kEnded);
}

// Whatever comes in whatever order: no call before SUBSCRIBED but SUBSCRIBE and demands, none after the end, and an
// offer is answered at most once a session.
RC_GTEST_PROP(DriverCoreProperty, SpeaksOnlyWhenSubscribedAndAnswersEachOfferOnce, ()) {
    DriverCore core(options());
    std::set<std::string> open;
    const int steps = *rc::gen::inRange(0, 60);
    for (int i = 0; i < steps; ++i) {
        DriverOutput output;
        const State before = core.state();
        const std::string id = "o" + std::to_string(*rc::gen::inRange(0, 4));
        switch (*rc::gen::inRange(0, 7)) {
        case 0:
            core.step(Connected{1}, Time{}, output);
            RC_ASSERT(output.calls.size() == (before == State::kEnded ? 0u : 1u));
            open.clear();
            break;
        case 1:
            core.step(Gone{"x"}, Time{}, output);
            open.clear();
            break;
        case 2:
            core.step(Received{subscribedAs("f1")}, Time{}, output);
            open.clear();
            break;
        case 3:
            core.step(Received{event::Offers{{offer(id)}}}, Time{}, output);
            if (before == State::kSubscribed) open.insert(id);
            break;
        case 4:
            core.step(Received{event::Rescind{OfferId(id)}}, Time{}, output);
            open.erase(id);
            break;
        case 5: {
            const bool ok = core.call(acceptOf({id}), output).ok();
            RC_ASSERT(ok == (core.state() == State::kSubscribed && open.count(id) == 1));
            RC_ASSERT(output.calls.size() == (ok ? 1u : 0u));
            open.erase(id);
            break;
        }
        default: RC_ASSERT(core.call(call::Revive{}, output).ok() == (core.state() == State::kSubscribed));
        }
    }
}

} // namespace
} // namespace stoa::sdk
