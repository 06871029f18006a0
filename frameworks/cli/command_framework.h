// What the commands share that are a framework while they last (`stoa run`, `stoa mpi`, `stoa framework run`): the start of
// their driver, and the signals that end them, which are read instead of suffered. To be made before the driver, whose
// threads must not be hit by a signal either. Used from the main thread.
#pragma once

#include "frameworks/cli/command.h"
#include "frameworks/sdk/driver.h"
#include "protocol/unique_fd.h"

#include <absl/status/statusor.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

namespace stoa::cli {

// At master.wireAddress(), `wire`. `outlives`: how long the tasks go on when the command is killed and can't say goodbye.
absl::StatusOr<std::unique_ptr<sdk::SchedulerDriver>> startFramework(const MasterClient& master,
                                                                     const std::string& wire, const std::string& name,
                                                                     const std::string& user, Duration outlives,
                                                                     sdk::Scheduler& scheduler);

class Interrupts {
public:
    // Blocks SIGINT, SIGTERM and SIGHUP; for one that starts processes, whose ends fd() is to tell as well, SIGCHLD, too.
    explicit Interrupts(bool of_children = false);

    int fd() const { return fd_.get(); }
    // The next of the three, 0 when there is none. A terminal, or timeout(1), may send one ctrl-C twice: that is one.
    int next();

private:
    UniqueFd fd_;
    std::optional<std::chrono::steady_clock::time_point> first_;
};

} // namespace stoa::cli
