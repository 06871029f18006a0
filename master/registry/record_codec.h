// The registry's records as bytes (schema/records.capnp), one record a message. What is read back was written by this
// program or an older one; damaged bytes are an error with a reason, never a crash.
// Pure functions, usable from any thread.
#pragma once

#include "master/core/events.h"

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa::master {

std::string encodeRecord(const Record& record);
absl::StatusOr<Record> decodeRecord(std::string_view bytes);

} // namespace stoa::master
