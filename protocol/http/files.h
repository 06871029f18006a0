// Files under a root directory, served to whoever asks for a path below it: sandboxes, outputs. Every open stays
// beneath the root, whatever "..", symbolic link or mount a task has put there (openat2(2), RESOLVE_BENEATH), and never
// waits on a FIFO or touches a device.
// Functions without state, usable from any thread; they read directories and open files, nothing else.
#pragma once

#include "protocol/http/message.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <vector>

namespace stoa::http {

struct OpenedFile {
    UniqueFd fd;
    std::uint64_t size = 0;
    bool directory = false;
};

// Opens a regular file or a directory for reading. NotFound, or PermissionDenied for what leads out of the root or is
// neither.
absl::StatusOr<OpenedFile> openBelow(const std::filesystem::path& root, std::string_view relative);
// Creates (or truncates) a regular file for writing, its directories with it. AlreadyExists when a directory is there.
absl::StatusOr<UniqueFd> createBelow(const std::filesystem::path& root, std::string_view relative, mode_t mode);

struct DirectoryEntry {
    std::string name;
    mode_t mode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime = 0; // seconds since 1970
    uid_t uid = 0;
    gid_t gid = 0;
    nlink_t links = 0;
};
// By name. At most `limit` entries; `truncated` says that there are more.
struct Listing {
    std::vector<DirectoryEntry> entries;
    bool truncated = false;
};
absl::StatusOr<Listing> listBelow(const std::filesystem::path& root, std::string_view relative,
                                  std::size_t limit = 10'000);

// The file (or the part that a Range header asks for) as plain text that no browser takes for a page. `offset` and
// `length` in the query do the same for those who prefer them.
Response serveFile(const Request& request, OpenedFile file);
// openBelow() and serveFile(), errors as 403 or 404.
Response serveBelow(const Request& request, const std::filesystem::path& root, std::string_view relative);

} // namespace stoa::http
