// Tries a module on made-up clusters: twice each, the second time with every span in another order and everything at
// other addresses, which must not change one decision. Counts the answers that broke a rule. What stoa-allocator-check
// runs, and a module's own tests may. Pure.
#pragma once

#include "allocator/module.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace stoa::allocator {

struct ModuleReport {
    std::uint64_t traces = 0;
    std::uint64_t turns = 0;
    std::uint64_t grants = 0;
    std::uint64_t faults = 0;          // answers that broke a rule
    std::uint64_t unserved = 0;        // turns that left something which fits, by the module's choice
    std::uint64_t digest = 0;          // of all decisions
    std::vector<std::string> problems; // empty: the module passes
};

// Fails when the module refuses the parameters.
absl::StatusOr<ModuleReport> checkModule(const stoa_allocator_module_v1* module, const std::string& parameters,
                                         std::uint64_t traces);

} // namespace stoa::allocator
