// JSON of what executors and their agent say to each other (schema/executor.capnp), by the same walker as the
// scheduler's messages. Decoding is the door: it gives a value that passed every check of form, or a reason that names
// the field. Never throws.
//
//   absl::StatusOr<ExecutorCall> call = executorCallFromJson(request.body);
//   stream.write(asRecord(toJson(ExecutorEvent(executor_event::Shutdown{}))));
//
// Pure functions, usable from any thread.
#pragma once

#include "protocol/message/executor.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa {

std::string toJson(const ExecutorCall& call);
std::string toJson(const ExecutorEvent& event);
// As the API shows it: {"executor_id", "framework_id", "command", …}.
std::string toJson(const ExecutorInfo& executor);
// InvalidArgument for what is no JSON or has a wrong or missing field: an UPDATE without a uuid, of a source other than
// the executor, of another executor's id, or of a state that no executor may claim.
absl::StatusOr<ExecutorCall> executorCallFromJson(std::string_view text);
// Unimplemented: LAUNCH_GROUP, which no agent of ours sends.
absl::StatusOr<ExecutorEvent> executorEventFromJson(std::string_view text);

} // namespace stoa
