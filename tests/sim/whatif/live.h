// A live cluster as the beginning of a question: what a master's /state says of agents and of the tasks that run there. What
// waits in frameworks' own queues is not in it; that is what a workload file or a stream is for. Nobody knows when a task
// that runs will end, so it is taken to run as long again as it has run so far, unless told otherwise.
// Pure functions over the answer's text.
#pragma once

#include "tests/sim/whatif/scenario.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::sim {

struct Live {
    Cluster cluster; // the active agents
    std::vector<Running> running;
    std::string allocator;           // as its master was told; empty: it doesn't say
    std::size_t agents_left_out = 0; // away or unreachable
};

// The kinds of what runs are made in `workload`. `where_from` names the answer in errors. `left`: how long every task still
// runs; absent: as long as it has run until `now_seconds` since 1970, or until the newest moment that the state knows of
// when that is absent, too.
absl::StatusOr<Live> parseState(std::string_view where_from, std::string_view text, std::optional<double> now_seconds,
                                std::optional<Duration> left, Workload& workload);

// A master's /weights.
absl::StatusOr<std::map<std::string, double>> parseWeights(std::string_view where_from, std::string_view text);

} // namespace stoa::sim
