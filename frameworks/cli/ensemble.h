// ZooKeeper for a cluster on this machine: what `stoa up --masters=3` needs to start Debian's servers by itself, each with
// a directory of its own below the cluster's, on free ports of loopback. Functions and plain values, used from one thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace stoa::cli {

struct ZooKeeperServer {
    std::string name; // "zookeeper-1"
    std::uint16_t port = 0;
    std::vector<std::string> argv;
};

// Writes the servers' configuration into directory/zookeeper-N. NotFound: Java or ZooKeeper is not installed; the message
// names Debian's packages.
absl::StatusOr<std::vector<ZooKeeperServer>> prepareEnsemble(const std::string& directory, int servers);

// "zk://127.0.0.1:2181,…/stoa"
std::string ensembleAddress(const std::vector<ZooKeeperServer>& servers);

} // namespace stoa::cli
