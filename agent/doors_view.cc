#include "agent/doors_view.h"

#include "agent/sandboxes.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/strings.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <utility>

namespace stoa::agent {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

void put(Json& json, std::string_view text) { json.String(text.data(), static_cast<rapidjson::SizeType>(text.size())); }
void put(Json& json, std::string_view name, std::string_view text) {
    put(json, name);
    put(json, text);
}
void putRaw(Json& json, std::string_view name, const std::string& value) {
    put(json, name);
    json.RawValue(value.data(), value.size(), rapidjson::kObjectType);
}

// A flat object, as the Mesos API shows resources in answers about state: the four scalars always, ranges as text.
void putResources(Json& json, std::string_view name, const Resources& resources) {
    put(json, name);
    json.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        put(json, Resources::kScalarNames[i]);
        json.Double(static_cast<double>(resources.scalars()[i]) / 1000);
    }
    for (const Resources::Other& other : resources.others()) {
        put(json, other.name);
        if (const Milli* scalar = std::get_if<Milli>(&other.value)) {
            json.Double(static_cast<double>(scalar->count) / 1000);
            continue;
        }
        Resources alone;
        std::string text = alone.add(other).ok() ? alone.toString() : "";
        put(json, std::string_view(text).substr(std::min(text.size(), other.name.size() + 1)));
    }
    json.EndObject();
}

void putTask(Json& json, const TaskChanged& task) {
    json.StartObject();
    put(json, "id", task.info.id.value());
    put(json, "name", task.info.name);
    put(json, "framework_id", task.framework.value());
    put(json, "executor_id", task.info.executor.value());
    put(json, "state", name(task.state));
    putResources(json, "resources", task.info.resources);
    put(json, "statuses");
    json.StartArray();
    const std::string status = toJson(task.status);
    json.RawValue(status.data(), status.size(), rapidjson::kObjectType);
    json.EndArray();
    const std::string& sandbox = task.info.executor.empty() ? task.info.id.value() : task.info.executor.value();
    put(json, "sandbox", concat("/frameworks/", task.framework.value(), "/executors/", sandbox, "/runs/latest"));
    json.EndObject();
}

void putExecutor(Json& json, const ExecutorChanged& executor) {
    json.StartObject();
    put(json, "executor_id", executor.info.id.value());
    put(json, "name", executor.info.name);
    put(json, "framework_id", executor.framework.value());
    put(json, "container", executor.run);
    put(json, "subscribed");
    json.Bool(executor.subscribed);
    putResources(json, "resources", executor.info.resources);
    put(json, "directory",
        concat("/frameworks/", executor.framework.value(), "/executors/", executor.info.id.value(), "/runs/latest"));
    json.EndObject();
}

prometheus::MetricFamily family(std::string name, std::string help, prometheus::MetricType type) {
    prometheus::MetricFamily made;
    made.name = std::move(name);
    made.help = std::move(help);
    made.type = type;
    return made;
}

void add(prometheus::MetricFamily& to, double value, std::string label = "", std::string label_value = "") {
    prometheus::ClientMetric metric;
    if (!label.empty()) metric.label.push_back({std::move(label), std::move(label_value)});
    if (to.type == prometheus::MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
    to.metric.push_back(std::move(metric));
}

} // namespace

bool Doors::View::apply(TaskChanged change) {
    const TaskKey key{change.framework, change.info.id};
    const std::string sandbox = Sandboxes::relative(key);
    const bool over = isTerminal(change.state);
    if (over)
        live.erase(sandbox);
    else
        live.insert(sandbox);
    tasks.insert_or_assign(key, std::move(change));
    return over;
}

void Doors::View::apply(const TaskGone& gone) {
    const auto found = tasks.find(gone.key);
    if (found == tasks.end()) return;
    live.erase(Sandboxes::relative(gone.key));
    ended.push_back(std::move(found->second));
    tasks.erase(found);
    if (ended.size() > kMostEnded) ended.pop_front();
}

void Doors::View::apply(ExecutorChanged change) {
    ExecutorKey key{change.framework, change.info.id};
    live.insert(sandboxOf(key));
    executors.insert_or_assign(std::move(key), std::move(change));
}

void Doors::View::apply(const ExecutorGone& gone) {
    live.erase(sandboxOf(gone.key));
    executors.erase(gone.key);
}

