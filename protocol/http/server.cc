#include "protocol/http/server.h"

#include "protocol/http/connection.h"
#include "protocol/strings.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <set>
#include <thread>

namespace stoa::http {

namespace asio = boost::asio;

namespace {

constexpr int kBacklog = 1024;
// How often deadlines are looked at, while there is a connection.
constexpr Duration kSweep = std::chrono::milliseconds(100);
// Without free descriptors nothing can be accepted; until some may have come free.
constexpr Duration kAcceptPause = std::chrono::milliseconds(100);
// A burst of clients does not keep those that are there already from being served.
constexpr int kAcceptsAtOnce = 64;

struct Listening {
    UniqueFd fd;
    std::uint16_t port = 0;
    std::string address;
};

std::string errorText(int error) { return std::strerror(error); }

std::string addressText(const sockaddr* address, socklen_t size) {
    char host[NI_MAXHOST] = {};
    char port[NI_MAXSERV] = {};
    if (getnameinfo(address, size, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return "unix";
    }
    return address->sa_family == AF_INET6 ? concat("[", host, "]:", port) : concat(host, ":", port);
}

absl::Status bindError(int error, const std::string& address) {
    switch (error) {
    case EADDRINUSE:
        return absl::AlreadyExistsError(
            concat(address, " is in use by another process: stop it, or choose another port"));
    case EACCES:
        return absl::PermissionDeniedError(concat(address, ": not allowed to listen there: ", errorText(error)));
    case EADDRNOTAVAIL:
        return absl::InvalidArgumentError(concat(address, " is no address of this machine: choose one of its own"));
    default: return absl::UnavailableError(concat(address, ": ", errorText(error)));
    }
}

absl::StatusOr<Listening> listenTcp(const ServerOptions& options) {
    const std::string wanted = concat(options.host, ":", options.port);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int failed = getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &found);
    if (failed != 0) {
        return absl::InvalidArgumentError(concat("\"", options.host, "\": ", std::string_view(gai_strerror(failed))));
    }
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> addresses(found, &freeaddrinfo);
    UniqueFd fd(socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return bindError(errno, wanted);
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0) return bindError(errno, wanted);
    if (listen(fd.get(), kBacklog) != 0) return bindError(errno, wanted);
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return bindError(errno, wanted);
    const in_port_t port = bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                                       : reinterpret_cast<sockaddr_in*>(&bound)->sin_port;
    return Listening{std::move(fd), ntohs(port), addressText(reinterpret_cast<sockaddr*>(&bound), size)};
}

absl::StatusOr<Listening> listenUnix(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return invalid("\"", path, "\" is too long for a socket's path: ", sizeof address.sun_path - 1,
                       " bytes at most");
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    // A file that nobody listens behind was left by a process that died.
    UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!probe) return bindError(errno, path);
    if (connect(probe.get(), generic, sizeof address) == 0 || errno == EAGAIN) return bindError(EADDRINUSE, path);
    struct stat status {};
    if (errno == ECONNREFUSED && stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) unlink(path.c_str());
    UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) return bindError(errno, path);
    if (bind(fd.get(), generic, sizeof address) != 0) return bindError(errno, path);
    // Who may do what is decided by the credentials of each client.
    if (chmod(path.c_str(), 0666) != 0) return bindError(errno, path);
    if (listen(fd.get(), kBacklog) != 0) return bindError(errno, path);
    return Listening{std::move(fd), 0, path};
}

std::optional<Request::Credentials> credentialsOf(int fd) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
    return Request::Credentials{credentials.pid, credentials.uid, credentials.gid};
}

} // namespace

// ---- Stream and Responder --------------------------------------------------------------------------------------

// The copies share an outer pointer, whose end is the stream's; the connection has the state itself.
Stream::Stream(const std::shared_ptr<State>& state) : state_(state.get(), [state](State*) { finish(state); }) {}

