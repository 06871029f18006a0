#include "tests/sim/whatif/live.h"

#include "protocol/resources/amount.h"
#include "protocol/strings.h"

#include <absl/container/flat_hash_map.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stoa::sim {

namespace {

using Json = rapidjson::Value;

const Json& at(const Json& object, const char* key) {
    static const Json kNothing;
    if (!object.IsObject()) return kNothing;
    const auto found = object.FindMember(key);
    return found == object.MemberEnd() ? kNothing : found->value;
}
std::string textAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsString() ? std::string(value.GetString(), value.GetStringLength()) : "";
}
double numberAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsNumber() ? value.GetDouble() : 0;
}
bool truthAt(const Json& object, const char* key) {
    const Json& value = at(object, key);
    return value.IsBool() && value.GetBool();
}
Json::ConstArray listAt(const Json& object, const char* key) {
    static const Json kEmpty(rapidjson::kArrayType);
    const Json& value = at(object, key);
    return value.IsArray() ? value.GetArray() : kEmpty.GetArray();
}

absl::Status parse(std::string_view where_from, std::string_view text, rapidjson::Document& document) {
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag>(text.data(), text.size());
    if (!document.HasParseError()) return absl::OkStatus();
    return invalid(where_from, ": is no JSON: ", rapidjson::GetParseError_En(document.GetParseError()), " (character ",
                   document.GetErrorOffset() + 1, ")");
}

// {"cpus": 2.0, "ports": "[31000-32000]"} as text; what there is nothing of is left out.
std::string words(const Json& flat) {
    std::string text;
    if (!flat.IsObject()) return text;
    for (const auto& member : flat.GetObject()) {
        const std::string_view name(member.name.GetString(), member.name.GetStringLength());
        std::string value;
        if (member.value.IsNumber()) {
            if (member.value.GetDouble() == 0) continue;
            value = toString(Milli{static_cast<std::int64_t>(std::llround(member.value.GetDouble() * 1000))});
        } else if (member.value.IsString()) {
            value.assign(member.value.GetString(), member.value.GetStringLength());
        } else {
            continue;
        }
        text += concat(text.empty() ? "" : ";", name, ":", value);
    }
    return text;
}

bool isOver(std::string_view state) {
    return state != "TASK_STAGING" && state != "TASK_STARTING" && state != "TASK_RUNNING" && state != "TASK_KILLING";
}

// Since when it runs; 0: it was not told.
double beginOf(const Json& task) {
    double first = 0;
    for (const Json& status : listAt(task, "statuses")) {
        const double when = numberAt(status, "timestamp");
        if (textAt(status, "state") == "TASK_RUNNING") return when;
        if (first == 0) first = when;
    }
    return first;
}

class Reader {
public:
    Reader(std::string_view where_from, std::optional<double> now, std::optional<Duration> left, Workload& workload)
        : where_from_(where_from), now_(now), left_(left), workload_(workload) {}

    absl::StatusOr<Live> read(const Json& state) {
        if (!state.IsObject() || !at(state, "slaves").IsArray()) {
            return invalid(where_from_, ": is not what a master answers to /state: it has no list \"slaves\"");
        }
        for (const Json& agent : listAt(state, "slaves")) {
            if (absl::Status taken = takeAgent(agent); !taken.ok()) return taken;
        }
        if (live_.cluster.machines.empty()) return invalid(where_from_, ": no agent is active there");
        if (!now_) now_ = newest(state);
        for (const Json& framework : listAt(state, "frameworks")) {
            const std::string name = textAt(framework, "name");
            for (const Json& task : listAt(framework, "tasks")) {
                if (absl::Status taken = takeTask(name, task); !taken.ok()) return taken;
            }
            for (const Json& executor : listAt(framework, "executors")) {
                if (absl::Status taken = takeExecutor(name, executor); !taken.ok()) return taken;
            }
        }
        for (const Json& task : listAt(state, "orphan_tasks")) {
            if (absl::Status taken = takeTask("orphans", task); !taken.ok()) return taken;
        }
        live_.allocator = textAt(at(state, "flags"), "allocator");
        return std::move(live_);
    }

private:
    absl::Status wrong(std::string_view what, const std::string& id, const absl::Status& why) const {
        return invalid(where_from_, ": ", what, " ", id, ": ", toStd(why.message()));
    }

