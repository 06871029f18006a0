// A store on one host's disk, as far as a core depends on it: records are appended in order, become durable in order
// and some time later, and what is not durable when the process ends is lost. It stands for protocol/store in the
// simulator. A disk outlives the processes that use it; record numbers, like the real store's, count from 1 in every
// life of a process.
//
// Owned by the World; single-threaded.
#pragma once

#include "protocol/output_commit.h"
#include "protocol/rng.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

namespace stoa::sim {

template <class Record>
class Disk {
public:
    using Durable = std::function<void(RecordNumber)>;

    Disk(EventQueue& queue, Rng& rng, FaultCounts& counts, FaultPlan faults)
        : queue_(queue), rng_(rng), counts_(counts), faults_(faults) {}

    // Appends and starts one commit for the batch; `done` is told, in the node's present life, when it is durable.
    void append(NodeId node, std::vector<Record> records, Durable done) {
        if (records.empty()) return;
        for (Record& record : records) records_.push_back(std::move(record));
        const std::size_t end = records_.size();
        Duration wait = std::chrono::microseconds(50 + rng_.below(1'000));
        if (rng_.chance(faults_.of(Fault::kSlowDisk))) {
            ++counts_[static_cast<std::size_t>(Fault::kSlowDisk)];
            wait = std::chrono::milliseconds(200 + rng_.below(3'000));
        }
        // One writer: a commit ends after the one before it.
        busy_until_ = std::max(busy_until_, queue_.now()) + wait;
        const std::size_t base = life_base_;
        queue_.schedule(node, busy_until_ - queue_.now(), [this, end, base, done = std::move(done)] {
            durable_ = std::max(durable_, end);
            done(end - base);
        });
    }

    // The process ended: what isn't durable is gone, and numbers start anew.
    void crash() {
        records_.resize(durable_);
        life_base_ = durable_;
        busy_until_ = {};
    }

    // What a process that starts now reads; all of it is durable.
    const std::vector<Record>& records() const { return records_; }
    std::size_t durableCount() const { return durable_; }
    // The number by which the present life calls the last durable record.
    RecordNumber durableNumber() const { return durable_ - life_base_; }
    void stopFaults() { faults_ = FaultPlan::none(); }

private:
    EventQueue& queue_;
    Rng& rng_;
    FaultCounts& counts_;
    FaultPlan faults_;
    std::vector<Record> records_;
    std::size_t durable_ = 0;
    std::size_t life_base_ = 0;
    Time busy_until_{};
};

} // namespace stoa::sim
