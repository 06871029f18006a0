#include "protocol/wire/dialer.h"

#include "protocol/deadlines.h"
#include "protocol/rng.h"
#include "protocol/strings.h"
#include "protocol/wire/owner_link.h"
#include "protocol/wire/zeromq.h"

#include <glog/logging.h>

#include <absl/strings/numbers.h>
#include <poll.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <deque>
#include <mutex>
#include <optional>
#include <random>
#include <utility>

namespace stoa {
namespace {

// Frames read before sends get their turn.
constexpr int kReadAtOnce = 4096;
// So many rounds of reading without an end are followed by a look at the timers all the same.
constexpr int kRoundsWithoutTimers = 64;
// Frames kept here while ZeroMQ's queue is full; beyond, they are dropped as if lost, and sent again by their sessions.
constexpr std::size_t kMostUnsent = 8192;
// Many channels may fall silent together; one new connection is enough for all.
constexpr Duration kYoungestRenewed = std::chrono::seconds(1);
// At the end, for ZeroMQ to pass on what it was given.
constexpr int kLastFlushMilliseconds = 100;
// ZeroMQ's own heartbeat finds connections that died without a word, and tells the other side how long to wait.
constexpr int kHeartbeatMilliseconds = 5'000;
constexpr int kHeartbeatTimeoutMilliseconds = 15'000;
constexpr int kReconnectMilliseconds = 100;
constexpr int kReconnectMostMilliseconds = 2'000;
// A master that is killed may leave a handshake unfinished, but not so many after another.
constexpr int kVainHandshakes = 5;

// A name nobody else has, by which the acceptor knows this Dialer over all its connections. Its first byte isn't 0, which
// ZeroMQ keeps for names of its own; its length spares the copies an allocation.
std::string makeRoutingId() {
    std::random_device random;
    std::string id = "d";
    for (int i = 0; i < 14; ++i) id += static_cast<char>(random());
    return id;
}

std::uint64_t makeSeed() {
    std::random_device random;
    return (std::uint64_t{random()} << 32) | random();
}

absl::Status checkAddress(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    std::uint32_t port = 0;
    if (colon == 0 || colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) || port == 0 ||
        port > 65535) {
        return invalid("\"", address, "\" is not an address; write host:port, as in 127.0.0.1:5052");
    }
    return absl::OkStatus();
}

struct Command {
    std::uint32_t channel = 0;
    std::uint64_t session = 0;
    Body body; // null: end the session
};

} // namespace

class Dialer::Network : public OwnerLink<DialerArrival, Command> {
public:
    explicit Network(const DialerOptions& options)
        : OwnerLink({kMostArrivals, kMostArrivalBytes, kMostSendBytes}), options_(options),
          sessions_of_owner_(options.channels), highest_epoch_(options.highest_epoch), context_(1),
          routing_id_(makeRoutingId()), rng_(makeSeed()) {}

    absl::Status connect() {
        if (absl::Status form = checkAddress(options_.address); !form.ok()) return form;
        if (options_.channels == 0) return invalid("a dialer has at least one channel");
        if (!openSocket()) {
            return invalid("can't connect to \"", options_.address, "\": ", zmq_strerror(errno));
        }
        channels_.reserve(options_.channels);
        for (std::uint32_t i = 0; i < options_.channels; ++i) {
            channels_.push_back(
                {DialerSession(i, options_.highest_epoch, rng_, session_counters_, clock_.now(), options_.session),
                 false});
            touch(i);
        }
        return absl::OkStatus();
    }

    void start() {
        startThread("stoa-dialer", [this] { run(); });
    }

    // ---- The owner's side ----

    std::vector<DialerArrival> take() {
        std::vector<DialerArrival> taken = OwnerLink::take();
        for (const DialerArrival& arrival : taken) {
            if (auto* connected = std::get_if<dialed::Connected>(&arrival)) {
                sessions_of_owner_[connected->channel] = connected->session;
            } else if (auto* gone = std::get_if<dialed::Gone>(&arrival)) {
                sessions_of_owner_[gone->channel] = 0;
            }
        }
        return taken;
    }

