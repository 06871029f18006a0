#include "agent/launching.h"

#include "agent/sandboxes.h"
#include "protocol/strings.h"

#include <unistd.h>

#include <map>
#include <optional>

namespace stoa::agent {
namespace {

constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kReadable = 80; // of each id in a container's name

} // namespace

absl::StatusOr<TaskUser> taskUser(const FrameworkInfo& framework, const CommandSpec& command, const UserPolicy& policy,
                                  Users& users, Time now) {
    const std::string& asked = command.user.empty() ? framework.user : command.user;
    if (::geteuid() != 0) {
        const TaskUser self = users.own(now).value();
        if (asked.empty() || asked == self.name) return self;
        return absl::PermissionDeniedError(concat("cannot run as user \"", asked, "\": the agent runs as \"", self.name,
                                                  "\", and only root can run tasks as others"));
    }
    const std::string& name = asked.empty() ? policy.unprivileged : asked;
    std::optional<TaskUser> user = users.named(name, now);
    if (user && user->uid == 0 && !policy.allow_root_tasks) user = users.named(policy.unprivileged, now);
    if (!user) {
        return absl::NotFoundError(concat("the agent's machine has no user \"", name, "\""));
    }
    return *user;
}

std::string containerId(const TaskKey& key) {
    std::string id;
    for (const std::string* part : {&key.framework.value(), &key.task.value()}) {
        for (const char c : directoryName(*part).substr(0, kReadable)) id += c == '%' ? '_' : c;
        id += '.';
    }
    return concat(id, nameHash(concat(key.framework.value().size(), ":", key.framework.value(), key.task.value())));
}

ContainerSpec containerSpec(const FrameworkInfo& framework, const TaskInfo& task, const TaskSpec& spec,
                            const TaskUser& user, const std::filesystem::path& sandbox, const LaunchPolicy& policy) {
    ContainerSpec container;
    container.id = containerId({framework.id, task.id});
    container.argv = spec.command.argv;
    if (!spec.command.shell.empty()) container.argv = {"/bin/sh", "-c", spec.command.shell};
    // The task's own words win.
    std::map<std::string, std::string> environment = {
        {"PATH", kPath},
        {"HOME", sandbox.string()},
        {"USER", user.name},
        {"LOGNAME", user.name},
        {"TMPDIR", "/tmp"},
        {"MESOS_SANDBOX", sandbox.string()},
        {"STOA_SANDBOX", sandbox.string()},
        {"STOA_TASK_ID", task.id.value()},
        {"STOA_FRAMEWORK_ID", framework.id.value()},
        {"STOA_AGENT_ID", policy.agent.value()},
        {"STOA_AGENT", policy.door},
    };
    for (const auto& [name, value] : spec.command.environment) environment[name] = value;
    container.environment.assign(environment.begin(), environment.end());
    container.sandbox = sandbox;
    container.cpus_milli = task.resources.scalar(Resources::kCpus).count;
    container.memory_bytes = bytesOfMegabytes(task.resources.scalar(Resources::kMem)).count;
    container.pids_limit = policy.pids_limit;
    container.uid = user.uid;
    container.gid = user.gid;
    container.groups = user.groups;
    container.work_directory = spec.work_directory;
    container.writable_paths = spec.writable_paths;
    container.output_cap_bytes = policy.output_cap_bytes;
    return container;
}

namespace {

// As Mesos writes durations.
std::string durationText(Duration duration) {
    if (duration % std::chrono::seconds(1) == Duration(0)) return concat(duration / std::chrono::seconds(1), "secs");
    return concat(duration / std::chrono::milliseconds(1), "ms");
}

} // namespace

ContainerSpec executorContainerSpec(const LaunchExecutor& launch, const TaskSpec& spec, const TaskUser& user,
                                    const std::filesystem::path& sandbox, const LaunchPolicy& policy) {
    TaskInfo as_task;
    as_task.id = launch.key.task;
    as_task.resources = launch.limits;
    ContainerSpec container = containerSpec(launch.framework, as_task, spec, user, sandbox, policy);
    std::map<std::string, std::string> environment(container.environment.begin(), container.environment.end());
    environment.erase("STOA_TASK_ID");
    const std::string_view endpoint = std::string_view(policy.door).substr(std::string_view("http://").size());
    environment["MESOS_FRAMEWORK_ID"] = launch.framework.id.value();
    environment["MESOS_EXECUTOR_ID"] = launch.info.id.value();
    environment["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = launch.token;
    environment["MESOS_DIRECTORY"] = sandbox.string();
    environment["MESOS_SANDBOX"] = sandbox.string();
    environment["MESOS_AGENT_ENDPOINT"] = endpoint;
    environment["MESOS_SLAVE_ID"] = policy.agent.value();
    environment["MESOS_SLAVE_PID"] = concat("slave(1)@", endpoint);
    environment["MESOS_CHECKPOINT"] = launch.framework.checkpoint ? "1" : "0";
    environment["MESOS_RECOVERY_TIMEOUT"] = durationText(policy.executor_recovery_timeout);
    environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = durationText(policy.executor_backoff_most);
    environment["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] =
        durationText(spec.kill_grace.value_or(policy.executor_shutdown_grace));
    environment["MESOS_HTTP_COMMAND_EXECUTOR"] = "0";
    if (!launch.framework.roles.empty()) environment["MESOS_ALLOCATION_ROLE"] = launch.framework.roles.front();
    environment["LIBPROCESS_IP"] = endpoint.substr(0, endpoint.rfind(':'));
    environment["LIBPROCESS_PORT"] = "0";
    container.environment.assign(environment.begin(), environment.end());
    return container;
}

} // namespace stoa::agent
