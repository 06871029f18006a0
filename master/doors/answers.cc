#include "master/doors/answers.h"

#include "master/core/agents.h"
#include "master/core/frameworks.h"
#include "master/core/offers.h"
#include "master/core/tasks.h"
#include "protocol/strings.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <map>
#include <utility>
#include <vector>

namespace stoa::master {

namespace {

// ---- Metrics -----------------------------------------------------------------------------------------------------

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Families {
public:
    void counter(const char* name, const char* help, std::uint64_t value, const Labels& labels = {}) {
        ClientMetric& metric = add(name, help, MetricType::Counter, labels);
        metric.counter.value = static_cast<double>(value);
    }
    void gauge(const char* name, const char* help, double value, const Labels& labels = {}) {
        ClientMetric& metric = add(name, help, MetricType::Gauge, labels);
        metric.gauge.value = value;
    }
    std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
    // Metrics of one name come one after the other.
    ClientMetric& add(const char* name, const char* help, MetricType type, const Labels& labels) {
        if (families_.empty() || families_.back().name != name) {
            MetricFamily family;
            family.name = name;
            family.help = help;
            family.type = type;
            families_.push_back(std::move(family));
        }
        ClientMetric metric;
        for (const auto& [label, value] : labels) metric.label.push_back({label, value});
        families_.back().metric.push_back(std::move(metric));
        return families_.back().metric.back();
    }

    std::vector<MetricFamily> families_;
};

void addCore(Families& out, const Glance& glance) {
    const Master& master = glance.master;
    const Counters& counters = master.counters();
    out.gauge("stoa_master_elected", "Whether this master leads", master.options().epoch > 0 ? 1 : 0);
    out.gauge("stoa_master_epoch", "The leader's epoch", static_cast<double>(master.options().epoch));
    std::map<Agent::State, std::size_t> agents;
    for (const auto& [number, agent] : master.agents().all()) ++agents[agent->state];
    const std::pair<Agent::State, const char*> states[] = {{Agent::State::kActive, "active"},
                                                           {Agent::State::kDisconnected, "disconnected"},
                                                           {Agent::State::kRecovered, "recovered"},
                                                           {Agent::State::kUnreachable, "unreachable"}};
    for (const auto& [state, name] : states) {
        out.gauge("stoa_agents", "Agents by state", static_cast<double>(agents[state]), {{"state", name}});
    }
    const std::size_t connected = master.frameworks().active();
    out.gauge("stoa_frameworks", "Frameworks by state", static_cast<double>(connected), {{"state", "active"}});
    out.gauge("stoa_frameworks", "", static_cast<double>(master.frameworks().size() - connected),
              {{"state", "disconnected"}});
    out.gauge("stoa_tasks", "Tasks that have not ended, or whose end is not acknowledged",
              static_cast<double>(master.tasks().size()));
    out.gauge("stoa_offers", "Offers that stand", static_cast<double>(master.offers().size()));
    const Resources total = master.allocator().total();
    Resources held;
    for (const allocator::RoleHoldings& role : master.allocator().roles()) held += role.held;
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::string name(Resources::kScalarNames[i]);
        out.gauge("stoa_resources_total", "What all agents have", static_cast<double>(total.scalars()[i]) / 1000,
                  {{"resource", name}});
    }
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::string name(Resources::kScalarNames[i]);
        out.gauge("stoa_resources_held", "What is offered or used by tasks",
                  static_cast<double>(held.scalars()[i]) / 1000, {{"resource", name}});
    }

