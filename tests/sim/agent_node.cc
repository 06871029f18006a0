#include "tests/sim/agent_node.h"

#include "protocol/codec/agent_messages.h"
#include "protocol/codec/executor_messages.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <csignal>
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
    Destination operator()(const agent::LaunchExecutor&) const { return kLauncher; }
    Destination operator()(const agent::LimitContainer&) const { return kLauncher; }
    Destination operator()(const agent::ToExecutor&) const { return kLauncher; }
    Destination operator()(const agent::EndStream&) const { return kLauncher; }
    Destination operator()(const agent::ExecutorChanged&) const { return kReader; }
    Destination operator()(const agent::ExecutorGone&) const { return kReader; }
};

} // namespace

AgentNode::AgentNode(const Parts& parts, agent::Agent::Options options, const Machine::Options& machine)
    : Node(parts.queue), parts_(parts), options_(std::move(options)),
      machine_(parts.queue, parts.rng, parts.counts, machine,
               [this](agent::Input input) { fromLauncher(std::move(input)); }),
      executors_({parts.queue, parts.rng, parts.counts, parts.faults, parts.checker, parts.trace,
                  options_.info.hostname, machine.longest_task},
                 [this](agent::Input input) { fromLauncher(std::move(input)); },
                 {[this](Executors::Said said) {
                      if (!up()) {
                          executors_.streamEnded(said.container, said.attempt, false, "connection refused");
                          return;
                      }
                      queue_.schedule(id(), std::chrono::microseconds(100), [this, said = std::move(said)] {
                          process_->calls.push_back(said);
                          poke();
                      });
                  },
                  [this](const TaskKey& container, std::uint64_t attempt) {
                      if (!up()) return;
                      for (const auto& [number, stream] : process_->streams) {
                          if (stream.container == container && stream.attempt == attempt) {
                              return endStream(number, "the executor is gone");
                          }
                      }
                  }}),
      disk_(parts.queue, parts.rng, parts.counts, parts.faults) {
    parts_.checker.machineTotal(options_.info.hostname, options_.info.resources);
    parts_.network.attach(id(), [this](const Connection& connection, Frame frame) {
        if (!up()) return;
        process_->links.onFrame(connection.acceptor, std::move(frame));
        poke();
    });
}

