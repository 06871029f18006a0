#include "tests/sim/faults.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>

#include <algorithm>
#include <string>
#include <vector>

namespace stoa::sim {

absl::StatusOr<FaultPlan> FaultPlan::parse(std::string_view text) {
    if (text == "all") return all();
    if (text == "none") return none();
    const FaultPlan rates = all();
    FaultPlan plan;
    const std::string copy(text);
    for (const std::string& name : std::vector<std::string>(absl::StrSplit(copy, ','))) {
        const auto found = std::find(kFaultNames.begin(), kFaultNames.end(), name);
        if (found == kFaultNames.end()) {
            const std::vector<std::string> known(kFaultNames.begin(), kFaultNames.end());
            return absl::InvalidArgumentError(
                absl::StrCat("\"", name, "\" is no fault; known are all, none, ", absl::StrJoin(known, ", ")));
        }
        const auto index = static_cast<std::size_t>(found - kFaultNames.begin());
        plan.rate[index] = rates.rate[index];
    }
    return plan;
}

} // namespace stoa::sim
