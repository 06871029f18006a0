#include "agent/core/executors.h"

#include <absl/strings/str_cat.h>

namespace stoa::agent {

TaskKey containerKey(const ExecutorKey& key, const std::string& run) {
    return {key.framework, TaskId(absl::StrCat(key.executor.value(), "/", run))};
}

std::optional<ExecutorRun> executorRunOf(const TaskKey& container) {
    const std::string& name = container.task.value();
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos) return std::nullopt;
    return ExecutorRun{{container.framework, ExecutorId(name.substr(0, slash))}, name.substr(slash + 1)};
}

Executor* Executors::find(const ExecutorKey& key) {
    const auto found = map_.find(key);
    return found == map_.end() ? nullptr : &found->second;
}

Executor* Executors::withContainer(const TaskKey& container) {
    const std::optional<ExecutorRun> run = executorRunOf(container);
    Executor* executor = run ? find(run->key) : nullptr;
    return executor != nullptr && executor->run == run->run ? executor : nullptr;
}

Executor& Executors::add(Executor executor) {
    ExecutorKey key = executor.key();
    return map_.emplace(std::move(key), std::move(executor)).first->second;
}

void Executors::erase(const ExecutorKey& key) {
    const auto found = map_.find(key);
    if (found == map_.end()) return;
    setDeadline(found->second, std::nullopt);
    map_.erase(found);
}

void Executors::setDeadline(Executor& executor, std::optional<Time> deadline) {
    executor.deadline = deadline;
    if (deadline == executor.indexed_at) return;
    if (executor.indexed_at) deadlines_.erase({*executor.indexed_at, executor.key()});
    if (deadline) deadlines_.insert({*deadline, executor.key()});
    executor.indexed_at = deadline;
}

std::optional<Time> Executors::nextDeadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

Executor* Executors::due(Time now) {
    if (deadlines_.empty() || deadlines_.begin()->first > now) return nullptr;
    return find(deadlines_.begin()->second);
}

std::pair<Executors::Map::iterator, Executors::Map::iterator> Executors::of(const FrameworkId& framework) {
    const auto first = map_.lower_bound(ExecutorKey{framework, ExecutorId()});
    auto last = first;
    while (last != map_.end() && last->first.framework == framework) ++last;
    return {first, last};
}

std::vector<AgentExecutor> Executors::list() const {
    std::vector<AgentExecutor> list;
    list.reserve(map_.size());
    for (const auto& [key, executor] : map_) list.push_back({key.framework, executor.info});
    return list;
}

std::string Executors::violation() const {
    std::size_t deadlines = 0;
    for (const auto& [key, executor] : map_) {
        const std::string who = absl::StrCat("executor ", key.executor.value(), ": ");
        if (executor.key() != key) return who + "stored under another key";
        if (executor.indexed_at != executor.deadline) return who + "its deadline isn't indexed";
        if (executor.deadline) ++deadlines;
        const bool waits = executor.state == Executor::State::kRegistering ||
                           executor.state == Executor::State::kRecovering ||
                           executor.state == Executor::State::kShuttingDown;
        if (waits != executor.deadline.has_value()) return who + "waits without a deadline, or has one for nothing";
    }
    return deadlines == deadlines_.size() ? "" : "the index has deadlines of no executor";
}

} // namespace stoa::agent
