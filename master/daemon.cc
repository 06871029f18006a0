#include "master/daemon.h"

#include "master/allocator_loader.h"
#include "protocol/boot_clock.h"
#include "protocol/strings.h"

#include <absl/strings/str_format.h>
#include <glog/logging.h>

#include <poll.h>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
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
    Destination operator()(const CallAnswered& effect) const { return effect.peer; }
    Destination operator()(const Delta&) const { return kReadModel; }
};

std::uint64_t makeSeed() {
    std::random_device chance;
    return (std::uint64_t{chance()} << 32) | chance();
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

Daemon::Daemon(DaemonOptions options) : options_(std::move(options)), started_(bootTime()) {}

// Doors close before what they ask of is gone.
Daemon::~Daemon() {
    office_.reset(); // the next leader needn't wait for goodbyes
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

    if (options_.zookeeper.empty()) {
        if (absl::Status leading = openAlone(); !leading.ok()) return leading;
    }

    // core -> read model -> readers; readers -> questions -> core; schedulers, operators -> calls -> core
    std::string host = options_.advertise_host;
    if (host.empty()) {
        char name[256] = {};
        const bool any = options_.ip == "0.0.0.0" || options_.ip == "::";
        host = !any ? options_.ip : ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
    }
    Identity identity;
    if (registry_) identity.id = registry_->masterId();
    identity.epoch = registry_ ? registry_->epoch() : 0;
    identity.address = {host, options_.port};
    identity.wire_port = options_.zmq_port;
    identity.version = options_.version;
    identity.started = wallTime();
    identity.flags = options_.flags;
    http::ServerOptions serving;
    serving.host = options_.ip;
    serving.port = options_.port;
    absl::StatusOr<std::unique_ptr<HttpDoor>> http =
        HttpDoor::start(std::move(serving), std::move(identity), questions_, calls_, options_.credentials);
    if (!http.ok()) return http.status();
    http_ = *std::move(http);
    options_.core.address = {host, http_->port()};

    // agents, frameworks <-> wire <-> core
    AcceptorOptions accepting;
    accepting.bind_address = options_.ip;
    accepting.port = options_.zmq_port;
    accepting.credentials = options_.credentials;
    accepting.epoch = registry_ ? registry_->epoch() : 0;
    absl::StatusOr<std::unique_ptr<Acceptor>> acceptor = Acceptor::create(accepting);
    if (!acceptor.ok()) return acceptor.status();
    acceptor_ = *std::move(acceptor);
    wire_ = std::make_unique<WireDoor>(*acceptor_, options_.credentials);
    http_->setWirePort(acceptor_->boundPort());

    if (registry_) {
        lead();
    } else if (absl::Status standing = stand(host); !standing.ok()) {
        return standing;
    }
    return writePortFile();
}

// registry -> core: who we are, and what is known
absl::Status Daemon::openAlone() {
    std::error_code error;
    std::filesystem::create_directories(options_.work_dir, error);
    if (error) {
        return absl::UnavailableError(
            concat("--work_dir: can't make ", options_.work_dir.native(), ": ", error.message()));
    }
    absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::open(options_.work_dir / "registry.db");
    if (!registry.ok()) return registry.status();
    registry_ = *std::move(registry);
    return absl::OkStatus();
}

// office -> registry -> core, when elected; until then the core knows nothing, and answers no more than metrics.
absl::Status Daemon::stand(const std::string& host) {
    MasterInfo self;
    self.id = absl::StrFormat("%016x", makeSeed());
    self.host = host;
    self.hostname = host;
    self.http_port = http_->port();
    self.wire_port = acceptor_->boundPort();
    self.version = options_.version;
    absl::StatusOr<std::unique_ptr<Office>> office =
        Office::open(options_.zookeeper, std::move(self), options_.zookeeper_timeout);
    if (!office.ok()) return invalid("--zk: ", office.status().message());
    office_ = *std::move(office);
    Options nobody = options_.core;
    nobody.epoch = 0;
    core_ = std::make_unique<Master>(std::move(nobody), Recovered{}, bootTime(), wallTime());
    return absl::OkStatus();
}

void Daemon::lead() {
    options_.core.master_id = registry_->masterId();
    options_.core.epoch = registry_->epoch();
    options_.core.seed = makeSeed();
    core_ = std::make_unique<Master>(options_.core, registry_->takeRecovered(), bootTime(), wallTime());
    std::map<std::string, double> weights;
    for (const allocator::RoleHoldings& role : core_->allocator().roles()) {
        weights[role.role] = static_cast<double>(role.weight.count) / 1000;
    }
    http_->setWeights(std::move(weights));
    http_->lead(registry_->masterId(), registry_->epoch());
    LOG(INFO) << "master " << registry_->masterId() << " leads, epoch " << registry_->epoch() << ": HTTP on "
              << options_.core.address.host << ":" << http_->port() << ", ZeroMQ on port " << acceptor_->boundPort();
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
    while (!stopAsked()) {
        if (absl::Status ended = turnOffice(); !ended.ok()) return ended;
        if (!registry_) {
            turnStandby();
            wait();
            continue;
        }
        turn();
        if (absl::Status failed = registry_->failure(); !failed.ok()) {
            // The core believes what was not kept, so nothing more may be said.
            if (!office_) {
                return absl::Status(failed.code(), concat(failed.message(), "; the master ends, since it can't keep "
                                                                            "what it decides"));
            }
            office_->writeFailed(failed, bootTime());
            continue;
        }
        wait();
    }
    LOG(INFO) << "stopping";
    return registry_ ? registry_->flush() : absl::OkStatus();
}

// The ports that were taken are kept: others know them.
absl::Status Daemon::serve(DaemonOptions options) {
    for (;;) {
        absl::StatusOr<std::unique_ptr<Daemon>> daemon = start(options);
        if (!daemon.ok()) return daemon.status();
        absl::Status ended = (*daemon)->run();
        if (!absl::IsAborted(ended)) return ended;
        LOG(WARNING) << "this master leads no longer: " << ended.message() << "; it starts over as a standby";
        options.port = (*daemon)->http_->port();
        options.zmq_port = (*daemon)->acceptor_->boundPort();
    }
}

// What ZooKeeper says comes before everything else that arrived.
absl::Status Daemon::turnOffice() {
    if (!office_) return absl::OkStatus();
    Office::News news = office_->turn(bootTime());
    if (!news.refused.ok()) return news.refused;
    if (news.step_down) return absl::AbortedError(*news.step_down);
    if (news.leader) {
        http_->stand(*std::move(news.leader));
        http_->setMasters(std::move(news.masters));
    }
    if (news.registry) {
        registry_ = std::move(news.registry);
        lead();
        acceptor_->lead(registry_->epoch());
    }
    return absl::OkStatus();
}

bool Daemon::mayLead() const { return !office_ || office_->leads(bootTime()); }

void Daemon::wait() const {
    int timeout = -1;
    std::optional<Time> deadline;
    if (registry_) deadline = core_->nextDeadline();
    if (office_) {
        const std::optional<Time> theirs = office_->nextDeadline();
        if (theirs && (!deadline || *theirs < *deadline)) deadline = theirs;
    }
    if (deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - bootTime()).count();
        timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }
    pollfd waited[] = {{signals_.get(), POLLIN, 0},
                       {acceptor_->eventFd(), POLLIN, 0},
                       {office_ ? office_->descriptors()[0] : registry_->eventFd(), POLLIN, 0},
                       {office_ ? office_->descriptors()[1] : -1, POLLIN, 0},
                       {questions_.eventFd(), POLLIN, 0},
                       {calls_.eventFd(), POLLIN, 0}};
    // Interrupted or not, the next turn looks at everything.
    (void)::poll(waited, std::size(waited), timeout);
}

