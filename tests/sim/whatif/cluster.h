// The machines that a question is asked about: from a cluster file, a class of equal agents a line, and changed as the
// question wants it.
//
//     class, count, resources,                      attributes
//     small, 40,    cpus:16;mem:65536,              rack:a
//     big,   10,    cpus:64;mem:262144;gpus:4,      rack:b;ssd:true
//
//     absl::StatusOr<Cluster> cluster = parseCluster("cluster.csv", text);
//     absl::Status added = cluster->add("10xsmall");
//
// A plain value; pure.
#pragma once

#include "protocol/resources/resources.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::sim {

struct Machine {
    std::string name;  // one's own: class and number, or of a live agent its id
    std::string model; // its class, or of a live agent its host name
    Resources resources;
    Attributes attributes;
};

struct Cluster {
    std::vector<Machine> machines;

    // "10xCLASS": as many more of a class, of a machine like the one of that name, or of resources as they are written
    // ("10xcpus:8;mem:16384"). Returns how many.
    absl::StatusOr<std::uint32_t> add(std::string_view text);
    // Takes those away whose attributes satisfy "rack=a" (or ssd, !ssd, rack!=a), or that are of "class=small", or of the
    // one "host=NAME" (a live agent's host name or id). The error says what values there are. Returns which of the machines go, by their places before.
    absl::StatusOr<std::vector<bool>> remove(std::string_view text);

    Resources::Scalars total() const;
};

// At most this many agents, as many as a master admits.
inline constexpr std::size_t kMostMachines = 200'000;

absl::StatusOr<Cluster> parseCluster(std::string_view file, std::string_view text);

} // namespace stoa::sim
