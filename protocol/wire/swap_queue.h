// How two threads meet, such as a network thread and its owner: one side pushes, the other takes all at once and swaps. An
// event descriptor is readable from the first push until the take. The queue keeps count of its items and of their bytes;
// who fills it decides what gives at the bound. Any thread may call anything.
#pragma once

#include "protocol/unique_fd.h"

#include <sys/eventfd.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace stoa {

// An eventfd: raised or not.
class Signal {
public:
    Signal() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    int fd() const { return fd_.get(); }
    void raise() { ::eventfd_write(fd_.get(), 1); }
    void lower() {
        eventfd_t count = 0;
        ::eventfd_read(fd_.get(), &count);
    }

private:
    UniqueFd fd_;
};

template <class Item>
class SwapQueue {
public:
    int fd() const { return signal_.fd(); }

    void push(Item item, std::size_t bytes) {
        const std::lock_guard lock(mutex_);
        if (items_.empty()) signal_.raise();
        items_.push_back(std::move(item));
        bytes_ += bytes;
    }

    // Takes everything out of `items`.
    void pushAll(std::vector<Item>& items, std::size_t bytes) {
        if (items.empty()) return;
        const std::lock_guard lock(mutex_);
        if (items_.empty()) {
            signal_.raise();
            items_.swap(items);
        } else {
            items_.insert(items_.end(), std::make_move_iterator(items.begin()), std::make_move_iterator(items.end()));
        }
        items.clear();
        bytes_ += bytes;
    }

    // Readable until the next take(), though nothing is there to be taken.
    void ring() {
        const std::lock_guard lock(mutex_);
        rung_ = true;
        signal_.raise();
    }

    std::vector<Item> take() {
        const std::lock_guard lock(mutex_);
        if (std::exchange(rung_, false) || !items_.empty()) signal_.lower();
        bytes_ = 0;
        return std::exchange(items_, {});
    }

    bool atLeast(std::size_t count, std::size_t bytes) const {
        const std::lock_guard lock(mutex_);
        return items_.size() >= count || bytes_ >= bytes;
    }

private:
    mutable std::mutex mutex_;
    Signal signal_;
    std::vector<Item> items_;
    std::size_t bytes_ = 0;
    bool rung_ = false;
};

} // namespace stoa
