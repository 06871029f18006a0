#include "agent/containers/host_paths.h"

#include <errno.h>
#include <fcntl.h>
#include <glog/logging.h>
#include <grp.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/containers/fd.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

bool isUnder(const fs::path& path, const fs::path& directory) {
    return std::mismatch(directory.begin(), directory.end(), path.begin(), path.end()).first == directory.end();
}

bool isUnderAny(const fs::path& canonical, const std::vector<std::string>& roots) {
    return std::any_of(roots.begin(), roots.end(), [&](const std::string& root) {
        std::error_code missing;
        const fs::path allowed_root = fs::canonical(root, missing);
        return !missing && isUnder(canonical, allowed_root);
    });
}

// Not through a link that somebody has put there meanwhile: then ELOOP.
Fd openAsItIs(const std::string& canonical) {
    open_how how = {};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    return Fd(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, canonical.c_str(), &how, sizeof how)));
}

absl::StatusOr<HostPath> seen(const std::string& canonical, const Fd& found) {
    struct stat info {};
    struct statvfs mount {};
    if (fstat(found.get(), &info) != 0 || fstatvfs(found.get(), &mount) != 0)
        return absl::ErrnoToStatus(errno, canonical);
    return HostPath{canonical, info.st_dev, info.st_ino, (mount.f_flag & ST_RDONLY) != 0};
}

std::string userName(uid_t uid) {
    std::vector<char> buffer(16384);
    passwd entry = {};
    passwd* found = nullptr;
    const bool known = getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    return known ? entry.pw_name : absl::StrCat("user ", uid);
}

// While it lives, this thread looks at files with the task's user, group and groups; then it is itself again.
class AsUser {
public:
    explicit AsUser(const ContainerSpec& spec) : changes_(geteuid() == 0 && spec.uid != 0) {
        if (!changes_) return;
        own_.resize(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
        CHECK_EQ(getgroups(static_cast<int>(own_.size()), own_.data()), static_cast<int>(own_.size()));
        // The system call itself, which is for one thread; the library's function is for all.
        CHECK_EQ(syscall(SYS_setgroups, spec.groups.size(), spec.groups.data()), 0);
        setfsgid(spec.gid);
        setfsuid(spec.uid);
    }
    AsUser(const AsUser&) = delete;
    AsUser& operator=(const AsUser&) = delete;
    ~AsUser() {
        if (!changes_) return;
        setfsuid(0);
        setfsgid(getegid());
        CHECK_EQ(syscall(SYS_setgroups, own_.size(), own_.data()), 0);
    }

private:
    const bool changes_;
    std::vector<gid_t> own_;
};

} // namespace

absl::StatusOr<HostPath> resolveWorkDirectory(const ContainerSpec& spec, const std::vector<std::string>& roots) {
    const std::string& path = spec.work_directory;
    if (path.empty()) return HostPath{};
    std::error_code error;
    const fs::path canonical = fs::canonical(path, error);
    if (error || !fs::is_directory(canonical, error)) {
        return absl::NotFoundError(
            absl::StrCat("work directory ", path, ": ", error ? error.message() : "is no directory", " on this agent"));
    }
    if (!isUnderAny(canonical, roots)) {
        return absl::PermissionDeniedError(
            absl::StrCat("work directory ", path, ": this agent allows only those below ",
                         roots.empty() ? "none" : absl::StrJoin(roots, ", "), " (--allowed_work_directories)"));
    }
    // A runtime enters it as root, and so past a closed door on the way there.
    Fd found, entered;
    int why = 0;
    {
        const AsUser user(spec);
        found = openAsItIs(canonical);
        if (found) entered = Fd(openat(found.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
        why = errno;
    }
    if (entered) return seen(canonical, found);
    return absl::PermissionDeniedError(absl::StrCat("work directory ", canonical.string(), ": the task runs as ",
                                                    userName(spec.uid), ", who may not enter it: ", strerror(why),
                                                    "; choose another (--chdir) or none (--sandbox)"));
}

absl::StatusOr<std::vector<HostPath>> resolveWritable(const ContainerSpec& spec,
                                                      const std::vector<std::string>& roots) {
    std::vector<HostPath> resolved;
    for (const std::string& path : spec.writable_paths) {
        std::error_code error;
        const fs::path canonical = fs::canonical(path, error);
        if (error) return absl::InvalidArgumentError(absl::StrCat("writable path ", path, ": ", error.message()));
        if (!isUnderAny(canonical, roots))
            return absl::PermissionDeniedError(
                absl::StrCat("writable path ", path, " is under none that this agent allows"));
        const Fd found = openAsItIs(canonical);
        if (!found) return absl::InvalidArgumentError(absl::StrCat("writable path ", path, ": ", strerror(errno)));
        absl::StatusOr<HostPath> one = seen(canonical, found);
        if (!one.ok()) return one.status();
        resolved.push_back(*std::move(one));
    }
    // A directory comes right before what lies in it.
    const auto parts = [](const HostPath& one) { return fs::path(one.path); };
    std::sort(resolved.begin(), resolved.end(), [&](const auto& a, const auto& b) { return parts(a) < parts(b); });
    std::vector<HostPath> outermost;
    for (HostPath& one : resolved)
        if (outermost.empty() || !isUnder(one.path, outermost.back().path)) outermost.push_back(std::move(one));
    return outermost;
}

std::string mountToCheck(const HostPath& path) {
    return absl::StrCat(path.device, " ", path.inode, " ", path.read_only ? 1 : 0, " ", path.path);
}

} // namespace stoa::agent
