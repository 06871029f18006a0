#include "protocol/wire/acceptor.h"

#include "protocol/strings.h"
#include "protocol/wire/owner_link.h"
#include "protocol/wire/zap.h"
#include "protocol/wire/zeromq.h"

#include <glog/logging.h>

#include <poll.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace stoa {
namespace {

// Frames read before sends get their turn.
constexpr int kReadAtOnce = 4096;
// So many rounds of reading without an end are followed by a look at the timers all the same.
constexpr int kRoundsWithoutTimers = 64;
// At the end, for ZeroMQ to pass on what it was given.
constexpr int kLastFlushMilliseconds = 100;

absl::Status bindError(const AcceptorOptions& options, int error) {
    const std::string where = concat(options.bind_address, ":", options.port);
    switch (error) {
    case EADDRINUSE:
        return absl::UnavailableError(
            concat("can't listen on ", where, ": the port is in use; stop what listens there, or choose another port"));
    case EADDRNOTAVAIL:
    case ENODEV: return invalid("can't listen on ", where, ": this machine has no such address");
    case EACCES:
        return absl::PermissionDeniedError(
            concat("can't listen on ", where, ": not permitted; ports below 1024 are root's"));
    default: return invalid("can't listen on ", where, ": ", zmq_strerror(error));
    }
}

std::uint16_t portOf(const zeromq::Socket& socket) {
    char endpoint[256] = {};
    std::size_t length = sizeof endpoint;
    CHECK_EQ(zmq_getsockopt(socket.get(), ZMQ_LAST_ENDPOINT, endpoint, &length), 0) << zmq_strerror(errno);
    const std::string_view text(endpoint);
    return static_cast<std::uint16_t>(std::stoul(std::string(text.substr(text.rfind(':') + 1))));
}

std::size_t bytesOf(const std::vector<Arrival>& arrivals) {
    std::size_t bytes = 0;
    for (const Arrival& arrival : arrivals) {
        if (auto* message = std::get_if<arrival::Message>(&arrival)) bytes += message->body->size();
    }
    return bytes;
}

struct Command {
    enum Kind : std::uint8_t { kSend, kClose, kCut, kLead };
    Kind kind = kSend;
    Peer peer = 0; // kLead: the epoch
    Body body;
    std::string why;
};

// A connection's name for the sessions: the routing id, and behind it who it is, so that a routing id that somebody else
// claims is no way into another principal's session.
constexpr char kPrincipalFollows = '\0';

std::string routingIdOf(const std::string& connection) {
    return connection.substr(0, connection.rfind(kPrincipalFollows));
}

} // namespace

class Acceptor::Network : public OwnerLink<Arrival, Command> {
public:
    explicit Network(const AcceptorOptions& options)
        : OwnerLink({kMostArrivals, kMostArrivalBytes, kMostSendBytes}), options_(options),
          context_(options.io_threads), router_(context_, ZMQ_ROUTER), table_(options.epoch, options.session) {
        zeromq::setBounds(router_);
        router_.set(ZMQ_ROUTER_MANDATORY, 1);
        router_.set(ZMQ_ROUTER_HANDOVER, 1);
        router_.set(ZMQ_LINGER, 0);
        if (!options_.credentials) return;
        zap_.emplace(context_, options_.credentials);
        router_.set(ZMQ_CURVE_SERVER, 1);
        router_.set(ZMQ_CURVE_SECRETKEY, options_.credentials->secret);
        router_.set(ZMQ_ZAP_DOMAIN, "stoa");
    }

    absl::Status bind() {
        const std::string port = options_.port == 0 ? "*" : std::to_string(options_.port);
        if (zmq_bind(router_.get(), concat("tcp://", options_.bind_address, ":", port).c_str()) != 0) {
            return bindError(options_, errno);
        }
        port_ = portOf(router_);
        return absl::OkStatus();
    }

    void start() {
        startThread("stoa-acceptor", [this] { run(); });
    }

    // ---- The owner's side ----

    std::uint16_t port() const { return port_; }

    void send(Peer peer, Body body) {
        if (sendsAreFull()) {
            command({Command::kCut, peer, nullptr, {}}, 0);
            return;
        }
        const std::size_t bytes = body->size();
        command({Command::kSend, peer, std::move(body), {}}, bytes);
    }

    void close(Peer peer, std::string why) { command({Command::kClose, peer, nullptr, std::move(why)}, 0); }

    void lead(std::uint64_t epoch) { command({Command::kLead, epoch, nullptr, {}}, 0); }

private:
    // ---- The network thread ----

    void run() {
        while (!stopping()) turn(clock_.pollTimeout(table_.nextDeadline()));
        sayGoodbye();
        router_ = zeromq::Socket();
    }

    void sayGoodbye() {
        if (options_.linger <= Duration::zero()) return;
        carryOutCommands();
        clock_.resume();
        table_.closeAll("the master stops", clock_.now());
        table_.flush(clock_.now(), out_);
        transmit();
        const Time end = bootTime() + options_.linger;
        while (table_.closingCount() > 0 && bootTime() < end) {
            const std::optional<Time> deadline = table_.nextDeadline();
            const Time bound = clock_.now() + (end - bootTime());
            turn(clock_.pollTimeout(deadline ? std::min(*deadline, bound) : bound));
        }
        router_.set(ZMQ_LINGER, kLastFlushMilliseconds);
    }

