// Output commit: nothing is revealed before it is durable. A core's step() appends records to a store and emits
// effects; each effect names the newest record that it depends on. This queue holds an effect back until the store
// has made that record durable, and keeps the order of effects to one destination: a later effect never overtakes
// an earlier one to the same place, even if it depends on nothing.
//
// Pure; owned by the daemon's state thread (or the simulator) beside the core. After a failed write nothing more is
// released: the owner ends its process or its leadership, since the core's memory already believes the write.
// Source: Elnozahy et al., "A survey of rollback-recovery protocols", ACM Computing Surveys 34(3), 2002, section 2.4.
#pragma once

#include <absl/container/flat_hash_map.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

namespace stoa {

// Records are numbered from 1 in the order in which they are appended; 0 is before them all.
using RecordNumber = std::uint64_t;

// Where order matters: a peer, the read model, the launcher. The owner chooses the numbers.
using Destination = std::uint64_t;

template <class Effect>
class OutputCommit {
public:
    void add(Destination to, Effect effect, RecordNumber waits_for) {
        auto held = held_.find(to);
        if (held == held_.end()) {
            if (waits_for <= durable_) {
                released_.push_back(std::move(effect));
                return;
            }
            held = held_.emplace(to, std::deque<Held>()).first;
            waiting_[waits_for].push_back(to);
        }
        held->second.push_back({std::move(effect), waits_for});
        ++held_count_;
    }

    // Every record up to and including `number` is durable.
    void durable(RecordNumber number) {
        if (number <= durable_) return;
        durable_ = number;
        while (!waiting_.empty() && waiting_.begin()->first <= durable_) {
            std::vector<Destination> due = std::move(waiting_.begin()->second);
            waiting_.erase(waiting_.begin());
            for (Destination to : due) release(to);
        }
    }

    // What may be carried out now, in order.
    std::vector<Effect> take() { return std::exchange(released_, {}); }

    RecordNumber durableUpTo() const { return durable_; }
    std::size_t heldCount() const { return held_count_; }

private:
    struct Held {
        Effect effect;
        RecordNumber waits_for;
    };

    // Releases from the front of one destination's queue; what then stands first names the record waited for.
    void release(Destination to) {
        auto held = held_.find(to);
        std::deque<Held>& queue = held->second;
        while (!queue.empty() && queue.front().waits_for <= durable_) {
            released_.push_back(std::move(queue.front().effect));
            queue.pop_front();
            --held_count_;
        }
        if (queue.empty()) {
            held_.erase(held);
        } else {
            waiting_[queue.front().waits_for].push_back(to);
        }
    }

    RecordNumber durable_ = 0;
    std::size_t held_count_ = 0;
    std::vector<Effect> released_;
    absl::flat_hash_map<Destination, std::deque<Held>> held_;  // only destinations with something held
    std::map<RecordNumber, std::vector<Destination>> waiting_; // by the record that a queue's first effect needs
};

} // namespace stoa
