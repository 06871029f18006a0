#include "frameworks/cli/command.h"

#include <CLI/CLI.hpp>

namespace stoa::cli {

void addGlobalOptions(CLI::App& app, Context& context) {
    app.add_option("--master", context.master,
                   "HOST[:PORT] of a master's HTTP door, or zk://HOST:PORT,HOST:PORT/PATH where masters elect a leader "
                   "(or STOA_MASTER; default: the cluster of `stoa up`)");
    app.add_option("--dir", context.directory, "directory of a cluster that `stoa up` started (or STOA_DIR)");
    app.add_option("--credential", context.credential,
                   "FILE that says who you are to a cluster that asks (or STOA_CREDENTIAL; see `stoa credentials`)");
    app.add_flag("--json", context.json, "answers as JSON, for programs");
}

} // namespace stoa::cli