bool Stream::write(Body chunk) {
    if (state_ == nullptr) return false;
    if (chunk->empty()) return ended().empty(); // an empty chunk would be the last one
    bool cut = false;
    {
        const std::lock_guard lock(state_->mutex);
        State& state = *state_;
        if (!state.ended.empty() || state.finishing) return false;
        if (state.wouldOverflow(chunk->size())) {
            state.ended = "client too slow";
            cut = true;
        } else {
            if (state.bytes == 0) state.uncounted = chunk->size();
            state.bytes += chunk->size();
            state.shared->stream_bytes += chunk->size();
            state.queue.push_back(std::move(chunk));
            if (std::exchange(state.flush_posted, true)) return true;
        }
    }
    state_->shared->post([connection = state_->connection, cut] {
        const std::shared_ptr<Connection> alive = connection.lock();
        if (alive == nullptr) return;
        cut ? alive->close("client too slow") : alive->flushStream();
    });
    return !cut;
}

bool Stream::State::wouldOverflow(std::size_t more) const {
    if (bytes == 0) return false;
    const ServerOptions& options = shared->options;
    if (bytes - uncounted + more > options.stream_queue_bytes) return true;
    const std::size_t share = options.all_streams_bytes / std::max<std::size_t>(1, shared->streams);
    return shared->stream_bytes + more > options.all_streams_bytes && bytes + more > share;
}

void Stream::finish(const std::shared_ptr<State>& state) {
    {
        const std::lock_guard lock(state->mutex);
        if (std::exchange(state->finishing, true)) return;
    }
    state->shared->post([connection = state->connection] {
        if (const std::shared_ptr<Connection> alive = connection.lock()) alive->flushStream();
    });
}

std::size_t Stream::queued() const {
    if (state_ == nullptr) return 0;
    const std::lock_guard lock(state_->mutex);
    return state_->bytes;
}

void Stream::end() {
    if (state_ != nullptr) finish(state_);
}

std::string Stream::ended() const {
    if (state_ == nullptr) return "ended";
    const std::lock_guard lock(state_->mutex);
    return state_->ended;
}

void Stream::onEnd(std::function<void(std::string)> callback) {
    std::string why = "ended";
    if (state_ != nullptr) {
        const std::lock_guard lock(state_->mutex);
        if (!state_->told) {
            state_->callback = std::move(callback);
            return;
        }
        why = state_->ended;
    }
    callback(std::move(why));
}

Responder::Responder(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}

Responder& Responder::operator=(Responder&& other) noexcept {
    std::swap(connection_, other.connection_);
    return *this;
}

Responder::~Responder() {
    if (connection_ != nullptr) respond(textResponse(500, "the request was dropped\n"));
}

void Responder::respond(Response response) {
    if (const auto connection = std::exchange(connection_, nullptr))
        connection->respondFromAnywhere(std::move(response));
}

Stream Responder::stream(Response head) {
    const auto connection = std::exchange(connection_, nullptr);
    return connection == nullptr ? Stream() : connection->streamFromAnywhere(std::move(head));
}

// ---- Server ----------------------------------------------------------------------------------------------------

struct Server::State {
    State(ServerOptions options, Router router, Listening listening_)
        : shared(std::make_shared<Shared>(std::move(options), std::move(router))), listening(std::move(listening_)),
          unix_socket(shared->options.unix_socket), work(shared->io.get_executor()),
          acceptor(shared->io, listening.fd.release()), pause(shared->io), sweep(shared->io) {}

