#include "agent/core/ending.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <csignal>
#include <cstring>
#include <sys/wait.h>

namespace stoa::agent {
namespace {

std::string signalName(int signal) {
    if (const char* name = sigabbrev_np(signal)) return absl::StrCat("SIG", name, " (", signal, ")");
    return absl::StrCat("signal ", signal);
}

std::string megabytes(std::int64_t bytes) { return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / (1 << 20)); }

std::string howItEnded(const TaskOutcome& outcome, const std::string& unknown_reason) {
    if (!outcome.wait_status) {
        return absl::StrCat("exit status unknown: ", unknown_reason.empty() ? "nobody saw the end" : unknown_reason);
    }
    const int status = *outcome.wait_status;
    if (WIFSIGNALED(status)) return absl::StrCat("killed by ", signalName(WTERMSIG(status)));
    return absl::StrCat("exited with ", WEXITSTATUS(status));
}

} // namespace

Ending endingOf(const TaskOutcome& outcome, const std::string& unknown_reason, bool kill_requested,
                const Resources& resources, const std::string& over_disk) {
    const std::string how = howItEnded(outcome, unknown_reason);
    if (kill_requested) return {TaskState::kKilled, Reason::kNone, absl::StrCat("a kill was requested; ", how)};
    const bool succeeded =
        outcome.wait_status && WIFEXITED(*outcome.wait_status) && WEXITSTATUS(*outcome.wait_status) == 0;
    if (succeeded) return {TaskState::kFinished, Reason::kNone, how};
    if (!over_disk.empty())
        return {TaskState::kFailed, Reason::kContainerLimitationDisk, absl::StrCat(over_disk, "; ", how)};
    if (outcome.out_of_memory) {
        return {TaskState::kFailed, Reason::kContainerLimitationMemory,
                absl::StrCat("out of memory: limit ",
                             megabytes(bytesOfMegabytes(resources.scalar(Resources::kMem)).count), ", peak usage ",
                             megabytes(outcome.max_memory.count), "; ", how)};
    }
    if (!outcome.wait_status) return {TaskState::kFailed, Reason::kExecutorTerminated, how};
    return {TaskState::kFailed, Reason::kNone, how};
}

} // namespace stoa::agent
