// Where a ZooKeeper ensemble is, and which path of it is ours, as people write it: zk://host:port,host:port/path. A port
// may be left out (2181); the path may not, since masters of another cluster may live in the same ensemble.
// Plain values and pure functions, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

namespace stoa {

struct ZooKeeperAddress {
    std::string hosts; // "h1:2181,h2:2181", as the client library wants it
    std::string path;  // "/stoa", without a slash at its end

    std::string toString() const; // "zk://h1:2181,h2:2181/stoa"
    friend bool operator==(const ZooKeeperAddress&, const ZooKeeperAddress&) = default;
};

bool isZooKeeperAddress(std::string_view where); // begins with "zk://"

// InvalidArgument names the part that is wrong, and the form.
absl::StatusOr<ZooKeeperAddress> parseZooKeeperAddress(std::string_view text);

} // namespace stoa
