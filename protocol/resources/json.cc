// Resources from their JSON form, as --resources takes it and the v1 API writes it.
#include "protocol/resources/amount.h"
#include "protocol/resources/text.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

namespace stoa {
namespace {

using rapidjson::Value;

// Numbers are kept as text, so that they are read exactly; nesting costs no stack.
constexpr unsigned kParseFlags =
    rapidjson::kParseNumbersAsStringsFlag | rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;

std::string_view textOf(const Value& value) { return {value.GetString(), value.GetStringLength()}; }

const Value* member(const Value& object, const char* name) {
    auto found = object.FindMember(name);
    return found == object.MemberEnd() ? nullptr : &found->value;
}

absl::Status wrongForm(std::string_view wanted) { return invalid(wanted, " is missing, or not of that form"); }

absl::StatusOr<Milli> readScalar(const Value& resource) {
    const Value* scalar = member(resource, "scalar");
    const Value* value = scalar != nullptr && scalar->IsObject() ? member(*scalar, "value") : nullptr;
    if (value == nullptr || !value->IsString()) return wrongForm(R"("scalar": {"value": 4})");
    return parseAmount(textOf(*value));
}

absl::StatusOr<Ranges> readRanges(const Value& resource) {
    constexpr std::string_view kForm = R"("ranges": {"range": [{"begin": 1, "end": 5}]})";
    const Value* ranges = member(resource, "ranges");
    const Value* list = ranges != nullptr && ranges->IsObject() ? member(*ranges, "range") : nullptr;
    if (list == nullptr || !list->IsArray()) return wrongForm(kForm);
    std::vector<Ranges::Interval> intervals;
    for (const Value& item : list->GetArray()) {
        if (!item.IsObject()) return wrongForm(kForm);
        const Value* begin = member(item, "begin");
        const Value* end = member(item, "end");
        if (begin == nullptr || end == nullptr || !begin->IsString() || !end->IsString()) return wrongForm(kForm);
        Ranges::Interval interval;
        for (auto [text, number] :
             {std::pair(textOf(*begin), &interval.first), std::pair(textOf(*end), &interval.last)}) {
            if (!absl::SimpleAtoi(toAbsl(text), number)) {
                return invalid("\"", text, "\" is not a whole number");
            }
        }
        intervals.push_back(interval);
    }
    return Ranges::of(std::move(intervals));
}

absl::StatusOr<NameSet> readSet(const Value& resource) {
    constexpr std::string_view kForm = R"("set": {"item": ["a"]})";
    const Value* set = member(resource, "set");
    const Value* list = set != nullptr && set->IsObject() ? member(*set, "item") : nullptr;
    if (list == nullptr || !list->IsArray()) return wrongForm(kForm);
    NameSet names;
    for (const Value& item : list->GetArray()) {
        if (!item.IsString()) return wrongForm(kForm);
        names.emplace_back(textOf(item));
    }
    return names;
}

// What Stoa doesn't know must not be dropped silently: a reservation left out would be offered to everybody.
absl::Status checkMembers(const Value& resource) {
    for (const auto& entry : resource.GetObject()) {
        std::string_view name = textOf(entry.name);
        if (name == "name" || name == "type" || name == "scalar" || name == "ranges" || name == "set") continue;
        if (name == "role" && entry.value.IsString() && textOf(entry.value) == "*") continue;
        return invalid("\"", name, "\" can't be given here");
    }
    return absl::OkStatus();
}

absl::StatusOr<Resources::Other> readResource(const Value& resource) {
    if (absl::Status known = checkMembers(resource); !known.ok()) return known;
    const Value* type = member(resource, "type");
    Resources::Other other;
    other.name = textOf(*member(resource, "name"));
    if (type == nullptr || !type->IsString()) return wrongForm(R"("type": "SCALAR", "RANGES" or "SET")");
    if (textOf(*type) == "SCALAR") {
        absl::StatusOr<Milli> amount = readScalar(resource);
        if (!amount.ok()) return amount.status();
        other.value = *amount;
    } else if (textOf(*type) == "RANGES") {
        absl::StatusOr<Ranges> ranges = readRanges(resource);
        if (!ranges.ok()) return ranges.status();
        other.value = *std::move(ranges);
    } else if (textOf(*type) == "SET") {
        absl::StatusOr<NameSet> names = readSet(resource);
        if (!names.ok()) return names.status();
        other.value = *std::move(names);
    } else {
        return invalid("type \"", textOf(*type), "\" is not one of SCALAR, RANGES and SET");
    }
    return other;
}

} // namespace

absl::StatusOr<Resources> parseResourcesJson(std::string_view text) {
    rapidjson::Document document;
    document.Parse<kParseFlags>(text.data(), text.size());
    if (document.HasParseError()) {
        return invalid("not JSON: ", rapidjson::GetParseError_En(document.GetParseError()), " (at character ",
                       document.GetErrorOffset() + 1, ")");
    }
    if (!document.IsArray()) return invalid("not a list of resources");
    Resources resources;
    std::size_t index = 0;
    for (const Value& item : document.GetArray()) {
        ++index;
        const Value* name = item.IsObject() ? member(item, "name") : nullptr;
        if (name == nullptr || !name->IsString()) {
            return invalid("resource ", index, " of the list has no \"name\"");
        }
        absl::StatusOr<Resources::Other> resource = readResource(item);
        absl::Status added = resource.ok() ? resources.add(*std::move(resource)) : resource.status();
        if (!added.ok()) return invalid("\"", textOf(*name), "\": ", added.message());
    }
    return resources;
}

} // namespace stoa
