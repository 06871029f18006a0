#include "frameworks/sdk/executor_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::sdk {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ExecutorCoreTest : public testing::Test {
protected:
    ExecutorCoreTest() { step(Tick{}); }

    ExecutorOutput& step(const ExecutorInput& input) {
        out_ = {};
        core_.step(input, now_, out_);
        if (out_.subscribe) subscribe_ = std::get<executor_call::Subscribe>(out_.subscribe->call);
        return out_;
    }
    ExecutorOutput& hear(ExecutorEvent event) { return step(StreamEvent{std::move(event)}); }
    ExecutorOutput& lose() { return step(StreamEnded{"gone", false}); }
    // Until the next try to subscribe.
    void waitForATry() {
        for (int i = 0; i < 100 && !out_.subscribe && core_.nextDeadline(); ++i) {
            now_ = std::max(now_, *core_.nextDeadline());
            step(Tick{});
        }
        ASSERT_TRUE(out_.subscribe);
    }
    void launch(const std::string& id) {
        TaskInfo task;
        task.id = TaskId(id);
        hear(executor_event::Launch{task});
    }
    absl::Status say(const std::string& id, TaskState state) {
        TaskStatus status;
        status.task = TaskId(id);
        status.state = state;
        out_ = {};
        return core_.update(status, now_, WallTime{5}, out_);
    }
    TaskStatus said() const { return std::get<executor_call::Update>(out_.calls.back().call).status; }

    Time now_{1s};
    Rng rng_{3};
    ExecutorCore core_{{FrameworkId("f"), ExecutorId("e")}, rng_, now_};
    ExecutorOutput out_;
    executor_call::Subscribe subscribe_;
};

TEST_F(ExecutorCoreTest, SubscribesAtOnceAndTellsWhenItHas) {
    ASSERT_TRUE(out_.subscribe);
    EXPECT_EQ(out_.subscribe->framework, FrameworkId("f"));
    hear(executor_event::Subscribed{});
    EXPECT_TRUE(core_.subscribed());
    ASSERT_THAT(out_.told, SizeIs(1));
}

TEST_F(ExecutorCoreTest, AnUpdateIsSaidWithAllThatTheApiWants) {
    hear(executor_event::Subscribed{});
    launch("t");
    ASSERT_TRUE(say("t", TaskState::kRunning).ok());
    EXPECT_TRUE(said().uuid.has_value());
    EXPECT_EQ(said().source, StatusSource::kExecutor);
    EXPECT_EQ(said().executor, ExecutorId("e"));
    EXPECT_EQ(said().timestamp.nanos, 5);
}

TEST_F(ExecutorCoreTest, AnUpdateOfNoTaskOrAfterItsEndIsRefused) {
    hear(executor_event::Subscribed{});
    launch("t");
    EXPECT_TRUE(absl::IsNotFound(say("u", TaskState::kRunning)));
    ASSERT_TRUE(say("t", TaskState::kFinished).ok());
    EXPECT_TRUE(absl::IsNotFound(say("t", TaskState::kFailed)));
}

TEST_F(ExecutorCoreTest, ARepeatedLaunchIsToldOnce) {
    hear(executor_event::Subscribed{});
    launch("t");
    EXPECT_THAT(out_.told, SizeIs(1));
    launch("t");
    EXPECT_THAT(out_.told, IsEmpty());
}

TEST_F(ExecutorCoreTest, SubscribesAgainWithWhatIsNotAcknowledged) {
    hear(executor_event::Subscribed{});
    for (const char* id : {"known", "silent", "over"}) launch(id);
    ASSERT_TRUE(say("known", TaskState::kRunning).ok());
    hear(executor_event::Acknowledged{TaskId("known"), *said().uuid});
    ASSERT_TRUE(say("over", TaskState::kRunning).ok());
    ASSERT_TRUE(say("over", TaskState::kFinished).ok());
    lose();
    EXPECT_THAT(out_.told, SizeIs(1)); // Away
    waitForATry();
    std::vector<std::string> tasks;
    for (const TaskInfo& task : subscribe_.unacknowledged_tasks) tasks.push_back(task.id.value());
    EXPECT_THAT(tasks, testing::UnorderedElementsAre("silent", "over"));
    ASSERT_THAT(subscribe_.unacknowledged_updates, SizeIs(2));
    EXPECT_EQ(subscribe_.unacknowledged_updates[0].state, TaskState::kRunning);
    EXPECT_EQ(subscribe_.unacknowledged_updates[1].state, TaskState::kFinished);
}

