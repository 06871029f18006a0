// What the answers about the cluster are made of, once for every shape of them: pairs, amounts, labels, ranges. The
// GETs that tools know (state_json.h) and the operator's calls and events (operator_json.h) are put together from it.
// Private to the read model and the doors. Pure functions over the caller's writer.
#pragma once

#include "master/read_model/read_model.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::master::json {

// A type of its own, so that whoever has one finds what writes to it without naming this namespace.
struct Writer : rapidjson::Writer<rapidjson::StringBuffer> {
    using rapidjson::Writer<rapidjson::StringBuffer>::Writer;
};

// Names come from peers, and need not be UTF-8.
void text(Writer& out, std::string_view value);
inline void key(Writer& out, std::string_view name) { text(out, name); }
inline void pair(Writer& out, std::string_view name, std::string_view value) {
    key(out, name);
    text(out, value);
}
inline void pair(Writer& out, std::string_view name, const char* value) { pair(out, name, std::string_view(value)); }
inline void pair(Writer& out, std::string_view name, bool value) {
    key(out, name);
    out.Bool(value);
}
inline void number(Writer& out, std::string_view name, double value) {
    key(out, name);
    out.Double(value);
}
inline void count(Writer& out, std::string_view name, std::uint64_t value) {
    key(out, name);
    out.Uint64(value);
}
inline void emptyArray(Writer& out, std::string_view name) {
    key(out, name);
    out.StartArray();
    out.EndArray();
}
inline void emptyObject(Writer& out, std::string_view name) {
    key(out, name);
    out.StartObject();
    out.EndObject();
}
// A value that is JSON already.
inline void raw(Writer& out, std::string_view name, std::string_view json) {
    key(out, name);
    out.RawValue(json.data(), json.size(), rapidjson::kObjectType);
}
// Members of the object that is being written, given as an object: {"labels": …}.
void members(Writer& out, std::string_view object);
inline std::string taken(const rapidjson::StringBuffer& buffer) { return {buffer.GetString(), buffer.GetSize()}; }

inline double seconds(WallTime time) { return static_cast<double>(time.nanos) / 1e9; }

// A flat object, as GETs have it: {"cpus": 4.0, …, "ports": "[31000-32000]"}.
void flatResources(Writer& out, std::string_view name, const Resources& bundle);
void flatAttributes(Writer& out, const Attributes& all);
// [{"key", "value"}], absent when there are none.
void labelList(Writer& out, const Labels& all);

// How a resource of the API says whose it is.
struct ResourceStyle {
    std::string_view allocated_to{}; // a role; empty: not allocated
    bool role = false;               // with `role`, the form of before reservations could be refined
};
// A list, as the v1 API has it: [{"name", "type", "scalar": {"value"}, …}].
void listedResources(Writer& out, std::string_view name, const Resources& bundle, ResourceStyle style);
void listedAttributes(Writer& out, const Attributes& all);

// The framework's first; a task does not say for which of its roles it was launched.
std::string_view roleOf(const FrameworkView* framework);
std::string_view stateName(AgentChanged::State state);
// "MULTI_ROLE", …
std::vector<std::string_view> names(Capabilities capabilities);

// The tasks of one framework, in the order of their ids.
template <class Visitor>
void eachTaskOf(const ReadModel& model, const FrameworkId& framework, Visitor visit) {
    for (auto at = model.tasks().lower_bound({framework, TaskId()});
         at != model.tasks().end() && at->first.framework == framework; ++at) {
        visit(at->second);
    }
}

} // namespace stoa::master::json