void AgentNode::fromLauncher(agent::Input input) {
    const TaskKey* over = nullptr;
    if (const auto* exited = std::get_if<agent::launcher_says::ContainerExited>(&input)) over = &exited->key;
    if (const auto* failed = std::get_if<agent::launcher_says::ContainerFailed>(&input)) over = &failed->key;
    if (over != nullptr) parts_.checker.ended(options_.info.hostname, *over);
    if (!up()) return; // whoever starts next asks the launcher
    queue_.schedule(id(), std::chrono::microseconds(50), [this, input = std::move(input)] {
        process_->inbox.push_back(input);
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
    std::vector<agent::launcher_says::KnownContainer> known = machine_.known();
    for (agent::launcher_says::KnownContainer& one : executors_.known()) known.push_back(std::move(one));
    process_->core =
        std::make_unique<agent::Agent>(std::move(options), agent::Recovered{disk_.records(), std::move(known)},
                                       process_->rng, now(), WallTime{now().time_since_epoch().count()}, output);
    carryOut(std::move(output));
}

void AgentNode::end() {
    trace("crashes");
    counters_ = counters();
    process_.reset();
    executors_.agentDown();
    disk_.crash();
}

void AgentNode::reboot() {
    trace("reboots");
    crash();
    for (const agent::launcher_says::KnownContainer& container : machine_.known()) {
        if (container.running || container.launching) parts_.checker.ended(options_.info.hostname, container.key);
    }
    machine_.reboot();
    executors_.reboot();
}

agent::Agent::Counters AgentNode::counters() const {
    agent::Agent::Counters sum = counters_;
    if (!process_) return sum;
    const agent::Agent::Counters& now = process_->core->counters();
    sum.dropped_messages += now.dropped_messages;
    sum.executor_launches += now.executor_launches;
    sum.executor_subscriptions += now.executor_subscriptions;
    sum.executor_resubscriptions += now.executor_resubscriptions;
    sum.executor_updates += now.executor_updates;
    sum.executor_updates_repeated += now.executor_updates_repeated;
    sum.executor_updates_illegal += now.executor_updates_illegal;
    sum.executor_timeouts += now.executor_timeouts;
    sum.executor_shutdowns += now.executor_shutdowns;
    sum.executors_ended += now.executors_ended;
    sum.limit_warnings += now.limit_warnings;
    sum.limits_reached += now.limits_reached;
    return sum;
}

void AgentNode::retire() {
    trace("retires");
    process_->inbox.push_back(agent::Retire{});
    poke();
}

void AgentNode::stopFaults() {
    machine_.stopFaults();
    executors_.stopFaults();
    parts_.faults = FaultPlan::none();
    disk_.stopFaults();
}

void AgentNode::run() {
    const WallTime wall{now().time_since_epoch().count()};
    agent::Output output;
    for (agent::Input& input : std::exchange(process_->inbox, {})) process_->core->step(input, now(), wall, output);
    for (const Executors::Said& said : std::exchange(process_->calls, {})) onCall(said, output);
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

void AgentNode::onCall(const Executors::Said& said, agent::Output& output) {
    // Through the codec, as over the wire.
    absl::StatusOr<ExecutorCall> call = executorCallFromJson(toJson(said.call));
    parts_.checker.require(call.ok(), absl::StrCat("an executor's call does not decode: ", call.status().message()));
    if (!call.ok()) return;
    const WallTime wall{now().time_since_epoch().count()};
    const agent::ExecutorKey key{call->framework, call->executor};
    const agent::Executor* executor = process_->core->executor(key);
    auto* subscribe = std::get_if<executor_call::Subscribe>(&call->call);
    if (executor == nullptr || executor->token != said.token) {
        if (subscribe != nullptr) executors_.streamEnded(said.container, said.attempt, true, "no such executor");
        return;
    }
    if (subscribe != nullptr) {
        const std::uint64_t number = ++process_->last_stream;
        process_->streams[number] = {key, said.container, said.attempt};
        process_->core->step(agent::executor_says::Subscribed{key, number, std::move(*subscribe)}, now(), wall, output);
    } else if (executor->stream == 0) {
        return;
    } else if (auto* update = std::get_if<executor_call::Update>(&call->call)) {
        process_->core->step(agent::executor_says::Updated{key, std::move(update->status)}, now(), wall, output);
    } else if (auto* message = std::get_if<executor_call::Message>(&call->call)) {
        process_->core->step(agent::executor_says::Message{key, std::move(message->data)}, now(), wall, output);
    }
}

void AgentNode::perform(const agent::ToExecutor& effect) {
    const auto stream = process_->streams.find(effect.stream);
    if (stream == process_->streams.end()) return;
    if (parts_.rng.chance(parts_.faults.of(Fault::kExecutorLink))) {
        ++parts_.counts[static_cast<std::size_t>(Fault::kExecutorLink)];
        return endStream(effect.stream, "the stream broke");
    }
    executors_.event(stream->second.container, stream->second.attempt, effect.event);
}

void AgentNode::endStream(std::uint64_t number, const std::string& why) {
    const auto stream = process_->streams.find(number);
    if (stream == process_->streams.end()) return;
    const Process::Stream ended = stream->second;
    process_->streams.erase(stream);
    executors_.streamEnded(ended.container, ended.attempt, false, why);
    queue_.schedule(id(), std::chrono::microseconds(100), [this, ended, number] {
        process_->inbox.push_back(agent::executor_says::Gone{ended.key, number});
        poke();
    });
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
    } else if (const auto* executor = std::get_if<agent::LaunchExecutor>(&effect)) {
        parts_.checker.launched(options_.info.hostname, executor->key, executor->info.resources,
                                intentDurable(executor->key));
        trace("launches executor " + show(executor->key));
        executors_.launch(*executor);
    } else if (const auto* event = std::get_if<agent::ToExecutor>(&effect)) {
        perform(*event);
    } else if (const auto* ended = std::get_if<agent::EndStream>(&effect)) {
        endStream(ended->stream, "replaced");
    } else if (const auto* signal = std::get_if<agent::SignalContainer>(&effect)) {
        trace(absl::StrCat("signals ", signal->signal, " to ", show(signal->key)));
        if (signal->signal == SIGTERM) machine_.signal(signal->key); // simulated tasks mind no other
        if (signal->signal == SIGTERM) executors_.signal(signal->key);

    } else if (const auto* destroy = std::get_if<agent::DestroyContainer>(&effect)) {
        trace("destroys " + show(destroy->key));
        machine_.destroy(destroy->key);
        executors_.destroy(destroy->key);
    } else if (const auto* forget = std::get_if<agent::ForgetContainer>(&effect)) {
        trace("forgets " + show(forget->key));
        machine_.forget(forget->key);
        executors_.forget(forget->key);
    } else if (const auto* stop = std::get_if<agent::Stop>(&effect)) {
        parts_.checker.require(!stop->failed, absl::StrCat(options_.info.hostname, " stopped: ", stop->why));
        parts_.checker.require(machine_.running() + executors_.running() == 0,
                               options_.info.hostname + " retired and left containers behind");
        process_->stopped = true;
    }
}

bool AgentNode::intentDurable(const TaskKey& key) const {
    // The newest are looked at first: a launch follows its intent soon.
    for (std::size_t i = disk_.durableCount(); i-- > 0;) {
        const auto* executor = std::get_if<agent::ExecutorIntended>(&disk_.records()[i]);
        if (executor != nullptr &&
            agent::containerKey({executor->framework.id, executor->info.id}, executor->run) == key) {
            return true;
        }
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
