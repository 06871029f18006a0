#include "agent/containers/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/containers/fd.h"
#include "agent/shim/shim_protocol.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPeriodMicros = 100'000; // the kernel's default period of the CPU quota
constexpr const char* kLeaf = "daemons";        // where processes go that are no tasks (v2)

constexpr std::size_t kMostKept = 32;
// Memory that the kernel still counts when a task has ended: what it holds ready a processor, and the names of files that
// were looked at. With more, the next task would be told to have used what it has not.
constexpr std::int64_t kMostLeftOver = 1 << 20;

// pids first: its directory lists the task's processes and stops a task from forking (shim).
constexpr const char* kWanted[] = {"pids", "memory", "cpu", "cpuacct"};

absl::Status writeFile(const std::string& path, absl::string_view text) {
    const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot write \"", text, "\" to ", path));
}

// A file of the kernel's, empty when it can't be read.
std::string readFile(const std::string& path) {
    std::string text;
    const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char some[4096];
    ssize_t n;
    while (fd && (n = read(fd.get(), some, sizeof some)) > 0) text.append(some, static_cast<std::size_t>(n));
    return text;
}

std::int64_t readNumber(const std::string& path) {
    std::int64_t number = 0;
    return absl::SimpleAtoi(absl::StripAsciiWhitespace(readFile(path)), &number) ? number : 0;
}

// Of a file of lines "key value"; 0 when it has no such line.
std::int64_t readKey(const std::string& path, absl::string_view key) {
    const std::string text = readFile(path);
    for (const absl::string_view line : absl::StrSplit(text, '\n')) {
        const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
        std::int64_t number = 0;
        if (parts.first == key && absl::SimpleAtoi(parts.second, &number)) return number;
    }
    return 0;
}

absl::Status makeDirectory(const std::string& path) {
    if (mkdir(path.c_str(), 0755) == 0 || errno == EEXIST) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot make the cgroup ", path));
}

struct Mount {
    std::string point;
    bool unified;
    std::vector<std::string> options;
};

std::vector<Mount> cgroupMounts() {
    std::vector<Mount> mounts;
    std::ifstream file("/proc/self/mounts");
    for (std::string line; std::getline(file, line);) {
        const std::vector<std::string> fields = absl::StrSplit(line, ' ');
        if (fields.size() >= 4 && absl::StartsWith(fields[2], "cgroup"))
            mounts.push_back({fields[1], fields[2] == "cgroup2", absl::StrSplit(fields[3], ',')});
    }
    return mounts;
}

// By controller ("" for v2) the cgroup of a process, as /proc/PID/cgroup has it.
std::map<std::string, std::string> cgroupsOf(pid_t pid) {
    std::map<std::string, std::string> paths;
    std::ifstream file(absl::StrCat("/proc/", pid, "/cgroup"));
    for (std::string line; std::getline(file, line);) {
        const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
        if (fields.size() != 3) continue;
        for (const absl::string_view controller : absl::StrSplit(fields[1], ','))
            paths[std::string(controller)] = fields[2] == "/" ? "" : fields[2];
    }
    return paths;
}

bool hasController(const std::string& cgroup, absl::string_view controller) {
    const std::string text = readFile(cgroup + "/cgroup.controllers");
    const std::vector<absl::string_view> controllers = absl::StrSplit(absl::StripAsciiWhitespace(text), ' ');
    return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

absl::Status handDownControllers(const std::string& cgroup) {
    return writeFile(cgroup + "/cgroup.subtree_control", "+cpu +memory +pids");
}

absl::Status emptyIntoLeaf(const std::string& cgroup) {
    const std::string leaf = absl::StrCat(cgroup, "/", kLeaf);
    if (absl::Status status = makeDirectory(leaf); !status.ok()) return status;
    const std::string processes = readFile(cgroup + "/cgroup.procs");
    for (const absl::string_view pid : absl::StrSplit(processes, '\n', absl::SkipEmpty()))
        // One that has ended meanwhile is out of the way as well; another that stays shows up next.
        writeFile(leaf + "/cgroup.procs", pid).IgnoreError();
    return absl::OkStatus();
}

absl::Status prepareUnified(const std::string& above, const std::string& tasks) {
    // The true root has no type file, and may have both processes and children with controllers.
    const bool is_root = access((above + "/cgroup.type").c_str(), F_OK) != 0;
    if (!is_root)
        if (absl::Status status = emptyIntoLeaf(above); !status.ok()) return status;
    if (absl::Status status = handDownControllers(above); !status.ok()) return status;
    if (absl::Status status = makeDirectory(tasks); !status.ok()) return status;
    return handDownControllers(tasks);
}

} // namespace

