// The agent's end of the socket to its shim. Finds the shim of a run directory, or starts one there;
// sends requests and receives events, and knows nothing of what they mean.
//
// Owned by a launcher and used from its thread. receive() says when the shim is gone; then the owner
// opens another connection, which starts another shim.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/containers/fd.h"
#include "agent/shim/shim_protocol.h"

namespace stoa::agent {

class ShimConnection {
public:
    static absl::StatusOr<ShimConnection> open(const std::filesystem::path& shim, const std::filesystem::path& run_dir);

    pid_t shimPid() const { return shim_pid_; }
    int fd() const { return socket_.get(); }

    // How many records of its journal the shim could not read when it started.
    std::uint32_t damagedRecords() const { return damaged_records_; }

    absl::Status request(shim::RequestKind kind, const std::string& id = "", int value = 0, const Fd& memfd = {});

    // Absent: nothing came in time. Unavailable: the shim is gone.
    absl::StatusOr<std::optional<shim::Event>> receive(std::chrono::milliseconds wait);

private:
    Fd socket_;
    pid_t shim_pid_ = 0;
    std::uint32_t damaged_records_ = 0;
};

} // namespace stoa::agent
