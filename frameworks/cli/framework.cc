// `stoa framework`: for those who write frameworks.
#include "frameworks/cli/command.h"

#include <CLI/CLI.hpp>

namespace stoa::cli {

void addFramework(CLI::App& app, Context& context) {
    CLI::App* group = app.add_subcommand("framework", "write a framework of your own, and run it");
    group->require_subcommand(1);
    addFrameworkNew(*group, context);
    addFrameworkRun(*group, context);
}

} // namespace stoa::cli
