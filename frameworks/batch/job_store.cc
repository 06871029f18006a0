#include "frameworks/batch/job_store.h"

#include "frameworks/batch/job_json.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>

namespace stoa::batch {

namespace {

enum : Store::Table { kFrameworks = 1, kJobs = 2, kTasks = 3 };
constexpr std::uint32_t kVersion = 2;

std::string jobKey(JobNumber job) { return absl::StrFormat("%020d", job); }
std::string taskKey(TaskRef task) { return absl::StrFormat("%020d/%010d", task.job, task.index); }

} // namespace

std::vector<Store::Change> changesOf(const std::vector<Record>& records) {
    std::vector<Store::Change> changes;
    for (const Record& record : records) {
        if (const auto* framework = std::get_if<FrameworkRecord>(&record)) {
            changes.push_back(Store::put(kFrameworks, "id", framework->id.value()));
        } else if (const auto* job = std::get_if<JobRecord>(&record)) {
            changes.push_back(Store::put(kJobs, jobKey(job->job), toJson(*job)));
        } else if (const auto* task = std::get_if<TaskRecord>(&record)) {
            changes.push_back(Store::put(kTasks, taskKey(task->task), toJson(*task)));
        } else {
            const auto& forgotten = std::get<JobForgotten>(record);
            changes.push_back(Store::erase(kJobs, jobKey(forgotten.job)));
            for (std::uint32_t i = 0; i < forgotten.tasks; ++i) {
                changes.push_back(Store::erase(kTasks, taskKey({forgotten.job, i})));
            }
        }
    }
    return changes;
}

absl::StatusOr<Recovered> recoveredFrom(const std::vector<Store::Row>& rows) {
    Recovered recovered;
    for (const Store::Row& row : rows) {
        absl::Status status;
        if (row.table == kFrameworks) {
            recovered.records.push_back(FrameworkRecord{FrameworkId(row.blob)});
        } else if (row.table == kJobs) {
            absl::StatusOr<JobRecord> job = jobRecordFromJson(row.blob);
            status = job.status();
            if (job.ok()) recovered.records.push_back(*std::move(job));
        } else if (row.table == kTasks) {
            absl::StatusOr<TaskRecord> task = taskRecordFromJson(row.blob);
            status = task.status();
            if (task.ok()) recovered.records.push_back(*std::move(task));
        }
        if (!status.ok()) return absl::DataLossError(concat("row ", row.key, ": ", toStd(status.message())));
    }
    return recovered;
}

absl::StatusOr<std::unique_ptr<Store>> openJobStore(const std::string& path) {
    Store::Options options;
    options.path = path;
    options.kind = "batch queue";
    options.version = kVersion;
    options.lock_wait = std::chrono::seconds(10); // of the one that this process replaces
    return Store::open(options);
}

} // namespace stoa::batch
