#include "protocol/resources/resources.h"

#include "protocol/strings.h"

#include <algorithm>
#include <limits>

namespace stoa {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

// Appends to an ascending list, joining what touches.
void append(std::vector<Ranges::Interval>& list, const Ranges::Interval& interval) {
    if (!list.empty() && (list.back().last == kMost || interval.first <= list.back().last + 1)) {
        list.back().last = std::max(list.back().last, interval.last);
    } else {
        list.push_back(interval);
    }
}

bool startsBefore(const Ranges::Interval& a, const Ranges::Interval& b) { return a.first < b.first; }

} // namespace

absl::StatusOr<Ranges> Ranges::of(std::vector<Interval> intervals) {
    for (const Interval& interval : intervals) {
        if (interval.last < interval.first) {
            return invalid("\"", interval.first, "-", interval.last, "\" is not a range: it ends before it begins");
        }
    }
    std::sort(intervals.begin(), intervals.end(), startsBefore);
    Ranges ranges;
    for (const Interval& interval : intervals) append(ranges.intervals_, interval);
    return ranges;
}

std::uint64_t Ranges::size() const {
    std::uint64_t size = 0;
    for (const Interval& interval : intervals_) {
        const std::uint64_t less_one = interval.last - interval.first;
        if (less_one >= kMost - size) return kMost;
        size += less_one + 1;
    }
    return size;
}

bool Ranges::contains(const Ranges& other) const {
    auto mine = intervals_.begin();
    for (const Interval& wanted : other.intervals_) {
        while (mine != intervals_.end() && mine->last < wanted.first) ++mine;
        if (mine == intervals_.end() || wanted.first < mine->first || wanted.last > mine->last) return false;
    }
    return true;
}

bool Ranges::overlaps(const Ranges& other) const {
    auto mine = intervals_.begin();
    for (const Interval& theirs : other.intervals_) {
        while (mine != intervals_.end() && mine->last < theirs.first) ++mine;
        if (mine == intervals_.end()) return false;
        if (mine->first <= theirs.last) return true;
    }
    return false;
}

void Ranges::add(const Ranges& other) {
    if (other.empty()) return;
    std::vector<Interval> both;
    both.reserve(intervals_.size() + other.intervals_.size());
    std::merge(intervals_.begin(), intervals_.end(), other.intervals_.begin(), other.intervals_.end(),
               std::back_inserter(both), startsBefore);
    intervals_.clear();
    for (const Interval& interval : both) append(intervals_, interval);
}

void Ranges::subtract(const Ranges& other) {
    std::vector<Interval> left;
    auto cut = other.intervals_.begin();
    for (Interval mine : intervals_) {
        while (cut != other.intervals_.end() && cut->last < mine.first) ++cut;
        bool used_up = false;
        for (auto next = cut; next != other.intervals_.end() && next->first <= mine.last; ++next) {
            if (next->first > mine.first) left.push_back({mine.first, next->first - 1});
            if (next->last >= mine.last) {
                used_up = true;
                break;
            }
            mine.first = next->last + 1;
        }
        if (!used_up) left.push_back(mine);
    }
    intervals_ = std::move(left);
}

Ranges Ranges::lowest(std::uint64_t count) const {
    Ranges part;
    for (const Interval& interval : intervals_) {
        if (count == 0) break;
        const std::uint64_t less_one = interval.last - interval.first;
        if (less_one >= count) {
            part.intervals_.push_back({interval.first, interval.first + (count - 1)});
            break;
        }
        part.intervals_.push_back(interval);
        count -= less_one + 1;
    }
    return part;
}

} // namespace stoa
