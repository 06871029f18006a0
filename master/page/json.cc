#include "master/page/json.h"

#include "master/read_model/json_parts.h"
#include "protocol/labels.h"
#include "protocol/strings.h"

namespace stoa::master::page {

namespace {

using json::seconds;
using json::Writer;

// An object with its type, as a line.
template <class Members>
std::string line(std::string_view type, Members members) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "type", type);
    members(out);
    out.EndObject();
    return json::taken(buffer) + '\n';
}

// Amounts of zero are left out; other things than scalars as the text that flags take.
void resources(Writer& out, std::string_view name, const Resources& bundle) {
    key(out, name);
    out.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (bundle.scalars()[i] != 0) {
            number(out, Resources::kScalarNames[i], static_cast<double>(bundle.scalars()[i]) / 1000);
        }
    }
    for (const Resources::Other& other : bundle.others()) {
        if (const auto* milli = std::get_if<Milli>(&other.value)) {
            number(out, other.name, static_cast<double>(milli->count) / 1000);
        } else if (const auto* intervals = std::get_if<Ranges>(&other.value)) {
            std::string listed;
            for (const Ranges::Interval& interval : intervals->intervals()) {
                listed += concat(listed.empty() ? "" : ", ", interval.first, "-", interval.last);
            }
            pair(out, other.name, listed);
        } else {
            std::string listed;
            for (const std::string& one : std::get<NameSet>(other.value)) {
                listed += (listed.empty() ? "" : ", ") + one;
            }
            pair(out, other.name, listed);
        }
    }
    out.EndObject();
}

void sample(Writer& out, const Sample& one) {
    out.StartArray();
    for (double value : one) out.Double(value);
    out.EndArray();
}

void texts(Writer& out, std::string_view name, const std::vector<std::string>& all) {
    key(out, name);
    out.StartArray();
    for (const std::string& one : all) text(out, one);
    out.EndArray();
}

} // namespace

std::string helloLine(const Identity& identity, const std::vector<std::string>& masters, WallTime now,
                      const std::deque<Sample>& history) {
    return line("hello", [&](Writer& out) {
        key(out, "master");
        out.StartObject();
        pair(out, "id", identity.id);
        pair(out, "address", concat(identity.address.host, ":", identity.address.port));
        count(out, "epoch", identity.epoch);
        pair(out, "version", identity.version);
        number(out, "started", seconds(identity.started));
        out.EndObject();
        texts(out, "masters", masters);
        number(out, "now", seconds(now));
        key(out, "history");
        out.StartArray();
        for (const Sample& one : history) sample(out, one);
        out.EndArray();
    });
}

std::string mastersJson(const std::string& leader, const std::vector<std::string>& masters) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "leader", leader);
    texts(out, "masters", masters);
    out.EndObject();
    return json::taken(buffer);
}

std::string agentLine(const AgentView& agent) {
    return line("agent", [&](Writer& out) {
        pair(out, "id", agent.info.id.value());
        pair(out, "hostname", agent.info.hostname);
        pair(out, "address", concat(agent.info.address.host, ":", agent.info.address.port));
        pair(out, "state", json::stateName(agent.state));
        number(out, "since", seconds(agent.since));
        number(out, "registered", seconds(agent.registered));
        pair(out, "version", agent.info.version);
        pair(out, "isolation", agent.info.isolation);
        std::string attributes;
        for (const Attribute& attribute : agent.info.attributes) {
            attributes += concat(attributes.empty() ? "" : ";", attribute.name, ":", toString(attribute));
        }
        pair(out, "attributes", attributes);
        resources(out, "total", agent.info.resources);
        resources(out, "used", agent.used);
        resources(out, "offered", agent.offered);
        count(out, "tasks", agent.tasks);
    });
}

std::string agentGoneLine(const AgentId& agent) {
    return line("agent_gone", [&](Writer& out) { pair(out, "id", agent.value()); });
}

std::string frameworkLine(const FrameworkView& framework) {
    return line("framework", [&](Writer& out) {
        pair(out, "id", framework.info.id.value());
        pair(out, "name", framework.info.name);
        pair(out, "user", framework.info.user);
        texts(out, "roles", framework.info.roles);
        pair(out, "active", framework.active);
        pair(out, "batch", framework.info.labels.contains(kBatchLabel));
        number(out, "since", seconds(framework.since));
        number(out, "registered", seconds(framework.registered));
        number(out, "removed", seconds(framework.removed));
        pair(out, "hostname", framework.info.hostname);
        pair(out, "webui_url", framework.info.webui_url);
        resources(out, "used", framework.used);
        resources(out, "offered", framework.offered);
        count(out, "tasks", framework.tasks);
        key(out, "ended");
        out.StartObject();
        for (const auto& [state, tasks] : framework.ended) count(out, name(state), tasks);
        out.EndObject();
    });
}

std::string taskLine(const TaskView& task) {
    return line("task", [&](Writer& out) {
        pair(out, "framework", task.framework.value());
        pair(out, "id", task.info.id.value());
        pair(out, "name", task.info.name);
        pair(out, "agent", task.info.agent.value());
        pair(out, "executor", task.info.executor.value());
        pair(out, "state", name(task.state));
        resources(out, "resources", task.info.resources);
        key(out, "statuses");
        out.StartArray();
        for (const TaskStatus& status : task.statuses) {
            out.StartArray();
            text(out, name(status.state));
            out.Double(seconds(status.timestamp));
            text(out, name(status.source));
            text(out, status.reason == Reason::kNone ? std::string_view() : name(status.reason));
            text(out, status.message);
            if (status.outcome.wait_status && isTerminal(status.state)) {
                out.Int(*status.outcome.wait_status);
            } else {
                out.Null();
            }
            out.EndArray();
        }
        out.EndArray();
    });
}

std::string sampleLine(const Sample& one) {
    return line("sample", [&](Writer& out) {
        key(out, "at");
        sample(out, one);
    });
}

} // namespace stoa::master::page
