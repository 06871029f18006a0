// The network between nodes: frames take time, and under faults are dropped, duplicated, delayed, overtaken, or lost
// one way for as long as a partition lasts. Frames between two nodes otherwise keep their order, as TCP keeps it. What
// is on its way survives its sender and is lost with its receiver.
//
// Owned by the World; single-threaded.
#pragma once

#include "protocol/frame.h"
#include "protocol/rng.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace stoa::sim {

class Network {
public:
    // Called in the receiver's life, with the sender's name.
    using Receive = std::function<void(NodeId from, Frame)>;

    Network(EventQueue& queue, Rng& rng, FaultCounts& counts, FaultPlan faults)
        : queue_(queue), rng_(rng), counts_(counts), faults_(faults) {}

    void attach(NodeId node, Receive receive) {
        if (receivers_.size() <= node) receivers_.resize(node + 1);
        receivers_[node] = std::move(receive);
    }

    void send(NodeId from, NodeId to, Frame frame) {
        ++sent_;
        Link& link = links_[{from, to}];
        if (link.cut_until > queue_.now()) {
            ++counts_[static_cast<std::size_t>(Fault::kPartition)];
            return;
        }
        if (strikes(Fault::kDrop)) return;
        if (strikes(Fault::kDuplicate)) deliver(link, from, to, frame);
        deliver(link, from, to, std::move(frame));
    }

    void cut(NodeId from, NodeId to, Time until) { links_[{from, to}].cut_until = until; }
    void stopFaults() {
        faults_ = FaultPlan::none();
        for (auto& [ends, link] : links_) link.cut_until = {}; // each on its own: the order doesn't matter
    }
    std::uint64_t sent() const { return sent_; }

private:
    struct Link {
        Time last_arrival{};
        Time cut_until{};
    };

    bool strikes(Fault fault) {
        if (!rng_.chance(faults_.of(fault))) return false;
        ++counts_[static_cast<std::size_t>(fault)];
        return true;
    }

    void deliver(Link& link, NodeId from, NodeId to, Frame frame) {
        Duration wait = std::chrono::microseconds(20 + rng_.below(300));
        if (strikes(Fault::kDelay)) wait += std::chrono::milliseconds(rng_.below(8'000));
        Time at = queue_.now() + wait;
        if (!strikes(Fault::kReorder)) at = std::max(at, link.last_arrival);
        link.last_arrival = std::max(link.last_arrival, at);
        queue_.schedule(to, at - queue_.now(), [this, from, to, frame = std::move(frame)]() mutable {
            receivers_[to](from, std::move(frame));
        });
    }

    EventQueue& queue_;
    Rng& rng_;
    FaultCounts& counts_;
    FaultPlan faults_;
    std::uint64_t sent_ = 0;
    std::vector<Receive> receivers_;
    absl::flat_hash_map<std::pair<NodeId, NodeId>, Link> links_; // never iterated for a decision
};

} // namespace stoa::sim
