// The table of executors that live, as far as this master knows: from the accept whose task needed a new one, or the
// agent that told of it, until the agent says that it has ended. What an executor holds is in the allocator's ledger
// under a key that no task can have (holderOf()), once an agent, however many tasks it runs.
//
// It owns the facts about executors and nothing else. Walking a list is in the same order in every run. Owned by the
// master's core.
#pragma once

#include "allocator/allocator.h"
#include "master/core/agents.h"
#include "protocol/message/agent.h"

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace stoa::master {

struct Executor {
    FrameworkId framework;
    Agent* agent = nullptr; // never absent; an agent's executors go before it does
    ExecutorInfo info;
};

// '/' is in no id.
TaskKey holderOf(const FrameworkId& framework, const AgentId& agent, const ExecutorId& executor);
inline TaskKey holderOf(const Executor& one) { return holderOf(one.framework, one.agent->id(), one.info.id); }

class Executors {
public:
    // Precondition: the agent has no such executor of the framework.
    Executor& add(const FrameworkId& framework, Agent& agent, ExecutorInfo info);
    void remove(const Executor& executor); // the reference is void from then on

    Executor* find(const FrameworkId& framework, const Agent& agent, const ExecutorId& id);
    std::size_t size() const { return map_.size(); }

    // Copies, so that the walker may remove executors on its way.
    std::vector<Executor*> of(const Agent& agent);
    std::vector<Executor*> of(const FrameworkId& framework);
    // The framework's on the agent.
    std::vector<ExecutorId> of(const FrameworkId& framework, const Agent& agent) const;
    std::vector<Executor*> all();

    absl::Status check(const allocator::Allocator& allocator) const;

private:
    using Key = std::tuple<std::uint64_t, FrameworkId, ExecutorId>; // by the agent's number
    using FrameworkKey = std::tuple<FrameworkId, std::uint64_t, ExecutorId>;

    std::map<Key, Executor> map_;
    std::set<FrameworkKey> by_framework_;
};

} // namespace stoa::master