    bool send(Body body, std::uint32_t channel) {
        const std::uint64_t session = channel < sessions_of_owner_.size() ? sessions_of_owner_[channel] : 0;
        if (session == 0) return false;
        sendIn(session, std::move(body), channel);
        return true;
    }

    void sendIn(std::uint64_t session, Body body, std::uint32_t channel) {
        // Beyond the bound the message is left out and its session ended: a null body says so.
        if (sendsAreFull()) body = nullptr;
        const std::size_t bytes = body ? body->size() : 0;
        command({channel, session, std::move(body)}, bytes);
    }

    std::uint64_t highestEpoch() const { return highest_epoch_.load(); }

    std::optional<std::string> refusal() const {
        const std::lock_guard lock(refusal_mutex_);
        return refusal_;
    }

    void raiseEpoch(std::uint64_t epoch) {
        raiseTo(epoch);
        wake();
    }

private:
    struct Channel {
        DialerSession session;
        bool touched = false;
    };

    void raiseTo(std::uint64_t epoch) {
        std::uint64_t seen = highest_epoch_.load();
        while (seen < epoch && !highest_epoch_.compare_exchange_weak(seen, epoch)) {}
    }

    // ---- The network thread ----

    bool openSocket() {
        closeSocket();
        dealer_ = zeromq::Socket(context_, ZMQ_DEALER);
        zeromq::setBounds(dealer_);
        dealer_.set(ZMQ_ROUTING_ID, routing_id_);
        dealer_.set(ZMQ_LINGER, 0);
        if (options_.credentials) {
            dealer_.set(ZMQ_CURVE_SERVERKEY, options_.credentials->server);
            dealer_.set(ZMQ_CURVE_PUBLICKEY, options_.credentials->public_key);
            dealer_.set(ZMQ_CURVE_SECRETKEY, options_.credentials->secret);
        }
        dealer_.set(ZMQ_HEARTBEAT_IVL, kHeartbeatMilliseconds);
        dealer_.set(ZMQ_HEARTBEAT_TIMEOUT, kHeartbeatTimeoutMilliseconds);
        dealer_.set(ZMQ_HEARTBEAT_TTL, kHeartbeatTimeoutMilliseconds);
        dealer_.set(ZMQ_RECONNECT_IVL, kReconnectMilliseconds);
        dealer_.set(ZMQ_RECONNECT_IVL_MAX, kReconnectMostMilliseconds);
        // Tells when a connection stands, so that a restarted master is asked at once whether it knows the sessions, and
        // when none can.
        const std::string events = concat("inproc://events-", ++sockets_opened_);
        constexpr int kWanted = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                                ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
        CHECK_EQ(zmq_socket_monitor(dealer_.get(), events.c_str(), kWanted), 0) << zmq_strerror(errno);
        monitor_ = zeromq::Socket(context_, ZMQ_PAIR);
        monitor_.set(ZMQ_LINGER, 0);
        CHECK_EQ(zmq_connect(monitor_.get(), events.c_str()), 0) << zmq_strerror(errno);
        handshakes_ = 0;
        readEvents(); // there are none, but only who has found none is woken by the next
        unread_ = true;
        opened_at_ = clock_.now();
        return zmq_connect(dealer_.get(), concat("tcp://", options_.address).c_str()) == 0;
    }

    void closeSocket() {
        // An event that nobody reads would hold up ZeroMQ's own thread: end the events first.
        if (dealer_) zmq_socket_monitor(dealer_.get(), nullptr, 0);
        monitor_ = zeromq::Socket();
        dealer_ = zeromq::Socket();
    }

    void run() {
        while (!stopping()) turn(clock_.pollTimeout(deadlines_.next()));
        sayGoodbye();
        closeSocket();
    }

