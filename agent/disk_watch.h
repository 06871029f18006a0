// Measures the sandboxes of tasks that asked for so much disk and no more, on a thread of its own, which may wait for the
// disk, and says which have grown larger. This kernel-independent way (Mesos's posix/disk) sees a growth only when it next
// looks, and a task that writes faster than that is stopped by the file system alone.
//
//   DiskWatch disk(std::chrono::seconds(15));
//   disk.watch(key, sandbox, limit);                     // again: another limit
//   poll(disk.eventFd()) … for (DiskWatch::Over& over : disk.take()) end(over.key, over.message);
//   disk.forget(key);
//
// Any thread may call anything; each is told once. What counts is blocks on the disk, of the sandbox's file system alone;
// a file with two names counts once.
#pragma once

#include "protocol/ids.h"
#include "protocol/unique_fd.h"
#include "protocol/units.h"

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace stoa::agent {

// What lies below `directory`. Looks at no more than kMostEntries: with more, what they have.
inline constexpr std::size_t kMostEntries = 1'000'000;
Bytes diskUsage(const std::filesystem::path& directory, std::size_t most_entries = kMostEntries);

class DiskWatch {
public:
    struct Over {
        TaskKey key;
        std::string message; // usage and limit, for people
    };

    explicit DiskWatch(Duration every);
    ~DiskWatch();
    DiskWatch(const DiskWatch&) = delete;
    DiskWatch& operator=(const DiskWatch&) = delete;

    void watch(const TaskKey& key, std::filesystem::path sandbox, Bytes limit);
    void forget(const TaskKey& key);

    // Readable until take() when something is over.
    int eventFd() const { return event_.get(); }
    std::vector<Over> take();

private:
    struct Watched {
        std::filesystem::path sandbox;
        Bytes limit{};
        bool told = false;
    };

    void run();
    std::optional<std::pair<TaskKey, Watched>> after(const std::optional<TaskKey>& key);

    const Duration every_;
    UniqueFd event_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::map<TaskKey, Watched> watched_;
    std::vector<Over> over_;
    std::thread thread_;
};

} // namespace stoa::agent
