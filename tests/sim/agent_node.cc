#include "tests/sim/agent_node.h"

#include "protocol/codec/agent_messages.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <variant>

namespace stoa::sim {

namespace {

// Effects to the master keep their order; so do those to one container, and here to all of them.
constexpr Destination kMaster = 1;
constexpr Destination kLauncher = 2;
constexpr Destination kReader = 3;

struct DestinationOf {
    Destination operator()(const agent::ToMaster&) const { return kMaster; }
    Destination operator()(const agent::LaunchContainer&) const { return kLauncher; }
    Destination operator()(const agent::SignalContainer&) const { return kLauncher; }
    Destination operator()(const agent::DestroyContainer&) const { return kLauncher; }
    Destination operator()(const agent::ForgetContainer&) const { return kLauncher; }
    Destination operator()(const agent::Stop&) const { return kMaster; }
    Destination operator()(const agent::TaskChanged&) const { return kReader; }
    Destination operator()(const agent::TaskGone&) const { return kReader; }
};

} // namespace

AgentNode::AgentNode(const Parts& parts, agent::Agent::Options options, const Machine::Options& machine)
    : Node(parts.queue), parts_(parts), options_(std::move(options)),
      machine_(parts.queue, parts.rng, parts.counts, machine,
               [this](agent::Input input) {
                   if (const auto* exited = std::get_if<agent::launcher_says::ContainerExited>(&input)) {
                       parts_.checker.ended(options_.info.hostname, exited->key);
                   } else if (const auto* failed = std::get_if<agent::launcher_says::ContainerFailed>(&input)) {
                       parts_.checker.ended(options_.info.hostname, failed->key);
                   }
                   if (!up()) return; // whoever starts next asks the launcher
                   queue_.schedule(id(), std::chrono::microseconds(50), [this, input = std::move(input)] {
                       process_->inbox.push_back(input);
                       poke();
                   });
               }),
      disk_(parts.queue, parts.rng, parts.counts, parts.faults) {
    parts_.checker.machineTotal(options_.info.hostname, options_.info.resources);
    parts_.network.attach(id(), [this](const Connection& connection, Frame frame) {
        if (!up()) return;
        process_->links.onFrame(connection.acceptor, std::move(frame));
        poke();
    });
}

void AgentNode::begin() {
    trace("starts");
    process_ = std::make_unique<Process>(highest_epoch_, parts_.rng.next(), links_counters_);
    process_->links.look(parts_.master, now());
    for (NodeId standby : parts_.standbys) process_->links.look(standby, now());
    agent::Agent::Options options = options_;
    options.incarnation.boot_id = machine_.bootId();
    agent::Output output;
    process_->core =
        std::make_unique<agent::Agent>(std::move(options), agent::Recovered{disk_.records(), machine_.known()},
                                       process_->rng, now(), WallTime{now().time_since_epoch().count()}, output);
    carryOut(std::move(output));
}

void AgentNode::end() {
    trace("crashes");
    process_.reset();
    disk_.crash();
}

void AgentNode::reboot() {
    trace("reboots");
    crash();
    for (const agent::launcher_says::KnownContainer& container : machine_.known()) {
        if (container.running || container.launching) parts_.checker.ended(options_.info.hostname, container.key);
    }
    machine_.reboot();
}

void AgentNode::retire() {
    trace("retires");
    process_->inbox.push_back(agent::Retire{});
    poke();
}

void AgentNode::stopFaults() {
    machine_.stopFaults();
    disk_.stopFaults();
}

void AgentNode::run() {
    const WallTime wall{now().time_since_epoch().count()};
    agent::Output output;
    for (agent::Input& input : std::exchange(process_->inbox, {})) process_->core->step(input, now(), wall, output);
    for (DialerArrival& arrival : process_->links.take(now())) onArrival(std::move(arrival), output);
    process_->core->step(agent::Wake{}, now(), wall, output);
    carryOut(std::move(output));

    if (parts_.check_each_turn) {
        const std::string violation = process_->core->violation();
        parts_.checker.require(violation.empty(), absl::StrCat(options_.info.hostname, ": ", violation));
    }
    if (process_->links.flush(now(), parts_.network, id())) poke();
    if (process_->stopped) return crash();
    wakeAt(process_->links.nextDeadline());
    wakeAt(process_->core->nextDeadline());
}

void AgentNode::onArrival(DialerArrival arrival, agent::Output& output) {
    const WallTime wall{now().time_since_epoch().count()};
    if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
        highest_epoch_ = std::max(highest_epoch_, connected->epoch);
        ++process_->connections;
        process_->core->step(agent::MasterConnected{}, now(), wall, output);
    } else if (const auto* message = std::get_if<dialed::Message>(&arrival)) {
        if (process_->links.leader()) {
            parts_.checker.followed(*process_->links.leader(), process_->links.highestEpoch());
        }
        absl::StatusOr<ToAgent> decoded = decodeToAgent(*message->body);
        parts_.checker.require(decoded.ok(),
                               absl::StrCat("the master's message does not decode: ", decoded.status().message()));
        if (!decoded.ok()) return;
        if (parts_.trace.on()) trace("<- " + show(*decoded));
        process_->core->step(agent::MasterMessage{*std::move(decoded)}, now(), wall, output);
    } else {
        process_->core->step(agent::MasterGone{}, now(), wall, output);
    }
}

