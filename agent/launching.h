// From a task to what a launcher needs: whose user it runs as, its command, environment and limits, and the name of its
// container. What is wrong with it is found here, before anything is made, and said in the words of the one who wrote
// the task.
// Functions without state.
#pragma once

#include "agent/containers/launcher.h"
#include "agent/core/events.h"
#include "agent/users.h"
#include "protocol/codec/task_body.h"
#include "protocol/message/framework.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace stoa::agent {

struct UserPolicy {
    std::string unprivileged = "nobody"; // for tasks of root, or of nobody in particular
    bool allow_root_tasks = false;
};

// The task's own user, else its framework's. As root, root itself becomes the unprivileged user unless root tasks are
// allowed; an agent that isn't root can run tasks as itself only.
absl::StatusOr<TaskUser> taskUser(const FrameworkInfo& framework, const CommandSpec& command, const UserPolicy& policy,
                                  Users& users, Time now);

// [A-Za-z0-9_.-], at most 200: readable, and unique by a hash.
std::string containerId(const TaskKey& key);

struct LaunchPolicy {
    AgentId agent;
    std::string door; // "http://host:port" of this agent
    std::int64_t pids_limit = 0;
    std::int64_t output_cap_bytes = 0;
    // What executors are told of.
    Duration executor_shutdown_grace = std::chrono::seconds(5);
    Duration executor_recovery_timeout = std::chrono::minutes(15); // so long they wait for an agent that is away
    Duration executor_backoff_most = std::chrono::seconds(2);      // between two tries to subscribe
};

ContainerSpec containerSpec(const FrameworkInfo& framework, const TaskInfo& task, const TaskSpec& spec,
                            const TaskUser& user, const std::filesystem::path& sandbox, const LaunchPolicy& policy);

// `spec` is that of readExecutorBody(). The environment is the one that the executors of the Mesos API know.
ContainerSpec executorContainerSpec(const LaunchExecutor& launch, const TaskSpec& spec, const TaskUser& user,
                                    const std::filesystem::path& sandbox, const LaunchPolicy& policy);

} // namespace stoa::agent