absl::StatusOr<TaskCgroups> TaskCgroups::setUp(const fs::path& run_dir, pid_t shim) {
    TaskCgroups cgroups;
    const std::vector<Mount> mounts = cgroupMounts();
    std::map<std::string, std::string> above = cgroupsOf(shim);
    const std::string note = (run_dir / shim::kCgroupsName).string();
    std::vector<std::string> noted = absl::StrSplit(readFile(note), '\n', absl::SkipEmpty());
    if (!std::all_of(noted.begin(), noted.end(), [](const std::string& d) { return fs::is_directory(d); }))
        noted.clear(); // the machine was restarted

    const std::string name = absl::StrCat("/stoa-", shim);
    for (const Mount& mount : mounts) {
        if (mount.unified && hasController(mount.point, "memory")) {
            std::string scope = mount.point + above[""];
            if (fs::path(scope).filename() == kLeaf) scope = fs::path(scope).parent_path();
            cgroups.unified_ = true;
            cgroups.runtime_mounts_.clear();
            cgroups.hierarchies_.assign(1, {{"pids", "memory", "cpu", "cpuacct"}, mount.point, scope + name});
            break;
        }
        cgroups.runtime_mounts_.push_back(mount.point);
    }
    for (const char* controller : kWanted) {
        if (cgroups.unified_) break;
        for (const Mount& mount : mounts) {
            if (std::find(mount.options.begin(), mount.options.end(), controller) == mount.options.end()) continue;
            const auto same = std::find_if(cgroups.hierarchies_.begin(), cgroups.hierarchies_.end(),
                                           [&](const Hierarchy& h) { return h.mount == mount.point; });
            if (same != cgroups.hierarchies_.end())
                same->controllers.push_back(controller);
            else
                cgroups.hierarchies_.push_back({{controller}, mount.point, mount.point + above[controller] + name});
            break;
        }
    }
    if (cgroups.hierarchies_.empty() || cgroups.directory("memory", "").empty() ||
        cgroups.directory("pids", "").empty())
        return absl::UnavailableError("this host has no cgroup hierarchy with the controllers memory and pids mounted");

    if (cgroups.unified_ && noted.size() == 1) {
        cgroups.in_former_scope_ =
            fs::path(noted[0]).parent_path() != fs::path(cgroups.hierarchies_[0].tasks).parent_path();
        if (cgroups.in_former_scope_ && readKey(noted[0] + "/cgroup.events", "populated") == 0) {
            rmdir(noted[0].c_str());
            noted.clear();
            cgroups.in_former_scope_ = false;
        }
    }
    if (noted.size() == cgroups.hierarchies_.size()) {
        for (size_t i = 0; i < noted.size(); ++i) cgroups.hierarchies_[i].tasks = noted[i];
        return cgroups;
    }
    std::string text;
    for (const Hierarchy& hierarchy : cgroups.hierarchies_) absl::StrAppend(&text, hierarchy.tasks, "\n");
    // Before they are made: what is not noted, nobody takes away.
    if (!(std::ofstream(note) << text << std::flush)) {
        return absl::UnavailableError(absl::StrCat("cannot write ", note, ", which names the tasks' cgroups"));
    }
    for (const Hierarchy& hierarchy : cgroups.hierarchies_) {
        const absl::Status status = cgroups.unified_
                                        ? prepareUnified(fs::path(hierarchy.tasks).parent_path(), hierarchy.tasks)
                                        : makeDirectory(hierarchy.tasks);
        if (!status.ok()) return absl::UnavailableError(status.message());
    }
    return cgroups;
}

absl::Status TaskCgroups::renew(const fs::path& run_dir, pid_t shim) {
    if (!unified_) return absl::OkStatus(); // where nobody removes a directory but us
    absl::StatusOr<TaskCgroups> renewed = setUp(run_dir, shim);
    if (!renewed.ok()) return renewed.status();
    renewed->busy_ = std::move(busy_);
    *this = *std::move(renewed);
    return absl::OkStatus();
}

