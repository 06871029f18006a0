#include "agent/sandboxes.h"

#include "protocol/strings.h"

#include <absl/strings/str_format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <system_error>

namespace stoa::agent {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLongestName = 200; // of the file system's 255, the rest for "~N"
constexpr int kMostMovedAside = 1000;

absl::Status failed(std::string_view what, const fs::path& path) {
    return absl::InternalError(concat("cannot ", what, " the sandbox ", path.string(), ": ", std::strerror(errno)));
}

// The newest change directly in the directory, which is what a task's output touches.
fs::file_time_type lastChange(const fs::path& directory) {
    std::error_code error;
    fs::file_time_type newest = fs::last_write_time(directory, error);
    if (error) return fs::file_time_type::max();
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        struct stat info {};
        if (::lstat(it->path().c_str(), &info) != 0 || S_ISLNK(info.st_mode)) continue;
        const fs::file_time_type changed = fs::last_write_time(it->path(), error);
        if (!error) newest = std::max(newest, changed);
        error.clear();
    }
    return newest;
}

bool old(fs::file_time_type changed, Duration allowed) {
    if (changed == fs::file_time_type::max()) return false;
    return fs::file_time_type::clock::now() - changed > allowed;
}

} // namespace

// FNV-1a, since names on disk must stay what they were.
std::string nameHash(std::string_view text) {
    std::uint64_t hash = 14695981039346656037u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return absl::StrFormat("%016x", hash);
}

std::string directoryName(std::string_view id) {
    std::string name;
    for (std::size_t i = 0; i < id.size(); ++i) {
        const char c = id[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
                           c == '-' || (c == '.' && i > 0);
        if (plain)
            name += c;
        else
            name += absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
    }
    if (name.empty()) return "%";
    if (name.size() <= kLongestName) return name;
    return concat(name.substr(0, kLongestName - 17), "%", nameHash(id));
}

std::string Sandboxes::relative(const TaskKey& key) {
    const std::string_view name = key.task.value();
    return concat(directoryName(key.framework.value()), "/", directoryName(name.substr(0, name.find('/'))));
}

fs::path Sandboxes::of(const TaskKey& key) const { return root_ / relative(key); }

absl::StatusOr<fs::path> Sandboxes::create(const TaskKey& key, uid_t uid, gid_t gid) const {
    const fs::path path = of(key);
    // The folders above are the agent's; others may pass through them to what is theirs.
    for (const fs::path& folder : {root_, path.parent_path()}) {
        if (::mkdir(folder.c_str(), 0711) == 0) {
            if (::chmod(folder.c_str(), 0711) != 0) return failed("open the folder of", path); // whatever the umask
        } else if (errno != EEXIST) {
            return failed("make the folder of", path);
        }
    }
    if (::mkdir(path.c_str(), 0700) != 0) {
        if (errno == ENOENT) return create(key, uid, gid); // the collector took the empty folder just now
        if (errno != EEXIST) return failed("make", path);
        bool moved = false;
        for (int i = 1; i <= kMostMovedAside && !moved; ++i) {
            const std::string aside = concat(path.string(), "~", i);
            moved = ::access(aside.c_str(), F_OK) != 0 && ::rename(path.c_str(), aside.c_str()) == 0;
        }
        if (!moved || ::mkdir(path.c_str(), 0700) != 0) return failed("replace", path);
    }
    const uid_t self = ::geteuid();
    if (::chmod(path.c_str(), 0700) != 0) return failed("close", path);
    if (self == 0 && ::chown(path.c_str(), uid, gid) != 0) return failed("give away", path);
    return path;
}

Duration allowedAge(const CollectPolicy& policy, double used) {
    const double share = std::clamp(1.0 - policy.headroom - used, 0.0, 1.0) / std::max(1e-9, 1.0 - policy.headroom);
    return Duration(static_cast<Duration::rep>(static_cast<double>(policy.age.count()) * share));
}

std::size_t collectSandboxes(const fs::path& root, const std::set<std::string>& live, Duration allowed) {
    std::size_t removed = 0;
    std::error_code error;
    for (fs::directory_iterator framework(root, error), end; !error && framework != end; framework.increment(error)) {
        if (!framework->is_directory(error)) continue;
        bool empty = true;
        std::error_code inner;
        for (fs::directory_iterator task(framework->path(), inner); !inner && task != end; task.increment(inner)) {
            const std::string name =
                concat(framework->path().filename().string(), "/", task->path().filename().string());
            if (live.contains(name) || !old(lastChange(task->path()), allowed)) {
                empty = false;
                continue;
            }
            std::error_code ignored;
            // Works on descriptors and follows no link (libstdc++ since CVE-2022-21658's fix).
            fs::remove_all(task->path(), ignored);
            if (!ignored) ++removed;
        }
        if (empty) ::rmdir(framework->path().c_str()); // a task that comes just now makes it again or keeps it
    }
    return removed;
}

std::size_t collectFiles(const fs::path& folder, Duration allowed) {
    std::size_t removed = 0;
    std::error_code error;
    for (fs::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
        std::error_code ignored;
        if (!old(fs::last_write_time(file->path(), ignored), allowed) || ignored) continue;
        if (::unlink(file->path().c_str()) == 0) ++removed;
    }
    return removed;
}

double diskUsed(const fs::path& path) {
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) != 0 || disk.f_blocks == 0) return 0;
    return 1.0 - static_cast<double>(disk.f_bavail) / static_cast<double>(disk.f_blocks);
}

} // namespace stoa::agent