    absl::Status takeAgent(const Json& agent) {
        const std::string id = textAt(agent, "id");
        if (!truthAt(agent, "active") || truthAt(agent, "deactivated")) {
            ++live_.agents_left_out;
            return absl::OkStatus();
        }
        absl::StatusOr<Resources> resources = Resources::parse(words(at(agent, "resources")));
        if (!resources.ok()) return wrong("agent", id, resources.status());
        absl::StatusOr<Attributes> attributes = Attributes();
        if (const std::string text = words(at(agent, "attributes")); !text.empty()) attributes = parseAttributes(text);
        if (!attributes.ok()) return wrong("agent", id, attributes.status());
        const std::string host = textAt(agent, "hostname");
        places_[id] = live_.cluster.machines.size();
        live_.cluster.machines.push_back({id, host, *std::move(resources), *std::move(attributes)});
        return absl::OkStatus();
    }

    absl::Status takeTask(const std::string& framework, const Json& task) {
        const auto place = places_.find(textAt(task, "slave_id"));
        if (place == places_.end() || isOver(textAt(task, "state"))) return absl::OkStatus();
        const std::string shape = words(at(task, "resources"));
        if (shape.empty()) return absl::OkStatus(); // all that it needs is its executor's
        const absl::StatusOr<std::uint32_t> kind = workload_.kind({framework, textAt(task, "role"), shape, ""});
        if (!kind.ok()) return wrong("task", textAt(task, "id"), kind.status());
        const double begin = beginOf(task);
        // Microseconds are kept, and a clock that went back is not held against it.
        const double ran = begin == 0 ? 0 : std::clamp(*now_ - begin, 0.0, secondsOf(kLongestSpan) / 4);
        const Duration age = std::chrono::microseconds(static_cast<std::int64_t>(std::llround(ran * 1e6)));
        const Duration left = left_.value_or(age);
        live_.running.push_back({*kind, place->second, left, left == kForever ? kForever : age + left});
        Duration& longest = longest_[{textAt(task, "framework_id"), place->second}];
        longest = std::max(longest, left);
        return absl::OkStatus();
    }

    // It lives as long as the last of its framework's tasks on its agent; one that waits for tasks stays.
    absl::Status takeExecutor(const std::string& framework, const Json& executor) {
        const auto place = places_.find(textAt(executor, "slave_id"));
        const std::string shape = words(at(executor, "resources"));
        if (place == places_.end() || shape.empty()) return absl::OkStatus();
        const absl::StatusOr<std::uint32_t> kind = workload_.kind({framework, textAt(executor, "role"), shape, ""});
        if (!kind.ok()) return wrong("executor", textAt(executor, "executor_id"), kind.status());
        const auto longest = longest_.find({textAt(executor, "framework_id"), place->second});
        const Duration left = longest == longest_.end() ? kForever : longest->second;
        live_.running.push_back({*kind, place->second, left, left});
        return absl::OkStatus();
    }

    static double newest(const Json& state) {
        double newest = 0;
        for (const char* list : {"slaves", "frameworks"}) {
            for (const Json& each : listAt(state, list)) {
                newest = std::max({newest, numberAt(each, "registered_time"), numberAt(each, "state_since")});
                for (const char* tasks : {"tasks", "completed_tasks"}) {
                    for (const Json& task : listAt(each, tasks)) {
                        for (const Json& status : listAt(task, "statuses")) {
                            newest = std::max(newest, numberAt(status, "timestamp"));
                        }
                    }
                }
            }
        }
        return newest;
    }

    std::string_view where_from_;
    std::optional<double> now_;
    std::optional<Duration> left_;
    Workload& workload_;
    Live live_;
    absl::flat_hash_map<std::string, std::size_t> places_;            // of machines, by agent id
    std::map<std::pair<std::string, std::size_t>, Duration> longest_; // by framework id and machine
};

} // namespace

absl::StatusOr<Live> parseState(std::string_view where_from, std::string_view text, std::optional<double> now_seconds,
                                std::optional<Duration> left, Workload& workload) {
    rapidjson::Document state;
    if (absl::Status parsed = parse(where_from, text, state); !parsed.ok()) return parsed;
    return Reader(where_from, now_seconds, left, workload).read(state);
}

absl::StatusOr<std::map<std::string, double>> parseWeights(std::string_view where_from, std::string_view text) {
    rapidjson::Document list;
    if (absl::Status parsed = parse(where_from, text, list); !parsed.ok()) return parsed;
    if (!list.IsArray()) return invalid(where_from, ": is no list of roles and weights");
    std::map<std::string, double> weights;
    for (const Json& each : list.GetArray()) {
        if (numberAt(each, "weight") > 0) weights[textAt(each, "role")] = numberAt(each, "weight");
    }
    return weights;
}

} // namespace stoa::sim
