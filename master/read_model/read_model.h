// A copy of the master's state for those who only look: the sum of the core's deltas, and the history that the core
// doesn't need (ended tasks, removed frameworks, the statuses of each task). Every GET is answered from it.
//
//     ReadModel model;
//     for (const Delta& delta : deltas) model.apply(delta);
//     for (const auto& [id, agent] : model.agents()) …
//
// A plain structure without threads or locks: the HTTP server's own thread owns it, so that a reader never makes the
// state thread wait. Histories are bounded; the oldest goes.
#pragma once

#include "master/core/events.h"

#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace stoa::master {

struct AgentView {
    AgentInfo info;
    AgentChanged::State state = AgentChanged::State::kActive;
    WallTime since;      // of the state
    WallTime registered; // when it was first heard of
    Resources used;
    Resources offered;
    std::size_t tasks = 0; // that hold resources
};

struct TaskView {
    FrameworkId framework;
    TaskInfo info;
    TaskState state = TaskState::kStaging;
    std::vector<TaskStatus> statuses; // the latest of each state, oldest first; at most kMostStatuses
};

struct ExecutorView {
    FrameworkId framework;
    AgentId agent;
    ExecutorInfo info;
};
struct ExecutorRef {
    FrameworkId framework;
    AgentId agent;
    ExecutorId executor;
    friend auto operator<=>(const ExecutorRef&, const ExecutorRef&) = default;
};

struct FrameworkView {
    FrameworkInfo info;
    bool active = false;
    WallTime since; // of being active or not
    WallTime registered;
    WallTime removed;
    Resources used;
    Resources offered;
    std::size_t tasks = 0;
    std::map<TaskState, std::size_t> ended; // all that ended, by state
    std::deque<TaskView> completed;         // the last of them
};

class ReadModel {
public:
    static constexpr std::size_t kMostCompletedTasks = 1000; // a framework
    static constexpr std::size_t kMostCompletedFrameworks = 50;
    static constexpr std::size_t kMostStatuses = 6;

    void apply(const Delta& delta);

    const std::map<AgentId, AgentView>& agents() const { return agents_; }
    const std::map<FrameworkId, FrameworkView>& frameworks() const { return frameworks_; }
    const std::deque<FrameworkView>& completedFrameworks() const { return completed_frameworks_; }
    // Those that have not ended. A removed framework's tasks stay until their agents have ended them.
    const std::map<TaskKey, TaskView>& tasks() const { return tasks_; }
    const std::map<OfferId, Offer>& offers() const { return offers_; }
    // Those that live, a framework's in a row.
    const std::map<ExecutorRef, ExecutorView>& executors() const { return executors_; }
    // Removed ones too. Null: not known.
    const FrameworkView* find(const FrameworkId& id) const;
    // Ended ones too, as long as they are kept; of those the search is linear, the latest first.
    const TaskView* find(const TaskKey& key) const;
    // Of the tasks that have not ended: how many are in each state, and what they use together.
    const std::array<std::size_t, kTaskStates>& live() const { return live_; }
    const Resources& used() const { return used_; }
    // How many deltas were applied.
    std::uint64_t version() const { return version_; }

private:
    void on(const AgentChanged& delta);
    void on(const AgentForgotten& delta);
    void on(const FrameworkChanged& delta);
    void on(const FrameworkForgotten& delta);
    void on(const TaskChanged& delta);
    void on(const ExecutorChanged& delta);
    void on(const ExecutorGone& delta);
    void on(const OfferMade& delta);
    void on(const OfferGone& delta);
    FrameworkView* framework(const FrameworkId& id);
    void complete(TaskView task);
    // The one place where a task is counted as holding resources, or not any more.
    void hold(const TaskView& task, bool holds);
    void hold(const ExecutorView& executor, bool holds);
    void hold(const FrameworkId& framework, const AgentId& agent, const Resources& resources, bool holds);

    std::map<AgentId, AgentView> agents_;
    std::map<FrameworkId, FrameworkView> frameworks_;
    std::deque<FrameworkView> completed_frameworks_;
    std::map<TaskKey, TaskView> tasks_;
    std::map<ExecutorRef, ExecutorView> executors_;
    std::map<OfferId, Offer> offers_;
    std::array<std::size_t, kTaskStates> live_{};
    Resources used_;
    std::uint64_t version_ = 0;
};

} // namespace stoa::master
