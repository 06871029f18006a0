#include "master/read_model/state_json.h"

#include "protocol/codec/task_body.h"
#include "protocol/strings.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>

namespace stoa::master {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text(Writer& out, std::string_view value) {
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void key(Writer& out, std::string_view name) { out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
void pair(Writer& out, std::string_view name, std::string_view value) {
    key(out, name);
    text(out, value);
}
void pair(Writer& out, std::string_view name, bool value) {
    key(out, name);
    out.Bool(value);
}
void number(Writer& out, std::string_view name, double value) {
    key(out, name);
    out.Double(value);
}
void count(Writer& out, std::string_view name, std::uint64_t value) {
    key(out, name);
    out.Uint64(value);
}
double seconds(WallTime time) { return static_cast<double>(time.nanos) / 1e9; }

void ranges(Writer& out, const Ranges& value) {
    std::string listed = "[";
    for (const Ranges::Interval& interval : value.intervals()) {
        if (listed.size() > 1) listed += ", ";
        listed += concat(interval.first, "-", interval.last);
    }
    text(out, listed + "]");
}

void resources(Writer& out, std::string_view name, const Resources& bundle) {
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
            ranges(out, *intervals);
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

void attributes(Writer& out, const Attributes& all) {
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

void labels(Writer& out, const Labels& all) {
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

void status(Writer& out, const TaskStatus& one) {
    out.StartObject();
    pair(out, "state", name(one.state));
    number(out, "timestamp", seconds(one.timestamp));
    pair(out, "source", name(one.source));
    if (one.reason != Reason::kNone) pair(out, "reason", name(one.reason));
    if (!one.message.empty()) pair(out, "message", one.message);
    if (one.pid != 0) {
        count(out, "pid", static_cast<std::uint64_t>(one.pid));
        count(out, "start_time", one.start_time);
    }
    if (!one.isolation.empty()) pair(out, "isolation", one.isolation);
    if (isTerminal(one.state)) {
        if (one.outcome.wait_status) {
            key(out, "wait_status");
            out.Int(*one.outcome.wait_status);
        }
        if (one.outcome.out_of_memory) pair(out, "out_of_memory", true);
        number(out, "cpu_seconds", static_cast<double>(one.outcome.cpu_nanos) / 1e9);
        count(out, "max_memory_bytes",
              static_cast<std::uint64_t>(std::max<std::int64_t>(0, one.outcome.max_memory.count)));
    }
    out.EndObject();
}

std::string_view roleOf(const FrameworkView* framework) {
    return framework == nullptr ? std::string_view("*") : std::string_view(framework->info.roles.front());
}

void task(Writer& out, const TaskView& one, const FrameworkView* framework) {
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "name", one.info.name);
    pair(out, "framework_id", one.framework.value());
    pair(out, "executor_id", one.info.executor.value());
    pair(out, "slave_id", one.info.agent.value());
    pair(out, "state", name(one.state));
    resources(out, "resources", one.info.resources);
    pair(out, "role", roleOf(framework));
    key(out, "statuses");
    out.StartArray();
    for (const TaskStatus& each : one.statuses) status(out, each);
    out.EndArray();
    if (one.info.body != nullptr && !one.info.body->empty()) {
        if (absl::StatusOr<TaskSpec> spec = readTaskBody(one.info.body); spec.ok()) labels(out, spec->labels);
    }
    out.EndObject();
}

void offer(Writer& out, const Offer& one) {
    out.StartObject();
    pair(out, "id", one.id.value());
    pair(out, "framework_id", one.framework.value());
    key(out, "allocation_info");
    out.StartObject();
    pair(out, "role", one.role);
    out.EndObject();
    pair(out, "slave_id", one.agent.value());
    resources(out, "resources", one.resources);
    if (!one.demand.empty()) {
        pair(out, "demand", one.demand);
        count(out, "count", one.count);
    }
    out.EndObject();
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

void agent(Writer& out, const AgentView& one) {
    const std::string address = concat(one.info.address.host, ":", one.info.address.port);
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "hostname", one.info.hostname);
    count(out, "port", one.info.address.port);
    pair(out, "pid", concat("slave(1)@", address));
    pair(out, "address", address);
    pair(out, "version", one.info.version);
    pair(out, "isolation", one.info.isolation);
    pair(out, "state", stateName(one.state));
    number(out, "registered_time", seconds(one.registered));
    number(out, "state_since", seconds(one.since));
    pair(out, "active", one.state == AgentChanged::State::kActive);
    pair(out, "deactivated", false);
    count(out, "tasks", one.tasks);
    resources(out, "resources", one.info.resources);
    resources(out, "used_resources", one.used);
    resources(out, "offered_resources", one.offered);
    key(out, "reserved_resources");
    out.StartObject();
    out.EndObject();
    resources(out, "unreserved_resources", one.info.resources);
    attributes(out, one.info.attributes);
    key(out, "capabilities");
    out.StartArray();
    out.EndArray();
    out.EndObject();
}

// The tasks of one framework, in the order of their ids.
template <class Visitor>
void eachTaskOf(const ReadModel& model, const FrameworkId& framework, Visitor visit) {
    for (auto at = model.tasks().lower_bound({framework, TaskId()});
         at != model.tasks().end() && at->first.framework == framework; ++at) {
        visit(at->second);
    }
}

void framework(Writer& out, const ReadModel& model, const FrameworkView& one, bool removed) {
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "name", one.info.name);
    pair(out, "user", one.info.user);
    pair(out, "principal", one.info.principal);
    pair(out, "hostname", one.info.hostname);
    pair(out, "webui_url", one.info.webui_url);
    pair(out, "active", one.active);
    pair(out, "connected", one.active);
    pair(out, "recovered", false);
    pair(out, "checkpoint", one.info.checkpoint);
    number(out, "failover_timeout", std::chrono::duration<double>(one.info.failover_timeout).count());
    number(out, "registered_time", seconds(one.registered));
    number(out, "unregistered_time", seconds(one.active ? WallTime{} : one.since));
    if (one.info.roles.size() == 1) pair(out, "role", one.info.roles.front());
    key(out, "roles");
    out.StartArray();
    for (const std::string& role : one.info.roles) text(out, role);
    out.EndArray();
    labels(out, one.info.labels);
    key(out, "capabilities");
    out.StartArray();
    text(out, "PARTITION_AWARE");
    text(out, "MULTI_ROLE");
    out.EndArray();
    resources(out, "used_resources", one.used);
    resources(out, "offered_resources", one.offered);
    Resources held = one.used;
    held += one.offered;
    resources(out, "resources", held);
    key(out, "task_counts");
    out.StartObject();
    std::map<TaskState, std::size_t> counts = one.ended;
    if (!removed) eachTaskOf(model, one.info.id, [&](const TaskView& each) { ++counts[each.state]; });
    for (const auto& [state, tasks] : counts) count(out, name(state), tasks);
    out.EndObject();

    key(out, "tasks");
    out.StartArray();
    if (!removed) {
        eachTaskOf(model, one.info.id, [&](const TaskView& each) {
            if (each.state != TaskState::kUnreachable) task(out, each, &one);
        });
    }
    out.EndArray();
    key(out, "unreachable_tasks");
    out.StartArray();
    if (!removed) {
        eachTaskOf(model, one.info.id, [&](const TaskView& each) {
            if (each.state == TaskState::kUnreachable) task(out, each, &one);
        });
    }
    out.EndArray();
    key(out, "completed_tasks");
    out.StartArray();
    for (const TaskView& each : one.completed) task(out, each, &one);
    out.EndArray();
    key(out, "offers");
    out.StartArray();
    if (!removed && !one.offered.empty()) {
        for (const auto& [id, each] : model.offers()) {
            if (each.framework == one.info.id) offer(out, each);
        }
    }
    out.EndArray();
    key(out, "executors");
    out.StartArray();
    out.EndArray();
    out.EndObject();
}

void agents(Writer& out, const ReadModel& model, std::string_view only) {
    key(out, "slaves");
    out.StartArray();
    for (const auto& [id, one] : model.agents()) {
        if (one.state != AgentChanged::State::kRecovered && (only.empty() || id.value() == only)) agent(out, one);
    }
    out.EndArray();
    key(out, "recovered_slaves");
    out.StartArray();
    for (const auto& [id, one] : model.agents()) {
        if (one.state == AgentChanged::State::kRecovered && (only.empty() || id.value() == only)) agent(out, one);
    }
    out.EndArray();
}

void frameworks(Writer& out, const ReadModel& model, std::string_view only) {
    key(out, "frameworks");
    out.StartArray();
    for (const auto& [id, one] : model.frameworks()) {
        if (only.empty() || id.value() == only) framework(out, model, one, false);
    }
    out.EndArray();
    key(out, "completed_frameworks");
    out.StartArray();
    for (const FrameworkView& one : model.completedFrameworks()) {
        if (only.empty() || one.info.id.value() == only) framework(out, model, one, true);
    }
    out.EndArray();
    key(out, "unregistered_frameworks"); // as long as tools read it
    out.StartArray();
    out.EndArray();
}

void flags(Writer& out, const Identity& identity) {
    key(out, "flags");
    out.StartObject();
    for (const auto& [name, value] : identity.flags) pair(out, name, value);
    out.EndObject();
}

std::string taken(const rapidjson::StringBuffer& buffer) { return std::string(buffer.GetString(), buffer.GetSize()); }

} // namespace

std::string stateJson(const ReadModel& model, const Identity& identity) {
    const std::string address = concat(identity.address.host, ":", identity.address.port);
    std::size_t active = 0, unreachable = 0, away = 0;
    for (const auto& [id, one] : model.agents()) {
        if (one.state == AgentChanged::State::kActive) ++active;
        if (one.state == AgentChanged::State::kUnreachable) ++unreachable;
        if (one.state == AgentChanged::State::kDisconnected) ++away;
    }
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "version", identity.version);
    pair(out, "id", identity.id);
    count(out, "epoch", identity.epoch);
    pair(out, "pid", concat("master@", address));
    pair(out, "hostname", identity.address.host);
    count(out, "port", identity.address.port);
    count(out, "wire_port", identity.wire_port);
    number(out, "start_time", seconds(identity.started));
    number(out, "elected_time", seconds(identity.started));
    pair(out, "leader", concat("master@", address));
    key(out, "leader_info");
    out.StartObject();
    pair(out, "id", identity.id);
    pair(out, "pid", concat("master@", address));
    count(out, "port", identity.address.port);
    pair(out, "hostname", identity.address.host);
    out.EndObject();
    count(out, "activated_slaves", active);
    count(out, "deactivated_slaves", away);
    count(out, "unreachable_slaves", unreachable);
    key(out, "capabilities");
    out.StartArray();
    out.EndArray();
    flags(out, identity);
    agents(out, model, "");
    frameworks(out, model, "");
    key(out, "orphan_tasks");
    out.StartArray();
    for (const auto& [id, one] : model.tasks()) {
        if (!model.frameworks().contains(one.framework)) task(out, one, nullptr);
    }
    out.EndArray();
    out.EndObject();
    return taken(buffer);
}

std::string agentsJson(const ReadModel& model, std::string_view only_agent) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    agents(out, model, only_agent);
    out.EndObject();
    return taken(buffer);
}

std::string frameworksJson(const ReadModel& model, std::string_view only_framework) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    frameworks(out, model, only_framework);
    out.EndObject();
    return taken(buffer);
}

