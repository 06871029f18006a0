// The test kit's framework: a brain of the simulator that thinks with a scheduler, and is the driver that the scheduler
// speaks to. Owned by its node in the simulator; single-threaded.
#pragma once

#include "tests/sim/brain.h"
#include "tests/sim/framework_node.h"
#include "tests/testkit/cluster.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::testkit {

// On a disk that never fails.
class MemoryState : public sdk::FrameworkState {
public:
    absl::Status write(std::vector<Change> changes) override {
        apply(std::move(changes));
        return absl::OkStatus();
    }
    void forget() { all_.clear(); }
};

class SchedulerBrain : public sim::Brain, public Framework, public sdk::Driver {
public:
    SchedulerBrain(sdk::MakeScheduler make, std::string name, const sim::EventQueue& queue, std::function<void()> poke)
        : make_(std::move(make)), name_(std::move(name)), queue_(queue), poke_(std::move(poke)) {}
    void belongsTo(sim::FrameworkNode& node) { node_ = &node; }
    sim::NodeId node() const { return node_->id(); }

    // ---- sim::Brain ----------------------------------------------------------------------------------------------
    void begin(Time now) override;
    void end() override {}
    FrameworkInfo info() const override;
    std::vector<std::string> suppressedRoles() const override { return options_.suppressed_roles; }
    bool explicitAcknowledgements() const override { return options_.explicit_acknowledgements; }
    void told(const sdk::Told& told, Time now) override;
    void wake(Time now) override;
    std::optional<Time> nextDeadline() const override { return wake_at_; }
    std::vector<Call> takeCalls() override { return {}; }
    void notSaid(const Call&, Time) override {}
    bool over() const override { return ended_; }
    void stopFaults() override {}
    bool done() const override { return ended_; }
    const std::string& name() const override { return name_; }
    std::string describe() const override;

    // ---- Framework -----------------------------------------------------------------------------------------------
    const FrameworkId& id() const override { return id_; }
    bool running() const override { return node_->up(); }
    bool ended() const override { return ended_; }
    bool tornDown() const override { return torn_down_; }
    const std::string& error() const override { return error_; }
    sdk::Scheduler& scheduler() override { return *scheduler_; }
    sdk::Driver& driver() override { return *this; }
    sdk::FrameworkState& state() override { return state_; }
    const std::map<TaskId, TaskStatus>& tasks() const override { return tasks_; }
    std::size_t count(TaskState state) const override;
    std::size_t offersTold() const override { return offers_told_; }
    std::size_t offersRescinded() const override { return offers_rescinded_; }
    void crash() override { node_->crash(); }
    void start() override;

    // ---- sdk::Driver ---------------------------------------------------------------------------------------------
    absl::Status accept(call::Accept accept) override { return node_->say(std::move(accept)); }
    absl::Status decline(call::Decline decline) override { return node_->say(std::move(decline)); }
    absl::Status setDemands(std::vector<Demand> demands) override {
        return node_->say(call::SetDemands{std::move(demands)});
    }
    absl::Status suppress(std::vector<std::string> roles) override {
        return node_->say(call::Suppress{std::move(roles)});
    }
    absl::Status revive(std::vector<std::string> roles) override { return node_->say(call::Revive{std::move(roles)}); }
    absl::Status kill(call::Kill kill) override { return node_->say(std::move(kill)); }
    absl::Status acknowledge(const TaskStatus& status) override;
    absl::Status reconcile(std::vector<call::Reconcile::Task> tasks) override {
        return node_->say(call::Reconcile{std::move(tasks)});
    }
    absl::Status message(call::Message message) override { return node_->say(std::move(message)); }
    absl::Status shutdown(call::Shutdown shutdown) override { return node_->say(std::move(shutdown)); }
    absl::Status teardown() override;
    void stop() override;
    FrameworkId frameworkId() const override { return id_; }
    void wakeAt(Time when) override;
    Time now() const override { return queue_.now(); }

private:
    const sdk::MakeScheduler make_;
    const std::string name_;
    const sim::EventQueue& queue_;
    const std::function<void()> poke_;
    sim::FrameworkNode* node_ = nullptr;
    // On its disk.
    FrameworkId id_;
    MemoryState state_;
    // Of the present life.
    sdk::DriverOptions options_;
    std::unique_ptr<sdk::Scheduler> scheduler_;
    std::optional<Time> wake_at_;
    bool ended_ = false;
    bool torn_down_ = false;
    std::string error_;
    // What the test sees.
    std::map<TaskId, TaskStatus> tasks_;
    std::size_t offers_told_ = 0;
    std::size_t offers_rescinded_ = 0;
};

} // namespace stoa::testkit
