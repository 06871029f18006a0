#include "master/daemon.h"

#include "master/allocator_loader.h"
#include "protocol/boot_clock.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <fstream>
#include <random>
#include <system_error>

namespace stoa::master {

namespace {

// Effects to one peer keep their order, and so do deltas.
constexpr Destination kReadModel = 0; // peers count from 1

struct DestinationOf {
    Destination operator()(const ToAgentPeer& effect) const { return effect.peer; }
    Destination operator()(const ToFrameworkPeer& effect) const { return effect.peer; }
    Destination operator()(const ClosePeer& effect) const { return effect.peer; }
    Destination operator()(const Delta&) const { return kReadModel; }
};

WallTime wallTime() {
    std::timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return {std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec};
}

sigset_t stopSignals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

std::string_view text(AgentChanged::State state) {
    switch (state) {
    case AgentChanged::State::kActive: return "is here";
    case AgentChanged::State::kDisconnected: return "lost its session";
    case AgentChanged::State::kUnreachable: return "is unreachable";
    case AgentChanged::State::kRecovered: return "is awaited";
    }
    return "";
}

// What an operator wants to find in the log: agents and frameworks, but no tasks, which are too many.
void log(const Delta& delta) {
    if (const auto* agent = std::get_if<AgentChanged>(&delta)) {
        LOG(INFO) << "agent " << agent->info.id << " (" << agent->info.hostname << ") " << text(agent->state);
    } else if (const auto* gone = std::get_if<AgentForgotten>(&delta)) {
        LOG(INFO) << "agent " << gone->agent << " stopped for good";
    } else if (const auto* framework = std::get_if<FrameworkChanged>(&delta)) {
        LOG(INFO) << "framework " << framework->info.id << " (" << framework->info.name << ") "
                  << (framework->active ? "is here" : "is away");
    } else if (const auto* removed = std::get_if<FrameworkForgotten>(&delta)) {
        LOG(INFO) << "framework " << removed->framework << " is removed";
    }
}

} // namespace

void blockSignals() {
    const sigset_t set = stopSignals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

// ---- Starting ----------------------------------------------------------------------------------------------------

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options) {
    std::unique_ptr<Daemon> daemon(new Daemon(std::move(options)));
    if (absl::Status opened = daemon->open(); !opened.ok()) return opened;
    return daemon;
}

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)) {}

// Doors close before what they ask of is gone.
Daemon::~Daemon() {
    acceptor_.reset();
    http_.reset();
}

absl::Status Daemon::open() {
    const sigset_t set = stopSignals();
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signals_) return absl::UnavailableError("can't wait for signals");

    // flags -> allocator: refused here, the core's constructor can't
    absl::StatusOr<const stoa_allocator_module_v1*> module = findAllocatorModule(options_.allocator);
    if (!module.ok()) return invalid("--allocator: ", module.status().message());
    options_.core.allocator.module = *module;
    if (auto allocator = allocator::Allocator::create(options_.core.allocator); !allocator.ok()) {
        return invalid("--allocator_parameters: ", allocator.status().message());
    }

    // registry -> core: who we are, and what is known
    std::error_code error;
    std::filesystem::create_directories(options_.work_dir, error);
    if (error) {
        return absl::UnavailableError(
            concat("--work_dir: can't make ", options_.work_dir.native(), ": ", error.message()));
    }
    absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::open(options_.work_dir / "registry.db");
    if (!registry.ok()) return registry.status();
    registry_ = *std::move(registry);
    options_.core.master_id = registry_->masterId();
    options_.core.epoch = registry_->epoch();
    options_.core.seed = std::random_device()();

    // core -> read model -> readers; readers -> questions -> core
    std::string host = options_.advertise_host;
    if (host.empty()) {
        char name[256] = {};
        const bool any = options_.ip == "0.0.0.0" || options_.ip == "::";
        host = !any ? options_.ip : ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
    }
    Identity identity{registry_->masterId(), registry_->epoch(), {host, options_.port}, options_.zmq_port,
                      options_.version,      wallTime(),         options_.flags};
    http::ServerOptions serving;
    serving.host = options_.ip;
    serving.port = options_.port;
    absl::StatusOr<std::unique_ptr<HttpDoor>> http =
        HttpDoor::start(std::move(serving), std::move(identity), questions_);
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
    options_.core.address = {host, http_->port()};

    // agents, frameworks <-> wire <-> core
    AcceptorOptions accepting;
    accepting.bind_address = options_.ip;
    accepting.port = options_.zmq_port;
    accepting.epoch = registry_->epoch();
    absl::StatusOr<std::unique_ptr<Acceptor>> acceptor = Acceptor::create(accepting);
    if (!acceptor.ok()) return acceptor.status();
    acceptor_ = *std::move(acceptor);
    wire_ = std::make_unique<WireDoor>(*acceptor_);
    http_->setWirePort(acceptor_->boundPort());

    core_ = std::make_unique<Master>(options_.core, registry_->takeRecovered(), bootTime(), wallTime());
    return writePortFile();
}

