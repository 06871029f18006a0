#include "protocol/leader/detector.h"

#include "protocol/boot_clock.h"
#include "protocol/leader/zookeeper_detector.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <absl/strings/numbers.h>

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

namespace stoa {

namespace {

class FixedDetector : public Detector {
public:
    explicit FixedDetector(MasterInfo master)
        : event_(::eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)), view_(Masters{{std::move(master)}}) {}

    int eventFd() const override { return event_.get(); }

    std::optional<Masters> take() override {
        eventfd_t count = 0;
        ::eventfd_read(event_.get(), &count);
        return std::exchange(view_, std::nullopt);
    }

private:
    UniqueFd event_;
    std::optional<Masters> view_;
};

absl::StatusOr<MasterInfo> fixedMaster(std::string_view where, FixedPort fixed_port) {
    const std::size_t colon = where.rfind(':');
    std::uint32_t port = 0;
    if (colon == 0 || colon == std::string_view::npos || !absl::SimpleAtoi(toAbsl(where.substr(colon + 1)), &port) ||
        port == 0 || port > 65535) {
        return invalid("\"", where, "\" is not an address; write host:port, as in 127.0.0.1:5052, or ",
                       "zk://host:port,host:port/path");
    }
    std::string_view host = where.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    MasterInfo master;
    master.id = std::string(where);
    master.host = std::string(host);
    master.hostname = master.host;
    (fixed_port == FixedPort::kWire ? master.wire_port : master.http_port) = static_cast<std::uint16_t>(port);
    return master;
}

} // namespace

absl::StatusOr<std::unique_ptr<Detector>> makeDetector(std::string_view where, const DetectorOptions& options) {
    if (isZooKeeperAddress(where)) {
        absl::StatusOr<ZooKeeperAddress> address = parseZooKeeperAddress(where);
        if (!address.ok()) return address.status();
        return makeZooKeeperDetector(*std::move(address), options);
    }
    absl::StatusOr<MasterInfo> master = fixedMaster(where, options.fixed_port);
    if (!master.ok()) return master.status();
    return std::make_unique<FixedDetector>(*std::move(master));
}

absl::StatusOr<MasterInfo> detectLeader(std::string_view where, Duration patience, const DetectorOptions& options) {
    if (!isZooKeeperAddress(where)) return fixedMaster(where, options.fixed_port);
    DetectorOptions quiet = options;
    quiet.quiet = true;
    absl::StatusOr<std::unique_ptr<Detector>> detector = makeDetector(where, quiet);
    if (!detector.ok()) return detector.status();
    const Time end = bootTime() + patience;
    bool any = false;
    for (;;) {
        if (std::optional<Masters> view = (*detector)->take()) {
            if (view->leader() != nullptr && view->leader()->epoch > 0) return *view->leader();
            any = true;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - bootTime()).count();
        if (left <= 0) break;
        pollfd waited = {(*detector)->eventFd(), POLLIN, 0};
        (void)::poll(&waited, 1, static_cast<int>(std::min<std::int64_t>(left, 60'000)));
    }
    return absl::UnavailableError(
        any ? concat("no master leads at ", where, "; is one running with that --zk?")
            : concat("ZooKeeper at ", where, " does not answer; are its servers running, and is the address right?"));
}

} // namespace stoa
