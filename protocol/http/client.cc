#include "protocol/http/client.h"

#include "protocol/host_port.h"
#include "protocol/strings.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace stoa::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using Clock = std::chrono::steady_clock;
using Error = boost::system::error_code;

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxHeaderBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxQuotedBytes = 500;

// A socket that waits no longer than until its deadline, nor beyond a readable cancel_fd. What Beast calls a
// SyncReadStream.
class PatientSocket {
public:
    // Beast asks for an executor by this name, and never uses it in synchronous calls.
    struct executor_type {}; // NOLINT(readability-identifier-naming): Beast's name

    PatientSocket(UniqueFd fd, int cancel_fd) : fd_(std::move(fd)), cancel_fd_(cancel_fd) {}
    executor_type get_executor() { return {}; } // NOLINT(readability-identifier-naming): Beast's name
    void expiresAfter(Duration timeout) {
        deadline_.reset();
        if (timeout != kNoTimeout) deadline_ = Clock::now() + timeout;
    }
    int fd() const { return fd_.get(); }

    Error wait(short events) {
        while (true) {
            int timeout = -1;
            if (deadline_) {
                const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()).count();
                timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
            }
            pollfd fds[2] = {{fd_.get(), events, 0}, {cancel_fd_, POLLIN, 0}};
            const int ready = poll(fds, cancel_fd_ < 0 ? 1 : 2, timeout);
            if (ready < 0 && errno == EINTR) continue;
            if (ready < 0) return Error(errno, boost::system::system_category());
            if (ready == 0) return asio::error::timed_out;
            if (fds[1].revents != 0) return asio::error::operation_aborted;
            return {};
        }
    }

    template <class Buffers>
    std::size_t read_some(const Buffers& buffers, Error& error) { // NOLINT(readability-identifier-naming): Beast's name
        for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it) {
            const asio::mutable_buffer buffer(*it);
            if (buffer.size() > 0) return readOnce(buffer.data(), buffer.size(), error);
        }
        error = {};
        return 0;
    }
    template <class Buffers>
    std::size_t read_some(const Buffers& buffers) { // NOLINT(readability-identifier-naming): Beast's name
        Error error;
        const std::size_t got = read_some(buffers, error);
        if (error) throw boost::system::system_error(error);
        return got;
    }

    Error writeAll(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent >= 0) {
                bytes.remove_prefix(static_cast<std::size_t>(sent));
            } else if (errno == EAGAIN) {
                if (const Error error = wait(POLLOUT)) return error;
            } else if (errno != EINTR) {
                return Error(errno, boost::system::system_category());
            }
        }
        return {};
    }

private:
    std::size_t readOnce(void* data, std::size_t size, Error& error) {
        while (true) {
            const ssize_t got = recv(fd_.get(), data, size, MSG_DONTWAIT);
            if (got > 0) {
                error = {};
                return static_cast<std::size_t>(got);
            }
            if (got == 0) {
                error = asio::error::eof;
                return 0;
            }
            if (errno == EINTR) continue;
            error = errno == EAGAIN ? wait(POLLIN) : Error(errno, boost::system::system_category());
            if (error) return 0;
        }
    }

    UniqueFd fd_;
    int cancel_fd_;
    std::optional<Clock::time_point> deadline_;
};

absl::Status failure(const Error& error, std::string_view where) {
    if (error == asio::error::timed_out) return absl::DeadlineExceededError(concat(where, ": no answer in time"));
    if (error == asio::error::operation_aborted) return absl::CancelledError(concat(where, ": given up"));
    if (error == beast::http::error::end_of_stream || error == beast::http::error::partial_message ||
        error == asio::error::eof) {
        return absl::UnavailableError(concat(where, ": the connection was closed before the answer's end"));
    }
    return absl::UnavailableError(concat(where, ": ", error.message()));
}

Error connectTo(PatientSocket& socket, const sockaddr* address, socklen_t size) {
    if (connect(socket.fd(), address, size) == 0) return {};
    if (errno != EINPROGRESS) return Error(errno, boost::system::system_category());
    if (const Error error = socket.wait(POLLOUT)) return error;
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &length);
    return Error(error, boost::system::system_category());
}

absl::StatusOr<std::unique_ptr<PatientSocket>> openUnix(const ClientRequest& request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (request.unix_socket.size() >= sizeof address.sun_path) {
        return invalid("\"", request.unix_socket, "\" is too long for a socket's path");
    }
    std::memcpy(address.sun_path, request.unix_socket.c_str(), request.unix_socket.size() + 1);
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return absl::UnavailableError(std::strerror(errno));
    auto socket = std::make_unique<PatientSocket>(std::move(fd), request.cancel_fd);
    socket->expiresAfter(request.timeout);
    if (const Error error = connectTo(*socket, reinterpret_cast<const sockaddr*>(&address), sizeof address)) {
        return failure(error, request.unix_socket);
    }
    return socket;
}

