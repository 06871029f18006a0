#include "master/registry/rows.h"

#include "master/registry/record_codec.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace stoa::master {

namespace {

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

    void put(Store::Table table, const std::string& key) {
        changes.push_back(Store::put(table, key, encodeRecord(record)));
    }
};

} // namespace

void addChangesOf(const Record& record, std::vector<Store::Change>& changes) {
    std::visit(ChangesOf{record, changes}, record);
}

absl::StatusOr<Recovered> recoveredFrom(std::vector<Store::Row> rows, std::string_view registry) {
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.table < b.table; });
    Recovered recovered;
    for (const Store::Row& row : rows) {
        absl::StatusOr<Record> record = decodeRecord(row.blob);
        if (!record.ok()) {
            return absl::DataLossError(concat("master registry ", registry, " is damaged: the record of \"", row.key,
                                              "\": ", record.status().message(), ". It was left as it is"));
        }
        recovered.records.push_back(*std::move(record));
    }
    return recovered;
}

std::string newMasterId() {
    std::random_device chance;
    return absl::StrFormat("%08x%04x", chance(), chance() & 0xffff);
}

} // namespace stoa::master
