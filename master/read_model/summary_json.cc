// The answers that count instead of listing: /roles and /state-summary.
#include "master/read_model/json_parts.h"
#include "master/read_model/state_json.h"
#include "protocol/strings.h"

#include <array>
#include <set>

namespace stoa::master {

namespace {

using json::names;
using json::roleOf;
using json::seconds;
using json::stateName;
using json::taken;
using json::Writer;

// What is zero is left out here, and a range counts its numbers.
void amounts(Writer& out, std::string_view name, const Resources& bundle) {
    key(out, name);
    out.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (bundle.scalars()[i] == 0) continue;
        number(out, Resources::kScalarNames[i], static_cast<double>(bundle.scalars()[i]) / 1000);
    }
    for (const Resources::Other& other : bundle.others()) {
        if (const auto* milli = std::get_if<Milli>(&other.value)) {
            number(out, other.name, static_cast<double>(milli->count) / 1000);
        } else if (const auto* ranges = std::get_if<Ranges>(&other.value)) {
            double numbers = 0;
            for (const Ranges::Interval& each : ranges->intervals()) {
                numbers += static_cast<double>(each.last - each.first) + 1;
            }
            number(out, other.name, numbers);
        } else {
            number(out, other.name, static_cast<double>(std::get<NameSet>(other.value).size()));
        }
    }
    out.EndObject();
}

// "a/b/c" is below "a/b" and "a".
template <class Visitor>
void eachRoleAbove(std::string_view role, Visitor visit) {
    for (std::size_t slash = role.rfind('/'); slash != std::string_view::npos; slash = role.rfind('/')) {
        role = role.substr(0, slash);
        visit(std::string(role));
    }
}

struct TaskCounts {
    std::array<std::size_t, kTaskStates> of{};
    std::set<std::string> others; // frameworks of an agent, agents of a framework

    void add(TaskState state, std::size_t tasks = 1) { of[static_cast<std::size_t>(state)] += tasks; }
    void write(Writer& out) const {
        // Those that tools know.
        static constexpr std::array kShown = {TaskState::kStaging, TaskState::kStarting,    TaskState::kRunning,
                                              TaskState::kKilling, TaskState::kFinished,    TaskState::kKilled,
                                              TaskState::kFailed,  TaskState::kLost,        TaskState::kError,
                                              TaskState::kDropped, TaskState::kUnreachable, TaskState::kGone};
        for (const TaskState state : kShown) count(out, name(state), of[static_cast<std::size_t>(state)]);
    }
    void list(Writer& out, std::string_view field) const {
        key(out, field);
        out.StartArray();
        for (const std::string& each : others) text(out, each);
        out.EndArray();
    }
};

void agentSummary(Writer& out, const AgentView& one, const TaskCounts& counts) {
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "hostname", one.info.hostname);
    count(out, "port", one.info.address.port);
    pair(out, "pid", concat("slave(1)@", one.info.address.host, ":", one.info.address.port));
    pair(out, "version", one.info.version);
    number(out, "registered_time", seconds(one.registered));
    pair(out, "active", one.state == AgentChanged::State::kActive);
    pair(out, "deactivated", false);
    pair(out, "state", stateName(one.state));
    flatResources(out, "resources", one.info.resources);
    flatResources(out, "used_resources", one.used);
    flatResources(out, "offered_resources", one.offered);
    emptyObject(out, "reserved_resources");
    flatResources(out, "unreserved_resources", one.info.resources);
    flatAttributes(out, one.info.attributes);
    emptyArray(out, "capabilities");
    counts.write(out);
    counts.list(out, "framework_ids");
    out.EndObject();
}

