// A small blocking HTTP client for the command line, the fetcher and tests: one request, one connection. Bodies go out
// from memory or from a file, come in whole or piece by piece through a callback. `http://` only, and unix sockets.
//
//   auto reply = fetch({.url = "http://127.0.0.1:5050/state"});
//   auto reply = fetch({.method = "POST", .url = …, .headers = {{"Content-Type", "application/json"}}, .body = …});
//   fetch({.url = …, .timeout = kNoTimeout, .on_data = [](std::string_view piece) { …; return true; }});
//
// Functions without state, usable from any thread. Redirects are not followed: their Location is in the headers.
#pragma once

#include "protocol/http/message.h"
#include "protocol/units.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace stoa::http {

struct Url {
    std::string host; // a name or an address, brackets removed
    std::uint16_t port = 80;
    std::string target = "/"; // as it stands in the URL, a fragment removed
};
absl::StatusOr<Url> parseUrl(std::string_view text);

inline constexpr Duration kNoTimeout{0};

struct ClientRequest {
    std::string method = "GET";
    std::string url;         // http://HOST:PORT/TARGET
    std::string unix_socket; // not empty: connect there; of the URL only the target counts
    Headers headers;
    std::string body;
    int body_fd = -1; // >= 0: the body is this regular file, from its current offset to its end
    Duration timeout = std::chrono::seconds(30);         // for everything; with on_data: for the response to begin
    Duration idle_timeout = kNoTimeout;                  // with on_data: between two pieces
    int cancel_fd = -1;                                  // readable: give up with Cancelled
    std::size_t max_body_bytes = std::size_t{256} << 20; // of a response kept in memory
    // Called with the status and headers before any data; false stops. May be empty.
    std::function<bool(int status, const Headers&)> on_head;
    // Given, the body of a 2xx response comes here, as it arrives, and not into ClientResponse; false stops, which is
    // no error.
    std::function<bool(std::string_view piece)> on_data;
};

struct ClientResponse {
    int status = 0;
    Headers headers;
    std::string body;
    std::string_view header(std::string_view name) const { return find(headers, name); }
    bool ok() const { return status >= 200 && status < 300; }
};

// A response of any status is success. Errors: InvalidArgument (the URL), Unavailable (nothing answers there, or the
// connection broke), DeadlineExceeded, Cancelled, ResourceExhausted (the body is too big).
absl::StatusOr<ClientResponse> fetch(const ClientRequest& request);
absl::StatusOr<ClientResponse> get(std::string_view url);
absl::StatusOr<ClientResponse> post(std::string_view url, std::string_view content_type, std::string body);

// As fetch(), the body into a file descriptor; a status other than 2xx is an error that quotes the reply.
absl::StatusOr<std::uint64_t> download(ClientRequest request, int fd);

} // namespace stoa::http
