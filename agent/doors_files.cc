// The door's files: sandboxes by Mesos's virtual paths, and uploads.
#include "agent/doors.h"

#include "agent/sandboxes.h"
#include "protocol/http/files.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace stoa::agent {
namespace {

using Json = rapidjson::Writer<rapidjson::StringBuffer>;

constexpr std::int64_t kMostReadBytes = 65'536; // of /files/read, as in Mesos
constexpr std::size_t kLongestUploadName = 200;

http::Response failed(const absl::Status& status) {
    const int code = status.code() == absl::StatusCode::kPermissionDenied ? 403
                     : status.code() == absl::StatusCode::kNotFound       ? 404
                                                                          : 400;
    return http::textResponse(code, std::string(status.message()));
}

// "drwxr-xr-x"
std::string modeText(mode_t mode) {
    std::string text = S_ISDIR(mode) ? "d" : S_ISLNK(mode) ? "l" : "-";
    for (int bit = 8; bit >= 0; --bit) text += (mode >> bit) & 1 ? "xwr"[bit % 3] : '-';
    return text;
}

std::string listingJson(std::string_view folder, const http::Listing& listing) {
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.StartArray();
    for (const http::DirectoryEntry& entry : listing.entries) {
        json.StartObject();
        json.Key("path");
        const bool slash = !folder.empty() && folder.back() == '/';
        json.String(concat(folder, slash ? "" : "/", entry.name).c_str());
        json.Key("mode");
        json.String(modeText(entry.mode).c_str());
        json.Key("size");
        json.Uint64(entry.size);
        json.Key("mtime");
        json.Double(static_cast<double>(entry.mtime));
        json.Key("nlink");
        json.Uint64(entry.links);
        json.Key("uid");
        json.String(concat(entry.uid).c_str());
        json.Key("gid");
        json.String(concat(entry.gid).c_str());
        json.EndObject();
    }
    json.EndArray();
    return buffer.GetString();
}

// Bytes as JSON text: what isn't UTF-8 becomes U+FFFD, for the output of a task may be anything.
std::string utf8(std::string_view bytes) {
    std::string text;
    text.reserve(bytes.size());
    for (std::size_t i = 0; i < bytes.size();) {
        const auto lead = static_cast<unsigned char>(bytes[i]);
        const std::size_t length = lead < 0x80                   ? 1
                                   : lead >= 0xc2 && lead < 0xe0 ? 2
                                   : (lead & 0xf0) == 0xe0       ? 3
                                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                                 : 0;
        bool valid = length > 0 && i + length <= bytes.size();
        std::uint32_t point = lead & (0xff >> (length + 1));
        for (std::size_t k = 1; valid && k < length; ++k) {
            const auto next = static_cast<unsigned char>(bytes[i + k]);
            valid = (next & 0xc0) == 0x80;
            point = point << 6 | (next & 0x3f);
        }
        if (length == 3) valid = valid && point >= 0x800 && (point < 0xd800 || point > 0xdfff);
        if (length == 4) valid = valid && point >= 0x10000 && point <= 0x10ffff;
        text.append(valid ? bytes.substr(i, length) : "\xef\xbf\xbd");
        i += valid ? length : 1;
    }
    return text;
}

http::Response readJson(const http::Request& request, const http::OpenedFile& file) {
    const std::int64_t offset = request.number("offset").value_or(-1);
    const std::int64_t length =
        std::clamp<std::int64_t>(request.number("length").value_or(kMostReadBytes), 0, kMostReadBytes);
    std::string data;
    if (offset >= 0) {
        data.resize(static_cast<std::size_t>(length));
        const ssize_t got = ::pread(file.fd.get(), data.data(), data.size(), offset);
        if (got < 0) return http::textResponse(500, std::strerror(errno));
        data.resize(static_cast<std::size_t>(got));
    }
    const std::string text = utf8(data);
    rapidjson::StringBuffer buffer;
    Json json(buffer);
    json.StartObject();
    json.Key("offset");
    json.Int64(offset >= 0 ? offset : static_cast<std::int64_t>(file.size));
    json.Key("data");
    json.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    json.EndObject();
    return http::jsonResponse(buffer.GetString());
}

bool uploadName(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
               c == '-';
    };
    return !name.empty() && name.size() <= kLongestUploadName && name.front() != '.' &&
           std::all_of(name.begin(), name.end(), plain);
}

http::Response badUploadName() {
    return http::textResponse(400, "a file's name here has letters, digits and \"._-\", at most 200, and doesn't begin "
                                   "with a dot");
}

std::uint64_t bytesIn(const std::filesystem::path& folder) {
    std::uint64_t sum = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator file(folder, error), end; !error && file != end; file.increment(error)) {
        std::error_code ignored;
        const std::uintmax_t size = file->file_size(ignored);
        if (!ignored) sum += size;
    }
    return sum;
}

} // namespace

