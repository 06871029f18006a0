// Reading the daemons' JSON answers without fear: a key that is missing or of another type reads as empty or 0.
// Functions without state.
#pragma once

#include <absl/status/statusor.h>
#include <rapidjson/document.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa::cli {

using Json = rapidjson::Value;

absl::StatusOr<rapidjson::Document> parseJson(std::string_view text, std::string_view where_from);

const Json& at(const Json& object, const char* key); // a null value when it is missing
std::string textAt(const Json& object, const char* key);
double numberAt(const Json& object, const char* key);
std::int64_t integerAt(const Json& object, const char* key);
bool truthAt(const Json& object, const char* key);
// To walk with a range-for; empty for what is no list.
Json::ConstArray listAt(const Json& object, const char* key);

// As people indent it.
std::string pretty(const Json& value);

} // namespace stoa::cli
