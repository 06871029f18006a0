// The host's users as tasks need them: uid, gid and groups of a name. Asking the host costs some dozens of reads, or a round
// trip where there is a directory service, so an answer is remembered: until the files of users and groups change, and
// for ten seconds at most, since a service tells nobody of its changes. That a name is unknown is not remembered.
//
//   Users users;
//   if (const std::optional<TaskUser> user = users.named("alice", now)) …
//
// Owned by the agent's loop, used from its thread.
#pragma once

#include "protocol/units.h"

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stoa::agent {

struct TaskUser {
    std::string name;
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups{}; // supplementary, as this machine knows them
};

class Users {
public:
    // The empty name stands for the user that the agent runs as.
    using Ask = std::function<std::optional<TaskUser>(const std::string& name)>;
    using Files = std::array<std::string, 2>;

    Users();
    Users(Ask ask, Files files) : ask_(std::move(ask)), files_(std::move(files)) {}

    std::optional<TaskUser> named(const std::string& name, Time now);
    std::optional<TaskUser> own(Time now) { return named("", now); }

private:
    // What tells one version of a file from another: where it is, its size, its times. All 0: it is not there.
    using Version = std::array<std::int64_t, 7>;
    static Version versionOf(const std::string& file);

    struct Known {
        TaskUser user;
        Time until;
    };
    Ask ask_;
    Files files_;
    std::array<Version, 2> seen_{};
    std::map<std::string, Known> known_;
};

} // namespace stoa::agent
