// The registry of several masters, in ZooKeeper, below the path that they share:
//
//     /stoa/epoch                        its version is the leader's epoch (master/election)
//     /stoa/registry                     which cluster this is; written with every batch, so that its version counts them
//     /stoa/registry/agents-0000000000   rows, packed (shards.h)
//
// It is made by a leader that has taken office, and read first, while the daemon's loop goes on:
//
//     auto registry = ZooKeeperRegistry::read(zookeeper, "/stoa", epoch);
//     poll(zookeeper.eventFd()); zookeeper.dispatch(); if (registry->ready()) Master(…, registry->takeRecovered(), …);
//
// Each write is a multi that needs the epoch's node to have our version still, so that a leader that was replaced can't write.
// Records are gathered while a batch is under way; the batch's multis are in flight together. A failed write, and one of which
// nobody knows (a lost connection), ends it: failure() says why, the leadership must end, and whoever leads next reads
// what is there before anything is revealed. While the session has no connection nothing is sent (pause()).
//
// Owned by the state thread; `zookeeper` outlives it. Nothing may be dispatched after its end that it has asked for: end
// both together.
#pragma once

#include "master/registry/registry.h"
#include "master/registry/shards.h"
#include "protocol/leader/zookeeper.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::master {

// What /stoa/registry says. InvalidArgument: no such text; FailedPrecondition: of a newer version, with what to do.
struct RegistryIdentity {
    std::string master_id;
};
absl::StatusOr<RegistryIdentity> parseRegistryIdentity(std::string_view json, std::string_view path);
std::string registryIdentityJson(const RegistryIdentity& identity);

class ZooKeeperRegistry : public Registry {
public:
    static std::unique_ptr<ZooKeeperRegistry> read(ZooKeeper& zookeeper, const std::string& path, std::uint64_t epoch);

    bool ready() const { return ready_; } // read; from now on records may be appended
    // FailedPrecondition or DataLoss: what stands there can't be read, now or later; else the leadership ends.
    absl::Status failure() const override { return failure_; }
    void pause();
    void resume();

    const std::string& masterId() const override { return identity_.master_id; }
    std::uint64_t epoch() const override { return epoch_; }
    Recovered takeRecovered() override { return std::exchange(recovered_, {}); }
    void append(const std::vector<Record>& records, RecordNumber number) override;
    int eventFd() const override { return zookeeper_.eventFd(); }
    void drain() override {} // who owns `zookeeper` dispatches
    RecordNumber durable() const override { return durable_; }
    absl::Status flush() override;
    std::uint64_t commits() const override { return commits_; }
    std::uint64_t version() const override { return version_; }

private:
    // Of a multi: two shards of the largest size fit.
    static constexpr std::size_t kMostBatchBytes = 2 * Shards::kMost + 4096;
    static_assert(kMostBatchBytes < ZooKeeper::kMostRequestBytes);

    ZooKeeperRegistry(ZooKeeper& zookeeper, const std::string& path, std::uint64_t epoch);
    void fail(absl::Status why);
    void readIdentity();
    void found();
    void list();
    void readShards(const std::vector<std::string>& names);
    void finishReading();
    void writeMore();
    void write(std::vector<ZooKeeper::Op> ops);

    ZooKeeper& zookeeper_;
    const std::string epoch_path_;
    const std::string path_; // "/stoa/registry"
    const std::uint64_t epoch_;
    RegistryIdentity identity_;
    Shards shards_;
    Recovered recovered_;
    bool ready_ = false;
    bool paused_ = false;
    std::size_t reading_ = 0; // shards asked for and not there yet
    std::size_t flying_ = 0;  // multis of the batch under way
    RecordNumber appended_ = 0;
    RecordNumber in_batch_ = 0;
    RecordNumber durable_ = 0;
    std::uint64_t commits_ = 0;
    std::uint64_t version_ = 0;
    absl::Status failure_;
};

} // namespace stoa::master
