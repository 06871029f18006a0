// The little of ZeroMQ that the wire's two ends share: owned contexts and sockets, and frames (frame.h) in and out of
// them without blocking. Private to this folder; a socket belongs to the network thread that made it.
#pragma once

#include "protocol/frame.h"
#include "protocol/units.h"

#include <zmq.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::zeromq {

// Ends when all its sockets are closed, waiting for what their linger allows.
class Context {
public:
    explicit Context(int io_threads);
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    void* get() const { return context_; }

private:
    void* context_;
};

class Socket {
public:
    Socket() = default;
    Socket(const Context& context, int type);
    Socket(Socket&& other) noexcept : socket_(std::exchange(other.socket_, nullptr)) {}
    Socket& operator=(Socket&& other) noexcept;
    ~Socket();
    void* get() const { return socket_; }
    explicit operator bool() const { return socket_ != nullptr; }
    void set(int option, int value);
    void set(int option, std::int64_t value);
    void set(int option, std::string_view value);

    // For poll(2): readable when something has happened, perhaps an arrival. It may also become unreadable by a send, which
    // looks at what has happened as well; then arrived() knows.
    int fd() const;
    bool arrived() const;

private:
    void* socket_ = nullptr;
};

// What both ends want of their data sockets: bounded queues and messages.
void setBounds(Socket& socket);

// What a message of a socket was.
struct NoMessage {};
struct Malformed {
    FrameError error = FrameError::kHeaderSize;
    std::string address; // of the sender's connection, for the log
};
using Received = std::variant<NoMessage, Frame, Malformed>;

// A ROUTER's messages begin with the sender's routing id, which goes to `routing_id`; pass nullptr for a DEALER's. The
// principal whom a CURVE server admitted goes to `principal`, where it is asked for.
Received receive(const Socket& socket, std::string* routing_id, std::string* principal = nullptr);

// False: the queue is full, or (ROUTER) nobody of that routing id is there.
bool send(const Socket& socket, const std::string* routing_id, const Frame& frame);

// Whole messages as they are. False: none is there.
bool receiveParts(const Socket& socket, std::vector<std::string>& parts);
void sendParts(const Socket& socket, const std::vector<std::string>& parts);

} // namespace stoa::zeromq
