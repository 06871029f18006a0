// The answer to a question, in the forms in which it is wanted: tables for people, JSON and CSV for programs. One run of
// figures is the cluster as it is; two are before and after what was asked about. picture.h draws the same.
// Pure functions.
#pragma once

#include "tests/sim/whatif/figures.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stoa::sim {

struct Answer {
    std::uint64_t seed = 1;
    std::vector<std::string> changes; // in words, "10 more of small"; of the second run
    std::vector<Figures> runs;        // one or two
};

// For people: a summary, waits and shares by role, what never ran and why.
std::string tablesOf(const Answer& answer);
// Everything, the course of time too.
std::string jsonOf(const Answer& answer);
// The course of time, a row for each run, step and role.
std::string csvOf(const Answer& answer);

} // namespace stoa::sim