std::string tasksJson(const ReadModel& model, const TaskQuery& query) {
    struct Found {
        const TaskView* task;
        const FrameworkView* framework;
    };
    std::vector<Found> found;
    auto take = [&](const TaskView& one, const FrameworkView* owner) {
        if (!query.framework.empty() && one.framework.value() != query.framework) return;
        if (!query.task.empty() && one.info.id.value() != query.task) return;
        found.push_back({&one, owner});
    };
    for (const auto& [id, one] : model.tasks()) {
        auto owner = model.frameworks().find(one.framework);
        take(one, owner == model.frameworks().end() ? nullptr : &owner->second);
    }
    for (const auto& [id, owner] : model.frameworks()) {
        for (const TaskView& one : owner.completed) take(one, &owner);
    }
    for (const FrameworkView& owner : model.completedFrameworks()) {
        for (const TaskView& one : owner.completed) take(one, &owner);
    }
    auto began = [](const Found& one) {
        return one.task->statuses.empty() ? WallTime{} : one.task->statuses.front().timestamp;
    };
    std::stable_sort(found.begin(), found.end(), [&](const Found& a, const Found& b) {
        return query.ascending ? began(a) < began(b) : began(b) < began(a);
    });

    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    key(out, "tasks");
    out.StartArray();
    const std::size_t first = std::min(query.offset, found.size());
    const std::size_t last = first + std::min(query.limit, found.size() - first);
    for (std::size_t i = first; i < last; ++i) task(out, *found[i].task, found[i].framework);
    out.EndArray();
    out.EndObject();
    return taken(buffer);
}

std::string versionJson(const Identity& identity) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "version", identity.version);
    out.EndObject();
    return taken(buffer);
}

std::string flagsJson(const Identity& identity) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    flags(out, identity);
    out.EndObject();
    return taken(buffer);
}

} // namespace stoa::master
