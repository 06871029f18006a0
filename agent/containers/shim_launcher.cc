#include "agent/containers/shim_launcher.h"

#include <errno.h>
#include <glog/logging.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/containers/host_paths.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kPatience{5000};       // with the shim's answers, which take microseconds
constexpr milliseconds kProbePatience{20000}; // with one whole container
constexpr time_t kRetrySeconds = 1;           // between attempts to start a shim where that fails
constexpr char kProbeId[] = "stoa-probe";

bool validId(const std::string& id) {
    return !id.empty() && id.size() <= 200 && id != "." && id != ".." &&
           std::all_of(id.begin(), id.end(), [](unsigned char c) { return isalnum(c) || strchr("_.-", c); });
}

bool hasNul(const std::string& text) { return text.find('\0') != std::string::npos; }

ContainerStarted startedOf(const shim::Event& event) { return {event.id, event.pid, event.start_time, event.boot_id}; }

} // namespace

absl::StatusOr<std::unique_ptr<ShimLauncher>> ShimLauncher::open(LauncherOptions options) {
    std::error_code error;
    fs::create_directories(options.run_dir, error);
    if (error)
        return absl::UnavailableError(absl::StrCat("cannot make ", options.run_dir.string(), ": ", error.message()));
    chmod(options.run_dir.c_str(), 0700);
    options.run_dir = fs::canonical(options.run_dir);
    if (!options.work_dir.empty()) options.work_dir = fs::weakly_canonical(options.work_dir);
    options.shim = fs::canonical(options.shim, error);
    if (error) return absl::NotFoundError(absl::StrCat("the shim ", options.shim.string(), ": ", error.message()));

    std::unique_ptr<ShimLauncher> launcher(new ShimLauncher(std::move(options)));
    launcher->epoll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    launcher->retry_timer_ = Fd(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!launcher->epoll_ || !launcher->retry_timer_) return absl::ErrnoToStatus(errno, "epoll");
    launcher->watch(launcher->retry_timer_.get());
    if (absl::Status status = launcher->connect(); !status.ok()) return status;

    if (launcher->options_.cgroups || launcher->options_.kind == LauncherKind::kOci) {
        absl::StatusOr<TaskCgroups> cgroups =
            TaskCgroups::setUp(launcher->options_.run_dir, launcher->connection_->shimPid());
        if (cgroups.ok())
            launcher->cgroups_ = *std::move(cgroups);
        else if (launcher->options_.kind == LauncherKind::kOci)
            return cgroups.status();
        else
            LOG(WARNING) << "tasks are not limited: " << cgroups.status().message();
    }
    launcher->describe();
    return launcher;
}

ShimLauncher::~ShimLauncher() {
    if (!cgroups_) return;
    cgroups_->removeKept();
    cgroups_->retryBusy();
}

void ShimLauncher::describe() {
    isolation_ = runtime_ ? absl::StrCat("oci/", fs::path(runtime_->path).filename().string()) : "process";
    if (cgroups_) absl::StrAppend(&isolation_, " ", cgroups_->version());
    if (runtime_) absl::StrAppend(&isolation_, " pid,ipc,uts,mount", runtime_->seccomp ? " seccomp" : "");
}

