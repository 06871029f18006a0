// A task's statuses in an agent's core: stored, forwarded one at a time until acknowledged, and after the last one the
// task is forgotten.
#include "agent/core/agent.h"

#include <algorithm>
#include <utility>

namespace stoa::agent {

void Agent::appendStatus(Task& task, TaskState state, Reason reason, std::string message, Turn& turn) {
    TaskStatus& status = task.latest;
    status.agent = options_.info.id;
    status.state = state;
    status.source = StatusSource::kAgent;
    status.reason = reason;
    status.message = std::move(message);
    status.timestamp = turn.wall;
    status.uuid = makeUuid();
    storeStatus(task, turn);
}

void Agent::storeStatus(Task& task, Turn& turn) {
    TaskStatus& status = task.latest;
    task.state = status.state;
    if (task.framework_shut_down) {
        status.uuid.reset();
        return;
    }
    const RecordNumber record = append(StatusAppended{task.framework, status}, turn);
    task.unacknowledged.push_back({status, record});
    say(TaskChanged{task.framework, task.info, task.state, status}, record, turn);
    if (task.unacknowledged.size() == 1) forward(task, turn);
}

void Agent::end(Task& task, TaskState state, Reason reason, std::string message, Turn& turn) {
    release(task, turn);
    appendStatus(task, state, reason, std::move(message), turn);
    finish(task, turn);
}

void Agent::release(Task& task, Turn& turn) {
    if (task.container != Task::Container::kNone) task.container = Task::Container::kEnded;
    task.destroy_at.reset();
    task.limit_at.reset();
    task.warn_at.reset();
    leaveExecutor(task, turn);
    tasks_.release(task);
    tasks_.reindex(task);
}

// The last status was stored.
void Agent::finish(Task& task, Turn& turn) {
    const bool launched = task.container != Task::Container::kNone;
    if (task.framework_shut_down) {
        // The framework is gone and won't acknowledge; the master learns that the resources are free, now or from the
        // next registration, which no longer lists the task.
        const TaskKey key = task.key();
        agent_says::StatusUpdate update{task.framework, task.latest, task.state};
        const RecordNumber record = forget(task, turn);
        sayToMaster(std::move(update), record, turn);
        if (launched) say(ForgetContainer{key}, record, turn);
        return;
    }
    if (launched) say(ForgetContainer{task.key()}, task.unacknowledged.back().record, turn);
}

void Agent::forward(Task& task, Turn& turn) {
    if (link_ != Link::kRegistered || task.unacknowledged.empty()) return;
    ++counters_.updates_sent;
    // `latest` tells of the newest status too, so that one must be durable as well.
    sayToMaster(agent_says::StatusUpdate{task.framework, task.unacknowledged.front().status, task.state},
                task.unacknowledged.back().record, turn);
    task.retry = task.sent ? std::min(task.retry * 2, kLongestRetry) : options_.update_retry;
    task.sent = true;
    task.retry_at = turn.now + task.retry;
    tasks_.reindex(task);
}

void Agent::on(const master_says::AcknowledgeUpdate& message, Turn& turn) {
    Task* task = tasks_.find({message.framework, message.task});
    if (task == nullptr || task->unacknowledged.empty() || task->unacknowledged.front().status.uuid != message.uuid) {
        ++counters_.stray_acknowledgements;
        return;
    }
    task->unacknowledged.pop_front();
    if (task->unacknowledged.empty()) {
        if (isTerminal(task->state)) {
            forget(*task, turn);
            return;
        }
        task->latest.uuid.reset();
    }
    append(StatusAcknowledged{task->key(), message.uuid}, turn);
    task->sent = false;
    task->retry_at.reset();
    tasks_.reindex(*task);
    forward(*task, turn);
}

RecordNumber Agent::forget(Task& task, Turn& turn) {
    const TaskKey key = task.key();
    const RecordNumber record = append(TaskForgotten{key}, turn);
    say(TaskGone{key}, record, turn);
    tasks_.erase(key);
    return record;
}

} // namespace stoa::agent
