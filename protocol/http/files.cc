#include "protocol/http/files.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace stoa::http {
namespace {

absl::Status failed(int error, std::string_view path) {
    const std::string what = concat("\"", path, "\": ", std::string_view(std::strerror(error)));
    switch (error) {
    case ENOENT:
    case ENOTDIR: return absl::NotFoundError(what);
    case EXDEV: return absl::PermissionDeniedError(concat("\"", path, "\" leads out of the directory"));
    case EISDIR:
    case EEXIST: return absl::AlreadyExistsError(what);
    case EACCES:
    case EPERM:
    case ELOOP: return absl::PermissionDeniedError(what);
    default: return absl::InternalError(what);
    }
}

std::string relativePath(std::string_view relative) {
    while (relative.starts_with('/')) relative.remove_prefix(1);
    return relative.empty() ? "." : std::string(relative);
}

// Of a descriptor, or of -1 and errno.
UniqueFd openBeneath(int directory, const std::string& path, int flags, mode_t mode) {
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.mode = (flags & O_CREAT) != 0 ? mode : 0;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    while (true) {
        const long fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
        // EAGAIN: something was renamed while the kernel looked for "..".
        if (fd >= 0 || (errno != EINTR && errno != EAGAIN)) return UniqueFd(static_cast<int>(fd));
    }
}

absl::StatusOr<UniqueFd> openRoot(const std::filesystem::path& root) {
    UniqueFd fd(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!fd) return failed(errno, root.native());
    return fd;
}

struct Part {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// "bytes=A-B", "bytes=A-" or "bytes=-N" of a file of `size` bytes. Absent: not such a header, to be ignored (RFC 9110,
// section 14.2); a part of length 0 can't be had.
std::optional<Part> parseRange(std::string_view header, std::uint64_t size) {
    constexpr std::string_view kUnit = "bytes=";
    if (!header.starts_with(kUnit)) return std::nullopt;
    header.remove_prefix(kUnit.size());
    const std::size_t dash = header.find('-');
    if (dash == std::string_view::npos || header.find(',') != std::string_view::npos) return std::nullopt;
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const bool has_first = absl::SimpleAtoi(toAbsl(header.substr(0, dash)), &first);
    const bool has_last = absl::SimpleAtoi(toAbsl(header.substr(dash + 1)), &last);
    if (!has_first && dash != 0) return std::nullopt;
    if (!has_last && dash + 1 != header.size()) return std::nullopt;
    if (!has_first && !has_last) return std::nullopt;
    if (!has_first) {
        const std::uint64_t length = std::min(last, size);
        return Part{size - length, length};
    }
    if (has_last && last < first) return std::nullopt;
    if (first >= size) return Part{first, 0};
    return Part{first, (has_last ? std::min(last + 1, size) : size) - first};
}

} // namespace

absl::StatusOr<OpenedFile> openBelow(const std::filesystem::path& root, std::string_view relative) {
    absl::StatusOr<UniqueFd> base = openRoot(root);
    if (!base.ok()) return base.status();
    // Non-blocking, so that a FIFO without a writer doesn't hold us up.
    UniqueFd fd = openBeneath(base->get(), relativePath(relative), O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (!fd) return failed(errno == ENXIO ? EACCES : errno, relative);
    struct stat status {};
    if (fstat(fd.get(), &status) != 0) return failed(errno, relative);
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return absl::PermissionDeniedError(concat("\"", relative, "\" is neither a file nor a directory"));
    }
    return OpenedFile{std::move(fd), static_cast<std::uint64_t>(status.st_size), S_ISDIR(status.st_mode)};
}

absl::StatusOr<UniqueFd> createBelow(const std::filesystem::path& root, std::string_view relative, mode_t mode) {
    absl::StatusOr<UniqueFd> base = openRoot(root);
    if (!base.ok()) return base.status();
    UniqueFd directory = *std::move(base);
    const std::string path = relativePath(relative);
    // Directory by directory, each opened beneath the one before: ".." and links can't lead out on the way.
    std::size_t begin = 0;
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
        const std::string part = path.substr(begin, slash - begin);
        begin = slash + 1;
        if (part.empty() || part == ".") continue;
        if (part == "..") return failed(EXDEV, relative);
        if (mkdirat(directory.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return failed(errno, relative);
        UniqueFd next = openBeneath(directory.get(), part, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
        if (!next) return failed(errno, relative);
        directory = std::move(next);
    }
    UniqueFd file = openBeneath(directory.get(), path.substr(begin),
                                O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, mode);
    if (!file) return failed(errno, relative);
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return failed(errno, relative);
    if (!S_ISREG(status.st_mode)) return absl::PermissionDeniedError(concat("\"", relative, "\" is no file"));
    return file;
}

absl::StatusOr<Listing> listBelow(const std::filesystem::path& root, std::string_view relative, std::size_t limit) {
    absl::StatusOr<OpenedFile> opened = openBelow(root, relative);
    if (!opened.ok()) return opened.status();
    if (!opened->directory) return absl::NotFoundError(concat("\"", relative, "\" is no directory"));
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(fdopendir(opened->fd.get()), &closedir);
    if (directory == nullptr) return failed(errno, relative);
    const int fd = opened->fd.release(); // closedir() closes it
    Listing listing;
    while (const dirent* entry = readdir(directory.get())) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (listing.entries.size() >= limit) {
            listing.truncated = true;
            break;
        }
        struct stat status {};
        if (fstatat(fd, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue; // gone already
        listing.entries.push_back({name, status.st_mode, static_cast<std::uint64_t>(status.st_size),
                                   status.st_mtim.tv_sec, status.st_uid, status.st_gid, status.st_nlink});
    }
    std::sort(listing.entries.begin(), listing.entries.end(),
              [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
    return listing;
}

Response serveFile(const Request& request, OpenedFile file) {
    if (file.directory) return textResponse(404, "is a directory\n");
    Part part{0, file.size};
    Response response;
    if (const std::optional<Part> range = parseRange(request.header("Range"), file.size)) {
        if (range->length == 0) {
            Response refused = textResponse(416, "the file does not reach that far\n");
            refused.headers.emplace_back("Content-Range", concat("bytes */", file.size));
            return refused;
        }
        part = *range;
        response.status = 206;
        response.headers.emplace_back(
            "Content-Range", concat("bytes ", part.offset, "-", part.offset + part.length - 1, "/", file.size));
    } else if (request.parameter("offset") || request.parameter("length")) {
        const std::int64_t offset = request.number("offset").value_or(request.parameter("offset") ? -1 : 0);
        const std::int64_t length = request.number("length").value_or(request.parameter("length") ? -1 : 0);
        if (offset < 0 || length < 0) return textResponse(400, "offset and length are whole numbers from 0 on\n");
        part.offset = std::min(static_cast<std::uint64_t>(offset), file.size);
        part.length = file.size - part.offset;
        if (request.parameter("length")) part.length = std::min(part.length, static_cast<std::uint64_t>(length));
    }
    response.headers.emplace_back("Accept-Ranges", "bytes");
    response.file = FileRegion{std::move(file.fd), part.offset, part.length};
    return response;
}

Response serveBelow(const Request& request, const std::filesystem::path& root, std::string_view relative) {
    absl::StatusOr<OpenedFile> file = openBelow(root, relative);
    if (file.ok()) return serveFile(request, *std::move(file));
    const int status = absl::IsNotFound(file.status()) ? 404 : absl::IsPermissionDenied(file.status()) ? 403 : 500;
    return textResponse(status, concat(file.status().message(), "\n"));
}

} // namespace stoa::http
