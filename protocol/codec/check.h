// The checks of form that every value from outside passes once. Each returns the value or throws Malformed with a
// reason that names the field: `task_id: has a '/'`. Private to the codecs.
// Pure functions, usable from any thread.
#pragma once

#include "protocol/codec/limits.h"
#include "protocol/codec/words.h"
#include "protocol/ids.h"
#include "protocol/message/framework.h"
#include "protocol/units.h"

#include <capnp/blob.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stoa::codec {

inline std::string_view view(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
inline std::string_view view(capnp::Data::Reader data) {
    return {reinterpret_cast<const char*>(data.begin()), data.size()};
}
inline capnp::Text::Reader asText(std::string_view value) { return {value.data(), value.size()}; }
inline capnp::Text::Reader text(const std::string& value) { return {value.c_str(), value.size()}; }
inline capnp::Data::Reader asData(std::string_view value) {
    return {reinterpret_cast<const kj::byte*>(value.data()), value.size()};
}

[[noreturn]] void malformed(std::string_view field, std::string_view what);

// 1 to kMaxIdBytes bytes of valid UTF-8 without control characters, '/' and '\', and neither "." nor "..".
std::string checkedId(std::string_view value, std::string_view field);
// As checkedId(), or empty.
std::string checkedOptionalId(std::string_view value, std::string_view field);
// At most kMaxNameBytes without control characters; may be empty.
std::string checkedName(std::string_view value, std::string_view field);
// At most kMaxTextBytes without NUL; may be empty.
std::string checkedText(std::string_view value, std::string_view field);
std::string checkedData(std::string_view value, std::string_view field);
std::string checkedRole(std::string_view value, std::string_view field);
Uuid checkedUuid(std::string_view value, std::string_view field);
void checkLength(std::size_t length, std::size_t limit, std::string_view field);
// Not negative; cut to kLongestDuration.
Duration checkedDuration(std::int64_t nanos, std::string_view field);
// From 0 to kMaxMilli.
Milli checkedMilli(std::int64_t count, std::string_view field);

// Of one amount of one entry: sums of kMaxListLength of them stay within an integer.
inline constexpr std::int64_t kMaxMilli = 1'000'000'000'000'000;
// A century; what is longer means "for ever" and is cut to it.
inline constexpr Duration kLongestDuration = std::chrono::hours(24 * 365 * 100);

template <class AnyId, class Text>
AnyId id(Text value, std::string_view field) {
    return AnyId(checkedId(view(value), field));
}
template <class AnyId, class Text>
AnyId optionalId(Text value, std::string_view field) {
    return AnyId(checkedOptionalId(view(value), field));
}

} // namespace stoa::codec
