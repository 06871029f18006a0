// Virtual time: a queue of what will happen, ordered by time and then by the order of scheduling, so that a run is the
// same on every machine. What is scheduled belongs to one life of one node: it is dropped when that life has ended
// (a crash), and held until the end of a pause while the node is paused (SIGSTOP, a stalled virtual machine).
//
// Owned by the World; single-threaded; nothing here draws chance or reads a clock.
#pragma once

#include "protocol/units.h"

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

namespace stoa::sim {

using NodeId = std::uint32_t;

class EventQueue {
public:
    using Action = std::function<void()>;

    Time now() const { return now_; }
    std::uint64_t processed() const { return processed_; }

    // Nodes are numbered from 0; a new node is alive.
    NodeId addNode() {
        nodes_.push_back({});
        return static_cast<NodeId>(nodes_.size() - 1);
    }
    // Ends the node's life: everything scheduled for it is gone. Scheduling for it goes on in the next life.
    void crash(NodeId node) {
        ++nodes_[node].life;
        nodes_[node].paused_until = {};
    }
    // How often the node has crashed.
    std::uint32_t life(NodeId node) const { return nodes_[node].life; }
    void pause(NodeId node, Time until) { nodes_[node].paused_until = until; }
    bool paused(NodeId node) const { return nodes_[node].paused_until > now_; }

    void schedule(NodeId node, Duration in, Action action) {
        entries_.push({now_ + in, next_order_++, node, nodes_[node].life, std::move(action)});
    }
    // For what happens whoever lives: the network, the plan of faults, the checker.
    void scheduleWorld(Duration in, Action action) {
        entries_.push({now_ + in, next_order_++, kWorld, 0, std::move(action)});
    }

    // Runs the next action; false when none is left before `end`, and the time is then `end`.
    bool runOne(Time end) {
        while (!entries_.empty() && entries_.top().at <= end) {
            // The queue gives only const access to its top; the entry is removed before anything else looks at it.
            Entry entry = std::move(const_cast<Entry&>(entries_.top()));
            entries_.pop();
            if (entry.node != kWorld) {
                const Node& node = nodes_[entry.node];
                if (node.life != entry.life) continue;
                if (node.paused_until > entry.at) {
                    entry.at = node.paused_until;
                    entries_.push(std::move(entry));
                    continue;
                }
            }
            now_ = entry.at;
            ++processed_;
            entry.action();
            return true;
        }
        now_ = end;
        return false;
    }

private:
    static constexpr NodeId kWorld = ~NodeId{0};

    struct Node {
        std::uint32_t life = 0;
        Time paused_until{};
    };
    struct Entry {
        Time at;
        std::uint64_t order = 0;
        NodeId node = 0;
        std::uint32_t life = 0;
        Action action;
    };
    struct Later {
        bool operator()(const Entry& a, const Entry& b) const { return a.at != b.at ? a.at > b.at : a.order > b.order; }
    };

    Time now_{};
    std::uint64_t next_order_ = 0;
    std::uint64_t processed_ = 0;
    std::vector<Node> nodes_;
    std::priority_queue<Entry, std::vector<Entry>, Later> entries_;
};

} // namespace stoa::sim
