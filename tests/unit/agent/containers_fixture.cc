#include "tests/unit/agent/containers_fixture.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "agent/containers/fd.h"
#include "agent/shim/shim_protocol.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

// A bound for what should take milliseconds, on a machine that may be very busy.
constexpr std::chrono::seconds kDeadline{30};

fs::path programs() { return fs::read_symlink("/proc/self/exe").parent_path(); }

std::vector<std::string> statFields(pid_t pid) {
    const std::string text = readAll("/proc/" + std::to_string(pid) + "/stat");
    std::vector<std::string> fields;
    const size_t end = text.rfind(')');
    if (end == std::string::npos) return fields;
    std::istringstream rest(text.substr(end + 1));
    for (std::string field; rest >> field;) fields.push_back(field);
    return fields;
}

} // namespace

std::string readAll(const fs::path& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

std::uint64_t startTimeOf(pid_t pid) {
    const std::vector<std::string> fields = statFields(pid);
    return fields.size() > 19 && fields[0] != "Z" ? std::stoull(fields[19]) : 0;
}

pid_t parentOf(pid_t pid) {
    const std::vector<std::string> fields = statFields(pid);
    return fields.size() > 1 ? std::stoi(fields[1]) : 0;
}

ContainersFixture::ContainersFixture() {
    // Where the tasks' user can get to, as it can't below a checkout in somebody's home, and not in /tmp, which containers
    // have of their own.
    std::string name = "/var/tmp/stoa-containers-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << name << ": " << strerror(errno);
    base_ = name;
    chmod(base_.c_str(), 0755);
    work_dir_ = base_ / "work";
    run_dir_ = base_ / "run";
    fs::create_directories(work_dir_ / "sandboxes");
}

ContainersFixture::~ContainersFixture() {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
}

void ContainersFixture::TearDown() {
    if (!launcher_) return;
    const absl::StatusOr<std::vector<KnownContainer>> known = launcher_->recover();
    if (known.ok()) {
        for (const KnownContainer& container : *known) {
            if (std::holds_alternative<ContainerStarted>(container.state)) {
                EXPECT_TRUE(launcher_->destroy(container.id).ok());
                waitExited(container.id);
            }
            EXPECT_TRUE(launcher_->forget(container.id).ok());
        }
    }
    std::vector<std::string> cgroups;
    std::ifstream note(run_dir_ / shim::kCgroupsName);
    for (std::string line; std::getline(note, line);) cgroups.push_back(line);
    launcher_.reset();
    waitForShimsEnd();
    for (const std::string& cgroup : cgroups) EXPECT_FALSE(fs::exists(cgroup)) << cgroup << " was left behind";
    // runc makes some of its own, named after ours, in every hierarchy.
    if (!cgroups.empty()) {
        const std::string prefix = fs::path(cgroups[0]).filename().string() + ".runc-";
        for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
            if (!hierarchy.is_directory()) continue;
            for (const auto& entry : fs::directory_iterator(hierarchy, fs::directory_options::skip_permission_denied))
                EXPECT_FALSE(entry.path().filename().string().starts_with(prefix)) << entry.path();
        }
    }
    for (const char* directory : {"bundles", "runtime"})
        EXPECT_TRUE(!fs::exists(run_dir_ / directory) || fs::is_empty(run_dir_ / directory)) << directory;
    EXPECT_EQ(readAll("/proc/self/mountinfo").find(base_.string()), std::string::npos) << "a mount was left behind";
}

void ContainersFixture::waitForShimsEnd() const {
    const Fd lock(open((run_dir_ / shim::kLockName).c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(!lock || flock(lock.get(), LOCK_EX) == 0);
}

LauncherOptions ContainersFixture::options(LauncherKind kind) const {
    LauncherOptions options;
    options.kind = kind;
    options.shim = programs().parent_path() / "bin" / "stoa-shim";
    options.work_dir = work_dir_;
    options.run_dir = run_dir_;
    return options;
}

void ContainersFixture::makeLauncherOrDie(LauncherOptions options) {
    launcher_.reset();
    absl::StatusOr<std::unique_ptr<Launcher>> launcher = makeLauncher(std::move(options));
    ASSERT_TRUE(launcher.ok()) << launcher.status();
    launcher_ = *std::move(launcher);
}

ContainerSpec ContainersFixture::spec(const std::string& id, std::vector<std::string> argv) const {
    ContainerSpec spec;
    spec.id = id;
    spec.argv = std::move(argv);
    spec.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
    spec.sandbox = sandboxOf(id);
    spec.uid = spec.gid = geteuid() == 0 ? kNobody : geteuid();
    spec.cpus_milli = 500;
    spec.memory_bytes = 64 << 20;
    spec.pids_limit = 50;
    fs::create_directories(spec.sandbox);
    EXPECT_EQ(chown(spec.sandbox.c_str(), spec.uid, spec.gid), 0);
    return spec;
}

void ContainersFixture::makeGate(const std::string& id) const {
    const fs::path gate = sandboxOf(id) / "gate";
    ASSERT_EQ(mkfifo(gate.c_str(), 0666), 0);
    chmod(gate.c_str(), 0666);
}

void ContainersFixture::openGate(const std::string& id) const { std::ofstream(sandboxOf(id) / "gate") << "go\n"; }

template <typename Event>
Event ContainersFixture::waitFor(const std::string& id) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    for (;;) {
        for (auto event = pending_.begin(); event != pending_.end(); ++event) {
            const Event* const wanted = std::get_if<Event>(&*event);
            const auto* const failed = std::get_if<ContainerLaunchFailed>(&*event);
            if (wanted && wanted->id == id) {
                Event found = *wanted;
                pending_.erase(event);
                return found;
            }
            if (failed && failed->id == id) {
                ADD_FAILURE() << id << " was not launched: " << failed->reason;
                return {};
            }
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd readable = {launcher_->fd(), POLLIN, 0};
        if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) <= 0) {
            ADD_FAILURE() << "an event of " << id << " did not come";
            return {};
        }
        for (LauncherEvent& event : launcher_->drain()) pending_.push_back(std::move(event));
    }
}

ContainerStarted ContainersFixture::waitStarted(const std::string& id) { return waitFor<ContainerStarted>(id); }
ContainerExited ContainersFixture::waitExited(const std::string& id) { return waitFor<ContainerExited>(id); }
ContainerLaunchFailed ContainersFixture::waitFailed(const std::string& id) {
    return waitFor<ContainerLaunchFailed>(id);
}

ContainerStarted ContainersFixture::start(const ContainerSpec& spec) {
    const absl::Status status = launcher_->launch(spec);
    EXPECT_TRUE(status.ok()) << status;
    return status.ok() ? waitStarted(spec.id) : ContainerStarted();
}

ContainerExited ContainersFixture::run(const ContainerSpec& spec) {
    return start(spec).pid > 0 ? waitExited(spec.id) : ContainerExited();
}

std::string ContainersFixture::launchFailure(const ContainerSpec& spec) {
    const absl::Status status = launcher_->launch(spec);
    return status.ok() ? waitFailed(spec.id).reason : std::string(status.message());
}

LauncherOptions EveryLauncher::parameterOptions() const {
    const std::string how = GetParam();
    LauncherOptions made = options(how.starts_with("oci") ? LauncherKind::kOci : LauncherKind::kProcess);
    if (how.starts_with("oci_")) made.runtime = how.substr(4);
    made.cgroups = how != "process_plain";
    return made;
}

void EveryLauncher::SetUp() { makeLauncherOrDie(parameterOptions()); }

} // namespace stoa::agent
