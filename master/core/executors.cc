#include "master/core/executors.h"

#include <absl/strings/str_cat.h>

namespace stoa::master {

TaskKey holderOf(const FrameworkId& framework, const AgentId& agent, const ExecutorId& executor) {
    return {framework, TaskId(absl::StrCat("executor/", agent.value(), "/", executor.value()))};
}

Executor& Executors::add(const FrameworkId& framework, Agent& agent, ExecutorInfo info) {
    by_framework_.insert({framework, agent.number, info.id});
    Key key{agent.number, framework, info.id};
    return map_.emplace(std::move(key), Executor{framework, &agent, std::move(info)}).first->second;
}

void Executors::remove(const Executor& executor) {
    const Key key{executor.agent->number, executor.framework, executor.info.id};
    by_framework_.erase({executor.framework, executor.agent->number, executor.info.id});
    map_.erase(key);
}

Executor* Executors::find(const FrameworkId& framework, const Agent& agent, const ExecutorId& id) {
    const auto found = map_.find({agent.number, framework, id});
    return found == map_.end() ? nullptr : &found->second;
}

std::vector<Executor*> Executors::of(const Agent& agent) {
    std::vector<Executor*> executors;
    for (auto it = map_.lower_bound({agent.number, FrameworkId(), ExecutorId()});
         it != map_.end() && std::get<0>(it->first) == agent.number; ++it) {
        executors.push_back(&it->second);
    }
    return executors;
}

std::vector<Executor*> Executors::of(const FrameworkId& framework) {
    std::vector<Executor*> executors;
    for (auto it = by_framework_.lower_bound({framework, 0, ExecutorId()});
         it != by_framework_.end() && std::get<0>(*it) == framework; ++it) {
        executors.push_back(&map_.at({std::get<1>(*it), framework, std::get<2>(*it)}));
    }
    return executors;
}

std::vector<ExecutorId> Executors::of(const FrameworkId& framework, const Agent& agent) const {
    std::vector<ExecutorId> ids;
    for (auto it = map_.lower_bound({agent.number, framework, ExecutorId()});
         it != map_.end() && std::get<0>(it->first) == agent.number && it->second.framework == framework; ++it) {
        ids.push_back(it->second.info.id);
    }
    return ids;
}

std::vector<Executor*> Executors::all() {
    std::vector<Executor*> executors;
    for (auto& [key, executor] : map_) executors.push_back(&executor);
    return executors;
}

absl::Status Executors::check(const allocator::Allocator& allocator) const {
    if (map_.size() != by_framework_.size()) return absl::InternalError("the table of executors has an entry too many");
    for (const auto& [key, executor] : map_) {
        if (std::get<0>(key) != executor.agent->number) {
            return absl::InternalError(absl::StrCat("executor ", executor.info.id.value(), " is on another agent"));
        }
        if (!allocator.holds(holderOf(executor))) {
            return absl::InternalError(absl::StrCat("executor ", executor.info.id.value(), " holds nothing"));
        }
    }
    return absl::OkStatus();
}

} // namespace stoa::master
