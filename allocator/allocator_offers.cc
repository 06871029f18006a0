// What becomes of offers, a gang's all together, and of tasks.
#include "allocator/allocator.h"
#include "allocator/eligibility.h"
#include "allocator/ledger.h"
#include "protocol/strings.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace stoa::allocator {

Time Allocator::refusedUntil(Duration refuse, Time now) const {
    return now + std::max(options_.pause, std::min(refuse, Filters::kLongestRefuse));
}

std::vector<Slot> Allocator::wholeGangs(std::vector<Slot> offers) const {
    const std::vector<Slot> named = offers;
    for (Slot offer : named) {
        if (ledger_->offers()[offer].gang == 0) continue;
        const std::vector<Slot> gang = ledger_->gangOf(offer);
        offers.insert(offers.end(), gang.begin(), gang.end());
    }
    if (offers.size() == named.size()) return offers;
    // In the order in which they were made.
    const auto number = [&](Slot offer) { return ledger_->offers()[offer].number; };
    std::sort(offers.begin(), offers.end(), [&](Slot a, Slot b) { return number(a) < number(b); });
    offers.erase(std::unique(offers.begin(), offers.end()), offers.end());
    return offers;
}

void Allocator::endOffers(absl::Span<const Slot> offers) {
    std::vector<Slot> agents;
    for (Slot slot : offers) {
        const Ledger::Offer& offer = ledger_->offers()[slot];
        const Slot framework = ledger_->clients()[offer.client].framework;
        const Slot request = offer.request;
        const std::uint32_t pieces = offer.count;
        agents.push_back(offer.agent);
        ledger_->endOffer(slot);
        eligibility_->offerEnded(framework, request, pieces);
    }
    std::sort(agents.begin(), agents.end());
    agents.erase(std::unique(agents.begin(), agents.end()), agents.end());
    for (Slot agent : agents) eligibility_->freeGrew(agent);
}

absl::Status Allocator::accept(absl::Span<const OfferId> offers, absl::Span<const Launch> launches, Duration refuse,
                               Time now) {
    if (offers.empty()) return invalid("no offer is accepted");
    std::vector<Slot> slots;
    Resources rest;
    for (const OfferId& id : offers) {
        const Slot slot = offerSlot(id);
        if (slot == kNoSlot) return absl::NotFoundError(concat("offer ", id.value(), " does not stand any more"));
        if (std::find(slots.begin(), slots.end(), slot) != slots.end())
            return invalid("offer ", id.value(), " is named twice");
        const Ledger::Offer& offer = ledger_->offers()[slot];
        const Ledger::Offer& first = ledger_->offers()[slots.empty() ? slot : slots.front()];
        if (offer.gang != first.gang) {
            return invalid("offers ", offers.front().value(), " and ", id.value(), " are not of the same gang");
        }
        if (offer.gang == 0 && offer.agent != first.agent) {
            return invalid("offers ", offers.front().value(), " and ", id.value(), " are on different agents");
        }
        if (offer.client != first.client) {
            return invalid("offers ", offers.front().value(), " and ", id.value(),
                           " are of different frameworks or roles");
        }
        slots.push_back(slot);
        if (offer.gang == 0) rest += offer.resources;
    }
    if (ledger_->offers()[slots.front()].gang != 0) return acceptGang(offers, slots, launches, refuse, now);
    const Slot agent = ledger_->offers()[slots.front()].agent;
    const Slot client = ledger_->offers()[slots.front()].client;
    const Slot framework = ledger_->clients()[client].framework;
    absl::flat_hash_set<std::string_view> launched;
    for (const Launch& launch : launches) {
        const std::string& task = launch.task.task.value();
        if (launch.task.framework != ledger_->frameworks()[framework].id) {
            return invalid("task ", task, " is of framework ", launch.task.framework.value(), ", the offers are of ",
                           ledger_->frameworks()[framework].id.value());
        }
        if (!launched.insert(task).second) return invalid("task ", task, " is launched twice");
        if (ledger_->findTask(launch.task) != kNoSlot) {
            return absl::AlreadyExistsError(concat("task ", task, " holds resources already"));
        }
        const std::string shortfall = rest.shortfall(launch.resources);
        if (!rest.subtract(launch.resources).ok())
            return invalid("task ", task, " does not fit in what is offered: ", shortfall);
    }

    // Nothing can fail from here on.
    struct Served {
        Slot request;
        std::uint32_t pieces;
    };
    std::vector<Served> served;
    for (Slot slot : slots) {
        const Ledger::Offer& offer = ledger_->offers()[slot];
        served.push_back({offer.request, offer.count});
    }
    ledger_->launch(slots, launches);
    if (rest.empty()) {
        eligibility_->freeShrank(agent);
    } else {
        eligibility_->freeGrew(agent);
    }
    const Time until = refusedUntil(refuse, now);
    auto remaining = static_cast<std::size_t>(
        std::count_if(launches.begin(), launches.end(), [](const Launch& launch) { return launch.piece; }));
    for (const auto& [request, pieces] : served) {
        eligibility_->offerEnded(framework, request, pieces);
        if (request == kNoSlot) continue;
        const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(pieces, remaining));
        remaining -= taken;
        if (taken > 0) eligibility_->launched(request, taken);
        const bool remainder = pieces == 0;
        if (!rest.empty() && (remainder || taken < pieces)) eligibility_->refuse(request, agent, rest, until);
    }
    return absl::OkStatus();
}

