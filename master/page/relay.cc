#include "master/page/relay.h"

#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <utility>

namespace stoa::master::page {

namespace {

constexpr int kLookAgain = 5; // ms, until a slow watcher's queue is looked at again

void run(const std::string& url, const std::string& authorization, http::Responder responder,
         const std::shared_ptr<UniqueFd>& cancel) {
    std::optional<http::Responder> answer(std::move(responder));
    std::optional<http::Stream> stream;
    http::ClientRequest request;
    request.url = url;
    if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
    request.cancel_fd = cancel->get();
    request.on_head = [&](int status, const http::Headers&) {
        if (status < 200 || status >= 300) return true; // small, and passed on whole
        // A task's output is its user's text, which must never be run as a page of this master's.
        http::Response head;
        head.status = status;
        head.content_type = "application/octet-stream";
        head.headers = {{"X-Content-Type-Options", "nosniff"}, {"Content-Security-Policy", "sandbox"}};
        stream = std::exchange(answer, std::nullopt)->stream(std::move(head));
        stream->onEnd([cancel](const std::string&) {
            const std::uint64_t one = 1;
            (void)!::write(cancel->get(), &one, sizeof one);
        });
        return true;
    };
    request.on_data = [&](std::string_view piece) {
        if (!stream || !stream->write(std::string(piece))) return false;
        pollfd cancelled{cancel->get(), POLLIN, 0};
        while (stream->queued() > Relay::kAhead) {
            if (::poll(&cancelled, 1, kLookAgain) > 0) return false;
        }
        return true;
    };
    const absl::StatusOr<http::ClientResponse> response = http::fetch(request);
    if (!answer) return; // the last copy of the stream goes, and it ends
    if (response.ok()) {
        answer->respond(http::textResponse(response->status, response->body));
    } else {
        answer->respond(http::textResponse(502, std::string(response.status().message())));
    }
}

} // namespace

struct Relay::Passed {
    std::shared_ptr<UniqueFd> cancel;
    std::atomic<bool> ended = false;
    std::thread thread;
};

Relay::~Relay() {
    for (const std::shared_ptr<Passed>& one : passed_) {
        const std::uint64_t stop = 1;
        (void)!::write(one->cancel->get(), &stop, sizeof stop);
        one->thread.join();
    }
}

void Relay::joinEnded() {
    passed_.remove_if([](const std::shared_ptr<Passed>& one) {
        if (!one->ended) return false;
        one->thread.join();
        return true;
    });
}

void Relay::pass(std::string url, http::Responder responder, std::string authorization) {
    std::lock_guard lock(mutex_);
    joinEnded();
    if (passed_.size() >= kMostStreams) {
        responder.respond(http::textResponse(503, concat(kMostStreams, " outputs are watched through this master "
                                                                       "already; close another page")));
        return;
    }
    auto one = std::make_shared<Passed>();
    one->cancel = std::make_shared<UniqueFd>(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    passed_.push_back(one);
    one->thread = std::thread([one, url = std::move(url), authorization = std::move(authorization),
                               responder = std::move(responder)]() mutable {
        run(url, authorization, std::move(responder), one->cancel);
        one->ended = true;
    });
}

} // namespace stoa::master::page