    out.counter("stoa_agent_registrations_total", "Agents admitted", counters.agent_registrations);
    out.counter("stoa_agent_reregistrations_total", "Agents that came again", counters.agent_reregistrations);
    out.counter("stoa_agents_refused_total", "Registrations refused", counters.agents_refused);
    out.counter("stoa_agents_unreachable_total", "Agents given up", counters.agents_unreachable);
    out.counter("stoa_agents_spared_total", "Agents that came back when they were about to be given up",
                counters.agents_spared);
    out.counter("stoa_agents_forgotten_total", "Agents forgotten that were unreachable for too long, or one too many",
                counters.agents_forgotten);
    out.counter("stoa_agents_removed_total", "Agents that stopped for good", counters.agents_removed);
    out.counter("stoa_subscriptions_total", "Subscriptions of frameworks", counters.subscriptions);
    out.counter("stoa_framework_failovers_total", "Subscriptions that replaced a session", counters.failovers);
    out.counter("stoa_frameworks_removed_total", "Frameworks removed", counters.frameworks_removed);
    out.counter("stoa_offers_made_total", "Offers made", counters.offers_made);
    out.counter("stoa_offers_accepted_total", "Offers accepted", counters.offers_accepted);
    out.counter("stoa_offers_declined_total", "Offers declined", counters.offers_declined);
    out.counter("stoa_offers_rescinded_total", "Offers taken back", counters.offers_rescinded);
    out.counter("stoa_offers_expired_total", "Offers taken back for want of an answer", counters.offers_expired);
    out.counter("stoa_tasks_launched_total", "Tasks launched", counters.tasks_launched);
    out.counter("stoa_tasks_refused_total", "Launches refused", counters.tasks_refused);
    for (int i = 0; i < kTaskStates; ++i) {
        const auto state = static_cast<TaskState>(i);
        if (!isTerminal(state)) continue;
        out.counter("stoa_tasks_ended_total", "Tasks that ended, by state",
                    counters.tasks_ended[static_cast<std::size_t>(i)], {{"state", std::string(name(state))}});
    }
    out.counter("stoa_kills_total", "Kills asked for", counters.kills);
    out.counter("stoa_early_kills_dropped_total", "Kills of unknown tasks that were not kept",
                counters.early_kills_dropped);
    out.counter("stoa_updates_total", "Status updates from agents", counters.updates);
    out.counter("stoa_updates_illegal_total", "Updates to a state that can't follow", counters.updates_illegal);
    out.counter("stoa_acknowledgements_total", "Acknowledgements from frameworks", counters.acknowledgements);
    out.counter("stoa_reconciliations_total", "Tasks that frameworks asked about", counters.reconciliations);
    out.counter("stoa_messages_total", "Messages between frameworks and executors", counters.messages);
    out.counter("stoa_invalid_calls_total", "Calls that were refused", counters.invalid_calls);
}

void addAllocator(Families& out, const Glance& glance) {
    const allocator::Counters& counters = glance.master.allocator().counters();
    out.counter("stoa_allocator_turns_total", "Allocation rounds", counters.turns);
    out.counter("stoa_allocator_grants_total", "Grants", counters.grants);
    out.counter("stoa_allocator_pairs_total", "Agents looked at for a request", counters.pairs_looked_at);
    out.counter("stoa_allocator_module_faults_total", "Answers of the module that broke a rule",
                counters.module_faults);
    out.gauge("stoa_allocator_refusals", "Refusals that stand", static_cast<double>(counters.refusals));
}

void addDoors(Families& out, const Glance& glance) {
    out.counter("stoa_turns_total", "Turns of the state thread", glance.turns);
    out.gauge("stoa_effects_held", "Effects that wait for a record to be durable",
              static_cast<double>(glance.effects_held));
    out.counter("stoa_store_commits_total", "Commits of the registry", glance.store_commits);
    out.gauge("stoa_registry_version", "How often the registry was written",
              static_cast<double>(glance.registry_version));
    out.gauge("stoa_sessions", "Open sessions", static_cast<double>(glance.wire.open_sessions));
    out.counter("stoa_sessions_opened_total", "Sessions opened", glance.wire.sessions.opened);
    out.counter("stoa_sessions_silent_total", "Sessions ended by silence", glance.wire.sessions.silent);
    out.counter("stoa_sessions_refused_epoch_total", "Frames that were meant for a leader of another epoch",
                glance.wire.sessions.refused_epoch);
    out.counter("stoa_sessions_outbox_full_total", "Sessions ended by a full outbox", glance.wire.sessions.outbox_full);
    out.counter("stoa_wire_bytes_total", "Bytes on the wire", glance.wire.bytes_in, {{"direction", "in"}});
    out.counter("stoa_wire_bytes_total", "", glance.wire.bytes_out, {{"direction", "out"}});
    out.counter("stoa_wire_retransmitted_total", "Frames sent again", glance.wire.sessions.retransmitted);
    out.counter("stoa_wire_malformed_frames_total", "What was no frame of ours", glance.wire.malformedTotal());
    out.counter("stoa_malformed_messages_total", "Messages that did not decode", glance.malformed_messages);
    out.counter("stoa_http_requests_total", "HTTP requests", glance.http.requests);
    out.counter("stoa_http_refused_total", "HTTP requests or connections over a limit", glance.http.refused);
    out.gauge("stoa_http_connections", "Open HTTP connections", static_cast<double>(glance.http.connections));
}

