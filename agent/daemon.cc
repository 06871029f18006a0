#include "agent/daemon.h"

#include "agent/detect.h"
#include "protocol/boot_clock.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/host_port.h"
#include "protocol/strings.h"

#include <absl/hash/hash.h>
#include <absl/strings/str_format.h>
#include <glog/logging.h>

#include <poll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <type_traits>

namespace stoa::agent {
namespace fs = std::filesystem;
namespace {

// How stale /metrics may be; and what the links count, which the loop isn't woken for.
constexpr Duration kMetricsEvery = std::chrono::milliseconds(200);
constexpr Duration kMetricsAnyway = std::chrono::seconds(5);

constexpr Destination kToMaster = 0;
constexpr Destination kToDoors = 1;

std::string firstLine(const char* file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

// 256 bits that nobody guesses.
std::string randomToken() {
    std::uint8_t bytes[32] = {};
    PCHECK(::getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
    std::string token;
    for (const std::uint8_t byte : bytes) token += absl::StrFormat("%02x", byte);
    return token;
}

// One container's effects keep their order; those of two may share a queue, which does no harm.
Destination destinationOf(const Effect& effect) {
    return std::visit(
        [](const auto& one) -> Destination {
            using Kind = std::decay_t<decltype(one)>;
            const auto of = [](const TaskKey& key) { return Destination{absl::HashOf(key)} | 2; };
            if constexpr (std::is_same_v<Kind, ToMaster> || std::is_same_v<Kind, Stop>)
                return kToMaster;
            else if constexpr (std::is_same_v<Kind, TaskChanged> || std::is_same_v<Kind, TaskGone> ||
                               std::is_same_v<Kind, ExecutorChanged> || std::is_same_v<Kind, ExecutorGone>)
                return kToDoors;
            else if constexpr (std::is_same_v<Kind, LaunchContainer>)
                return of(TaskKey{one.framework.id, one.task.id});
            else
                return of(one.key);
        },
        effect);
}

absl::Status cannotMake(const fs::path& path) {
    return absl::UnavailableError(concat("cannot make the directory ", path.string(), ": ", std::strerror(errno),
                                         ": choose another with --work_dir"));
}

absl::Status makeDirectory(const fs::path& path, mode_t mode) {
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (::mkdir(path.c_str(), mode) != 0) return errno == EEXIST ? absl::OkStatus() : cannotMake(path);
    if (::chmod(path.c_str(), mode) != 0) return cannotMake(path);
    return absl::OkStatus();
}

} // namespace

void blockSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
}

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::start(const DaemonOptions& options) {
    std::unique_ptr<Daemon> daemon(new Daemon(options));
    if (absl::Status opened = daemon->openParts(); !opened.ok()) return opened;
    return daemon;
}

absl::Status Daemon::makeDirectories() {
    const fs::path& work = options_.work_dir;
    for (const auto& [path, mode] : {std::pair(work, 0711), std::pair(work / "state", 0700),
                                     std::pair(work / "sandboxes", 0711), std::pair(work / "uploads", 0700)}) {
        if (absl::Status made = makeDirectory(path, static_cast<mode_t>(mode)); !made.ok()) return made;
    }
    // A directory of an earlier run on what is now mounted read-only looks well until something is written.
    if (::access((work / "state").c_str(), W_OK) != 0) {
        return absl::UnavailableError(concat("the work directory ", work.string(), " can't be written: ",
                                             std::strerror(errno), ": choose another with --work_dir"));
    }
    return absl::OkStatus();
}

absl::Status Daemon::openParts() {
    absl::StatusOr<Attributes> attributes = parseAttributes(options_.attributes);
    if (!attributes.ok()) return invalid("--attributes: ", toStd(attributes.status().message()));
    attributes_ = *std::move(attributes);
    if (absl::Status made = makeDirectories(); !made.ok()) return made;
    absl::StatusOr<Resources> resources = advertised(options_.resources, detectMachine(options_.work_dir));
    if (!resources.ok()) return resources.status();
    resources_ = *std::move(resources);

    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
    signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));

    // State first: it also keeps a second agent out of the work directory.
    auto state = AgentState::open(options_.work_dir / "state" / "agent.db");
    if (!state.ok()) return state.status();
    state_ = *std::move(state);

