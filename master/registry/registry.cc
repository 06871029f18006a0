#include "master/registry/registry.h"

#include "master/registry/record_codec.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <optional>
#include <random>

namespace stoa::master {

namespace {

constexpr std::uint32_t kVersion = 1;

// The order is that in which the core wants its records: what a mark is about before the mark.
enum Table : Store::Table { kIdentity, kAgents, kUnreachable, kFrameworks, kDeadlines, kWeights };

constexpr char kMasterId[] = "master_id";
constexpr char kEpoch[] = "epoch";

std::string newMasterId() {
    std::random_device chance;
    return absl::StrFormat("%08x%04x", chance(), chance() & 0xffff);
}

struct ChangesOf {
    const Record& record;
    std::vector<Store::Change>& changes;

    void operator()(const AgentAdmitted& admitted) {
        put(kAgents, admitted.info.id.value());
        changes.push_back(Store::erase(kUnreachable, admitted.info.id.value()));
    }
    void operator()(const AgentUnreachable& unreachable) { put(kUnreachable, unreachable.agent.value()); }
    void operator()(const AgentRemoved& removed) {
        changes.push_back(Store::erase(kAgents, removed.agent.value()));
        changes.push_back(Store::erase(kUnreachable, removed.agent.value()));
    }
    void operator()(const FrameworkStored& stored) {
        put(kFrameworks, stored.info.id.value());
        changes.push_back(Store::erase(kDeadlines, stored.info.id.value()));
    }
    void operator()(const FrameworkDeadline& deadline) { put(kDeadlines, deadline.framework.value()); }
    void operator()(const FrameworkRemoved& removed) {
        changes.push_back(Store::erase(kFrameworks, removed.framework.value()));
        changes.push_back(Store::erase(kDeadlines, removed.framework.value()));
    }
    void operator()(const WeightSet& weight) { put(kWeights, weight.role); }

    void put(Table table, const std::string& key) { changes.push_back(Store::put(table, key, encodeRecord(record))); }
};

} // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::open(const std::filesystem::path& file) {
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::open({.path = file, .kind = "master registry", .version = kVersion});
    if (!store.ok()) return store.status();
    std::unique_ptr<Registry> registry(new Registry(*std::move(store)));
    if (absl::Status loaded = registry->load(file); !loaded.ok()) return loaded;
    if (absl::Status leading = registry->takeLead(); !leading.ok()) return leading;
    return registry;
}

absl::Status Registry::load(const std::string& path) {
    std::vector<Store::Row> rows = store_->takeRows();
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.table < b.table; });
    for (const Store::Row& row : rows) {
        if (row.table == kIdentity && row.key == kMasterId) {
            master_id_ = row.blob;
        } else if (row.table == kIdentity && row.key == kEpoch) {
            if (!absl::SimpleAtoi(row.blob, &epoch_)) {
                return absl::DataLossError(concat("master registry ", path, " is damaged: \"", row.blob,
                                                  "\" is no epoch. It was left as it is"));
            }
        } else {
            absl::StatusOr<Record> record = decodeRecord(row.blob);
            if (!record.ok()) {
                return absl::DataLossError(concat("master registry ", path, " is damaged: the record of \"", row.key,
                                                  "\": ", record.status().message(), ". It was left as it is"));
            }
            recovered_.records.push_back(*std::move(record));
        }
    }
    if (master_id_.empty() != rows.empty()) {
        return absl::DataLossError(concat("master registry ", path,
                                          " is damaged: it does not say whose it is. It was "
                                          "left as it is"));
    }
    return absl::OkStatus();
}

absl::Status Registry::takeLead() {
    ++epoch_;
    std::vector<Store::Change> changes;
    if (master_id_.empty()) {
        master_id_ = newMasterId();
        changes.push_back(Store::put(kIdentity, kMasterId, master_id_));
    }
    changes.push_back(Store::put(kIdentity, kEpoch, concat(epoch_)));
    store_->write(std::move(changes), 0);
    return store_->flush();
}

void Registry::append(const std::vector<Record>& records, RecordNumber number) {
    if (records.empty()) return;
    std::vector<Store::Change> changes;
    for (const Record& record : records) std::visit(ChangesOf{record, changes}, record);
    store_->write(std::move(changes), number);
}

} // namespace stoa::master
