#include "tests/sim/master_node.h"

#include "master/core/agents.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>
#include <variant>

namespace stoa::sim {

namespace {

// Effects to one peer keep their order, and so do deltas.
constexpr Destination kReadModel = 0; // peers count from 1

struct DestinationOf {
    Destination operator()(const master::ToAgentPeer& effect) const { return effect.peer; }
    Destination operator()(const master::ToFrameworkPeer& effect) const { return effect.peer; }
    Destination operator()(const master::ClosePeer& effect) const { return effect.peer; }
    Destination operator()(const master::CallAnswered& effect) const { return effect.peer; }
    Destination operator()(const master::Delta&) const { return kReadModel; }
};

std::string nameOf(const Connection& connection) {
    return absl::StrCat(connection.dialer, ".", connection.life, ".", connection.transport);
}

Connection connectionNamed(NodeId acceptor, std::string_view name) {
    std::array<std::uint32_t, 3> parts{};
    std::size_t part = 0;
    for (char c : name) {
        if (c == '.') {
            ++part;
        } else {
            parts[part] = parts[part] * 10 + static_cast<std::uint32_t>(c - '0');
        }
    }
    return {parts[0], acceptor, parts[1], parts[2]};
}

} // namespace

MasterNode::Process::Process(std::uint64_t epoch) : sessions(epoch) {}

MasterNode::MasterNode(const Parts& parts, master::Options options)
    : Node(parts.queue), parts_(parts), options_(std::move(options)),
      disk_(parts.queue, parts.rng, parts.counts, parts.faults) {
    if (parts.zookeeper != nullptr) absl::StrAppend(&name_, id());
    parts_.network.attach(id(), [this](const Connection& from, Frame frame) {
        if (!up()) return;
        process_->inbox.emplace_back(from, std::move(frame));
        poke();
    });
}

void MasterNode::begin() {
    trace("starts");
    if (parts_.zookeeper == nullptr) {
        process_ = std::make_unique<Process>(++epoch_);
        lead(master::Recovered{disk_.records()});
        return;
    }
    epoch_ = 0;
    process_ = std::make_unique<Process>(0);
    process_->office.emplace(id(), *parts_.zookeeper, *parts_.registry, parts_.checker, [this] { poke(); });
}

void MasterNode::lead(master::Recovered recovered) {
    master::Options options = options_;
    options.epoch = epoch_;
    process_->core = std::make_unique<master::Master>(std::move(options), std::move(recovered), now(),
                                                      WallTime{now().time_since_epoch().count()});
    parts_.checker.masterStarted(id());
    // The new life's readers start from a snapshot; all of it was durable.
    for (const master::Delta& delta : process_->core->snapshot()) parts_.checker.revealed(id(), delta);
}

// True when this process leads, or may: else it has ended, or only keeps its sessions.
bool MasterNode::turnOfOffice() {
    Office::News news = process_->office->turn(now());
    if (news.step_down) {
        trace("steps down: " + *news.step_down);
        // What the network thread had to say it has said already.
        sendFrames();
        crash();
        parts_.ended(*this);
        return false;
    }
    if (news.lead) {
        epoch_ = process_->office->epoch();
        trace(absl::StrCat("leads, epoch ", epoch_));
        process_->sessions.lead(epoch_);
        lead(*std::move(news.lead));
    }
    if (process_->core != nullptr) process_->commit.durable(process_->office->durable());
    return process_->core != nullptr;
}

void MasterNode::pauseMidway(Duration length) {
    if (!up()) return;
    midway_ = length;
    poke();
}

// Frames that a process has handed over when it is stopped leave it when it goes on.
void MasterNode::sendFrames() {
    std::vector<SessionTable::FrameTo> frames = std::exchange(out_.frames, {});
    if (!midway_ || frames.empty()) {
        for (SessionTable::FrameTo& frame : frames) {
            parts_.network.acceptorSends(connectionNamed(id(), frame.connection), std::move(frame.frame));
        }
        return;
    }
    ++parts_.counts[static_cast<std::size_t>(Fault::kMidwayPause)];
    const Duration length = *std::exchange(midway_, std::nullopt);
    auto held = std::make_shared<std::vector<SessionTable::FrameTo>>(std::move(frames));
    trace("stops with its output queued");
    queue_.schedule(id(), std::chrono::microseconds(1), [this, held] {
        for (SessionTable::FrameTo& frame : *held) {
            parts_.network.acceptorSends(connectionNamed(id(), frame.connection), std::move(frame.frame));
        }
    });
    pause(length);
}

void MasterNode::end() {
    trace("crashes");
    counters_ = counters();
    process_.reset();
    disk_.crash();
    midway_.reset();
    out_ = {};
}

master::Counters MasterNode::counters() const {
    master::Counters sum = counters_;
    if (core() == nullptr) return sum;
    const master::Counters& now = core()->counters();
    sum.agents_unreachable += now.agents_unreachable;
    sum.agents_spared += now.agents_spared;
    sum.agents_forgotten += now.agents_forgotten;
    sum.tasks_disowned += now.tasks_disowned;
    return sum;
}

void MasterNode::run() {
    const WallTime wall{now().time_since_epoch().count()};
    master::Output output;
    for (auto& [from, frame] : std::exchange(process_->inbox, {})) {
        process_->sessions.onFrame(nameOf(from), std::move(frame), now(), out_);
    }
    process_->sessions.tick(now(), out_);
    if (process_->office && !turnOfOffice()) {
        if (!up()) return;
        // A standby: peers come and go, and say nothing.
        for (Arrival& arrival : std::exchange(out_.arrivals, {})) onArrival(std::move(arrival), output);
        process_->sessions.flush(now(), out_);
        sendFrames();
        wakeAt(process_->sessions.nextDeadline());
        wakeAt(process_->office->nextDeadline());
        return;
    }
    for (Arrival& arrival : std::exchange(out_.arrivals, {})) onArrival(std::move(arrival), output);
    process_->core->step(master::Wake{}, now(), wall, output);
    process_->core->turn(now(), wall, output);
    carryOut(std::move(output));

    if (parts_.check_each_turn) {
        const absl::Status status = process_->core->check();
        parts_.checker.require(status.ok(), std::string(status.message()));
        if (process_->commit.heldCount() == 0) parts_.checker.compare(id(), process_->core->snapshot());
    }
    process_->sessions.flush(now(), out_);
    sendFrames();
    // What sending led to (a full outbox) is looked at in a turn of its own.
    if (!out_.arrivals.empty()) poke();
    wakeAt(process_->sessions.nextDeadline());
    wakeAt(process_->core->nextDeadline());
    if (process_->office) wakeAt(process_->office->nextDeadline());
}

void MasterNode::onArrival(Arrival arrival, master::Output& output) {
    const WallTime wall{now().time_since_epoch().count()};
    if (const auto* opened = std::get_if<arrival::Opened>(&arrival)) {
        const std::string connection(process_->sessions.connectionOf(opened->peer).value_or(""));
        process_->kinds[opened->peer] = parts_.kind_of(connectionNamed(id(), connection).dialer);
    } else if (const auto* message = std::get_if<arrival::Message>(&arrival)) {
        onMessage(message->peer, message->body, output);
    } else {
        const auto& gone = std::get<arrival::Gone>(arrival);
        process_->kinds.erase(gone.peer);
        trace(absl::StrCat("peer ", gone.peer, " gone: ", gone.why));
        if (process_->core != nullptr) process_->core->step(master::PeerGone{gone.peer}, now(), wall, output);
    }
}

void MasterNode::onMessage(Peer peer, const Body& body, master::Output& output) {
    const WallTime wall{now().time_since_epoch().count()};
    auto kind = process_->kinds.find(peer);
    if (kind == process_->kinds.end()) return;
    if (kind->second == Kind::kAgent) {
        absl::StatusOr<FromAgent> message = decodeFromAgent(*body);
        parts_.checker.require(message.ok(),
                               absl::StrCat("an agent's message does not decode: ", message.status().message()));
        if (!message.ok()) return;
        if (parts_.trace.on()) trace(absl::StrCat("<- ", peer, " ", show(*message)));
        process_->core->step(master::AgentMessage{peer, *std::move(message)}, now(), wall, output);
        return;
    }
    absl::StatusOr<AddressedCall> call = decodeCall(*body);
    parts_.checker.require(call.ok(), absl::StrCat("a framework's call does not decode: ", call.status().message()));
    if (!call.ok()) return;
    if (parts_.trace.on()) trace(absl::StrCat("<- ", peer, " ", show(call->call)));
    process_->core->step(master::FrameworkCall{peer, std::move(call->framework), std::move(call->call)}, now(), wall,
                         output);
}

void MasterNode::carryOut(master::Output output) {
    checkGivenUp(output.records);
    if (process_->office) {
        process_->office->append(std::move(output.records), process_->core->recordsAppended());
    } else if (!output.records.empty()) {
        disk_.append(id(), std::move(output.records), [this](RecordNumber number) {
            process_->commit.durable(number);
            poke();
        });
    }
    for (master::Output::Said& said : output.effects) {
        const Destination to = std::visit(DestinationOf{}, said.effect);
        process_->commit.add(to, std::move(said.effect), said.waits_for);
    }
    for (master::Effect& effect : process_->commit.take()) perform(std::move(effect));
}

void MasterNode::perform(master::Effect effect) {
    if (const auto* to_agent = std::get_if<master::ToAgentPeer>(&effect)) {
        checkDurable(to_agent->message);
        if (parts_.trace.on()) trace(absl::StrCat("-> ", to_agent->peer, " ", show(to_agent->message)));
        process_->sessions.send(to_agent->peer, makeBody(encode(to_agent->message)), now(), out_);
    } else if (const auto* to_framework = std::get_if<master::ToFrameworkPeer>(&effect)) {
        checkDurable(to_framework->event);
        if (parts_.trace.on()) trace(absl::StrCat("-> ", to_framework->peer, " ", show(to_framework->event)));
        process_->sessions.send(to_framework->peer, makeBody(encode(to_framework->event)), now(), out_);
    } else if (const auto* close = std::get_if<master::ClosePeer>(&effect)) {
        process_->kinds.erase(close->peer);
        trace(absl::StrCat("close ", close->peer, ": ", close->why));
        process_->sessions.close(close->peer, close->why, now());
    } else if (const auto* answer = std::get_if<master::CallAnswered>(&effect)) {
        trace(absl::StrCat("answer ", answer->peer, ": ", answer->status.ToString()));
    } else {
        checkDurable(std::get<master::Delta>(effect));
        parts_.checker.revealed(id(), std::get<master::Delta>(effect));
    }
}

void MasterNode::checkGivenUp(const std::vector<master::Record>& records) {
    for (const master::Record& record : records) {
        if (!std::holds_alternative<master::AgentUnreachable>(record)) continue;
        std::optional<Time>& last = process_->gave_up;
        parts_.checker.require(!last || now() - *last >= options_.give_up_every, "agents were given up too quickly");
        last = now();
    }
    parts_.checker.require(process_->core->agents().unreachable() <= options_.max_unreachable,
                           "more unreachable agents are kept than may be");
}

template <class R>
bool MasterNode::onDisk(const std::function<bool(const R&)>& is) const {
    const std::vector<master::Record>& records = process_->office ? *parts_.registry : disk_.records();
    const std::size_t count = process_->office ? records.size() : disk_.durableCount();
    const auto end = records.begin() + static_cast<std::ptrdiff_t>(count);
    return std::any_of(records.begin(), end, [&is](const master::Record& record) {
        const R* found = std::get_if<R>(&record);
        return found != nullptr && is(*found);
    });
}

void MasterNode::checkDurable(const ToAgent& message) const {
    if (!parts_.check_each_turn) return;
    const auto* registered = std::get_if<master_says::Registered>(&message);
    if (registered == nullptr) return;
    parts_.checker.require(
        onDisk<master::AgentAdmitted>([registered](const auto& record) { return record.info.id == registered->id; }),
        "an agent was told of its admission before it was durable: " + registered->id.value());
}

void MasterNode::checkDurable(const master::Delta& delta) const {
    if (!parts_.check_each_turn) return;
    const auto* forgotten = std::get_if<master::AgentForgotten>(&delta);
    if (forgotten == nullptr) return;
    parts_.checker.require(
        onDisk<master::AgentRemoved>([forgotten](const auto& record) { return record.agent == forgotten->agent; }),
        "an agent was shown as forgotten before that was durable: " + forgotten->agent.value());
}

void MasterNode::checkDurable(const Event& event) const {
    if (!parts_.check_each_turn) return;
    const auto* subscribed = std::get_if<event::Subscribed>(&event);
    if (subscribed == nullptr) return;
    parts_.checker.require(onDisk<master::FrameworkStored>(
                               [subscribed](const auto& record) { return record.info.id == subscribed->framework; }),
                           "a framework was told of its id before it was durable: " + subscribed->framework.value());
}

} // namespace stoa::sim