    void acceptSome() {
        for (int i = 0; i < kAcceptsAtOnce; ++i) {
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            UniqueFd fd(accept4(acceptor.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                                SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) {
                if (errno == EINTR || errno == ECONNABORTED) continue;
                if (errno == EAGAIN || errno == EWOULDBLOCK) break;
                return pauseAccepting();
            }
            admit(std::move(fd), reinterpret_cast<sockaddr*>(&peer), size);
        }
        waitForClients();
    }

    void waitForClients() {
        acceptor.async_wait(asio::posix::stream_descriptor::wait_read, [this](boost::system::error_code error) {
            if (!error) acceptSome();
        });
    }

    // Out of descriptors or memory: room is made, and a moment waited, since the socket stays readable.
    void pauseAccepting() {
        evictOne();
        pause.expires_after(kAcceptPause);
        pause.async_wait([this](boost::system::error_code error) {
            if (!error) acceptSome();
        });
    }

    bool evictOne() {
        if (shared->waiting.empty()) return false;
        shared->waiting.front()->close("too many connections");
        return true;
    }

    void admit(UniqueFd fd, const sockaddr* peer, socklen_t size) {
        if (shared->all.size() >= shared->options.max_connections) {
            ++shared->refused;
            if (!evictOne()) {
                static constexpr std::string_view kBusy =
                    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                static_cast<void>(send(fd.get(), kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
                return;
            }
        }
        std::string name = "unix";
        std::optional<Request::Credentials> credentials;
        int family = AF_UNIX;
        if (unix_socket.empty()) {
            family = peer->sa_family;
            name = addressText(peer, size);
            const int on = 1;
            setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        } else {
            credentials = credentialsOf(fd.get());
        }
        Connection::Socket socket(shared->io);
        boost::system::error_code error;
        socket.assign(asio::generic::stream_protocol(family, 0), fd.get(), error);
        if (error) return;
        static_cast<void>(fd.release());
        std::make_shared<Connection>(shared, std::move(socket), std::move(name), credentials)->start();
        if (!sweeping) startSweep();
    }

    void startSweep() {
        sweeping = true;
        sweep.expires_after(kSweep);
        sweep.async_wait([this](boost::system::error_code error) {
            sweeping = false;
            if (error) return;
            const auto now = Connection::Clock::now();
            for (auto next = shared->all.begin(); next != shared->all.end();) {
                // Closing takes it off the list.
                const std::shared_ptr<Connection> connection = *next++;
                connection->enforceDeadline(now);
            }
            if (!shared->all.empty()) startSweep();
        });
    }

    // On the server's thread; run() then returns.
    void stop() {
        boost::system::error_code ignored;
        acceptor.close(ignored);
        pause.cancel();
        sweep.cancel();
        for (const auto& timer : timers) timer->cancel();
        while (!shared->all.empty()) shared->all.front()->close("server stopped");
        work.reset();
    }

    const std::shared_ptr<Shared> shared;
    Listening listening;
    const std::string unix_socket;
    asio::executor_work_guard<asio::io_context::executor_type> work;
    asio::posix::stream_descriptor acceptor;
    asio::steady_timer pause;
    asio::steady_timer sweep;
    bool sweeping = false;
    std::set<std::shared_ptr<asio::steady_timer>> timers;
    std::thread thread;
};

absl::StatusOr<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router) {
    absl::StatusOr<Listening> listening =
        options.unix_socket.empty() ? listenTcp(options) : listenUnix(options.unix_socket);
    if (!listening.ok()) return listening.status();
    auto state = std::make_unique<State>(std::move(options), std::move(router), *std::move(listening));
    State& running = *state;
    running.waitForClients();
    // Signals are for the daemon's own thread.
    sigset_t every;
    sigset_t before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    running.thread = std::thread([&running] {
        pthread_setname_np(pthread_self(), running.shared->options.thread_name.substr(0, 15).c_str());
        running.shared->io.run();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}

Server::~Server() {
    asio::post(state_->shared->io, [this] {
        {
            const std::lock_guard lock(state_->shared->mutex);
            state_->shared->stopped = true;
        }
        state_->stop();
    });
    state_->thread.join();
    state_->shared->router = Router();
    if (!state_->unix_socket.empty()) unlink(state_->unix_socket.c_str());
}

std::uint16_t Server::port() const { return state_->listening.port; }

const std::string& Server::address() const { return state_->listening.address; }

void Server::post(std::function<void()> work) { state_->shared->post(std::move(work)); }

void Server::postAfter(Duration delay, std::function<void()> work) {
    state_->shared->post([state = state_.get(), delay, work = std::move(work)]() mutable {
        // What the server's own thread posts may come behind the end, which nobody would tell the timer.
        if (state->shared->stopped) return;
        auto timer = std::make_shared<asio::steady_timer>(state->shared->io, delay);
        state->timers.insert(timer);
        timer->async_wait([state, timer, work = std::move(work)](boost::system::error_code error) {
            state->timers.erase(timer);
            if (!error) work();
        });
    });
}

Server::Counts Server::counts() const {
    const Shared& shared = *state_->shared;
    return {shared.requests, shared.refused,      shared.connections,
            shared.streams,  shared.stream_bytes, shared.body_bytes};
}

} // namespace stoa::http
