// The agent's tasks: each with its way so far, the resources that the live ones hold, the deadlines of all. One table,
// changed only through the functions here that keep its indices true: what is free, the deadlines, the frameworks.
// Pure; a part of the agent's core.
#pragma once

#include "agent/core/events.h"

#include <absl/status/status.h>

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stoa::agent {

struct Task {
    FrameworkId framework;
    TaskInfo info;

    // How far its container is, as far as the launcher has told.
    enum class Container : std::uint8_t { kNone, kLaunching, kRunning, kEnded } container = Container::kNone;
    TaskState state = TaskState::kStaging; // of `latest`
    TaskStatus latest;                     // the newest status; its uuid is absent once acknowledged
    // Statuses not yet acknowledged, oldest first; the first is the one forwarded. The last, if any, is `latest`.
    struct Unacknowledged {
        TaskStatus status;
        RecordNumber record = 0; // to wait for; 0: recovered, so durable
    };
    std::deque<Unacknowledged> unacknowledged;
    RecordNumber intent = 0;      // the record of its launch intent, or of a later kill
    std::optional<Time> retry_at; // of the first unacknowledged one
    Duration retry{0};
    bool sent = false; // the first one was forwarded in this session

    bool kill_requested = false;
    Duration kill_grace{0};
    std::optional<Time> destroy_at;   // after SIGTERM and the grace
    std::optional<Time> limit_at;     // its time is over
    std::optional<Time> warn_at;      // before that
    bool limit_reached = false;       // its end was asked for by its own limit
    bool abandoned = false;           // its framework doesn't checkpoint, and the agent restarted
    bool framework_shut_down = false; // nobody will acknowledge: its end is told once
    // Of a task with an executor: it was told in the executor's present stream, or the executor had it before.
    bool delivered = false;
    std::deque<Uuid> executor_updates{}; // the last that its executor said, to know a repeated one

    TaskKey key() const { return {framework, info.id}; }
    bool ran() const { return state == TaskState::kRunning || state == TaskState::kKilling; }

    // Kept by Tasks.
    bool holds = false;
    std::optional<Time> indexed_at;
};

class Tasks {
public:
    using Map = std::map<TaskKey, Task>;

    explicit Tasks(const Resources& total) : total_(total), free_(total) {}

    Task* find(const TaskKey& key);
    // Adds a task that isn't there yet, without resources.
    Task& add(const FrameworkInfo& framework, TaskInfo info);
    void erase(const TaskKey& key);

    // Refused, naming what is missing, when the task's resources aren't free.
    absl::Status hold(Task& task);
    void release(Task& task); // if it holds any
    // What isn't a task's: an executor's. It also keeps its framework's info.
    absl::Status hold(const FrameworkInfo& framework, const Resources& resources);
    void release(const FrameworkId& framework, const Resources& resources);
    // To be called after a change of one of the task's times.
    void reindex(Task& task);
    std::optional<Time> nextDeadline() const;
    // The first task with a deadline at or before `now`.
    Task* due(Time now);

    const Map& all() const { return map_; }
    Map& all() { return map_; }
    // The framework's tasks are a range of the map, since the framework comes first in the key.
    std::pair<Map::iterator, Map::iterator> of(const FrameworkId& framework);
    std::vector<FrameworkInfo> frameworks() const;
    const FrameworkInfo& frameworkOf(const Task& task) const { return frameworks_.at(task.framework).info; }
    const Resources& free() const { return free_; }
    Resources used() const;
    std::size_t liveCount() const { return live_; } // those that hold resources

    // As Agent::violation(); `others` are what hold(framework, …) was said of and release() wasn't.
    std::string violation(const std::vector<std::pair<FrameworkId, Resources>>& others) const;

private:
    struct Framework {
        FrameworkInfo info;
        std::size_t tasks = 0; // and executors
    };
    void leave(const FrameworkId& framework);

    Resources total_;
    Resources free_; // total_ without those of the tasks with `holds`
    Map map_;
    std::map<FrameworkId, Framework> frameworks_; // those with a task or an executor here
    std::size_t live_ = 0;
    std::set<std::pair<Time, TaskKey>> deadlines_; // each task's earliest
};

} // namespace stoa::agent
