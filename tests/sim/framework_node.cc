#include "tests/sim/framework_node.h"

#include "protocol/codec/framework_messages.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>

namespace stoa::sim {

FrameworkNode::FrameworkNode(const Parts& parts, const MakeBrain& make_brain)
    : Node(parts.queue), parts_(parts), brain_(make_brain(id(), [this] { poke(); })) {
    parts_.network.attach(id(), [this](const Connection& connection, Frame frame) {
        if (!up()) return;
        process_->links.onFrame(connection.acceptor, std::move(frame));
        poke();
    });
}

void FrameworkNode::begin() {
    brain_->begin(now());
    parts_.trace.line(brain_->name(), "starts");
    sdk::DriverCore::Options options;
    options.framework = brain_->info();
    options.suppressed_roles = brain_->suppressedRoles();
    options.explicit_acknowledgements = brain_->explicitAcknowledgements();
    process_ = std::make_unique<Process>(parts_.rng.next(), std::move(options), links_counters_);
}

void FrameworkNode::end() {
    parts_.trace.line(brain_->name(), "crashes");
    process_.reset();
    brain_->end();
}

void FrameworkNode::run() {
    sdk::DriverOutput& output = process_->output;
    const std::optional<NodeId> master = parts_.first_master ? parts_.first_master() : parts_.master;
    if (master) process_->links.look(*master, now());
    for (DialerArrival& arrival : process_->links.take(now())) onArrival(std::move(arrival));
    tell();
    brain_->wake(now());
    for (const Call& call : brain_->takeCalls()) {
        const absl::Status said = process_->driver.call(call, output);
        if (parts_.trace.on()) {
            parts_.trace.line(brain_->name(), absl::StrCat(said.ok() ? "-> " : "not said: ", show(call)));
        }
        if (!said.ok()) brain_->notSaid(call, now());
        if (const auto* wanted = std::get_if<call::SetDemands>(&call)) {
            parts_.checker.gangsWanted(process_->driver.frameworkId(), wanted->demands);
        }
    }
    for (const AddressedCall& call : std::exchange(output.calls, {})) {
        process_->links.send(makeBody(encode(call)), now());
    }
    // Its last call may be lost with its process; then the framework ends when its failover timeout has passed.
    const bool over = brain_->over();
    if (over) process_->links.close("torn down", now());
    const bool more = process_->links.flush(now(), parts_.network, id());
    if (over) return crash();
    if (more) poke();
    wakeAt(process_->links.nextDeadline());
    wakeAt(brain_->nextDeadline());
}

void FrameworkNode::onArrival(DialerArrival arrival) {
    sdk::DriverOutput& output = process_->output;
    if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
        process_->driver.step(sdk::Connected{connected->epoch}, now(), output);
    } else if (const auto* message = std::get_if<dialed::Message>(&arrival)) {
        if (process_->links.leader()) {
            parts_.checker.followed(*process_->links.leader(), process_->links.highestEpoch());
        }
        absl::StatusOr<Event> event = decodeEvent(*message->body);
        parts_.checker.require(event.ok(), absl::StrCat("an event does not decode: ", event.status().message()));
        if (!event.ok()) return;
        if (const auto* subscribed = std::get_if<event::Subscribed>(&*event)) {
            parts_.checker.frameworkSubscribed(subscribed->framework, subscribed->epoch);
        }
        if (const auto* offers = std::get_if<event::Offers>(&*event)) {
            parts_.checker.offered(process_->driver.frameworkId(), offers->offers);
        }
        if (parts_.trace.on()) parts_.trace.line(brain_->name(), "<- " + show(*event));
        process_->driver.step(sdk::Received{*std::move(event)}, now(), output);
    } else {
        process_->driver.step(sdk::Gone{std::get<dialed::Gone>(arrival).why}, now(), output);
    }
    tell();
}

absl::Status FrameworkNode::say(Call call) {
    if (!process_) return absl::UnavailableError("the framework is down");
    if (parts_.trace.on()) parts_.trace.line(brain_->name(), "-> " + show(call));
    poke();
    return process_->driver.call(std::move(call), process_->output);
}

void FrameworkNode::tell() {
    sdk::DriverOutput& output = process_->output;
    for (const sdk::Told& told : std::exchange(output.told, {})) {
        if (const auto* update = std::get_if<event::Update>(&told)) {
            parts_.checker.frameworkTold(process_->driver.frameworkId(), update->status, brain_->info().capabilities);
        } else if (const auto* error = std::get_if<event::Error>(&told)) {
            parts_.checker.require(false, absl::StrCat(brain_->describe(), " was told an error: ", error->message));
        }
        brain_->told(told, now());
        process_->driver.told(told, output);
    }
    parts_.checker.require(output.drop_session.empty(), "the driver refused a session: " + output.drop_session);
}

} // namespace stoa::sim
