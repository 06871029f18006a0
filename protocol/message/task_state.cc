#include "protocol/message/task_state.h"

#include <array>

namespace stoa {
namespace {

constexpr std::array<std::string_view, kTaskStates> kStateNames = {
    "TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING",          "TASK_UNREACHABLE",
    "TASK_UNKNOWN", "TASK_FINISHED", "TASK_FAILED",  "TASK_KILLED",           "TASK_ERROR",
    "TASK_LOST",    "TASK_DROPPED",  "TASK_GONE",    "TASK_GONE_BY_OPERATOR",
};

constexpr std::array<std::string_view, 3> kSourceNames = {"SOURCE_MASTER", "SOURCE_AGENT", "SOURCE_EXECUTOR"};

constexpr std::array<std::string_view, kReasons> kReasonNames = {
    "",
    "REASON_COMMAND_EXECUTOR_FAILED",
    "REASON_CONTAINER_LAUNCH_FAILED",
    "REASON_CONTAINER_LIMITATION_MEMORY",
    "REASON_CONTAINER_LIMITATION_DISK",
    "REASON_EXECUTOR_TERMINATED",
    "REASON_AGENT_DISCONNECTED",
    "REASON_AGENT_REMOVED",
    "REASON_AGENT_RESTARTED",
    "REASON_AGENT_UNKNOWN",
    "REASON_AGENT_REREGISTERED",
    "REASON_FRAMEWORK_REMOVED",
    "REASON_INVALID_OFFERS",
    "REASON_RECONCILIATION",
    "REASON_RESOURCES_UNKNOWN",
    "REASON_TASK_INVALID",
    "REASON_TASK_UNAUTHORIZED",
    "REASON_TASK_UNKNOWN",
    "REASON_TASK_KILLED_DURING_LAUNCH",
    "REASON_MAX_COMPLETION_TIME_REACHED",
    "REASON_EXECUTOR_REGISTRATION_TIMEOUT",
    "REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
};

// A row per state, a column per report; 'x' where the state becomes what is reported. The diagonal is the repeat of a
// report. Any live task may end in any way. A live one goes forward only, but for two detours: nobody knows
// (kUnknown), or the agent can't be asked (kUnreachable); from there it may turn up in whatever state it is.
constexpr std::array<std::string_view, kTaskStates> kTable = {
    // clang-format off
    //                  live   terminal
    //                  SSRKUU FFKELDGG
    /* Staging     */ "xxxxxx" "xxxxxxxx",
    /* Starting    */ ".xxxxx" "xxxxxxxx",
    /* Running     */ "..xxxx" "xxxxxxxx",
    /* Killing     */ "...xxx" "xxxxxxxx",
    /* Unreachable */ "xxxxxx" "xxxxxxxx",
    /* Unknown     */ "xxxxxx" "xxxxxxxx",
    /* Finished    */ "......" "x.......",
    /* Failed      */ "......" ".x......",
    /* Killed      */ "......" "..x.....",
    /* Error       */ "......" "...x....",
    /* Lost        */ "......" "....x...",
    /* Dropped     */ "......" ".....x..",
    /* Gone        */ "......" "......x.",
    /* GoneByOp.   */ "......" ".......x",
    // clang-format on
};

template <class Enum, std::size_t N>
std::optional<Enum> named(const std::array<std::string_view, N>& names, std::string_view name) {
    for (std::size_t i = 0; i < N; ++i) {
        if (names[i] == name) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

} // namespace

std::optional<TaskState> nextState(TaskState state, TaskState next) {
    if (kTable[static_cast<std::size_t>(state)][static_cast<std::size_t>(next)] != 'x') return std::nullopt;
    return next;
}

std::string_view name(TaskState state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<TaskState> taskStateNamed(std::string_view name) { return named<TaskState>(kStateNames, name); }

std::string_view name(StatusSource source) { return kSourceNames[static_cast<std::size_t>(source)]; }

std::string_view name(Reason reason) { return kReasonNames[static_cast<std::size_t>(reason)]; }

std::optional<Reason> reasonNamed(std::string_view name) { return named<Reason>(kReasonNames, name); }

} // namespace stoa
