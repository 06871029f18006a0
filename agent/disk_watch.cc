#include "agent/disk_watch.h"

#include <absl/strings/str_format.h>

#include <fts.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <memory>
#include <set>
#include <utility>

namespace stoa::agent {
namespace {

constexpr std::int64_t kBlock = 512; // of stat(2), whatever the file system's is

std::string megabytes(Bytes bytes) { return absl::StrFormat("%.1f MB", static_cast<double>(bytes.count) / (1 << 20)); }

} // namespace

Bytes diskUsage(const std::filesystem::path& directory, std::size_t most_entries) {
    std::string path = directory;
    char* paths[] = {path.data(), nullptr};
    const std::unique_ptr<FTS, int (*)(FTS*)> walk(::fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr),
                                                   &::fts_close);
    Bytes used{0};
    std::set<ino_t> seen; // with several names
    std::size_t entries = 0;
    while (walk) {
        const FTSENT* entry = ::fts_read(walk.get());
        if (entry == nullptr || ++entries > most_entries) break;
        if (entry->fts_info == FTS_DP || entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR) continue;
        const struct stat& file = *entry->fts_statp;
        if (entry->fts_info != FTS_D && file.st_nlink > 1 && !seen.insert(file.st_ino).second) continue;
        used.count += static_cast<std::int64_t>(file.st_blocks) * kBlock;
    }
    return used;
}

DiskWatch::DiskWatch(Duration every)
    : every_(every), event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), thread_([this] { run(); }) {
    ::pthread_setname_np(thread_.native_handle(), "disk");
}

DiskWatch::~DiskWatch() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void DiskWatch::watch(const TaskKey& key, std::filesystem::path sandbox, Bytes limit) {
    const std::lock_guard lock(mutex_);
    watched_.insert_or_assign(key, Watched{std::move(sandbox), limit, false});
}

void DiskWatch::forget(const TaskKey& key) {
    const std::lock_guard lock(mutex_);
    watched_.erase(key);
    std::erase_if(over_, [&](const Over& over) { return over.key == key; });
}

std::vector<DiskWatch::Over> DiskWatch::take() {
    const std::lock_guard lock(mutex_);
    eventfd_t count = 0;
    ::eventfd_read(event_.get(), &count);
    return std::exchange(over_, {});
}

// The next to be looked at; with the lock held.
std::optional<std::pair<TaskKey, DiskWatch::Watched>> DiskWatch::after(const std::optional<TaskKey>& key) {
    auto next = key ? watched_.upper_bound(*key) : watched_.begin();
    while (next != watched_.end() && next->second.told) ++next;
    if (next == watched_.end()) return std::nullopt;
    return *next;
}

void DiskWatch::run() {
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, every_, [this] { return stopping_; })) {
        std::optional<TaskKey> last;
        while (!stopping_) {
            const auto next = after(last);
            if (!next) break;
            const auto& [key, looked_at] = *next;
            lock.unlock();
            const Bytes used = diskUsage(looked_at.sandbox);
            lock.lock();
            last = key;
            const auto found = watched_.find(key);
            if (found == watched_.end() || used.count <= found->second.limit.count) continue;
            found->second.told = true;
            over_.push_back({key, absl::StrFormat("disk usage %s exceeds the limit %s", megabytes(used),
                                                  megabytes(found->second.limit))});
            ::eventfd_write(event_.get(), 1);
        }
    }
}

} // namespace stoa::agent
