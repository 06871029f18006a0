// JSON of any message of our schemas, by walking the schema: names, optional fields, numbers with decimals and
// wrappers are those that the annotations of schema/wire.capnp say. The reader takes what clients of the v1 API send
// (null for unset, unknown fields, numbers and booleans as strings, one value where a list belongs; of duplicate keys
// the last), and says of what it refuses where it stands: `accept.offer_ids[0].value: expected a string`.
//
//   std::string out;
//   absl::Status status = appendJson(reader, out);                 // any capnp struct reader
//   absl::Status status = readJson(text, message.initRoot<schema::Call>());
//
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/limits.h"

#include <absl/status/status.h>
#include <capnp/dynamic.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace stoa {

enum class EmptyLists { kLeaveOut, kWrite };

// Compact, without line breaks. Fails only when the message is damaged; `out` then holds what came before.
absl::Status appendJson(capnp::DynamicStruct::Reader message, std::string& out,
                        EmptyLists empty_lists = EmptyLists::kLeaveOut);

// Fills a fresh builder. InvalidArgument for text that is no JSON (a byte order mark and anything behind the value
// included) and for fields that are wrong or missing.
absl::Status readJson(std::string_view text, capnp::DynamicStruct::Builder message,
                      std::size_t limit = kMaxMessageBytes);

// 1500 with 3 decimals: "1.5"; 4000: "4.0".
std::string decimalText(std::int64_t value, int decimals);

} // namespace stoa
