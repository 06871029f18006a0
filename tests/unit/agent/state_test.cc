#include "agent/state/agent_state.h"
#include "tests/unit/agent/core_world.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace stoa::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TaskStatus status(std::string id, TaskState state, std::uint8_t uuid) {
    TaskStatus status;
    status.task = TaskId(std::move(id));
    status.agent = AgentId("a1");
    status.state = state;
    status.source = StatusSource::kAgent;
    status.uuid = Uuid{uuid};
    return status;
}

class State : public ::testing::Test {
protected:
    State() { reopen(); }
    // Closed, opened again, its records taken.
    std::vector<Record> reopen() {
        state.reset();
        auto opened = AgentState::open(file);
        EXPECT_TRUE(opened.ok()) << opened.status();
        state = *std::move(opened);
        return state->takeRecords();
    }
    void write(const std::vector<Record>& records) {
        number += records.size();
        state->write(records, number);
        ASSERT_TRUE(state->flush().ok());
        EXPECT_EQ(state->durable(), number);
    }
    template <class T>
    static std::size_t count(const std::vector<Record>& records) {
        std::size_t n = 0;
        for (const Record& record : records) n += std::holds_alternative<T>(record);
        return n;
    }

    ScratchDir dir;
    std::filesystem::path file = dir.path() / "agent.db";
    std::unique_ptr<AgentState> state;
    RecordNumber number = 0;
};

TEST_F(State, TheWorkIdIsMadeOnceAndKept) {
    const std::string id = state->workId();
    EXPECT_EQ(id.size(), 32u);
    reopen();
    EXPECT_EQ(state->workId(), id);
}

TEST_F(State, TheHighestEpochIsKept) {
    ASSERT_TRUE(state->raiseEpoch(7).ok());
    ASSERT_TRUE(state->raiseEpoch(5).ok());
    reopen();
    EXPECT_EQ(state->highestEpoch(), 7u);
}

TEST_F(State, ATasksRecordsComeBackIntentFirstAndStatusesInOrder) {
    write({Identity{AgentId("a1")}, LaunchIntended{framework(), task("t")},
           StatusAppended{FrameworkId("f"), status("t", TaskState::kStarting, 1)}});
    write({StatusAppended{FrameworkId("f"), status("t", TaskState::kRunning, 2)}, KillIntended{key("t"), 5s}});
    const std::vector<Record> records = reopen();
    ASSERT_EQ(records.size(), 5u);
    EXPECT_EQ(std::get<Identity>(records[0]).agent, AgentId("a1"));
    EXPECT_EQ(std::get<LaunchIntended>(records[1]).task.id, TaskId("t"));
    EXPECT_EQ(std::get<StatusAppended>(records[2]).status.state, TaskState::kStarting);
    EXPECT_EQ(std::get<StatusAppended>(records[3]).status.state, TaskState::kRunning);
    EXPECT_EQ(std::get<KillIntended>(records[4]).grace, 5s);
}

TEST_F(State, AnAcknowledgedStatusStaysUntilAnotherIsAcknowledged) {
    write(
        {LaunchIntended{framework(), task("t")}, StatusAppended{FrameworkId("f"), status("t", TaskState::kStarting, 1)},
         StatusAppended{FrameworkId("f"), status("t", TaskState::kRunning, 2)}, StatusAcknowledged{key("t"), Uuid{1}}});
    EXPECT_EQ(count<StatusAppended>(reopen()), 2u);
    write({StatusAcknowledged{key("t"), Uuid{2}}});
    const std::vector<Record> records = reopen();
    EXPECT_EQ(count<StatusAppended>(records), 1u);
    EXPECT_EQ(std::get<StatusAcknowledged>(records.back()).uuid, Uuid{2});
}

TEST_F(State, AForgottenTaskLeavesNothingBehind) {
    write({LaunchIntended{framework(), task("t")},
           StatusAppended{FrameworkId("f"), status("t", TaskState::kStarting, 1)},
           StatusAcknowledged{key("t"), Uuid{1}}, KillIntended{key("t"), 5s}, TaskForgotten{key("t")}});
    EXPECT_THAT(reopen(), IsEmpty());
}

TEST_F(State, StatusesAfterARestartComeAfterThoseBefore) {
    write({LaunchIntended{framework(), task("t")},
           StatusAppended{FrameworkId("f"), status("t", TaskState::kStarting, 1)}});
    reopen();
    number = 0; // as a new core counts
    write({StatusAppended{FrameworkId("f"), status("t", TaskState::kRunning, 2)}});
    const std::vector<Record> records = reopen();
    ASSERT_EQ(records.size(), 3u);
    EXPECT_EQ(std::get<StatusAppended>(records[2]).status.state, TaskState::kRunning);
}

TEST_F(State, ADamagedFileIsRefusedAndLeftAsItIs) {
    write({Identity{AgentId("a1")}, LaunchIntended{framework(), task("t")}});
    state.reset();
    std::string bytes;
    {
        std::ifstream in(file, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(in), {});
    }
    for (std::size_t i = 4096; i < bytes.size(); ++i) bytes[i] = static_cast<char>(bytes[i] ^ 0x55);
    std::ofstream(file, std::ios::binary) << bytes;
    const auto opened = AgentState::open(file);
    ASSERT_FALSE(opened.ok());
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(file.string()));
    EXPECT_EQ(std::filesystem::file_size(file), bytes.size());
}

TEST_F(State, ASecondAgentOnTheSameFileIsRefused) {
    const auto second = AgentState::open(file);
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

} // namespace
} // namespace stoa::agent
