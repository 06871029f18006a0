// The words of the resource algebra: how a value is written and what form it must have. Private to this folder.
// Pure functions, usable from any thread.
#pragma once

#include "protocol/resources/resources.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa {

// A name that can be written, a known name's own type, nothing negative or too large.
absl::Status checkResource(const Resources::Other& resource);
std::string_view typeInWords(const Resources::Other& resource); // "an amount"
std::string valueText(const Resources::Other& resource);        // "1.5", "[1-5]", "{a,b}"
std::string toString(const Ranges& ranges);                     // "[1-5,7-7]"

// `text` is "[…]".
absl::StatusOr<Ranges> parseRanges(std::string_view text);
// Letters, digits and what else people put into names, none of which has a meaning in the text forms.
absl::Status checkName(std::string_view name);

// A list of {"name", "type", "scalar" | "ranges" | "set"}, as the v1 API has it.
absl::StatusOr<Resources> parseResourcesJson(std::string_view text);

} // namespace stoa
