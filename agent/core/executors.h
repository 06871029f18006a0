// The agent's executors: which live here, how far each one's life is, which tasks it has, the deadlines of all. One
// table, changed only through the functions here that keep its index of deadlines true; what an executor holds is held
// in the table of tasks (tasks.h), which knows what is free.
//
// An executor's container has a key among those of tasks: its id and the run, joined by '/', which no id has. A run is
// one life of it; the same id may live again later, in another run.
// Pure; a part of the agent's core.
#pragma once

#include "agent/core/events.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stoa::agent {

TaskKey containerKey(const ExecutorKey& key, const std::string& run);
// What a container's key says; absent for a task's.
struct ExecutorRun {
    ExecutorKey key;
    std::string run;
};
std::optional<ExecutorRun> executorRunOf(const TaskKey& container);

struct Executor {
    FrameworkInfo framework;
    ExecutorInfo info;
    std::string run;
    std::string token; // it shows this at the door

    enum class State : std::uint8_t {
        kRegistering,  // its container was launched; it has `deadline` to subscribe
        kRecovering,   // it lived when the agent restarted; likewise
        kRegistered,   // subscribed at least once in this agent's life
        kShuttingDown, // asked to end; killed at `deadline`
        kKilled,       // its end is on the way
    } state = State::kRegistering;
    std::uint64_t stream = 0; // of its subscription, as the door numbers them; 0: none just now
    std::set<TaskId> tasks;   // live ones
    Resources of_tasks;       // what these hold
    std::optional<Time> deadline;
    RecordNumber record = 0; // the newest about it
    bool shut_down = false;  // somebody asked for its end
    // Why the agent killed it, for the tasks that end with it; kNone: it ended by itself.
    Reason reason = Reason::kNone;
    std::string why;
    std::int64_t pid = 0;
    std::uint64_t start_time = 0;
    std::string isolation;

    ExecutorKey key() const { return {framework.id, info.id}; }
    TaskKey container() const { return containerKey(key(), run); }
    bool ending() const { return state == State::kShuttingDown || state == State::kKilled; }
    Resources limits() const {
        Resources limits = info.resources;
        limits += of_tasks;
        return limits;
    }

    std::optional<Time> indexed_at; // kept by Executors
};

class Executors {
public:
    using Map = std::map<ExecutorKey, Executor>;

    Executor* find(const ExecutorKey& key);
    const Executor* find(const ExecutorKey& key) const { return const_cast<Executors*>(this)->find(key); }
    // The one in this very run.
    Executor* withContainer(const TaskKey& container);
    // Precondition: none has the key.
    Executor& add(Executor executor);
    void erase(const ExecutorKey& key);

    void setDeadline(Executor& executor, std::optional<Time> deadline);
    std::optional<Time> nextDeadline() const;
    Executor* due(Time now);

    const Map& all() const { return map_; }
    Map& all() { return map_; }
    std::pair<Map::iterator, Map::iterator> of(const FrameworkId& framework);
    std::vector<AgentExecutor> list() const; // as Register tells them

    std::string violation() const;

private:
    Map map_;
    std::set<std::pair<Time, ExecutorKey>> deadlines_;
};

} // namespace stoa::agent