void ShimLauncher::watch(int fd) {
    epoll_event event = {};
    event.events = EPOLLIN;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

absl::Status ShimLauncher::connect() {
    absl::StatusOr<ShimConnection> connection = ShimConnection::open(options_.shim, options_.run_dir);
    if (!connection.ok()) return connection.status();
    connection_ = *std::move(connection);
    watch(connection_->fd());
    if (connection_->damagedRecords() > 0)
        LOG(WARNING) << connection_->damagedRecords() << " records of the journal in " << options_.run_dir
                     << " were damaged; the file is kept beside it. What they said of tasks is lost.";
    return absl::OkStatus();
}

// ---- Runtimes --------------------------------------------------------------------------------------

absl::Status ShimLauncher::useRuntime(OciRuntime runtime, bool hide_cgroup2) {
    hide_cgroup2_ = hide_cgroup2;
    runtime_ = std::move(runtime);
    runtime_->shim = options_.shim;
    runtime_->work_dir = options_.work_dir;
    runtime_->run_dir = options_.run_dir;
    runtime_->seccomp = options_.seccomp;
    describe();
    absl::Status status = connection_->request(shim::RequestKind::kMakeHostView, "", hide_cgroup2);
    while (status.ok()) {
        const absl::StatusOr<std::optional<shim::Event>> event = connection_->receive(kPatience);
        if (!event.ok()) return event.status();
        if (!*event) return absl::DeadlineExceededError("the shim does not answer");
        if ((*event)->kind == shim::EventKind::kTask) take(**event);
        if ((*event)->kind != shim::EventKind::kHostView) continue;
        if ((*event)->reason[0]) status = absl::UnavailableError((*event)->reason);
        break;
    }
    return status;
}

absl::Status ShimLauncher::probe() {
    ContainerSpec spec;
    spec.id = absl::StrCat(kProbeId, "-", getpid());
    spec.argv = {kInitPath, "version"};
    spec.sandbox = options_.run_dir / "probe";
    spec.uid = geteuid();
    spec.gid = getegid();
    spec.memory_bytes = 64 << 20;
    spec.cpus_milli = 1000;
    spec.pids_limit = 16;
    std::error_code error;
    fs::create_directories(spec.sandbox, error);
    cleanUp(spec.id); // of an agent that was killed in the middle
    absl::Status result = launch(spec);
    bool ended = !result.ok();
    const auto deadline = std::chrono::steady_clock::now() + kProbePatience;
    std::vector<LauncherEvent> others;
    while (!ended) {
        const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd readable = {fd(), POLLIN, 0};
        if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) {
            destroy(spec.id).IgnoreError();
            result = absl::DeadlineExceededError("a trial container did not end");
            break;
        }
        for (LauncherEvent& event : drain()) {
            const std::string& id = std::visit([](const auto& e) -> const std::string& { return e.id; }, event);
            if (id != spec.id) {
                others.push_back(std::move(event));
            } else if (const auto* failed = std::get_if<ContainerLaunchFailed>(&event)) {
                result = absl::UnavailableError(failed->reason);
                ended = true;
            } else if (const auto* exited = std::get_if<ContainerExited>(&event)) {
                if (exited->wait_status != 0) result = absl::UnavailableError("a trial container failed");
                ended = true;
            }
        }
    }
    events_.insert(events_.begin(), others.begin(), others.end());
    forget(spec.id).IgnoreError();
    fs::remove_all(spec.sandbox, error);
    return result;
}

// ---- Launching -------------------------------------------------------------------------------------

absl::Status ShimLauncher::check(const ContainerSpec& spec) const {
    if (!validId(spec.id))
        return absl::InvalidArgumentError(absl::StrCat("container id \"", spec.id, "\" is not valid"));
    if (containers_.count(spec.id)) return absl::AlreadyExistsError(absl::StrCat("container ", spec.id, " is there"));
    if (spec.argv.empty() || spec.argv[0].empty()) return absl::InvalidArgumentError("the command is empty");
    if (std::any_of(spec.argv.begin(), spec.argv.end(), hasNul))
        return absl::InvalidArgumentError("NUL in an argument");
    for (const auto& [name, value] : spec.environment)
        if (name.empty() || name.find('=') != std::string::npos || hasNul(name) || hasNul(value))
            return absl::InvalidArgumentError(absl::StrCat("environment variable \"", name, "\" is not valid"));
    if (!spec.sandbox.is_absolute() || spec.sandbox.string().size() >= shim::kSandboxSize)
        return absl::InvalidArgumentError(absl::StrCat("sandbox ", spec.sandbox.string(),
                                                       " is not absolute, or longer than ", shim::kSandboxSize - 1));
    if (geteuid() != 0 && spec.uid != geteuid())
        return absl::PermissionDeniedError(
            absl::StrCat("an agent of user ", geteuid(), " cannot run tasks of ", spec.uid));
    return absl::OkStatus();
}