    LauncherOptions launcher;
    launcher.kind = options_.launcher;
    launcher.runtime = options_.runtime;
    launcher.shim = options_.shim;
    launcher.work_dir = options_.work_dir;
    launcher.run_dir = options_.run_dir.empty() ? options_.work_dir / "run" : options_.run_dir;
    launcher.output_cap_bytes = options_.output_cap_bytes;
    launcher.writable_roots = options_.writable_roots;
    launcher.work_directory_roots = options_.work_directory_roots;
    launcher.cgroups = options_.cgroups;
    launcher.seccomp = options_.seccomp;
    auto made = makeLauncher(std::move(launcher));
    if (!made.ok()) return made.status();
    launcher_ = *std::move(made);

    sandboxes_ = std::make_unique<Sandboxes>(options_.work_dir / "sandboxes");
    Collector::Options collect;
    collect.sandboxes = sandboxes_->root();
    collect.uploads = options_.work_dir / "uploads";
    collect.policy.age = options_.gc_delay;
    collect.every = std::clamp<Duration>(options_.gc_delay / 10, std::chrono::seconds(1), std::chrono::minutes(1));
    collector_ = std::make_unique<Collector>(std::move(collect));
    fetcher_ = std::make_unique<Fetcher>(Fetcher::Options{.credentials = options_.credentials});

    if (options_.enforce_disk)
        disk_ = std::make_unique<DiskWatch>(std::max<Duration>(options_.disk_watch_every, std::chrono::seconds(1)));

    // state -> containers: which container is whose. launcher, fetcher -> containers.
    ContainerMap::Options map;
    map.users = options_.users;
    map.disk = disk_.get();
    map.launch.pids_limit = options_.pids_limit;
    map.launch.output_cap_bytes = options_.output_cap_bytes;
    map.launch.executor_shutdown_grace = options_.executor_shutdown_grace;
    map.launch.executor_backoff_most = options_.executor_reregistration / 2; // so that none comes too late
    containers_ = std::make_unique<ContainerMap>(std::move(map), *launcher_, *fetcher_, *sandboxes_, *collector_);
    std::vector<Record> records = state_->takeRecords();
    auto known = containers_->recover(records);
    if (!known.ok()) return known.status();

    Doors::Options doors;
    doors.host = options_.ip;
    doors.port = options_.port;
    doors.sandboxes = sandboxes_->root();
    doors.uploads = options_.work_dir / "uploads";
    doors.flags = options_.flags;
    // The door opens before the core has told of its tasks, and the output of one that runs is not over.
    for (const launcher_says::KnownContainer& one : *known) {
        if (one.running || one.launching) doors.live.insert(Sandboxes::relative(one.key));
    }
    doors.executors = &executors_;
    doors.credentials = options_.credentials;
    doors.names = {options_.ip, hostname()};
    auto opened = Doors::start(std::move(doors));
    if (!opened.ok()) return opened.status();
    doors_ = *std::move(opened);

    if (absl::Status started = startCore(std::move(records), *std::move(known)); !started.ok()) return started;

    MasterLinksOptions dial;
    dial.master = options_.master;
    dial.highest_epoch = state_->highestEpoch();
    dial.every_master = true;
    dial.following.spread = options_.registration_spread;
    dial.credentials = options_.credentials;
    auto masters = MasterLinks::create(std::move(dial));
    if (!masters.ok()) return invalid("--master: ", toStd(masters.status().message()));
    masters_ = *std::move(masters);

    if (!options_.port_file.empty()) {
        std::ofstream file(options_.port_file);
        file << doors_->port() << "\n";
        file.close();
        if (!file) return absl::UnavailableError(concat("--port_file: cannot write ", options_.port_file));
    }
    return absl::OkStatus();
}

