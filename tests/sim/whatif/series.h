// Levels over time (what a role holds, how many of its tasks wait), kept as means over steps of equal length, so that a
// run of any length and a million changes is a few hundred numbers at the end. The steps begin short and grow twice as
// long whenever there would be more than kMostSteps. Sums are integers, hence exact. A plain value; pure.
#pragma once

#include "protocol/units.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace stoa::sim {

class Series {
public:
    static constexpr std::size_t kMostSteps = 512;

    explicit Series(std::size_t levels) : levels_(levels) {}

    // Precondition: no earlier than the level's last change.
    void change(std::size_t level, Duration at, std::int64_t by);
    std::int64_t now(std::size_t level) const { return levels_[level].value; }
    // All levels stay as they are until then, which is the end.
    void finish(Duration end);

    Duration step() const { return step_; }
    // The last one may be shorter than the others.
    std::size_t steps() const;
    double mean(std::size_t level, std::size_t step) const;
    double meanOfAll(std::size_t level) const; // 0 when no time has passed
    std::int64_t most(std::size_t level) const { return levels_[level].most; }

private:
    using Area = __int128; // units × nanoseconds
    struct Level {
        std::int64_t value = 0;
        std::int64_t most = 0;
        Duration since{0};
        std::vector<Area> areas;
    };

    void fill(Level& level, Duration until);

    std::vector<Level> levels_;
    Duration step_ = std::chrono::seconds(1);
    Duration end_{0};
};

} // namespace stoa::sim