bool Daemon::stopAsked() const {
    signalfd_siginfo info;
    return ::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info);
}

// Who is here is remembered; what he would say is said to whoever leads.
void Daemon::turnStandby() {
    ++turns_;
    for (const Arrival& arrival : acceptor_->take()) (void)wire_->read(arrival);
    if (questions_.any()) questions_.answerAll(glance());
}

void Daemon::turn() {
    ++turns_;
    const Time now = bootTime();
    const WallTime wall = wallTime();
    Output output;
    for (const Arrival& arrival : acceptor_->take()) {
        if (std::optional<Input> input = wire_->read(arrival)) core_->step(*input, now, wall, output);
    }
    for (HttpArrival& arrival : calls_.take()) {
        if (std::optional<Input> input = schedulers_.read(arrival, *core_)) core_->step(*input, now, wall, output);
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
    // The process may have been stopped since it looked: what is said now would be said by nobody in office.
    if (!mayLead()) return;

    std::vector<Delta> deltas;
    for (Effect& effect : commit_.take()) {
        if (auto* delta = std::get_if<Delta>(&effect)) {
            log(*delta);
            deltas.push_back(std::move(*delta));
        } else if (const auto* to_agent = std::get_if<ToAgentPeer>(&effect)) {
            wire_->say(*to_agent);
        } else if (const auto* to_framework = std::get_if<ToFrameworkPeer>(&effect)) {
            SchedulerDoor::isHttp(to_framework->peer) ? schedulers_.say(*to_framework) : wire_->say(*to_framework);
        } else if (const auto* answer = std::get_if<CallAnswered>(&effect)) {
            schedulers_.say(*answer);
        } else {
            const auto& close = std::get<ClosePeer>(effect);
            SchedulerDoor::isHttp(close.peer) ? schedulers_.say(close) : wire_->say(close);
        }
    }
    http_->show(std::move(deltas));
}

Glance Daemon::glance() const {
    return {*core_,
            bootTime(),
            acceptor_->counters(),
            http_->counts(),
            registry_ ? registry_->commits() : 0,
            registry_ ? registry_->version() : 0,
            commit_.heldCount(),
            wire_->malformed(),
            turns_,
            started_};
}

} // namespace stoa::master
