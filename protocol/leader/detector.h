// Who leads, and which other masters there are: a fixed address, or what ZooKeeper says. Agents, drivers, the command line
// and standby masters all ask here:
//
//     absl::StatusOr<std::unique_ptr<Detector>> detector = makeDetector("zk://h1:2181,h2:2181/stoa");
//     poll((*detector)->eventFd()); if (std::optional<Masters> now = (*detector)->take()) …    // a new view
//
// The view of a fixed address is there at once and never changes. In ZooKeeper masters are the ephemeral sequential nodes
// json.info_NNNNNNNNNN below the path; the lowest leads, and its node says under which epoch once it is in office. A
// session lost or expired, a server that isn't there, a path that doesn't exist yet: the detector logs it, keeps the last
// view (a follower had better stay where it is) and goes on trying; the view changes when ZooKeeper says so.
//
// Owned by one thread, which calls everything here; nothing blocks. ZooKeeper's own threads are inside.
#pragma once

#include "protocol/leader/master_info.h"
#include "protocol/leader/zookeeper_address.h"
#include "protocol/units.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

struct Masters {
    std::vector<MasterInfo> all; // in order of candidacy: the leader, if any, stands first

    const MasterInfo* leader() const { return all.empty() ? nullptr : &all.front(); }
    friend bool operator==(const Masters&, const Masters&) = default;
};

// Which of a master's ports a fixed "host:port" names.
enum class FixedPort : std::uint8_t { kWire, kHttp };

struct DetectorOptions {
    FixedPort fixed_port = FixedPort::kWire;
    Duration session_timeout = std::chrono::seconds(10); // with ZooKeeper
    bool quiet = false;                                  // nothing into the log: a person waits, and is told otherwise
};

class Detector {
public:
    virtual ~Detector() = default;
    // Readable when take() has something, or something to see to inside.
    virtual int eventFd() const = 0;
    // The view, when it changed since the last call.
    virtual std::optional<Masters> take() = 0;
};

// `where` is host:port or zk://host:port,host:port/path. An error (InvalidArgument) is about its form; a ZooKeeper that
// can't be reached is waited for.
absl::StatusOr<std::unique_ptr<Detector>> makeDetector(std::string_view where, const DetectorOptions& options = {});

// Blocks until a leader is in office (at once, for a fixed address): for commands. Unavailable when `patience` passes
// first, with what was waited for.
absl::StatusOr<MasterInfo> detectLeader(std::string_view where, Duration patience, const DetectorOptions& options = {});

} // namespace stoa
