// What the masters of a cluster must not forget: which cluster it is, the leader's epoch, agents, frameworks and their
// deadlines, weights. The records of the core (core/events.h) come in, and become rows keyed by the entity they are about,
// so the registry holds what is, not what was. It is a file of this machine (open, below), or lies in ZooKeeper
// (zookeeper_registry.h).
//
//     absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::open(work_dir / "registry.db");
//     Master master({.master_id = (*registry)->masterId(), .epoch = (*registry)->epoch()}, (*registry)->takeRecovered(), …);
//     (*registry)->append(output.records, master.recordsAppended());
//     poll((*registry)->eventFd()); commit.durable((*registry)->durable()); or failure(): end the process
//
// Owned by the state thread.
#pragma once

#include "master/core/events.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace stoa::master {

class Registry {
public:
    // The SQLite registry of a master that leads alone. Opening is taking the lead: the epoch is one higher, durably, when
    // open() returns.
    static absl::StatusOr<std::unique_ptr<Registry>> open(const std::filesystem::path& file);
    virtual ~Registry() = default;

    // Made at random with the registry, and kept in it: agents and frameworks know their cluster by it.
    virtual const std::string& masterId() const = 0;
    virtual std::uint64_t epoch() const = 0;
    // The second call gives none.
    virtual Recovered takeRecovered() = 0;

    // Queues records; `number` is that of the last of them.
    virtual void append(const std::vector<Record>& records, RecordNumber number) = 0;
    // Readable when durable() or failure() may have changed; drain() looks.
    virtual int eventFd() const = 0;
    virtual void drain() = 0;
    virtual RecordNumber durable() const = 0;
    // Not OK: nothing appended later is written, and the leadership must end.
    virtual absl::Status failure() const = 0;
    // Blocks until all that was appended is durable, or won't be.
    virtual absl::Status flush() = 0;
    virtual std::uint64_t commits() const = 0; // by this leader
    // How often it was written: by this leader alone in its file, by all that ever led in ZooKeeper.
    virtual std::uint64_t version() const { return commits(); }
};

} // namespace stoa::master
