#include "master/core/master.h"

#include "master/core/state.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>

namespace stoa::master {

namespace {

// Precondition of Master: the allocator's options are sound. That is our own daemon's (or test's) logic.
allocator::Allocator makeAllocator(const Options& options) {
    allocator::Options with_prefix = options.allocator;
    with_prefix.offer_prefix = absl::StrCat(options.master_id, "-", options.epoch, "-O");
    absl::StatusOr<allocator::Allocator> made = allocator::Allocator::create(std::move(with_prefix));
    if (!made.ok()) {
        std::fprintf(stderr, "the allocator's options were not checked: %s\n", made.status().ToString().c_str());
        std::abort();
    }
    return *std::move(made);
}

// A scheduler that knows no partitions knows none of the states that they brought: to it such a task is lost. One that
// doesn't know that killing takes time (or no longer says so) has the task run until it has ended.
TaskState asUnderstood(TaskState state, Capabilities capabilities) {
    if (state == TaskState::kKilling && !capabilities.has(Capability::kTaskKillingState)) return TaskState::kRunning;
    if (capabilities.has(Capability::kPartitionAware)) return state;
    switch (state) {
    case TaskState::kDropped:
    case TaskState::kUnreachable:
    case TaskState::kGone:
    case TaskState::kGoneByOperator:
    case TaskState::kUnknown: return TaskState::kLost;
    default: return state;
    }
}

// Looks at an agent message or a framework's call with the sender that was found for it.
template <class... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

} // namespace

State::State(Options given, const Recovered& recovered, Time now, WallTime wall)
    : options(std::move(given)), agents(options.give_up_every), allocator(makeAllocator(options)), rng(options.seed),
      started(now) {
    Step at{now, wall, first_output};
    recover(recovered, at);
}

// ---- Master ------------------------------------------------------------------------------------------------------

Master::Master(Options options, const Recovered& recovered, Time now, WallTime wall)
    : state_(std::make_unique<State>(std::move(options), recovered, now, wall)) {}
Master::~Master() = default;
Master::Master(Master&&) noexcept = default;

void Master::step(const Input& input, Time now, WallTime wall, Output& output) {
    State& state = *state_;
    state.flushFirst(output);
    Step at{now, wall, output};
    state.expire(at);

    std::visit(Overloaded{
                   [&](const AgentMessage& from) {
                       if (const auto* message = std::get_if<agent_says::Register>(&from.message)) {
                           state.on(at, from.peer, *message);
                           return;
                       }
                       // Only a registered session may say more; another's words came too late, and it registers anew.
                       Agent* agent = state.agents.withPeer(from.peer);
                       if (agent == nullptr) return;
                       std::visit(Overloaded{[&](const agent_says::Register&) {},
                                             [&](const auto& message) { state.on(at, *agent, message); }},
                                  from.message);
                   },
                   [&](const FrameworkCall& from) {
                       if (const auto* call = std::get_if<call::Subscribe>(&from.call)) {
                           state.subscribe(at, from.peer, from.framework, *call);
                           return;
                       }
                       Framework* framework = state.frameworks.withPeer(from.peer);
                       if (framework == nullptr || !(from.framework.empty() || framework->id() == from.framework)) {
                           ++state.counters.invalid_calls;
                           state.refuseFramework(at, from.peer,
                                                 absl::StrCat("framework \"", from.framework.value(),
                                                              "\" is not subscribed in this session: subscribe first"));
                           return;
                       }
                       std::visit(Overloaded{[&](const call::Subscribe&) {},
                                             [&](const call::UpdateFramework& call) {
                                                 state.update(at, *framework, call, from.request);
                                             },
                                             [&](const auto& call) { state.on(at, *framework, call); }},
                                  from.call);
                   },
                   [&](const OperatorWish& from) {
                       const absl::Status done =
                           std::visit([&](const auto& wish) { return state.grant(at, wish); }, from.wish);
                       at.out.effects.push_back({CallAnswered{0, from.request, done}, state.appended});
                   },
                   [&](const PeerGone& gone) { state.peerGone(at, gone.peer); },
                   [&](const Wake&) {},
               },
               input);
}

void Master::turn(Time now, WallTime wall, Output& output) {
    State& state = *state_;
    state.flushFirst(output);
    Step at{now, wall, output};
    state.expire(at);
    state.allocate(at);
}

std::optional<Time> Master::nextDeadline() const {
    const State& state = *state_;
    if (!state.first_output.effects.empty() || !state.first_output.records.empty()) return state.started;
    std::optional<Time> next;
    for (std::optional<Time> one : {state.agents.nextDeadline(), state.frameworks.nextDeadline(),
                                    state.offers.nextDeadline(), state.allocator.nextDeadline()}) {
        if (one && (!next || *one < *next)) next = one;
    }
    return next;
}

RecordNumber Master::recordsAppended() const { return state_->appended; }
const Options& Master::options() const { return state_->options; }
const Agents& Master::agents() const { return state_->agents; }
const Frameworks& Master::frameworks() const { return state_->frameworks; }
const Offers& Master::offers() const { return state_->offers; }
const Tasks& Master::tasks() const { return state_->tasks; }
const allocator::Allocator& Master::allocator() const { return state_->allocator; }
const Counters& Master::counters() const { return state_->counters; }

std::vector<std::string> Master::takeAllocatorNotes() { return state_->allocator.takeNotes(); }

std::vector<Delta> Master::snapshot() const {
    State& state = *state_;
    Output output;
    Step at{state.started, {}, output};
    for (const auto& [number, agent] : state.agents.all()) state.show(at, *agent);
    for (const auto& [number, framework] : state.frameworks.all()) state.show(at, *framework);
    std::vector<const Task*> tasks;
    state.tasks.forEach([&](const Task& task) {
        if (!isTerminal(task.state) && !task.disowned) tasks.push_back(&task);
    });
    std::sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) { return a->key < b->key; });
    for (const Task* task : tasks) state.show(at, *task, state.latestStatus(*task, Reason::kNone, "", {}));
    for (const Executor* executor : state.executors.all()) state.show(at, *executor);
    for (const auto& [number, offer] : state.offers.all()) state.show(at, OfferMade{offer->offer}, 0);
    std::vector<Delta> deltas;
    for (Output::Said& said : output.effects) deltas.push_back(std::get<Delta>(std::move(said.effect)));
    return deltas;
}

