// What /proc says about processes, and the killing of everything that belongs to one task. A task is
// known by its first process and, where there is one, by a cgroup; without a cgroup its members are
// the descendants of the first process, its session, and orphans that carry its mark in their
// environment (a daemon that left both leaves no other trace).
//
// Called from the shim's one thread. Keeps no state.

#pragma once

#include <sys/types.h>

#include <cstdint>

#include "agent/shim/shim_protocol.h"

namespace stoa::shim {

// The mark: this variable, whose value is the task's id.
inline constexpr char kTaskVariable[] = "STOA_CONTAINER_ID";

struct ProcessStat {
    pid_t pid;
    pid_t parent;
    pid_t session;
    char state;               // 'Z': dead, not reaped yet
    std::uint64_t start_time; // clock ticks since boot
};

// False when there is no such process.
bool readProcessStat(pid_t pid, ProcessStat* stat);

void readBootId(char (&boot_id)[kBootIdSize]);

struct TaskProcesses {
    const char* id;
    const char* cgroup; // empty: none
    pid_t first;
    std::uint64_t start_time;
};

// Sends SIGKILL to whatever of the task is alive, and says how many processes that were. A process
// that forks meanwhile may have got away: call again until 0.
int killAll(const TaskProcesses& task);

} // namespace stoa::shim
