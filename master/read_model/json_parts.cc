#include "master/read_model/json_parts.h"

#include "protocol/strings.h"
#include "protocol/utf8.h"

#include <array>

namespace stoa::master::json {

namespace {

std::string rangesText(const Ranges& value) {
    std::string listed = "[";
    for (const Ranges::Interval& interval : value.intervals()) {
        if (listed.size() > 1) listed += ", ";
        listed += concat(interval.first, "-", interval.last);
    }
    return listed + "]";
}

void scalar(Writer& out, std::int64_t milli) {
    pair(out, "type", "SCALAR");
    key(out, "scalar");
    out.StartObject();
    number(out, "value", static_cast<double>(milli) / 1000);
    out.EndObject();
}

void listedRanges(Writer& out, const Ranges& value) {
    pair(out, "type", "RANGES");
    key(out, "ranges");
    out.StartObject();
    key(out, "range");
    out.StartArray();
    for (const Ranges::Interval& interval : value.intervals()) {
        out.StartObject();
        count(out, "begin", interval.first);
        count(out, "end", interval.last);
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();
}

} // namespace

// Between the braces of an object, the writer takes a string for a key.
void text(Writer& out, std::string_view value) {
    if (validUtf8(value)) {
        out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
        return;
    }
    const std::string good = repairedUtf8(value);
    out.String(good.data(), static_cast<rapidjson::SizeType>(good.size()));
}

void members(Writer& out, std::string_view object) {
    if (object.size() <= 2) return;
    // The first one's name, then all the rest for its value.
    const std::size_t colon = object.find(':');
    out.RawValue(object.data() + 1, colon - 1, rapidjson::kStringType);
    out.RawValue(object.data() + colon + 1, object.size() - colon - 2, rapidjson::kObjectType);
}

void flatResources(Writer& out, std::string_view name, const Resources& bundle) {
    key(out, name);
    out.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        number(out, Resources::kScalarNames[i], static_cast<double>(bundle.scalars()[i]) / 1000);
    }
    for (const Resources::Other& other : bundle.others()) {
        key(out, other.name);
        if (const auto* milli = std::get_if<Milli>(&other.value)) {
            out.Double(static_cast<double>(milli->count) / 1000);
        } else if (const auto* intervals = std::get_if<Ranges>(&other.value)) {
            text(out, rangesText(*intervals));
        } else {
            std::string listed;
            for (const std::string& one : std::get<NameSet>(other.value)) {
                listed += (listed.empty() ? "{" : ", ") + one;
            }
            text(out, listed + "}");
        }
    }
    out.EndObject();
}

void flatAttributes(Writer& out, const Attributes& all) {
    key(out, "attributes");
    out.StartObject();
    for (const Attribute& attribute : all) {
        key(out, attribute.name);
        if (const auto* milli = std::get_if<Milli>(&attribute.value)) {
            out.Double(static_cast<double>(milli->count) / 1000);
        } else {
            text(out, toString(attribute));
        }
    }
    out.EndObject();
}

void labelList(Writer& out, const Labels& all) {
    if (all.empty()) return;
    key(out, "labels");
    out.StartArray();
    for (const auto& [name, value] : all) {
        out.StartObject();
        pair(out, "key", name);
        pair(out, "value", value);
        out.EndObject();
    }
    out.EndArray();
}

void listedResources(Writer& out, std::string_view name, const Resources& bundle, ResourceStyle style) {
    key(out, name);
    out.StartArray();
    const auto begin = [&](std::string_view resource) {
        out.StartObject();
        pair(out, "name", resource);
        if (style.role) pair(out, "role", "*");
        if (style.allocated_to.empty()) return;
        key(out, "allocation_info");
        out.StartObject();
        pair(out, "role", style.allocated_to);
        out.EndObject();
    };
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (bundle.scalars()[i] == 0) continue;
        begin(Resources::kScalarNames[i]);
        scalar(out, bundle.scalars()[i]);
        out.EndObject();
    }
    for (const Resources::Other& other : bundle.others()) {
        begin(other.name);
        if (const auto* milli = std::get_if<Milli>(&other.value)) {
            scalar(out, milli->count);
        } else if (const auto* intervals = std::get_if<Ranges>(&other.value)) {
            listedRanges(out, *intervals);
        } else {
            pair(out, "type", "SET");
            key(out, "set");
            out.StartObject();
            key(out, "item");
            out.StartArray();
            for (const std::string& one : std::get<NameSet>(other.value)) text(out, one);
            out.EndArray();
            out.EndObject();
        }
        out.EndObject();
    }
    out.EndArray();
}

void listedAttributes(Writer& out, const Attributes& all) {
    if (all.empty()) return;
    key(out, "attributes");
    out.StartArray();
    for (const Attribute& attribute : all) {
        out.StartObject();
        pair(out, "name", attribute.name);
        if (const auto* milli = std::get_if<Milli>(&attribute.value)) {
            scalar(out, milli->count);
        } else if (const auto* intervals = std::get_if<Ranges>(&attribute.value)) {
            listedRanges(out, *intervals);
        } else {
            pair(out, "type", "TEXT");
            key(out, "text");
            out.StartObject();
            pair(out, "value", std::get<std::string>(attribute.value));
            out.EndObject();
        }
        out.EndObject();
    }
    out.EndArray();
}

std::string_view roleOf(const FrameworkView* framework) {
    return framework == nullptr || framework->info.roles.empty() ? std::string_view("*")
                                                                 : std::string_view(framework->info.roles.front());
}

std::vector<std::string_view> names(Capabilities capabilities) {
    // In the order of the enum.
    static constexpr std::array<std::string_view, kCapabilities> kNames = {
        "REVOCABLE_RESOURCES", "TASK_KILLING_STATE", "GPU_RESOURCES",          "SHARED_RESOURCES",
        "PARTITION_AWARE",     "MULTI_ROLE",         "RESERVATION_REFINEMENT", "REGION_AWARE"};
    std::vector<std::string_view> listed;
    for (std::size_t i = 0; i < kCapabilities; ++i) {
        if (capabilities.has(static_cast<Capability>(i))) listed.push_back(kNames[i]);
    }
    return listed;
}

std::string_view stateName(AgentChanged::State state) {
    switch (state) {
    case AgentChanged::State::kActive: return "active";
    case AgentChanged::State::kDisconnected: return "disconnected";
    case AgentChanged::State::kUnreachable: return "unreachable";
    case AgentChanged::State::kRecovered: return "recovered";
    }
    return "";
}

} // namespace stoa::master::json
