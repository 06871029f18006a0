// One master as others find it: what it says of itself in ZooKeeper, in a node json.info_NNNNNNNNNN, as JSON in the form
// that Mesos's clients read, with fields of our own under "stoa". Plain values and pure functions, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace stoa {

struct MasterInfo {
    std::string id;              // of this candidacy: made at random, new when the master starts over
    std::string hostname;        // for people
    std::string host;            // to be dialed: an IP address where known, else a name
    std::uint16_t http_port = 0; // 0: not known (a fixed ZeroMQ address)
    std::uint16_t wire_port = 0; // of the ZeroMQ door; 0: not known (a fixed HTTP address, or a foreign master)
    std::uint64_t epoch = 0;     // under which it leads; 0: not in office (yet), or not known
    std::string version;

    std::string httpAddress() const; // "10.0.0.1:5050"; empty when the port is not known
    std::string wireAddress() const; // "10.0.0.1:5052"; empty when the port is not known

    friend bool operator==(const MasterInfo&, const MasterInfo&) = default;
};

// {"address": {…}, "hostname": …, "id": …, "ip": 16777343, "pid": "master@127.0.0.1:5050", "port": 5050, "stoa":
// {"epoch": 3, "wire_port": 5052}, "version": …}; "ip" is a network-order integer, 0 when the host is no IPv4 address.
std::string toJson(const MasterInfo& master);
// The error says what is wrong with the text. Fields of others are ignored.
absl::StatusOr<MasterInfo> masterInfoFromJson(std::string_view text);

} // namespace stoa
