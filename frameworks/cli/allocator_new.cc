// `stoa allocator new`: an allocator module to start from.
#include "frameworks/cli/command.h"
#include "frameworks/cli/templates.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

void addAllocatorNew(CLI::App& group, Context& context) {
    CLI::App* command = group.add_subcommand("new", "write a starting point for an allocator module into ./NAME");
    command->footer("A policy, a Makefile whose test is stoa-allocator-check, and a README.\n\n"
                    "Example:\n  stoa allocator new fewest && cd fewest && make && make test");
    auto name = std::make_shared<std::string>();
    command->add_option("name", *name, "of the module: a-z, 0-9 and _")->required();
    command->callback([name, &context] {
        const absl::Status written = writeTemplate("allocator", *name);
        if (!written.ok()) {
            context.exit_code = fail(written, absl::IsInvalidArgument(written) ? kUsage : kFailed);
            return;
        }
        std::cout << *name << "/ is an allocator module to start from:\n"
                  << "  cd " << *name << "\n  make\n  make test\n  stoa-master --allocator=$PWD/lib" << *name
                  << ".so …\n";
    });
}

} // namespace stoa::cli
