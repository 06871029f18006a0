// The description of an executor that a task carries: read out of the task's body where it is decided on (may it be
// launched here? is it the one that lives already?), and where its container is made; written by frameworks of the SDK.
//
//   ExecutorSpec executor{.id = ExecutorId("shells"), .command = {.argv = {"/opt/shells"}}, .resources = …};
//   task.executor = executor.id;
//   task.body = makeTaskBody({.data = "uname -a"}, executor);       // the task's command stays empty
//   … = taskData(task);                                             // in the executor
//   absl::StatusOr<ExecutorInfo> info = readTaskExecutor(framework_id, task);
//
// Plain values and pure functions, usable from any thread.
#pragma once

#include "protocol/codec/task_body.h"
#include "protocol/message/framework.h"

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

namespace stoa {

struct ExecutorSpec {
    ExecutorId id;
    std::string name;
    CommandSpec command;
    std::vector<InputSpec> inputs;
    Resources resources; // its own, beside its tasks'
    Labels labels;
    std::optional<Duration> shutdown_grace; // absent: the agent's default
    std::string data;
};

// Of a task for this executor; `task` has no command, and what else it says is for the executor to understand.
Body makeTaskBody(const TaskSpec& task, const ExecutorSpec& executor);

// Refuses what couldn't be launched: no command, a task that has a command beside its executor, an executor of another
// framework, a container image, the default executor, reserved or revocable resources.
absl::StatusOr<ExecutorInfo> readTaskExecutor(const FrameworkId& framework, const TaskInfo& task);

// The data that the framework gave the task for its executor; absent when there is none.
std::optional<std::string> taskData(const TaskInfo& task);
// Likewise to the executor, of executor_event::Subscribed.
std::optional<std::string> executorData(const ExecutorInfo& executor);

// Between a kill and the end that it enforces, as the task wants it, whether it has a command or an executor.
std::optional<Duration> readKillGrace(const Body& task);

// Command, inputs and labels, for the launcher; of what is left the shutdown grace as `kill_grace`.
absl::StatusOr<TaskSpec> readExecutorBody(const ExecutorInfo& executor);

} // namespace stoa