std::optional<std::string> sandboxPath(std::string_view virtual_path) {
    constexpr std::string_view kFrameworks = "/frameworks/";
    constexpr std::string_view kExecutors = "/executors/";
    constexpr std::string_view kRun = "/runs/latest";
    const std::size_t frameworks = virtual_path.find(kFrameworks);
    if (frameworks == std::string_view::npos) return std::nullopt;
    virtual_path.remove_prefix(frameworks + kFrameworks.size());
    const std::size_t executors = virtual_path.find(kExecutors);
    const std::size_t run = virtual_path.find(kRun);
    if (executors == std::string_view::npos || run == std::string_view::npos || run < executors + kExecutors.size()) {
        return std::nullopt;
    }
    const std::string_view rest = virtual_path.substr(run + kRun.size());
    if (!rest.empty() && rest.front() != '/') return std::nullopt;
    const std::string_view task =
        virtual_path.substr(executors + kExecutors.size(), run - executors - kExecutors.size());
    return concat(directoryName(virtual_path.substr(0, executors)), "/", directoryName(task), rest);
}

void Doors::addFiles(http::Router& router) {
    // Each of these takes ?path=; what it names is opened below the sandboxes' root, or not at all.
    const auto named = [](const http::Request& request) -> absl::StatusOr<std::string> {
        const auto path = request.parameter("path");
        if (!path) return absl::InvalidArgumentError("give ?path=/frameworks/F/executors/T/runs/latest/FILE");
        const auto below = sandboxPath(*path);
        if (!below) return absl::NotFoundError(concat("no such file: ", *path));
        return *below;
    };
    router.get("/files/download", [this, named](const http::Request& request) {
        const auto path = named(request);
        return path.ok() ? http::serveBelow(request, options_.sandboxes, *path) : failed(path.status());
    });
    router.get("/files/browse", [this, named](const http::Request& request) {
        const auto path = named(request);
        if (!path.ok()) return failed(path.status());
        const auto listing = http::listBelow(options_.sandboxes, *path);
        if (!listing.ok()) return failed(listing.status());
        return http::jsonResponse(listingJson(*request.parameter("path"), *listing));
    });
    router.get("/files/read", [this, named](const http::Request& request) {
        const auto path = named(request);
        if (!path.ok()) return failed(path.status());
        const auto file = http::openBelow(options_.sandboxes, *path);
        if (!file.ok()) return failed(file.status());
        if (file->directory) return http::textResponse(400, "it is a directory");
        return readJson(request, *file);
    });
    router.subtree("GET", "/api/stoa/sandbox", [this](const http::Request& request, http::Responder responder) {
        followOutput(request, std::move(responder));
    });
}

// A file is written beside its place and renamed into it when whole, so nobody fetches half of one. The lock on it goes
// with its descriptor: two writers of one name can't meet, and what a broken upload left is written over by the next.
void Doors::addUploads(http::Router& router) {
    const auto part = [this](const std::string& name) { return options_.uploads / concat(".", name, ".part"); };
    router.upload(
        "PUT", "/api/stoa/uploads",
        [this, part](const http::Request& request) -> std::variant<http::UploadSink, http::Response> {
            if (!uploadName(request.rest)) return badUploadName();
            if (bytesIn(options_.uploads) >= options_.all_upload_bytes) {
                return http::textResponse(507,
                                          "this agent keeps no more uploads now; older ones are removed with time");
            }
            UniqueFd file(::open(part(request.rest).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
            if (!file) return http::textResponse(500, concat("cannot store it: ", std::strerror(errno)));
            if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
                return http::textResponse(409, "a file of this name is being uploaded by somebody else");
            }
            if (::ftruncate(file.get(), 0) != 0) return http::textResponse(500, std::strerror(errno));
            return http::UploadSink{std::move(file), options_.upload_bytes};
        },
        [this, part](const http::Request& request, std::uint64_t bytes, http::Responder responder) {
            if (std::rename(part(request.rest).c_str(), (options_.uploads / request.rest).c_str()) != 0) {
                responder.respond(http::textResponse(500, concat("cannot store it: ", std::strerror(errno))));
                return;
            }
            responder.respond(http::textResponse(201, concat(bytes, " bytes\n")));
        });
    router.subtree("GET", "/api/stoa/uploads", [this](const http::Request& request, http::Responder responder) {
        responder.respond(uploadName(request.rest) ? http::serveBelow(request, options_.uploads, request.rest)
                                                   : badUploadName());
    });
    router.subtree("DELETE", "/api/stoa/uploads", [this](const http::Request& request, http::Responder responder) {
        if (!uploadName(request.rest)) {
            responder.respond(badUploadName());
        } else if (::unlink((options_.uploads / request.rest).c_str()) != 0) {
            responder.respond(http::textResponse(404, concat("no upload \"", request.rest, "\"")));
        } else {
            responder.respond(http::textResponse(200, ""));
        }
    });
}

} // namespace stoa::agent
