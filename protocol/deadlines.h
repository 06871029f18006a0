// Which of many things is due next, for deadlines that mostly move back (a keepalive, a silence: later with every frame).
// Each slot has at most one entry, at or before its true deadline; one that moves back stays where it is, and who pops it
// looks whether it is really due and enters it again otherwise. So traffic costs the order almost nothing.
// Pure; owned by one thread.
#pragma once

#include "protocol/units.h"

#include <absl/container/btree_set.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace stoa {

class Deadlines {
public:
    using Slot = std::uint32_t; // small numbers, used again

    // `slot` will be popped at `at` or before.
    void lower(Slot slot, Time at) {
        if (slot >= entered_.size()) entered_.resize(slot + 1);
        std::optional<Time>& entered = entered_[slot];
        if (entered) {
            if (*entered <= at) return;
            order_.erase({*entered, slot});
        }
        entered = at;
        order_.insert({at, slot});
    }

    void cancel(Slot slot) {
        if (slot >= entered_.size() || !entered_[slot]) return;
        order_.erase({*entered_[slot], slot});
        entered_[slot].reset();
    }

    std::optional<Time> next() const {
        if (order_.empty()) return std::nullopt;
        return order_.begin()->first;
    }

    // A slot whose entry is due; call until there is none.
    std::optional<Slot> popDue(Time now) {
        if (order_.empty() || order_.begin()->first > now) return std::nullopt;
        const Slot slot = order_.begin()->second;
        order_.erase(order_.begin());
        entered_[slot].reset();
        return slot;
    }

private:
    std::vector<std::optional<Time>> entered_;
    absl::btree_set<std::pair<Time, Slot>> order_;
};

} // namespace stoa