void AgentNode::carryOut(agent::Output output) {
    if (!output.records.empty()) {
        disk_.append(id(), std::move(output.records), [this](RecordNumber number) {
            process_->commit.durable(number);
            poke();
        });
    }
    for (agent::Output::Said& said : output.effects) {
        const Destination to = std::visit(DestinationOf{}, said.effect);
        process_->commit.add(to, std::move(said.effect), said.waits_for);
    }
    for (agent::Effect& effect : process_->commit.take()) perform(std::move(effect));
}

void AgentNode::perform(agent::Effect effect) {
    if (auto* to_master = std::get_if<agent::ToMaster>(&effect)) {
        if (to_master->connection != process_->connections) return; // meant for an earlier session
        checkDurable(to_master->message);
        if (parts_.trace.on()) trace("-> " + show(to_master->message));
        process_->links.send(makeBody(encode(to_master->message)), now());
    } else if (const auto* launch = std::get_if<agent::LaunchContainer>(&effect)) {
        const TaskKey key{launch->framework.id, launch->task.id};
        parts_.checker.launched(options_.info.hostname, key, launch->task.resources, intentDurable(key));
        trace("launches " + show(key));
        machine_.launch(key);
    } else if (const auto* signal = std::get_if<agent::SignalContainer>(&effect)) {
        trace("signals " + show(signal->key));
        machine_.signal(signal->key);
    } else if (const auto* destroy = std::get_if<agent::DestroyContainer>(&effect)) {
        trace("destroys " + show(destroy->key));
        machine_.destroy(destroy->key);
    } else if (const auto* forget = std::get_if<agent::ForgetContainer>(&effect)) {
        trace("forgets " + show(forget->key));
        machine_.forget(forget->key);
    } else if (const auto* stop = std::get_if<agent::Stop>(&effect)) {
        parts_.checker.require(!stop->failed, absl::StrCat(options_.info.hostname, " stopped: ", stop->why));
        parts_.checker.require(machine_.running() == 0, options_.info.hostname + " retired and left containers behind");
        process_->stopped = true;
    }
}

bool AgentNode::intentDurable(const TaskKey& key) const {
    // The newest are looked at first: a launch follows its intent soon.
    for (std::size_t i = disk_.durableCount(); i-- > 0;) {
        const auto* intent = std::get_if<agent::LaunchIntended>(&disk_.records()[i]);
        if (intent != nullptr && intent->framework.id == key.framework && intent->task.id == key.task) return true;
    }
    return false;
}

void AgentNode::checkDurable(const FromAgent& message) const {
    if (!parts_.check_each_turn) return;
    const auto* update = std::get_if<agent_says::StatusUpdate>(&message);
    if (update == nullptr || !update->status.uuid) return;
    for (std::size_t i = disk_.durableCount(); i-- > 0;) {
        const auto* appended = std::get_if<agent::StatusAppended>(&disk_.records()[i]);
        if (appended != nullptr && appended->status.uuid == update->status.uuid) return;
    }
    parts_.checker.require(false, "an update was forwarded before it was durable: " + update->status.task.value());
}

} // namespace stoa::sim