// ---- Explanations ------------------------------------------------------------------------------------------------

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void text(Writer& out, std::string_view value) {
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void pair(Writer& out, const char* key, std::string_view value) {
    out.Key(key);
    text(out, value);
}
void count(Writer& out, const char* key, std::uint64_t value) {
    out.Key(key);
    out.Uint64(value);
}

void explain(Writer& out, const Demand& demand, const allocator::Explanation& why, Time now) {
    out.StartObject();
    pair(out, "demand", demand.name);
    pair(out, "role", demand.role);
    pair(out, "shape", demand.shape.toString());
    count(out, "count", demand.count);
    count(out, "agents", why.agents);
    count(out, "fit_now", why.fit_now);
    out.Key("reasons");
    out.StartArray();
    for (const allocator::Explanation::Reason& reason : why.reasons) {
        out.StartObject();
        pair(out, "what", reason.what);
        count(out, "agents", reason.agents);
        out.EndObject();
    }
    out.EndArray();
    out.Key("framework");
    out.StartArray();
    for (const std::string& each : why.framework) text(out, each);
    out.EndArray();
    pair(out, "nearest", why.nearest);
    if (why.gang) {
        out.Key("gang");
        out.StartObject();
        count(out, "most_per_agent", demand.gang ? demand.gang->most_per_agent : 0);
        count(out, "pieces_fit_now", why.gang->fit_now);
        count(out, "pieces_fit_ever", why.gang->fit_ever);
        out.Key("waits_seconds");
        if (why.gang->waits_since) {
            out.Double(std::chrono::duration<double>(now - *why.gang->waits_since).count());
        } else {
            out.Null();
        }
        count(out, "agents_being_cleared", why.gang->clearing);
        out.EndObject();
    }
    out.EndObject();
}

} // namespace

std::string metricsText(const Glance& glance) {
    Families families;
    addCore(families, glance);
    addAllocator(families, glance);
    addDoors(families, glance);
    return families.text();
}

absl::StatusOr<std::string> explanationJson(const Glance& glance, const FrameworkId& id, const std::string& resources) {
    const Framework* framework = glance.master.frameworks().find(id);
    if (framework == nullptr) return absl::NotFoundError(concat("no framework has the id \"", id.value(), "\""));
    std::vector<Demand> demands;
    if (resources.empty()) {
        demands = glance.master.allocator().demands(id);
    } else {
        absl::StatusOr<Resources> shape = Resources::parse(resources);
        if (!shape.ok()) return invalid("resources: ", shape.status().message());
        Demand demand;
        demand.role = framework->info.roles.front();
        demand.shape = *std::move(shape);
        demand.count = 1;
        demands.push_back(std::move(demand));
    }
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "framework_id", id.value());
    pair(out, "name", framework->info.name);
    out.Key("active");
    out.Bool(framework->active());
    out.Key("demands");
    out.StartArray();
    for (const Demand& demand : demands) {
        absl::StatusOr<allocator::Explanation> why = glance.master.allocator().explain(id, demand, glance.now);
        if (!why.ok()) return why.status();
        explain(out, demand, *why, glance.now);
    }
    out.EndArray();
    out.EndObject();
    return std::string(buffer.GetString(), buffer.GetSize());
}

} // namespace stoa::master
