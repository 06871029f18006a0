// `stoa agents`: the machines.
#include "frameworks/cli/command.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

namespace {

// "2/4": used of all.
std::string share(const Json& agent, const char* name) {
    return concat(amount(numberAt(at(agent, "used_resources"), name)), "/",
                  amount(numberAt(at(agent, "resources"), name)));
}

int show(const Context& context) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<rapidjson::Document> agents = master->get("/slaves");
    if (!agents.ok()) return fail(agents.status());
    if (context.json) {
        std::cout << pretty(*agents) << "\n";
        return 0;
    }
    Table table({"ID", "ADDRESS", "STATE", "SINCE", "CPUS", "MEM", "TASKS", "ISOLATION"});
    for (const char* list : {"slaves", "recovered_slaves"}) {
        for (const Json& agent : listAt(*agents, list)) {
            table.row({textAt(agent, "id"), textAt(agent, "address"), textAt(agent, "state"),
                       ago(numberAt(agent, "state_since")), share(agent, "cpus"), share(agent, "mem"),
                       concat(integerAt(agent, "tasks")), textAt(agent, "isolation")});
        }
    }
    std::cout << (table.empty() ? "no agents\n" : table.text());
    return 0;
}

} // namespace

void addAgents(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("agents", "the machines, what they have and what is used of it");
    command->footer("Example:\n  stoa agents --json");
    command->callback([&context] { context.exit_code = show(context); });
}

} // namespace stoa::cli