    void sayGoodbye() {
        if (options_.linger <= Duration::zero()) return;
        clock_.resume();
        carryOutCommands();
        bool connected = false;
        for (std::uint32_t i = 0; i < channels_.size(); ++i) {
            connected |= channels_[i].session.session() != 0;
            channels_[i].session.close("the peer stops", clock_.now(), out_);
            touch(i);
        }
        flush();
        transmit();
        const Time end = bootTime() + options_.linger;
        while (connected && !allClosed() && bootTime() < end) {
            const std::optional<Time> deadline = deadlines_.next();
            const Time bound = clock_.now() + (end - bootTime());
            turn(clock_.pollTimeout(deadline ? std::min(*deadline, bound) : bound));
        }
        if (handshakes_ > 0) dealer_.set(ZMQ_LINGER, kLastFlushMilliseconds);
    }

    bool allClosed() const {
        for (const Channel& channel : channels_) {
            if (!channel.session.closed()) return false;
        }
        return true;
    }

    void turn(long timeout) {
        // The first turn has openings to send.
        if (!touched_.empty()) timeout = 0;
        pollfd items[] = {
            {commandsFd(), POLLIN, 0}, {wakeFd(), POLLIN, 0}, {monitor_.fd(), POLLIN, 0}, {dealer_.fd(), POLLIN, 0}};
        if (unread_ && !clock_.paused()) timeout = 0;
        const nfds_t polled = clock_.paused() ? 3 : 4;
        if (::poll(items, polled, static_cast<int>(timeout)) < 0 && errno != EINTR) PLOG(FATAL) << "poll";
        if (items[1].revents != 0) lowerWake();
        // Also tells that a full queue has room again.
        if (items[3].revents != 0) unread_ = true;
        if (items[2].revents != 0) readEvents();
        letOwnerCatchUp(clock_, counters_);

        const bool all_read = !clock_.paused() && read();
        carryOutCommands();
        spreadEpoch();
        rounds_ = all_read ? 0 : rounds_ + 1;
        if (all_read || (!clock_.paused() && rounds_ > kRoundsWithoutTimers)) {
            while (std::optional<Deadlines::Slot> due = deadlines_.popDue(clock_.now())) {
                channels_[*due].session.tick(clock_.now(), out_);
                settleDeadline(*due);
            }
        }
        flush();
        transmit();
        if (std::exchange(out_.renew_transport, false) && clock_.now() - opened_at_ >= kYoungestRenewed) renew();
        reveal();
    }

