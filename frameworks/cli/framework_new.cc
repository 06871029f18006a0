// `stoa framework new`: a framework plug-in to start from.
#include "frameworks/cli/command.h"
#include "frameworks/cli/templates.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

void addFrameworkNew(CLI::App& group, Context& context) {
    CLI::App* command = group.add_subcommand("new", "write a starting point for a framework into ./NAME");
    command->footer("A scheduler, its test in a cluster in virtual time, a Makefile and a README.\n\n"
                    "Example:\n  stoa framework new hello && cd hello && make && make test");
    auto name = std::make_shared<std::string>();
    command->add_option("name", *name, "of the framework: a-z, 0-9 and _")->required();
    command->callback([name, &context] {
        const absl::Status written = writeTemplate("framework", *name);
        if (!written.ok()) {
            context.exit_code = fail(written, absl::IsInvalidArgument(written) ? kUsage : kFailed);
            return;
        }
        std::cout << *name << "/ is a framework to start from:\n"
                  << "  cd " << *name << "\n  make\n  make test\n  stoa framework run ./lib" << *name << ".so --help\n";
    });
}

} // namespace stoa::cli
