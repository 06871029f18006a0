// /metrics/snapshot: what tools that know Mesos read, by the names that they know.
#include "master/core/agents.h"
#include "master/core/frameworks.h"
#include "master/core/offers.h"
#include "master/doors/answers.h"
#include "master/read_model/json_parts.h"
#include "protocol/strings.h"

#include <sys/sysinfo.h>

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace stoa::master {

namespace {

using json::taken;
using json::Writer;

using Figures = std::vector<std::pair<std::string, double>>;

void addAgents(Figures& out, const Master& master) {
    double active = 0, disconnected = 0, unreachable = 0, recovered = 0;
    for (const auto& [number, agent] : master.agents().all()) {
        switch (agent->state) {
        case Agent::State::kActive: ++active; break;
        case Agent::State::kDisconnected: ++disconnected; break;
        case Agent::State::kUnreachable: ++unreachable; break;
        case Agent::State::kRecovered: ++recovered; break;
        }
    }
    out.emplace_back("master/slaves_active", active);
    out.emplace_back("master/slaves_inactive", disconnected);
    out.emplace_back("master/slaves_connected", active);
    out.emplace_back("master/slaves_disconnected", disconnected);
    out.emplace_back("master/slaves_unreachable", unreachable);
    out.emplace_back("registrar/recovered_slaves", recovered);
}

void addResources(Figures& out, const Resources& total, const Resources& used) {
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::string name = concat("master/", Resources::kScalarNames[i]);
        const double all = static_cast<double>(total.scalars()[i]) / 1000;
        const double taken = static_cast<double>(used.scalars()[i]) / 1000;
        out.emplace_back(name + "_total", all);
        out.emplace_back(name + "_used", taken);
        out.emplace_back(name + "_percent", all > 0 ? taken / all : 0.0);
    }
}

void addTasks(Figures& out, const Counters& counters, const TaskFigures& tasks) {
    for (int i = 0; i < kTaskStates; ++i) {
        const auto state = static_cast<TaskState>(i);
        std::string text(name(state)); // TASK_RUNNING
        std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
        const auto at = static_cast<std::size_t>(i);
        const double number = static_cast<double>(isTerminal(state) ? counters.tasks_ended[at] : tasks.live[at]);
        out.emplace_back("master/tasks_" + text.substr(5), number);
    }
}

// Of the machine, as far as the kernel tells it cheaply.
void addSystem(Figures& out) {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return;
    const double unit = 1.0 / (1 << SI_LOAD_SHIFT);
    out.emplace_back("system/load_1min", static_cast<double>(info.loads[0]) * unit);
    out.emplace_back("system/load_5min", static_cast<double>(info.loads[1]) * unit);
    out.emplace_back("system/load_15min", static_cast<double>(info.loads[2]) * unit);
    out.emplace_back("system/cpus_total", static_cast<double>(::get_nprocs()));
    out.emplace_back("system/mem_total_bytes", static_cast<double>(info.totalram) * info.mem_unit);
    out.emplace_back("system/mem_free_bytes", static_cast<double>(info.freeram) * info.mem_unit);
}

Figures figures(const Glance& glance, const TaskFigures& tasks) {
    const Master& master = glance.master;
    const Counters& counters = master.counters();
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    const double connected = number(master.frameworks().active());
    const double away = number(master.frameworks().size()) - connected;
    Figures out;
    out.emplace_back("master/elected", master.options().epoch > 0 ? 1 : 0);
    out.emplace_back("master/uptime_secs", std::chrono::duration<double>(glance.now - glance.started).count());
    addAgents(out, master);
    addResources(out, master.allocator().total(), tasks.used);
    addTasks(out, counters, tasks);
    out.emplace_back("master/frameworks_active", connected);
    out.emplace_back("master/frameworks_connected", connected);
    out.emplace_back("master/frameworks_disconnected", away);
    out.emplace_back("master/frameworks_inactive", away);
    out.emplace_back("master/outstanding_offers", number(master.offers().size()));
    out.emplace_back("master/slave_registrations", number(counters.agent_registrations));
    out.emplace_back("master/slave_reregistrations", number(counters.agent_reregistrations));
    out.emplace_back("master/slave_removals", number(counters.agents_removed));
    out.emplace_back("master/slave_unreachable_completed", number(counters.agents_unreachable));
    out.emplace_back("master/valid_status_updates", number(counters.updates - counters.updates_illegal));
    out.emplace_back("master/invalid_status_updates", number(counters.updates_illegal));
    out.emplace_back("master/valid_status_update_acknowledgements", number(counters.acknowledgements));
    out.emplace_back("master/messages_status_update", number(counters.updates));
    out.emplace_back("master/messages_status_update_acknowledgement", number(counters.acknowledgements));
    out.emplace_back("master/messages_register_framework", number(counters.subscriptions));
    out.emplace_back("master/messages_kill_task", number(counters.kills));
    out.emplace_back("master/messages_launch_tasks", number(counters.offers_accepted));
    out.emplace_back("master/messages_decline_offers", number(counters.offers_declined));
    out.emplace_back("master/messages_reconcile_tasks", number(counters.reconciliations));
    out.emplace_back("master/messages_framework_to_executor", number(counters.messages));
    out.emplace_back("allocator/mesos/allocation_runs", number(counters.allocation_rounds));
    out.emplace_back("allocator/mesos/offer_filters/active", number(master.allocator().counters().refusals));
    addSystem(out);
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace

std::string snapshotJson(const Glance& glance, const TaskFigures& tasks) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    for (const auto& [name, value] : figures(glance, tasks)) number(out, name, value);
    out.EndObject();
    return taken(buffer);
}

std::string getMetricsJson(const Glance& glance, const TaskFigures& tasks) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    pair(out, "type", "GET_METRICS");
    key(out, "get_metrics");
    out.StartObject();
    key(out, "metrics");
    out.StartArray();
    for (const auto& [name, value] : figures(glance, tasks)) {
        out.StartObject();
        pair(out, "name", name);
        number(out, "value", value);
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();
    out.EndObject();
    return taken(buffer);
}

} // namespace stoa::master