void frameworkSummary(Writer& out, const FrameworkView& one, const TaskCounts& counts) {
    out.StartObject();
    pair(out, "id", one.info.id.value());
    pair(out, "name", one.info.name);
    pair(out, "hostname", one.info.hostname);
    pair(out, "webui_url", one.info.webui_url);
    pair(out, "active", one.active);
    pair(out, "connected", one.active);
    pair(out, "recovered", false);
    flatResources(out, "used_resources", one.used);
    flatResources(out, "offered_resources", one.offered);
    key(out, "capabilities");
    out.StartArray();
    for (const std::string_view each : names(one.info.capabilities)) text(out, each);
    out.EndArray();
    counts.write(out);
    counts.list(out, "slave_ids");
    out.EndObject();
}

} // namespace

double weightOf(const Identity& identity, const std::string& role) {
    const auto weight = identity.weights.find(role);
    return weight == identity.weights.end() ? 1.0 : weight->second;
}

std::map<std::string, RoleView> rolesOf(const ReadModel& model) {
    std::map<std::string, RoleView> roles;
    const auto below = [&](const std::string& role, auto change) {
        change(roles[role]);
        eachRoleAbove(role, [&](const std::string& above) { change(roles[above]); });
    };
    // Named captures: clang 14 has no others of structured bindings.
    for (const auto& [id, one] : model.frameworks()) {
        for (const std::string& role : one.info.roles) {
            below(role, [&id = id](RoleView& view) {
                if (view.frameworks.empty() || view.frameworks.back() != id) view.frameworks.push_back(id);
            });
        }
        below(std::string(roleOf(&one)), [&one = one](RoleView& view) { view.allocated += one.used; });
    }
    for (const auto& [id, offer] : model.offers()) {
        below(offer.role, [&offer = offer](RoleView& view) { view.offered += offer.resources; });
    }
    return roles;
}

std::string weightsJson(const Identity& identity) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartArray();
    for (const auto& [role, weight] : identity.weights) {
        out.StartObject();
        pair(out, "role", role);
        number(out, "weight", weight);
        out.EndObject();
    }
    out.EndArray();
    return taken(buffer);
}

std::string rolesJson(const ReadModel& model, const Identity& identity) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    key(out, "roles");
    out.StartArray();
    for (const auto& [role, view] : rolesOf(model)) {
        out.StartObject();
        pair(out, "name", role);
        number(out, "weight", weightOf(identity, role));
        key(out, "frameworks");
        out.StartArray();
        for (const FrameworkId& id : view.frameworks) text(out, id.value());
        out.EndArray();
        Resources held = view.allocated;
        held += view.offered;
        amounts(out, "resources", held);
        amounts(out, "allocated", view.allocated);
        amounts(out, "offered", view.offered);
        emptyObject(out, "reserved");
        key(out, "quota");
        out.StartObject();
        pair(out, "role", role);
        emptyObject(out, "guarantee");
        emptyObject(out, "limit");
        amounts(out, "consumed", view.allocated);
        out.EndObject();
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();
    return taken(buffer);
}

std::string summaryJson(const ReadModel& model, const Identity& identity) {
    std::map<AgentId, TaskCounts> of_agent;
    std::map<FrameworkId, TaskCounts> of_framework;
    const auto add = [&](const TaskView& one) {
        TaskCounts& agent = of_agent[one.info.agent];
        TaskCounts& framework = of_framework[one.framework];
        agent.add(one.state);
        framework.add(one.state);
        agent.others.insert(one.framework.value());
        framework.others.insert(one.info.agent.value());
    };
    for (const auto& [id, one] : model.tasks()) add(one);
    for (const auto& [id, one] : model.frameworks()) {
        for (const TaskView& each : one.completed) add(each);
    }

    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "hostname", identity.address.host);
    key(out, "slaves");
    out.StartArray();
    for (const auto& [id, one] : model.agents()) {
        if (one.state != AgentChanged::State::kRecovered) agentSummary(out, one, of_agent[id]);
    }
    out.EndArray();
    key(out, "frameworks");
    out.StartArray();
    for (const auto& [id, one] : model.frameworks()) frameworkSummary(out, one, of_framework[id]);
    out.EndArray();
    out.EndObject();
    return taken(buffer);
}

} // namespace stoa::master
