// Offers are made, taken, turned down and taken back. The ledger has the say on resources; here is what depends on the
// rest: whose offer it is, whether its agent is there, what each task to be launched says.
#include "master/core/state.h"
#include "master/core/validation.h"

#include <absl/container/flat_hash_map.h>
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
    for (allocator::Grant& grant : allocator.allocate(at.now, rng)) {
        Agent* agent = agents.find(grant.agent);
        Framework* framework = frameworks.find(grant.framework);
        if (agent == nullptr || framework == nullptr || !agent->active() || !framework->active()) {
            (void)allocator.rescind(grant.offer);
            continue;
        }
        Offer offer{std::move(grant.offer),
                    framework->id(),
                    agent->id(),
                    agent->info.hostname,
                    agent->info.address,
                    std::move(grant.role),
                    std::move(grant.resources),
                    agent->info.attributes,
                    std::move(grant.demand),
                    grant.count};
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
    if (call.offers.empty()) valid = absl::InvalidArgumentError("the call names no offer");
    for (const OfferId& id : call.offers) {
        StandingOffer* offer = offers.find(id);
        if (offer == nullptr || offer->framework != &framework) {
            valid.Update(absl::NotFoundError(absl::StrCat("offer ", id.value(),
                                                          " does not stand: it was used, declined, "
                                                          "or rescinded")));
        } else if (std::find(found.begin(), found.end(), offer) != found.end()) {
            valid.Update(absl::InvalidArgumentError(absl::StrCat("offer ", id.value(), " is named twice")));
        } else {
            if (!found.empty() && offer->agent != found.front()->agent) {
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

void State::on(Step& at, Framework& framework, const call::Accept& call) {
    std::vector<StandingOffer*> taken;
    absl::Status valid = findOffers(framework, call, taken);
    if (valid.ok() && call.launches.size() > options.max_launches_per_accept) {
        valid = absl::ResourceExhaustedError(
            absl::StrCat("more than ", options.max_launches_per_accept, " tasks in one call"));
    }

    std::vector<const TaskInfo*> good;
    std::vector<allocator::Launch> launches;
    if (valid.ok()) {
        Resources left;
        for (const StandingOffer* offer : taken) left += offer->offer.resources;
        const Agent& agent = *taken.front()->agent;
        absl::flat_hash_map<TaskId, bool> ids;
        for (const TaskInfo& task : call.launches) {
            absl::Status launchable = validateLaunch(framework, agent, task, left);
            if (launchable.ok() && !ids.emplace(task.id, true).second) {
                launchable = absl::AlreadyExistsError(
                    absl::StrCat("the task id \"", task.id.value(), "\" comes twice in one call"));
            }
            if (launchable.ok()) launchable = left.subtract(task.resources);
            if (!launchable.ok()) {
                refuseLaunch(at, framework, task, TaskState::kError, Reason::kTaskInvalid,
                             std::string(launchable.message()));
                continue;
            }
            good.push_back(&task);
            launches.push_back({{framework.id(), task.id}, task.resources});
        }
        valid = allocator.accept(call.offers, launches, call.filters.refuse, at.now);
    } else {
        for (const TaskInfo& task : call.launches) good.push_back(&task);
    }

    if (!valid.ok()) {
        ++counters.invalid_calls;
        // The scheduler believes that it has used these, so it is not told of their end.
        for (StandingOffer* offer : taken) rescind(at, *offer, false);
        for (const TaskInfo* task : good) {
            refuseLaunch(at, framework, *task, TaskState::kDropped, Reason::kInvalidOffers,
                         std::string(valid.message()));
        }
        return;
    }
    Agent& agent = *taken.front()->agent;
    counters.offers_accepted += taken.size();
    for (StandingOffer* offer : taken) forgetOffer(at, *offer);
    for (const TaskInfo* task : good) launch(at, framework, agent, *task);
}

void State::launch(Step& at, Framework& framework, Agent& agent, const TaskInfo& info) {
    ++counters.tasks_launched;
    Task& task = tasks.add(framework.id(), info, agent);
    task.held = true;
    show(at, task, latestStatus(task, Reason::kNone, "", at.wall));
    tell(at, agent, master_says::Launch{framework.info, info}, framework.record);
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
        forgetOffer(at, *offer);
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

void State::rescindAll(Step& at, const Agent& agent) {
    for (StandingOffer* offer : offers.of(agent)) rescind(at, *offer, true);
}

} // namespace stoa::master
