#include "frameworks/cli/output_follower.h"

#include "frameworks/sdk/agent_doors.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace stoa::cli {

namespace {

constexpr std::uint32_t kTriesAfterTheEnd = 20;      // the agent may be on its way back
constexpr int kFirstPause = 10, kLongestPause = 500; // milliseconds

bool writeAll(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t written = ::write(fd, data.data(), data.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        data.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

void ring(const UniqueFd& fd) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd.get(), &one, sizeof one);
}

UniqueFd bell() { return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

} // namespace

absl::StatusOr<Address> addressOf(const MasterClient& master, const AgentId& agent) {
    absl::StatusOr<rapidjson::Document> agents = master.get("/slaves?slave_id=" + agent.value());
    if (!agents.ok()) return agents.status();
    for (const Json& entry : listAt(*agents, "slaves")) {
        if (textAt(entry, "id") != agent.value()) continue;
        const std::string address = textAt(entry, "address");
        const std::size_t colon = address.rfind(':');
        if (colon == std::string::npos) break;
        return Address{address.substr(0, colon), static_cast<std::uint16_t>(integerAt(entry, "port"))};
    }
    return absl::NotFoundError(concat("the master knows no agent ", agent.value()));
}

OutputFollower::OutputFollower(Source source, int out)
    : source_(std::move(source)), out_(out), done_(bell()), cancel_(bell()), thread_([this] {
          run();
          ring(done_);
      }) {}

OutputFollower::~OutputFollower() {
    ring(cancel_);
    join();
}

void OutputFollower::join() {
    if (thread_.joinable()) thread_.join();
}

void OutputFollower::run() {
    for (;;) {
        bool through = false;
        bool broken_pipe = false;
        http::ClientRequest request;
        request.url =
            sdk::outputStream(source_.address, source_.framework, source_.task.value(), source_.which, offset_, true);
        request.cancel_fd = cancel_.get();
        source_.master.identify(request);
        request.on_data = [&](std::string_view piece) {
            tries_ = 0;
            if (!writeAll(out_, piece)) {
                broken_pipe = true;
                return false;
            }
            offset_ += piece.size();
            return true;
        };
        absl::StatusOr<http::ClientResponse> response = http::fetch(request);
        if (response.ok()) {
            through = response->ok();
            if (!through) problem_ = concat("its agent says: ", response->status, " ", response->body.substr(0, 200));
        } else {
            problem_ = std::string(response.status().message());
        }
        if (broken_pipe || absl::IsCancelled(response.status())) {
            problem_.clear();
            return;
        }
        if (through) {
            problem_.clear();
            return;
        }
        if (!moveOn()) return;
    }
}

bool OutputFollower::moveOn() {
    ++tries_;
    if (ended_ && tries_ > kTriesAfterTheEnd) return false;
    const int pause = std::min(kFirstPause << std::min(tries_, 8u), kLongestPause);
    pollfd cancelled{cancel_.get(), POLLIN, 0};
    if (::poll(&cancelled, 1, pause) > 0) return false;
    if (absl::StatusOr<Address> address = addressOf(source_.master, source_.agent); address.ok())
        source_.address = *address;
    return true;
}

} // namespace stoa::cli
