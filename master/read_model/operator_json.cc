#include "master/read_model/operator_json.h"

#include "master/read_model/json_parts.h"
#include "protocol/codec/executor_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/strings.h"

#include <absl/strings/escaping.h>
#include <arpa/inet.h>

#include <algorithm>
#include <map>

namespace stoa::master {

namespace {

using json::roleOf;
using json::seconds;
using json::stateName;
using json::taken;
using json::Writer;

void value(Writer& out, std::string_view name, std::string_view text) {
    key(out, name);
    out.StartObject();
    pair(out, "value", text);
    out.EndObject();
}

void nanoseconds(Writer& out, std::string_view name, WallTime time) {
    key(out, name);
    out.StartObject();
    key(out, "nanoseconds");
    out.Int64(time.nanos);
    out.EndObject();
}

// ---- Tasks -------------------------------------------------------------------------------------------------------

void process(Writer& out, const TaskStatus& one) {
    if (one.pid == 0 && one.isolation.empty() && one.outcome == TaskOutcome{}) return;
    key(out, "process");
    out.StartObject();
    key(out, "pid");
    out.Int64(one.pid);
    count(out, "start_time", one.start_time);
    if (!one.isolation.empty()) pair(out, "isolation", one.isolation);
    if (one.outcome.wait_status) {
        key(out, "wait_status");
        out.Int(*one.outcome.wait_status);
    }
    pair(out, "out_of_memory", one.outcome.out_of_memory);
    key(out, "cpu_nanos");
    out.Int64(one.outcome.cpu_nanos);
    key(out, "max_memory_bytes");
    out.Int64(one.outcome.max_memory.count);
    out.EndObject();
}

void status(Writer& out, const TaskStatus& one) {
    out.StartObject();
    value(out, "task_id", one.task.value());
    pair(out, "state", name(one.state));
    pair(out, "source", name(one.source));
    if (one.reason != Reason::kNone) pair(out, "reason", name(one.reason));
    if (!one.message.empty()) pair(out, "message", one.message);
    if (!one.agent.empty()) value(out, "agent_id", one.agent.value());
    if (!one.executor.empty()) value(out, "executor_id", one.executor.value());
    number(out, "timestamp", seconds(one.timestamp));
    if (one.uuid) {
        const std::string_view bytes(reinterpret_cast<const char*>(one.uuid->data()), one.uuid->size());
        pair(out, "uuid", absl::Base64Escape(toAbsl(bytes)));
    }
    process(out, one);
    out.EndObject();
}

// Without statuses: a task that was only just launched has none to speak of.
void taskHead(Writer& out, const FrameworkId& framework, const TaskInfo& info, TaskState state, std::string_view role) {
    pair(out, "name", info.name);
    value(out, "task_id", info.id.value());
    value(out, "framework_id", framework.value());
    if (!info.executor.empty()) value(out, "executor_id", info.executor.value());
    value(out, "agent_id", info.agent.value());
    pair(out, "state", name(state));
    listedResources(out, "resources", info.resources, {.allocated_to = role});
    members(out, shownJson(info.body, LabelForm::kMessage));
}

void task(Writer& out, const TaskView& one, const FrameworkView* owner) {
    out.StartObject();
    taskHead(out, one.framework, one.info, one.state, roleOf(owner));
    if (!one.statuses.empty()) {
        const TaskStatus& last = one.statuses.back();
        pair(out, "status_update_state", name(last.state));
        if (last.uuid) {
            const std::string_view bytes(reinterpret_cast<const char*>(last.uuid->data()), last.uuid->size());
            pair(out, "status_update_uuid", absl::Base64Escape(toAbsl(bytes)));
        }
    }
    key(out, "statuses");
    out.StartArray();
    for (const TaskStatus& each : one.statuses) status(out, each);
    out.EndArray();
    out.EndObject();
}

const FrameworkView* ownerOf(const ReadModel& model, const FrameworkId& id) {
    const auto found = model.frameworks().find(id);
    return found == model.frameworks().end() ? nullptr : &found->second;
}

void tasks(Writer& out, const ReadModel& model) {
    emptyArray(out, "pending_tasks");
    for (const bool unreachable : {false, true}) {
        key(out, unreachable ? "unreachable_tasks" : "tasks");
        out.StartArray();
        for (const auto& [id, one] : model.tasks()) {
            if ((one.state == TaskState::kUnreachable) == unreachable) task(out, one, ownerOf(model, one.framework));
        }
        out.EndArray();
    }
    key(out, "completed_tasks");
    out.StartArray();
    for (const auto& [id, owner] : model.frameworks()) {
        for (const TaskView& one : owner.completed) task(out, one, &owner);
    }
    for (const FrameworkView& owner : model.completedFrameworks()) {
        for (const TaskView& one : owner.completed) task(out, one, &owner);
    }
    out.EndArray();
    emptyArray(out, "orphan_tasks");
}

// ---- Agents ------------------------------------------------------------------------------------------------------

void agent(Writer& out, const AgentView& one) {
    out.StartObject();
    key(out, "agent_info");
    out.StartObject();
    value(out, "id", one.info.id.value());
    pair(out, "hostname", one.info.hostname);
    count(out, "port", one.info.address.port);
    listedResources(out, "resources", one.info.resources, {});
    listedAttributes(out, one.info.attributes);
    pair(out, "checkpoint", true);
    out.EndObject();
    pair(out, "active", one.state == AgentChanged::State::kActive);
    pair(out, "deactivated", false);
    pair(out, "state", stateName(one.state));
    pair(out, "version", one.info.version);
    pair(out, "isolation", one.info.isolation);
    pair(out, "pid", concat("slave(1)@", one.info.address.host, ":", one.info.address.port));
    pair(out, "address", concat(one.info.address.host, ":", one.info.address.port));
    nanoseconds(out, "registered_time", one.registered);
    nanoseconds(out, "reregistered_time", one.since);
    listedResources(out, "total_resources", one.info.resources, {.role = true});
    listedResources(out, "allocated_resources", one.used, {.allocated_to = "*", .role = true});
    listedResources(out, "offered_resources", one.offered, {.allocated_to = "*", .role = true});
    emptyArray(out, "capabilities");
    out.EndObject();
}

void agents(Writer& out, const ReadModel& model) {
    for (const bool recovered : {false, true}) {
        key(out, recovered ? "recovered_agents" : "agents");
        out.StartArray();
        for (const auto& [id, one] : model.agents()) {
            if ((one.state == AgentChanged::State::kRecovered) == recovered) agent(out, one);
        }
        out.EndArray();
    }
}

// ---- Frameworks and offers ---------------------------------------------------------------------------------------

void offer(Writer& out, const Offer& one) {
    out.StartObject();
    value(out, "id", one.id.value());
    value(out, "framework_id", one.framework.value());
    value(out, "agent_id", one.agent.value());
    pair(out, "hostname", one.hostname);
    key(out, "url");
    out.StartObject();
    pair(out, "scheme", "http");
    key(out, "address");
    out.StartObject();
    pair(out, "hostname", one.address.host);
    pair(out, "ip", one.address.host);
    count(out, "port", one.address.port);
    out.EndObject();
    pair(out, "path", "");
    out.EndObject();
    key(out, "allocation_info");
    out.StartObject();
    pair(out, "role", one.role);
    out.EndObject();
    listedResources(out, "resources", one.resources, {.allocated_to = one.role});
    if (!one.demand.empty()) {
        key(out, "demand");
        out.StartObject();
        pair(out, "name", one.demand);
        count(out, "count", one.count);
        out.EndObject();
    }
    out.EndObject();
}

void framework(Writer& out, const ReadModel& model, const FrameworkView& one, bool removed) {
    out.StartObject();
    raw(out, "framework_info", toJson(one.info));
    pair(out, "active", one.active);
    pair(out, "connected", one.active);
    pair(out, "recovered", false);
    nanoseconds(out, "registered_time", one.registered);
    nanoseconds(out, "reregistered_time", one.since);
    nanoseconds(out, "unregistered_time", one.active ? WallTime{} : one.since);
    emptyObject(out, "offer_constraints");
    const std::string_view role = roleOf(&one);
    if (!one.used.empty()) listedResources(out, "allocated_resources", one.used, {.allocated_to = role, .role = true});
    if (!one.offered.empty()) {
        listedResources(out, "offered_resources", one.offered, {.allocated_to = role, .role = true});
        if (!removed) {
            key(out, "offers");
            out.StartArray();
            for (const auto& [id, each] : model.offers()) {
                if (each.framework == one.info.id) offer(out, each);
            }
            out.EndArray();
        }
    }
    out.EndObject();
}

void frameworks(Writer& out, const ReadModel& model) {
    key(out, "frameworks");
    out.StartArray();
    for (const auto& [id, one] : model.frameworks()) framework(out, model, one, false);
    out.EndArray();
    key(out, "completed_frameworks");
    out.StartArray();
    for (const FrameworkView& one : model.completedFrameworks()) framework(out, model, one, true);
    out.EndArray();
    emptyArray(out, "recovered_frameworks");
}

void executors(Writer& out, const ReadModel& model) {
    key(out, "executors");
    out.StartArray();
    for (const auto& [ref, one] : model.executors()) {
        out.StartObject();
        raw(out, "executor_info", toJson(one.info));
        value(out, "agent_id", ref.agent.value());
        out.EndObject();
    }
    out.EndArray();
}

template <class Body>
void member(Writer& out, std::string_view name, Body body) {
    key(out, name);
    out.StartObject();
    body();
    out.EndObject();
}

void state(Writer& out, const ReadModel& model) {
    member(out, "get_tasks", [&] { tasks(out, model); });
    member(out, "get_executors", [&] { executors(out, model); });
    member(out, "get_frameworks", [&] { frameworks(out, model); });
    member(out, "get_agents", [&] { agents(out, model); });
}

// ---- The smaller answers -----------------------------------------------------------------------------------------

void roles(Writer& out, const ReadModel& model, const Identity& identity) {
    const std::map<std::string, RoleView> all = rolesOf(model);
    if (all.empty()) return;
    key(out, "roles");
    out.StartArray();
    for (const auto& [name, role] : all) {
        out.StartObject();
        pair(out, "name", name);
        number(out, "weight", weightOf(identity, name));
        if (!role.frameworks.empty()) {
            key(out, "frameworks");
            out.StartArray();
            for (const FrameworkId& id : role.frameworks) {
                out.StartObject();
                pair(out, "value", id.value());
                out.EndObject();
            }
            out.EndArray();
        }
        Resources held = role.allocated;
        held += role.offered;
        if (!held.empty()) listedResources(out, "resources", held, {});
        out.EndObject();
    }
    out.EndArray();
}

void flags(Writer& out, const Identity& identity) {
    key(out, "flags");
    out.StartArray();
    for (const auto& [name, value] : identity.flags) {
        out.StartObject();
        pair(out, "name", name);
        pair(out, "value", value);
        out.EndObject();
    }
    out.EndArray();
}

template <class Body>
std::string object(Body body) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    body(out);
    out.EndObject();
    return taken(buffer);
}

template <class Body>
std::string answer(std::string_view type, std::string_view field, Body body) {
    return object([&](Writer& out) {
        pair(out, "type", type);
        member(out, field, [&] { body(out); });
    });
}

} // namespace

