// What the agent's daemon uses to run tasks: a Launcher starts containers, signals them, kills them
// with everything inside, tells how they ended, and finds again after a restart what it started
// before. Containers belong to a small program of their own, stoa-shim (agent/shim), that outlives
// the agent; a Launcher is the agent's end of the socket to it.
//
//   auto launcher = makeLauncher(options);          // finds or starts the shim; may take 100 ms
//   auto known = (*launcher)->recover();            // once, before the first launch
//   (*launcher)->launch(spec);                      // returns before the container runs
//   ... poll((*launcher)->fd(), POLLIN) ...
//   for (LauncherEvent& event : (*launcher)->drain()) ...
//   (*launcher)->forget(id);                        // once the end is durable on the agent's side
//
// A launched container yields either ContainerLaunchFailed, or ContainerStarted and then
// ContainerExited. A failed or exited container stays known, and recover() tells of it again after
// a restart, until forget().
//
// Owned by the agent's loop and used from its thread only. Never calls back, never throws, starts
// no thread. It does not decide when to kill or how long to wait after SIGTERM: that is the core's.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace stoa::agent {

struct ContainerSpec {
    std::string id;                // [A-Za-z0-9_.-]{1,200}, but not "." or ".."; never used twice
    std::vector<std::string> argv; // argv[0] is looked up in the environment's PATH
    std::vector<std::pair<std::string, std::string>> environment; // the whole of it
    std::filesystem::path sandbox;                                // exists, owned by uid; the working directory
    std::int64_t cpus_milli = 0;                                  // limits; 0: none
    std::int64_t memory_bytes = 0;
    std::int64_t pids_limit = 0;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups; // supplementary
    // Where the command starts, writable; below one of LauncherOptions::work_directory_roots. Empty: the sandbox.
    std::string work_directory;
    std::vector<std::string> writable_paths; // each under one of LauncherOptions::writable_roots
    std::int64_t output_cap_bytes = 0;       // of stdout and of stderr; 0: LauncherOptions' cap
};

struct ContainerUsage {
    std::int64_t cpu_nanos = 0;
    std::int64_t max_memory_bytes = 0;
};

// The command runs: it has been exec'ed, and pid, start time and boot id are on disk.
struct ContainerStarted {
    std::string id;
    pid_t pid = 0;                // as the host sees it; under oci of the container's pid 1
    std::uint64_t start_time = 0; // clock ticks since boot: field 22 of /proc/PID/stat
    std::string boot_id;          // /proc/sys/kernel/random/boot_id
};

// The command never ran.
struct ContainerLaunchFailed {
    std::string id;
    std::string reason;
};

struct ContainerExited {
    std::string id;
    std::optional<int> wait_status; // as of waitpid(2), of the command itself; absent: unknown
    std::string unknown_reason;     // set when wait_status is absent
    bool out_of_memory = false;     // the kernel killed something inside for its memory limit
    ContainerUsage usage;
};

using LauncherEvent = std::variant<ContainerStarted, ContainerLaunchFailed, ContainerExited>;

// A container that is not forgotten, as recover() finds it. `state` says how far it is: a
// ContainerStarted is alive (its ContainerExited will come from drain()), the others have ended.
// A launch that was on its way is not reported here; drain() tells how it went.
struct KnownContainer {
    std::string id;
    LauncherEvent state;
};

class Launcher {
public:
    virtual ~Launcher() = default; // containers go on

    // What keeps a task apart here, for people and for the agent's attribute:
    // "oci/crun cgroup-v1 pid,ipc,uts,mount seccomp", "process cgroup-v2", "process".
    virtual const std::string& isolation() const = 0;

    virtual absl::StatusOr<std::vector<KnownContainer>> recover() = 0;

    // Refuses a spec that can't be right (InvalidArgument) or an id already known (AlreadyExists);
    // whatever goes wrong later comes as ContainerLaunchFailed.
    virtual absl::Status launch(const ContainerSpec& spec) = 0;

    // Of one that was launched: other limits than its spec's from now on, 0 for none. Memory that is in use isn't taken
    // away: then the old limit stays until the next call. Where nothing is limited, nothing happens.
    virtual absl::Status setLimits(const std::string& id, std::int64_t cpus_milli, std::int64_t memory_bytes) = 0;

    // To the command, not to its children. A container that has ended or is unknown: NotFound. May get lost in the
    // moment in which the shim dies; destroy() does not.
    virtual absl::Status signal(const std::string& id, int signo) = 0;

    // SIGKILL to everything inside; ContainerExited follows when nothing is left of it. Also ends a
    // launch that is on its way, with ContainerLaunchFailed. Can be repeated.
    virtual absl::Status destroy(const std::string& id) = 0;

    // Drops an ended container's record, cgroup and bundle. Not the sandbox.
    virtual absl::Status forget(const std::string& id) = 0;

    virtual int fd() const = 0;                     // poll for POLLIN; constant for the Launcher's life
    virtual std::vector<LauncherEvent> drain() = 0; // never blocks on a container
};

enum class LauncherKind {
    kOci,     // a container of an OCI runtime
    kProcess, // a session of its own, in a cgroup where that is possible
};

struct LauncherOptions {
    LauncherKind kind = LauncherKind::kOci;
    std::string runtime;            // name or path; empty: crun, then runc
    std::filesystem::path shim;     // the stoa-shim binary
    std::filesystem::path work_dir; // the agent's; containers don't see it but for their sandbox
    std::filesystem::path run_dir;  // of the shim, absolute, at most 80 bytes; made when missing
    std::int64_t output_cap_bytes = 10 << 20;
    std::vector<std::string> writable_roots;       // under which a task may ask for writable paths
    std::vector<std::string> work_directory_roots; // under which a task may ask to start
    bool cgroups = true;                           // process only; oci always limits
    bool seccomp = true;                           // oci only: refuse system calls (seccomp.h)
};

// Probes, too: under kOci with one throw-away container. An error says what failed and what to do.
absl::StatusOr<std::unique_ptr<Launcher>> makeLauncher(LauncherOptions options);

} // namespace stoa::agent
