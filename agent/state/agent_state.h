// What an agent remembers over its own death: who it is, the highest leader epoch it has seen, and each task from its
// launch intent until its end is acknowledged. Rows of a Store, a few a task, keyed by task and erased with it, so that
// the file holds what is, not what was.
//
//   auto state = AgentState::open(work_dir / "agent.db");
//   Agent agent(options, {(*state)->takeRecords(), containers}, …);
//   (*state)->write(out.records, agent.recordsAppended());   // numbered as the core counts them
//   poll((*state)->eventFd()) … durable() … failure()
//
// A damaged file is refused with a sentence, never repaired. Owned by the agent's loop and used from its thread only.
#pragma once

#include "agent/core/events.h"
#include "protocol/store/store.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stoa::agent {

class AgentState {
public:
    static absl::StatusOr<std::unique_ptr<AgentState>> open(const std::filesystem::path& file);

    // Made at random with the file; part of the agent's Incarnation.
    const std::string& workId() const { return work_id_; }
    std::uint64_t highestEpoch() const { return highest_epoch_; }
    // As Agent's Recovered wants them; the second call gives none.
    std::vector<Record> takeRecords() { return std::exchange(records_, {}); }

    // Queues one step's records; `number` is that of the last of them.
    void write(const std::vector<Record>& records, RecordNumber number);
    // Blocks until it is durable: a new leader is rare, and nothing may be said to it before.
    absl::Status raiseEpoch(std::uint64_t epoch);

    RecordNumber durable() const { return store_->durableUpTo(); }
    int eventFd() const { return store_->eventFd(); }
    void drain() { store_->drain(); }
    absl::Status failure() const { return store_->failure(); }
    absl::Status flush() { return store_->flush(); }
    std::uint64_t commits() const { return store_->commits(); }

private:
    // The statuses of one task that have a row, oldest first.
    struct StatusRow {
        Uuid uuid{};
        std::string key;
    };

    explicit AgentState(std::unique_ptr<Store> store) : store_(std::move(store)) {}
    absl::Status load(const std::string& path);
    void changesOf(const Record& record, std::vector<Store::Change>& changes);

    std::unique_ptr<Store> store_;
    std::string work_id_;
    std::uint64_t highest_epoch_ = 0;
    RecordNumber written_ = 0;
    std::uint64_t next_status_ = 0; // numbers the rows of statuses
    std::map<TaskKey, std::deque<StatusRow>> statuses_;
    std::vector<Record> records_;
};

} // namespace stoa::agent
