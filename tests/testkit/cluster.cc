#include "tests/testkit/cluster.h"

#include "protocol/rng.h"
#include "protocol/strings.h"
#include "tests/sim/agent_node.h"
#include "tests/sim/checker.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"
#include "tests/sim/master_node.h"
#include "tests/sim/network.h"
#include "tests/sim/trace.h"
#include "tests/testkit/framework.h"

#include <algorithm>
#include <set>
#include <vector>

namespace stoa::testkit {

struct Cluster::Impl {
    explicit Impl(const Options& options)
        : rng(options.seed), trace(queue, options.trace), network(queue, rng, counts, sim::FaultPlan::none()) {
        sim::MasterNode::Parts parts{queue, network, checker, rng, counts, sim::FaultPlan::none(), trace, {}};
        parts.kind_of = [this](sim::NodeId node) {
            return framework_nodes.contains(node) ? sim::MasterNode::Kind::kFramework : sim::MasterNode::Kind::kAgent;
        };
        master::Options master_options;
        master_options.seed = rng.next();
        master = std::make_unique<sim::MasterNode>(parts, std::move(master_options));
        master->start();
    }

    SchedulerBrain& brain(sim::FrameworkNode& node) const { return static_cast<SchedulerBrain&>(node.brain()); }

    // Runs what comes first; false when nothing does before `end`.
    bool step(Time end) { return checker.violation().empty() && queue.runOne(end); }

    Rng rng;
    sim::FaultCounts counts{};
    sim::EventQueue queue;
    sim::Trace trace;
    sim::Network network;
    sim::Checker checker;
    std::function<Script(const TaskId&)> script;
    std::set<sim::NodeId> framework_nodes;
    std::unique_ptr<sim::MasterNode> master;
    std::vector<std::unique_ptr<sim::AgentNode>> agents;
    std::vector<std::unique_ptr<sim::FrameworkNode>> frameworks;
};

Cluster::Cluster() : Cluster(Options{}) {}

Cluster::Cluster(const Options& options) : impl_(std::make_unique<Impl>(options)) {
    for (std::size_t i = 0; i < options.agents; ++i) addAgent(options.each);
}

Cluster::~Cluster() = default;

std::size_t Cluster::addAgent(const Resources& resources, const Attributes& attributes) {
    const std::size_t number = impl_->agents.size();
    agent::Agent::Options options;
    options.info.hostname = concat("host", number);
    options.info.address = {options.info.hostname, 5051};
    options.info.resources = resources;
    options.info.attributes = attributes;
    options.info.isolation = "simulated";
    options.incarnation = {"", concat("work-", number)};
    sim::Machine::Options machine;
    machine.play = [impl = impl_.get()](const TaskKey& key) {
        const Script script = impl->script ? impl->script(key.task) : Script{};
        sim::Machine::Play play;
        play.run = script.run;
        play.wait_status = script.signal != 0 ? script.signal : script.exit_code << 8; // as waitpid gives it
        play.out_of_memory = script.out_of_memory;
        play.failed = script.fails_to_start;
        play.ignores_term = script.ignores_sigterm;
        return play;
    };
    sim::AgentNode::Parts parts{impl_->queue,  impl_->network,         impl_->checker, impl_->rng,
                                impl_->counts, sim::FaultPlan::none(), impl_->trace,   impl_->master->id()};
    impl_->agents.push_back(std::make_unique<sim::AgentNode>(parts, std::move(options), machine));
    impl_->agents.back()->start();
    return number;
}

Framework& Cluster::start(sdk::MakeScheduler make, const std::string& name) {
    sim::FrameworkNode::Parts parts{impl_->queue, impl_->network, impl_->checker,
                                    impl_->rng,   impl_->trace,   impl_->master->id()};
    auto node = std::make_unique<sim::FrameworkNode>(parts, [&](sim::NodeId id, std::function<void()> poke) {
        impl_->framework_nodes.insert(id);
        return std::make_unique<SchedulerBrain>(std::move(make), name, impl_->queue, std::move(poke));
    });
    SchedulerBrain& brain = impl_->brain(*node);
    brain.belongsTo(*node);
    node->start();
    impl_->frameworks.push_back(std::move(node));
    return brain;
}

void Cluster::script(std::function<Script(const TaskId&)> script) { impl_->script = std::move(script); }

Time Cluster::now() const { return impl_->queue.now(); }

void Cluster::advance(Duration length) {
    const Time end = now() + length;
    while (impl_->step(end)) {}
}

bool Cluster::runUntil(const std::function<bool()>& holds, Duration most) {
    const Time end = now() + most;
    while (!holds()) {
        if (!impl_->step(end)) return impl_->checker.violation().empty() && holds();
    }
    return impl_->checker.violation().empty();
}

std::string Cluster::describe() const {
    if (!impl_->checker.violation().empty()) return impl_->checker.violation();
    std::string text =
        concat("after ", std::chrono::duration<double>(now().time_since_epoch()).count(), " s of virtual time:\n");
    if (!impl_->master->up()) text += "  the master is down\n";
    for (std::size_t i = 0; i < agents(); ++i) {
        if (!registered(i)) text += concat("  host", i, " is not registered\n");
        if (containersOn(i) != 0) text += concat("  host", i, " runs ", containersOn(i), " tasks\n");
    }
    for (const auto& framework : impl_->frameworks) text += concat("  ", impl_->brain(*framework).describe(), "\n");
    return text;
}

std::size_t Cluster::agents() const { return impl_->agents.size(); }

std::size_t Cluster::containers() const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < agents(); ++i) count += containersOn(i);
    return count;
}

std::size_t Cluster::containersOn(std::size_t agent) const { return impl_->agents.at(agent)->machine().running(); }

bool Cluster::registered(std::size_t agent) const {
    const agent::Agent* core = impl_->agents.at(agent)->core();
    return core != nullptr && core->registered();
}

void Cluster::loseAgent(std::size_t agent) {
    sim::AgentNode& node = *impl_->agents.at(agent);
    if (node.up()) node.reboot();
}

void Cluster::returnAgent(std::size_t agent) {
    sim::AgentNode& node = *impl_->agents.at(agent);
    if (!node.up()) node.start();
}

void Cluster::restartAgent(std::size_t agent) {
    sim::AgentNode& node = *impl_->agents.at(agent);
    node.crash();
    node.start();
}

void Cluster::restartMaster(Duration down) {
    impl_->master->crash();
    impl_->queue.scheduleWorld(down, [master = impl_->master.get()] {
        if (!master->up()) master->start();
    });
}

void Cluster::rescindOffers() {
    for (std::size_t i = 0; i < agents(); ++i) {
        if (impl_->agents[i]->up()) restartAgent(i);
    }
}

void Cluster::cutOff(Framework& framework, Duration length) {
    const sim::NodeId node = dynamic_cast<SchedulerBrain&>(framework).node();
    impl_->network.cut(node, impl_->master->id(), now() + length);
    impl_->network.cut(impl_->master->id(), node, now() + length);
}

} // namespace stoa::testkit
