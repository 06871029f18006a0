#include "protocol/http/connection.h"

#include "protocol/http/gzip.h"
#include "protocol/strings.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/status.hpp>

#include <absl/strings/match.h>
#include <absl/strings/str_format.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

namespace stoa::http {

namespace asio = boost::asio;
namespace beast = boost::beast;

namespace {

constexpr std::size_t kPieceBytes = std::size_t{64} << 10;
// What an idle connection may keep.
constexpr std::size_t kIdleBytes = 4096;
// Less is not worth it; more would keep the server's thread from its other clients.
constexpr std::size_t kGzipFrom = 1000;
constexpr std::size_t kGzipUpTo = std::size_t{4} << 20;
// After an error the rest of the request is read and dropped for so long, that the client may read our answer first.
constexpr Duration kLinger = std::chrono::seconds(2);

constexpr std::string_view kClientGone = "client gone";
constexpr std::string_view kTooSlow = "client too slow";

// A line break in a value would begin another header.
std::string headerText(std::string_view value) {
    std::string out(value);
    for (char& c : out) {
        if (c == '\r' || c == '\n' || c == '\0') c = ' ';
    }
    return out;
}

// Errors of the protocol itself, as opposed to those of the socket.
bool saysNoHttp(const boost::system::error_code& error) {
    using HttpError = beast::http::error;
    return error && error != HttpError::end_of_stream && error != HttpError::partial_message &&
           error.category() == beast::http::make_error_code(HttpError::end_of_stream).category();
}

bool writeWhole(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

bool worthCompressing(const Response& response) {
    const std::string_view type = response.content_type;
    const bool text = type.starts_with("text/") || type.starts_with("application/json");
    return text && !response.file && response.body.size() >= kGzipFrom && response.body.size() <= kGzipUpTo &&
           find(response.headers, "Content-Encoding").empty();
}

} // namespace

Connection::Connection(std::shared_ptr<Shared> shared, Socket socket, std::string peer,
                       std::optional<Request::Credentials> credentials)
    : shared_(std::move(shared)), socket_(std::move(socket)), peer_(std::move(peer)), credentials_(credentials),
      buffer_(shared_->options.max_header_bytes + kPieceBytes) {}

void Connection::start() {
    in_all_ = shared_->all.insert(shared_->all.end(), shared_from_this());
    ++shared_->connections;
    waitForRequest(shared_->options.header_timeout);
}

void Connection::close(std::string_view why) {
    if (state_ == State::kClosed) return;
    const std::shared_ptr<Connection> self = shared_from_this();
    state_ = State::kClosed;
    closed_why_ = why;
    stopWaiting();
    releaseBody();
    shared_->all.erase(in_all_);
    --shared_->connections;
    Error ignored;
    socket_.close(ignored);
    upload_.reset();
    file_.reset();
    if (stream_ != nullptr) endStream(why);
}

void Connection::enforceDeadline(Clock::time_point now) {
    if (now < deadline_) return;
    if (state_ == State::kHeader || state_ == State::kBody) {
        // One reply is due to a client that was late; a late reader gets none.
        ++shared_->refused;
        refuse(408, "the request took too long\n");
    } else {
        close(state_ == State::kStreaming || state_ == State::kWriting ? kTooSlow : kClientGone);
    }
}

void Connection::stopWaiting() {
    if (in_waiting_) shared_->waiting.erase(*in_waiting_);
    in_waiting_.reset();
}

// ---- Reading -------------------------------------------------------------------------------------------------

void Connection::waitForRequest(Duration timeout) {
    state_ = State::kWaiting;
    deadline(timeout);
    in_waiting_ = shared_->waiting.insert(shared_->waiting.end(), this);
    if (buffer_.size() > 0) return readHeader(); // sent together with the last one
    if (buffer_.capacity() > kIdleBytes) buffer_.shrink_to_fit();
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](Error error) {
        if (self->state_ != State::kWaiting) return;
        if (error) return self->close(kClientGone);
        self->readHeader();
    });
}

void Connection::readHeader() {
    state_ = State::kHeader;
    deadline(shared_->options.header_timeout);
    request_ = Request();
    upload_.reset();
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(shared_->options.max_header_bytes));
    // Counted in takeBody(). Beast of Boost 1.74 takes boost::none for a limit of nothing.
    parser_->body_limit(std::numeric_limits<std::uint64_t>::max());
    beast::http::async_read_header(socket_, buffer_, *parser_,
                                   [self = shared_from_this()](Error error, std::size_t bytes) {
                                       if (self->state_ == State::kHeader) self->onHeader(error, bytes);
                                   });
}

