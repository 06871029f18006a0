// Jobs as JSON: what the batch framework's door takes and gives, and what its store holds. Unknown keys are ignored, so
// that older programs read what newer ones write. Pure functions, usable from any thread.
#pragma once

#include "frameworks/batch/queue_events.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa::batch {

std::string toJson(const JobSpec& spec);
// The error names the field.
absl::StatusOr<JobSpec> jobSpecFromJson(std::string_view text);

// What a request says of which tasks, or of what to change; the rest of it stays as it is.
absl::Status readRequest(std::string_view text, Cancel& cancel);
absl::Status readRequest(std::string_view text, Change& change);

std::string toJson(const JobView& view, const FrameworkId& framework);
std::string toJson(const JobView& view);
std::string toJson(const answer::Jobs& jobs);

std::string toJson(const JobRecord& record);
absl::StatusOr<JobRecord> jobRecordFromJson(std::string_view text);
std::string toJson(const TaskRecord& record);
absl::StatusOr<TaskRecord> taskRecordFromJson(std::string_view text);

} // namespace stoa::batch
