#include "protocol/codec/check.h"

#include "protocol/strings.h"
#include "protocol/utf8.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <cstring>

namespace stoa::codec {
namespace {

constexpr bool isControl(unsigned char c) { return c < 0x20 || c == 0x7f; }

std::string shown(std::string_view value) {
    constexpr std::size_t kShown = 60;
    return concat("\"", absl::CHexEscape(toAbsl(value.substr(0, kShown))), value.size() > kShown ? "…" : "", "\"");
}

void checkSize(std::string_view value, std::size_t limit, std::string_view field) {
    if (value.size() > limit) malformed(field, concat("has ", value.size(), " bytes, more than ", limit));
}

} // namespace

void malformed(std::string_view field, std::string_view what) { throw Malformed(concat(field, ": ", what)); }

std::string checkedId(std::string_view value, std::string_view field) {
    if (value.empty()) malformed(field, "missing");
    checkSize(value, kMaxIdBytes, field);
    bool ascii = true;
    for (const unsigned char c : value) {
        if (isControl(c)) malformed(field, concat(shown(value), " has a control character"));
        if (c == '/' || c == '\\') malformed(field, concat(shown(value), " has a slash"));
        ascii &= c < 0x80;
    }
    if (value == "." || value == "..") malformed(field, concat(shown(value), " is no id"));
    if (!ascii && !validUtf8(value)) malformed(field, concat(shown(value), " is not UTF-8"));
    return std::string(value);
}

std::string checkedOptionalId(std::string_view value, std::string_view field) {
    return value.empty() ? std::string() : checkedId(value, field);
}

std::string checkedName(std::string_view value, std::string_view field) {
    checkSize(value, kMaxNameBytes, field);
    for (const unsigned char c : value) {
        if (isControl(c)) malformed(field, concat(shown(value), " has a control character"));
    }
    return std::string(value);
}

std::string checkedText(std::string_view value, std::string_view field) {
    checkSize(value, kMaxTextBytes, field);
    if (!value.empty() && std::memchr(value.data(), 0, value.size()) != nullptr) malformed(field, "has a NUL");
    return std::string(value);
}

std::string checkedData(std::string_view value, std::string_view field) {
    checkSize(value, kMaxDataBytes, field);
    return std::string(value);
}

// The refused forms are those of the v1 API.
std::string checkedRole(std::string_view value, std::string_view field) {
    if (value == "*") return "*";
    if (value.empty()) malformed(field, "missing");
    checkSize(value, kMaxIdBytes, field);
    for (const unsigned char c : value) {
        if (isControl(c) || c == ' ' || c == '\\') {
            malformed(field, concat(shown(value), " has white space or a control character"));
        }
    }
    if (!validUtf8(value)) malformed(field, concat(shown(value), " is not UTF-8"));
    std::string_view rest = value;
    while (true) {
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        if (part.empty()) malformed(field, concat(shown(value), " has an empty part"));
        if (part == "." || part == ".." || part == "*" || part[0] == '-') {
            malformed(field, concat(shown(value), " has the part ", shown(part), ", which is refused"));
        }
        if (slash == std::string_view::npos) return std::string(value);
        rest.remove_prefix(slash + 1);
    }
}

Uuid checkedUuid(std::string_view value, std::string_view field) {
    Uuid uuid;
    if (value.size() != uuid.size()) malformed(field, concat("has ", value.size(), " bytes, not 16"));
    std::memcpy(uuid.data(), value.data(), uuid.size());
    return uuid;
}

void checkLength(std::size_t length, std::size_t limit, std::string_view field) {
    if (length > limit) malformed(field, concat("has ", length, " elements, more than ", limit));
}

Duration checkedDuration(std::int64_t nanos, std::string_view field) {
    if (nanos < 0) malformed(field, "is negative");
    return std::min<Duration>(Duration(nanos), kLongestDuration);
}

Milli checkedMilli(std::int64_t count, std::string_view field) {
    if (count < 0) malformed(field, "is negative");
    if (count > kMaxMilli) malformed(field, "is too large");
    return {count};
}

} // namespace stoa::codec
