#include "master/doors/http_calls.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace stoa::master {

HttpCalls::HttpCalls() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool HttpCalls::put(HttpArrival& arrival, std::size_t bytes) {
    {
        std::lock_guard lock(mutex_);
        if (waiting_.size() >= kMostCalls || (!waiting_.empty() && bytes_ + bytes > kMostBytes)) return false;
        waiting_.push_back(std::move(arrival));
        bytes_ += bytes;
    }
    wake();
    return true;
}

void HttpCalls::putGone(HttpGone gone) {
    {
        std::lock_guard lock(mutex_);
        waiting_.emplace_back(std::move(gone));
    }
    wake();
}

std::vector<HttpArrival> HttpCalls::take() {
    std::uint64_t count = 0;
    [[maybe_unused]] ssize_t n = ::read(event_.get(), &count, sizeof count);
    std::vector<HttpArrival> arrivals;
    std::lock_guard lock(mutex_);
    arrivals.swap(waiting_);
    bytes_ = 0;
    return arrivals;
}

void HttpCalls::wake() {
    const std::uint64_t one = 1;
    // Only a full counter could refuse, and then the descriptor is readable as it should be.
    [[maybe_unused]] ssize_t n = ::write(event_.get(), &one, sizeof one);
}

} // namespace stoa::master
