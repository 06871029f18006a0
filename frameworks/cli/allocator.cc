// `stoa allocator`: for those who write allocator modules.
#include "frameworks/cli/command.h"

#include <CLI/CLI.hpp>

namespace stoa::cli {

void addAllocator(CLI::App& app, Context& context) {
    CLI::App* group = app.add_subcommand("allocator", "write an allocator of your own");
    group->require_subcommand(1);
    addAllocatorNew(*group, context);
}

} // namespace stoa::cli