absl::Status ShimLauncher::prepare(const ContainerSpec& spec, Prepared* prepared) {
    absl::StatusOr<HostPath> directory = resolveWorkDirectory(spec, options_.work_directory_roots);
    if (!directory.ok()) return directory.status();
    if (cgroups_ && cgroups_->inFormerScope()) {
        if (absl::Status status = cgroups_->renew(options_.run_dir, connection_->shimPid()); !status.ok())
            return status;
    }
    if (cgroups_) {
        CgroupLimits limits = {spec.cpus_milli, spec.memory_bytes, spec.pids_limit};
        if (runtime_ && limits.pids > 0) ++limits.pids; // pid 1 is ours
        absl::StatusOr<std::vector<std::string>> directories = cgroups_->create(spec.id, limits);
        if (!directories.ok()) return directories.status();
        prepared->cgroups = *std::move(directories);
    }
    if (!runtime_) return absl::OkStatus();
    absl::StatusOr<std::vector<HostPath>> writable = resolveWritable(spec, options_.writable_roots);
    if (!writable.ok()) return writable.status();
    // Mounted where the task will look for it; what it is, is the resolved one.
    ContainerSpec resolved = spec;
    resolved.work_directory = directory->path;
    resolved.writable_paths.clear();
    for (const HostPath& path : *writable) {
        resolved.writable_paths.push_back(path.path);
        prepared->mounts_to_check.push_back(mountToCheck(path));
    }
    if (mountsWorkDirectory(resolved)) prepared->mounts_to_check.push_back(mountToCheck(*directory));
    return writeBundle(bundleOf(*runtime_, spec.id), ociConfig(*runtime_, resolved, cgroups_->runtimePath(spec.id)));
}

absl::Status ShimLauncher::spawn(const ContainerSpec& spec, const Prepared& prepared) {
    shim::SpawnHeader header = {};
    header.version = shim::kProtocolVersion;
    header.uid = spec.uid;
    header.gid = spec.gid;
    for (const gid_t group : spec.groups)
        if (header.group_count < shim::kMaxGroups) header.groups[header.group_count++] = group;
    header.output_cap_bytes = spec.output_cap_bytes > 0 ? spec.output_cap_bytes : options_.output_cap_bytes;
    header.cgroup_count = static_cast<std::uint32_t>(prepared.cgroups.size());
    header.mount_count = static_cast<std::uint32_t>(prepared.mounts_to_check.size());
    std::string data(reinterpret_cast<const char*>(&header), sizeof header);
    const auto add = [&](absl::string_view text) {
        data.append(text.data(), text.size());
        data.push_back('\0');
    };
    std::vector<std::string> argv = spec.argv, environment;
    OciBundle bundle;
    if (runtime_) {
        header.mode = shim::TaskMode::kOci;
        bundle = bundleOf(*runtime_, spec.id);
        argv = bundle.command;
        environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
    } else {
        header.mode = shim::TaskMode::kProcess;
        for (const auto& [name, value] : spec.environment) environment.push_back(absl::StrCat(name, "=", value));
    }
    header.argument_count = static_cast<std::uint32_t>(argv.size());
    header.environment_count = static_cast<std::uint32_t>(environment.size());
    add(spec.sandbox.string());
    add(spec.work_directory.empty() ? spec.sandbox.string() : spec.work_directory);
    add(bundle.pid_file.string());
    add(bundle.runtime_log.string());
    for (const std::vector<std::string>& list : {argv, environment, prepared.cgroups, prepared.mounts_to_check})
        for (const std::string& text : list) add(text);
    if (data.size() > shim::kMaxSpawnBytes)
        return absl::InvalidArgumentError("arguments and environment are too large (4 MiB)");
    header.string_bytes = static_cast<std::uint32_t>(data.size() - sizeof header);
    memcpy(data.data(), &header, sizeof header);

    const Fd memfd(memfd_create("stoa-task", MFD_CLOEXEC));
    if (!memfd || write(memfd.get(), data.data(), data.size()) != static_cast<ssize_t>(data.size()))
        return absl::ErrnoToStatus(errno, "memfd");
    return connection_->request(shim::RequestKind::kSpawn, spec.id, 0, memfd);
}

absl::Status ShimLauncher::launch(const ContainerSpec& spec) {
    if (!connection_) return absl::UnavailableError("there is no shim");
    if (absl::Status status = check(spec); !status.ok()) return status;
    Prepared prepared;
    absl::Status status = prepare(spec, &prepared);
    if (status.ok()) status = spawn(spec, prepared);
    // Sent into a socket that nobody reads any more: drain() will find that the next shim has not heard.
    if (status.ok() || absl::IsUnavailable(status)) {
        containers_[spec.id] = Told::kNothing;
        return absl::OkStatus();
    }
    cleanUp(spec.id);
    return status;
}

