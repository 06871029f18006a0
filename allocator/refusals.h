// What was refused: pairs of a request and an agent that aren't looked at for a while. A refusal of a remainder ends
// early when the agent's free resources grow past what was refused; one of a demand's shape lasts, since the agent had
// more than that all along.
//
// Made so that a round in which everything is refused costs little: per request a bitmap of agents, to be ANDed with
// what is offerable. Behind it, a refusal is an entry of 16 bytes in a calendar of ends. What was refused is kept once
// for all requests that refused the same of an agent, in a mark; only marks are looked at when an agent's free
// resources grow. An entry whose refusal ended early stays until its time, or until such entries are the majority.
//
// Owned by Eligibility. Pure. Entries to one tick are in no meaningful order; nothing depends on it.
#pragma once

#include "allocator/bits.h"
#include "allocator/slots.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::allocator {

class Refusals {
public:
    // Ends are rounded up to this, so that few wake-ups end many refusals.
    static constexpr Duration kTick = std::chrono::milliseconds(10);

    // The request was offered `refused` on the agent, all that is free there, and doesn't want it.
    void refuse(Slot request, Slot agent, const Resources& refused, Time until) {
        add(request, agent, false, refused, until);
    }
    void refuseLasting(Slot request, Slot agent, Time until) { add(request, agent, true, Resources(), until); }
    void grew(Slot agent, const Resources& free);
    void forgetRequest(Slot request);
    void forgetAgent(Slot agent);
    // Ends what is due; calls ended(request) for each.
    template <class F>
    void expire(Time now, F ended) {
        while (!ends_.empty() && timeOf(ends_.begin()->first) <= now) {
            const std::uint32_t head = ends_.begin()->second;
            ends_.erase(ends_.begin());
            for (std::uint32_t at = head; at != kNoEntry;) {
                const Entry entry = take(at);
                at = entry.next;
                if (end(entry)) ended(entry.request);
            }
        }
    }

    // Agents that the request isn't to be offered.
    const Bits& of(Slot request) const { return request < refused_.size() ? refused_[request] : kNothing; }
    std::optional<Time> nextEnd() const;
    std::uint64_t count() const { return entries_ - dead_; }
    std::uint64_t bytes() const;
    std::string check() const; // empty, or the invariant that is broken

private:
    struct Entry {
        Slot request;
        Slot agent;
        std::uint32_t mark;
        std::uint32_t next; // in the same tick; among free entries
    };
    static_assert(sizeof(Entry) == 16);
    static constexpr std::uint32_t kNoEntry = UINT32_MAX;
    static constexpr std::uint32_t kChunk =
        4096; // entries are kept in chunks, so that growing copies and wastes little

    // What was refused of one agent, and who refused it.
    struct Mark {
        std::uint32_t id;
        bool lasting;
        Resources refused; // empty when lasting
        Bits requests;     // that still do
        Bits entered;      // of which an entry with this mark exists: they may not refuse with it once more, as that
                           // entry would end the later refusal too early
        std::uint32_t live = 0; // how many in `requests`
    };
    struct Marks {
        std::uint32_t next_id = 0; // never starts anew for a slot, so that old entries don't find new marks
        std::vector<Mark> list;
    };

    static Time timeOf(std::int64_t tick) { return Time(tick * kTick); }
    void add(Slot request, Slot agent, bool lasting, const Resources& refused, Time until);
    Entry& entry(std::uint32_t at) { return (*chunks_[at / kChunk])[at % kChunk]; }
    std::uint32_t put(const Entry& entry);
    Entry take(std::uint32_t at);
    bool end(const Entry& entry); // false when its refusal had ended already
    Mark* find(Slot agent, std::uint32_t id);
    void clearUnlessElsewhere(Slot request, Slot agent);
    void sweep();

    static const Bits kNothing;

    std::vector<Bits> refused_;                  // by request
    std::vector<Marks> marks_;                   // by agent
    std::map<std::int64_t, std::uint32_t> ends_; // tick -> first entry
    std::vector<std::unique_ptr<std::array<Entry, kChunk>>> chunks_;
    std::uint32_t used_ = 0; // entries ever used in chunks_
    std::uint32_t free_ = kNoEntry;
    std::uint64_t entries_ = 0;
    std::uint64_t dead_ = 0; // of them, those whose refusal ended early
};

} // namespace stoa::allocator
