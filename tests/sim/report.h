// What a simulated run, or many, looked like, as tables for people. Pure functions over reports.
#pragma once

#include "tests/sim/world.h"

#include <map>
#include <string>
#include <vector>

namespace stoa::sim {

// Faults and transitions counted, and the digest.
std::string describe(const WorldOptions& options, const Report& report);

// The same without a digest, summed over runs.
struct Totals {
    FaultCounts faults{};
    Checker::Transitions transitions{};
    FaultCounts enabled{}; // in how many runs each fault was enabled
    std::uint64_t events = 0;
    std::uint64_t elected = 0; // worlds with several masters; of these:
    std::uint64_t refused_epochs = 0;
    std::uint64_t failovers = 0;
    std::uint64_t sessions_expired = 0;
    std::uint64_t zombie_sessions = 0;
    std::uint64_t gangs = 0;
    std::map<std::string, std::uint64_t> executors;
    std::map<std::string, std::uint64_t> batch;
    std::map<std::string, std::uint64_t> absences;
    Duration virtual_time{0};

    void add(const WorldOptions& options, const Report& report);
};
std::string describe(const Totals& totals);
// What was enabled and never reached, or should have been seen and was not: one line each.
std::vector<std::string> unreached(const Totals& totals);

} // namespace stoa::sim
