// What this machine has to offer: the processors that the agent may run on (affinity and cgroup quota looked at), memory
// and disk with a reserve for the machine itself, ports 31000 to 32000. What the operator says in --resources stands
// instead of what was found, kind by kind: "cpus:64" advertises 64 and leaves the rest to be found.
//
//   absl::StatusOr<Resources> resources = advertised(flag, detectMachine(work_dir));
//
// Reads /proc and /sys; functions without state, for the start only.
#pragma once

#include "protocol/resources/resources.h"

#include <absl/status/statusor.h>

#include <filesystem>
#include <string>
#include <string_view>

namespace stoa::agent {

struct Machine {
    Milli cpus;
    Bytes memory;
    Bytes disk; // of the file system with the work directory
};

// `cgroup_root` and `proc` are arguments for the sake of tests.
Machine detectMachine(const std::filesystem::path& work_dir, const std::filesystem::path& proc = "/proc",
                      const std::filesystem::path& cgroup_root = "/sys/fs/cgroup");

// The whole of it for one machine: of memory 1 GiB is kept back, or half of it where that is less, of disk 5 GiB or half.
Resources offeredOf(const Machine& machine);

// The error names the flag and the piece that is wrong.
absl::StatusOr<Resources> advertised(std::string_view resources_flag, const Machine& machine);

} // namespace stoa::agent
