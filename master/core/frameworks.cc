#include "master/core/frameworks.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cassert>

namespace stoa::master {

Framework& Frameworks::add(FrameworkInfo info, Time deadline, WallTime now) {
    auto framework = std::make_unique<Framework>();
    framework->number = ++last_number_;
    framework->info = std::move(info);
    framework->state = Framework::State::kDisconnected;
    framework->deadline = framework->note_at = deadline;
    framework->since = now;
    Framework& added = *framework;
    bool is_new = by_id_.emplace(added.id(), &added).second;
    assert(is_new);
    (void)is_new;
    by_number_.emplace(added.number, std::move(framework));
    enterState(added);
    return added;
}

void Frameworks::remove(Framework& framework) {
    leaveState(framework);
    by_id_.erase(framework.id());
    by_number_.erase(framework.number);
}

Framework* Frameworks::find(const FrameworkId& id) {
    auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : found->second;
}

const Framework* Frameworks::find(const FrameworkId& id) const { return const_cast<Frameworks*>(this)->find(id); }

Framework* Frameworks::withPeer(Peer peer) {
    auto found = by_peer_.find(peer);
    return found == by_peer_.end() ? nullptr : found->second;
}

Framework* Frameworks::numbered(std::uint64_t number) {
    auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : found->second.get();
}

void Frameworks::connect(Framework& framework, Peer peer, Time next_heartbeat, WallTime now) {
    leaveState(framework);
    framework.state = Framework::State::kActive;
    framework.peer = peer;
    framework.deadline = next_heartbeat;
    framework.since = now;
    enterState(framework);
}

void Frameworks::disconnect(Framework& framework, Time deadline, WallTime now) {
    leaveState(framework);
    framework.state = Framework::State::kDisconnected;
    framework.peer = 0;
    framework.deadline = framework.note_at = deadline;
    framework.since = now;
    enterState(framework);
}

void Frameworks::setNextHeartbeat(Framework& framework, Time at) {
    leaveState(framework);
    framework.deadline = at;
    enterState(framework);
}

void Frameworks::setNextNote(Framework& framework, Time at) {
    leaveState(framework);
    framework.note_at = at;
    enterState(framework);
}

std::optional<Time> Frameworks::nextDeadline() const {
    std::optional<Time> removal = removals_.next(), heartbeat = heartbeats_.next();
    if (removal && heartbeat) return std::min(*removal, *heartbeat);
    return removal ? removal : heartbeat;
}

Framework* Frameworks::firstToRemove(Time now) {
    std::optional<std::uint64_t> number = removals_.firstDue(now);
    return number ? numbered(*number) : nullptr;
}

Framework* Frameworks::firstToHear(Time now) {
    std::optional<std::uint64_t> number = heartbeats_.firstDue(now);
    return number ? numbered(*number) : nullptr;
}

Time Frameworks::dueOf(const Framework& framework) {
    return framework.active() ? framework.deadline : std::min(framework.deadline, framework.note_at);
}

// Every index that follows from a framework's state, taken out before a change and put back after it.
void Frameworks::leaveState(Framework& framework) {
    (framework.active() ? heartbeats_ : removals_).unset(dueOf(framework), framework.number);
    if (framework.active()) by_peer_.erase(framework.peer);
}

void Frameworks::enterState(Framework& framework) {
    (framework.active() ? heartbeats_ : removals_).set(dueOf(framework), framework.number);
    if (framework.active()) by_peer_[framework.peer] = &framework;
}

absl::Status Frameworks::check() const {
    std::size_t active = 0;
    for (const auto& [number, framework] : by_number_) {
        if (find(framework->id()) != framework.get()) {
            return absl::InternalError(absl::StrCat("framework ", framework->id().value(), " is not found by its id"));
        }
        if (framework->active()) {
            ++active;
            auto found = by_peer_.find(framework->peer);
            if (found == by_peer_.end() || found->second != framework.get()) {
                return absl::InternalError(
                    absl::StrCat("framework ", framework->id().value(), " is not found by its session"));
            }
        }
        if (!(framework->active() ? heartbeats_ : removals_).contains(dueOf(*framework), number)) {
            return absl::InternalError(absl::StrCat("framework ", framework->id().value(), " has no deadline"));
        }
    }
    if (by_id_.size() != by_number_.size() || by_peer_.size() != active ||
        removals_.size() + heartbeats_.size() != by_number_.size()) {
        return absl::InternalError("the table of frameworks has an index entry too many");
    }
    return absl::OkStatus();
}

} // namespace stoa::master
