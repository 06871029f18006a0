// Daemons as `stoa up` starts and `stoa down` ends them: named by pid and start time together, so that a pid that the
// kernel gave to somebody else meanwhile is never signalled. Functions and plain values, used from one thread.
#pragma once

#include "protocol/units.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

struct ProcessId {
    pid_t pid = 0;
    std::uint64_t start_time = 0; // clock ticks since boot: field 22 of /proc/PID/stat
    friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// Absent: there is no such process, or it is a zombie.
std::optional<std::uint64_t> startTimeOf(pid_t pid);
bool alive(const ProcessId& process);

// In a session of its own, its output appended to `log`, its input /dev/null. Told apart from a failed exec.
absl::StatusOr<ProcessId> startDaemon(const std::vector<std::string>& argv, const std::string& log);

// False when it isn't alive any more.
bool signalProcess(const ProcessId& process, int signal);
// True when it has ended within this time.
bool waitForEnd(const ProcessId& process, Duration most);
// The last lines of a daemon's log, to show why it ended.
std::string lastLines(const std::string& path, std::size_t count);

// A program that lies beside this one.
std::string besideThisProgram(const std::string& name);

// The port itself if nobody listens on it at 127.0.0.1, else any free one; 0 asks for any.
std::uint16_t freePort(std::uint16_t wanted);
bool portIsFree(std::uint16_t port);

} // namespace stoa::cli
