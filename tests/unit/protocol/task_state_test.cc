#include "protocol/message/task_state.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace stoa {
namespace {

TaskState state(int index) { return static_cast<TaskState>(index); }

// What the table says in words, so that a slip in one of the two shows.
bool mayFollow(TaskState from, TaskState to) {
    if (from == to) return true;
    if (isTerminal(from)) return false;
    if (isTerminal(to)) return true;
    const bool detour = to == TaskState::kUnreachable || to == TaskState::kUnknown;
    const bool back_from_detour = from == TaskState::kUnreachable || from == TaskState::kUnknown;
    return detour || back_from_detour || to > from;
}

TEST(TaskState, EveryPairIsAsTheRulesSay) {
    int legal = 0;
    for (int from = 0; from < kTaskStates; ++from) {
        for (int to = 0; to < kTaskStates; ++to) {
            std::optional<TaskState> next = nextState(state(from), state(to));
            ASSERT_EQ(next.has_value(), mayFollow(state(from), state(to)))
                << name(state(from)) << " to " << name(state(to));
            if (next) {
                EXPECT_EQ(*next, state(to));
                ++legal;
            }
        }
    }
    EXPECT_EQ(legal, 4 + 3 + 2 + 1 + 4 * 2 + 2 * 6 + 6 * 8 + 8);
}

TEST(TaskState, NothingFollowsATerminalStateButItself) {
    for (int from = 0; from < kTaskStates; ++from) {
        if (!isTerminal(state(from))) continue;
        for (int to = 0; to < kTaskStates; ++to) {
            EXPECT_EQ(nextState(state(from), state(to)).has_value(), from == to);
        }
    }
}

TEST(TaskState, NamesAreUniqueAndReadBack) {
    std::set<std::string> names;
    for (int i = 0; i < kTaskStates; ++i) {
        names.emplace(name(state(i)));
        EXPECT_EQ(taskStateNamed(name(state(i))), state(i));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(kTaskStates));
    EXPECT_EQ(name(TaskState::kGoneByOperator), "TASK_GONE_BY_OPERATOR");
    EXPECT_EQ(taskStateNamed("TASK_RUNNIN"), std::nullopt);
}

TEST(Reason, NamesAreUniqueAndReadBack) {
    std::set<std::string> names;
    for (int i = 0; i < kReasons; ++i) {
        const Reason reason = static_cast<Reason>(i);
        names.emplace(name(reason));
        EXPECT_EQ(reasonNamed(name(reason)), reason);
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(kReasons));
    EXPECT_EQ(name(Reason::kMaxCompletionTimeReached), "REASON_MAX_COMPLETION_TIME_REACHED");
    EXPECT_EQ(reasonNamed("REASON_NONE"), std::nullopt);
}

} // namespace
} // namespace stoa
