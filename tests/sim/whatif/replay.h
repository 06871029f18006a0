// One scenario played through: the shipped master's core with its allocator, in virtual time, and around it agents and
// frameworks as simple as can be. An agent runs what it is told for as long as the job says; a framework (one a name and
// role) states what waits, accepts all that it is offered, the oldest job of a kind first. Nothing fails and nothing takes
// time but the tasks, so a wait is what the allocator and the lack of room make it. The same scenario, workload and seed
// give the same figures.
//
//     absl::StatusOr<Figures> figures = replay(scenario, workload, {.seed = 1});
//
// Pure but for the allocator module, which may be anybody's.
#pragma once

#include "tests/sim/whatif/figures.h"
#include "tests/sim/whatif/scenario.h"
#include "tests/sim/whatif/workload.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <optional>

namespace stoa::sim {

struct ReplayOptions {
    std::uint64_t seed = 1;
    // The clock stops here, though work be left; absent: when nothing is left that can happen.
    std::optional<Duration> until{};
    // Called now and then with the tasks that have ended.
    std::function<void(std::uint64_t ended, std::uint64_t tasks)> progress{};
};

absl::StatusOr<Figures> replay(const Scenario& scenario, const Workload& workload, const ReplayOptions& options);

} // namespace stoa::sim
