#include "agent/launching.h"

#include "agent/sandboxes.h"
#include "protocol/strings.h"

#include <pwd.h>
#include <unistd.h>

#include <map>
#include <optional>
#include <vector>

namespace stoa::agent {
namespace {

constexpr char kPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::size_t kReadable = 80; // of each id in a container's name

std::optional<TaskUser> userNamed(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    return TaskUser{name, entry.pw_uid, entry.pw_gid};
}

TaskUser ownUser() {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    const uid_t uid = ::geteuid();
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return {entry.pw_name, uid, ::getegid()};
    }
    return {concat(uid), uid, ::getegid()};
}

} // namespace

absl::StatusOr<TaskUser> taskUser(const FrameworkInfo& framework, const CommandSpec& command,
                                  const UserPolicy& policy) {
    const std::string& asked = command.user.empty() ? framework.user : command.user;
    if (::geteuid() != 0) {
        const TaskUser self = ownUser();
        if (asked.empty() || asked == self.name) return self;
        return absl::PermissionDeniedError(concat("cannot run as user \"", asked, "\": the agent runs as \"", self.name,
                                                  "\", and only root can run tasks as others"));
    }
    const std::string& name = asked.empty() ? policy.unprivileged : asked;
    std::optional<TaskUser> user = userNamed(name);
    if (user && user->uid == 0 && !policy.allow_root_tasks) user = userNamed(policy.unprivileged);
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
    container.writable_paths = spec.writable_paths;
    container.output_cap_bytes = policy.output_cap_bytes;
    return container;
}

} // namespace stoa::agent
