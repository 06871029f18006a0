// A heap of numbered contenders, the one with the smallest key first and the smaller number among equals, in which
// any contender's key can change. The built-in modules' one data structure; they own it. Not thread-safe.
// Source: an indexed binary heap, Sedgewick and Wayne, Algorithms, 4th edition, section 2.4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace stoa::allocator {

class Contenders {
public:
    bool empty() const { return heap_.empty(); }
    std::uint32_t first() const { return heap_[0].number; }
    std::uint64_t firstKey() const { return heap_[0].key; }
    // The smallest key but the first's; `otherwise` when there is one contender only.
    std::uint64_t secondKey(std::uint64_t otherwise) const {
        if (heap_.size() < 2) return otherwise;
        return heap_.size() > 2 && heap_[2].key < heap_[1].key ? heap_[2].key : heap_[1].key;
    }

    void clear() {
        for (const Entry& entry : heap_) places_[entry.number] = kAbsent;
        heap_.clear();
    }
    bool contains(std::uint32_t number) const { return number < places_.size() && places_[number] != kAbsent; }
    // Adds it, or changes its key.
    void set(std::uint32_t number, std::uint64_t key) {
        if (number >= places_.size()) places_.resize(number + 1, kAbsent);
        std::uint32_t place = places_[number];
        if (place == kAbsent) {
            place = static_cast<std::uint32_t>(heap_.size());
            heap_.push_back({key, number});
            places_[number] = place;
        }
        heap_[place].key = key;
        if (!up(place)) down(place);
    }
    void erase(std::uint32_t number) {
        if (!contains(number)) return;
        const std::uint32_t place = places_[number];
        places_[number] = kAbsent;
        const Entry last = heap_.back();
        heap_.pop_back();
        if (place == heap_.size()) return;
        put(place, last);
        if (!up(place)) down(place);
    }

private:
    static constexpr std::uint32_t kAbsent = UINT32_MAX;
    struct Entry {
        std::uint64_t key;
        std::uint32_t number;
        bool before(const Entry& other) const { return key != other.key ? key < other.key : number < other.number; }
    };

    void put(std::uint32_t place, Entry entry) {
        heap_[place] = entry;
        places_[entry.number] = place;
    }
    bool up(std::uint32_t place) {
        const Entry entry = heap_[place];
        const std::uint32_t start = place;
        while (place > 0 && entry.before(heap_[(place - 1) / 2])) {
            put(place, heap_[(place - 1) / 2]);
            place = (place - 1) / 2;
        }
        put(place, entry);
        return place != start;
    }
    void down(std::uint32_t place) {
        const Entry entry = heap_[place];
        for (std::uint32_t child = 2 * place + 1; child < heap_.size(); child = 2 * place + 1) {
            if (child + 1 < heap_.size() && heap_[child + 1].before(heap_[child])) ++child;
            if (!heap_[child].before(entry)) break;
            put(place, heap_[child]);
            place = child;
        }
        put(place, entry);
    }

    std::vector<Entry> heap_;
    std::vector<std::uint32_t> places_; // by number, where in heap_
};

} // namespace stoa::allocator
