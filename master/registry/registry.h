// What the master must not forget, on this machine: who it is, its leader epoch, agents, frameworks and their deadlines,
// weights. The records of the core (core/events.h) come in, and become rows of a Store keyed by the entity they are
// about, so the file holds what is, not what was.
//
//     absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::open(work_dir / "registry.db");
//     Master master({.master_id = (*registry)->masterId(), .epoch = (*registry)->epoch()}, (*registry)->takeRecovered(), …);
//     (*registry)->append(output.records, master.recordsAppended());
//     poll((*registry)->eventFd()); commit.durable((*registry)->durable()); or failure(): end the process
//
// Opening is taking the lead: the epoch is one higher, durably, when open() returns. Owned by the state thread.
#pragma once

#include "master/core/events.h"
#include "protocol/store/store.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stoa::master {

class Registry {
public:
    static absl::StatusOr<std::unique_ptr<Registry>> open(const std::filesystem::path& file);

    // Made at random with the file, and kept with it: agents and frameworks know their cluster by it.
    const std::string& masterId() const { return master_id_; }
    std::uint64_t epoch() const { return epoch_; }
    // The second call gives none.
    Recovered takeRecovered() { return std::exchange(recovered_, {}); }

    // Queues records; `number` is that of the last of them.
    void append(const std::vector<Record>& records, RecordNumber number);
    RecordNumber durable() const { return store_->durableUpTo(); }
    int eventFd() const { return store_->eventFd(); }
    void drain() { store_->drain(); }
    absl::Status failure() const { return store_->failure(); }
    absl::Status flush() { return store_->flush(); }
    std::uint64_t commits() const { return store_->commits(); }

private:
    explicit Registry(std::unique_ptr<Store> store) : store_(std::move(store)) {}
    absl::Status load(const std::string& path);
    absl::Status takeLead();

    std::unique_ptr<Store> store_;
    std::string master_id_;
    std::uint64_t epoch_ = 0;
    Recovered recovered_;
};

} // namespace stoa::master
