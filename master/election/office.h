// How one of several masters comes to lead: it stands for office (candidate.h), learns who leads meanwhile, and, once elected,
// reads the registry; then it leads until it steps down. For the daemon's loop, which calls turn() before anything else:
//
//     absl::StatusOr<std::unique_ptr<Office>> office = Office::open("zk://h1:2181,h2:2181/stoa", self, session_timeout);
//     poll((*office)->descriptors(), …, (*office)->nextDeadline());
//     Office::News news = (*office)->turn(now);
//
// Owned by the state thread.
#pragma once

#include "master/election/candidate.h"
#include "master/registry/zookeeper_registry.h"
#include "protocol/leader/detector.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::master {

class Office {
public:
    struct News {
        // This master leads, and this is what it must know. Once.
        std::unique_ptr<Registry> registry;
        // It leads no longer: say nothing more, destroy everything, start over.
        std::optional<std::string> step_down;
        // The HTTP door of who leads, and is in office; empty: nobody, or this master itself, which is not ready yet.
        std::optional<std::string> leader;
        // With it: the HTTP doors of all masters, this one's too.
        std::vector<std::string> masters;
        // It can't serve this registry: the process must end.
        absl::Status refused;
    };

    static absl::StatusOr<std::unique_ptr<Office>> open(std::string_view zk, MasterInfo self, Duration session_timeout);

    News turn(Time now);
    // The registry that was handed out has failed.
    void writeFailed(const absl::Status& why, Time now) { candidate_.writeFailed(why, now); }
    // By its own clock, too. To be asked right before anything is said.
    bool leads(Time now) const { return candidate_.leads(now); }

    std::array<int, 2> descriptors() const { return {candidate_.eventFd(), detector_->eventFd()}; }
    std::optional<Time> nextDeadline() const { return candidate_.nextDeadline(); }

private:
    Office(ZooKeeperAddress address, MasterInfo self, Duration session_timeout, std::unique_ptr<Detector> detector)
        : id_(self.id), detector_(std::move(detector)),
          candidate_(std::move(address), std::move(self), session_timeout) {}

    const std::string id_;
    std::unique_ptr<Detector> detector_;
    std::unique_ptr<ZooKeeperRegistry> reading_; // until it is ready
    ZooKeeperRegistry* registry_ = nullptr;      // this, or what was handed out
    Candidate candidate_;                        // goes first: its session calls the registry
};

} // namespace stoa::master
