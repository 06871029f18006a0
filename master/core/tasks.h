// The table of tasks that are not over and done with: from the accept that launched them, or the agent that told of
// them, until their terminal update is acknowledged (or the master itself said the last word). Indexed by key, by agent
// and by framework; both lists are in the order in which the tasks came, so walking one is the same in every run.
//
// A task here is small, since there may be a million: what it runs is the shared body that the read model shows, its
// framework is named by the key alone (a removed framework's tasks stay until their agents have ended them), and of its
// statuses only the latest state is kept, and its end until that is acknowledged. Its resources are in the allocator's ledger while `held`; the bundle here is
// what was taken. Owned by the master's core.
#pragma once

#include "master/core/agents.h"
#include "protocol/message/framework.h"

#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>
#include <absl/hash/hash.h>
#include <boost/intrusive/list.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::master {

struct Task {
    TaskKey key;
    Agent* agent = nullptr; // never absent; an agent's tasks go before it does
    std::string name;
    ExecutorId executor;
    Resources resources;
    Body body;
    // The latest known; terminal while its last update waits for an acknowledgement.
    TaskState state = TaskState::kStaging;
    // Its resources are held in the ledger: exactly while it is not terminal.
    bool held = false;
    // Its framework was told that it ended, and hears no more of it; `state` is what its agent says (disowned.cc).
    bool disowned = false;
    // Whether its agent was heard to know it: a launch that an agent never got was dropped, not lost.
    bool known_to_agent = false;
    bool kill_wanted = false;
    std::optional<Duration> kill_grace;
    // Of the update that its agent repeats until it is acknowledged: how far the framework has been told, or will be
    // next. Behind `state` when the agent has further updates; reconciliation answers with this, since a story told
    // from its end would go on with its middle.
    Uuid told_uuid{};
    TaskState told = TaskState::kStaging;
    // That update, when it is the end: a framework that was away when it ended, and asks, must hear how it ended, and not
    // only that it did.
    std::unique_ptr<const TaskStatus> end;

    void setTold(const TaskStatus& status) {
        told = status.state;
        told_uuid = status.uuid.value_or(Uuid{});
        end = isTerminal(told) ? std::make_unique<const TaskStatus>(status) : nullptr;
    }

    boost::intrusive::list_member_hook<> by_agent;
    boost::intrusive::list_member_hook<> by_framework;

    TaskInfo taskInfo() const { return {key.task, name, agent->id(), executor, resources, body}; }
};

class Tasks {
public:
    using AgentList = boost::intrusive::list<
        Task, boost::intrusive::member_hook<Task, boost::intrusive::list_member_hook<>, &Task::by_agent>>;
    using FrameworkList = boost::intrusive::list<
        Task, boost::intrusive::member_hook<Task, boost::intrusive::list_member_hook<>, &Task::by_framework>>;

    ~Tasks();
    Tasks() = default;

    // Precondition: no task has the key.
    Task& add(const FrameworkId& framework, TaskInfo info, Agent& agent);
    void disown(Task& task); // once
    void remove(Task& task);

    Task* find(const FrameworkId& framework, const TaskId& task) const;
    bool contains(const FrameworkId& framework, const TaskId& task) const { return find(framework, task); }
    std::size_t size() const { return by_key_.size(); }

    // Copies of the lists, so that the walker may remove tasks on its way.
    std::vector<Task*> of(const Agent& agent) const;
    std::vector<Task*> of(const FrameworkId& framework) const;
    bool any(const Agent& agent) const { return by_agent_.contains(agent.number); }
    // The frameworks with tasks on the agent, each once, in the order of their first task.
    std::vector<FrameworkId> frameworksOn(const Agent& agent) const;
    // The agents with tasks of the framework, each once.
    std::vector<Agent*> agentsOf(const FrameworkId& framework) const;

    // In no particular order: never decide by it.
    template <class Visitor>
    void forEach(Visitor visit) const {
        for (const std::unique_ptr<Task>& task : by_key_) visit(*task);
    }
    absl::Status check() const;

private:
    struct KeyView {
        const FrameworkId& framework;
        const TaskId& task;
    };
    struct HashOfKey {
        using is_transparent = void;
        std::size_t operator()(const KeyView& key) const {
            return absl::HashOf(key.framework.value(), key.task.value());
        }
        std::size_t operator()(const std::unique_ptr<Task>& task) const {
            return (*this)(KeyView{task->key.framework, task->key.task});
        }
    };
    struct SameKey {
        using is_transparent = void;
        static KeyView view(const KeyView& key) { return key; }
        static KeyView view(const std::unique_ptr<Task>& task) { return {task->key.framework, task->key.task}; }
        template <class A, class B>
        bool operator()(const A& a, const B& b) const {
            return view(a).task == view(b).task && view(a).framework == view(b).framework;
        }
    };

    absl::flat_hash_set<std::unique_ptr<Task>, HashOfKey, SameKey> by_key_;
    // By the agent's number; a list that became empty is taken out.
    absl::node_hash_map<std::uint64_t, AgentList> by_agent_;
    absl::node_hash_map<FrameworkId, FrameworkList> by_framework_;
};

} // namespace stoa::master
