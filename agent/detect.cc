#include "agent/detect.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <sched.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace stoa::agent {
namespace {

constexpr std::int64_t kGibibyte = std::int64_t{1} << 30;

std::optional<std::string> contents(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) return std::nullopt;
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::optional<std::int64_t> number(const std::filesystem::path& file) {
    const std::optional<std::string> text = contents(file);
    std::int64_t value = 0;
    if (!text || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
    return value;
}

Milli affinity() {
    // One set of 1024 is what glibc's fixed type holds; a larger machine refuses it, and then all are counted.
    cpu_set_t set;
    if (::sched_getaffinity(0, sizeof set, &set) == 0) return {CPU_COUNT(&set) * 1000};
    return {std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)) * 1000};
}

// The path of this process in a hierarchy: "0::/a/b" (v2) or "4:cpu,cpuacct:/a/b" (v1).
std::optional<std::string> cgroupPath(const std::string& table, std::string_view controller) {
    std::istringstream lines(table);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = concat(",", line.substr(first + 1, second - first - 1), ",");
        const bool wanted = controller.empty() ? controllers == ",,"
                                               : controllers.find(concat(",", controller, ",")) != std::string::npos;
        if (wanted) return line.substr(second + 2);
    }
    return std::nullopt;
}

struct Limits {
    std::optional<Milli> cpus;
    std::optional<Bytes> memory;
};

void tighten(Limits& limits, std::optional<Milli> cpus, std::optional<Bytes> memory) {
    if (cpus && (!limits.cpus || *cpus < *limits.cpus)) limits.cpus = cpus;
    if (memory && (!limits.memory || *memory < *limits.memory)) limits.memory = memory;
}

std::optional<Milli> quota(std::int64_t microseconds, std::int64_t period) {
    if (microseconds <= 0 || period <= 0) return std::nullopt;
    return Milli{std::max<std::int64_t>(1, microseconds * 1000 / period)};
}

void readLimits(const std::filesystem::path& cgroup, Limits& limits) {
    // v2
    if (const auto text = contents(cgroup / "cpu.max")) {
        std::istringstream words(*text);
        std::string most;
        std::int64_t period = 0;
        std::int64_t microseconds = 0;
        if (words >> most >> period && absl::SimpleAtoi(most, &microseconds))
            tighten(limits, quota(microseconds, period), {});
    }
    if (const auto bytes = number(cgroup / "memory.max")) tighten(limits, {}, Bytes{*bytes});
    // v1
    const auto microseconds = number(cgroup / "cpu.cfs_quota_us");
    const auto period = number(cgroup / "cpu.cfs_period_us");
    if (microseconds && period) tighten(limits, quota(*microseconds, *period), {});
    if (const auto bytes = number(cgroup / "memory.limit_in_bytes")) tighten(limits, {}, Bytes{*bytes});
}

// Every ancestor's limit binds, so the whole path is walked. In a container the path of the host isn't there, but the
// hierarchy's root is then the container's own.
Limits cgroupLimits(const std::filesystem::path& proc, const std::filesystem::path& root) {
    Limits limits;
    const std::string table = contents(proc / "self/cgroup").value_or("");
    struct Hierarchy {
        std::string_view controller;
        std::vector<std::filesystem::path> mounts;
    };
    const Hierarchy hierarchies[] = {
        {"", {root, root / "unified"}},
        {"cpu", {root / "cpu", root / "cpu,cpuacct"}},
        {"memory", {root / "memory"}},
    };
    for (const Hierarchy& hierarchy : hierarchies) {
        const std::optional<std::string> path = cgroupPath(table, hierarchy.controller);
        if (!path) continue;
        for (const std::filesystem::path& mount : hierarchy.mounts) {
            readLimits(mount, limits);
            std::filesystem::path at = mount;
            for (const std::filesystem::path& part : std::filesystem::path(*path)) readLimits(at /= part, limits);
        }
    }
    return limits;
}

Milli megabytes(std::int64_t bytes) { return {bytes / (1 << 20) * 1000}; }

} // namespace

Machine detectMachine(const std::filesystem::path& work_dir, const std::filesystem::path& proc,
                      const std::filesystem::path& cgroup_root) {
    Machine machine;
    machine.cpus = affinity();
    machine.memory = {static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE)};
    const Limits limits = cgroupLimits(proc, cgroup_root);
    if (limits.cpus) machine.cpus = std::min(machine.cpus, *limits.cpus);
    if (limits.memory) machine.memory = std::min(machine.memory, *limits.memory);
    struct statvfs disk {};
    if (::statvfs(work_dir.c_str(), &disk) == 0) {
        machine.disk = {static_cast<std::int64_t>(disk.f_blocks) * static_cast<std::int64_t>(disk.f_frsize)};
    }
    return machine;
}

Resources offeredOf(const Machine& machine) {
    const auto without = [](std::int64_t all, std::int64_t reserve) {
        return all > 2 * reserve ? all - reserve : all / 2;
    };
    Resources resources;
    resources.setScalar(Resources::kCpus, machine.cpus);
    resources.setScalar(Resources::kMem, megabytes(without(machine.memory.count, kGibibyte)));
    resources.setScalar(Resources::kDisk, megabytes(without(machine.disk.count, 5 * kGibibyte)));
    return resources;
}

absl::StatusOr<Resources> advertised(std::string_view resources_flag, const Machine& machine) {
    absl::StatusOr<Resources> said = Resources::parse(resources_flag);
    if (!said.ok()) {
        return absl::InvalidArgumentError(concat("--resources: ", toStd(said.status().message())));
    }
    const Resources found = offeredOf(machine);
    // A scalar that was said as 0 looks like one that wasn't said; the text tells.
    const auto mentioned = [&](std::string_view name) {
        const std::string text(resources_flag);
        for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
            const std::size_t end = text.find_first_not_of(" \"", at + name.size());
            const bool begins = at == 0 || std::string_view("; \",").find(text[at - 1]) != std::string_view::npos;
            if (begins && end != std::string::npos && (text[end] == ':' || text[end] == ',')) return true;
        }
        return false;
    };
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const auto scalar = static_cast<Resources::Scalar>(i);
        if (said->scalar(scalar).count == 0 && !mentioned(Resources::kScalarNames[i])) {
            said->setScalar(scalar, found.scalar(scalar));
        }
    }
    if (said->find("ports") == nullptr && !mentioned("ports")) {
        const absl::StatusOr<Ranges> ports = Ranges::of({{31000, 32000}});
        if (absl::Status added = said->add({"ports", *ports}); !added.ok()) return added;
    }
    return said;
}

} // namespace stoa::agent
