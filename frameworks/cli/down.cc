// `stoa down`: ends the cluster that `stoa up` started.
#include "frameworks/cli/command.h"
#include "frameworks/cli/shutdown.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace stoa::cli {

void addDown(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("down", "end the cluster that `stoa up` started here, its tasks first");
    command->footer(
        "Jobs stay in the queue: those that ran start anew after the next `stoa up`.\n\nExample:\n  stoa down");
    auto keep_tasks = std::make_shared<bool>(false);
    command->add_flag("--keep-tasks", *keep_tasks, "tasks go on; the agents of the next `stoa up` find them again");
    command->callback([keep_tasks, &context] {
        const std::string directory = std::filesystem::absolute(clusterDirectory(context.directory)).lexically_normal();
        absl::StatusOr<Cluster> cluster = readCluster(directory);
        if (!cluster.ok()) {
            context.exit_code = fail(cluster.status());
            return;
        }
        const auto running = std::count_if(cluster->processes.begin(), cluster->processes.end(),
                                           [](const ClusterProcess& process) { return alive(process.process); });
        if (running == 0) {
            std::cout << "the cluster in " << directory << " is down already\n";
            return;
        }
        const absl::Status status = shutDown(*cluster, *keep_tasks);
        if (!status.ok()) {
            context.exit_code = fail(status);
            return;
        }
        if (!context.json)
            std::cout << "ended " << running << " daemons" << (*keep_tasks ? "; tasks go on" : "") << "\n";
    });
}

} // namespace stoa::cli