std::string Daemon::hostname() const {
    if (!options_.hostname.empty()) return options_.hostname;
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

std::pair<Address, std::string> Daemon::addressAndHostname() const {
    const bool any = options_.ip == "0.0.0.0" || options_.ip == "::";
    return {{any ? hostname() : options_.ip, doors_->port()}, hostname()};
}

absl::Status Daemon::startCore(std::vector<Record> records, std::vector<launcher_says::KnownContainer> containers) {
    Agent::Options core;
    std::tie(core.info.address, core.info.hostname) = addressAndHostname();
    core.info.resources = resources_;
    core.info.attributes = attributes_;
    core.info.isolation = launcher_->isolation();
    core.info.version = options_.version;
    core.incarnation = {firstLine("/proc/sys/kernel/random/boot_id"), state_->workId()};
    core.kill_grace = options_.kill_grace;
    core.executor_registration = options_.executor_registration;
    core.executor_reregistration = options_.executor_reregistration;
    core.executor_shutdown_grace = options_.executor_shutdown_grace;
    core.make_token = randomToken;
    containers_->setDoor(concat("http://", hostAndPort(core.info.address.host, core.info.address.port)));
    std::random_device device;
    rng_ = std::make_unique<Rng>(std::uint64_t{device()} << 32 | device());
    agent_ = std::make_unique<Agent>(std::move(core), Recovered{std::move(records), std::move(containers)}, *rng_,
                                     bootTime(), wallTime(), out_);
    containers_->setAgentId(agent_->info().id);
    shown_.push_back(agent_->info());
    carryOut();
    if (agent_->stopped()) {
        turn();
        return absl::FailedPreconditionError(stop_ ? stop_->why : "the agent can't go on with its state");
    }
    LOG(INFO) << "agent at " << agent_->info().hostname << ", door " << options_.ip << ":" << doors_->port()
              << ", offers " << resources_ << ", isolation " << launcher_->isolation() << ", " << agent_->tasks().size()
              << " tasks recovered";
    return absl::OkStatus();
}

absl::Status Daemon::run() {
    while (!stop_ && failure_.ok()) {
        if (!waitForEvents()) break;
        turn();
    }
    if (!failure_.ok()) return failure_;
    // What was said is sent by the links' end, what was written by the state's.
    if (absl::Status flushed = state_->flush(); !flushed.ok()) return flushed;
    if (stop_)
        LOG(INFO) << stop_->why;
    else
        LOG(INFO) << "the agent stops; its tasks go on";
    if (stop_ && stop_->failed) return absl::FailedPreconditionError(stop_->why);
    return absl::OkStatus();
}

Time Daemon::soonest() const {
    Time at = Time::max();
    for (const std::optional<Time>& one :
         {agent_->nextDeadline(), containers_->nextDeadline(), executors_.nextDeadline(), metrics_at_}) {
        if (one) at = std::min(at, *one);
    }
    return at;
}

bool Daemon::waitForEvents() {
    pollfd ready[] = {{signals_.get(), POLLIN, 0},      {launcher_->fd(), POLLIN, 0},
                      {fetcher_->eventFd(), POLLIN, 0}, {disk_ ? disk_->eventFd() : -1, POLLIN, 0},
                      {state_->eventFd(), POLLIN, 0},   {executors_.eventFd(), POLLIN, 0},
                      {masters_->eventFd(), POLLIN, 0}};
    timespec timeout{};
    const Time at = soonest();
    if (at != Time::max()) {
        const Duration wait = std::max(at - bootTime(), Duration(0));
        timeout.tv_sec = wait / std::chrono::seconds(1);
        timeout.tv_nsec = (wait % std::chrono::seconds(1)).count();
    }
    if (!containers_->hasInput()) ::ppoll(ready, std::size(ready), at == Time::max() ? nullptr : &timeout, nullptr);
    signalfd_siginfo signal{};
    while (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
        if (signal.ssi_signo != SIGUSR1) return false;
        LOG(INFO) << "SIGUSR1: the agent ends its tasks, unregisters and stops";
        step(Retire{});
    }
    return true;
}

// All that has happened, then one write to the state, then what may be carried out.
void Daemon::turn() {
    for (const Input& input : containers_->take(bootTime())) step(input);
    executors_.handle(
        *agent_, [this](const Input& input) { step(input); }, bootTime());
    if (masters_) takeFromMaster();
    state_->drain();
    if (absl::Status failed = state_->failure(); !failed.ok()) {
        failure_ =
            absl::Status(failed.code(), toAbsl(concat("the agent's state can't be written, so the agent stops and "
                                                      "leaves its tasks running: ",
                                                      toStd(failed.message()))));
        return;
    }
    commit_.durable(state_->durable());
    const std::optional<Time> deadline = agent_->nextDeadline();
    if (deadline && *deadline <= bootTime()) step(Wake{});
    carryOut();
    showMetrics();
    doors_->show(std::exchange(shown_, {}));
}

void Daemon::step(const Input& input) { agent_->step(input, bootTime(), wallTime(), out_); }

void Daemon::takeFromMaster() {
    for (const DialerArrival& arrival : masters_->take()) {
        if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
            // Nothing may be said to a new leader before an older one is fenced for good.
            if (absl::Status raised = state_->raiseEpoch(connected->epoch); !raised.ok()) {
                LOG(ERROR) << raised;
                return;
            }
            LOG(INFO) << "connected to the master at " << masters_->leaderAddress() << ", epoch " << connected->epoch;
            ++connection_;
            session_ = connected->session;
            connected_ = true;
            step(MasterConnected{});
        } else if (const auto* message = std::get_if<dialed::Message>(&arrival)) {
            absl::StatusOr<ToAgent> decoded = decodeToAgent(*message->body);
            if (decoded.ok())
                step(MasterMessage{*std::move(decoded)});
            else
                LOG(ERROR) << "a message of the master is malformed and dropped: " << decoded.status();
        } else if (const auto* gone = std::get_if<dialed::Gone>(&arrival)) {
            LOG(INFO) << "the session with the master ended: " << gone->why;
            connected_ = false;
            step(MasterGone{});
        }
    }
    if (failure_.ok()) failure_ = masters_->refused();
}

