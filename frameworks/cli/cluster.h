// Which cluster a command speaks to. In this order: --master, STOA_MASTER, the file that `stoa up` wrote, the default
// ports on this machine. The file, cluster.json in the cluster's directory, also says which processes `up` started.
// Plain values; files are read and written here only.
#pragma once

#include "frameworks/cli/processes.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stoa::cli {

struct ClusterProcess {
    std::string name; // "master", "agent-1", "batch"
    ProcessId process;
    std::vector<std::string> argv; // to start it again
    std::string log;
};

struct Cluster {
    std::string directory;
    std::uint16_t http_port = 0;
    std::uint16_t wire_port = 0;
    std::string zookeeper;                 // zk://…, where its masters elect a leader; empty: one master alone
    std::string batch_socket;              // of the batch framework's door; empty: none was started
    double agent_cpus = 0;                 // of each agent
    std::vector<ClusterProcess> processes; // in the order of their start
};

// --dir, STOA_DIR (unless the environment is not to be asked), else /var/lib/stoa for root and ~/.stoa for others.
std::string clusterDirectory(const std::string& flag, bool environment = true);
// NotFound when `up` has not run there.
absl::StatusOr<Cluster> readCluster(const std::string& directory);
// Replaces the file as a whole.
absl::Status writeCluster(const Cluster& cluster);

// How to reach a master.
struct MasterAddress {
    std::string http;         // "http://127.0.0.1:5050"; empty: ask ZooKeeper
    std::string wire;         // "127.0.0.1:5052", or zookeeper's address; empty: ask the master
    std::string batch_socket; // empty: ask the master
    double agent_cpus = 0;    // of each agent, where `stoa up` shared this machine among them; 0: not known
    std::string zookeeper;    // zk://…, which knows the leader; empty: the master is the one named
};
absl::StatusOr<MasterAddress> findMaster(const std::string& flag, const std::string& directory);

} // namespace stoa::cli
