// Which faults a run suffers and how often each was in play. Every fault has a name, a rate and a counter: over a
// tier's whole set of seeds a fault that is enabled and was never reached fails the run, since what was never reached
// was not tested. Plain values, owned by the World.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstdint>
#include <string_view>

namespace stoa::sim {

enum class Fault : std::uint8_t {
    kDrop,        // a frame is lost
    kDuplicate,   // a frame arrives twice
    kReorder,     // a frame overtakes others
    kDelay,       // a frame is late by seconds
    kPartition,   // all frames one way between two nodes are lost for a while
    kMasterCrash, // the master's process ends between two steps and starts again
    kAgentCrash,  // so the agent's; its shim and tasks go on
    kFrameworkCrash,
    kShimCrash,     // tasks go on, their exit status becomes unknown
    kReboot,        // agent, shim and tasks end; the disk stays
    kPause,         // a process stands still, then goes on with what has queued up
    kSlowDisk,      // a commit takes seconds
    kLaunchFailure, // the container does not start
    kTaskFailure,   // the command fails
    kOutOfMemory,
    kZooKeeperCut,  // a master and ZooKeeper don't hear each other for a while
    kZooKeeperLoss, // a master's connection to ZooKeeper breaks, and nobody knows whether its last call was carried out
    kLateExpiry,    // a session that is over lives on for a while
    kMidwayPause,   // a master stands still with its output queued
    kRetire,        // no fault: the operator ends an agent for good, and starts it again later
    kExecutorCrash,
    kExecutorHang, // it never comes up
    kExecutorLink, // the stream between it and its agent breaks, or one call is lost
};
inline constexpr std::size_t kFaults = 23;

inline constexpr std::array<std::string_view, kFaults> kFaultNames = {
    "drop",           "duplicate",       "reorder",        "delay",         "partition",      "master_crash",
    "agent_crash",    "framework_crash", "shim_crash",     "reboot",        "pause",          "slow_disk",
    "launch_failure", "task_failure",    "out_of_memory",  "zookeeper_cut", "zookeeper_loss", "late_expiry",
    "midway_pause",   "retire",          "executor_crash", "executor_hang", "executor_link"};

using FaultCounts = std::array<std::uint64_t, kFaults>;

struct FaultPlan {
    // Chances in a million: per frame, per commit, per launch …
    std::array<std::uint32_t, kFaults> rate{};

    std::uint32_t of(Fault fault) const { return rate[static_cast<std::size_t>(fault)]; }

    static FaultPlan none() { return {}; }
    static FaultPlan all() {
        FaultPlan plan;
        auto set = [&plan](Fault fault, std::uint32_t rate) { plan.rate[static_cast<std::size_t>(fault)] = rate; };
        set(Fault::kDrop, 20'000);
        set(Fault::kDuplicate, 20'000);
        set(Fault::kReorder, 20'000);
        set(Fault::kDelay, 2'000);
        // These are per second of virtual time and node.
        set(Fault::kPartition, 4'000);
        set(Fault::kMasterCrash, 15'000);
        set(Fault::kAgentCrash, 8'000);
        set(Fault::kFrameworkCrash, 10'000);
        set(Fault::kShimCrash, 3'000);
        set(Fault::kReboot, 2'000);
        set(Fault::kPause, 6'000);
        set(Fault::kZooKeeperCut, 8'000);
        set(Fault::kMidwayPause, 8'000);
        set(Fault::kRetire, 2'000);
        // Per commit, per launch.
        set(Fault::kSlowDisk, 10'000);
        set(Fault::kZooKeeperLoss, 5'000);
        set(Fault::kLateExpiry, 300'000);
        set(Fault::kLaunchFailure, 30'000);
        set(Fault::kTaskFailure, 50'000);
        set(Fault::kExecutorCrash, 30'000);
        set(Fault::kExecutorHang, 20'000);
        set(Fault::kExecutorLink, 5'000);
        set(Fault::kOutOfMemory, 20'000);
        return plan;
    }
    // "all", "none", or names with commas: "drop,pause".
    static absl::StatusOr<FaultPlan> parse(std::string_view text);
};

} // namespace stoa::sim