absl::Status Master::check() const {
    State& state = *state_;
    for (const absl::Status& one : {state.agents.check(), state.frameworks.check(), state.tasks.check(),
                                    state.executors.check(state.allocator), state.allocator.check()}) {
        if (!one.ok()) return one;
    }
    absl::Status wrong;
    state.tasks.forEach([&](const Task& task) {
        if (state.allocator.holds(task.key) != task.held) {
            wrong.Update(absl::InternalError(absl::StrCat(
                "task ", task.key.task.value(), " and the ledger disagree about ", "whether it holds resources")));
        }
        if (state.agents.find(task.agent->id()) != task.agent) {
            wrong.Update(
                absl::InternalError(absl::StrCat("task ", task.key.task.value(), " is on an agent that is gone")));
        }
    });
    if (!wrong.ok()) return wrong;
    for (const auto& [number, offer] : state.offers.all()) {
        if (!state.allocator.stands(offer->offer.id)) {
            return absl::InternalError(
                absl::StrCat("offer ", offer->offer.id.value(), " does not stand in the ledger"));
        }
        if (!offer->agent->active() || !offer->framework->active()) {
            return absl::InternalError(absl::StrCat("offer ", offer->offer.id.value(),
                                                    " stands though its agent or framework has no session"));
        }
    }
    for (const auto& [number, agent] : state.agents.all()) {
        std::optional<allocator::AgentHoldings> holdings = state.allocator.agent(agent->id());
        if (!holdings) {
            return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " is not in the ledger"));
        }
        if (holdings->offerable != agent->active()) {
            return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " is ",
                                                    agent->active() ? "active and not" : "not active and",
                                                    " offerable"));
        }
        if (holdings->offers.size() != state.offers.of(*agent).size()) {
            return absl::InternalError(absl::StrCat("agent ", agent->id().value(), " has other offers in the ledger"));
        }
    }
    return absl::OkStatus();
}

