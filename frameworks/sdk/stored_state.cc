#include "frameworks/sdk/stored_state.h"

#include <utility>

namespace stoa::sdk {

namespace {

constexpr Store::Table kIds = 0;
constexpr Store::Table kKeys = 1;
constexpr char kId[] = "framework";

} // namespace

absl::StatusOr<std::unique_ptr<StoredState>> StoredState::open(const std::string& directory) {
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::open({.path = directory + "/framework.db", .kind = "framework state", .version = 1});
    if (!store.ok()) return store.status();
    return std::unique_ptr<StoredState>(new StoredState(*std::move(store)));
}

StoredState::StoredState(std::unique_ptr<Store> store) : store_(std::move(store)) {
    for (Store::Row& row : store_->takeRows()) {
        if (row.table == kKeys) {
            all_[std::move(row.key)] = std::move(row.blob);
        } else if (row.key == kId) {
            id_ = FrameworkId(std::move(row.blob));
        }
    }
}

absl::Status StoredState::write(std::vector<Change> changes) {
    if (changes.empty()) return failure_;
    std::vector<Store::Change> rows;
    rows.reserve(changes.size());
    for (const Change& change : changes) rows.push_back({kKeys, change.key, change.value});
    absl::Status status = commit(std::move(rows));
    if (status.ok()) apply(std::move(changes));
    return status;
}

absl::Status StoredState::keepId(const FrameworkId& id) {
    if (id == id_) return absl::OkStatus();
    absl::Status status = commit({Store::put(kIds, kId, id.value())});
    if (status.ok()) id_ = id;
    return status;
}

absl::Status StoredState::forget() {
    std::vector<Store::Change> rows = {Store::erase(kIds, kId)};
    for (const auto& [key, value] : all_) rows.push_back(Store::erase(kKeys, key));
    absl::Status status = commit(std::move(rows));
    if (!status.ok()) return status;
    id_ = FrameworkId();
    all_.clear();
    return status;
}

absl::Status StoredState::commit(std::vector<Store::Change> changes) {
    if (!failure_.ok()) return failure_;
    store_->write(std::move(changes), ++writes_);
    failure_ = store_->flush();
    if (!failure_.ok() && on_failure_) on_failure_(failure_);
    return failure_;
}

} // namespace stoa::sdk