std::string Doors::View::stateJson(const std::vector<std::pair<std::string, std::string>>& flags) const {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.StartObject();
    put(json, "id", info.id.value());
    put(json, "hostname", info.hostname);
    put(json, "version", info.version);
    put(json, "pid", concat("agent(1)@", info.address.host, ":", info.address.port));
    put(json, "start_time");
    json.Double(static_cast<double>(started.nanos) / 1e9);
    put(json, "registered");
    json.Bool(metrics.registered);
    put(json, "isolation", info.isolation);
    putResources(json, "resources", info.resources);
    putResources(json, "used_resources", metrics.used);
    put(json, "attributes");
    json.StartObject();
    for (const Attribute& attribute : info.attributes) put(json, attribute.name, toString(attribute));
    json.EndObject();
    putRaw(json, "flags", flagsJson(flags));
    put(json, "tasks");
    json.StartArray();
    for (const auto& [key, task] : tasks) {
        if (!isTerminal(task.state)) putTask(json, task);
    }
    json.EndArray();
    put(json, "executors");
    json.StartArray();
    for (const auto& [key, executor] : executors) putExecutor(json, executor);
    json.EndArray();
    put(json, "completed_tasks");
    json.StartArray();
    for (const TaskChanged& task : ended) putTask(json, task);
    for (const auto& [key, task] : tasks) {
        if (isTerminal(task.state)) putTask(json, task);
    }
    json.EndArray();
    json.EndObject();
    return buffer.GetString();
}

std::string Doors::View::metricsText() const {
    using prometheus::MetricType;
    std::vector<prometheus::MetricFamily> families;
    const auto one = [&](std::string name, std::string help, MetricType type, double value) {
        families.push_back(family(std::move(name), std::move(help), type));
        add(families.back(), value);
    };
    const Agent::Counters& core = metrics.core;
    one("stoa_agent_registered", "1 while a master has this agent registered", MetricType::Gauge, metrics.registered);
    one("stoa_agent_masters", "Connections to masters", MetricType::Gauge, static_cast<double>(metrics.masters.links));
    one("stoa_agent_failovers_total", "Changes to a master of a higher epoch", MetricType::Counter,
        static_cast<double>(metrics.masters.failovers));
    one("stoa_agent_refused_epochs_total", "What a master of a lower epoch said, and was refused", MetricType::Counter,
        static_cast<double>(metrics.masters.refused_epochs));
    for (const auto& [name, resources] : {std::pair("stoa_agent_resources_total", &info.resources),
                                          std::pair("stoa_agent_resources_used", &metrics.used)}) {
        families.push_back(family(name, "Scalar resources, mem and disk in MB", MetricType::Gauge));
        for (std::size_t i = 0; i < Resources::kScalars; ++i) {
            add(families.back(), static_cast<double>(resources->scalars()[i]) / 1000, "resource",
                std::string(Resources::kScalarNames[i]));
        }
    }
    families.push_back(
        family("stoa_agent_tasks", "Tasks by state, until their end is acknowledged", MetricType::Gauge));
    std::map<TaskState, int> by_state;
    for (const auto& [key, task] : tasks) ++by_state[task.state];
    for (const auto& [state, count] : by_state) add(families.back(), count, "state", std::string(name(state)));
    families.push_back(family("stoa_agent_events_total", "What the agent's core did and met", MetricType::Counter));
    for (const auto& [what, count] : {std::pair("launch", core.launches),
                                      std::pair("duplicate_launch", core.duplicate_launches),
                                      std::pair("refused_launch", core.refused_launches),
                                      std::pair("kill", core.kills),
                                      std::pair("kill_of_unknown", core.kills_of_unknown),
                                      std::pair("update_sent", core.updates_sent),
                                      std::pair("update_repeated", core.updates_repeated),
                                      std::pair("stray_acknowledgement", core.stray_acknowledgements),
                                      std::pair("stray_container", core.stray_containers),
                                      std::pair("dropped_message", core.dropped_messages),
                                      std::pair("lost_at_recovery", core.lost_at_recovery),
                                      std::pair("out_of_memory", core.out_of_memory),
                                      std::pair("unknown_exit", core.unknown_exits),
                                      std::pair("registration", core.registrations),
                                      std::pair("executor_launch", core.executor_launches),
                                      std::pair("executor_subscription", core.executor_subscriptions),
                                      std::pair("executor_resubscription", core.executor_resubscriptions),
                                      std::pair("executor_update", core.executor_updates),
                                      std::pair("executor_update_repeated", core.executor_updates_repeated),
                                      std::pair("executor_update_illegal", core.executor_updates_illegal),
                                      std::pair("executor_update_put_off", core.executor_updates_put_off),
                                      std::pair("executor_timeout", core.executor_timeouts),
                                      std::pair("executor_shutdown", core.executor_shutdowns),
                                      std::pair("executor_end", core.executors_ended)}) {
        add(families.back(), static_cast<double>(count), "event", what);
    }
    one("stoa_agent_state_commits_total", "Commits of the agent's state, each one fdatasync", MetricType::Counter,
        static_cast<double>(metrics.commits));
    one("stoa_agent_sandboxes_collected_total", "Old sandboxes removed", MetricType::Counter,
        static_cast<double>(metrics.sandboxes_collected));
    return prometheus::TextSerializer().Serialize(families);
}

std::string flagsJson(const std::vector<std::pair<std::string, std::string>>& flags) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.StartObject();
    for (const auto& [name, value] : flags) put(json, name, value);
    json.EndObject();
    return buffer.GetString();
}

} // namespace stoa::agent
