// The answer as a picture: one SVG file without scripts, fonts or anything else from outside, whose colours follow the
// reader's light or dark scheme. For each run it shows who holds which share of the cluster over time, stacked, and how
// many tasks wait; below, how long the roles waited, before and after side by side. A pure function.
#pragma once

#include "tests/sim/whatif/answer.h"

#include <string>

namespace stoa::sim {

std::string svgOf(const Answer& answer);

} // namespace stoa::sim