absl::Status Allocator::decline(const FrameworkId& framework, absl::Span<const OfferId> offers, Duration refuse,
                                Time now) {
    const auto own = frameworkSlot(framework);
    if (!own.ok()) return own.status();
    std::set<Slot> slots;
    for (const OfferId& id : offers) {
        const Slot slot = offerSlot(id);
        if (slot == kNoSlot) continue;
        if (ledger_->clients()[ledger_->offers()[slot].client].framework != *own) {
            return absl::PermissionDeniedError(concat("offer ", id.value(), " was made to another framework"));
        }
        const std::vector<Slot> gang = ledger_->gangOf(slot);
        slots.insert(gang.begin(), gang.end());
    }
    // Several offers of one agent are refused as one, so that their sum isn't taken for something new.
    std::map<std::pair<Slot, Slot>, Resources> refused; // agent and request
    for (Slot slot : slots) {
        const Ledger::Offer& offer = ledger_->offers()[slot];
        if (offer.request != kNoSlot) refused[{offer.agent, offer.request}] += offer.resources;
    }
    endOffers(std::vector<Slot>(slots.begin(), slots.end()));
    const Time until = refusedUntil(refuse, now);
    for (const auto& [pair, resources] : refused) eligibility_->refuse(pair.second, pair.first, resources, until);
    return absl::OkStatus();
}

absl::Status Allocator::rescind(const OfferId& offer) {
    const Slot slot = offerSlot(offer);
    if (slot == kNoSlot) return absl::NotFoundError(concat("offer ", offer.value(), " does not stand any more"));
    endOffers(ledger_->gangOf(slot));
    return absl::OkStatus();
}

absl::Status Allocator::taskEnded(const TaskKey& task) {
    const Slot slot = ledger_->findTask(task);
    if (slot == kNoSlot) return absl::NotFoundError(concat("task ", task.task.value(), " holds nothing"));
    const Slot agent = ledger_->tasks()[slot].agent;
    ledger_->endTask(slot);
    eligibility_->freeGrew(agent);
    return absl::OkStatus();
}

absl::Status Allocator::adoptTask(const AgentId& agent_id, const Launch& task, const std::string& role) {
    const auto agent = agentSlot(agent_id);
    if (!agent.ok()) return agent.status();
    const Slot framework = ledger_->findFramework(task.task.framework);
    if (framework == kNoSlot) {
        return absl::NotFoundError(
            concat("framework ", task.task.framework.value(), " of task ", task.task.task.value(), " is not known"));
    }
    const Slot known = ledger_->findTask(task.task);
    if (known != kNoSlot && ledger_->tasks()[known].agent == *agent &&
        ledger_->tasks()[known].resources == task.resources) {
        return absl::OkStatus();
    }
    if (known != kNoSlot) {
        const Slot before = ledger_->tasks()[known].agent;
        if (absl::Status moved = ledger_->moveTask(known, *agent, task.resources); !moved.ok()) return moved;
        eligibility_->freeGrew(before);
        eligibility_->freeGrew(*agent);
        return absl::OkStatus();
    }
    const std::vector<Slot>& clients = ledger_->frameworks()[framework].clients;
    Slot client = role.empty() ? clients.front() : ledger_->findClient(framework, role);
    const bool stranger = client == kNoSlot;
    if (stranger) {
        client = ledger_->subscribe(framework, role);
        eligibility_->clientRemoved(client);
    }
    absl::Status adopted = ledger_->holdTask(*agent, client, task.task, task.resources);
    if (stranger) ledger_->unsubscribe(client);
    if (adopted.ok()) eligibility_->freeShrank(*agent);
    return adopted;
}

} // namespace stoa::allocator
