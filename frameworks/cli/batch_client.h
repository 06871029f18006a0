// The batch framework's door, as `stoa submit` and its like use it: over its unix socket where that is on this host, else
// over HTTP, where one may only look.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/cli/command.h"

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

class BatchClient {
public:
    // Asks the master for the batch framework when the cluster's file doesn't say where it is.
    static absl::StatusOr<BatchClient> find(const Context& context);

    absl::StatusOr<batch::JobNumber> submit(const batch::JobSpec& spec) const;
    absl::StatusOr<rapidjson::Document> jobs() const;
    // {"framework_id", "job": {…}}. With `since` it waits up to half a minute for another version.
    absl::StatusOr<rapidjson::Document> job(batch::JobNumber job, std::uint32_t first, std::uint32_t tasks,
                                            std::int64_t since = -1) const;
    absl::Status cancel(batch::JobNumber job) const;

    const MasterClient& master() const { return master_; }

private:
    explicit BatchClient(MasterClient master) : master_(std::move(master)) {}
    absl::StatusOr<std::string> ask(const std::string& method, const std::string& target, std::string body) const;

    MasterClient master_;
    std::string socket_; // or
    std::string url_;
};

absl::StatusOr<batch::JobNumber> parseJob(const std::string& text);
// "7", or "7/3" for one task of it.
struct JobOrTask {
    batch::JobNumber job = 0;
    std::optional<std::uint32_t> task;
};
absl::StatusOr<JobOrTask> parseJobOrTask(const std::string& text);

bool isFinal(const Json& job);
// 0 when it succeeded, 1 otherwise; a single task's own code where it has one.
int exitCodeOf(const Json& job);

} // namespace stoa::cli
