#include "master/read_model/read_model.h"

#include <algorithm>
#include <utility>

namespace stoa::master {

namespace {

// What was added before; a copy that disagrees shows nothing rather than a negative amount.
void takeAway(Resources& from, const Resources& part) {
    if (!from.subtract(part).ok()) from = {};
}

} // namespace

void ReadModel::apply(const Delta& delta) {
    ++version_;
    std::visit([this](const auto& one) { on(one); }, delta);
}

void ReadModel::on(const AgentChanged& delta) {
    auto [at, is_new] = agents_.try_emplace(delta.info.id);
    AgentView& agent = at->second;
    if (is_new) agent.registered = delta.since;
    agent.info = delta.info;
    agent.state = delta.state;
    agent.since = delta.since;
}

void ReadModel::on(const AgentForgotten& delta) { agents_.erase(delta.agent); }

void ReadModel::on(const FrameworkChanged& delta) {
    auto [at, is_new] = frameworks_.try_emplace(delta.info.id);
    FrameworkView& framework = at->second;
    if (is_new) {
        framework.registered = delta.since;
        // Tasks of an earlier life under the same id, which their agents are still ending.
        for (auto task = tasks_.lower_bound({delta.info.id, TaskId()});
             task != tasks_.end() && task->first.framework == delta.info.id; ++task) {
            ++framework.tasks;
            framework.used += task->second.info.resources;
        }
        for (auto one = executors_.lower_bound({delta.info.id, AgentId(), ExecutorId()});
             one != executors_.end() && one->first.framework == delta.info.id; ++one) {
            framework.used += one->second.info.resources;
        }
    }
    framework.info = delta.info;
    framework.active = delta.active;
    framework.since = delta.since;
}

void ReadModel::on(const FrameworkForgotten& delta) {
    auto found = frameworks_.find(delta.framework);
    if (found == frameworks_.end()) return;
    FrameworkView framework = std::move(found->second);
    frameworks_.erase(found);
    framework.active = false;
    framework.removed = framework.since;
    framework.offered = {};
    completed_frameworks_.push_back(std::move(framework));
    if (completed_frameworks_.size() > kMostCompletedFrameworks) completed_frameworks_.pop_front();
}

void ReadModel::on(const TaskChanged& delta) {
    const TaskKey key{delta.framework, delta.info.id};
    auto found = tasks_.find(key);
    if (found == tasks_.end()) {
        if (isTerminal(delta.state)) {
            // Ended already: a further status of the end, e.g. the one that its agent repeats.
            FrameworkView* owner = framework(delta.framework);
            if (owner == nullptr) return;
            for (auto task = owner->completed.rbegin(); task != owner->completed.rend(); ++task) {
                if (task->info.id != delta.info.id) continue;
                if (!task->statuses.empty()) task->statuses.back() = delta.status;
                return;
            }
            return;
        }
        found = tasks_.emplace(key, TaskView{delta.framework, delta.info, delta.state, {}}).first;
        hold(found->second, true);
        ++live_[static_cast<std::size_t>(delta.state)];
    }
    TaskView& task = found->second;
    --live_[static_cast<std::size_t>(task.state)];
    task.state = delta.state;
    if (!isTerminal(task.state)) ++live_[static_cast<std::size_t>(task.state)];
    if (!task.statuses.empty() && task.statuses.back().state == delta.status.state) {
        task.statuses.back() = delta.status;
    } else {
        task.statuses.push_back(delta.status);
        if (task.statuses.size() > kMostStatuses) task.statuses.erase(task.statuses.begin());
    }
    if (!isTerminal(task.state)) return;
    hold(task, false);
    complete(std::move(task));
    tasks_.erase(found);
}

void ReadModel::on(const ExecutorChanged& delta) {
    ExecutorView& executor = executors_[{delta.framework, delta.agent, delta.info.id}];
    if (!executor.framework.empty()) hold(executor, false);
    executor = {delta.framework, delta.agent, delta.info};
    hold(executor, true);
}

void ReadModel::on(const ExecutorGone& delta) {
    const auto found = executors_.find({delta.framework, delta.agent, delta.executor});
    if (found == executors_.end()) return;
    hold(found->second, false);
    executors_.erase(found);
}

void ReadModel::on(const OfferMade& delta) {
    if (!offers_.emplace(delta.offer.id, delta.offer).second) return;
    if (auto agent = agents_.find(delta.offer.agent); agent != agents_.end()) {
        agent->second.offered += delta.offer.resources;
    }
    if (auto owner = frameworks_.find(delta.offer.framework); owner != frameworks_.end()) {
        owner->second.offered += delta.offer.resources;
    }
}

void ReadModel::on(const OfferGone& delta) {
    auto found = offers_.find(delta.offer);
    if (found == offers_.end()) return;
    const Offer& offer = found->second;
    if (auto agent = agents_.find(offer.agent); agent != agents_.end())
        takeAway(agent->second.offered, offer.resources);
    if (auto owner = frameworks_.find(offer.framework); owner != frameworks_.end()) {
        takeAway(owner->second.offered, offer.resources);
    }
    offers_.erase(found);
}

const FrameworkView* ReadModel::find(const FrameworkId& id) const {
    if (auto found = frameworks_.find(id); found != frameworks_.end()) return &found->second;
    for (auto one = completed_frameworks_.rbegin(); one != completed_frameworks_.rend(); ++one) {
        if (one->info.id == id) return &*one;
    }
    return nullptr;
}

const TaskView* ReadModel::find(const TaskKey& key) const {
    if (auto found = tasks_.find(key); found != tasks_.end()) return &found->second;
    const FrameworkView* owner = find(key.framework);
    if (owner == nullptr) return nullptr;
    const auto ended = std::find_if(owner->completed.rbegin(), owner->completed.rend(),
                                    [&](const TaskView& task) { return task.info.id == key.task; });
    return ended == owner->completed.rend() ? nullptr : &*ended;
}

FrameworkView* ReadModel::framework(const FrameworkId& id) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the model itself is not const
    return const_cast<FrameworkView*>(std::as_const(*this).find(id));
}

void ReadModel::complete(TaskView task) {
    FrameworkView* owner = framework(task.framework);
    if (owner == nullptr) return;
    ++owner->ended[task.state];
    owner->completed.push_back(std::move(task));
    if (owner->completed.size() > kMostCompletedTasks) owner->completed.pop_front();
}

void ReadModel::hold(const TaskView& task, bool holds) {
    hold(task.framework, task.info.agent, task.info.resources, holds);
    const std::size_t one = holds ? 1 : static_cast<std::size_t>(-1);
    if (auto agent = agents_.find(task.info.agent); agent != agents_.end()) agent->second.tasks += one;
    if (FrameworkView* owner = framework(task.framework)) owner->tasks += one;
}

void ReadModel::hold(const ExecutorView& executor, bool holds) {
    hold(executor.framework, executor.agent, executor.info.resources, holds);
}

void ReadModel::hold(const FrameworkId& of, const AgentId& on, const Resources& resources, bool holds) {
    const auto change = [&](Resources& used) {
        if (holds) {
            used += resources;
        } else {
            takeAway(used, resources);
        }
    };
    change(used_);
    if (auto agent = agents_.find(on); agent != agents_.end()) change(agent->second.used);
    if (FrameworkView* owner = framework(of)) change(owner->used);
}

} // namespace stoa::master
