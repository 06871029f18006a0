#include "protocol/resources/text.h"

#include "protocol/resources/amount.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_join.h>

#include <algorithm>

namespace stoa {
namespace {

constexpr std::string_view kPorts = "ports";

absl::Status wrong(std::string_view piece, std::string_view why) { return invalid("\"", piece, "\": ", why); }

absl::StatusOr<NameSet> parseSet(std::string_view text) {
    NameSet names;
    std::string_view inside = trimmed(text.substr(1, text.size() - 2));
    if (inside.empty()) return names;
    for (std::string_view item : split(inside, ',')) {
        if (item.empty()) return invalid("a name in the set is empty");
        if (absl::Status form = checkName(item); !form.ok()) return form;
        names.emplace_back(item);
    }
    return names;
}

// "cpus", or Mesos's "cpus(*)".
absl::StatusOr<std::string_view> parseResourceName(std::string_view text) {
    if (text.ends_with(')')) {
        const std::size_t open = text.find('(');
        if (open == std::string_view::npos) return invalid("a bracket is closed but not opened");
        std::string_view role = text.substr(open + 1, text.size() - open - 2);
        if (role != "*") {
            return invalid("a reservation for role \"", role, "\" can't be made here; leave \"(", role, ")\" out");
        }
        return trimmed(text.substr(0, open));
    }
    return text;
}

absl::StatusOr<Resources::Other> parsePiece(std::string_view piece) {
    const std::size_t colon = piece.find(':');
    if (colon == std::string_view::npos) {
        return invalid("there is no colon; write name:value, as in cpus:4");
    }
    absl::StatusOr<std::string_view> name = parseResourceName(trimmed(piece.substr(0, colon)));
    if (!name.ok()) return name.status();
    std::string_view value = trimmed(piece.substr(colon + 1));
    if (value.empty()) return invalid("there is nothing after the colon");
    if (value.front() == '[' && value.back() == ']') {
        absl::StatusOr<Ranges> ranges = parseRanges(value);
        if (!ranges.ok()) return ranges.status();
        return Resources::Other{std::string(*name), *std::move(ranges)};
    }
    if (value.front() == '{' && value.back() == '}') {
        absl::StatusOr<NameSet> names = parseSet(value);
        if (!names.ok()) return names.status();
        return Resources::Other{std::string(*name), *std::move(names)};
    }
    absl::StatusOr<Milli> amount = parseAmount(value);
    if (!amount.ok()) return amount.status();
    return Resources::Other{std::string(*name), *amount};
}

} // namespace

absl::Status checkName(std::string_view name) {
    if (name.empty()) return invalid("the name is empty");
    for (char c : name) {
        if (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
            std::string_view("._-/+@").find(c) != std::string_view::npos) {
            continue;
        }
        return invalid("\"", name, "\" is not a name: letters, digits and . _ - / + @ make one");
    }
    return absl::OkStatus();
}

std::string_view typeInWords(const Resources::Other& resource) {
    switch (resource.value.index()) {
    case 0: return "an amount";
    case 1: return "a list of ranges";
    default: return "a set of names";
    }
}

absl::Status checkResource(const Resources::Other& resource) {
    if (absl::Status form = checkName(resource.name); !form.ok()) return form;
    const bool is_scalar = std::find(Resources::kScalarNames.begin(), Resources::kScalarNames.end(), resource.name) !=
                           Resources::kScalarNames.end();
    if (is_scalar && !std::holds_alternative<Milli>(resource.value)) {
        return invalid(resource.name, " is an amount, as in ", resource.name, ":4, not ", typeInWords(resource));
    }
    if (resource.name == kPorts && !std::holds_alternative<Ranges>(resource.value)) {
        return invalid("ports is a list of ranges, as in ports:[31000-32000], not ", typeInWords(resource));
    }
    if (const Milli* amount = std::get_if<Milli>(&resource.value)) {
        if (amount->count < 0) {
            return invalid("\"", toString(*amount), "\" is negative");
        }
        if (*amount > kLargestAmount) {
            return invalid("\"", toString(*amount), "\" is too large: the most is ", toString(kLargestAmount));
        }
    } else if (const NameSet* names = std::get_if<NameSet>(&resource.value)) {
        for (const std::string& name : *names) {
            if (absl::Status form = checkName(name); !form.ok()) return form;
        }
    }
    return absl::OkStatus();
}

absl::StatusOr<Ranges> parseRanges(std::string_view text) {
    std::vector<Ranges::Interval> intervals;
    std::string_view inside = trimmed(text.substr(1, text.size() - 2));
    if (inside.empty()) return Ranges();
    for (std::string_view item : split(inside, ',')) {
        const std::size_t dash = item.find('-');
        Ranges::Interval interval;
        if (dash == std::string_view::npos || !absl::SimpleAtoi(toAbsl(item.substr(0, dash)), &interval.first) ||
            !absl::SimpleAtoi(toAbsl(item.substr(dash + 1)), &interval.last)) {
            return invalid("\"", item, "\" is not a range; write first-last, as in 31000-32000");
        }
        intervals.push_back(interval);
    }
    return Ranges::of(std::move(intervals));
}

std::string toString(const Ranges& ranges) {
    return concat("[",
                  absl::StrJoin(ranges.intervals(), ",",
                                [](std::string* out, const Ranges::Interval& interval) {
                                    absl::StrAppend(out, interval.first, "-", interval.last);
                                }),
                  "]");
}

std::string valueText(const Resources::Other& resource) {
    if (const Milli* amount = std::get_if<Milli>(&resource.value)) return toString(*amount);
    if (const Ranges* ranges = std::get_if<Ranges>(&resource.value)) return toString(*ranges);
    return concat("{", absl::StrJoin(std::get<NameSet>(resource.value), ","), "}");
}

absl::StatusOr<Resources> Resources::parse(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('[')) return parseResourcesJson(text);
    Resources resources;
    for (std::string_view piece : split(text, ';')) {
        if (piece.empty()) continue; // a semicolon at the end, or nothing at all
        absl::StatusOr<Other> parsed = parsePiece(piece);
        if (!parsed.ok()) return wrong(piece, toStd(parsed.status().message()));
        if (absl::Status added = resources.add(*std::move(parsed)); !added.ok())
            return wrong(piece, toStd(added.message()));
    }
    return resources;
}

std::string Resources::toString() const {
    std::string text;
    for (std::size_t i = 0; i < kScalars; ++i) {
        if (scalars_[i] == 0) continue;
        text += concat(text.empty() ? "" : ";", kScalarNames[i], ":", stoa::toString(Milli{scalars_[i]}));
    }
    for (const Other& other : others_) {
        text += concat(text.empty() ? "" : ";", other.name, ":", valueText(other));
    }
    return text;
}

} // namespace stoa