absl::StatusOr<std::unique_ptr<PatientSocket>> openTcp(const ClientRequest& request, const Url& url) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const std::string where = concat(url.host, ":", url.port);
    const int failed = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
    if (failed != 0) return absl::UnavailableError(concat(where, ": ", std::string_view(gai_strerror(failed))));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, &freeaddrinfo);
    absl::Status last = absl::UnavailableError(concat(where, ": has no address"));
    for (const addrinfo* next = found; next != nullptr; next = next->ai_next) {
        UniqueFd fd(socket(next->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!fd) return absl::UnavailableError(concat(where, ": ", std::string_view(std::strerror(errno))));
        const int on = 1;
        setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto socket = std::make_unique<PatientSocket>(std::move(fd), request.cancel_fd);
        socket->expiresAfter(request.timeout);
        const Error error = connectTo(*socket, next->ai_addr, next->ai_addrlen);
        if (!error) return socket;
        last = failure(error, where);
        if (absl::IsCancelled(last)) return last;
    }
    return last;
}

bool cleanHeader(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

absl::StatusOr<std::string> requestHead(const ClientRequest& request, const Url& url, std::uint64_t length) {
    if (request.method.empty() || !cleanHeader(request.method) || request.method.find(' ') != std::string::npos) {
        return invalid("\"", request.method, "\" is no method");
    }
    std::string head = concat(request.method, " ", url.target, " HTTP/1.1\r\n");
    const auto add = [&](std::string_view name, std::string_view value) { head += concat(name, ": ", value, "\r\n"); };
    add("Host", hostAndPort(url.host, url.port));
    add("Connection", "close");
    for (const auto& [name, value] : request.headers) {
        if (!cleanHeader(name) || !cleanHeader(value)) return invalid("header ", name, ": has a line break");
        add(name, value);
    }
    if (length > 0 || (request.method != "GET" && request.method != "HEAD")) {
        add("Content-Length", std::to_string(length));
    }
    head += "\r\n";
    return head;
}

// What the regular file still holds, from its current offset on.
absl::StatusOr<std::uint64_t> remainingOf(int fd) {
    struct stat status {};
    const off_t offset = lseek(fd, 0, SEEK_CUR);
    if (offset < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return invalid("the body is no regular file");
    return static_cast<std::uint64_t>(std::max<off_t>(0, status.st_size - offset));
}

// One exchange over an open socket.
class Exchange {
public:
    Exchange(const ClientRequest& request, PatientSocket& socket, std::string where)
        : request_(request), socket_(socket), where_(std::move(where)), buffer_(kMaxHeaderBytes + kPieceBytes) {
        beginParsing();
    }

    absl::Status send(const std::string& head, std::uint64_t length) {
        socket_.expiresAfter(request_.timeout);
        const absl::Status sent = sendAll(head, length);
        // A server that refuses may answer and close before it has read everything: its answer is what counts.
        if (absl::IsUnavailable(sent)) send_failure_ = sent;
        return absl::IsUnavailable(sent) ? absl::OkStatus() : sent;
    }

    absl::StatusOr<ClientResponse> receive() {
        Error error;
        do {
            beast::http::read_header(socket_, buffer_, *parser_, error);
        } while (!error && nextAfterContinue());
        if (error) return !send_failure_.ok() ? send_failure_ : failure(error, where_);
        ClientResponse response;
        response.status = static_cast<int>(parser_->get().result_int());
        for (const auto& field : parser_->get()) {
            response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
        }
        if (request_.on_head && !request_.on_head(response.status, response.headers)) return response;
        const bool streamed = request_.on_data && response.ok();
        std::vector<char> piece(kPieceBytes);
        while (!parser_->is_done()) {
            if (streamed) socket_.expiresAfter(request_.idle_timeout);
            auto& body = parser_->get().body();
            body.data = piece.data();
            body.size = piece.size();
            beast::http::read_some(socket_, buffer_, *parser_, error);
            if (error == beast::http::error::need_buffer) error = {};
            const std::string_view got(piece.data(), piece.size() - parser_->get().body().size);
            if (streamed) {
                if (!got.empty() && !request_.on_data(got)) return response;
            } else {
                if (response.body.size() + got.size() > request_.max_body_bytes) {
                    return absl::ResourceExhaustedError(
                        concat(where_, ": the answer has more than ", request_.max_body_bytes, " bytes"));
                }
                response.body.append(got);
            }
            if (error) return failure(error, where_);
        }
        return response;
    }

private:
    using Parser = beast::http::response_parser<beast::http::buffer_body>;

    absl::Status sendAll(const std::string& head, std::uint64_t length) {
        if (const Error error = socket_.writeAll(head)) return failure(error, where_);
        if (request_.body_fd < 0) {
            const Error error = socket_.writeAll(request_.body);
            return error ? failure(error, where_) : absl::OkStatus();
        }
        std::string piece;
        while (length > 0) {
            piece.resize(std::min<std::uint64_t>(length, kPieceBytes));
            const ssize_t got = ::read(request_.body_fd, piece.data(), piece.size());
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) return absl::AbortedError("the file became shorter while it was sent");
            piece.resize(static_cast<std::size_t>(got));
            if (const Error error = socket_.writeAll(piece)) return failure(error, where_);
            length -= piece.size();
        }
        return absl::OkStatus();
    }

    void beginParsing() {
        parser_.emplace();
        parser_->header_limit(kMaxHeaderBytes);
        // Bounded while it is received. Beast of Boost 1.74 takes boost::none for a limit of nothing.
        parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
        if (request_.method == "HEAD") parser_->skip(true);
    }

    // Over "100 Continue" to the answer itself.
    bool nextAfterContinue() {
        if (parser_->get().result_int() / 100 != 1) return false;
        beginParsing();
        return true;
    }

    const ClientRequest& request_;
    PatientSocket& socket_;
    const std::string where_;
    beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    absl::Status send_failure_;
};

} // namespace