    // An event is a number and a value, and as a second part the address.
    void readEvents() {
        std::vector<std::string> parts;
        while (zeromq::receiveParts(monitor_, parts)) {
            std::uint16_t event = 0;
            std::uint32_t value = 0;
            if (parts.front().size() != sizeof event + sizeof value) continue;
            std::memcpy(&event, parts.front().data(), sizeof event);
            std::memcpy(&value, parts.front().data() + sizeof event, sizeof value);
            if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
                onHandshake();
            } else {
                onVainHandshake(event, value);
            }
        }
    }

    // After a socket's first, the connection was lost and stands again, perhaps with another master.
    void onHandshake() {
        vain_handshakes_ = 0;
        refuse(std::nullopt);
        if (++handshakes_ == 1) return;
        for (std::uint32_t i = 0; i < channels_.size(); ++i) {
            channels_[i].session.probe();
            touch(i);
        }
    }

    void onVainHandshake(std::uint16_t event, std::uint32_t value) {
        ++vain_handshakes_;
        const std::string master = concat("the master at ", options_.address);
        const bool mechanism =
            event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL && value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
        if (mechanism && !options_.credentials) {
            refuse(concat(master, " admits only whom it knows: give it a credential (--credentials=FILE of a daemon; "
                                  "--credential=FILE or STOA_CREDENTIAL of a command or framework)"));
        } else if (mechanism) {
            refuse(concat(master, " takes no credentials, and so isn't the one that those of \"",
                          options_.credentials->principal, "\" are for: was it started without --credentials?"));
        } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
            refuse(concat(master, " doesn't admit \"", options_.credentials ? options_.credentials->principal : "",
                          "\": its credentials name no such principal, or with another key"));
        } else if (options_.credentials && vain_handshakes_ >= kVainHandshakes) {
            refuse(concat(master, " can't prove to be the one that the credential of \"",
                          options_.credentials->principal, "\" is for: its key is another one than \"server\" there"));
        }
    }

    void refuse(std::optional<std::string> why) {
        {
            const std::lock_guard lock(refusal_mutex_);
            if (refusal_ == why) return;
            refusal_ = why;
        }
        if (why) ringOwner();
    }

    // True when nothing is left to be read.
    bool read() {
        const Time now = clock_.now();
        for (int i = 0; unread_ && i < kReadAtOnce; ++i) {
            zeromq::Received received = zeromq::receive(dealer_, nullptr);
            if (std::holds_alternative<zeromq::NoMessage>(received)) {
                unread_ = false;
                break;
            }
            if (const auto* malformed = std::get_if<zeromq::Malformed>(&received)) {
                drop(malformed->error, malformed->address);
                continue;
            }
            Frame& frame = std::get<Frame>(received);
            if (frame.channel >= channels_.size()) {
                drop(FrameError::kFields, options_.address);
                continue;
            }
            counters_.bytes_in += kFrameHeaderSize + frame.bodySize();
            const std::uint32_t channel = frame.channel;
            const std::uint64_t refused = session_counters_.refused_epoch;
            const std::uint64_t epoch = frame.epoch;
            channels_[channel].session.onFrame(std::move(frame), now, out_);
            if (session_counters_.refused_epoch != refused) {
                LOG_EVERY_T(WARNING, 10) << "refused the master at " << options_.address << ": its epoch " << epoch
                                         << " is lower than " << highestEpoch() << ", which was seen before";
            }
            touch(channel);
        }
        return !unread_;
    }

    void drop(FrameError error, const std::string& address) {
        ++counters_.malformed[static_cast<std::size_t>(error)];
        LOG_EVERY_T(WARNING, 1) << "dropped a message from " << address << " that is no frame: wrong " << name(error)
                                << " (" << counters_.malformedTotal() << " so far)";
    }

    void carryOutCommands() {
        const Time now = clock_.now();
        for (Command& command : takeCommands()) {
            if (command.channel >= channels_.size()) {
                ++counters_.stale_sends;
                continue;
            }
            DialerSession& session = channels_[command.channel].session;
            if (!command.body) {
                session.cut(command.session, "too much waits to be sent", now, out_);
            } else if (!session.send(command.session, std::move(command.body), now, out_)) {
                ++counters_.stale_sends;
            }
            touch(command.channel);
        }
    }

    // What one channel, another Dialer or the owner has seen holds for all.
    void spreadEpoch() {
        for (std::uint32_t channel : touched_) raiseTo(channels_[channel].session.highestEpoch());
        const std::uint64_t highest = highest_epoch_.load();
        if (highest == spread_epoch_) return;
        spread_epoch_ = highest;
        for (std::uint32_t i = 0; i < channels_.size(); ++i) {
            channels_[i].session.raiseEpoch(highest, clock_.now(), out_);
            touch(i);
        }
    }

    void touch(std::uint32_t channel) {
        if (!std::exchange(channels_[channel].touched, true)) touched_.push_back(channel);
    }

    void settleDeadline(std::uint32_t channel) {
        if (std::optional<Time> deadline = channels_[channel].session.nextDeadline())
            deadlines_.lower(channel, *deadline);
    }

    void flush() {
        for (std::uint32_t channel : touched_) {
            channels_[channel].touched = false;
            channels_[channel].session.flush(clock_.now(), out_);
            settleDeadline(channel);
        }
        touched_.clear();
    }

    void transmit() {
        const bool sends = !unsent_.empty() || !out_.frames.empty();
        while (!unsent_.empty() && sendOne(unsent_.front())) unsent_.pop_front();
        for (Frame& frame : out_.frames) {
            if (unsent_.empty() && sendOne(frame)) continue;
            ++counters_.unsent;
            if (unsent_.size() < kMostUnsent) unsent_.push_back(std::move(frame));
        }
        out_.frames.clear();
        if (sends) unread_ |= dealer_.arrived();
    }

    void reveal() {
        std::size_t bytes = 0;
        for (const DialerArrival& arrival : out_.arrivals) {
            if (auto* message = std::get_if<dialed::Message>(&arrival)) {
                bytes += message->body->size();
            } else {
                std::holds_alternative<dialed::Connected>(arrival) ? ++counters_.open_sessions
                                                                   : --counters_.open_sessions;
            }
        }
        counters_.sessions = session_counters_;
        publish(counters_);
        OwnerLink::reveal(out_.arrivals, bytes);
    }

    bool sendOne(const Frame& frame) {
        if (!zeromq::send(dealer_, nullptr, frame)) return false;
        counters_.bytes_out += kFrameHeaderSize + frame.bodySize();
        return true;
    }

    void renew() {
        unsent_.clear();
        if (!openSocket()) LOG(ERROR) << "can't connect to " << options_.address << ": " << zmq_strerror(errno);
    }

    const DialerOptions options_;
    std::vector<std::uint64_t> sessions_of_owner_; // by channel, as the owner has taken them; 0: none

    std::atomic<std::uint64_t> highest_epoch_; // shared with the owner
    mutable std::mutex refusal_mutex_;
    std::optional<std::string> refusal_; // likewise, under the mutex

    // The network thread's, once it runs.
    zeromq::Context context_;
    const std::string routing_id_;
    Rng rng_;
    ReaderClock clock_;
    zeromq::Socket dealer_;
    bool unread_ = true; // something may be there to be read
    zeromq::Socket monitor_;
    std::uint64_t sockets_opened_ = 0;
    std::uint64_t handshakes_ = 0; // of this socket
    int vain_handshakes_ = 0;      // since the last that succeeded
    Time opened_at_{};
    SessionCounters session_counters_;
    WireCounters counters_;
    std::uint64_t spread_epoch_ = 0;
    std::vector<Channel> channels_;
    std::vector<std::uint32_t> touched_;
    Deadlines deadlines_;
    DialerSession::Output out_;
    std::deque<Frame> unsent_;
    int rounds_ = 0;
};

absl::StatusOr<std::unique_ptr<Dialer>> Dialer::create(const DialerOptions& options) {
    auto network = std::make_unique<Network>(options);
    if (absl::Status connected = network->connect(); !connected.ok()) return connected;
    network->start();
    return std::unique_ptr<Dialer>(new Dialer(std::move(network)));
}

Dialer::Dialer(std::unique_ptr<Network> network) : network_(std::move(network)) {}

Dialer::~Dialer() { network_->stop(); }

int Dialer::eventFd() const { return network_->eventFd(); }

std::vector<DialerArrival> Dialer::take() { return network_->take(); }

bool Dialer::send(Body body, std::uint32_t channel) { return network_->send(std::move(body), channel); }

void Dialer::sendIn(std::uint64_t session, Body body, std::uint32_t channel) {
    network_->sendIn(session, std::move(body), channel);
}

std::uint64_t Dialer::highestEpoch() const { return network_->highestEpoch(); }

std::optional<std::string> Dialer::refusal() const { return network_->refusal(); }

void Dialer::raiseEpoch(std::uint64_t epoch) { network_->raiseEpoch(epoch); }

WireCounters Dialer::counters() const { return network_->counters(); }

} // namespace stoa