std::string masterInfoJson(const Identity& identity) {
    return object([&](Writer& out) {
        const Address& at = identity.address;
        in_addr parsed{};
        const bool numeric = inet_pton(AF_INET, at.host.c_str(), &parsed) == 1;
        pair(out, "id", identity.id);
        count(out, "ip", numeric ? parsed.s_addr : 0);
        count(out, "port", at.port);
        pair(out, "pid", concat("master@", at.host, ":", at.port));
        pair(out, "hostname", at.host);
        pair(out, "version", identity.version);
        member(out, "address", [&] {
            pair(out, "hostname", at.host);
            pair(out, "ip", numeric ? at.host : std::string());
            count(out, "port", at.port);
        });
        key(out, "capabilities");
        out.StartArray();
        out.StartObject();
        pair(out, "type", "AGENT_UPDATE");
        out.EndObject();
        out.EndArray();
    });
}

std::optional<std::string> operatorAnswer(std::string_view type, const ReadModel& model, const Identity& identity) {
    if (type == "GET_HEALTH") return answer(type, "get_health", [](Writer& out) { pair(out, "healthy", true); });
    if (type == "GET_FLAGS") return answer(type, "get_flags", [&](Writer& out) { flags(out, identity); });
    if (type == "GET_VERSION") {
        return answer(type, "get_version", [&](Writer& out) { raw(out, "version_info", versionJson(identity)); });
    }
    if (type == "GET_LOGGING_LEVEL") {
        return answer(type, "get_logging_level", [](Writer& out) { count(out, "level", 0); });
    }
    if (type == "GET_STATE") return answer(type, "get_state", [&](Writer& out) { state(out, model); });
    if (type == "GET_AGENTS") return answer(type, "get_agents", [&](Writer& out) { agents(out, model); });
    if (type == "GET_FRAMEWORKS") return answer(type, "get_frameworks", [&](Writer& out) { frameworks(out, model); });
    if (type == "GET_TASKS") return answer(type, "get_tasks", [&](Writer& out) { tasks(out, model); });
    if (type == "GET_EXECUTORS") {
        return answer(type, "get_executors", [&](Writer& out) { executors(out, model); });
    }
    if (type == "GET_ROLES") return answer(type, "get_roles", [&](Writer& out) { roles(out, model, identity); });
    if (type == "GET_OPERATIONS") return answer(type, "get_operations", [](Writer&) {});
    if (type == "GET_QUOTA") return answer(type, "get_quota", [](Writer& out) { emptyObject(out, "status"); });
    if (type == "GET_MAINTENANCE_STATUS") {
        return answer(type, "get_maintenance_status", [](Writer& out) { emptyObject(out, "status"); });
    }
    if (type == "GET_MAINTENANCE_SCHEDULE") {
        return answer(type, "get_maintenance_schedule", [](Writer& out) { emptyObject(out, "schedule"); });
    }
    if (type == "GET_MASTER") {
        return answer(type, "get_master", [&](Writer& out) {
            raw(out, "master_info", masterInfoJson(identity));
            number(out, "start_time", seconds(identity.started));
            number(out, "elected_time", seconds(identity.started));
        });
    }
    return std::nullopt;
}