// Whoever waits for the file never sees half of it.
absl::Status Daemon::writePortFile() const {
    if (options_.port_file.empty()) return absl::OkStatus();
    std::filesystem::path unfinished = options_.port_file;
    unfinished += ".new";
    std::ofstream file(unfinished);
    file << http_->port() << "\n" << acceptor_->boundPort() << "\n";
    file.close();
    std::error_code error;
    if (file) std::filesystem::rename(unfinished, options_.port_file, error);
    if (!file || error) {
        return absl::UnavailableError(concat("--port_file: can't write ", options_.port_file.native()));
    }
    return absl::OkStatus();
}

// ---- Running -----------------------------------------------------------------------------------------------------

absl::Status Daemon::run() {
    LOG(INFO) << "master " << registry_->masterId() << " leads, epoch " << registry_->epoch() << ": HTTP on "
              << options_.core.address.host << ":" << http_->port() << ", ZeroMQ on port " << acceptor_->boundPort();
    while (!stopAsked()) {
        turn();
        if (absl::Status failed = registry_->failure(); !failed.ok()) {
            // The core believes what the disk refused, so nothing more may be said.
            return absl::Status(failed.code(),
                                concat(failed.message(), "; the master ends, since it can't keep what it "
                                                         "decides"));
        }
        wait();
    }
    LOG(INFO) << "stopping";
    return registry_->flush();
}

void Daemon::wait() const {
    int timeout = -1;
    if (std::optional<Time> deadline = core_->nextDeadline()) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - bootTime()).count();
        timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }
    pollfd waited[] = {{signals_.get(), POLLIN, 0},
                       {acceptor_->eventFd(), POLLIN, 0},
                       {registry_->eventFd(), POLLIN, 0},
                       {questions_.eventFd(), POLLIN, 0}};
    // Interrupted or not, the next turn looks at everything.
    (void)::poll(waited, std::size(waited), timeout);
}

bool Daemon::stopAsked() const {
    signalfd_siginfo info;
    return ::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info);
}

void Daemon::turn() {
    ++turns_;
    const Time now = bootTime();
    const WallTime wall = wallTime();
    Output output;
    for (const Arrival& arrival : acceptor_->take()) {
        if (std::optional<Input> input = wire_->read(arrival)) core_->step(*input, now, wall, output);
    }
    core_->turn(now, wall, output);
    carryOut(output);
    if (questions_.any()) questions_.answerAll(glance());
    for (const std::string& note : core_->takeAllocatorNotes()) LOG(WARNING) << "allocator: " << note;
}

void Daemon::carryOut(Output& output) {
    registry_->append(output.records, core_->recordsAppended());
    for (Output::Said& said : output.effects) {
        const Destination to = std::visit(DestinationOf{}, said.effect);
        commit_.add(to, std::move(said.effect), said.waits_for);
    }
    registry_->drain();
    if (registry_->failure().ok()) commit_.durable(registry_->durable());

    std::vector<Delta> deltas;
    for (Effect& effect : commit_.take()) {
        if (auto* delta = std::get_if<Delta>(&effect)) {
            log(*delta);
            deltas.push_back(std::move(*delta));
        } else if (const auto* to_agent = std::get_if<ToAgentPeer>(&effect)) {
            wire_->say(*to_agent);
        } else if (const auto* to_framework = std::get_if<ToFrameworkPeer>(&effect)) {
            wire_->say(*to_framework);
        } else {
            wire_->say(std::get<ClosePeer>(effect));
        }
    }
    http_->show(std::move(deltas));
}

Glance Daemon::glance() const {
    return {*core_,
            bootTime(),
            acceptor_->counters(),
            http_->counts(),
            registry_->commits(),
            commit_.heldCount(),
            wire_->malformed(),
            turns_};
}

} // namespace stoa::master