absl::StatusOr<Url> parseUrl(std::string_view text) {
    constexpr std::string_view kScheme = "http://";
    const std::string quoted = concat("\"", text, "\"");
    if (!absl::StartsWithIgnoreCase(toAbsl(text), toAbsl(kScheme)))
        return invalid(quoted, " does not begin with http://");
    std::string_view rest = text.substr(kScheme.size());
    rest = rest.substr(0, rest.find('#'));
    Url url;
    const std::size_t slash = rest.find_first_of("/?");
    if (slash != std::string_view::npos) {
        url.target = rest.substr(slash);
        if (url.target.front() == '?') url.target.insert(0, 1, '/');
    }
    std::string_view authority = rest.substr(0, slash);
    if (authority.find('@') != std::string_view::npos) return invalid(quoted, ": a user in an URL is not served");
    if (authority.starts_with('[')) {
        const std::size_t end = authority.find(']');
        if (end == std::string_view::npos) return invalid(quoted, ": the bracket is not closed");
        url.host = authority.substr(1, end - 1);
        authority.remove_prefix(end + 1);
        if (!authority.empty() && authority.front() != ':') return invalid(quoted, ": no port after the address");
    } else {
        url.host = authority.substr(0, authority.find(':'));
        authority.remove_prefix(url.host.size());
    }
    if (url.host.empty()) return invalid(quoted, " has no host");
    if (!authority.empty()) {
        std::uint32_t port = 0;
        const std::string_view digits = authority.substr(1);
        if (!absl::SimpleAtoi(toAbsl(digits), &port) || port == 0 || port > 65'535) {
            return invalid(quoted, ": \"", digits, "\" is no port");
        }
        url.port = static_cast<std::uint16_t>(port);
    }
    const bool printable = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c != 0x7f; });
    if (!printable) return invalid(quoted, " has white space or control characters: escape them");
    return url;
}

absl::StatusOr<ClientResponse> fetch(const ClientRequest& request) {
    absl::StatusOr<Url> url = parseUrl(request.url);
    if (!url.ok()) return url.status();
    std::uint64_t length = request.body.size();
    if (request.body_fd >= 0) {
        absl::StatusOr<std::uint64_t> remaining = remainingOf(request.body_fd);
        if (!remaining.ok()) return remaining.status();
        length = *remaining;
    }
    absl::StatusOr<std::string> head = requestHead(request, *url, length);
    if (!head.ok()) return head.status();
    auto socket = request.unix_socket.empty() ? openTcp(request, *url) : openUnix(request);
    if (!socket.ok()) return socket.status();
    const std::string where = request.unix_socket.empty() ? concat(url->host, ":", url->port) : request.unix_socket;
    Exchange exchange(request, **socket, where);
    if (absl::Status sent = exchange.send(*head, length); !sent.ok()) return sent;
    return exchange.receive();
}

absl::StatusOr<ClientResponse> get(std::string_view url) {
    ClientRequest request;
    request.url = url;
    return fetch(request);
}

absl::StatusOr<ClientResponse> post(std::string_view url, std::string_view content_type, std::string body) {
    ClientRequest request;
    request.method = "POST";
    request.url = url;
    request.headers.emplace_back("Content-Type", std::string(content_type));
    request.body = std::move(body);
    return fetch(request);
}

absl::StatusOr<std::uint64_t> download(ClientRequest request, int fd) {
    std::uint64_t received = 0;
    absl::Status stored;
    request.on_data = [&](std::string_view piece) {
        received += piece.size();
        while (!piece.empty()) {
            const ssize_t written = ::write(fd, piece.data(), piece.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0) {
                stored = absl::ErrnoToStatus(errno, "the file can't be stored");
                return false;
            }
            piece.remove_prefix(static_cast<std::size_t>(written));
        }
        return true;
    };
    absl::StatusOr<ClientResponse> response = fetch(request);
    if (!response.ok()) return response.status();
    if (!stored.ok()) return stored;
    if (!response->ok()) {
        return absl::UnavailableError(concat(request.url, ": answered ", response->status, ": ",
                                             trimmed(std::string_view(response->body).substr(0, kMaxQuotedBytes))));
    }
    return received;
}

} // namespace stoa::http
