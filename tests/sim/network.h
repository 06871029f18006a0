// The network between nodes: frames take time, and under faults are dropped, duplicated, delayed, overtaken, or lost
// one way for as long as a partition lasts. Frames between two nodes otherwise keep their order, as TCP keeps it. What
// is on its way survives its sender and is lost with its receiver.
//
// A connection is one dialer's transport: a new life of its process has another, and so has a dialer that renews it; what
// is sent to the old one is lost. A restarted acceptor is found by the same connection, as ZeroMQ reconnects by itself.
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

struct Connection {
    NodeId dialer = 0;
    NodeId acceptor = 0;
    std::uint32_t life = 0;
    std::uint32_t transport = 0;
};

class Network {
public:
    // Called in the receiver's life.
    using Receive = std::function<void(const Connection&, Frame)>;

    Network(EventQueue& queue, Rng& rng, FaultCounts& counts, FaultPlan faults)
        : queue_(queue), rng_(rng), counts_(counts), faults_(faults) {}

    void attach(NodeId node, Receive receive) {
        if (receivers_.size() <= node) receivers_.resize(node + 1);
        receivers_[node] = std::move(receive);
    }

    void dialerSends(const Connection& connection, Frame frame) {
        send(connection, connection.dialer, connection.acceptor, std::move(frame));
    }
    void acceptorSends(const Connection& connection, Frame frame) {
        send(connection, connection.acceptor, connection.dialer, std::move(frame));
    }
    // The dialer's connection to the acceptor in its present life.
    Connection connectionOf(NodeId dialer, NodeId acceptor) const {
        const auto renewed = transports_.find({dialer, acceptor});
        return {dialer, acceptor, queue_.life(dialer), renewed == transports_.end() ? 0 : renewed->second};
    }
    void renewTransport(NodeId dialer, NodeId acceptor) { ++transports_[{dialer, acceptor}]; }

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

    void send(const Connection& connection, NodeId from, NodeId to, Frame frame) {
        ++sent_;
        Link& link = links_[{from, to}];
        if (link.cut_until > queue_.now()) {
            ++counts_[static_cast<std::size_t>(Fault::kPartition)];
            return;
        }
        if (strikes(Fault::kDrop)) return;
        if (strikes(Fault::kDuplicate)) deliver(link, connection, to, frame);
        deliver(link, connection, to, std::move(frame));
    }

    void deliver(Link& link, const Connection& connection, NodeId to, Frame frame) {
        Duration wait = std::chrono::microseconds(20 + rng_.below(300));
        if (strikes(Fault::kDelay)) wait += std::chrono::milliseconds(rng_.below(8'000));
        Time at = queue_.now() + wait;
        if (!strikes(Fault::kReorder)) at = std::max(at, link.last_arrival);
        link.last_arrival = std::max(link.last_arrival, at);
        queue_.schedule(to, at - queue_.now(), [this, connection, to, frame = std::move(frame)]() mutable {
            const Connection present = connectionOf(connection.dialer, connection.acceptor);
            const bool stands = present.life == connection.life && present.transport == connection.transport;
            if (to != connection.dialer || stands) receivers_[to](connection, std::move(frame));
        });
    }

    EventQueue& queue_;
    Rng& rng_;
    FaultCounts& counts_;
    FaultPlan faults_;
    std::uint64_t sent_ = 0;
    std::vector<Receive> receivers_;
    absl::flat_hash_map<std::pair<NodeId, NodeId>, std::uint32_t> transports_; // how often a dialer renewed it
    absl::flat_hash_map<std::pair<NodeId, NodeId>, Link> links_;               // never iterated for a decision
};

} // namespace stoa::sim
