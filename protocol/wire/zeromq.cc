#include "protocol/wire/zeromq.h"

#include <glog/logging.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace stoa::zeromq {
namespace {

// More than a session's window, so that one session alone never fills a queue.
constexpr int kQueuedMessages = 4096;
// A whole cluster dials at once when a master starts.
constexpr int kBacklog = 4096;
// Shorter bodies are copied into ZeroMQ's message; longer ones are shared with the outbox, at the price of an allocation.
constexpr std::size_t kShareFrom = 4096;

// A message part, closed at the end.
class Part {
public:
    Part() { zmq_msg_init(&part_); }
    ~Part() { zmq_msg_close(&part_); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

    bool receive(void* socket) {
        while (zmq_msg_recv(&part_, socket, ZMQ_DONTWAIT) < 0) {
            if (errno != EINTR) return false;
        }
        return true;
    }
    bool more() const { return zmq_msg_more(&part_) != 0; }
    std::string_view bytes() { return {static_cast<const char*>(zmq_msg_data(&part_)), zmq_msg_size(&part_)}; }
    std::string peerAddress() {
        const char* address = zmq_msg_gets(&part_, "Peer-Address");
        return address == nullptr ? "an unknown address" : address;
    }
    std::string principal() {
        const char* user = zmq_msg_gets(&part_, "User-Id");
        return user == nullptr ? "" : user;
    }

private:
    zmq_msg_t part_;
};

void releaseBody(void*, void* hint) { delete static_cast<Body*>(hint); }

bool sendBody(void* socket, const Body& body) {
    zmq_msg_t part;
    if (body->size() < kShareFrom) {
        CHECK_EQ(zmq_msg_init_size(&part, body->size()), 0);
        std::memcpy(zmq_msg_data(&part), body->data(), body->size());
    } else {
        auto hint = std::make_unique<Body>(body);
        // ZeroMQ only reads what it is given to send.
        CHECK_EQ(zmq_msg_init_data(&part, const_cast<char*>(body->data()), body->size(), releaseBody, hint.get()), 0);
        static_cast<void>(hint.release()); // ZeroMQ has it now
    }
    while (zmq_msg_send(&part, socket, ZMQ_DONTWAIT) < 0) {
        if (errno == EINTR) continue;
        zmq_msg_close(&part);
        return false;
    }
    return true;
}

bool sendBytes(void* socket, std::string_view bytes, int flags) {
    while (zmq_send(socket, bytes.data(), bytes.size(), flags | ZMQ_DONTWAIT) < 0) {
        if (errno != EINTR) return false;
    }
    return true;
}

} // namespace

Context::Context(int io_threads) : context_(zmq_ctx_new()) {
    CHECK(context_ != nullptr);
    zmq_ctx_set(context_, ZMQ_IO_THREADS, io_threads);
}

Context::~Context() {
    while (zmq_ctx_term(context_) != 0 && errno == EINTR) {}
}

Socket::Socket(const Context& context, int type) : socket_(zmq_socket(context.get(), type)) {
    CHECK(socket_ != nullptr) << zmq_strerror(errno);
}

Socket& Socket::operator=(Socket&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
}

Socket::~Socket() {
    if (socket_ != nullptr) zmq_close(socket_);
}

void Socket::set(int option, int value) {
    CHECK_EQ(zmq_setsockopt(socket_, option, &value, sizeof value), 0) << zmq_strerror(errno);
}

void Socket::set(int option, std::int64_t value) {
    CHECK_EQ(zmq_setsockopt(socket_, option, &value, sizeof value), 0) << zmq_strerror(errno);
}

void Socket::set(int option, std::string_view value) {
    CHECK_EQ(zmq_setsockopt(socket_, option, value.data(), value.size()), 0) << zmq_strerror(errno);
}

int Socket::fd() const {
    int fd = -1;
    std::size_t size = sizeof fd;
    CHECK_EQ(zmq_getsockopt(socket_, ZMQ_FD, &fd, &size), 0) << zmq_strerror(errno);
    return fd;
}

bool Socket::arrived() const {
    int events = 0;
    std::size_t size = sizeof events;
    while (zmq_getsockopt(socket_, ZMQ_EVENTS, &events, &size) != 0) CHECK_EQ(errno, EINTR) << zmq_strerror(errno);
    return (events & ZMQ_POLLIN) != 0;
}

void setBounds(Socket& socket) {
    socket.set(ZMQ_SNDHWM, kQueuedMessages);
    socket.set(ZMQ_RCVHWM, kQueuedMessages);
    socket.set(ZMQ_MAXMSGSIZE, static_cast<std::int64_t>(kLargestBody));
    socket.set(ZMQ_BACKLOG, kBacklog);
}

Received receive(const Socket& socket, std::string* routing_id, std::string* principal) {
    Part header;
    if (routing_id != nullptr) {
        Part id;
        if (!id.receive(socket.get())) return NoMessage();
        routing_id->assign(id.bytes());
        if (!id.more()) return Malformed{FrameError::kPartCount, id.peerAddress()};
    }
    // The parts of a message arrive together, so what follows the first is there.
    if (!header.receive(socket.get())) return NoMessage();
    if (principal != nullptr) *principal = header.principal();
    Part body;
    const bool has_body = header.more() && body.receive(socket.get());
    bool too_many = false;
    for (bool more = has_body && body.more(); more;) {
        too_many = true;
        Part rest;
        more = rest.receive(socket.get()) && rest.more();
    }
    if (too_many) return Malformed{FrameError::kPartCount, header.peerAddress()};
    std::variant<Frame, FrameError> decoded =
        decodeHeader(header.bytes(), has_body, has_body ? body.bytes().size() : 0);
    if (const FrameError* error = std::get_if<FrameError>(&decoded)) return Malformed{*error, header.peerAddress()};
    Frame& frame = std::get<Frame>(decoded);
    if (has_body) frame.body = makeBody(std::string(body.bytes()));
    return std::move(frame);
}

bool send(const Socket& socket, const std::string* routing_id, const Frame& frame) {
    // Only the first part can be refused: a queue takes or leaves whole messages.
    if (routing_id != nullptr && !sendBytes(socket.get(), *routing_id, ZMQ_SNDMORE)) return false;
    const FrameHeader header = encodeHeader(frame);
    if (!sendBytes(socket.get(), {header.data(), header.size()}, frame.body ? ZMQ_SNDMORE : 0)) return false;
    return !frame.body || sendBody(socket.get(), frame.body);
}

bool receiveParts(const Socket& socket, std::vector<std::string>& parts) {
    parts.clear();
    for (;;) {
        Part part;
        if (!part.receive(socket.get())) return false;
        parts.emplace_back(part.bytes());
        if (!part.more()) return true;
    }
}

void sendParts(const Socket& socket, const std::vector<std::string>& parts) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (!sendBytes(socket.get(), parts[i], i + 1 < parts.size() ? ZMQ_SNDMORE : 0)) return;
    }
}

} // namespace stoa::zeromq