// ---- The stream --------------------------------------------------------------------------------------------------

std::string subscribedJson(const ReadModel& model) {
    return answer("SUBSCRIBED", "subscribed", [&](Writer& out) {
        member(out, "get_state", [&] { state(out, model); });
        number(out, "heartbeat_interval_seconds", std::chrono::duration<double>(kOperatorHeartbeat).count());
    });
}

std::string heartbeatJson() { return R"({"type":"HEARTBEAT"})"; }

namespace {

struct Known {
    const ReadModel& model;
    bool operator()(const AgentChanged& delta) const { return model.agents().contains(delta.info.id); }
    bool operator()(const AgentForgotten& delta) const { return model.agents().contains(delta.agent); }
    bool operator()(const FrameworkChanged& delta) const { return model.frameworks().contains(delta.info.id); }
    bool operator()(const FrameworkForgotten& delta) const { return model.frameworks().contains(delta.framework); }
    bool operator()(const TaskChanged& delta) const { return model.tasks().contains({delta.framework, delta.info.id}); }
    bool operator()(const ExecutorChanged&) const { return false; }
    bool operator()(const ExecutorGone&) const { return false; }
    bool operator()(const OfferMade& delta) const { return model.offers().contains(delta.offer.id); }
    bool operator()(const OfferGone& delta) const { return model.offers().contains(delta.offer); }
};

struct Tell {
    const ReadModel& model;
    bool known;

