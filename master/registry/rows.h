// The registry's rows: what each record of the core changes in them, and what they tell the next leader. The same for the
// file of a single master and for ZooKeeper. Pure functions, usable from any thread.
#pragma once

#include "master/core/events.h"
#include "protocol/store/store.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::master {

// Of the rows' meaning: a registry of a newer one is refused.
inline constexpr std::uint32_t kRegistryVersion = 1;

// The order is that in which the core wants its records: what a mark is about before the mark.
enum RegistryTable : Store::Table { kIdentity, kAgents, kUnreachable, kFrameworks, kDeadlines, kWeights };
inline constexpr int kRegistryTables = 6;

// Appends to `changes`.
void addChangesOf(const Record& record, std::vector<Store::Change>& changes);

// Rows in the order of their first writing, but for those of kIdentity, which are the registry's own. DataLoss says which is
// damaged; `registry` names it.
absl::StatusOr<Recovered> recoveredFrom(std::vector<Store::Row> rows, std::string_view registry);

// Twelve hexadecimal digits.
std::string newMasterId();

} // namespace stoa::master
