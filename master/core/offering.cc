// Offers are made, taken, turned down and taken back. The ledger has the say on resources; here is what depends on the
// rest: whose offer it is, whether its agent is there, what each task to be launched says. A gang's offers are taken in
// one call, with all of its tasks or none, and go back together.
#include "master/core/state.h"
#include "master/core/validation.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include <algorithm>

namespace stoa::master {

void State::allocate(Step& at) {
    const std::optional<Time> due = allocator.nextDeadline();
    if (!allocator.pending() && !(due && *due <= at.now)) return;
    ++counters.allocation_rounds;
    // One event a framework, in the order in which the round came to them.
    struct Round {
        Framework* framework;
        event::Offers event;
        RecordNumber record;
    };
    std::vector<Round> rounds;
    absl::flat_hash_map<std::uint64_t, std::size_t> round_of;
    std::vector<allocator::Grant> grants = allocator.allocate(at.now, rng);
    const auto offerable = [&](const allocator::Grant& grant) {
        const Agent* agent = agents.find(grant.agent);
        const Framework* framework = frameworks.find(grant.framework);
        return agent != nullptr && framework != nullptr && agent->active() && framework->active();
    };
    for (const allocator::Grant& grant : grants) {
        if (!offerable(grant)) (void)allocator.rescind(grant.offer);
    }
    for (allocator::Grant& grant : grants) {
        if (!allocator.stands(grant.offer)) continue;
        Agent* agent = agents.find(grant.agent);
        Framework* framework = frameworks.find(grant.framework);
        Offer offer{std::move(grant.offer),
                    framework->id(),
                    agent->id(),
                    agent->info.hostname,
                    agent->info.address,
                    std::move(grant.role),
                    std::move(grant.resources),
                    agent->info.attributes,
                    std::move(grant.demand),
                    grant.count,
                    std::move(grant.gang),
                    executors.of(framework->id(), *agent)};
        std::optional<Time> deadline;
        if (options.offer_timeout > Duration::zero()) deadline = at.now + options.offer_timeout;
        ++counters.offers_made;
        offers.add(++last_offer, offer, *agent, *framework, deadline);
        show(at, OfferMade{offer}, std::max(agent->record, framework->record));
        auto [round, is_new] = round_of.emplace(framework->number, rounds.size());
        if (is_new) rounds.push_back({framework, {}, 0});
        Round& to = rounds[round->second];
        to.record = std::max(to.record, agent->record);
        to.event.offers.push_back(std::move(offer));
    }
    for (Round& round : rounds) tell(at, *round.framework, std::move(round.event), round.record);
}

// ---- Accept ------------------------------------------------------------------------------------------------------

// All offers that stand and are the framework's are found, even when others make the call invalid.
absl::Status State::findOffers(const Framework& framework, const call::Accept& call,
                               std::vector<StandingOffer*>& found) {
    absl::Status valid;
    absl::flat_hash_set<const StandingOffer*> named;
    if (call.offers.empty()) valid = absl::InvalidArgumentError("the call names no offer");
    for (const OfferId& id : call.offers) {
        StandingOffer* offer = offers.find(id);
        if (offer == nullptr || offer->framework != &framework) {
            valid.Update(absl::NotFoundError(absl::StrCat("offer ", id.value(),
                                                          " does not stand: it was used, declined, "
                                                          "or rescinded")));
        } else if (!named.insert(offer).second) {
            valid.Update(absl::InvalidArgumentError(absl::StrCat("offer ", id.value(), " is named twice")));
        } else {
            if (!found.empty() && offer->offer.gang != found.front()->offer.gang) {
                valid.Update(absl::InvalidArgumentError("the offers are of several gangs, or of one and none"));
            } else if (offer->offer.gang.empty() && !found.empty() && offer->agent != found.front()->agent) {
                valid.Update(absl::InvalidArgumentError("the offers are of several agents"));
            } else if (!found.empty() && offer->offer.role != found.front()->offer.role) {
                valid.Update(absl::InvalidArgumentError("the offers are of several roles"));
            }
            found.push_back(offer);
        }
    }
    return valid;
}

absl::Status State::validateLaunch(const Framework& framework, const Agent& agent, const TaskInfo& task,
                                   const Resources& left) {
    if (absl::Status valid = validate(task); !valid.ok()) return valid;
    if (task.agent != agent.id()) {
        return absl::InvalidArgumentError(absl::StrCat("the task names agent \"", task.agent.value(),
                                                       "\", but the offers are of agent \"", agent.id().value(), "\""));
    }
    if (tasks.contains(framework.id(), task.id)) {
        return absl::AlreadyExistsError(absl::StrCat("a task with id \"", task.id.value(), "\" is still there"));
    }
    if (!left.contains(task.resources)) {
        return absl::InvalidArgumentError(
            absl::StrCat("the task does not fit in what is left of the offers: ", left.shortfall(task.resources)));
    }
    return absl::OkStatus();
}

struct State::Launching {
    struct Good {
        const TaskInfo* task;
        Agent* agent = nullptr;
        std::optional<ExecutorInfo> new_executor{};
    };
    std::vector<Good> good;
    std::vector<allocator::Launch> launches;
};

// A task that can't be launched is refused by itself; of a gang, all are.
absl::Status State::validateLaunches(Step& at, const Framework& framework, const call::Accept& call,
                                     const std::vector<StandingOffer*>& taken, Launching& launching) {
    struct Place {
        Agent* agent = nullptr;
        Resources left;
        std::map<ExecutorId, ExecutorInfo> fresh;
    };
    const bool gang = !taken.front()->offer.gang.empty();
    Place one{taken.front()->agent, {}, {}};
    absl::flat_hash_map<AgentId, Place> many; // of a gang
    for (const StandingOffer* offer : taken) {
        Place& place = gang ? many[offer->agent->id()] : one;
        place.agent = offer->agent;
        place.left += offer->offer.resources;
    }
    absl::Status whole;
    absl::flat_hash_set<TaskId> ids;
    for (const TaskInfo& task : call.launches) {
        const auto found = gang ? many.find(task.agent) : many.end();
        Place* const place = !gang ? &one : found == many.end() ? nullptr : &found->second;
        absl::Status launchable =
            place == nullptr ? absl::InvalidArgumentError(absl::StrCat("the gang has no offer of the task's agent \"",
                                                                       task.agent.value(), "\""))
                             : validateLaunch(framework, *place->agent, task, place->left);
        if (launchable.ok() && !ids.insert(task.id).second) {
            launchable =
                absl::AlreadyExistsError(absl::StrCat("the task id \"", task.id.value(), "\" comes twice in one call"));
        }
        std::optional<ExecutorInfo> new_executor;
        if (launchable.ok()) {
            auto needed = newExecutorFor(framework, *place->agent, task, place->fresh, place->left);
            launchable = needed.status();
            if (needed.ok()) new_executor = *std::move(needed);
        }
        if (launchable.ok()) launchable = place->left.subtract(task.resources);
        if (launchable.ok() && new_executor) launchable = place->left.subtract(new_executor->resources);
        if (!launchable.ok()) {
            refuseLaunch(at, framework, task, TaskState::kError, Reason::kTaskInvalid,
                         std::string(launchable.message()));
            if (gang) {
                whole.Update(absl::InvalidArgumentError(
                    absl::StrCat("task \"", task.id.value(), "\" of the same gang can't be launched")));
            }
            continue;
        }
        const AgentId& on = place->agent->id();
        if (new_executor) {
            launching.launches.push_back({.task = holderOf(framework.id(), on, new_executor->id),
                                          .resources = new_executor->resources,
                                          .agent = on,
                                          .piece = false});
        }
        launching.good.push_back({&task, place->agent, std::move(new_executor)});
        launching.launches.push_back({{framework.id(), task.id}, task.resources, on});
    }
    return whole;
}

void State::on(Step& at, Framework& framework, const call::Accept& call) {
    std::vector<StandingOffer*> taken;
    absl::Status valid = findOffers(framework, call, taken);
    if (valid.ok() && call.launches.size() > options.max_launches_per_accept) {
        valid = absl::ResourceExhaustedError(
            absl::StrCat("more than ", options.max_launches_per_accept, " tasks in one call"));
    }

    Launching launching;
    if (valid.ok()) {
        valid = validateLaunches(at, framework, call, taken, launching);
        if (valid.ok()) valid = allocator.accept(call.offers, launching.launches, call.filters.refuse, at.now);
    } else {
        for (const TaskInfo& task : call.launches) launching.good.push_back({&task});
    }

    if (!valid.ok()) {
        ++counters.invalid_calls;
        rescindTaken(at, taken);
        for (const Launching::Good& one : launching.good) {
            refuseLaunch(at, framework, *one.task, TaskState::kDropped, Reason::kInvalidOffers,
                         std::string(valid.message()));
        }
        return;
    }
    counters.offers_accepted += taken.size();
    for (StandingOffer* offer : taken) forgetOffer(at, *offer);
    for (Launching::Good& one : launching.good) {
        Agent& agent = *one.agent;
        if (one.new_executor) show(at, executors.add(framework.id(), agent, *one.new_executor));
        launch(at, framework, agent, *one.task, one.new_executor.has_value());
    }
}

void State::launch(Step& at, Framework& framework, Agent& agent, const TaskInfo& info, bool new_executor) {
    ++counters.tasks_launched;
    Task& task = tasks.add(framework.id(), info, agent);
    task.held = true;
    show(at, task, latestStatus(task, Reason::kNone, "", at.wall));
    tell(at, agent, master_says::Launch{framework.info, info, new_executor}, framework.record);
}

void State::refuseLaunch(Step& at, const Framework& framework, const TaskInfo& task, TaskState state, Reason reason,
                         std::string message) {
    ++counters.tasks_refused;
    tell(at, framework, event::Update{masterStatus(task.id, task.agent, state, reason, std::move(message), at.wall)});
}

// ---- The other answers -------------------------------------------------------------------------------------------

void State::on(Step& at, Framework& framework, const call::Decline& call) {
    (void)allocator.decline(framework.id(), call.offers, call.filters.refuse, at.now);
    for (const OfferId& id : call.offers) {
        StandingOffer* offer = offers.find(id);
        // One that no longer stands: the decline crossed a rescind.
        if (offer == nullptr || offer->framework != &framework) continue;
        ++counters.offers_declined;
        if (offer->offer.gang.empty()) {
            forgetOffer(at, *offer);
            continue;
        }
        // The allocator ended all of the gang.
        const absl::flat_hash_set<OfferId> named(call.offers.begin(), call.offers.end());
        for (StandingOffer* each : offers.gangOf(*offer)) {
            if (!named.contains(each->offer.id)) tell(at, framework, event::Rescind{each->offer.id});
            forgetOffer(at, *each);
        }
    }
}

void State::on(Step& at, Framework& framework, const call::Revive& call) {
    absl::Status done = allocator.revive(framework.id(), call.roles);
    if (!done.ok()) invalid(at, framework, done);
}

void State::on(Step& at, Framework& framework, const call::Suppress& call) {
    absl::Status done = allocator.suppress(framework.id(), call.roles);
    if (!done.ok()) invalid(at, framework, done);
}

void State::on(Step& at, Framework& framework, const call::SetDemands& call) {
    absl::Status done = validate(call.demands, framework.info);
    if (done.ok()) done = allocator.setDemands(framework.id(), call.demands);
    if (!done.ok()) invalid(at, framework, done);
}

void State::invalid(Step& at, const Framework& framework, const absl::Status& why) {
    ++counters.invalid_calls;
    tell(at, framework, event::Error{std::string(why.message())});
}

// ---- Taking back -------------------------------------------------------------------------------------------------

void State::forgetOffer(Step& at, StandingOffer& offer) {
    show(at, OfferGone{offer.offer.id}, 0);
    offers.remove(offer);
}

void State::rescind(Step& at, StandingOffer& offer, bool tell_it) {
    ++counters.offers_rescinded;
    (void)allocator.rescind(offer.offer.id);
    if (tell_it) tell(at, *offer.framework, event::Rescind{offer.offer.id});
    forgetOffer(at, offer);
}

void State::rescindWhole(Step& at, StandingOffer& offer) {
    for (StandingOffer* each : offers.gangOf(offer)) rescind(at, *each, true);
}

void State::rescindTaken(Step& at, const std::vector<StandingOffer*>& taken) {
    const absl::flat_hash_set<StandingOffer*> named(taken.begin(), taken.end());
    std::vector<StandingOffer*> others;
    absl::flat_hash_set<std::string_view> gangs;
    for (StandingOffer* offer : taken) {
        if (offer->offer.gang.empty() || !gangs.insert(offer->offer.gang.value()).second) continue;
        for (StandingOffer* each : offers.gangOf(*offer)) {
            if (!named.contains(each)) others.push_back(each);
        }
    }
    for (StandingOffer* offer : others) rescind(at, *offer, true);
    for (StandingOffer* offer : taken) rescind(at, *offer, false);
}

void State::rescindAll(Step& at, const Agent& agent) {
    // Of a gang there is one offer an agent, so none of the others here goes with it.
    for (StandingOffer* offer : offers.of(agent)) rescindWhole(at, *offer);
}

} // namespace stoa::master
