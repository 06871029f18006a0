#include "master/read_model/state_json.h"

#include "master/read_model/json_parts.h"
#include "protocol/codec/executor_info.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/strings.h"

#include <algorithm>

namespace stoa::master {

namespace {

using json::eachTaskOf;
using json::names;
using json::roleOf;
using json::seconds;
using json::stateName;
using json::taken;
using json::Writer;

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

void task(Writer& out, const TaskView& one, const FrameworkView* framework) {
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "name", one.info.name);
    pair(out, "framework_id", one.framework.value());
    pair(out, "executor_id", one.info.executor.value());
    pair(out, "slave_id", one.info.agent.value());
    pair(out, "state", name(one.state));
    flatResources(out, "resources", one.info.resources);
    pair(out, "role", roleOf(framework));
    key(out, "statuses");
    out.StartArray();
    for (const TaskStatus& each : one.statuses) status(out, each);
    out.EndArray();
    members(out, shownJson(one.info.body, LabelForm::kList));
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
    flatResources(out, "resources", one.resources);
    if (!one.demand.empty()) {
        pair(out, "demand", one.demand);
        count(out, "count", one.count);
    }
    out.EndObject();
}

// `full`: also the resources as messages have them.
void agent(Writer& out, const AgentView& one, bool full) {
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
    flatResources(out, "resources", one.info.resources);
    flatResources(out, "used_resources", one.used);
    flatResources(out, "offered_resources", one.offered);
    key(out, "reserved_resources");
    out.StartObject();
    out.EndObject();
    flatResources(out, "unreserved_resources", one.info.resources);
    if (full) {
        emptyObject(out, "reserved_resources_full");
        listedResources(out, "unreserved_resources_full", one.info.resources, {.role = true});
        listedResources(out, "used_resources_full", one.used, {.allocated_to = "*", .role = true});
        listedResources(out, "offered_resources_full", one.offered, {.allocated_to = "*", .role = true});
    }
    flatAttributes(out, one.info.attributes);
    key(out, "capabilities");
    out.StartArray();
    out.EndArray();
    out.EndObject();
}

void executor(Writer& out, const ExecutorView& one, const FrameworkView& framework) {
    out.StartObject();
    pair(out, "executor_id", one.info.id.value());
    pair(out, "name", one.info.name);
    pair(out, "framework_id", one.framework.value());
    pair(out, "slave_id", one.agent.value());
    pair(out, "role", roleOf(&framework));
    pair(out, "type", "CUSTOM");
    flatResources(out, "resources", one.info.resources);
    key(out, "command");
    out.StartObject();
    if (const absl::StatusOr<TaskSpec> spec = readExecutorBody(one.info); spec.ok()) {
        const CommandSpec& command = spec->command;
        pair(out, "shell", command.argv.empty());
        pair(out, "value", command.argv.empty() ? command.shell : command.argv.front());
        key(out, "argv");
        out.StartArray();
        for (const std::string& argument : command.argv) text(out, argument);
        out.EndArray();
    }
    out.EndObject();
    out.EndObject();
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
    emptyObject(out, "offer_constraints");
    key(out, "roles");
    out.StartArray();
    for (const std::string& role : one.info.roles) text(out, role);
    out.EndArray();
    labelList(out, one.info.labels);
    key(out, "capabilities");
    out.StartArray();
    for (const std::string_view each : names(one.info.capabilities)) text(out, each);
    out.EndArray();
    flatResources(out, "used_resources", one.used);
    flatResources(out, "offered_resources", one.offered);
    Resources held = one.used;
    held += one.offered;
    flatResources(out, "resources", held);
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
    for (auto at = model.executors().lower_bound({one.info.id, AgentId(), ExecutorId()});
         !removed && at != model.executors().end() && at->first.framework == one.info.id; ++at) {
        executor(out, at->second, one);
    }
    out.EndArray();
    out.EndObject();
}

void agents(Writer& out, const ReadModel& model, std::string_view only, bool full) {
    key(out, "slaves");
    out.StartArray();
    for (const auto& [id, one] : model.agents()) {
        if (one.state != AgentChanged::State::kRecovered && (only.empty() || id.value() == only)) agent(out, one, full);
    }
    out.EndArray();
    key(out, "recovered_slaves");
    out.StartArray();
    for (const auto& [id, one] : model.agents()) {
        if (one.state == AgentChanged::State::kRecovered && (only.empty() || id.value() == only)) agent(out, one, full);
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

// Builds can be repeated to the byte, so that they know neither their time nor their maker.
void version(Writer& out, const Identity& identity) {
    pair(out, "version", identity.version);
    pair(out, "build_date", "");
    number(out, "build_time", 0);
    pair(out, "build_user", "");
    pair(out, "git_sha", "");
}

void flags(Writer& out, const Identity& identity) {
    key(out, "flags");
    out.StartObject();
    for (const auto& [name, value] : identity.flags) pair(out, name, value);
    out.EndObject();
}

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
    version(out, identity);
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
    agents(out, model, "", false);
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
    agents(out, model, only_agent, true);
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
    version(out, identity);
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
