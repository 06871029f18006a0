#include "agent/follower.h"

#include "protocol/http/files.h"
#include "protocol/strings.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace stoa::agent {
namespace {

// While a file isn't there yet, a reader is slow, or the kernel gives no watch: looked at so often.
constexpr int kLookAgainMillis = 20;

} // namespace

Follower::Follower(std::filesystem::path root)
    : root_(std::move(root)), inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {
    ::pthread_setname_np(thread_.native_handle(), "follower");
}

Follower::~Follower() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake();
    thread_.join();
}

void Follower::wake() { ::eventfd_write(event_.get(), 1); }

bool Follower::follow(std::string sandbox, std::string file, std::uint64_t offset, bool live, http::Stream stream) {
    std::uint64_t id = 0;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_ || count_ >= kMostStreams) return false;
        ++count_;
        id = next_id_++;
        Followed one;
        one.id = id;
        one.sandbox = std::move(sandbox);
        one.file = std::move(file);
        one.offset = offset;
        one.live = live;
        one.stream = stream;
        new_.push_back(std::move(one));
    }
    wake();
    // A reader that leaves while nothing is written is noticed all the same. The server, and with it every stream, ends
    // before this object does.
    stream.onEnd([this, id](const std::string&) {
        {
            const std::lock_guard lock(mutex_);
            gone_.push_back(id);
        }
        wake();
    });
    return true;
}

void Follower::ended(const std::string& sandbox) {
    {
        const std::lock_guard lock(mutex_);
        if (count_ == 0) return;
        ended_.push_back(sandbox);
    }
    wake();
}

void Follower::takeNews() {
    std::vector<std::string> ended;
    std::vector<std::uint64_t> gone;
    {
        const std::lock_guard lock(mutex_);
        for (Followed& one : new_) followed_.push_back(std::move(one));
        new_.clear();
        ended.swap(ended_);
        gone.swap(gone_);
    }
    for (Followed& one : followed_) {
        if (std::find(ended.begin(), ended.end(), one.sandbox) != ended.end()) one.live = false;
    }
    std::sort(gone.begin(), gone.end());
    std::size_t dropped = 0;
    for (auto it = followed_.begin(); it != followed_.end();) {
        if (std::binary_search(gone.begin(), gone.end(), it->id)) {
            dropWatch(*it);
            it = followed_.erase(it);
            ++dropped;
        } else {
            ++it;
        }
    }
    const std::lock_guard lock(mutex_);
    count_ -= dropped;
}

void Follower::run() {
    bool look_again = false;
    for (;;) {
        pollfd ready[] = {{event_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}};
        ::poll(ready, 2, look_again ? kLookAgainMillis : -1);
        eventfd_t ignored = 0;
        ::eventfd_read(event_.get(), &ignored);
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) break;
        }
        // Which file has grown is found by reading: there are few, and a read of nothing costs less than a table.
        alignas(inotify_event) char events[4096];
        while (::read(inotify_.get(), events, sizeof events) > 0) {}
        takeNews();
        look_again = false;
        for (auto it = followed_.begin(); it != followed_.end();) {
            switch (advance(*it)) {
            case Progress::kOver: {
                dropWatch(*it);
                it = followed_.erase(it);
                const std::lock_guard lock(mutex_);
                --count_;
                continue;
            }
            case Progress::kWaitsForFile:
            case Progress::kWaitsForReader: look_again = true; break;
            case Progress::kWaitsForWriter: look_again = look_again || it->watch < 0; break;
            }
            ++it;
        }
    }
    for (Followed& one : followed_) one.stream.end();
}

bool Follower::open(Followed& one) {
    if (one.fd) return true;
    auto opened = http::openBelow(root_, concat(one.sandbox, "/", one.file));
    if (!opened.ok() || opened->directory) return false;
    one.fd = std::move(opened->fd);
    one.watch = ::inotify_add_watch(inotify_.get(), concat("/proc/self/fd/", one.fd.get()).c_str(), IN_MODIFY);
    if (one.watch >= 0) ++watches_[one.watch];
    return true;
}

void Follower::dropWatch(Followed& one) {
    if (one.watch < 0) return;
    const auto found = watches_.find(one.watch);
    if (--found->second == 0) {
        ::inotify_rm_watch(inotify_.get(), one.watch);
        watches_.erase(found);
    }
    one.watch = -1;
}

Follower::Progress Follower::advance(Followed& one) {
    // Asked before the file is read: what was written before the end was told is there now.
    const bool last = !one.live;
    if (!open(one)) {
        if (!last) return Progress::kWaitsForFile;
        one.stream.end();
        return Progress::kOver;
    }
    struct stat info {};
    // Shorter than what was sent: it was rotated, and what it holds is new.
    if (::fstat(one.fd.get(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) < one.offset) one.offset = 0;
    for (;;) {
        if (one.stream.queued() >= kMostQueuedBytes) return Progress::kWaitsForReader;
        std::string piece(kPieceBytes, '\0');
        const ssize_t got = ::pread(one.fd.get(), piece.data(), piece.size(), static_cast<off_t>(one.offset));
        if (got <= 0) break;
        piece.resize(static_cast<std::size_t>(got));
        one.offset += static_cast<std::uint64_t>(got);
        if (!one.stream.write(std::move(piece))) return Progress::kOver;
    }
    if (!last) return Progress::kWaitsForWriter;
    one.stream.end();
    return Progress::kOver;
}

} // namespace stoa::agent
