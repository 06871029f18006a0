// `stoa simulate`: what would happen if. The answer is the simulator's, a program of its own beside this one, since it
// holds the master and everything else.
#include "frameworks/cli/command.h"
#include "frameworks/cli/processes.h"
#include "protocol/argv.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace stoa::cli {

namespace {

int runSimulator(const Context& context, const std::vector<std::string>& arguments) {
    const std::string program = besideThisProgram("stoa-sim");
    std::vector<std::string> words = {program, "simulate"};
    if (context.json) words.emplace_back("--json");
    if (!context.credential.empty()) words.push_back("--credential=" + context.credential);
    words.insert(words.end(), arguments.begin(), arguments.end());
    ::execv(program.c_str(), argvOf(words).data());
    return fail(concat(program, " can't be run: ", std::strerror(errno),
                       "; `stoa simulate` needs it, and `make install` puts both into one directory"));
}

} // namespace

void addSimulate(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("simulate", "how full the cluster would be and who would wait, if …");
    // All that stands behind it is the simulator's, --help too.
    command->prefix_command();
    command->fallthrough(false);
    command->set_help_flag();
    command->callback([command, &context] {
        std::vector<std::string> arguments = command->remaining();
        if (context.command) {
            arguments.emplace_back("--");
            arguments.insert(arguments.end(), context.command->begin(), context.command->end());
        }
        context.exit_code = runSimulator(context, arguments);
    });
}

} // namespace stoa::cli