absl::Status ShimLauncher::setLimits(const std::string& id, std::int64_t cpus_milli, std::int64_t memory_bytes) {
    const auto found = containers_.find(id);
    if (found == containers_.end() || found->second == Told::kEnded)
        return absl::NotFoundError(absl::StrCat("no container ", id, " runs"));
    return cgroups_ ? cgroups_->adjust(id, {cpus_milli, memory_bytes, 0}) : absl::OkStatus();
}

absl::Status ShimLauncher::signal(const std::string& id, int signo) {
    const auto found = containers_.find(id);
    if (found == containers_.end() || found->second == Told::kEnded)
        return absl::NotFoundError(absl::StrCat("no container ", id, " runs"));
    if (!connection_) return absl::UnavailableError("there is no shim");
    return connection_->request(shim::RequestKind::kSignal, id, signo);
}

absl::Status ShimLauncher::destroy(const std::string& id) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return absl::NotFoundError(absl::StrCat("no container ", id));
    if (found->second == Told::kEnded) return absl::OkStatus();
    // A request into the socket of a shim that just dies is lost without a word, so the next one hears it as well.
    to_destroy_.insert(id);
    if (!connection_) return absl::OkStatus();
    const absl::Status status = connection_->request(shim::RequestKind::kKill, id);
    return absl::IsUnavailable(status) ? absl::OkStatus() : status;
}

absl::Status ShimLauncher::forget(const std::string& id) {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return absl::NotFoundError(absl::StrCat("no container ", id));
    if (found->second != Told::kEnded) return absl::FailedPreconditionError(absl::StrCat("container ", id, " runs"));
    if (!connection_) return absl::UnavailableError("there is no shim");
    absl::Status status = connection_->request(shim::RequestKind::kForget, id);
    if (!status.ok()) return status;
    cleanUp(id);
    to_destroy_.erase(id);
    containers_.erase(found);
    return absl::OkStatus();
}

void ShimLauncher::cleanUp(const std::string& id) {
    if (runtime_) removeBundle(*runtime_, id);
    if (cgroups_) cgroups_->remove(id);
}

// ---- What the shim says ----------------------------------------------------------------------------

ContainerExited ShimLauncher::exitOf(const shim::Event& event) const {
    ContainerExited exited;
    exited.id = event.id;
    if (event.status_known)
        exited.wait_status = event.wait_status;
    else
        exited.unknown_reason = event.reason;
    exited.usage = {event.cpu_nanos, event.max_memory_bytes};
    if (!cgroups_) return exited;
    const CgroupUsage usage = cgroups_->usage(event.id);
    if (usage.cpu_nanos > 0) exited.usage.cpu_nanos = usage.cpu_nanos;
    if (usage.max_memory_bytes > 0) exited.usage.max_memory_bytes = usage.max_memory_bytes;
    // A task that survived the death of a child of its own and then succeeded is not out of memory.
    exited.out_of_memory = usage.out_of_memory && exited.wait_status != 0;
    return exited;
}

void ShimLauncher::take(const shim::Event& event) {
    const auto found = containers_.find(event.id);
    if (found == containers_.end()) return; // forgotten while this was on its way
    Told& told = found->second;
    if (told == Told::kEnded || event.state == shim::TaskState::kStarting) return;
    if (event.state == shim::TaskState::kFailed) {
        events_.push_back(ContainerLaunchFailed{event.id, event.reason});
        told = Told::kEnded;
        return;
    }
    if (told == Told::kNothing) {
        events_.push_back(startedOf(event));
        told = Told::kStarted;
    }
    if (event.state == shim::TaskState::kExited) {
        events_.push_back(exitOf(event));
        told = Told::kEnded;
    }
}

std::vector<LauncherEvent> ShimLauncher::drain() {
    if (cgroups_) cgroups_->retryBusy();
    if (!connection_) reconnect();
    while (connection_) {
        const absl::StatusOr<std::optional<shim::Event>> event = connection_->receive(milliseconds(0));
        if (event.ok() && !*event) break;
        if (!event.ok()) {
            LOG(WARNING) << "the shim (pid " << connection_->shimPid() << ") is gone; its tasks go on under another";
            connection_.reset();
            reconnect();
        } else if ((*event)->kind == shim::EventKind::kTask) {
            take(**event);
        }
    }
    return std::exchange(events_, {});
}

// ---- Finding again -----------------------------------------------------------------------------------

