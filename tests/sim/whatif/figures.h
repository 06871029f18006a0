// What came out of one run of a question: how full the cluster was, how long whose tasks waited, who held what share and
// when. Exact: times are those at which the simulated master launched and ended tasks, percentiles are values that
// occurred (nearest rank), means are integrals over the whole span. Plain values, and the Meter that gathers them.
#pragma once

#include "protocol/resources/resources.h"
#include "tests/sim/whatif/series.h"
#include "tests/sim/whatif/workload.h"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stoa::sim {

struct Waits {
    Duration p50{0};
    Duration p90{0};
    Duration p99{0};
    Duration mean{0};
    Duration most{0};
};

// Sorts them. Of none, zeros.
Waits waitsOf(std::vector<std::int64_t>& nanos);

using Fractions = std::array<double, Resources::kScalars>; // of the cluster's cpus, mem, disk, gpus

struct RoleFigures {
    std::string role;
    double weight = 1;
    std::uint64_t tasks = 0;   // submitted, or running when it began
    std::uint64_t started = 0; // those that ran when it began are not counted
    std::uint64_t ended = 0;
    std::uint64_t waiting = 0; // at the end
    Waits waits;               // of those that were started
    double mean_share = 0;     // its mean dominant share
    double most_share = 0;
};

// At one step of time.
struct RolePoint {
    Fractions use{};
    double share = 0; // the largest of them: the dominant share
    double waiting = 0;
};

// A kind of work of which some never found a place, and what it lacked at the end.
struct NeverPlaced {
    std::string role;
    std::string shape;
    std::uint64_t tasks = 0;
    std::string why;
};

struct Figures {
    std::string name; // of the scenario
    std::string allocator;
    std::map<std::string, double> weights;
    std::size_t agents = 0;
    Resources::Scalars total{};
    Duration span{0}; // from the first submission to the last thing that happened
    std::uint64_t tasks = 0;
    std::uint64_t started = 0;
    std::uint64_t ended = 0;
    std::uint64_t waiting = 0;
    std::uint64_t running = 0;      // at the end
    Waits waits;                    // of everybody
    Fractions use{};                // mean
    std::vector<RoleFigures> roles; // by name
    Duration step{0};
    std::vector<std::vector<RolePoint>> points; // of each role, one a step
    std::vector<NeverPlaced> never_placed;
    std::uint64_t offers = 0;
    std::uint64_t events = 0; // what the master was told
};

// Told of everything that happens, as it happens.
class Meter {
public:
    Meter(const std::vector<Kind>& kinds, const Resources::Scalars& total);

    void submitted(std::uint32_t kind, Duration at, std::uint32_t count);
    void started(std::uint32_t kind, Duration at, Duration waited, std::uint32_t count);
    // It ran already when all began.
    void found(std::uint32_t kind);
    void ended(std::uint32_t kind, Duration at);
    std::uint64_t endedTasks() const { return ended_; }

    // Puts roles, shares, waits and counts in. Call once.
    void finish(Duration end, Figures& figures);

private:
    struct Role {
        RoleFigures figures;
        std::vector<std::int64_t> waits; // nanoseconds
    };
    static constexpr std::size_t kLevels = Resources::kScalars + 1; // and the tasks that wait

    void hold(std::uint32_t kind, Duration at, std::int64_t count);
    std::size_t level(std::size_t role, std::size_t which) const { return role * kLevels + which; }
    double share(std::size_t resource, double amount) const;

    const std::vector<Kind>& kinds_;
    const Resources::Scalars total_;
    std::vector<Role> roles_;          // by name
    std::vector<std::size_t> role_of_; // of a kind
    Series series_;
    std::uint64_t ended_ = 0;
};

} // namespace stoa::sim
