// An HTTP request as a handler meets it, and the response that it gives. Parsed, bounded and percent-decoded already;
// nothing of Beast shows here. Plain values, usable from any thread.
#pragma once

#include "protocol/body.h"
#include "protocol/unique_fd.h"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::http {

// In the order in which they came; names compare without case.
using Headers = std::vector<std::pair<std::string, std::string>>;
// The first of that name, empty when there is none.
std::string_view find(const Headers& headers, std::string_view name);

using Query = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method; // "GET"
    std::string target; // as it was sent, query included
    std::string path;   // decoded, without a trailing slash (but "/" itself)
    std::string rest;   // of a subtree's handler: the path below its prefix, without a leading slash
    Query query;        // decoded
    Headers headers;
    std::string body; // empty for uploads
    std::string peer; // "127.0.0.1:40312", or "unix"

    // Of the process at the other end of a unix socket, as the kernel tells it.
    struct Credentials {
        pid_t pid = 0;
        uid_t uid = 0;
        gid_t gid = 0;
    };
    std::optional<Credentials> credentials;

    std::string_view header(std::string_view name) const { return find(headers, name); }
    // The first value of that name in the query; absent when the query doesn't have it.
    std::optional<std::string_view> parameter(std::string_view name) const;
    // As parameter(), as a number of which nothing is left over.
    std::optional<std::int64_t> number(std::string_view name) const;
};

// A part of an open regular file, sent in pieces without ever standing in memory whole.
struct FileRegion {
    UniqueFd fd;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

struct Response {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    Headers headers;
    std::optional<FileRegion> file; // instead of the body
    Body shared_body = nullptr;     // likewise: the same bytes for many, in memory once
};

Response textResponse(int status, std::string body);
Response jsonResponse(std::string body);

// "a%20b" to "a b"; absent when an escape is malformed or yields NUL. `plus` says that '+' is a space (queries).
std::optional<std::string> percentDecode(std::string_view text, bool plus);
// Everything but letters, digits and "-._~/" is escaped.
std::string percentEncodePath(std::string_view text);
// "/a/b?x=1&y=2" into path and query; absent when malformed.
struct Target {
    std::string path;
    Query query;
};
std::optional<Target> parseTarget(std::string_view target);

} // namespace stoa::http
