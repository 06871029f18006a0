// Dense numbers for things that come and go, and lists threaded through them. A slot is used again after its owner has
// gone, the latest first, so which slot a thing gets depends only on what came and went before it. Plain containers;
// their owner sees to it that a slot is not used after remove().
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace stoa::allocator {

using Slot = std::uint32_t;
inline constexpr Slot kNoSlot = UINT32_MAX;

template <class T>
class Slots {
public:
    Slot add(T item) {
        if (free_.empty()) {
            items_.push_back(std::move(item));
            live_.push_back(true);
            return static_cast<Slot>(items_.size() - 1);
        }
        const Slot slot = free_.back();
        free_.pop_back();
        items_[slot] = std::move(item);
        live_[slot] = true;
        return slot;
    }
    void remove(Slot slot) {
        items_[slot] = T();
        live_[slot] = false;
        free_.push_back(slot);
    }
    bool live(Slot slot) const { return slot < live_.size() && live_[slot]; }
    T& operator[](Slot slot) { return items_[slot]; }
    const T& operator[](Slot slot) const { return items_[slot]; }
    Slot end() const { return static_cast<Slot>(items_.size()); } // one past the highest ever used
    std::size_t count() const { return items_.size() - free_.size(); }
    const std::vector<T>& items() const { return items_; }

    template <class F>
    void forEach(F visit) const {
        for (Slot slot = 0; slot < end(); ++slot) {
            if (live_[slot]) visit(slot, items_[slot]);
        }
    }

private:
    std::vector<T> items_;
    std::vector<bool> live_;
    std::vector<Slot> free_;
};

// A slot's neighbours in one list; a thing has one Links for each list that it can be in.
struct Links {
    Slot before = kNoSlot;
    Slot after = kNoSlot;
};

// A list in the order of insertion. `links` is the member of T that this list threads through.
template <class T, Links T::*links>
class SlotList {
public:
    Slot first() const { return first_; }
    Slot last() const { return last_; }
    static Slot after(const Slots<T>& slots, Slot slot) { return (slots[slot].*links).after; }
    static Slot before(const Slots<T>& slots, Slot slot) { return (slots[slot].*links).before; }

    void push(Slots<T>& slots, Slot slot) {
        slots[slot].*links = {last_, kNoSlot};
        (last_ == kNoSlot ? first_ : (slots[last_].*links).after) = slot;
        last_ = slot;
    }
    void erase(Slots<T>& slots, Slot slot) {
        const Links at = slots[slot].*links;
        (at.before == kNoSlot ? first_ : (slots[at.before].*links).after) = at.after;
        (at.after == kNoSlot ? last_ : (slots[at.after].*links).before) = at.before;
        slots[slot].*links = {};
    }

private:
    Slot first_ = kNoSlot;
    Slot last_ = kNoSlot;
};

} // namespace stoa::allocator
