// A whole cluster in virtual time, from one seed: a master, agents with their machines, frameworks and the batch
// queue, over a network and disks that fail. The parts are the shipped libraries; only the outside is simulated.
//
//     World world(options);
//     Report report = world.run();   // report.violation is empty when every invariant held and all work ended
//
// Faults come until Options::fault_time has passed; then none more, and everything must come to rest within
// Options::settle_time: all work done, every agent registered, nothing offered twice, no container left behind.
// The same options give the same digest on every machine, at every level of optimisation. Single-threaded.
#pragma once

#include "protocol/rng.h"
#include "tests/sim/agent_node.h"
#include "tests/sim/checker.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"
#include "tests/sim/framework_node.h"
#include "tests/sim/master_node.h"
#include "tests/sim/network.h"
#include "tests/sim/trace.h"
#include "tests/sim/worker.h"

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stoa::sim {

struct WorldOptions {
    std::uint64_t seed = 1;
    std::uint32_t agents = 5;
    std::uint32_t tasks = 60; // over all frameworks
    // Several elect a leader by ZooKeeper; one leads alone.
    std::uint32_t masters = 1;
    FaultPlan faults = FaultPlan::all();
    Duration fault_time = std::chrono::seconds(120);
    Duration settle_time = std::chrono::minutes(20);
    Duration longest_task = std::chrono::seconds(20);
    // O(everything) after each turn of a process: for small worlds.
    bool check_each_turn = true;
    std::FILE* trace = nullptr; // where a line for everything that happens goes

    // Size and faults drawn from the seed, so that a range of seeds meets small and larger clusters, with all faults, with
    // a few of them, and with none (Groce et al., "Swarm Testing", ISSTA 2012).
    static WorldOptions ofSeed(std::uint64_t seed);
};

struct Report {
    std::string violation; // the first; empty when all is well
    Time violated_at{};
    std::uint64_t digest = 0;
    std::uint64_t events = 0;
    std::uint64_t frames = 0;
    Duration virtual_time{0};
    FaultCounts faults{};
    Checker::Transitions transitions{};
    std::uint32_t masters = 1;
    std::uint64_t refused_epochs = 0; // what agents and frameworks refused of deposed leaders
    std::uint64_t failovers = 0;      // as agents and frameworks saw them
    std::uint64_t sessions_expired = 0;
    std::uint64_t zombie_sessions = 0;
    std::map<std::string, std::uint64_t> executors; // what their agents counted
    std::map<std::string, std::uint64_t> batch;     // what its queue did, and the agents with its time limits
    std::uint64_t gangs = 0;                        // that were offered
    std::map<std::string, std::uint64_t> absences;  // of agents, and what their masters made of them
};

class World {
public:
    explicit World(const WorldOptions& options);
    Report run();

private:
    void makeFrameworks();
    Worker::Options workerOptions(std::uint32_t number, std::uint32_t pieces);
    void addWorker(Worker::Options worker);
    void addExecutors();
    void addGangs();
    // Once the gangs have had their turn, whoever never has enough may finish.
    void letFinish();
    void addBatch(std::uint32_t tasks);
    void makeMasters();
    master::Options masterOptions();
    void lookForMaster();
    const MasterNode* leader() const; // the one that leads; null when none or more than one believes so
    // One roll of the dice for each node, every second while faults last.
    void faultTick();
    void crashAndRestart(Node& node, Fault fault);
    void restartWhenDown(Node& node);
    bool strikes(Fault fault);
    void stopFaults();
    bool atRest() const;
    void requireRest();
    void digestEvent();

    WorldOptions options_;
    Rng rng_;
    FaultCounts counts_{};
    EventQueue queue_;
    Trace trace_;
    Network network_;
    Checker checker_;
    ZooKeeperModel zookeeper_;
    RegistryLog registry_;
    std::vector<std::unique_ptr<MasterNode>> masters_;
    std::optional<NodeId> first_master_; // for office, as followers see it
    std::vector<std::unique_ptr<AgentNode>> agents_;
    std::vector<Resources> machines_; // what each agent has
    std::vector<std::unique_ptr<FrameworkNode>> frameworks_;
    NodeId first_framework_ = 0;
    bool faults_over_ = false;
    std::uint64_t digest_ = 0xcbf29ce484222325; // FNV-1a's offset
};

} // namespace stoa::sim
