// Ends what `stoa up` started: first the batch framework, so that it launches nothing anew, then the agents, which end
// their tasks first unless these are to go on, then the masters, and ZooKeeper's servers.
#pragma once

#include "frameworks/cli/cluster.h"

namespace stoa::cli {

// An error names what did not end and had to be killed; everything has ended all the same.
absl::Status shutDown(const Cluster& cluster, bool keep_tasks);

} // namespace stoa::cli
