// Executors as the master sees them: needed by a task that is launched, told of by an agent that returns, ended. The
// agent decides about their lives; here they are what holds resources, once an agent.
#include "master/core/state.h"
#include "master/core/validation.h"
#include "protocol/codec/executor_info.h"

#include <absl/strings/str_cat.h>

#include <set>

namespace stoa::master {

absl::StatusOr<std::optional<ExecutorInfo>> State::newExecutorFor(const Framework& framework, const Agent& agent,
                                                                  const TaskInfo& task,
                                                                  std::map<ExecutorId, ExecutorInfo>& fresh,
                                                                  const Resources& left) {
    if (task.executor.empty()) return std::nullopt;
    absl::StatusOr<ExecutorInfo> info = readTaskExecutor(framework.id(), task);
    if (!info.ok()) return info.status();
    const auto in_this_call = fresh.find(task.executor);
    const Executor* known = executors.find(framework.id(), agent, task.executor);
    const ExecutorInfo* lives = known != nullptr              ? &known->info
                                : in_this_call != fresh.end() ? &in_this_call->second
                                                              : nullptr;
    if (lives != nullptr) {
        if (*lives == *info) return std::nullopt;
        return absl::InvalidArgumentError(
            absl::StrCat("the executor \"", info->id.value(),
                         "\" lives on the agent, and was described otherwise than by this task"));
    }
    if (absl::Status valid = validateAmounts("the executor's resources", info->resources); !valid.ok()) return valid;
    Resources needed = task.resources;
    needed += info->resources;
    if (!left.contains(needed)) {
        return absl::InvalidArgumentError(
            absl::StrCat("the task and its executor, which is not on the agent yet, do not fit in what is left of the "
                         "offers: ",
                         left.shortfall(needed)));
    }
    fresh.emplace(info->id, *info);
    return *std::move(info);
}

void State::show(Step& at, const Executor& executor) {
    const Framework* framework = frameworks.find(executor.framework);
    show(at, ExecutorChanged{executor.framework, executor.agent->id(), executor.info},
         std::max(executor.agent->record, framework ? framework->record : 0));
}

void State::forget(Step& at, const Executor& executor) {
    (void)allocator.taskEnded(holderOf(executor));
    show(at, ExecutorGone{executor.framework, executor.agent->id(), executor.info.id}, executor.agent->record);
    executors.remove(executor);
}

void State::on(Step& at, Agent& agent, const agent_says::ExecutorEnded& message) {
    if (const Executor* executor = executors.find(message.framework, agent, message.executor)) forget(at, *executor);
    if (const Framework* framework = frameworks.find(message.framework)) {
        tell(at, *framework, event::Failure{agent.id(), message.executor, message.wait_status}, agent.record);
    }
}

// The agent's list wins, as with tasks.
void State::compareExecutors(Step& at, Agent& agent, const agent_says::Register& message) {
    std::set<std::pair<FrameworkId, ExecutorId>> told;
    for (const AgentExecutor& one : message.executors) told.insert({one.framework, one.info.id});
    for (const Executor* executor : executors.of(agent)) {
        if (told.contains({executor->framework, executor->info.id})) continue;
        const event::Failure failure{agent.id(), executor->info.id, std::nullopt};
        const Framework* framework = frameworks.find(executor->framework);
        forget(at, *executor);
        if (framework != nullptr) tell(at, *framework, failure, agent.record);
    }
    for (const AgentExecutor& one : message.executors) adopt(at, agent, one, message.frameworks);
}

void State::adopt(Step& at, Agent& agent, const AgentExecutor& told, const std::vector<FrameworkInfo>& infos) {
    const bool removed = frameworks.find(told.framework) == nullptr;
    const TaskKey holder = holderOf(told.framework, agent.id(), told.info.id);
    if (!holdAdopted(agent, {holder, told.info.resources}, removed, infos)) {
        // It can't be accounted for, so it can't stay.
        tell(at, agent, master_says::ShutdownExecutor{told.framework, told.info.id});
        return;
    }
    if (disowns(agent, told.framework, infos)) {
        tell(at, agent, master_says::ShutdownExecutor{told.framework, told.info.id});
    }
    Executor* known = executors.find(told.framework, agent, told.info.id);
    if (known != nullptr && known->info == told.info) return;
    if (known != nullptr) {
        known->info = told.info;
    } else {
        known = &executors.add(told.framework, agent, told.info);
    }
    show(at, *known);
}

} // namespace stoa::master
