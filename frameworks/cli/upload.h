// The files that a job's tasks want, put where every task can fetch them: on one agent each, in turn.
// Owned by one command; used from its thread. Waits for agents.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/cli/command.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <string>
#include <vector>

namespace stoa::cli {

class Uploader {
public:
    explicit Uploader(const MasterClient& master) : master_(master) {}

    // "[NAME=]FILE", URL or "job:N/TASK/PATH". With %i in a file's name there is one for each of the job's indices.
    absl::StatusOr<batch::JobInput> input(const std::string& given, const batch::JobSpec& job);

private:
    absl::Status put(const std::string& path, const std::string& url, bool& executable);
    absl::StatusOr<Address> nextAgent();

    const MasterClient& master_;
    std::vector<Address> agents_;
    std::size_t next_ = 0;
};

} // namespace stoa::cli
