#include "tests/sim/whatif/series.h"

#include <algorithm>

namespace stoa::sim {

void Series::change(std::size_t level, Duration at, std::int64_t by) {
    Level& changed = levels_[level];
    fill(changed, at);
    changed.value += by;
}

void Series::fill(Level& level, Duration until) {
    if (until <= level.since) return;
    // Here and not at the change: what rises and falls at one moment was never there.
    level.most = std::max(level.most, level.value);
    while (until > step_ * static_cast<std::int64_t>(kMostSteps)) {
        step_ *= 2;
        for (Level& each : levels_) {
            const std::size_t half = (each.areas.size() + 1) / 2;
            for (std::size_t i = 0; i < half; ++i) {
                const Area second = 2 * i + 1 < each.areas.size() ? each.areas[2 * i + 1] : 0;
                each.areas[i] = each.areas[2 * i] + second;
            }
            each.areas.resize(half);
        }
    }
    while (level.since < until) {
        const auto index = static_cast<std::size_t>(level.since / step_);
        const Duration next = std::min<Duration>(until, step_ * static_cast<std::int64_t>(index + 1));
        if (level.value != 0) {
            if (level.areas.size() <= index) level.areas.resize(index + 1);
            level.areas[index] += Area{level.value} * (next - level.since).count();
        }
        level.since = next;
    }
}

void Series::finish(Duration end) {
    for (Level& level : levels_) fill(level, end);
    end_ = end;
}

std::size_t Series::steps() const { return static_cast<std::size_t>((end_ + step_ - Duration(1)) / step_); }

double Series::mean(std::size_t level, std::size_t step) const {
    const std::vector<Area>& areas = levels_[level].areas;
    if (step >= areas.size()) return 0;
    const Duration from = step_ * static_cast<std::int64_t>(step);
    const Duration length = std::min(step_, end_ - from);
    return static_cast<double>(areas[step]) / static_cast<double>(length.count());
}

double Series::meanOfAll(std::size_t level) const {
    Area sum = 0;
    for (const Area area : levels_[level].areas) sum += area;
    return end_ == Duration::zero() ? 0 : static_cast<double>(sum) / static_cast<double>(end_.count());
}

} // namespace stoa::sim