std::string TaskCgroups::directory(const char* controller, const std::string& id) const {
    for (const Hierarchy& hierarchy : hierarchies_)
        for (const std::string& one : hierarchy.controllers)
            if (one == controller) return absl::StrCat(hierarchy.tasks, "/", id);
    return "";
}

absl::StatusOr<std::vector<std::string>> TaskCgroups::create(const std::string& id, const CgroupLimits& limits) {
    std::vector<std::string> directories;
    for (const Hierarchy& hierarchy : hierarchies_) directories.push_back(absl::StrCat(hierarchy.tasks, "/", id));
    if (reuse(id, limits)) return directories;
    absl::Status status;
    for (const std::string& directory : directories) status.Update(makeDirectory(directory));
    status.Update(limit(id, limits));
    if (status.ok()) {
        if (!unified_) made_[id] = limits;
        return directories;
    }
    remove(id);
    return status;
}

bool TaskCgroups::reuse(const std::string& id, const CgroupLimits& limits) {
    const auto found = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.limits == limits; });
    if (found == kept_.end()) return false;
    const std::string name = std::move(found->name);
    kept_.erase(found);
    bool renamed = true;
    for (const Hierarchy& hierarchy : hierarchies_) {
        const std::string from = absl::StrCat(hierarchy.tasks, "/", name), to = absl::StrCat(hierarchy.tasks, "/", id);
        renamed = renamed && rename(from.c_str(), to.c_str()) == 0;
    }
    if (renamed) {
        made_[id] = limits;
        return true;
    }
    removeDirectories(name);
    removeDirectories(id);
    return false;
}

// Puts it back to how create() makes one, but for the limits.
bool TaskCgroups::keep(const std::string& id) {
    const auto made = made_.find(id);
    if (made == made_.end()) return false;
    const CgroupLimits limits = made->second;
    made_.erase(made);
    const std::string memory = directory("memory", id), pids = directory("pids", id), cpu = directory("cpuacct", id);
    if (readNumber(pids + "/pids.current") != 0 || readKey(memory + "/memory.oom_control", "oom_kill") != 0 ||
        readNumber(memory + "/memory.usage_in_bytes") > kMostLeftOver)
        return false;
    absl::Status reset = writeFile(memory + "/memory.max_usage_in_bytes", "0");
    if (!cpu.empty()) reset.Update(writeFile(cpu + "/cpuacct.usage", "0"));
    // The shim takes this away where processes resist their end.
    reset.Update(writeFile(pids + "/pids.max", limits.pids > 0 ? absl::StrCat(limits.pids) : "max"));
    if (!reset.ok()) return false;
    std::string name = absl::StrCat(shim::kKeptCgroup, ++kept_before_);
    for (const Hierarchy& hierarchy : hierarchies_) {
        const std::string from = absl::StrCat(hierarchy.tasks, "/", id), to = absl::StrCat(hierarchy.tasks, "/", name);
        if (rename(from.c_str(), to.c_str()) == 0) continue;
        removeDirectories(name);
        return false;
    }
    kept_.push_back({std::move(name), limits});
    if (kept_.size() > kMostKept) {
        removeDirectories(kept_.front().name);
        kept_.pop_front();
    }
    return true;
}

