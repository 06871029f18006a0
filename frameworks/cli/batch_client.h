// The batch framework's door, as `stoa submit` and its like use it: over its unix socket where that is on this host, else
// over HTTP, where one may only look.
#pragma once

#include "frameworks/batch/job.h"
#include "frameworks/cli/command.h"

#include <absl/status/statusor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

class BatchClient {
public:
    // Asks the master for the batch framework when the cluster's file doesn't say where it is.
    static absl::StatusOr<BatchClient> find(const Context& context);

    absl::StatusOr<batch::JobNumber> submit(const batch::JobSpec& spec) const;
    struct Which {
        std::size_t limit = 1'000; // the newest; 0: all
        bool unfinished = false;
        std::string user; // empty: everybody's
        std::string name;
    };
    // Page by page.
    struct Jobs {
        std::vector<rapidjson::Document> pages; // {"jobs": […]}, the newest page first
        std::size_t count = 0;
        std::size_t unfinished = 0; // in the whole queue
        std::size_t ended = 0;
        bool more = false; // older ones were left out
        // In order of their numbers.
        void each(const std::function<void(const Json& job)>& visit) const;
    };
    absl::StatusOr<Jobs> jobs(const Which& which) const;
    // {"framework_id", "job": {…}}. With `since` it waits up to half a minute for another version.
    absl::StatusOr<rapidjson::Document> job(batch::JobNumber job, std::uint32_t first, std::uint32_t tasks,
                                            std::int64_t since = -1) const;
    // The same with one task, by its index.
    absl::StatusOr<rapidjson::Document> task(batch::JobNumber job, std::uint32_t index) const;
    // The same with its live tasks only.
    absl::StatusOr<rapidjson::Document> liveTasks(batch::JobNumber job) const;
    // `body` says of which tasks or what to change, as frameworks/batch/job_json.h reads it; empty: the whole job.
    absl::Status cancel(batch::JobNumber job, const std::string& body = "") const;
    absl::Status change(batch::JobNumber job, const std::string& body) const;

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

struct WaitOptions {
    bool quiet = false;
    bool json = false;
};
// Until they have ended; the exit code of the first that did not succeed.
int waitForJobs(const BatchClient& batch, const std::vector<batch::JobNumber>& jobs, const WaitOptions& options);

bool isFinal(const Json& job);
// 0 when it succeeded, 1 otherwise; a single task's own code where it has one.
int exitCodeOf(const Json& job);

} // namespace stoa::cli
