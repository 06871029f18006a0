// `stoa frameworks`: who runs tasks here.
#include "frameworks/cli/command.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

namespace {

int show(const Context& context, bool all) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<rapidjson::Document> frameworks = master->get("/frameworks");
    if (!frameworks.ok()) return fail(frameworks.status());
    if (context.json) {
        std::cout << pretty(*frameworks) << "\n";
        return 0;
    }
    Table table({"ID", "NAME", "USER", "STATE", "SINCE", "TASKS", "CPUS", "MEM"});
    auto add = [&](const Json& framework, bool ended) {
        const Json& used = at(framework, "used_resources");
        const std::string state = ended ? "ended" : truthAt(framework, "active") ? "active" : "disconnected";
        table.row({textAt(framework, "id"), textAt(framework, "name"), textAt(framework, "user"), state,
                   ago(numberAt(framework, "registered_time")), concat(listAt(framework, "tasks").Size()),
                   amount(numberAt(used, "cpus")), amount(numberAt(used, "mem"))});
    };
    for (const Json& framework : listAt(*frameworks, "frameworks")) add(framework, false);
    if (all) {
        for (const Json& framework : listAt(*frameworks, "completed_frameworks")) add(framework, true);
    }
    std::cout << (table.empty() ? "no frameworks\n" : table.text());
    return 0;
}

} // namespace

void addFrameworks(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("frameworks", "who runs tasks on the cluster");
    command->footer("Example:\n  stoa frameworks --all");
    auto all = std::make_shared<bool>(false);
    command->add_flag("--all", *all, "those that have ended, too");
    command->callback([all, &context] { context.exit_code = show(context, *all); });
}

} // namespace stoa::cli
