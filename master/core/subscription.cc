// Frameworks subscribe, lose their sessions, take over from an earlier scheduler of theirs, and are removed: by their
// own word, or when the failover timeout has passed without one.
#include "master/core/state.h"
#include "master/core/validation.h"
#include "protocol/strings.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace stoa::master {

namespace {

// How exactly the registry knows what remains of an absent framework's time.
constexpr Duration kShortestNote = std::chrono::seconds(10);
constexpr Duration kLongestNote = std::chrono::minutes(10);

absl::Status validateSuppressed(const FrameworkInfo& info, const std::vector<std::string>& suppressed) {
    for (const std::string& role : suppressed) {
        if (std::find(info.roles.begin(), info.roles.end(), role) == info.roles.end()) {
            return absl::InvalidArgumentError(
                absl::StrCat("suppressed role \"", role, "\" is not one of the framework's"));
        }
    }
    return absl::OkStatus();
}

} // namespace

void State::subscribe(Step& at, Peer peer, const FrameworkId& claimed, const call::Subscribe& call) {
    FrameworkInfo info = call.info;
    if (info.id.empty()) info.id = claimed;
    absl::Status valid = validate(info);
    if (valid.ok() && !claimed.empty() && info.id != claimed) {
        valid = absl::InvalidArgumentError(absl::StrCat("the call is of framework \"", claimed.value(),
                                                        "\" and its info of \"", info.id.value(), "\""));
    }
    if (valid.ok()) valid = validateSuppressed(info, call.suppressed_roles);
    if (valid.ok() && agents.withPeer(peer) != nullptr) {
        valid = absl::FailedPreconditionError("this session is an agent's");
    }
    if (const Framework* other = frameworks.withPeer(peer); valid.ok() && other != nullptr && other->id() != info.id) {
        valid = absl::FailedPreconditionError(
            absl::StrCat("this session is framework ", other->id().value(), "'s already"));
    }
    Framework* framework = info.id.empty() ? nullptr : frameworks.find(info.id);
    if (valid.ok() && framework != nullptr && framework->info.principal != info.principal) {
        valid =
            absl::PermissionDeniedError(absl::StrCat("framework ", info.id.value(), " belongs to principal \"",
                                                     framework->info.principal, "\", not \"", info.principal, "\""));
    }
    if (valid.ok() && framework == nullptr && frameworks.size() >= options.max_frameworks) {
        valid =
            absl::ResourceExhaustedError(absl::StrCat("the master has its most frameworks, ", options.max_frameworks));
    }
    if (!valid.ok()) {
        ++counters.invalid_calls;
        refuseFramework(at, peer, std::string(valid.message()));
        return;
    }

    ++counters.subscriptions;
    const Time next_heartbeat = at.now + options.heartbeat_interval;
    if (framework == nullptr) {
        // An id never seen is taken as it is: its scheduler kept it longer than any registry did.
        if (info.id.empty()) {
            info.id = FrameworkId(absl::StrCat(options.master_id, "-", options.epoch, "-F", ++last_framework_id));
        }
        (void)allocator.addFramework(info.id, info.roles);
        framework = &frameworks.add(info, next_heartbeat, at.wall);
        framework->record = append(at, FrameworkStored{info, info.principal});
    } else {
        // What tasks may already depend on stays as it was.
        info.user = framework->info.user;
        info.checkpoint = framework->info.checkpoint;
        if (framework->active() && framework->peer != peer) {
            ++counters.failovers;
            tell(at, *framework, event::Error{"the framework failed over: another scheduler subscribed with its id"});
            close(at, framework->peer, "the framework failed over", framework->record);
        }
        for (StandingOffer* offer : offers.of(*framework)) {
            // A scheduler that subscribes again in its own session still knows its offers.
            rescind(at, *offer, framework->peer == peer);
        }
        // Being back takes the stored deadline back too.
        if (!framework->active() || !(framework->info == info)) {
            framework->info = info;
            framework->record = append(at, FrameworkStored{info, info.principal});
        }
        // What the scheduler's earlier life wanted, suppressed or refused is no longer said; its tasks hold on.
        (void)allocator.removeFramework(info.id);
        (void)allocator.addFramework(info.id, info.roles);
    }
    (void)allocator.setActive(info.id, true);
    if (!call.suppressed_roles.empty()) (void)allocator.suppress(info.id, call.suppressed_roles);
    frameworks.connect(*framework, peer, next_heartbeat, at.wall);
    show(at, *framework);
    tell(at, *framework,
         event::Subscribed{info.id, options.heartbeat_interval, options.master_id, options.address, options.epoch});
    tell(at, *framework, event::Heartbeat{});
}

