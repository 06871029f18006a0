// Sends a growing file to whoever watches it: a task's output, from an offset on, as it is written, until the task has
// ended and all was sent. Woken by inotify, so that a line arrives when it is written; a reader that is slow is waited
// for, and costs the others nothing.
//
//   Follower follower(sandboxes_root);
//   follower.follow("<framework>/<task>", "stdout", offset, live, stream);
//   follower.ended("<framework>/<task>");            // nothing more will be written
//
// Runs a thread of its own. Every function may be called from any thread and returns at once.
#pragma once

#include "protocol/http/server.h"
#include "protocol/unique_fd.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace stoa::agent {

class Follower {
public:
    static constexpr std::size_t kMostStreams = 1000; // beyond, a watcher is told so and sent away
    static constexpr std::size_t kPieceBytes = std::size_t{256} << 10;
    static constexpr std::size_t kMostQueuedBytes = std::size_t{1} << 20; // of one reader, before it is waited for

    explicit Follower(std::filesystem::path root);
    ~Follower(); // ends the streams
    Follower(const Follower&) = delete;
    Follower& operator=(const Follower&) = delete;

    // `live`: more may be written, so the file (which may not be there yet) is watched until ended(). False, and the
    // stream is left alone, when there are too many.
    bool follow(std::string sandbox, std::string file, std::uint64_t offset, bool live, http::Stream stream);
    void ended(const std::string& sandbox);

private:
    struct Followed {
        std::uint64_t id = 0;
        std::string sandbox;
        std::string file;
        std::uint64_t offset = 0;
        bool live = false;
        http::Stream stream;
        UniqueFd fd;
        int watch = -1;
    };
    enum class Progress : std::uint8_t { kOver, kWaitsForFile, kWaitsForReader, kWaitsForWriter };

    void run();
    void takeNews();
    Progress advance(Followed& one);
    bool open(Followed& one);
    void dropWatch(Followed& one);
    void wake();

    const std::filesystem::path root_;
    UniqueFd inotify_;
    UniqueFd event_;

    std::mutex mutex_; // of what follows
    bool stopping_ = false;
    std::size_t count_ = 0; // with those in new_
    std::uint64_t next_id_ = 1;
    std::vector<Followed> new_;
    std::vector<std::string> ended_;
    std::vector<std::uint64_t> gone_; // their readers are

    // The thread's own. Watches of one file are one watch of the kernel.
    std::list<Followed> followed_;
    std::map<int, std::size_t> watches_;
    std::thread thread_;
};

} // namespace stoa::agent
