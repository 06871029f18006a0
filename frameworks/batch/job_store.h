// The queue's records as rows of a store (protocol/store): one for the framework's id, one a job, one a task that was
// launched. Keys are padded so that their order is that of the numbers. Pure functions but open().
#pragma once

#include "frameworks/batch/queue.h"
#include "protocol/store/store.h"

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

namespace stoa::batch {

std::vector<Store::Change> changesOf(const std::vector<Record>& records);
// DataLoss for a row that can't be read, naming it.
absl::StatusOr<Recovered> recoveredFrom(const std::vector<Store::Row>& rows);

absl::StatusOr<std::unique_ptr<Store>> openJobStore(const std::string& path);

} // namespace stoa::batch
