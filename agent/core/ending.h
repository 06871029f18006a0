// How the end of a container is told: the task's last state, the reason, and the words for people. Signals are named,
// an out-of-memory kill is told as such with limit and usage, and an exit status that nobody saw is said to be
// unknown instead of being guessed.
// Pure; used by the agent's core.
#pragma once

#include "protocol/message/framework.h"

#include <string>

namespace stoa::agent {

struct Ending {
    TaskState state = TaskState::kFailed;
    Reason reason = Reason::kNone;
    std::string message;
};

// `kill_requested`: somebody asked for the end before it came; then it is TASK_KILLED however the command took it,
// since a service that leaves with 0 after SIGTERM hasn't finished by itself.
// `over_disk`: it was ended because it had more on the disk than it asked for, and how much; empty otherwise.
Ending endingOf(const TaskOutcome& outcome, const std::string& unknown_reason, bool kill_requested,
                const Resources& resources, const std::string& over_disk = {});

} // namespace stoa::agent
