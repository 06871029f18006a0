// One host as the agent's launcher sees it: containers that start, run, end, are signalled and destroyed, and a shim
// that knows them and outlives the agent. It stands for agent/containers and agent/shim in the simulator, with their
// promises and no others: a container starts at most once, its end is remembered until it is forgotten, an agent that
// comes back is told of all; when the shim dies the tasks go on and their exit status is unknown; a reboot ends all.
//
// The machine also keeps the record against which the checker holds everybody: which task ran where, how often.
// Owned by the World; single-threaded.
#pragma once

#include "agent/core/events.h"
#include "protocol/rng.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace stoa::sim {

class Machine {
public:
    // How a container goes, where chance is not to say it.
    struct Play {
        Duration run{0};
        int wait_status = 0;
        bool out_of_memory = false;
        std::string failed; // not empty: it does not start, for this reason
        bool ignores_term = false;
    };
    struct Options {
        FaultPlan faults;
        Duration longest_task = std::chrono::seconds(20);
        std::function<Play(const TaskKey&)> play; // may be empty
    };
    // What the launcher tells the agent; dropped while the agent is down.
    using Tell = std::function<void(agent::Input)>;

    // `tell` schedules delivery to the agent's present life; the machine calls it from its own node's events.
    Machine(EventQueue& queue, Rng& rng, FaultCounts& counts, const Options& options, Tell tell);

    void launch(const TaskKey& key);
    void signal(const TaskKey& key);
    void destroy(const TaskKey& key);
    void forget(const TaskKey& key);
    std::vector<agent::launcher_says::KnownContainer> known() const;

    void crashShim();
    void reboot();
    void stopFaults() { options_.faults = FaultPlan::none(); }

    // For the checker.
    std::size_t running() const;
    bool runs(const TaskKey& key) const;
    std::uint64_t launches(const TaskKey& key) const;
    const std::string& bootId() const { return boot_id_; }

private:
    struct Container {
        agent::launcher_says::KnownContainer known;
        std::uint64_t life = 0; // tells a stale event
        bool ignores_term = false;
        bool shim_lost = false; // started under a shim that is gone
        bool over_disk = false; // it will be ended for what it has on the disk
        std::optional<Play> play;
    };

    void fail(const TaskKey& key, Duration in, std::string why);
    void started(const TaskKey& key, std::uint64_t life);
    void ended(const TaskKey& key, std::uint64_t life, int wait_status, bool out_of_memory);
    void endIn(const TaskKey& key, Duration in, int wait_status, bool out_of_memory);
    bool strikes(Fault fault);

    EventQueue& queue_;
    Rng& rng_;
    FaultCounts& counts_;
    Options options_;
    Tell tell_;
    NodeId node_;
    std::uint64_t next_life_ = 1;
    std::uint64_t boots_ = 1;
    std::string boot_id_ = "boot-1";
    std::map<TaskKey, Container> containers_;
    std::map<TaskKey, std::uint64_t> launches_;
};

} // namespace stoa::sim
