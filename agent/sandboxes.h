// Where tasks keep their files: a directory each, <root>/<framework>/<task>, owned by the task's user and closed to
// others. It outlives its task, so that its output can be read, and is collected when it has grown old, sooner when
// the disk gets short (as in Mesos: the age allowed shrinks as the disk fills).
//
//   Sandboxes sandboxes(work_dir / "sandboxes");
//   absl::StatusOr<std::filesystem::path> sandbox = sandboxes.create(key, uid, gid);
//   collectSandboxes(root, live, policy);     // from time to time, on a thread that may wait for the disk
//
// create() belongs to the agent's loop; the functions are without state and usable from any thread.
#pragma once

#include "protocol/ids.h"
#include "protocol/units.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>

namespace stoa::agent {

// An id as the name of one directory: what isn't a letter, a digit or one of "_.-" is escaped, a long one cut and
// made unique by a hash. Two ids never get one name.
std::string directoryName(std::string_view id);

// Sixteen hexadecimal digits, the same for the same text in every build.
std::string nameHash(std::string_view text);

class Sandboxes {
public:
    explicit Sandboxes(std::filesystem::path root) : root_(std::move(root)) {}

    const std::filesystem::path& root() const { return root_; }
    std::filesystem::path of(const TaskKey& key) const;
    // "<framework>/<task>", below root(); "<framework>/<executor>" for the key of an executor's container, whatever its
    // run (core/executors.h).
    static std::string relative(const TaskKey& key);
    // A new and empty one. One of an earlier task with the same id moves aside, to "<task>~1" and so on.
    absl::StatusOr<std::filesystem::path> create(const TaskKey& key, uid_t uid, gid_t gid) const;

private:
    std::filesystem::path root_;
};

struct CollectPolicy {
    Duration age = std::chrono::hours(24 * 7); // allowed on an empty disk, counted from the last change
    double headroom = 0.1; // of the disk: when only so much is free, nothing that has ended may stay
};

// The age that is allowed when `used` (0 to 1) of the disk is.
Duration allowedAge(const CollectPolicy& policy, double used);

// Removes the sandboxes that aren't in `live` (as Sandboxes::relative() names them) and are older than allowed. Gives
// how many; what can't be removed is left for the next time.
std::size_t collectSandboxes(const std::filesystem::path& root, const std::set<std::string>& live, Duration allowed);
// Files directly in `folder` that are older.
std::size_t collectFiles(const std::filesystem::path& folder, Duration allowed);
// Of the file system with `path`; 0 when it can't be told.
double diskUsed(const std::filesystem::path& path);

} // namespace stoa::agent
