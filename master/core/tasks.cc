#include "master/core/tasks.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cassert>

namespace stoa::master {

Tasks::~Tasks() {
    for (auto& [number, list] : by_agent_) list.clear();
    for (auto& [id, list] : by_framework_) list.clear();
}

Task& Tasks::add(const FrameworkId& framework, TaskInfo info, Agent& agent) {
    auto owned = std::make_unique<Task>();
    owned->key = {framework, std::move(info.id)};
    owned->agent = &agent;
    owned->name = std::move(info.name);
    owned->executor = std::move(info.executor);
    owned->resources = std::move(info.resources);
    owned->body = std::move(info.body);
    Task& task = *owned;
    bool is_new = by_key_.insert(std::move(owned)).second;
    assert(is_new);
    (void)is_new;
    by_agent_[agent.number].push_back(task);
    by_framework_[framework].push_back(task);
    return task;
}

void Tasks::disown(Task& task) {
    assert(!task.disowned);
    task.disowned = true;
    ++task.agent->disowned_tasks;
}

void Tasks::remove(Task& task) {
    if (task.disowned) --task.agent->disowned_tasks;
    auto on_agent = by_agent_.find(task.agent->number);
    on_agent->second.erase(AgentList::s_iterator_to(task));
    if (on_agent->second.empty()) by_agent_.erase(on_agent);
    auto of_framework = by_framework_.find(task.key.framework);
    of_framework->second.erase(FrameworkList::s_iterator_to(task));
    if (of_framework->second.empty()) by_framework_.erase(of_framework);
    by_key_.erase(by_key_.find(KeyView{task.key.framework, task.key.task}));
}

Task* Tasks::find(const FrameworkId& framework, const TaskId& task) const {
    auto found = by_key_.find(KeyView{framework, task});
    return found == by_key_.end() ? nullptr : found->get();
}

std::vector<Task*> Tasks::of(const Agent& agent) const {
    std::vector<Task*> tasks;
    auto found = by_agent_.find(agent.number);
    if (found == by_agent_.end()) return tasks;
    for (const Task& task : found->second) tasks.push_back(const_cast<Task*>(&task));
    return tasks;
}

std::vector<Task*> Tasks::of(const FrameworkId& framework) const {
    std::vector<Task*> tasks;
    auto found = by_framework_.find(framework);
    if (found == by_framework_.end()) return tasks;
    for (const Task& task : found->second) tasks.push_back(const_cast<Task*>(&task));
    return tasks;
}

std::vector<FrameworkId> Tasks::frameworksOn(const Agent& agent) const {
    std::vector<FrameworkId> frameworks;
    absl::flat_hash_set<FrameworkId> seen;
    auto found = by_agent_.find(agent.number);
    if (found == by_agent_.end()) return frameworks;
    for (const Task& task : found->second) {
        if (seen.insert(task.key.framework).second) frameworks.push_back(task.key.framework);
    }
    return frameworks;
}

std::vector<Agent*> Tasks::agentsOf(const FrameworkId& framework) const {
    std::vector<Agent*> agents;
    absl::flat_hash_set<std::uint64_t> seen;
    auto found = by_framework_.find(framework);
    if (found == by_framework_.end()) return agents;
    for (const Task& task : found->second) {
        if (seen.insert(task.agent->number).second) agents.push_back(task.agent);
    }
    return agents;
}

absl::Status Tasks::check() const {
    std::size_t on_agents = 0, of_frameworks = 0;
    for (const auto& [number, list] : by_agent_) {
        on_agents += list.size();
        for (const Task& task : list) {
            if (task.agent->number != number) {
                return absl::InternalError(absl::StrCat("task ", task.key.task.value(), " is listed on another agent"));
            }
        }
    }
    for (const auto& [id, list] : by_framework_) {
        of_frameworks += list.size();
        for (const Task& task : list) {
            if (task.key.framework != id) {
                return absl::InternalError(
                    absl::StrCat("task ", task.key.task.value(), " is listed under another framework"));
            }
        }
    }
    if (on_agents != by_key_.size() || of_frameworks != by_key_.size()) {
        return absl::InternalError("the table of tasks has an index entry too many");
    }
    for (const std::unique_ptr<Task>& task : by_key_) {
        if (task->held == isTerminal(task->state)) {
            return absl::InternalError(absl::StrCat("task ", task->key.task.value(), " is ",
                                                    std::string(name(task->state)),
                                                    task->held ? " and holds resources" : " and holds none"));
        }
    }
    return absl::OkStatus();
}

} // namespace stoa::master
