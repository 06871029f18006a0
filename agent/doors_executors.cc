#include "agent/doors_executors.h"

#include "protocol/codec/executor_messages.h"
#include "protocol/http/records.h"
#include "protocol/strings.h"

#include <sys/eventfd.h>

#include <mutex>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::agent {

using http::textResponse;

struct ExecutorDoor::Arrival {
    struct Call {
        ExecutorCall call;
        std::string token;
        http::Responder responder;
    };
    std::variant<Call, executor_says::Gone> what;
};

struct ExecutorDoor::Queue {
    UniqueFd event{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    std::mutex mutex;
    std::vector<Arrival> arrivals;

    void push(Arrival arrival) {
        const std::lock_guard lock(mutex);
        arrivals.push_back(std::move(arrival));
        ::eventfd_write(event.get(), 1);
    }
    bool full() {
        const std::lock_guard lock(mutex);
        return arrivals.size() >= kMostWaiting;
    }
};

namespace {

std::optional<http::Response> refusal(const http::Request& request) {
    const std::string_view type = request.header("Content-Type");
    if (!type.starts_with("application/json")) {
        return textResponse(type.empty() ? 400 : 415, "Content-Type must be application/json");
    }
    const std::string_view accept = request.header("Accept");
    if (!accept.empty() && accept.find("application/json") == std::string_view::npos &&
        accept.find("*/*") == std::string_view::npos) {
        return textResponse(406, "answers are application/json");
    }
    return std::nullopt;
}

std::string tokenOf(const http::Request& request) {
    constexpr std::string_view kScheme = "Bearer ";
    const std::string_view header = request.header("Authorization");
    return header.starts_with(kScheme) ? std::string(header.substr(kScheme.size())) : "";
}

// In a time that doesn't tell how much of it was right.
bool sameSecret(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) return false;
    unsigned char different = 0;
    for (std::size_t i = 0; i < a.size(); ++i) different |= static_cast<unsigned char>(a[i] ^ b[i]);
    return different == 0;
}

} // namespace

ExecutorDoor::ExecutorDoor() : queue_(std::make_shared<Queue>()) {}
ExecutorDoor::~ExecutorDoor() = default;

int ExecutorDoor::eventFd() const { return queue_->event.get(); }

void ExecutorDoor::addTo(http::Router& router) {
    router.defer("POST", "/api/v1/executor", [queue = queue_](const http::Request& request, http::Responder responder) {
        if (std::optional<http::Response> refused = refusal(request)) return responder.respond(*std::move(refused));
        absl::StatusOr<ExecutorCall> call = executorCallFromJson(request.body);
        if (!call.ok()) return responder.respond(textResponse(400, std::string(call.status().message())));
        if (queue->full()) return responder.respond(textResponse(503, "the agent is behind with its executors' calls"));
        queue->push({Arrival::Call{*std::move(call), tokenOf(request), std::move(responder)}});
    });
}

void ExecutorDoor::handle(const Agent& agent, const std::function<void(const Input&)>& step, Time now) {
    std::vector<Arrival> arrivals;
    {
        const std::lock_guard lock(queue_->mutex);
        arrivals.swap(queue_->arrivals);
        eventfd_t count = 0;
        ::eventfd_read(queue_->event.get(), &count);
    }
    for (Arrival& arrival : arrivals) take(std::move(arrival), agent, step);
    if (streams_.empty()) {
        heartbeat_at_.reset();
    } else if (!heartbeat_at_) {
        heartbeat_at_ = now + kHeartbeat;
    } else if (*heartbeat_at_ <= now) {
        const Body record = makeBody(http::asRecord(toJson(ExecutorEvent(executor_event::Heartbeat{}))));
        for (auto& [number, stream] : streams_) stream.write(record); // who is gone is told of by its end
        heartbeat_at_ = now + kHeartbeat;
    }
}

void ExecutorDoor::take(Arrival arrival, const Agent& agent, const std::function<void(const Input&)>& step) {
    if (const auto* gone = std::get_if<executor_says::Gone>(&arrival.what)) {
        streams_.erase(gone->stream);
        return step(*gone);
    }
    auto& [call, token, responder] = std::get<Arrival::Call>(arrival.what);
    const ExecutorKey key{call.framework, call.executor};
    const Executor* executor = agent.executor(key);
    if (executor == nullptr) {
        return responder.respond(textResponse(400, concat("no executor \"", key.executor.value(), "\" of framework \"",
                                                          key.framework.value(), "\" lives here")));
    }
    if (!sameSecret(token, executor->token)) {
        return responder.respond(textResponse(403, "the token is not this executor's"));
    }
    if (std::holds_alternative<executor_call::Heartbeat>(call.call)) return responder.respond(textResponse(202, ""));
    if (auto* subscribe = std::get_if<executor_call::Subscribe>(&call.call)) {
        http::Response head;
        head.content_type = "application/json";
        const std::uint64_t number = ++last_stream_;
        http::Stream stream = responder.stream(std::move(head));
        streams_.emplace(number, stream);
        stream.onEnd([queue = queue_, key, number](const std::string&) {
            queue->push({executor_says::Gone{key, number}});
        });
        return step(executor_says::Subscribed{key, number, std::move(*subscribe)});
    }
    if (executor->stream == 0) return responder.respond(textResponse(403, "the executor is not subscribed"));
    if (auto* update = std::get_if<executor_call::Update>(&call.call)) {
        step(executor_says::Updated{key, std::move(update->status)});
    } else {
        step(executor_says::Message{key, std::move(std::get<executor_call::Message>(call.call).data)});
    }
    responder.respond(textResponse(202, ""));
}

void ExecutorDoor::send(const ToExecutor& effect) {
    const auto stream = streams_.find(effect.stream);
    if (stream != streams_.end()) stream->second.write(http::asRecord(toJson(effect.event)));
}

void ExecutorDoor::end(const EndStream& effect) {
    const auto stream = streams_.find(effect.stream);
    if (stream == streams_.end()) return;
    stream->second.end();
    streams_.erase(stream);
}

} // namespace stoa::agent
