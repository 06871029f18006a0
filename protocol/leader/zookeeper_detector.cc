#include "protocol/leader/zookeeper_detector.h"

#include "protocol/leader/candidates.h"
#include "protocol/leader/zookeeper.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <glog/logging.h>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <utility>

namespace stoa {

namespace {

// Without a connection for so long, the log says so, and again after each such time.
constexpr Duration kPatience = std::chrono::seconds(5);
// Before a new session where the last could not be opened, or a call failed for a reason of its own.
constexpr Duration kRetry = std::chrono::seconds(1);

class ZooKeeperDetector : public Detector {
public:
    ZooKeeperDetector(ZooKeeperAddress address, const DetectorOptions& options)
        : address_(std::move(address)), session_timeout_(options.session_timeout), quiet_(options.quiet),
          poll_(::epoll_create1(EPOLL_CLOEXEC)), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
        watch(timer_.get());
        open();
    }

    int eventFd() const override { return poll_.get(); }

    std::optional<Masters> take() override {
        std::uint64_t ticks = 0;
        const bool due = ::read(timer_.get(), &ticks, sizeof ticks) == sizeof ticks;
        if (client_) client_->dispatch();
        if (expired_ || !client_) {
            if (due || expired_) open();
        } else if (due) {
            if (!connected_) {
                LOG_IF(WARNING, !quiet_) << "no connection to ZooKeeper at " << address_.toString() << "; still trying";
                arm(kPatience);
            } else {
                list();
            }
        }
        return std::exchange(news_, std::nullopt);
    }

private:
    void watch(int fd) const {
        epoll_event event{};
        event.events = EPOLLIN;
        CHECK_EQ(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event), 0);
    }

    void arm(Duration wait) const {
        itimerspec when{};
        when.it_value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(wait).count();
        CHECK_EQ(::timerfd_settime(timer_.get(), 0, &when, nullptr), 0);
    }
    void disarm() const {
        const itimerspec never{};
        CHECK_EQ(::timerfd_settime(timer_.get(), 0, &never, nullptr), 0);
    }

    void complain(const absl::Status& status) const {
        if (quiet_) return;
        LOG_EVERY_T(WARNING, 10) << "can't find out who leads: " << status.message() << "; still trying";
    }

    void open() {
        expired_ = connected_ = false;
        client_.reset();
        known_.clear();
        listed_.clear();
        absl::StatusOr<std::unique_ptr<ZooKeeper>> client = ZooKeeper::open(
            address_.hosts, session_timeout_,
            {[this](ZooKeeper::Session session) { on(session); }, [this](const std::string& path) { changed(path); }});
        if (!client.ok()) {
            complain(client.status());
            arm(kRetry);
            return;
        }
        client_ = *std::move(client);
        watch(client_->eventFd());
        arm(kPatience);
    }

    void on(ZooKeeper::Session session) {
        switch (session) {
        case ZooKeeper::Session::kConnected:
            connected_ = true;
            disarm();
            list();
            break;
        case ZooKeeper::Session::kSuspended:
            if (std::exchange(connected_, false)) arm(kPatience);
            break;
        case ZooKeeper::Session::kExpired: expired_ = true; break;
        }
    }

    void changed(const std::string& path) {
        if (path != address_.path) known_.erase(path.substr(path.rfind('/') + 1));
        list();
    }

    // After a lost connection the next one lists again; other failures are tried again after a while.
    void failed(const absl::Status& status) {
        if (absl::IsUnavailable(status) || absl::IsFailedPrecondition(status)) return;
        complain(status);
        arm(kRetry);
    }

    void list() {
        client_->children(address_.path, true, [this](const absl::StatusOr<std::vector<std::string>>& names) {
            if (absl::IsNotFound(names.status())) {
                awaitPath();
            } else if (!names.ok()) {
                failed(names.status());
            } else {
                listed_ = candidatesOf(*names);
                read();
            }
        });
    }

    void awaitPath() {
        LOG_IF(WARNING, !quiet_) << "ZooKeeper has no " << address_.path << ": no master was ever started with "
                                 << address_.toString() << "; waiting for one";
        listed_.clear();
        read();
        client_->exists(address_.path, true, [this](absl::StatusOr<bool> there) {
            if (!there.ok())
                failed(there.status());
            else if (*there)
                list();
        });
    }

    // What was listed and isn't known is asked for; the view is complete when nothing is.
    void read() {
        std::erase_if(known_, [this](const auto& known) {
            return std::find(listed_.begin(), listed_.end(), known.first) == listed_.end();
        });
        bool complete = true;
        for (const std::string& name : listed_) {
            if (auto known = known_.find(name); known != known_.end()) {
                complete &= known->second.has_value();
                continue;
            }
            complete = false;
            known_[name] = std::nullopt;
            client_->get(concat(address_.path, "/", name), true,
                         [this, name](const absl::StatusOr<ZooKeeper::Node>& node) { learn(name, node); });
        }
        if (complete) show();
    }

    void learn(const std::string& name, const absl::StatusOr<ZooKeeper::Node>& node) {
        auto known = known_.find(name);
        if (known == known_.end()) return; // gone meanwhile
        if (!node.ok()) {
            known_.erase(known);
            if (absl::IsNotFound(node.status()))
                std::erase(listed_, name);
            else
                return failed(node.status());
        } else if (absl::StatusOr<MasterInfo> master = masterInfoFromJson(node->data); master.ok()) {
            known->second = *std::move(master);
        } else {
            LOG(WARNING) << "ZooKeeper, " << address_.path << "/" << name << ": " << master.status().message();
            std::erase(listed_, name);
            known_.erase(known);
        }
        read();
    }

    void show() {
        Masters now;
        for (const std::string& name : listed_) now.all.push_back(*known_.at(name));
        if (shown_ == now) return;
        shown_ = now;
        news_ = std::move(now);
    }

    const ZooKeeperAddress address_;
    const Duration session_timeout_;
    const bool quiet_;
    UniqueFd poll_;
    UniqueFd timer_;
    std::unique_ptr<ZooKeeper> client_;
    bool connected_ = false;
    bool expired_ = false;
    std::vector<std::string> listed_;                        // nodes' names, in order of candidacy
    std::map<std::string, std::optional<MasterInfo>> known_; // by name; absent while it is asked for
    std::optional<Masters> shown_;
    std::optional<Masters> news_;
};

} // namespace

std::unique_ptr<Detector> makeZooKeeperDetector(ZooKeeperAddress address, const DetectorOptions& options) {
    return std::make_unique<ZooKeeperDetector>(std::move(address), options);
}

} // namespace stoa
