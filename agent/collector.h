// Removes old sandboxes and uploads from time to time, on a thread of its own, which may wait for the disk.
//
//   Collector collector(options);
//   collector.keep(sandbox);       // its task is known; before it is made
//   collector.release(sandbox);    // from now on its age counts
//
// keep() and release() may be called from any thread and return at once.
#pragma once

#include "agent/sandboxes.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace stoa::agent {

class Collector {
public:
    struct Options {
        std::filesystem::path sandboxes;
        std::filesystem::path uploads;
        CollectPolicy policy;
        Duration upload_age = std::chrono::hours(24);
        Duration every = std::chrono::minutes(1);
    };

    explicit Collector(Options options);
    ~Collector();
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    // As Sandboxes::relative() names it.
    void keep(std::string sandbox);
    void release(const std::string& sandbox);
    std::uint64_t collected() const { return collected_; }

private:
    void run();

    const Options options_;
    std::atomic<std::uint64_t> collected_ = 0;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::set<std::string> live_;
    std::thread thread_;
};

} // namespace stoa::agent
