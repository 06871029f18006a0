// A task's standard output and error: the files `stdout` and `stderr` in its sandbox, which it writes
// itself, so that neither the shim's death nor a slow reader touches it. The shim only keeps them
// small: when one has grown over its cap, what it holds (the last cap bytes of it) becomes `stdout.1`
// and it starts anew.
//
// The bound: looked at every kOutputCheckMillis, a file holds at most its cap and what the task writes
// in that time; with the rotated one at most the cap more. Bytes written between copy and truncation,
// some microseconds, are lost; a task that needs every byte of much output writes files of its own.
//
// The sandbox belongs to the task's user while the shim may be root: nothing is opened through a
// symbolic link, and a name is only ever created anew or replaced.
//
// Called from the shim's one thread. Keeps no state.

#pragma once

#include <sys/types.h>

#include <cstdint>

namespace stoa::shim {

inline constexpr int kOutputCheckMillis = 250;

inline constexpr uid_t kOwnerAsIs = static_cast<uid_t>(-1);

// Opens or makes both files, in `fds`, and gives them to the user. False: errno.
bool openOutputs(const char* sandbox, uid_t uid, gid_t gid, int (&fds)[2]);

void capOutputs(const char* sandbox, const int (&fds)[2], std::int64_t cap_bytes);

} // namespace stoa::shim