void Daemon::carryOut() {
    state_->write(out_.records, agent_->recordsAppended());
    for (Output::Said& said : out_.effects) {
        const Destination to = destinationOf(said.effect);
        commit_.add(to, std::move(said.effect), said.waits_for);
    }
    out_ = {};
    for (Effect& effect : commit_.take()) carryOut(effect);
    if (agent_->registered() == shown_registered_) return;
    shown_registered_ = agent_->registered();
    containers_->setAgentId(agent_->info().id);
    shown_.push_back(agent_->info());
    if (shown_registered_) LOG(INFO) << "registered as agent " << agent_->info().id;
}

void Daemon::carryOut(Effect& effect) {
    std::visit(
        [&](auto& one) {
            using Kind = std::decay_t<decltype(one)>;
            if constexpr (std::is_same_v<Kind, ToMaster>) {
                // Said for a session that is over: the core says what is needed in the next.
                if (connected_ && one.connection == connection_)
                    masters_->sendIn(session_, makeBody(encode(one.message)));
            } else if constexpr (std::is_same_v<Kind, Stop>) {
                stop_ = std::move(one);
            } else if constexpr (std::is_same_v<Kind, ToExecutor>) {
                executors_.send(one);
            } else if constexpr (std::is_same_v<Kind, EndStream>) {
                executors_.end(one);
            } else if constexpr (std::is_same_v<Kind, ExecutorChanged> || std::is_same_v<Kind, TaskChanged>) {
                shown_.push_back(std::move(one));
            } else if constexpr (std::is_same_v<Kind, ExecutorGone>) {
                collector_->release(sandboxOf(one.key));
                shown_.push_back(std::move(one));
            } else if constexpr (std::is_same_v<Kind, TaskGone>) {
                collector_->release(Sandboxes::relative(one.key));
                shown_.push_back(std::move(one));
            } else {
                containers_->carryOut(one, bootTime());
            }
        },
        effect);
}

void Daemon::showMetrics() {
    const Time time = bootTime();
    // Something has happened.
    if (!metrics_at_ || *metrics_at_ > time + kMetricsEvery) metrics_at_ = time + kMetricsEvery;
    if (*metrics_at_ > time) return;
    metrics_at_ = time + kMetricsAnyway;
    DaemonMetrics metrics;
    metrics.registered = agent_->registered();
    metrics.commits = state_->commits();
    metrics.sandboxes_collected = collector_->collected();
    metrics.containers = containers_->count();
    metrics.used = agent_->used();
    metrics.core = agent_->counters();
    if (masters_) metrics.masters = masters_->counters();
    shown_.push_back(std::move(metrics));
}

} // namespace stoa::agent
