#include "agent/core/tasks.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace stoa::agent {
namespace {

std::optional<Time> earlier(std::optional<Time> a, std::optional<Time> b) {
    if (!a) return b;
    if (!b) return a;
    return std::min(*a, *b);
}

std::optional<Time> earliestOf(const Task& task) {
    return earlier(earlier(task.retry_at, task.destroy_at), earlier(task.limit_at, task.warn_at));
}

// The statuses of one task not yet acknowledged must be a legal way to its latest.
std::string violationOf(const TaskKey& key, const Task& task) {
    const std::string who = absl::StrCat("task ", key.task.value(), " of ", key.framework.value(), ": ");
    if (task.key() != key) return absl::StrCat(who, "stored under another key");
    if (task.holds == isTerminal(task.state)) {
        return absl::StrCat(who, std::string(name(task.state)),
                            task.holds ? " but holds resources" : " but holds none");
    }
    if (task.latest.state != task.state) return absl::StrCat(who, "the latest status is of another state");
    if (!task.unacknowledged.empty() && task.unacknowledged.back().status != task.latest) {
        return absl::StrCat(who, "the newest unacknowledged status isn't the latest");
    }
    for (std::size_t i = 1; i < task.unacknowledged.size(); ++i) {
        const TaskState from = task.unacknowledged[i - 1].status.state;
        const TaskState to = task.unacknowledged[i].status.state;
        // Of one state an executor may say several, with news in the data.
        if ((from == to && task.info.executor.empty()) || nextState(from, to) != to) {
            return absl::StrCat(who, std::string(name(to)), " follows ", std::string(name(from)));
        }
    }
    if (task.unacknowledged.empty() && isTerminal(task.state)) return absl::StrCat(who, "ended, told and still here");
    if (task.unacknowledged.empty() && task.retry_at) return absl::StrCat(who, "retries what is acknowledged");
    return "";
}

} // namespace

Task* Tasks::find(const TaskKey& key) {
    const auto found = map_.find(key);
    return found == map_.end() ? nullptr : &found->second;
}

Task& Tasks::add(const FrameworkInfo& framework, TaskInfo info) {
    TaskKey key{framework.id, info.id};
    Framework& its = frameworks_[framework.id];
    its.info = framework;
    ++its.tasks;
    Task task;
    task.framework = framework.id;
    task.latest.task = info.id;
    task.latest.agent = info.agent;
    task.latest.executor = info.executor;
    task.latest.source = StatusSource::kAgent;
    task.info = std::move(info);
    return map_.emplace(std::move(key), std::move(task)).first->second;
}

void Tasks::erase(const TaskKey& key) {
    const auto found = map_.find(key);
    if (found == map_.end()) return;
    Task& task = found->second;
    release(task);
    task.retry_at.reset();
    task.destroy_at.reset();
    task.limit_at.reset();
    task.warn_at.reset();
    reindex(task);
    leave(task.framework);
    map_.erase(found);
}

void Tasks::leave(const FrameworkId& framework) {
    const auto found = frameworks_.find(framework);
    if (--found->second.tasks == 0) frameworks_.erase(found);
}

absl::Status Tasks::hold(Task& task) {
    if (!free_.contains(task.info.resources)) {
        return absl::ResourceExhaustedError(free_.shortfall(task.info.resources));
    }
    if (absl::Status taken = free_.subtract(task.info.resources); !taken.ok()) return taken;
    task.holds = true;
    ++live_;
    return absl::OkStatus();
}

void Tasks::release(Task& task) {
    if (!task.holds) return;
    free_ += task.info.resources;
    task.holds = false;
    --live_;
}

absl::Status Tasks::hold(const FrameworkInfo& framework, const Resources& resources) {
    if (!free_.contains(resources)) return absl::ResourceExhaustedError(free_.shortfall(resources));
    if (absl::Status taken = free_.subtract(resources); !taken.ok()) return taken;
    Framework& its = frameworks_[framework.id];
    its.info = framework;
    ++its.tasks;
    return absl::OkStatus();
}

void Tasks::release(const FrameworkId& framework, const Resources& resources) {
    free_ += resources;
    leave(framework);
}

void Tasks::reindex(Task& task) {
    const std::optional<Time> at = earliestOf(task);
    if (at == task.indexed_at) return;
    if (task.indexed_at) deadlines_.erase({*task.indexed_at, task.key()});
    if (at) deadlines_.insert({*at, task.key()});
    task.indexed_at = at;
}

std::optional<Time> Tasks::nextDeadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

Task* Tasks::due(Time now) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
    return find(deadlines_.begin()->second);
}

std::pair<Tasks::Map::iterator, Tasks::Map::iterator> Tasks::of(const FrameworkId& framework) {
    const auto first = map_.lower_bound(TaskKey{framework, TaskId()});
    auto last = first;
    while (last != map_.end() && last->first.framework == framework) ++last;
    return {first, last};
}

std::vector<FrameworkInfo> Tasks::frameworks() const {
    std::vector<FrameworkInfo> infos;
    infos.reserve(frameworks_.size());
    for (const auto& [id, framework] : frameworks_) infos.push_back(framework.info);
    return infos;
}

Resources Tasks::used() const {
    Resources used = total_;
    // What is free is a part of the total by hold() and release().
    (void)used.subtract(free_);
    return used;
}

std::string Tasks::violation(const std::vector<std::pair<FrameworkId, Resources>>& others) const {
    Resources free = total_;
    std::size_t live = 0;
    std::size_t deadlines = 0;
    std::map<FrameworkId, std::size_t> of_framework;
    for (const auto& [framework, resources] : others) {
        ++of_framework[framework];
        if (!free.subtract(resources).ok()) return "executors hold more than the agent has";
    }
    for (const auto& [key, task] : map_) {
        if (std::string broken = violationOf(key, task); !broken.empty()) return broken;
        ++of_framework[key.framework];
        if (task.holds) {
            ++live;
            if (!free.subtract(task.info.resources).ok()) {
                return absl::StrCat("tasks hold more than the agent has: ", key.task.value(), " needs ",
                                    task.info.resources.toString(), " of ", free.toString());
            }
        }
        if (task.indexed_at != earliestOf(task)) {
            return absl::StrCat("the deadline of task ", key.task.value(), " isn't indexed");
        }
        if (task.indexed_at) {
            ++deadlines;
            if (!deadlines_.contains({*task.indexed_at, key})) {
                return absl::StrCat("the deadline of task ", key.task.value(), " is missing from the index");
            }
        }
    }
    if (live != live_) return absl::StrCat(live, " tasks hold resources, counted ", live_);
    if (deadlines != deadlines_.size()) return "the index has deadlines of no task";
    if (free != free_) return absl::StrCat("free are ", free.toString(), ", kept as ", free_.toString());
    if (of_framework.size() != frameworks_.size()) return "a framework without a task, or a task without one";
    for (const auto& [id, count] : of_framework) {
        const auto found = frameworks_.find(id);
        if (found == frameworks_.end() || found->second.tasks != count) {
            return absl::StrCat("the count of framework ", id.value(), "'s tasks is wrong");
        }
    }
    return "";
}

} // namespace stoa::agent
