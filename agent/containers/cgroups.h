// The cgroups of an agent's tasks: one directory a task in each hierarchy that limits or measures
// something (v1: pids, memory, cpu, cpuacct; v2: the one tree), under a directory of this agent's.
//
// That one lies beneath the shim's own cgroup, whatever limits that has. On v2 a cgroup with
// processes can't hand controllers to children, so the shim's (and the agent's, when it is there too)
// processes move into a leaf beside the tasks; where systemd runs, the shim was started in a
// delegated scope, and that subtree is ours to write by systemd's single-writer rule.
//
// On v1, where making and removing four directories takes the kernel longer than starting a process, those of tasks that
// ended in good order are kept and used again under another name, by tasks with the same limits.
//
// The directories are noted in the run directory: a restarted agent goes on with them, and the shim
// removes them when it ends. When a shim was killed, systemd removes its scope, and all in it, as soon
// as the last of its tasks has ended: until then the next shim's tasks join them, then there are other
// directories in that shim's own scope. Owned by a launcher and used from its thread.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stoa::agent {

struct CgroupLimits { // 0: none
    std::int64_t cpus_milli = 0;
    std::int64_t memory_bytes = 0;
    std::int64_t pids = 0;
    bool operator==(const CgroupLimits&) const = default;
};

struct CgroupUsage {
    std::int64_t cpu_nanos = 0;        // 0: not measured
    std::int64_t max_memory_bytes = 0; // likewise
    bool out_of_memory = false;
};

class TaskCgroups {
public:
    // Unavailable when this host or user can't have any.
    static absl::StatusOr<TaskCgroups> setUp(const std::filesystem::path& run_dir, pid_t shim);

    // The same with regard to another shim, or to what has become of the last one's scope: to be called when there is
    // another shim, and before a launch while inFormerScope().
    absl::Status renew(const std::filesystem::path& run_dir, pid_t shim);
    bool inFormerScope() const { return in_former_scope_; }

    const char* version() const { return unified_ ? "cgroup-v2" : "cgroup-v1"; }

    // The directories a task's processes have to enter; the first lists them.
    absl::StatusOr<std::vector<std::string>> create(const std::string& id, const CgroupLimits& limits);

    // Of a task that runs. Memory below what is in use is left as it is: v2 would kill for it, v1 refuses.
    absl::Status adjust(const std::string& id, CgroupLimits limits);

    CgroupUsage usage(const std::string& id) const;

    // One that is still busy, with a process that is not reaped yet, is left for retryBusy().
    void remove(const std::string& id);
    void retryBusy();

    // Removes what is kept to be used again.
    void removeKept();

    // Those of tasks that nobody knows, say of a launch that the agent's death cut off.
    std::vector<std::string> ids() const;

    // For runc, which insists on making cgroups itself: on v2 the task's own, on v1 others, without
    // limits, that remove() takes away as well.
    std::string runtimePath(const std::string& id) const;

private:
    struct Kept {
        std::string name;
        CgroupLimits limits;
    };

    absl::Status limit(const std::string& id, const CgroupLimits& limits);
    // False: there is none with these limits.
    bool reuse(const std::string& id, const CgroupLimits& limits);
    bool keep(const std::string& id);
    void removeDirectories(const std::string& name);
    std::string directory(const char* controller, const std::string& id) const;

    bool unified_ = false;
    bool in_former_scope_ = false;
    struct Hierarchy {
        std::vector<std::string> controllers;
        std::string mount;
        std::string tasks; // the directory that holds the tasks' directories
    };
    std::vector<Hierarchy> hierarchies_;
    std::vector<std::string> runtime_mounts_; // v1 and hybrid: where runc makes directories
    std::vector<std::string> busy_;
    std::map<std::string, CgroupLimits> made_; // by id, with limits that nobody has changed; v1 only
    std::deque<Kept> kept_;                    // by age
    std::uint64_t kept_before_ = 0;
};

} // namespace stoa::agent
