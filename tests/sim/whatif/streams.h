// Work made up instead of read: streams of jobs that arrive at random (a Poisson process), each with a mix of sizes. One
// stream is one flag:
//
//     --stream="role=etl every=30s shape=cpus:2;mem:4096 duration=~10m count=1..20"
//
// every: the mean time between two jobs. duration and count: one value, a range ("5m..20m", each as likely), or, for
// durations, "~10m": exponential with that mean, many short and few long. Also framework, gang, where, as in a trace.
// Each stream draws from a chance of its own, so that another stream changes nothing in it. Pure.
#pragma once

#include "protocol/rng.h"
#include "tests/sim/whatif/workload.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa::sim {

struct Stream {
    std::string framework;
    std::string role;
    std::string shape;
    std::string where;
    Duration every{0};
    Duration shortest{0};
    Duration longest{0};      // equal to shortest: always the same
    bool exponential = false; // with the mean `shortest`
    std::uint32_t fewest = 1;
    std::uint32_t most = 1;
    bool gang = false;
};

absl::StatusOr<Stream> parseStream(std::string_view text);
// Its jobs from time 0 until `length`.
absl::Status drawJobs(const Stream& stream, Duration length, Rng& rng, Workload& workload);

} // namespace stoa::sim