    void turn(long timeout) {
        pollfd items[] = {{commandsFd(), POLLIN, 0},
                          {wakeFd(), POLLIN, 0},
                          {zap_ ? zap_->fd() : -1, POLLIN, 0},
                          {router_.fd(), POLLIN, 0}};
        if (unread_ && !clock_.paused()) timeout = 0;
        const nfds_t polled = clock_.paused() ? 3 : 4;
        if (::poll(items, polled, static_cast<int>(timeout)) < 0 && errno != EINTR) PLOG(FATAL) << "poll";
        if (items[1].revents != 0) lowerWake();
        if (items[2].revents != 0) zap_->serve();
        if (items[3].revents != 0) unread_ = true;
        letOwnerCatchUp(clock_, counters_);

        const bool all_read = !clock_.paused() && read();
        carryOutCommands();
        rounds_ = all_read ? 0 : rounds_ + 1;
        if (all_read || (!clock_.paused() && rounds_ > kRoundsWithoutTimers)) {
            table_.tick(clock_.now(), out_);
        } else {
            table_.flush(clock_.now(), out_);
        }
        transmit();
        counters_.sessions = table_.counters();
        counters_.open_sessions = table_.openCount();
        publish(counters_);
        reveal(out_.arrivals, bytesOf(out_.arrivals));
    }

    // True when nothing is left to be read.
    bool read() {
        const Time now = clock_.now();
        for (int i = 0; unread_ && i < kReadAtOnce; ++i) {
            zeromq::Received received = zeromq::receive(router_, &routing_id_, zap_ ? &principal_ : nullptr);
            if (std::holds_alternative<zeromq::NoMessage>(received)) {
                unread_ = false;
                break;
            }
            if (const auto* malformed = std::get_if<zeromq::Malformed>(&received)) {
                ++counters_.malformed[static_cast<std::size_t>(malformed->error)];
                LOG_EVERY_T(WARNING, 1) << "dropped a message from " << malformed->address
                                        << " that is no frame: wrong " << name(malformed->error) << " ("
                                        << counters_.malformedTotal() << " so far)";
                continue;
            }
            Frame& frame = std::get<Frame>(received);
            counters_.bytes_in += kFrameHeaderSize + frame.bodySize();
            if (zap_) (routing_id_ += kPrincipalFollows) += principal_;
            const std::size_t known = out_.arrivals.size();
            table_.onFrame(routing_id_, std::move(frame), now, out_);
            if (zap_) namePrincipal(known);
        }
        return !unread_;
    }

    void namePrincipal(std::size_t from) {
        for (std::size_t i = from; i < out_.arrivals.size(); ++i) {
            if (auto* opened = std::get_if<arrival::Opened>(&out_.arrivals[i])) opened->principal = principal_;
        }
    }

    void carryOutCommands() {
        const Time now = clock_.now();
        for (Command& command : takeCommands()) {
            switch (command.kind) {
            case Command::kSend:
                if (!table_.send(command.peer, std::move(command.body), now, out_)) ++counters_.stale_sends;
                break;
            case Command::kClose: table_.close(command.peer, command.why, now); break;
            case Command::kCut: table_.cut(command.peer, "too much waits to be sent", now, out_); break;
            case Command::kLead: table_.lead(command.peer); break;
            }
        }
    }

    void transmit() {
        for (const SessionTable::FrameTo& to : out_.frames) {
            if (zeromq::send(router_, zap_ ? &(routing_id_ = routingIdOf(to.connection)) : &to.connection, to.frame)) {
                counters_.bytes_out += kFrameHeaderSize + to.frame.bodySize();
            } else {
                ++counters_.unsent; // as if lost on the way: the session sends it again
            }
        }
        if (!out_.frames.empty()) unread_ |= router_.arrived();
        out_.frames.clear();
    }

    const AcceptorOptions options_;
    std::uint16_t port_ = 0;

    // The network thread's, once it runs.
    zeromq::Context context_;
    std::optional<ZapDesk> zap_; // asked by the router's connections
    zeromq::Socket router_;
    bool unread_ = true; // something may be there to be read
    SessionTable table_;
    ReaderClock clock_;
    WireCounters counters_;
    SessionTable::Output out_;
    std::string routing_id_;
    std::string principal_; // of whom the last message came from, where there are credentials
    int rounds_ = 0;
};

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::create(const AcceptorOptions& options) {
    auto network = std::make_unique<Network>(options);
    if (absl::Status bound = network->bind(); !bound.ok()) return bound;
    network->start();
    return std::unique_ptr<Acceptor>(new Acceptor(std::move(network)));
}

Acceptor::Acceptor(std::unique_ptr<Network> network) : network_(std::move(network)) {}

Acceptor::~Acceptor() { network_->stop(); }

std::uint16_t Acceptor::boundPort() const { return network_->port(); }

int Acceptor::eventFd() const { return network_->eventFd(); }

std::vector<Arrival> Acceptor::take() { return network_->take(); }

void Acceptor::send(Peer peer, Body body) { network_->send(peer, std::move(body)); }

void Acceptor::close(Peer peer, std::string why) { network_->close(peer, std::move(why)); }

void Acceptor::lead(std::uint64_t epoch) { network_->lead(epoch); }

WireCounters Acceptor::counters() const { return network_->counters(); }

} // namespace stoa