absl::Status TaskCgroups::limit(const std::string& id, const CgroupLimits& limits) {
    const std::string memory = directory("memory", id), cpu = directory("cpu", id), pids = directory("pids", id);
    absl::Status status;
    if (limits.pids > 0) status.Update(writeFile(pids + "/pids.max", absl::StrCat(limits.pids)));
    if (limits.memory_bytes > 0) {
        const std::string bytes = absl::StrCat(limits.memory_bytes);
        status.Update(writeFile(memory + (unified_ ? "/memory.max" : "/memory.limit_in_bytes"), bytes));
        // Swap is not memory to hand out: none on v2; on v1, where the limit is of the sum, no more than that.
        const std::string swap = memory + (unified_ ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes");
        if (access(swap.c_str(), F_OK) == 0) status.Update(writeFile(swap, unified_ ? "0" : bytes));
    }
    if (limits.cpus_milli > 0 && !cpu.empty()) {
        const std::int64_t shares = std::clamp<std::int64_t>(limits.cpus_milli * 1024 / 1000, 2, 262'144);
        const std::int64_t quota = std::max<std::int64_t>(limits.cpus_milli * kPeriodMicros / 1000, 1000);
        if (unified_) {
            // The mapping that the OCI runtimes use (crun(1), "CPU controller").
            const std::int64_t weight = 1 + (shares - 2) * 9999 / 262'142;
            status.Update(writeFile(cpu + "/cpu.weight", absl::StrCat(weight)));
            status.Update(writeFile(cpu + "/cpu.max", absl::StrCat(quota, " ", kPeriodMicros)));
        } else {
            status.Update(writeFile(cpu + "/cpu.shares", absl::StrCat(shares)));
            status.Update(writeFile(cpu + "/cpu.cfs_quota_us", absl::StrCat(quota)));
        }
    }
    return status;
}

absl::Status TaskCgroups::adjust(const std::string& id, CgroupLimits limits) {
    made_.erase(id); // what it was made with is no longer so
    const std::string memory = directory("memory", id);
    const std::int64_t used = readNumber(memory + (unified_ ? "/memory.current" : "/memory.usage_in_bytes"));
    if (limits.memory_bytes <= used) limits.memory_bytes = 0;
    const std::string swap = memory + "/memory.memsw.limit_in_bytes";
    // The sum may never be below its part, so on the way up it goes first.
    if (!unified_ && limits.memory_bytes > readNumber(memory + "/memory.limit_in_bytes") &&
        access(swap.c_str(), F_OK) == 0) {
        if (absl::Status raised = writeFile(swap, absl::StrCat(limits.memory_bytes)); !raised.ok()) return raised;
    }
    return limit(id, limits);
}

CgroupUsage TaskCgroups::usage(const std::string& id) const {
    const std::string memory = directory("memory", id), cpu = directory("cpuacct", id);
    CgroupUsage usage;
    usage.max_memory_bytes = readNumber(memory + (unified_ ? "/memory.peak" : "/memory.max_usage_in_bytes"));
    usage.out_of_memory = readKey(memory + (unified_ ? "/memory.events" : "/memory.oom_control"), "oom_kill") > 0;
    if (!cpu.empty())
        usage.cpu_nanos =
            unified_ ? readKey(cpu + "/cpu.stat", "usage_usec") * 1000 : readNumber(cpu + "/cpuacct.usage");
    return usage;
}

void TaskCgroups::removeDirectories(const std::string& name) {
    for (const Hierarchy& hierarchy : hierarchies_) busy_.push_back(absl::StrCat(hierarchy.tasks, "/", name));
    retryBusy();
}

void TaskCgroups::remove(const std::string& id) {
    // runc makes its own in all or in none.
    const std::string made_by_runtime = runtimePath(id);
    if (!runtime_mounts_.empty() && access((runtime_mounts_[0] + made_by_runtime).c_str(), F_OK) == 0)
        for (const std::string& mount : runtime_mounts_) busy_.push_back(mount + made_by_runtime);
    if (keep(id))
        retryBusy();
    else
        removeDirectories(id);
}

void TaskCgroups::removeKept() {
    for (const Kept& kept : kept_) removeDirectories(kept.name);
    kept_.clear();
}

void TaskCgroups::retryBusy() {
    std::erase_if(busy_, [](const std::string& path) { return rmdir(path.c_str()) == 0 || errno != EBUSY; });
}

std::vector<std::string> TaskCgroups::ids() const {
    std::set<std::string> ids;
    for (const Hierarchy& hierarchy : hierarchies_) {
        std::error_code error;
        for (const auto& entry : fs::directory_iterator(hierarchy.tasks, error))
            if (entry.is_directory(error)) ids.insert(entry.path().filename());
    }
    return {ids.begin(), ids.end()};
}

std::string TaskCgroups::runtimePath(const std::string& id) const {
    if (unified_) return absl::StrCat(hierarchies_[0].tasks.substr(hierarchies_[0].mount.size()), "/", id);
    return absl::StrCat("/", fs::path(hierarchies_[0].tasks).filename().string(), ".runc-", id);
}

} // namespace stoa::agent
