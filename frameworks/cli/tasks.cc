// `stoa tasks`: what runs and what ran, of all frameworks.
#include "frameworks/cli/command.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <iostream>

namespace stoa::cli {

namespace {

std::string shortState(std::string state) {
    if (state.rfind("TASK_", 0) == 0) state.erase(0, 5);
    for (char& c : state) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return state;
}

int show(const Context& context, int limit, bool live) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<rapidjson::Document> tasks = master->get(concat("/tasks?limit=", live ? -1 : limit));
    if (!tasks.ok()) return fail(tasks.status());
    if (context.json) {
        std::cout << pretty(*tasks) << "\n";
        return 0;
    }
    Table table({"ID", "NAME", "STATE", "SINCE", "AGENT", "PID", "CPUS", "MEM", "MESSAGE"});
    for (const Json& task : listAt(*tasks, "tasks")) {
        const auto statuses = listAt(task, "statuses");
        static const Json kNone;
        const Json& last = statuses.Empty() ? kNone : statuses[statuses.Size() - 1];
        const std::string state = shortState(textAt(task, "state"));
        const bool ended = state != "staging" && state != "starting" && state != "running" && state != "killing" &&
                           state != "unreachable" && state != "unknown";
        if (live && ended) continue;
        std::int64_t pid = 0;
        for (const Json& status : statuses) pid = std::max(pid, integerAt(status, "pid"));
        const Json& resources = at(task, "resources");
        table.row({textAt(task, "id"), textAt(task, "name"), state, ago(numberAt(last, "timestamp")),
                   textAt(task, "slave_id"), pid > 0 ? concat(pid) : "-", amount(numberAt(resources, "cpus")),
                   amount(numberAt(resources, "mem")), textAt(last, "message")});
    }
    std::cout << (table.empty() ? "no tasks\n" : table.text());
    return 0;
}

} // namespace

void addTasks(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("tasks", "tasks of all frameworks, the latest first");
    command->footer("Example:\n  stoa tasks --live");
    auto limit = std::make_shared<int>(100);
    auto live = std::make_shared<bool>(false);
    command->add_option("--limit", *limit, "at most so many; -1: all")->capture_default_str();
    command->add_flag("--live", *live, "only those that have not ended");
    command->callback([limit, live, &context] { context.exit_code = show(context, *limit, *live); });
}

} // namespace stoa::cli
