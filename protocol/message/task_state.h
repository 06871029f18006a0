// The states of a task and the table of what may follow what. Names are those of the Mesos v1 API. The master,
// the agent and every framework in the box ask this one table; a test walks every pair.
// Pure functions, usable from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace stoa {

enum class TaskState : std::uint8_t {
    kStaging, // accepted by the master, or launch intent durable at the agent
    kStarting,
    kRunning,
    kKilling,
    kUnreachable, // the agent is; the task may still run
    kUnknown,
    // Terminal from here on.
    kFinished,
    kFailed,
    kKilled,
    kError,
    kLost,
    kDropped,
    kGone,
    kGoneByOperator,
};
inline constexpr int kTaskStates = 14;

constexpr bool isTerminal(TaskState state) { return state >= TaskState::kFinished; }

// What `state` becomes when the agent or master reports `next`; absent means illegal. A repeated report of the
// same state is legal (delivery is at least once); nothing follows a terminal state but itself.
std::optional<TaskState> nextState(TaskState state, TaskState next);

std::string_view name(TaskState state); // "TASK_RUNNING"
std::optional<TaskState> taskStateNamed(std::string_view name);

enum class StatusSource : std::uint8_t { kMaster, kAgent, kExecutor };
std::string_view name(StatusSource source); // "SOURCE_AGENT"

// Why a status is what it is; the subset of Mesos's reasons that Stoa gives.
enum class Reason : std::uint8_t {
    kNone,
    kCommandExecutorFailed,
    kContainerLaunchFailed,
    kContainerLimitationMemory,
    kContainerLimitationDisk,
    kExecutorTerminated,
    kAgentDisconnected,
    kAgentRemoved,
    kAgentRestarted,
    kAgentUnknown,
    kAgentReregistered,
    kFrameworkRemoved,
    kInvalidOffers,
    kReconciliation,
    kResourcesUnknown,
    kTaskInvalid,
    kTaskUnauthorized,
    kTaskUnknown,
    kTaskKilledDuringLaunch,
    kMaxCompletionTimeReached,
    kExecutorRegistrationTimeout,
    kExecutorReregistrationTimeout,
};
inline constexpr int kReasons = 22;
std::string_view name(Reason reason); // "REASON_CONTAINER_LAUNCH_FAILED"; kNone gives ""
std::optional<Reason> reasonNamed(std::string_view name);

} // namespace stoa
