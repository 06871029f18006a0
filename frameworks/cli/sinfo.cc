// `sinfo`: the agents as Slurm's users read them, as nodes of one partition.
#include "frameworks/cli/command.h"
#include "frameworks/cli/slurm.h"
#include "frameworks/cli/slurm_words.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <iostream>
#include <map>
#include <vector>

namespace stoa::cli {

namespace {

constexpr SlurmOption kOptions[] = {
    {"Node", 'N', false}, {"long", 'l', false},     {"noheader", 'h', false},
    {"nodes", 'n', true}, {"partition", 'p', true}, {"summarize", 's', false},
};

struct Node {
    std::string name;
    std::string state;
    double cpus = 0;
    double used = 0;
    double memory = 0; // megabytes
    double disk = 0;
};

Node nodeOf(const Json& agent) {
    Node node;
    const Json& total = at(agent, "resources");
    node.name = textAt(agent, "hostname");
    node.cpus = numberAt(total, "cpus");
    node.used = numberAt(at(agent, "used_resources"), "cpus");
    node.memory = numberAt(total, "mem");
    node.disk = numberAt(total, "disk");
    if (!truthAt(agent, "active"))
        node.state = "down";
    else if (node.used == 0)
        node.state = "idle";
    else
        node.state = node.used + 0.001 < node.cpus ? "mixed" : "allocated";
    return node;
}

// As Slurm's short form has them.
std::string shortState(const std::string& state) {
    if (state == "mixed") return "mix";
    return state == "allocated" ? "alloc" : state;
}

std::string names(const std::vector<const Node*>& nodes) {
    std::string text;
    for (const Node* node : nodes) text += (text.empty() ? "" : ",") + node->name;
    return text;
}

void print(const std::string& line) { std::cout << line << "\n"; }

void printNodes(const std::vector<Node>& nodes, bool header, bool all) {
    if (header) {
        std::string line = absl::StrFormat("%-20s %6s %9s %-10s", "NODELIST", "NODES", "PARTITION", "STATE");
        if (all) line += absl::StrFormat(" %5s %9s %9s", "CPUS", "MEMORY", "TMP_DISK");
        print(line);
    }
    for (const Node& node : nodes) {
        std::string line =
            absl::StrFormat("%-20s %6d %9s %-10s", node.name, 1, "stoa*", all ? node.state : shortState(node.state));
        if (all) line += absl::StrFormat(" %5g %9.0f %9.0f", node.cpus, node.memory, node.disk);
        print(line);
    }
}

void printStates(const std::vector<Node>& nodes, bool header, bool all) {
    if (header) {
        print(all ? absl::StrFormat("%-9s %5s %10s %12s %6s %10s %s", "PARTITION", "AVAIL", "TIMELIMIT", "CPUS(A/I)",
                                    "NODES", "STATE", "NODELIST")
                  : absl::StrFormat("%-9s %5s %10s %6s %6s %s", "PARTITION", "AVAIL", "TIMELIMIT", "NODES", "STATE",
                                    "NODELIST"));
    }
    std::map<std::string, std::vector<const Node*>> by_state;
    for (const Node& node : nodes) by_state[node.state].push_back(&node);
    for (const auto& [state, its] : by_state) {
        double used = 0, idle = 0;
        for (const Node* node : its) {
            used += node->used;
            idle += node->cpus - node->used;
        }
        const auto count = static_cast<int>(its.size());
        print(all ? absl::StrFormat("%-9s %5s %10s %12s %6d %10s %s", "stoa*", "up", "infinite",
                                    absl::StrFormat("%g/%g", used, idle), count, state, names(its))
                  : absl::StrFormat("%-9s %5s %10s %6d %6s %s", "stoa*", "up", "infinite", count, shortState(state),
                                    names(its)));
    }
}

} // namespace

int sinfo(const std::vector<std::string>& words, const Context& context) {
    bool each = false, all = false, header = true;
    SlurmWords line(words, kOptions);
    while (std::optional<SlurmWords::Option> option = line.next()) {
        if (!option->problem.empty()) return fail(concat(option->as_written, " ", option->problem), kUsage);
        if (option->name == "Node")
            each = true;
        else if (option->name == "long")
            all = true;
        else if (option->name == "noheader")
            header = false;
        else if (option->name != "summarize")
            std::cerr << "sinfo: " << option->as_written << " has no effect here\n";
    }
    if (!line.rest().empty()) return fail(concat("\"", line.rest().front(), "\" is no option of sinfo"), kUsage);
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<rapidjson::Document> agents = master->get("/slaves");
    if (!agents.ok()) return fail(agents.status());
    std::vector<Node> nodes;
    for (const char* list : {"slaves", "recovered_slaves"}) {
        for (const Json& agent : listAt(*agents, list)) nodes.push_back(nodeOf(agent));
    }
    if (each)
        printNodes(nodes, header, all);
    else
        printStates(nodes, header, all);
    return 0;
}

} // namespace stoa::cli
