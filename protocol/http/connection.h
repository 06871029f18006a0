// The server's end of one client: reads a request, has it handled, writes the response, and waits for the next. One
// state at a time; every wait has a deadline, which the server's sweep enforces. Shared owns it until it is closed, so
// that whoever drops the last reference elsewhere destroys something that has left all lists.
//
// Private to the server (it includes Beast). All members run on the server's thread, except those marked; others get
// there by Shared::post().
#pragma once

#include "protocol/http/server.h"

#include <utility> // Asio of Boost 1.74 wants it before itself

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace stoa::http {

// What all connections of a server share. Outlives them: each holds a reference, and what it holds may be destroyed
// after the server.
struct Shared {
    Shared(ServerOptions options_, Router router_) : options(std::move(options_)), router(std::move(router_)) {}

    // From any thread; dropped when the server has stopped.
    template <class Work>
    void post(Work work) {
        const std::lock_guard lock(mutex);
        if (!stopped) boost::asio::post(io, std::move(work));
    }

    const ServerOptions options;
    Router router; // emptied when the server ends: its handlers may own what holds a stream, and thereby this
    boost::asio::io_context io{1};

    std::mutex mutex;
    bool stopped = false; // guarded by mutex

    // The server's thread's own.
    std::list<std::shared_ptr<Connection>> all; // until they are closed
    std::list<Connection*> waiting;             // for a request, whole or not; the longest first

    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::size_t> connections{0};
    std::atomic<std::size_t> streams{0};
    std::atomic<std::size_t> stream_bytes{0};
    std::atomic<std::size_t> body_bytes{0}; // changed by the server's thread alone
};

// A stream's queue, between whoever writes and the connection that sends.
struct Stream::State {
    std::mutex mutex;
    std::deque<Body> queue;
    std::size_t bytes = 0;     // queued or being sent
    std::size_t uncounted = 0; // of them, the chunk that found the queue empty
    bool finishing = false;    // end() was called
    bool flush_posted = false;
    std::string ended; // why; empty while it lives
    bool told = false; // the callback's time has come
    std::function<void(std::string)> callback;
    std::weak_ptr<Connection> connection;
    std::shared_ptr<Shared> shared;

    bool wouldOverflow(std::size_t more) const;
    void taken(std::size_t count) {
        bytes -= count;
        uncounted = 0; // the first to be taken
        shared->stream_bytes -= count;
    }
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    using Socket = boost::asio::generic::stream_protocol::socket;
    using Clock = std::chrono::steady_clock;

    Connection(std::shared_ptr<Shared> shared, Socket socket, std::string peer,
               std::optional<Request::Credentials> credentials);

    void start();
    // Cuts the connection; a stream on it ends for this reason.
    void close(std::string_view why);
    void enforceDeadline(Clock::time_point now);

    // From any thread, by Responder.
    void respondFromAnywhere(Response response);
    Stream streamFromAnywhere(Response head);
    // On the server's thread, by Stream.
    void flushStream();

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
    using Error = boost::system::error_code;

    // Reading.
    void waitForRequest(Duration timeout);
    void readHeader();
    void onHeader(Error error, std::size_t);
    void takeRequest();
    void readBody();
    void onBody(Error error, std::size_t);
    bool takeBody(std::string_view piece); // false: answered with an error
    void handle();
    void releaseBody();

    // Writing.
    void answer(Response response);
    void refuse(int status, std::string why); // and close
    void beginStream(Response head, std::shared_ptr<Stream::State> state);
    std::string headOf(const Response& response, std::optional<std::uint64_t> length, bool chunked) const;
    void writeRemaining();
    void onWritten();
    void sendFilePiece();
    void finishResponse();
    void linger();
    void watchForEnd();
    void endStream(std::string_view why);

    void deadline(Duration timeout) { deadline_ = Clock::now() + timeout; }
    void stopWaiting();

    enum class State { kWaiting, kHeader, kBody, kHandling, kWriting, kStreaming, kLingering, kClosed };

    const std::shared_ptr<Shared> shared_;
    Socket socket_;
    const std::string peer_;
    const std::optional<Request::Credentials> credentials_;
    State state_ = State::kWaiting;
    Clock::time_point deadline_ = Clock::time_point::max();
    std::string closed_why_;
    std::list<std::shared_ptr<Connection>>::iterator in_all_;
    std::optional<std::list<Connection*>::iterator> in_waiting_;

    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    Request request_;
    bool keep_alive_ = false;
    bool accepts_gzip_ = false;
    bool head_only_ = false; // HEAD
    bool http_1_0_ = false;
    const Router::Entry* route_ = nullptr;
    std::optional<UploadSink> upload_;
    std::uint64_t body_bytes_ = 0; // of this request so far
    std::size_t held_bytes_ = 0;   // this connection's part of Shared::body_bytes
    std::vector<char> piece_;      // of a body or a file, while one passes

    std::array<std::string, 2> out_; // being written, one behind the other
    Body shared_out_;                // or null: instead of the second
    std::size_t written_ = 0;
    std::optional<FileRegion> file_;
    std::shared_ptr<Stream::State> stream_;
    std::size_t stream_in_flight_ = 0; // bytes of the queue that are in out_
    bool stream_finished_ = false;     // the last chunk is in out_
};

} // namespace stoa::http
