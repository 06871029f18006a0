// What the agent and its shim say to each other, and the shim to the processes it starts: plain
// structs of fixed size, one a packet, between two programs on one machine. A task's description
// has no fixed size: it travels in a memfd beside the request. Integers are in the machine's order.
//
// The agent connects to `shim.sock` (SOCK_SEQPACKET) in the shim's run directory. The shim greets
// with kHello; the newest connection is the only one. A state of a task is told when it changes and
// after kList, always as the whole of it, so that hearing it twice does no harm.
//
// Shared by agent/shim and agent/containers; needs nothing but the C library.

#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa::shim {

// Raised whenever a struct below changes. An agent refuses a shim that speaks another version.
inline constexpr std::uint32_t kProtocolVersion = 3;

// Names in the run directory.
inline constexpr char kSocketName[] = "shim.sock";
inline constexpr char kLockName[] = "shim.lock";         // held (flock) by the one live shim
inline constexpr char kJournalName[] = "shim.log";       // what is known of every task
inline constexpr char kMessagesName[] = "shim.messages"; // what the shim has to say to people
inline constexpr char kHostViewName[] = "rootfs";        // in the shim's mount namespace only
inline constexpr char kCgroupsName[] = "cgroups";        // one directory a line, for the last to remove
inline constexpr char kKeptCgroup[] = "kept-";           // begins the names in these that are no task's any more

// Sizes include the final NUL.
inline constexpr std::size_t kIdSize = 208; // 200 characters, rounded up
inline constexpr std::size_t kBootIdSize = 40;
inline constexpr std::size_t kReasonSize = 256;
inline constexpr std::size_t kSandboxSize = 512;
inline constexpr std::size_t kCgroupSize = 384;

// A description larger than this is refused: it is mostly argv and environment, which the kernel
// bounds at about 2 MiB (ARG_MAX).
inline constexpr std::size_t kMaxSpawnBytes = 4u << 20;

// A user in more groups than these (NFS knows 16) keeps the first.
inline constexpr std::size_t kMaxGroups = 64;

enum class RequestKind : std::uint32_t {
    kSpawn = 1,    // with a memfd: SpawnHeader, strings
    kSignal,       // `value` is the signal, to the command alone
    kKill,         // SIGKILL to everything inside; a second one ends a runtime that hangs, too
    kList,         // answered by a kTask for each, then kListEnd
    kForget,       // of a task that has ended
    kMakeHostView, // `value` 1: hide the cgroup2 tree, too; answered by kHostView
};

struct Request {
    RequestKind kind;
    std::int32_t value;
    char id[kIdSize];
};

enum class TaskMode : std::uint32_t {
    kProcess = 1, // argv is the command
    kOci,         // argv is a runtime that makes a container detached, whose pid 1 is `stoa-shim init`
};

// Followed by NUL-terminated strings: sandbox, working directory, pid file, runtime's log (both empty
// for a process), argv, environment, cgroup directories, mounts to be checked (user_mounts.h; oci only). The
// task's processes can be listed and killed by the first cgroup.
struct SpawnHeader {
    std::uint32_t version;
    TaskMode mode;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint32_t group_count; // supplementary ones
    std::uint32_t groups[kMaxGroups];
    std::int64_t output_cap_bytes; // 0: none
    std::uint32_t argument_count;
    std::uint32_t environment_count;
    std::uint32_t cgroup_count;
    std::uint32_t mount_count;
    std::uint32_t string_bytes;
};

enum class EventKind : std::uint32_t {
    kHello = 1,
    kTask,
    kListEnd,
    kHostView, // `reason` empty: it is there
};

enum class TaskState : std::uint32_t {
    kStarting = 1,
    kLive,      // pid, start time and boot id are on disk, and the command was exec'ed
    kFailed,    // the command never ran: `reason`
    kExited,    // on disk
    kForgotten, // in the journal only
};

struct Event {
    EventKind kind;
    TaskState state;
    std::uint32_t version;         // kHello
    std::uint32_t damaged_records; // kHello: what the journal had when the shim started
    std::int32_t pid;              // as the host sees it
    std::int32_t wait_status;      // kExited
    std::uint32_t status_known;    // kExited; 0: `reason` says why
    std::uint64_t start_time;      // clock ticks since boot, /proc/PID/stat field 22
    std::int64_t cpu_nanos;
    std::int64_t max_memory_bytes;
    char boot_id[kBootIdSize];
    char id[kIdSize];
    char reason[kReasonSize];
};

// ---- Between the shim and what it starts, on a SOCK_SEQPACKET pair -----------------------------

// The started process waits on this descriptor for one byte, the word to go: the shim gives it when
// pid and start time are on disk. End of file instead means that the shim is gone; then nothing runs.
inline constexpr int kGoFd = 3;

enum class ReportKind : std::uint32_t {
    kFailed = 1, // `what` failed with errno `value`; nothing ran
    kRunning,    // init only: the command was exec'ed. A bare process closes the socket by exec
    kEnded,      // init only: the command's wait status is `value`
};

struct StartReport {
    ReportKind kind;
    std::int32_t value;
    char what[kReasonSize - 64];
};

} // namespace stoa::shim