    using Event = std::optional<OperatorEvent>;

    Event operator()(const AgentChanged& delta) const {
        const AgentView& view = model.agents().at(delta.info.id);
        if (delta.state == AgentChanged::State::kUnreachable) return removed(delta.info.id, &view);
        return OperatorEvent{answer("AGENT_ADDED", "agent_added", [&](Writer& out) {
            key(out, "agent");
            agent(out, view);
        })};
    }
    Event operator()(const AgentForgotten& delta) const {
        if (!known) return std::nullopt;
        return removed(delta.agent, nullptr);
    }
    // An unreachable agent is removed for the API, and still to be seen with what we know of it.
    static Event removed(const AgentId& id, const AgentView* view) {
        return OperatorEvent{answer("AGENT_REMOVED", "agent_removed", [&](Writer& out) {
            value(out, "agent_id", id.value());
            if (view == nullptr) return;
            key(out, "agent");
            agent(out, *view);
        })};
    }
    Event operator()(const FrameworkChanged& delta) const {
        const std::string_view type = known ? "FRAMEWORK_UPDATED" : "FRAMEWORK_ADDED";
        return OperatorEvent{answer(type, known ? "framework_updated" : "framework_added", [&](Writer& out) {
            key(out, "framework");
            framework(out, model, model.frameworks().at(delta.info.id), false);
        })};
    }
    Event operator()(const FrameworkForgotten&) const {
        if (!known) return std::nullopt;
        return OperatorEvent{answer("FRAMEWORK_REMOVED", "framework_removed", [&](Writer& out) {
            raw(out, "framework_info", toJson(model.completedFrameworks().back().info));
        })};
    }
    Event operator()(const TaskChanged& delta) const {
        if (!known) {
            if (isTerminal(delta.state)) return std::nullopt; // its end was told; this repeats it
            return OperatorEvent{answer("TASK_ADDED", "task_added", [&](Writer& out) {
                member(out, "task", [&] {
                    taskHead(out, delta.framework, delta.info, delta.state, roleOf(ownerOf(model, delta.framework)));
                });
            })};
        }
        return OperatorEvent{answer("TASK_UPDATED", "task_updated", [&](Writer& out) {
            value(out, "framework_id", delta.framework.value());
            pair(out, "state", name(delta.state));
            key(out, "status");
            status(out, delta.status);
        })};
    }
    // The API has no events of executors.
    Event operator()(const ExecutorChanged&) const { return std::nullopt; }
    Event operator()(const ExecutorGone&) const { return std::nullopt; }
    Event operator()(const OfferMade& delta) const {
        if (known) return std::nullopt;
        return OperatorEvent{answer("OFFER_ADDED", "offer_added",
                                    [&](Writer& out) {
                                        key(out, "offer");
                                        offer(out, delta.offer);
                                    }),
                             true};
    }
    Event operator()(const OfferGone& delta) const {
        if (!known) return std::nullopt;
        return OperatorEvent{
            answer("OFFER_REMOVED", "offer_removed", [&](Writer& out) { value(out, "offer_id", delta.offer.value()); }),
            true};
    }
};

} // namespace

bool knows(const ReadModel& model, const Delta& delta) { return std::visit(Known{model}, delta); }

std::optional<OperatorEvent> eventOf(const ReadModel& model, const Delta& delta, bool known) {
    return std::visit(Tell{model, known}, delta);
}

} // namespace stoa::master