void Connection::onHeader(Error error, std::size_t) {
    stopWaiting();
    if (error == beast::http::error::header_limit || error == beast::http::error::buffer_overflow) {
        ++shared_->refused;
        return refuse(431, "the headers are too large\n");
    }
    // What is no HTTP at all gets an answer too; a client that only went away does not.
    if (saysNoHttp(error)) {
        ++shared_->refused;
        return refuse(400, concat("the request is no HTTP: ", error.message(), "\n"));
    }
    if (error) return close(kClientGone);
    takeRequest();
}

void Connection::takeRequest() {
    ++shared_->requests;
    const auto& message = parser_->get();
    request_.method = std::string(message.method_string());
    request_.target = std::string(message.target());
    for (const auto& field : message) {
        request_.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    request_.peer = peer_;
    request_.credentials = credentials_;
    head_only_ = request_.method == "HEAD";
    http_1_0_ = message.version() < 11;
    keep_alive_ = message.keep_alive();
    accepts_gzip_ = acceptsGzip(find(request_.headers, "Accept-Encoding"));
    body_bytes_ = 0;

    std::optional<Target> target = parseTarget(request_.target);
    if (!target) return refuse(400, "the path is malformed\n");
    request_.path = std::move(target->path);
    request_.query = std::move(target->query);
    if (std::optional<Response> refusal = shared_->router.refuse(request_)) {
        keep_alive_ = keep_alive_ && parser_->is_done();
        return answer(*std::move(refusal));
    }
    Router::Match match = shared_->router.match(request_.method, request_.path);
    if (match.entry == nullptr) {
        keep_alive_ = keep_alive_ && parser_->is_done();
        if (match.allow.empty()) return answer(textResponse(404, "no such page\n"));
        Response response = textResponse(405, concat("here one may ", match.allow, "\n"));
        response.headers.emplace_back("Allow", match.allow);
        return answer(std::move(response));
    }
    route_ = match.entry;
    request_.rest = std::move(match.rest);

    const auto length = parser_->content_length();
    if (route_->upload()) {
        auto gate = route_->gate(request_);
        if (auto* refusal = std::get_if<Response>(&gate)) {
            keep_alive_ = keep_alive_ && parser_->is_done();
            return answer(std::move(*refusal));
        }
        upload_ = std::move(std::get<UploadSink>(gate));
    }
    const std::uint64_t limit = upload_ ? upload_->limit : shared_->options.max_body_bytes;
    if (length && *length > limit) {
        ++shared_->refused;
        return refuse(413, concat("the body has ", *length, " bytes, more than ", limit, "\n"));
    }
    if (parser_->is_done()) return handle();
    state_ = State::kBody;
    deadline(shared_->options.body_timeout);
    if (!http_1_0_ && absl::EqualsIgnoreCase(toAbsl(request_.header("Expect")), "100-continue")) {
        static constexpr std::string_view kGoOn = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(socket_, asio::buffer(kGoOn), [self = shared_from_this()](Error error, std::size_t) {
            if (self->state_ != State::kBody) return;
            if (error) return self->close(kClientGone);
            self->readBody();
        });
        return;
    }
    readBody();
}

void Connection::readBody() {
    piece_.resize(kPieceBytes);
    auto& body = parser_->get().body();
    body.data = piece_.data();
    body.size = piece_.size();
    beast::http::async_read_some(socket_, buffer_, *parser_,
                                 [self = shared_from_this()](Error error, std::size_t bytes) {
                                     if (self->state_ == State::kBody) self->onBody(error, bytes);
                                 });
}

void Connection::onBody(Error error, std::size_t) {
    if (error == beast::http::error::need_buffer) error = {};
    if (saysNoHttp(error)) {
        ++shared_->refused;
        return refuse(400, concat("the body is malformed: ", error.message(), "\n"));
    }
    if (error) return close(kClientGone);
    const std::size_t got = piece_.size() - parser_->get().body().size;
    if (!takeBody({piece_.data(), got})) return;
    if (parser_->is_done()) return handle();
    if (upload_ && got > 0) deadline(shared_->options.body_timeout);
    readBody();
}

bool Connection::takeBody(std::string_view piece) {
    body_bytes_ += piece.size();
    const std::uint64_t limit = upload_ ? upload_->limit : shared_->options.max_body_bytes;
    if (body_bytes_ > limit) {
        ++shared_->refused;
        refuse(413, concat("the body has more than ", limit, " bytes\n"));
        return false;
    }
    if (upload_) {
        if (writeWhole(upload_->file.get(), piece)) return true;
        refuse(507, concat("the body can't be stored: ", std::string_view(std::strerror(errno)), "\n"));
        return false;
    }
    if (shared_->body_bytes + piece.size() > shared_->options.max_bodies_bytes) {
        ++shared_->refused;
        refuse(503, "too many large requests at once: try again\n");
        return false;
    }
    shared_->body_bytes += piece.size();
    held_bytes_ += piece.size();
    request_.body.append(piece);
    return true;
}

void Connection::releaseBody() {
    // What is not in the request any more is in the hands of its handler, who bounds what he keeps.
    shared_->body_bytes -= std::exchange(held_bytes_, 0);
}

void Connection::handle() {
    state_ = State::kHandling;
    deadline_ = Clock::time_point::max();
    std::vector<char>().swap(piece_);
    parser_.reset();
    releaseBody();
    upload_.reset(); // the file is whole and closed before anybody hears of it
    const Router::Entry& route = *route_;
    if (route.upload()) return route.uploaded(std::move(request_), body_bytes_, Responder(shared_from_this()));
    if (route.deferred) return route.deferred(std::move(request_), Responder(shared_from_this()));
    answer(route.handler(request_));
}

// ---- Writing -------------------------------------------------------------------------------------------------

void Connection::respondFromAnywhere(Response response) {
    // std::function wants what can be copied, a file's descriptor can't.
    auto shared_response = std::make_shared<Response>(std::move(response));
    shared_->post([self = shared_from_this(), shared_response] {
        if (self->state_ == State::kHandling) self->answer(std::move(*shared_response));
    });
}

Stream Connection::streamFromAnywhere(Response head) {
    auto state = std::make_shared<Stream::State>();
    state->connection = weak_from_this();
    state->shared = shared_;
    auto shared_head = std::make_shared<Response>(std::move(head));
    bool stopped = false;
    {
        const std::lock_guard lock(shared_->mutex);
        stopped = shared_->stopped;
        if (!stopped) {
            asio::post(shared_->io, [self = shared_from_this(), shared_head, state] {
                self->beginStream(std::move(*shared_head), state);
            });
        }
    }
    if (stopped) {
        state->ended = "server stopped";
        state->told = true;
    }
    return Stream(state);
}

std::string Connection::headOf(const Response& response, std::optional<std::uint64_t> length, bool chunked) const {
    std::string head = absl::StrFormat(
        "HTTP/1.1 %d %s\r\n", response.status,
        std::string(beast::http::obsolete_reason(beast::http::int_to_status(static_cast<unsigned>(response.status)))));
    const auto add = [&](std::string_view name, std::string_view value) {
        head += name;
        head += ": ";
        head += headerText(value);
        head += "\r\n";
    };
    if (!response.content_type.empty() && length.value_or(1) > 0) add("Content-Type", response.content_type);
    add("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : response.headers) add(headerText(name), value);
    if (length) add("Content-Length", std::to_string(*length));
    if (chunked) add("Transfer-Encoding", "chunked");
    if (!keep_alive_) {
        add("Connection", "close");
    } else if (http_1_0_) {
        add("Connection", "keep-alive");
    }
    head += "\r\n";
    return head;
}

void Connection::answer(Response response) {
    state_ = State::kWriting;
    if (accepts_gzip_ && worthCompressing(response)) {
        response.body = gzip(response.body);
        response.headers.emplace_back("Content-Encoding", "gzip");
        response.headers.emplace_back("Vary", "Accept-Encoding");
    }
    std::optional<std::uint64_t> length = response.file ? response.file->length : response.body.size();
    if (response.shared_body != nullptr) length = response.shared_body->size();
    if (response.status == 204) length.reset();
    out_ = {headOf(response, length, false), std::string()};
    file_.reset();
    if (!head_only_) {
        if (response.file) {
            file_ = std::move(response.file);
        } else if (response.shared_body != nullptr) {
            shared_out_ = std::move(response.shared_body);
        } else {
            out_[1] = std::move(response.body);
        }
    }
    written_ = 0;
    writeRemaining();
}

void Connection::refuse(int status, std::string why) {
    // An operation that is under way must not come back to a connection that has moved on.
    Error ignored;
    socket_.cancel(ignored);
    stopWaiting();
    releaseBody();
    upload_.reset();
    keep_alive_ = false;
    head_only_ = false;
    accepts_gzip_ = false;
    answer(textResponse(status, std::move(why)));
}

void Connection::writeRemaining() {
    deadline(shared_->options.write_timeout);
    const std::array<std::string_view, 2> whole = {out_[0], shared_out_ != nullptr ? *shared_out_ : out_[1]};
    std::array<asio::const_buffer, 2> buffers;
    std::size_t skip = written_;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        const std::size_t skipped = std::min(skip, whole[i].size());
        buffers[i] = asio::buffer(whole[i].data() + skipped, whole[i].size() - skipped);
        skip -= skipped;
    }
    const std::size_t size = whole[0].size() + whole[1].size();
    socket_.async_write_some(buffers, [self = shared_from_this(), size](Error error, std::size_t bytes) {
        if (self->state_ != State::kWriting && self->state_ != State::kStreaming) return;
        if (error) return self->close(kClientGone);
        self->written_ += bytes;
        if (self->written_ < size) return self->writeRemaining();
        self->onWritten();
    });
}

void Connection::onWritten() {
    out_ = {};
    shared_out_.reset();
    written_ = 0;
    if (state_ == State::kStreaming) {
        deadline_ = Clock::time_point::max();
        {
            const std::lock_guard lock(stream_->mutex);
            stream_->taken(std::exchange(stream_in_flight_, 0));
        }
        if (stream_finished_) {
            endStream("ended");
            return finishResponse();
        }
        return flushStream();
    }
    if (file_ && file_->length > 0) return sendFilePiece();
    finishResponse();
}

void Connection::sendFilePiece() {
    out_[0].resize(std::min<std::uint64_t>(file_->length, kPieceBytes));
    const ssize_t got = ::pread(file_->fd.get(), out_[0].data(), out_[0].size(), static_cast<off_t>(file_->offset));
    // A file that became shorter than promised: only the broken connection can still say so.
    if (got <= 0) return close("file cut off");
    out_[0].resize(static_cast<std::size_t>(got));
    file_->offset += static_cast<std::uint64_t>(got);
    file_->length -= static_cast<std::uint64_t>(got);
    writeRemaining();
}

void Connection::finishResponse() {
    file_.reset();
    parser_.reset();
    if (keep_alive_) return waitForRequest(shared_->options.idle_timeout);
    Error ignored;
    socket_.cancel(ignored); // a stream's pending read, which piece_ belongs to
    socket_.shutdown(Socket::shutdown_send, ignored);
    state_ = State::kLingering;
    deadline(kLinger);
    buffer_.consume(buffer_.size());
    piece_.resize(kPieceBytes);
    linger();
}

// Closing a socket that still has something to read resets it, and the client may lose our answer with that.
void Connection::linger() {
    socket_.async_read_some(asio::buffer(piece_), [self = shared_from_this()](Error error, std::size_t) {
        if (self->state_ != State::kLingering) return;
        if (error) return self->close(kClientGone);
        self->linger();
    });
}

// ---- Streams -------------------------------------------------------------------------------------------------

void Connection::beginStream(Response head, std::shared_ptr<Stream::State> state) {
    stream_ = std::move(state);
    ++shared_->streams;
    if (state_ != State::kHandling) return endStream(closed_why_);
    state_ = State::kStreaming;
    keep_alive_ = false;
    // With HTTP/1.0 the end of the connection is the end of the body.
    out_ = {headOf(head, std::nullopt, !http_1_0_), std::string()};
    written_ = 0;
    stream_finished_ = head_only_;
    watchForEnd();
    writeRemaining();
}

void Connection::flushStream() {
    if (state_ != State::kStreaming || !out_[0].empty() || stream_finished_) return;
    {
        const std::lock_guard lock(stream_->mutex);
        stream_->flush_posted = false;
        while (!stream_->queue.empty() && out_[0].size() < kPieceBytes) {
            const Body chunk = std::move(stream_->queue.front());
            stream_->queue.pop_front();
            stream_in_flight_ += chunk->size();
            if (http_1_0_) {
                out_[0] += *chunk;
            } else {
                out_[0] += absl::StrFormat("%x\r\n", chunk->size());
                out_[0] += *chunk;
                out_[0] += "\r\n";
            }
        }
        if (stream_->queue.empty() && stream_->finishing) {
            stream_finished_ = true;
            if (!http_1_0_) out_[0] += "0\r\n\r\n";
        }
    }
    if (!out_[0].empty()) return writeRemaining();
    if (stream_finished_) onWritten();
}

// A client that goes away while nothing is sent is noticed by reading. What it sends meanwhile is dropped.
void Connection::watchForEnd() {
    piece_.resize(512);
    socket_.async_read_some(asio::buffer(piece_), [self = shared_from_this()](Error error, std::size_t) {
        if (self->state_ != State::kStreaming) {
            // The lingering read took over, or the connection is closed.
            return;
        }
        if (error) return self->close(kClientGone);
        self->watchForEnd();
    });
}

void Connection::endStream(std::string_view why) {
    const std::shared_ptr<Stream::State> state = std::exchange(stream_, nullptr);
    --shared_->streams;
    std::function<void(std::string)> callback;
    {
        const std::lock_guard lock(state->mutex);
        if (state->ended.empty()) state->ended = why;
        why = state->ended;
        state->told = true;
        state->queue.clear();
        state->taken(state->bytes);
        callback = std::exchange(state->callback, nullptr);
    }
    if (callback) callback(std::string(why));
}

} // namespace stoa::http
