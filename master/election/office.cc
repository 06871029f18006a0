#include "master/election/office.h"

#include "protocol/strings.h"

#include <glog/logging.h>

#include <utility>

namespace stoa::master {

absl::StatusOr<std::unique_ptr<Office>> Office::open(std::string_view zk, MasterInfo self, Duration session_timeout) {
    absl::StatusOr<ZooKeeperAddress> address = parseZooKeeperAddress(zk);
    if (!address.ok()) return address.status();
    absl::StatusOr<std::unique_ptr<Detector>> detector = makeDetector(zk, {.session_timeout = session_timeout});
    if (!detector.ok()) return detector.status();
    return std::unique_ptr<Office>(
        new Office(*std::move(address), std::move(self), session_timeout, *std::move(detector)));
}

Office::News Office::turn(Time now) {
    News news;
    Candidate::News heard = candidate_.turn(now);
    news.refused = candidate_.refused();
    if (heard.step_down) {
        // The session is closed: nothing of the registry's may be touched.
        news.step_down = std::move(heard.step_down);
        return news;
    }
    if (heard.connected && registry_ != nullptr) *heard.connected ? registry_->resume() : registry_->pause();
    if (heard.lead) {
        LOG(INFO) << "elected, epoch " << *heard.lead << "; reading the registry";
        reading_ = ZooKeeperRegistry::read(candidate_.zookeeper(), candidate_.path(), *heard.lead);
        registry_ = reading_.get();
    }
    if (reading_ && !reading_->failure().ok()) {
        const absl::Status why = reading_->failure();
        if (absl::IsFailedPrecondition(why) || absl::IsDataLoss(why)) {
            news.refused = why;
        } else {
            candidate_.writeFailed(why, now);
        }
    } else if (reading_ && reading_->ready()) {
        news.registry = std::move(reading_);
    }
    if (std::optional<Masters> masters = detector_->take()) {
        const MasterInfo* leader = masters->leader();
        const bool other = leader != nullptr && leader->epoch > 0 && leader->id != id_;
        news.leader = other ? leader->httpAddress() : "";
        for (const MasterInfo& each : masters->all) news.masters.push_back(each.httpAddress());
    }
    return news;
}

} // namespace stoa::master