TEST_F(ExecutorCoreTest, AnUpdateWithoutAStreamWaitsForTheNext) {
    hear(executor_event::Subscribed{});
    launch("t");
    lose();
    ASSERT_TRUE(say("t", TaskState::kFinished).ok());
    EXPECT_THAT(out_.calls, IsEmpty());
    waitForATry();
    EXPECT_THAT(subscribe_.unacknowledged_updates, SizeIs(1));
}

TEST_F(ExecutorCoreTest, AnUpdateThatIsNotAcknowledgedIsRepeated) {
    hear(executor_event::Subscribed{});
    launch("t");
    ASSERT_TRUE(say("t", TaskState::kRunning).ok());
    const std::optional<Uuid> uuid = said().uuid;
    now_ += 10s;
    step(Tick{});
    EXPECT_EQ(said().uuid, uuid);
    hear(executor_event::Acknowledged{TaskId("t"), *uuid});
    now_ += 10s;
    step(Tick{});
    EXPECT_THAT(out_.calls, IsEmpty());
}

TEST_F(ExecutorCoreTest, GivesUpWhenTheAgentStaysAway) {
    hear(executor_event::Subscribed{});
    launch("t");
    lose();
    const Time began = now_;
    while (!out_.ended && core_.nextDeadline()) {
        now_ = std::max(now_, *core_.nextDeadline());
        step(Tick{});
        if (out_.subscribe) step(StreamEnded{"refused", false});
    }
    EXPECT_TRUE(core_.ended());
    EXPECT_EQ(now_ - began, 15min);
}

TEST_F(ExecutorCoreTest, TriesAreSpreadAndNeverFurtherApartThanTheBackoff) {
    lose();
    for (int i = 0; i < 30; ++i) {
        const Time before = now_;
        waitForATry();
        EXPECT_LE(now_ - before, 2s);
        lose();
    }
}

TEST_F(ExecutorCoreTest, EndsWhenTheAgentDoesNotKnowIt) {
    step(StreamEnded{"400: no such executor", true});
    EXPECT_TRUE(out_.ended);
    ASSERT_THAT(out_.told, SizeIs(1));
    EXPECT_TRUE(std::holds_alternative<executor_event::Error>(out_.told[0]));
}

TEST_F(ExecutorCoreTest, AfterStopItEndsWithTheLastAcknowledgement) {
    hear(executor_event::Subscribed{});
    launch("t");
    ASSERT_TRUE(say("t", TaskState::kFinished).ok());
    const std::optional<Uuid> uuid = said().uuid;
    out_ = {};
    core_.stop(now_, out_);
    EXPECT_FALSE(out_.ended);
    hear(executor_event::Acknowledged{TaskId("t"), *uuid});
    EXPECT_TRUE(out_.ended);
}

TEST_F(ExecutorCoreTest, AfterAShutdownItDoesNotWaitForEver) {
    hear(executor_event::Subscribed{});
    launch("t");
    hear(executor_event::Shutdown{});
    EXPECT_THAT(out_.told, SizeIs(1));
    EXPECT_FALSE(core_.ended());
    now_ += 3s;
    step(Tick{});
    EXPECT_TRUE(core_.ended());
}

TEST_F(ExecutorCoreTest, MessagesNeedAStream) {
    EXPECT_TRUE(absl::IsUnavailable(core_.message("hi", out_)));
    hear(executor_event::Subscribed{});
    out_ = {};
    EXPECT_TRUE(core_.message("hi", out_).ok());
    EXPECT_THAT(out_.calls, SizeIs(1));
}

} // namespace
} // namespace stoa::sdk
