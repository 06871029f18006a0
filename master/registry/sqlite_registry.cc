// The registry of a master that leads alone: a file of this machine.
#include "master/registry/registry.h"
#include "master/registry/rows.h"
#include "protocol/store/store.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <utility>

namespace stoa::master {

namespace {

constexpr char kMasterId[] = "master_id";
constexpr char kEpoch[] = "epoch";

class SqliteRegistry : public Registry {
public:
    explicit SqliteRegistry(std::unique_ptr<Store> store) : store_(std::move(store)) {}

    absl::Status load(const std::string& path);
    absl::Status takeLead();

    const std::string& masterId() const override { return master_id_; }
    std::uint64_t epoch() const override { return epoch_; }
    Recovered takeRecovered() override { return std::exchange(recovered_, {}); }
    void append(const std::vector<Record>& records, RecordNumber number) override;
    int eventFd() const override { return store_->eventFd(); }
    void drain() override { store_->drain(); }
    RecordNumber durable() const override { return store_->durableUpTo(); }
    absl::Status failure() const override { return store_->failure(); }
    absl::Status flush() override { return store_->flush(); }
    std::uint64_t commits() const override { return store_->commits(); }

private:
    std::unique_ptr<Store> store_;
    std::string master_id_;
    std::uint64_t epoch_ = 0;
    Recovered recovered_;
};

absl::Status SqliteRegistry::load(const std::string& path) {
    std::vector<Store::Row> rows = store_->takeRows();
    const bool fresh = rows.empty();
    for (const Store::Row& row : rows) {
        if (row.table != kIdentity) continue;
        if (row.key == kMasterId) master_id_ = row.blob;
        if (row.key == kEpoch && !absl::SimpleAtoi(row.blob, &epoch_)) {
            return absl::DataLossError(
                concat("master registry ", path, " is damaged: \"", row.blob, "\" is no epoch. It was left as it is"));
        }
    }
    std::erase_if(rows, [](const Store::Row& row) { return row.table == kIdentity; });
    absl::StatusOr<Recovered> recovered = recoveredFrom(std::move(rows), path);
    if (!recovered.ok()) return recovered.status();
    recovered_ = *std::move(recovered);
    if (master_id_.empty() != fresh) {
        return absl::DataLossError(concat("master registry ", path,
                                          " is damaged: it does not say whose it is. It was "
                                          "left as it is"));
    }
    return absl::OkStatus();
}

absl::Status SqliteRegistry::takeLead() {
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

void SqliteRegistry::append(const std::vector<Record>& records, RecordNumber number) {
    if (records.empty()) return;
    std::vector<Store::Change> changes;
    for (const Record& record : records) addChangesOf(record, changes);
    store_->write(std::move(changes), number);
}

} // namespace

absl::StatusOr<std::unique_ptr<Registry>> Registry::open(const std::filesystem::path& file) {
    absl::StatusOr<std::unique_ptr<Store>> store =
        Store::open({.path = file, .kind = "master registry", .version = kRegistryVersion});
    if (!store.ok()) return store.status();
    auto registry = std::make_unique<SqliteRegistry>(*std::move(store));
    if (absl::Status loaded = registry->load(file); !loaded.ok()) return loaded;
    if (absl::Status leading = registry->takeLead(); !leading.ok()) return leading;
    return registry;
}

} // namespace stoa::master
