// DueTimes in the order in which they fall due, each of one thing known by its number: two things that fall due at
// the same instant are seen to in the order of their numbers, so that every run is the same. O(log n) to set and to
// take back. Owned by the table whose things they belong to.
#pragma once

#include "protocol/units.h"

#include <cstdint>
#include <optional>
#include <set>
#include <utility>

namespace stoa::master {

class DueTimes {
public:
    void set(Time at, std::uint64_t number) { due_.emplace(at, number); }
    void unset(Time at, std::uint64_t number) { due_.erase({at, number}); }
    std::optional<Time> next() const {
        if (due_.empty()) return std::nullopt;
        return due_.begin()->first;
    }
    // The number of the first thing due at `now`; it stays until unset().
    std::optional<std::uint64_t> firstDue(Time now) const {
        if (due_.empty() || due_.begin()->first > now) return std::nullopt;
        return due_.begin()->second;
    }
    bool contains(Time at, std::uint64_t number) const { return due_.contains({at, number}); }
    std::size_t size() const { return due_.size(); }

private:
    std::set<std::pair<Time, std::uint64_t>> due_;
};

} // namespace stoa::master
