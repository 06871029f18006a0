// An agent process in virtual time, with its machine: the shipped core, dialer session and output commit, over a
// simulated network, disk and launcher. It does what agent/main.cc's loop does, and checks what leaves it. The process
// can crash and start again; its shim and tasks go on, unless the machine reboots.
//
// Owned by the World; single-threaded.
#pragma once

#include "agent/core/agent.h"
#include "protocol/output_commit.h"
#include "tests/sim/checker.h"
#include "tests/sim/disk.h"
#include "tests/sim/executors.h"
#include "tests/sim/links.h"
#include "tests/sim/machine.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stoa::sim {

class AgentNode : public Node {
public:
    struct Parts {
        EventQueue& queue;
        Network& network;
        Checker& checker;
        Rng& rng;
        FaultCounts& counts;
        FaultPlan faults;
        const Trace& trace;
        NodeId master;
        bool check_each_turn = true;
        std::vector<NodeId> standbys = {}; // further masters
    };

    AgentNode(const Parts& parts, agent::Agent::Options options, const Machine::Options& machine);

    const agent::Agent* core() const { return process_ ? process_->core.get() : nullptr; }
    const Machine& machine() const { return machine_; }
    const Executors& executors() const { return executors_; }
    // Over all lives of the process.
    agent::Agent::Counters counters() const;
    const Links::Counters& linksCounters() const { return links_counters_; }

    void crashShim() {
        machine_.crashShim();
        executors_.crashShim();
    }
    void reboot();
    // As `stoa down` ends an agent: its tasks end, it unregisters, its process ends.
    void retire();
    void stopFaults();

protected:
    void begin() override;
    void end() override;
    void run() override;

private:
    struct Process {
        Process(std::uint64_t highest_epoch, std::uint64_t seed, Links::Counters& counters)
            : rng(seed), links(highest_epoch, rng, counters) {}
        Rng rng; // this process's own chance, so that a process's draws don't depend on others'
        Links links;
        OutputCommit<agent::Effect> commit;
        bool stopped = false;
        std::uint64_t connections = 0; // sessions so far, as the core counts them
        std::unique_ptr<agent::Agent> core;
        std::vector<agent::Input> inbox;
        std::vector<Executors::Said> calls; // at the door for executors
        std::uint64_t last_stream = 0;
        struct Stream {
            agent::ExecutorKey key;
            TaskKey container;
            std::uint64_t attempt = 0;
        };
        std::map<std::uint64_t, Stream> streams;
    };

    void trace(const std::string& what) const { parts_.trace.line(options_.info.hostname, what); }
    void onArrival(DialerArrival arrival, agent::Output& output);
    void carryOut(agent::Output output);
    void perform(agent::Effect effect);
    void fromLauncher(agent::Input input);
    // As agent/doors_executors.cc.
    void onCall(const Executors::Said& said, agent::Output& output);
    void perform(const agent::ToExecutor& effect);
    void endStream(std::uint64_t stream, const std::string& why);
    bool intentDurable(const TaskKey& key) const;
    void checkDurable(const FromAgent& message) const;

    Parts parts_;
    agent::Agent::Options options_;
    Machine machine_;
    Executors executors_;
    agent::Agent::Counters counters_; // of the process's earlier lives
    Disk<agent::Record> disk_;
    std::uint64_t highest_epoch_ = 0; // on disk
    Links::Counters links_counters_;  // over all lives
    std::unique_ptr<Process> process_;
};

} // namespace stoa::sim
