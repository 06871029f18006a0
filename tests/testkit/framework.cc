#include "tests/testkit/framework.h"

#include "frameworks/sdk/scheduler_face.h"
#include "protocol/strings.h"

#include <algorithm>
#include <utility>
#include <variant>

namespace stoa::testkit {

void SchedulerBrain::begin(Time) {
    scheduler_.reset();
    options_ = {};
    options_.name = name_;
    options_.id = id_;
    wake_at_.reset();
    ended_ = false;
    torn_down_ = false;
    error_.clear();
    scheduler_ = make_(state_, options_);
}

FrameworkInfo SchedulerBrain::info() const { return sdk::frameworkInfo(options_); }

void SchedulerBrain::told(const sdk::Told& told, Time) {
    if (ended_) return;
    if (const auto* subscribed = std::get_if<event::Subscribed>(&told)) id_ = subscribed->framework;
    if (const auto* offers = std::get_if<event::Offers>(&told)) offers_told_ += offers->offers.size();
    if (std::holds_alternative<event::Rescind>(told)) ++offers_rescinded_;
    if (const auto* update = std::get_if<event::Update>(&told)) tasks_[update->status.task] = update->status;
    const auto* error = std::get_if<event::Error>(&told);
    if (error != nullptr) error_ = error->message;
    sdk::tellScheduler(*scheduler_, *this, told);
    if (error != nullptr) ended_ = true;
}

void SchedulerBrain::wake(Time now) {
    if (ended_ || !wake_at_ || *wake_at_ > now) return;
    wake_at_.reset();
    scheduler_->woken(*this, now);
}

std::string SchedulerBrain::describe() const {
    std::string text = concat(name_, id_.empty() ? "" : " (", id_.value(), id_.empty() ? "" : ")");
    text += ended_ ? (torn_down_ ? " is torn down" : " has ended") : node_->up() ? " runs" : " is down";
    if (!error_.empty()) text += ": " + error_;
    if (tasks_.empty()) return text + ", was told of no task";
    for (const auto& [task, status] : tasks_) text += concat("\n    ", task.value(), " ", stoa::name(status.state));
    return text;
}

std::size_t SchedulerBrain::count(TaskState state) const {
    return static_cast<std::size_t>(
        std::count_if(tasks_.begin(), tasks_.end(), [&](const auto& task) { return task.second.state == state; }));
}

void SchedulerBrain::start() {
    if (!node_->up()) node_->start();
}

absl::Status SchedulerBrain::acknowledge(const TaskStatus& status) {
    if (!status.uuid) return absl::OkStatus();
    return node_->say(call::Acknowledge{status.agent, status.task, *status.uuid});
}

absl::Status SchedulerBrain::teardown() {
    absl::Status said = node_->say(call::Teardown{});
    if (!said.ok()) return said;
    torn_down_ = true;
    ended_ = true;
    id_ = FrameworkId();
    state_.forget();
    return said;
}

void SchedulerBrain::stop() {
    ended_ = true;
    poke_();
}

void SchedulerBrain::wakeAt(Time when) {
    wake_at_ = when;
    poke_();
}

} // namespace stoa::testkit
