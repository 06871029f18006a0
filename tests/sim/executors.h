// The executors of one host: their containers, as the agent's launcher sees them, and in each an executor, the SDK's own
// core around a simulated character. It runs the tasks that it is given, each for a while, says how they go, answers
// messages, ends when it is told to or has been idle; it may crash, or never come up. What it says and hears crosses the
// loopback, which keeps order and loses things only when the stream breaks or the agent is down.
//
// It outlives the agent, not a reboot. Owned by an AgentNode; single-threaded.
#pragma once

#include "agent/core/events.h"
#include "frameworks/sdk/executor_core.h"
#include "protocol/rng.h"
#include "tests/sim/checker.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"
#include "tests/sim/trace.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::sim {

class Executors {
public:
    struct Parts {
        EventQueue& queue;
        Rng& rng;
        FaultCounts& counts;
        FaultPlan faults;
        Checker& checker;
        const Trace& trace;
        std::string machine;
        Duration longest_task;
    };
    // What the launcher tells the agent.
    using Tell = std::function<void(agent::Input)>;
    // To the agent's door. `attempt` names the stream that a SUBSCRIBE asks for.
    struct Said {
        TaskKey container;
        std::uint64_t attempt = 0;
        std::string token;
        ExecutorCall call;
    };
    struct Door {
        std::function<void(Said)> say;
        std::function<void(const TaskKey& container, std::uint64_t attempt)> hangUp; // the executor is gone
    };

    Executors(Parts parts, Tell tell, Door door);

    // ---- As a launcher.
    bool has(const TaskKey& container) const { return runs_.contains(container); }
    void launch(const agent::LaunchExecutor& effect);
    void signal(const TaskKey& container);
    void destroy(const TaskKey& container);
    void forget(const TaskKey& container);
    std::vector<agent::launcher_says::KnownContainer> known() const;

    // ---- From the agent's door.
    void event(const TaskKey& container, std::uint64_t attempt, const ExecutorEvent& event);
    void streamEnded(const TaskKey& container, std::uint64_t attempt, bool refused, std::string why);
    void agentDown(); // every stream ends

    void crashShim();
    void reboot();
    void stopFaults() { parts_.faults = FaultPlan::none(); }
    std::size_t running() const;
    std::uint64_t messages() const { return messages_; }

private:
    struct Run {
        agent::launcher_says::KnownContainer known;
        FrameworkId framework;
        ExecutorId executor;
        std::string token;
        std::uint64_t life = 0;
        bool shim_lost = false;
        bool ignores_term = false;
        std::unique_ptr<Rng> rng;
        std::unique_ptr<sdk::ExecutorCore> core; // absent until it came up, and when it has ended
        std::uint64_t attempt = 0;
        std::map<TaskId, Resources> tasks; // that run
        std::uint64_t busy = 0;            // counts launches: who sleeps knows whether it was idle since
        std::optional<Time> wake_at;
    };

    bool strikes(Fault fault);
    // In this life of it; nothing when that is over.
    void later(const TaskKey& container, Duration in, std::function<void(Run&)> what);
    void begin(Run& run);
    void step(Run& run, const sdk::ExecutorInput& input);
    void carryOut(Run& run, sdk::ExecutorOutput out);
    void told(Run& run, const sdk::ExecutorTold& told);
    void runTask(Run& run, const TaskInfo& task);
    void say(Run& run, const TaskId& task, TaskState state);
    void sleepUntilDue(Run& run);
    void exit(Run& run, int wait_status);
    void trace(const Run& run, const std::string& what) const;

    Parts parts_;
    Tell tell_;
    Door door_;
    NodeId node_;
    std::uint64_t next_life_ = 1;
    std::uint64_t messages_ = 0; // heard from frameworks
    std::map<TaskKey, Run> runs_;
};

} // namespace stoa::sim
