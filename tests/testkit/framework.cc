#include "tests/testkit/framework.h"

#include "protocol/strings.h"

#include <algorithm>
#include <type_traits>
#include <utility>

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

FrameworkInfo SchedulerBrain::info() const {
    FrameworkInfo info;
    info.name = options_.name;
    info.user = options_.user;
    info.id = options_.id;
    info.roles = options_.roles;
    info.webui_url = options_.webui_url;
    info.labels = options_.labels;
    info.failover_timeout = options_.failover_timeout;
    info.checkpoint = true;
    return info;
}

void SchedulerBrain::told(const sdk::Told& told, Time) {
    if (ended_) return;
    std::visit(
        [&](const auto& what) {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, event::Subscribed>) {
                id_ = what.framework;
                scheduler_->subscribed(*this, what);
            } else if constexpr (std::is_same_v<What, sdk::Disconnected>) {
                scheduler_->disconnected(*this, what.why);
            } else if constexpr (std::is_same_v<What, event::Offers>) {
                offers_told_ += what.offers.size();
                scheduler_->offers(*this, what.offers);
            } else if constexpr (std::is_same_v<What, event::Rescind>) {
                ++offers_rescinded_;
                scheduler_->rescinded(*this, what.offer);
            } else if constexpr (std::is_same_v<What, event::Update>) {
                tasks_[what.status.task] = what.status;
                scheduler_->update(*this, what.status);
            } else if constexpr (std::is_same_v<What, event::Message>) {
                scheduler_->message(*this, what);
            } else if constexpr (std::is_same_v<What, event::Failure>) {
                scheduler_->failure(*this, what);
            } else {
                error_ = what.message;
                scheduler_->error(*this, what.message);
                ended_ = true;
            }
        },
        told);
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
