#include "frameworks/sdk/executor_core.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa::sdk {
namespace {

Uuid makeUuid(Rng& rng) {
    Uuid uuid;
    for (std::size_t half = 0; half < 2; ++half) {
        std::uint64_t bits = rng.next();
        for (std::size_t i = 0; i < 8; ++i, bits >>= 8) uuid[half * 8 + i] = static_cast<std::uint8_t>(bits);
    }
    uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0f) | 0x40);
    uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3f) | 0x80);
    return uuid;
}

} // namespace

ExecutorCore::ExecutorCore(Options options, Rng& rng, Time now) : options_(std::move(options)), rng_(rng) {
    try_at_ = now;
    give_up_at_ = now + options_.recovery_timeout;
}

void ExecutorCore::step(const ExecutorInput& input, Time now, ExecutorOutput& out) {
    if (state_ == State::kEnded) return;
    std::visit([&](const auto& what) { on(what, now, out); }, input);
    runDue(now, out);
}

std::optional<Time> ExecutorCore::nextDeadline() const {
    if (state_ == State::kEnded) return std::nullopt;
    std::optional<Time> next;
    for (const std::optional<Time>& one : {try_at_, give_up_at_, repeat_at_, end_by_}) {
        if (one && (!next || *one < *next)) next = one;
    }
    return next;
}

ExecutorCall ExecutorCore::call(decltype(ExecutorCall::call) what) const {
    return {options_.framework, options_.executor, std::move(what)};
}

// ---- The stream ----------------------------------------------------------------------------------------------

void ExecutorCore::subscribe(ExecutorOutput& out) {
    state_ = State::kSubscribing;
    try_at_.reset();
    executor_call::Subscribe subscribe;
    subscribe.unacknowledged_tasks = ended_unacknowledged_;
    for (const auto& [id, task] : live_) {
        if (!task.acknowledged) subscribe.unacknowledged_tasks.push_back(task.info);
    }
    subscribe.unacknowledged_updates.assign(updates_.begin(), updates_.end());
    out.subscribe = call(std::move(subscribe));
}

void ExecutorCore::on(const StreamEvent& event, Time now, ExecutorOutput& out) {
    if (state_ == State::kWaiting) return; // of a stream that has ended
    std::visit([&](const auto& what) { onEvent(what, now, out); }, event.event);
}

void ExecutorCore::on(const StreamEnded& event, Time now, ExecutorOutput& out) {
    if (state_ == State::kWaiting) return;
    const bool was_subscribed = state_ == State::kSubscribed;
    state_ = State::kWaiting;
    repeat_at_.reset();
    if (event.refused) {
        out.told.push_back(executor_event::Error{event.why});
        return end(out);
    }
    if (was_subscribed) {
        backoff_ = kFirstBackoff;
        give_up_at_ = now + options_.recovery_timeout;
        out.told.push_back(Away{});
    }
    // Spread, since all executors of an agent lose it at once.
    try_at_ = now + backoff_ / 2 +
              Duration(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(backoff_.count() / 2 + 1))));
    backoff_ = std::min(backoff_ * 2, std::max(options_.backoff_most, kFirstBackoff));
}

void ExecutorCore::onEvent(const executor_event::Subscribed& event, Time now, ExecutorOutput& out) {
    state_ = State::kSubscribed;
    ever_subscribed_ = true;
    give_up_at_.reset();
    if (!updates_.empty()) repeat_at_ = now + options_.repeat;
    out.told.push_back(event);
}

void ExecutorCore::onEvent(const executor_event::Launch& event, Time, ExecutorOutput& out) {
    if (live_.contains(event.task.id)) return;
    live_.emplace(event.task.id, Live{event.task});
    out.told.push_back(event);
}

void ExecutorCore::onEvent(const executor_event::Kill& event, Time, ExecutorOutput& out) {
    if (live_.contains(event.task)) out.told.push_back(event);
}

void ExecutorCore::onEvent(const executor_event::Acknowledged& event, Time now, ExecutorOutput& out) {
    std::erase_if(updates_, [&](const TaskStatus& one) { return one.uuid == event.uuid && one.task == event.task; });
    std::erase_if(ended_unacknowledged_, [&](const TaskInfo& one) { return one.id == event.task; });
    if (const auto task = live_.find(event.task); task != live_.end()) task->second.acknowledged = true;
    repeat_at_.reset();
    if (!updates_.empty()) repeat_at_ = now + options_.repeat;
    if (stopping_ && updates_.empty()) end(out);
}

void ExecutorCore::onEvent(const executor_event::Message& event, Time, ExecutorOutput& out) {
    out.told.push_back(event);
}

void ExecutorCore::onEvent(const executor_event::Shutdown& event, Time now, ExecutorOutput& out) {
    if (!end_by_) out.told.push_back(event);
    end_by_ = std::min(end_by_.value_or(now + options_.linger), now + options_.linger);
}

void ExecutorCore::onEvent(const executor_event::Error& event, Time, ExecutorOutput& out) {
    out.told.push_back(event);
    end(out);
}

void ExecutorCore::runDue(Time now, ExecutorOutput& out) {
    if (state_ == State::kEnded) return;
    if (give_up_at_ && *give_up_at_ <= now) {
        out.told.push_back(executor_event::Shutdown{});
        return end(out);
    }
    // Not in the step of the SHUTDOWN itself: the executor has to hear of it first, and its last words come after.
    if (end_by_ && *end_by_ <= now) return end(out);
    if (repeat_at_ && *repeat_at_ <= now && state_ == State::kSubscribed) {
        for (const TaskStatus& update : updates_) out.calls.push_back(call(executor_call::Update{update}));
        repeat_at_ = now + options_.repeat;
    }
    if (try_at_ && *try_at_ <= now) subscribe(out);
}

void ExecutorCore::end(ExecutorOutput& out) {
    state_ = State::kEnded;
    out.ended = true;
}

// ---- What the executor says ----------------------------------------------------------------------------------

absl::Status ExecutorCore::update(TaskStatus status, Time now, WallTime wall, ExecutorOutput& out) {
    if (state_ == State::kEnded) return absl::FailedPreconditionError("the driver has ended");
    const auto task = live_.find(status.task);
    if (task == live_.end()) {
        return absl::NotFoundError(
            concat("task \"", status.task.value(), "\" was not launched here, or its end was said already"));
    }
    status.uuid = makeUuid(rng_);
    status.executor = options_.executor;
    status.source = StatusSource::kExecutor;
    status.timestamp = wall;
    updates_.push_back(status);
    if (isTerminal(status.state)) {
        if (!task->second.acknowledged) ended_unacknowledged_.push_back(std::move(task->second.info));
        live_.erase(task);
    }
    if (state_ == State::kSubscribed) {
        out.calls.push_back(call(executor_call::Update{std::move(status)}));
        if (!repeat_at_) repeat_at_ = now + options_.repeat;
    }
    return absl::OkStatus();
}

absl::Status ExecutorCore::message(std::string data, ExecutorOutput& out) {
    if (state_ != State::kSubscribed) return absl::UnavailableError("the agent is away at the moment");
    out.calls.push_back(call(executor_call::Message{std::move(data)}));
    return absl::OkStatus();
}

void ExecutorCore::stop(Time now, ExecutorOutput& out) {
    if (state_ == State::kEnded) return;
    stopping_ = true;
    if (updates_.empty()) return end(out);
    if (!end_by_) end_by_ = now + options_.linger;
}

} // namespace stoa::sdk
