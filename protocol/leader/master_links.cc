#include "protocol/leader/master_links.h"

#include "protocol/boot_clock.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <utility>

namespace stoa {

namespace {

std::uint64_t makeSeed() {
    std::random_device random;
    return (std::uint64_t{random()} << 32) | random();
}

} // namespace

absl::StatusOr<std::unique_ptr<MasterLinks>> MasterLinks::create(MasterLinksOptions options) {
    absl::StatusOr<std::unique_ptr<Detector>> detector = makeDetector(options.master, {.fixed_port = FixedPort::kWire});
    if (!detector.ok()) return detector.status();
    return std::unique_ptr<MasterLinks>(new MasterLinks(std::move(options), *std::move(detector)));
}

MasterLinks::MasterLinks(MasterLinksOptions options, std::unique_ptr<Detector> detector)
    : options_(std::move(options)), detector_(std::move(detector)), poll_(::epoll_create1(EPOLL_CLOEXEC)),
      timer_(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)), rng_(makeSeed()),
      following_(options_.highest_epoch, rng_, options_.following), told_epoch_(options_.highest_epoch) {
    watch(detector_->eventFd());
    watch(timer_.get());
}

MasterLinks::~MasterLinks() = default;

void MasterLinks::watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    CHECK_EQ(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
}

// The timer rings when a session's wait to be told is over.
void MasterLinks::arm() {
    if (following_.nextDeadline() == armed_) return;
    armed_ = following_.nextDeadline();
    itimerspec when{};
    if (armed_) {
        const Duration at = std::max(armed_->time_since_epoch(), Duration(1));
        when.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(at).count();
        when.it_value.tv_nsec = (at % std::chrono::seconds(1)).count();
    }
    CHECK_EQ(::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr), 0);
}

std::vector<DialerArrival> MasterLinks::take() {
    std::vector<DialerArrival> told;
    std::uint64_t rung = 0;
    [[maybe_unused]] const ssize_t got = ::read(timer_.get(), &rung, sizeof rung);
    if (std::optional<Masters> masters = detector_->take()) see(*masters, told);
    for (auto& [number, link] : links_) {
        for (DialerArrival& arrival : link.dialer->take()) following_.on(number, std::move(arrival), bootTime(), told);
    }
    following_.wake(bootTime(), told);
    lookForRefusals(told);
    // What one has seen holds for all; the followed one's session is of this epoch.
    if (following_.highestEpoch() > told_epoch_) {
        told_epoch_ = following_.highestEpoch();
        for (auto& [number, link] : links_) link.dialer->raiseEpoch(told_epoch_);
    }
    for (auto link = links_.begin(); link != links_.end();) {
        link = link->second.forget_at <= bootTime() ? close(link, told) : std::next(link);
    }
    arm();
    return told;
}

void MasterLinks::lookForRefusals(const std::vector<DialerArrival>& told) {
    followed_ = followed_ || !told.empty(); // the first that is told is that one leads
    for (auto& [number, link] : links_) {
        std::optional<std::string> refusal = link.dialer->refusal();
        if (refusal == link.refusal) continue;
        link.refusal = std::move(refusal);
        if (!link.refusal) continue;
        if (followed_) {
            LOG(ERROR) << *link.refusal << "; tried again";
        } else if (refused_.ok() && link.listed) {
            refused_ = absl::PermissionDeniedError(*link.refusal);
        }
    }
}

void MasterLinks::see(const Masters& masters, std::vector<DialerArrival>& told) {
    for (auto& [number, link] : links_) link.listed = false;
    for (const MasterInfo& master : masters.all) {
        const std::string address = master.wireAddress();
        if (!address.empty()) {
            auto same = std::find_if(links_.begin(), links_.end(),
                                     [&](const auto& one) { return one.second.address == address; });
            // A dialer keeps what it had queued for the last master at that address, so it is of no use for the next.
            if (same != links_.end() && same->second.id != master.id) {
                close(same, told);
                same = links_.end();
            }
            if (same == links_.end()) {
                dial(master.id, address);
            } else {
                same->second.listed = true;
            }
        }
        if (!options_.every_master) break;
    }
    for (auto& [number, link] : links_) {
        if (link.listed) {
            link.forget_at = Time::max();
        } else if (link.forget_at == Time::max()) {
            link.forget_at = bootTime() + kKeepUnlisted;
        }
    }
}

void MasterLinks::dial(const std::string& id, const std::string& address) {
    DialerOptions dialing;
    dialing.address = address;
    dialing.highest_epoch = following_.highestEpoch();
    dialing.session = options_.session;
    dialing.credentials = options_.credentials;
    dialing.linger = options_.linger;
    absl::StatusOr<std::unique_ptr<Dialer>> dialer = Dialer::create(dialing);
    if (!dialer.ok()) {
        // Of an address that a master gave of itself; the others may do.
        LOG(ERROR) << "the master at " << address << " can't be dialed: " << dialer.status().message();
        return;
    }
    watch((*dialer)->eventFd());
    links_.emplace(++last_link_, Link{id, address, *std::move(dialer), true, Time::max()});
}

std::map<Following::Link, MasterLinks::Link>::iterator
MasterLinks::close(std::map<Following::Link, Link>::iterator link, std::vector<DialerArrival>& told) {
    following_.dropped(link->first, bootTime(), told);
    refused_before_ += link->second.dialer->counters().sessions.refused_epoch;
    return links_.erase(link);
}

bool MasterLinks::sendIn(std::uint64_t session, Body body) {
    const std::optional<Following::Way> way = following_.wayOf(session);
    if (!way) return false;
    links_.at(way->link).dialer->sendIn(way->session, std::move(body));
    return true;
}

void MasterLinks::drop(std::uint64_t session, std::vector<DialerArrival>& told) {
    const std::optional<Following::Way> way = following_.wayOf(session);
    if (!way) return;
    const auto link = links_.find(way->link);
    const std::string id = link->second.id;
    const std::string address = link->second.address;
    close(link, told);
    dial(id, address);
}

std::string MasterLinks::leaderAddress() const {
    const std::optional<Following::Link> link = following_.link();
    return link ? links_.at(*link).address : "";
}

MasterLinks::Counters MasterLinks::counters() const {
    Counters counters;
    counters.refused_epochs = refused_before_ + following_.counters().refused_epochs;
    counters.failovers = following_.counters().failovers;
    counters.links = links_.size();
    for (const auto& [number, link] : links_) counters.refused_epochs += link.dialer->counters().sessions.refused_epoch;
    return counters;
}

} // namespace stoa