absl::StatusOr<std::vector<KnownContainer>> ShimLauncher::recover() {
    if (!connection_) return absl::UnavailableError("there is no shim");
    if (absl::Status status = connection_->request(shim::RequestKind::kList); !status.ok()) return status;
    std::vector<KnownContainer> known;
    for (;;) {
        const absl::StatusOr<std::optional<shim::Event>> event = connection_->receive(kPatience);
        if (!event.ok()) return event.status();
        if (!*event) return absl::DeadlineExceededError("the shim does not answer");
        if ((*event)->kind == shim::EventKind::kListEnd) break;
        if ((*event)->kind == shim::EventKind::kTask) takeAsKnown(**event, &known);
    }
    recovered_ = true;
    removeStrays();
    return known;
}

void ShimLauncher::takeAsKnown(const shim::Event& event, std::vector<KnownContainer>* known) {
    if (absl::StartsWith(event.id, kProbeId)) { // of an agent that was killed in the middle
        connection_->request(shim::RequestKind::kKill, event.id).IgnoreError();
        connection_->request(shim::RequestKind::kForget, event.id).IgnoreError();
        return;
    }
    Told& told = containers_[event.id];
    std::erase_if(*known, [&](const KnownContainer& one) { return one.id == event.id; }); // told twice: the newer
    switch (event.state) {
    case shim::TaskState::kLive:
        known->push_back({event.id, startedOf(event)});
        told = Told::kStarted;
        break;
    case shim::TaskState::kFailed:
        known->push_back({event.id, ContainerLaunchFailed{event.id, event.reason}});
        told = Told::kEnded;
        break;
    case shim::TaskState::kExited:
        known->push_back({event.id, exitOf(event)});
        told = Told::kEnded;
        break;
    default: break;
    }
}

void ShimLauncher::removeStrays() {
    std::set<std::string> strays;
    if (runtime_)
        for (const std::string& id : bundles(*runtime_)) strays.insert(id);
    if (cgroups_)
        for (const std::string& id : cgroups_->ids()) strays.insert(id);
    for (const std::string& id : strays)
        if (!containers_.count(id)) cleanUp(id);
}

absl::Status ShimLauncher::list() {
    std::set<std::string> heard;
    absl::Status status = connection_->request(shim::RequestKind::kList);
    while (status.ok()) {
        const absl::StatusOr<std::optional<shim::Event>> event = connection_->receive(kPatience);
        if (!event.ok()) return event.status();
        if (!*event) return absl::DeadlineExceededError("the shim does not answer");
        if ((*event)->kind == shim::EventKind::kListEnd) break;
        if ((*event)->kind != shim::EventKind::kTask) continue;
        heard.insert((*event)->id);
        take(**event);
    }
    if (!status.ok()) return status;
    // Requests that the last shim may not have read.
    for (const std::string& id : heard)
        if (recovered_ && !containers_.count(id)) status.Update(connection_->request(shim::RequestKind::kForget, id));
    for (const std::string& id : to_destroy_) status.Update(connection_->request(shim::RequestKind::kKill, id));
    if (!status.ok()) return status;
    for (auto& [id, told] : containers_) {
        if (heard.count(id) || told == Told::kEnded) continue;
        // Nothing ran without a record; a record that was there and is not any more was damaged.
        if (told == Told::kNothing)
            events_.push_back(ContainerLaunchFailed{id, "the shim died before the task was started"});
        else
            events_.push_back(
                ContainerExited{id, std::nullopt, "the shim died, and its record of the task is damaged", false, {}});
        told = Told::kEnded;
    }
    return absl::OkStatus();
}

void ShimLauncher::reconnect() {
    std::uint64_t expirations;
    [[maybe_unused]] const ssize_t rang = read(retry_timer_.get(), &expirations, sizeof expirations);
    absl::Status status = connect();
    if (status.ok() && cgroups_) status = cgroups_->renew(options_.run_dir, connection_->shimPid());
    if (status.ok() && runtime_) status = useRuntime(*runtime_, hide_cgroup2_);
    if (status.ok()) status = list();
    if (status.ok()) return;
    connection_.reset();
    LOG(ERROR) << "no shim, and so no task can be started: " << status.message();
    itimerspec when = {};
    when.it_value.tv_sec = kRetrySeconds;
    timerfd_settime(retry_timer_.get(), 0, &when, nullptr);
}

} // namespace stoa::agent
