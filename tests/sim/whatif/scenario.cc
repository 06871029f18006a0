#include "tests/sim/whatif/scenario.h"

#include <utility>

namespace stoa::sim {

absl::StatusOr<TakenAway> takeAway(std::string_view which, Scenario& scenario, Workload& workload) {
    const absl::StatusOr<std::vector<bool>> gone = scenario.cluster.remove(which);
    if (!gone.ok()) return gone.status();
    std::vector<std::size_t> place(gone->size());
    std::size_t left = 0;
    for (std::size_t i = 0; i < gone->size(); ++i) {
        if (!(*gone)[i]) place[i] = left++;
    }
    std::vector<Running> stay;
    for (Running running : scenario.running) {
        if ((*gone)[running.machine]) {
            workload.add({Duration::zero(), running.whole, running.kind, 1, false});
        } else {
            running.machine = place[running.machine];
            stay.push_back(running);
        }
    }
    const TakenAway taken{gone->size() - left, scenario.running.size() - stay.size()};
    scenario.running = std::move(stay);
    return taken;
}

} // namespace stoa::sim
