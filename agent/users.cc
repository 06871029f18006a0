#include "agent/users.h"

#include "protocol/strings.h"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace stoa::agent {
namespace {

constexpr int kMostGroups = 64;
constexpr Duration kRemembered = std::chrono::seconds(10);
constexpr std::size_t kMostKnown = 10'000; // then all are forgotten, which costs a question each

std::optional<TaskUser> userNamed(const std::string& name) {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
        return std::nullopt;
    }
    TaskUser user{name, entry.pw_uid, entry.pw_gid, {}};
    int count = kMostGroups;
    user.groups.resize(kMostGroups);
    // A user in more of them gets the first ones, and -1 says so.
    const bool all = ::getgrouplist(name.c_str(), entry.pw_gid, user.groups.data(), &count) >= 0;
    if (all) user.groups.resize(static_cast<std::size_t>(count));
    std::erase(user.groups, entry.pw_gid);
    return user;
}

TaskUser ownUser() {
    std::vector<char> buffer(16384);
    passwd entry{};
    passwd* found = nullptr;
    const uid_t uid = ::geteuid();
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        return {entry.pw_name, uid, ::getegid(), {}};
    }
    return {concat(uid), uid, ::getegid(), {}};
}

} // namespace

Users::Users()
    : Users([](const std::string& name) { return name.empty() ? ownUser() : userNamed(name); },
            {"/etc/passwd", "/etc/group"}) {}

Users::Version Users::versionOf(const std::string& file) {
    struct stat info {};
    if (::stat(file.c_str(), &info) != 0) return {};
    return {static_cast<std::int64_t>(info.st_dev),
            static_cast<std::int64_t>(info.st_ino),
            info.st_size,
            info.st_mtim.tv_sec,
            info.st_mtim.tv_nsec,
            info.st_ctim.tv_sec,
            info.st_ctim.tv_nsec};
}

std::optional<TaskUser> Users::named(const std::string& name, Time now) {
    const std::array<Version, 2> versions = {versionOf(files_[0]), versionOf(files_[1])};
    if (versions != seen_ || known_.size() > kMostKnown) known_.clear();
    seen_ = versions;
    if (const auto known = known_.find(name); known != known_.end() && now < known->second.until) {
        return known->second.user;
    }
    std::optional<TaskUser> user = ask_(name);
    if (user) known_.insert_or_assign(name, Known{*user, now + kRemembered});
    return user;
}

} // namespace stoa::agent