// ---- What is due -------------------------------------------------------------------------------------------------

void State::flushFirst(Output& out) {
    std::move(first_output.records.begin(), first_output.records.end(), std::back_inserter(out.records));
    std::move(first_output.effects.begin(), first_output.effects.end(), std::back_inserter(out.effects));
    first_output = {};
}

void State::expire(Step& at) {
    while (Agent* agent = agents.firstDue(at.now)) giveUp(at, *agent);
    while (Agent* agent = agents.firstToForget(at.now, options.max_unreachable)) forget(at, *agent);
    while (Framework* framework = frameworks.firstToRemove(at.now)) {
        if (framework->deadline > at.now) {
            noteDeadline(at, *framework);
        } else {
            remove(at, *framework, "its failover timeout passed");
        }
    }
    while (StandingOffer* offer = offers.firstDue(at.now)) {
        ++counters.offers_expired;
        rescindWhole(at, *offer);
    }
    while (Framework* framework = frameworks.firstToHear(at.now)) heartbeat(at, *framework);
}

void State::peerGone(Step& at, Peer peer) {
    if (Agent* agent = agents.withPeer(peer)) {
        sessionEnded(at, *agent);
        show(at, *agent);
    } else if (Framework* framework = frameworks.withPeer(peer)) {
        sessionEnded(at, *framework);
    }
}

// ---- What is said ------------------------------------------------------------------------------------------------

RecordNumber State::append(Step& at, Record record) {
    at.out.records.push_back(std::move(record));
    return ++appended;
}

void State::tell(Step& at, const Agent& agent, ToAgent message, RecordNumber also) {
    if (!agent.active()) return;
    at.out.effects.push_back({ToAgentPeer{agent.peer, std::move(message)}, std::max(agent.record, also)});
}

void State::tell(Step& at, const Framework& framework, Event event, RecordNumber also) {
    if (!framework.active()) return;
    if (auto* update = std::get_if<event::Update>(&event)) {
        update->status.state = asUnderstood(update->status.state, framework.info.capabilities);
    }
    at.out.effects.push_back({ToFrameworkPeer{framework.peer, std::move(event)}, std::max(framework.record, also)});
}

void State::close(Step& at, Peer peer, std::string why, RecordNumber after) {
    at.out.effects.push_back({ClosePeer{peer, std::move(why)}, after});
}

void State::show(Step& at, Delta delta, RecordNumber waits_for) {
    at.out.effects.push_back({std::move(delta), waits_for});
}

void State::show(Step& at, const Agent& agent) {
    auto state = AgentChanged::State::kActive;
    switch (agent.state) {
    case Agent::State::kActive: break;
    case Agent::State::kDisconnected: state = AgentChanged::State::kDisconnected; break;
    case Agent::State::kRecovered: state = AgentChanged::State::kRecovered; break;
    case Agent::State::kUnreachable: state = AgentChanged::State::kUnreachable; break;
    }
    show(at, AgentChanged{agent.info, state, agent.since}, agent.record);
}

void State::show(Step& at, const Framework& framework) {
    show(at, FrameworkChanged{framework.info, framework.active(), framework.since}, framework.record);
}

void State::show(Step& at, const Task& task, const TaskStatus& status) {
    const Framework* framework = frameworks.find(task.key.framework);
    show(at, TaskChanged{task.key.framework, task.taskInfo(), task.state, status},
         std::max(task.agent->record, framework ? framework->record : 0));
}

} // namespace stoa::master
