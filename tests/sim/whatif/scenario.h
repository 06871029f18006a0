// A cluster with everything about it that a question may change: its machines and what runs there, the allocator and its
// weights. Plain values; pure.
#pragma once

#include "tests/sim/whatif/cluster.h"
#include "tests/sim/whatif/workload.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

struct stoa_allocator_module_v1; // allocator/module.h

namespace stoa::sim {

// A task that runs on a live cluster when the question is asked.
struct Running {
    std::uint32_t kind = 0;
    std::size_t machine = 0; // of the cluster's, by place
    Duration left{0};        // kForever: it does not end
    Duration whole{0};       // how long it takes when it is started anew
};

struct Scenario {
    std::string name = "as it is";
    Cluster cluster;
    std::vector<Running> running;
    std::string allocator = "drf"; // what `module` is called
    const stoa_allocator_module_v1* module = nullptr;
    std::string parameters; // the module's
    std::map<std::string, double> weights;
};

struct TakenAway {
    std::size_t agents = 0;
    std::size_t tasks = 0;
};

// Without the machines that Cluster::remove() takes: what ran there starts anew elsewhere, as jobs of `workload` at the
// beginning of time, which is to be settled then.
absl::StatusOr<TakenAway> takeAway(std::string_view which, Scenario& scenario, Workload& workload);

} // namespace stoa::sim