absl::Status State::validateUpdate(const Framework& framework, const FrameworkInfo& info,
                                   const std::vector<std::string>& suppressed) const {
    if (absl::Status valid = validate(info); !valid.ok()) return valid;
    const FrameworkInfo& now = framework.info;
    auto fixed = [](std::string_view what, std::string_view from, std::string_view to) {
        return absl::InvalidArgumentError(absl::StrCat("the framework's ", toAbsl(what), " can't change: it is \"",
                                                       toAbsl(from), "\", not \"", toAbsl(to), "\""));
    };
    if (info.id != now.id) return fixed("id", now.id.value(), info.id.value());
    if (info.user != now.user) return fixed("user", now.user, info.user);
    if (info.principal != now.principal) return fixed("principal", now.principal, info.principal);
    if (info.checkpoint != now.checkpoint) {
        return fixed("checkpoint", now.checkpoint ? "true" : "false", info.checkpoint ? "true" : "false");
    }
    return validateSuppressed(info, suppressed);
}

void State::update(Step& at, Framework& framework, const call::UpdateFramework& call, std::uint64_t request) {
    FrameworkInfo info = call.info;
    if (info.id.empty()) info.id = framework.id();
    absl::Status done = validateUpdate(framework, info, call.suppressed_roles);
    if (done.ok() && info.roles != framework.info.roles) done = allocator.updateRoles(info.id, info.roles);
    if (done.ok()) {
        for (StandingOffer* offer : offers.of(framework)) {
            const std::string& role = offer->offer.role;
            if (std::find(info.roles.begin(), info.roles.end(), role) == info.roles.end()) rescind(at, *offer, true);
        }
        (void)allocator.revive(info.id, {});
        if (!call.suppressed_roles.empty()) (void)allocator.suppress(info.id, call.suppressed_roles);
        if (!(info == framework.info)) {
            framework.info = info;
            framework.record = append(at, FrameworkStored{info, info.principal});
            show(at, framework);
        }
    } else if (request == 0) {
        invalid(at, framework, done);
    }
    if (request != 0) at.out.effects.push_back({CallAnswered{framework.peer, request, done}, framework.record});
}

void State::refuseFramework(Step& at, Peer peer, std::string reason) {
    at.out.effects.push_back({ToFrameworkPeer{peer, event::Error{reason}}, 0});
    close(at, peer, std::move(reason), 0);
    // A session that was refused once is over, whatever it was before.
    peerGone(at, peer);
}

void State::sessionEnded(Step& at, Framework& framework) {
    for (StandingOffer* offer : offers.of(framework)) rescind(at, *offer, false);
    (void)allocator.setActive(framework.id(), false);
    const Duration timeout = framework.info.failover_timeout;
    frameworks.disconnect(framework, at.now + timeout, at.wall);
    if (timeout == Duration::zero()) {
        remove(at, framework, "its scheduler is gone and it has no failover timeout");
        return;
    }
    noteDeadline(at, framework);
    show(at, framework);
}

// Stored again and again while it is away, so that its time goes on across fail-overs, however many there are.
void State::noteDeadline(Step& at, Framework& framework) {
    framework.record = append(at, FrameworkDeadline{framework.id(), framework.deadline - at.now});
    awaitNote(at, framework);
}

void State::awaitNote(const Step& at, Framework& framework) {
    const Duration tenth = (framework.deadline - at.now) / 10;
    frameworks.setNextNote(framework, at.now + std::clamp<Duration>(tenth, kShortestNote, kLongestNote));
}

void State::remove(Step& at, Framework& framework, std::string_view why) {
    ++counters.frameworks_removed;
    const FrameworkId id = framework.id();
    for (StandingOffer* offer : offers.of(framework)) rescind(at, *offer, false);
    framework.record = append(at, FrameworkRemoved{id});
    // Its tasks hold what they have until their agents have ended them; an agent that is away is told on its return.
    std::vector<Agent*> its_agents = tasks.agentsOf(id);
    for (const Executor* executor : executors.of(id)) {
        if (std::find(its_agents.begin(), its_agents.end(), executor->agent) == its_agents.end()) {
            its_agents.push_back(executor->agent);
        }
    }
    for (Agent* agent : its_agents) tell(at, *agent, master_says::ShutdownFramework{id}, framework.record);
    auto kill = early_kills.lower_bound({id, TaskId()});
    while (kill != early_kills.end() && kill->first.framework == id) kill = early_kills.erase(kill);
    if (framework.active()) close(at, framework.peer, std::string(why), framework.record);
    (void)allocator.removeFramework(id);
    show(at, FrameworkForgotten{id}, framework.record);
    frameworks.remove(framework);
}

void State::on(Step& at, Framework& framework, const call::Teardown&) { remove(at, framework, "torn down"); }

void State::heartbeat(Step& at, Framework& framework) {
    tell(at, framework, event::Heartbeat{});
    frameworks.setNextHeartbeat(framework, at.now + options.heartbeat_interval);
}

} // namespace stoa::master
