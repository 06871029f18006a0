// The HTTP server of a daemon: routes to handlers, answers at once or later, event streams with a bounded queue, files
// in pieces, uploads straight to a file. Built for the front of a daemon: whatever a client does (slow, huge, half-open,
// too many), memory stays bounded and the others are served.
//
//   Router router;
//   router.get("/health", [](const Request&) { return textResponse(200, ""); });
//   router.subtree("GET", "/files", [](Request request, Responder reply) { … });
//   auto server = Server::start({.port = 5050}, std::move(router));
//   … (*server)->port() …
//
// Handlers run on the server's own thread, one after the other: they must not block. A handler that can't answer yet
// keeps its Responder, and any thread may complete it. State that only this thread touches (a read model) is changed
// by post(). The owner destroys the server from another thread; that closes every connection, and whoever still holds
// a Responder or a Stream then talks into the void.
#pragma once

#include "protocol/body.h"
#include "protocol/http/message.h"
#include "protocol/units.h"

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace stoa::http {

class Connection; // the server's end of a client's socket

// A response without an end: each write() makes one HTTP chunk. Copies are the same stream; usable from any thread.
// What a client doesn't read waits in a queue of at most ServerOptions::stream_queue_bytes (a chunk that finds it empty
// is not counted: a whole state may be larger); when that is passed, the stream has ended and the connection is cut.
// When the last copy goes, the stream ends as by end().
class Stream {
public:
    Stream() = default;

    // False when the stream has ended, be it that the client is gone, or that it reads too slowly.
    bool write(std::string chunk) { return write(makeBody(std::move(chunk))); }
    // The same chunk to many streams takes its memory once.
    bool write(Body chunk);
    // Bytes written that the client hasn't taken yet, for who can wait with the next write().
    std::size_t queued() const;
    // After what was written.
    void end();
    // Why it ended: empty while it lives, "client gone", "client too slow", "server stopped", "ended".
    std::string ended() const;
    // Called once, on the server's thread, when the stream has ended; at once if it has already.
    void onEnd(std::function<void(std::string why)> callback);

private:
    friend class Responder;
    friend class Connection;
    struct State;
    explicit Stream(const std::shared_ptr<State>& state);
    static void finish(const std::shared_ptr<State>& state);
    std::shared_ptr<State> state_;
};

// The duty to answer one request. Completed once, from any thread; dropped unanswered, the client gets a 500.
class Responder {
public:
    explicit Responder(std::shared_ptr<Connection> connection);
    Responder(Responder&&) noexcept = default;
    Responder& operator=(Responder&& other) noexcept;
    ~Responder();

    void respond(Response response);
    // Sends status and headers (of a response without body) and goes on with chunks.
    Stream stream(Response head);

private:
    std::shared_ptr<Connection> connection_;
};

using Handler = std::function<Response(const Request&)>;
using DeferredHandler = std::function<void(Request, Responder)>;

// Where an upload's body goes: appended to `file` as it comes, at most `limit` bytes (413 beyond).
struct UploadSink {
    UniqueFd file;
    std::uint64_t limit = 0;
};
// Asked when the headers are there; a Response refuses.
using UploadGate = std::function<std::variant<UploadSink, Response>(const Request&)>;
// Told when the whole body is in the file. Not called when the client breaks off.
using UploadHandler = std::function<void(Request, std::uint64_t bytes, Responder)>;

// Which handler a request reaches: the one of its very path, else the subtree with the longest prefix (of whole path
// elements). Method "*" takes any that no other entry names; HEAD falls to GET. A path without the method: 405.
class Router {
public:
    void on(std::string_view method, std::string_view path, Handler handler);
    void get(std::string_view path, Handler handler) { on("GET", path, std::move(handler)); }
    void post(std::string_view path, Handler handler) { on("POST", path, std::move(handler)); }
    void defer(std::string_view method, std::string_view path, DeferredHandler handler);
    // Everything at and below `prefix`; Request::rest is what lies below.
    void subtree(std::string_view method, std::string_view prefix, DeferredHandler handler);
    void upload(std::string_view method, std::string_view prefix, UploadGate gate, UploadHandler handler);
    // Requests below `prefix` are routed as if it weren't there: "/master/state" reaches "/state".
    void strip(std::string_view prefix);
    // Asked first for every request, when its headers are there and before method or body are looked at; a Response is the
    // answer. `path` is that of the request without a stripped prefix.
    using Guard = std::function<std::optional<Response>(const Request&, std::string_view path)>;
    void guard(Guard guard) { guard_ = std::move(guard); }
    std::optional<Response> refuse(const Request& request) const;

    struct Entry {
        Handler handler; // one of these is set
        DeferredHandler deferred;
        UploadGate gate;
        UploadHandler uploaded;
        bool upload() const { return gate != nullptr; }
    };
    struct Match {
        const Entry* entry = nullptr;
        std::string rest;
        std::string allow; // when entry is null: the methods that the path has, empty when there is no such path
    };
    Match match(std::string_view method, std::string_view path) const;

private:
    using Methods = std::map<std::string, Entry, std::less<>>;
    Entry& entry(std::map<std::string, Methods, std::less<>>& table, std::string_view method, std::string_view path);
    std::map<std::string, Methods, std::less<>> exact_;
    std::map<std::string, Methods, std::less<>> subtrees_;
    std::string_view stripped(std::string_view path) const;
    std::vector<std::string> stripped_;
    Guard guard_;
};

struct ServerOptions {
    std::string host = "127.0.0.1"; // an address, or a name that resolves to one
    std::uint16_t port = 0;         // 0: any free one
    // Not empty: listen there instead, and tell handlers the client's credentials. A socket file left by a dead process
    // is replaced; one that still answers is an error.
    std::string unix_socket;

    // At the bound the connection that has waited longest for its next request is closed; when all are at work, the
    // new one is told 503.
    std::size_t max_connections = 4096;
    std::size_t max_header_bytes = std::size_t{16} << 10;  // beyond: 431
    std::size_t max_body_bytes = std::size_t{16} << 20;    // of one request; beyond: 413
    std::size_t max_bodies_bytes = std::size_t{64} << 20;  // of all requests being read; beyond: 503
    std::size_t stream_queue_bytes = std::size_t{4} << 20; // of one stream; beyond: it ends
    // Of all streams; beyond: each ends that is written to and holds more than its share.
    std::size_t all_streams_bytes = std::size_t{512} << 20;
    Duration header_timeout = std::chrono::seconds(10); // from the first byte to the end of the headers
    Duration body_timeout = std::chrono::seconds(60);   // for a whole body; for each piece of an upload
    Duration idle_timeout = std::chrono::seconds(75);   // between two requests
    Duration write_timeout = std::chrono::seconds(30);  // in which a piece must be taken
    std::string thread_name = "http";
};

class Server {
public:
    // Binds, and serves from a thread of its own. The error names the address and what to do:
    // "127.0.0.1:5050 is in use by another process: choose another port".
    static absl::StatusOr<std::unique_ptr<Server>> start(ServerOptions options, Router router);
    ~Server(); // ends connections, joins the thread

    std::uint16_t port() const;
    // "127.0.0.1:5050", or the unix socket's path.
    const std::string& address() const;
    // Runs on the server's thread, in order of posting.
    void post(std::function<void()> work);
    void postAfter(Duration delay, std::function<void()> work);

    struct Counts {
        std::uint64_t requests = 0;
        std::uint64_t refused = 0; // connections at the bound, and requests over a limit
        std::size_t connections = 0;
        std::size_t streams = 0;
        std::size_t stream_bytes = 0; // that streams' clients have not taken yet
        std::size_t body_bytes = 0;   // held in memory, of requests being read or answered
    };
    Counts counts() const; // from any thread

private:
    struct State;
    explicit Server(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace stoa::http
