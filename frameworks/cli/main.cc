// stoa: the one command for users and operators. Subcommands add themselves; each has a file.
#include "frameworks/cli/command.h"
#include "frameworks/cli/slurm.h"
#include "protocol/version.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <string_view>

namespace stoa::cli {
namespace {

void addCommands(CLI::App& app, Context& context) {
    for (auto add :
         {addUp,       addDown,      addRun,       addSubmit, addJobs,        addJob,     addHold,       addRelease,
          addPriority, addWait,      addLogs,      addFetch,  addKill,        addAgents,  addFrameworks, addTasks,
          addExplain,  addFramework, addAllocator, addMpi,    addCredentials, addSimulate}) {
        add(app, context);
    }
}

} // namespace
} // namespace stoa::cli

int main(int argc, char** argv) {
    std::setlocale(LC_ALL, "");
    std::signal(SIGPIPE, SIG_IGN);
    if (const std::optional<int> code = stoa::cli::runAsSlurm(argc, argv)) return *code; // called sbatch or the like

    CLI::App app("Stoa, a cluster manager: runs commands, jobs and services on the machines it is given.", "stoa");
    app.set_version_flag("--version", stoa::kVersion);
    app.require_subcommand(0, 1);
    app.fallthrough();
    app.footer("Exit codes: the command's own (run, wait), else 0, 1 for a failure, 2 for wrong usage, 125 for a task "
               "that could\n"
               "not be run. `stoa COMMAND --help` explains each; start with `stoa up`.");

    stoa::cli::Context context;
    stoa::cli::addGlobalOptions(app, context);
    stoa::cli::addCommands(app, context);
    // What stands behind "--" is a command of the user's, and none of our business.
    char** const end = argv + argc;
    char** const dashes =
        std::find_if(argv, end, [](const char* argument) { return std::string_view(argument) == "--"; });
    if (dashes != end) context.command.emplace(dashes + 1, end);
    try {
        app.parse(static_cast<int>(dashes - argv), argv);
        // Asked for only here, so that a word that isn't one is named before.
        if (app.get_subcommands().empty()) throw CLI::RequiredError::Subcommand(1);
    } catch (const CLI::Success& asked) { // --help, --version
        return app.exit(asked);
    } catch (const CLI::ParseError& error) {
        app.exit(error);
        return stoa::cli::kUsage;
    }
    return context.exit_code;
}
