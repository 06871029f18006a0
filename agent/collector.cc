#include "agent/collector.h"

#include <pthread.h>

#include <utility>

namespace stoa::agent {

Collector::Collector(Options options) : options_(std::move(options)), thread_([this] { run(); }) {
    ::pthread_setname_np(thread_.native_handle(), "collector");
}

Collector::~Collector() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void Collector::keep(std::string sandbox) {
    const std::lock_guard lock(mutex_);
    live_.insert(std::move(sandbox));
}

void Collector::release(const std::string& sandbox) {
    const std::lock_guard lock(mutex_);
    live_.erase(sandbox);
}

void Collector::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, options_.every, [this] { return stopping_; })) {
        const std::set<std::string> live = live_;
        lock.unlock();
        // One that a task takes just now is young: an id used again gets a new directory.
        const Duration allowed = allowedAge(options_.policy, diskUsed(options_.sandboxes));
        collected_ += collectSandboxes(options_.sandboxes, live, allowed);
        collected_ += collectFiles(options_.uploads, options_.upload_age);
        lock.lock();
    }
}

} // namespace stoa::agent
