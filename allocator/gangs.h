// Which gangs wait for room, since when, and for which one of them room is being cleared.
//
// A gang takes whole what it needs in one turn, and holds nothing while it waits, so gangs never wait for each other's
// halves. What small demands take piece by piece, though, a large gang might never find together. So the gang that has
// waited longest, once its patience has ended, has room cleared for it: on some agents, nothing new is offered to
// anybody else until the gang is placed or the clearing's time is up. There is one clearing at a time in the whole
// cluster. A gang whose clearing did not help goes to the end of the line; its next one is on twice as many agents for
// twice as long, at last on every agent that could ever take a piece: what ends within that time, ends in its favour,
// and what never ends, such as a service, holds up the others no longer than that.
//
// Owned by Eligibility, which chooses the agents. Pure; requests and agents are slots.
#pragma once

#include "allocator/bits.h"
#include "allocator/slots.h"
#include "protocol/units.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace stoa::allocator {

class Gangs {
public:
    struct Limits {
        Duration patience{0}; // 0: room is never cleared
        Duration clearing{0}; // how long the first one of a gang lasts
    };
    struct Clearing {
        Slot request = kNoSlot;
        Bits agents;
        Time until;
    };

    explicit Gangs(Limits limits) : limits_(limits) {}

    // It could not be placed. It keeps its place in the line if it is in it.
    void waits(Slot request, Time now) {
        if (limits_.patience <= Duration::zero() || waiting_.contains(request)) return;
        enter(request, Waiting{now, now + limits_.patience, 0});
    }
    // It is placed, or wants nothing any more.
    void forget(Slot request) {
        const auto at = waiting_.find(request);
        if (at == waiting_.end()) return;
        line_.erase({at->second.due, request});
        waiting_.erase(at);
    }
    std::optional<Time> waitsSince(Slot request) const {
        const auto at = waiting_.find(request);
        return at == waiting_.end() ? std::nullopt : std::optional(at->second.since);
    }

    // For which room is to be cleared now; none while a clearing goes on.
    std::optional<Slot> due(Time now) const {
        if (clearing_ || line_.empty() || line_.begin()->first > now) return std::nullopt;
        return line_.begin()->second;
    }
    // How many times the gang's pieces are to find room on the agents that are cleared.
    std::uint32_t times(Slot request) const { return 1U << waiting_.at(request).clearings; }
    void clear(Slot request, Bits agents, Time now) {
        clearing_ = Clearing{request, std::move(agents), now + limits_.clearing * times(request)};
    }
    // Nothing can be cleared for it, or it did not help: to the end of the line.
    void again(Slot request, Time now, bool was_cleared) {
        Waiting waiting = waiting_.at(request);
        forget(request);
        waiting.due = now + limits_.patience;
        if (was_cleared) waiting.clearings = std::min(waiting.clearings + 1, kMostDoublings);
        enter(request, waiting);
    }
    const std::optional<Clearing>& clearing() const { return clearing_; }
    void endClearing() { clearing_.reset(); }
    void forgetAgent(Slot agent) {
        if (clearing_) clearing_->agents.reset(agent);
    }

    std::optional<Time> nextDeadline() const {
        if (clearing_) return clearing_->until;
        return line_.empty() ? std::nullopt : std::optional(line_.begin()->first);
    }
    // Whether a line of so many, each wanting, is what it should be.
    bool contains(Slot request) const { return waiting_.contains(request); }
    std::size_t count() const { return waiting_.size(); }

private:
    // A minute becomes seventeen hours.
    static constexpr std::uint32_t kMostDoublings = 10;
    struct Waiting {
        Time since;
        Time due; // when its patience ends
        std::uint32_t clearings = 0;
    };
    void enter(Slot request, Waiting waiting) {
        waiting_.emplace(request, waiting);
        line_.emplace(waiting.due, request);
    }

    Limits limits_;
    std::map<Slot, Waiting> waiting_;
    std::set<std::pair<Time, Slot>> line_; // by due time
    std::optional<Clearing> clearing_;
};

} // namespace stoa::allocator
