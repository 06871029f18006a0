#include "allocator/ledger.h"

#include "allocator/allocator.h"
#include "allocator/clamped.h"

#include "protocol/strings.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace stoa::allocator {

// ---- Agents ----------------------------------------------------------------------------------------------------

absl::StatusOr<Slot> Ledger::addAgent(const AgentId& id, const Resources& total, const Attributes& attributes) {
    if (agent_slots_.contains(id)) return absl::AlreadyExistsError(concat("agent ", id.value(), " is known already"));
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (total_[i] + total.scalars()[i] > kMostAtAll) {
            return absl::ResourceExhaustedError(
                concat("agent ", id.value(), " has ", total.toString(), ", more than a cluster can add up"));
        }
    }
    const Slot slot = agents_.add(Agent{id, attributes, total, total, {}, {}, 0, false});
    agent_slots_.emplace(id, slot);
    agent_figures_.resize(agents_.end());
    mirrorFree(slot);
    mirrorTotal(slot);
    return slot;
}

absl::Status Ledger::updateAgent(Slot slot, const Resources& total, const Attributes& attributes) {
    Agent& agent = agents_[slot];
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (total_[i] - agent.total.scalars()[i] + total.scalars()[i] > kMostAtAll) {
            return absl::ResourceExhaustedError(
                concat("agent ", agent.id.value(), " has ", total.toString(), ", more than a cluster can add up"));
        }
    }
    agent.attributes = attributes;
    agent.total = total;
    mirrorTotal(slot);
    recount(slot);
    return absl::OkStatus();
}

void Ledger::removeAgent(Slot slot) {
    assert(agents_[slot].offers.first() == kNoSlot);
    while (agents_[slot].tasks.first() != kNoSlot) endTask(agents_[slot].tasks.first());
    agents_[slot].total = Resources();
    agents_[slot].free = Resources();
    mirrorFree(slot);
    mirrorTotal(slot);
    agent_slots_.erase(agents_[slot].id);
    agents_.remove(slot);
}

// ---- Frameworks, clients, roles --------------------------------------------------------------------------------

Slot Ledger::addFramework(const FrameworkId& id) {
    if (const Slot known = findFramework(id); known != kNoSlot) {
        frameworks_[known].present = true;
        return known;
    }
    Framework framework;
    framework.id = id;
    const Slot slot = frameworks_.add(std::move(framework));
    framework_slots_.emplace(id, slot);
    return slot;
}

void Ledger::removeFramework(Slot slot) {
    frameworks_[slot].present = false;
    const std::vector<Slot> clients = frameworks_[slot].clients;
    for (Slot client : clients) clients_[client].subscribed = false;
    for (Slot client : clients) dropClientIfUnused(client);
    dropFrameworkIfUnused(slot);
}

Slot Ledger::findClient(Slot framework, const std::string& role) const {
    for (Slot client : frameworks_[framework].clients) {
        if (roles_[clients_[client].role].name == role) return client;
    }
    return kNoSlot;
}

Slot Ledger::subscribe(Slot framework, const std::string& name) {
    if (const Slot known = findClient(framework, name); known != kNoSlot) {
        clients_[known].subscribed = true;
        return known;
    }
    const Slot in_role = role(name);
    ++roles_[in_role].clients;
    const Slot client = clients_.add(Client{framework, in_role, true});
    client_figures_.resize(clients_.end());
    client_figures_[client] = {{}, framework, in_role, 0, 0};
    frameworks_[framework].clients.push_back(client);
    return client;
}

void Ledger::unsubscribe(Slot client) {
    clients_[client].subscribed = false;
    dropClientIfUnused(client);
}

void Ledger::orderClients(Slot framework, const std::vector<Slot>& first) {
    std::vector<Slot> ordered = first;
    for (Slot client : frameworks_[framework].clients) {
        if (std::find(first.begin(), first.end(), client) == first.end()) ordered.push_back(client);
    }
    frameworks_[framework].clients = std::move(ordered);
}

Slot Ledger::role(const std::string& name) {
    if (const auto known = role_slots_.find(name); known != role_slots_.end()) return known->second;
    const Slot slot = roles_.add(Role{name, 0});
    role_slots_.emplace(name, slot);
    role_figures_.resize(roles_.end());
    role_figures_[slot] = {{}, 1000};
    return slot;
}

void Ledger::setWeight(const std::string& name, Milli weight) {
    const Slot slot = role(name);
    role_figures_[slot].weight = weight.count;
    dropRoleIfUnused(slot);
}

void Ledger::dropRoleIfUnused(Slot slot) {
    if (roles_[slot].clients > 0 || role_figures_[slot].weight != 1000) return;
    role_slots_.erase(roles_[slot].name);
    roles_.remove(slot);
}

void Ledger::dropClientIfUnused(Slot slot) {
    const Client client = clients_[slot];
    const stoa_allocator_client_v1& figures = client_figures_[slot];
    if (client.subscribed || figures.units > 0 || figures.tasks > 0) return;
    std::erase(frameworks_[client.framework].clients, slot);
    client_figures_[slot] = {};
    clients_.remove(slot);
    --roles_[client.role].clients;
    dropRoleIfUnused(client.role);
}

void Ledger::dropFrameworkIfUnused(Slot slot) {
    const Framework& framework = frameworks_[slot];
    if (framework.present || !framework.clients.empty()) return;
    framework_slots_.erase(framework.id);
    frameworks_.remove(slot);
}

// ---- Offers ----------------------------------------------------------------------------------------------------

Slot Ledger::offer(Slot agent, Slot client, Slot request, std::uint32_t count, std::uint64_t turn,
                   Resources resources) {
    take(agent, resources);
    charge(client, resources, +1);
    const Slot slot =
        offers_.add(Offer{++offers_made_, agent, client, request, count, turn, 0, std::move(resources), {}, {}, {}});
    offer_slots_.emplace(offers_made_, slot);
    Framework& framework = frameworks_[clients_[client].framework];
    agents_[agent].offers.push(offers_, slot);
    agents_[agent].offered_in = turn;
    framework.offers.push(offers_, slot);
    ++framework.open_offers;
    client_figures_[client].units += std::max(count, 1U);
    return slot;
}

void Ledger::grow(Slot slot, std::uint32_t count, const Resources& more) {
    Offer& offer = offers_[slot];
    take(offer.agent, more);
    charge(offer.client, more, +1);
    offer.resources += more;
    offer.count += count;
    client_figures_[offer.client].units += count;
}

void Ledger::closeOffer(Slot slot) {
    const Slot agent = offers_[slot].agent;
    const Slot client = offers_[slot].client;
    Framework& framework = frameworks_[clients_[client].framework];
    agents_[agent].offers.erase(offers_, slot);
    framework.offers.erase(offers_, slot);
    --framework.open_offers;
    client_figures_[client].units -= std::max(offers_[slot].count, 1U);
    offer_slots_.erase(offers_[slot].number);
    if (const std::uint64_t gang = offers_[slot].gang; gang != 0) {
        auto& list = gangs_.at(gang);
        list.erase(offers_, slot);
        if (list.first() == kNoSlot) gangs_.erase(gang);
    }
    const Resources resources = std::move(offers_[slot].resources);
    offers_.remove(slot);
    charge(client, resources, -1);
    giveBack(agent, resources);
}

void Ledger::endOffer(Slot slot) {
    const Slot client = offers_[slot].client;
    const Slot framework = clients_[client].framework;
    closeOffer(slot);
    dropClientIfUnused(client);
    dropFrameworkIfUnused(framework);
}

void Ledger::makeGang(absl::Span<const Slot> offers) {
    const std::uint64_t gang = offers_[offers.front()].number;
    auto& list = gangs_[gang];
    for (Slot offer : offers) {
        offers_[offer].gang = gang;
        list.push(offers_, offer);
    }
}

void Ledger::launch(absl::Span<const Slot> offers, absl::Span<const Launch> launches) {
    const Slot agent = offers_[offers.front()].agent;
    const Slot client = offers_[offers.front()].client;
    for (Slot offer : offers) closeOffer(offer);
    for (const Launch& launch : launches) {
        // Within the sums that the offers were in.
        [[maybe_unused]] const absl::Status held = holdTask(agent, client, launch.task, launch.resources);
        assert(held.ok());
    }
    dropClientIfUnused(client);
}

// ---- Tasks -----------------------------------------------------------------------------------------------------

absl::Status Ledger::checkSums(Slot client, const TaskKey& key, const Resources& resources) const {
    const stoa_allocator_role_v1& role = role_figures_[clients_[client].role];
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (role.held[i] + resources.scalars()[i] > kMostAtAll) {
            return absl::ResourceExhaustedError(
                concat("task ", key.task.value(), " holds ", resources.toString(), ", more than a cluster can add up"));
        }
    }
    return absl::OkStatus();
}

void Ledger::holdAsTask(Slot agent, Slot slot) {
    Task& task = tasks_[slot];
    const bool fits = !agents_[agent].overcommitted && agents_[agent].free.contains(task.resources);
    if (fits) take(agent, task.resources);
    task.agent = agent;
    agents_[agent].tasks.push(tasks_, slot);
    charge(task.client, task.resources, +1);
    if (!fits) recount(agent);
}

absl::Status Ledger::holdTask(Slot agent, Slot client, const TaskKey& key, const Resources& resources) {
    if (absl::Status sums = checkSums(client, key, resources); !sums.ok()) return sums;
    const Slot slot = tasks_.add(Task{key, agent, client, resources, {}});
    task_slots_.insert(slot);
    ++frameworks_[clients_[client].framework].tasks;
    ++client_figures_[client].tasks;
    holdAsTask(agent, slot);
    return absl::OkStatus();
}

absl::Status Ledger::moveTask(Slot slot, Slot agent, const Resources& resources) {
    Task& task = tasks_[slot];
    if (absl::Status sums = checkSums(task.client, task.key, resources); !sums.ok()) return sums;
    const Slot before = task.agent;
    const Resources held = std::exchange(task.resources, resources);
    agents_[before].tasks.erase(tasks_, slot);
    charge(task.client, held, -1);
    giveBack(before, held);
    holdAsTask(agent, slot);
    return absl::OkStatus();
}

void Ledger::endTask(Slot slot) {
    const Slot agent = tasks_[slot].agent;
    const Slot client = tasks_[slot].client;
    const Slot framework = clients_[client].framework;
    agents_[agent].tasks.erase(tasks_, slot);
    task_slots_.erase(tasks_[slot].key);
    const Resources resources = std::move(tasks_[slot].resources);
    tasks_.remove(slot);
    --frameworks_[framework].tasks;
    --client_figures_[client].tasks;
    charge(client, resources, -1);
    giveBack(agent, resources);
    dropClientIfUnused(client);
    dropFrameworkIfUnused(framework);
}

Slot Ledger::findTask(const TaskKey& key) const {
    const auto at = task_slots_.find(key);
    return at == task_slots_.end() ? kNoSlot : *at;
}

// ---- Sums ------------------------------------------------------------------------------------------------------

void Ledger::take(Slot slot, const Resources& resources) {
    [[maybe_unused]] const absl::Status taken = agents_[slot].free.subtract(resources);
    assert(taken.ok());
    mirrorFree(slot);
}

void Ledger::giveBack(Slot slot, const Resources& resources) {
    if (agents_[slot].overcommitted) {
        recount(slot); // what came back may not be free, but owed
    } else {
        agents_[slot].free += resources;
        mirrorFree(slot);
    }
}

void Ledger::charge(Slot client, const Resources& resources, int sign) {
    stoa_allocator_client_v1& figures = client_figures_[client];
    stoa_allocator_role_v1& role = role_figures_[figures.role];
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        figures.held[i] += sign * resources.scalars()[i];
        role.held[i] += sign * resources.scalars()[i];
    }
}

void Ledger::recount(Slot slot) {
    Agent& agent = agents_[slot];
    Resources left = agent.total;
    bool over = false;
    for (Slot offer : offersOn(slot)) over |= !subtractClamped(left, offers_[offer].resources);
    for (Slot task = agent.tasks.first(); task != kNoSlot; task = agent.tasks.after(tasks_, task)) {
        over |= !subtractClamped(left, tasks_[task].resources);
    }
    agent.free = std::move(left);
    agent.overcommitted = over;
    mirrorFree(slot);
}

void Ledger::mirrorFree(Slot slot) {
    const Resources::Scalars& free = agents_[slot].free.scalars();
    std::copy(free.begin(), free.end(), agent_figures_[slot].free);
}

void Ledger::mirrorTotal(Slot slot) {
    const Resources::Scalars& total = agents_[slot].total.scalars();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        total_[i] += total[i] - agent_figures_[slot].total[i];
        agent_figures_[slot].total[i] = total[i];
    }
}

// ---- Looking ---------------------------------------------------------------------------------------------------

stoa_allocator_view_v1 Ledger::view() const {
    stoa_allocator_view_v1 view{};
    view.size = sizeof(view);
    view.client_stride = sizeof(stoa_allocator_client_v1);
    view.role_stride = sizeof(stoa_allocator_role_v1);
    view.agent_stride = sizeof(stoa_allocator_agent_v1);
    view.clients = client_figures_.data();
    view.roles = role_figures_.data();
    view.agents = agent_figures_.data();
    view.client_count = static_cast<std::uint32_t>(client_figures_.size());
    view.role_count = static_cast<std::uint32_t>(role_figures_.size());
    view.agent_count = static_cast<std::uint32_t>(agent_figures_.size());
    std::copy(std::begin(total_), std::end(total_), view.total);
    return view;
}

std::vector<Slot> Ledger::offersOn(Slot agent) const {
    std::vector<Slot> slots;
    const auto& list = agents_[agent].offers;
    for (Slot offer = list.first(); offer != kNoSlot; offer = list.after(offers_, offer)) slots.push_back(offer);
    return slots;
}

std::vector<Slot> Ledger::offersOf(Slot framework) const {
    std::vector<Slot> slots;
    const auto& list = frameworks_[framework].offers;
    for (Slot offer = list.first(); offer != kNoSlot; offer = list.after(offers_, offer)) slots.push_back(offer);
    return slots;
}

std::vector<Slot> Ledger::gangOf(Slot of) const {
    if (offers_[of].gang == 0) return {of};
    std::vector<Slot> slots;
    const auto& list = gangs_.at(offers_[of].gang);
    for (Slot offer = list.first(); offer != kNoSlot; offer = list.after(offers_, offer)) slots.push_back(offer);
    return slots;
}

// ---- Invariants ------------------------------------------------------------------------------------------------

namespace {

absl::Status broken(std::string_view what, std::string_view who, const Resources& found, const Resources& expected) {
    return absl::InternalError(
        concat(what, " of ", who, " is ", found.toString(), ", but adds up to ", expected.toString()));
}

Resources bundle(const std::int64_t (&scalars)[Resources::kScalars]) {
    return Resources(Resources::Scalars{scalars[0], scalars[1], scalars[2], scalars[3]});
}

} // namespace

absl::Status Ledger::check() const {
    absl::Status found = absl::OkStatus();
    const auto expect = [&](bool holds, const auto& message) {
        if (!holds && found.ok()) found = message();
    };
    std::vector<Resources> client_sums(clients_.end());
    std::vector<std::uint32_t> client_units(clients_.end());
    std::vector<std::uint32_t> client_tasks(clients_.end());
    std::size_t offers = 0;
    std::size_t tasks = 0;
    std::size_t gangs = 0; // by their first offers, which stand as long as the gang does
    Resources total;
    agents_.forEach([&](Slot slot, const Agent& agent) {
        Resources left = agent.total;
        bool over = false;
        const auto hold = [&](const Resources& resources, Slot client) {
            over |= !subtractClamped(left, resources);
            client_sums[client] += Resources(resources.scalars());
        };
        for (Slot s : offersOn(slot)) {
            const Offer& offer = offers_[s];
            ++offers;
            client_units[offer.client] += std::max(offer.count, 1U);
            hold(offer.resources, offer.client);
            expect(offer.agent == slot && findOffer(offer.number) == s, [&] {
                return absl::InternalError(concat("offer ", offer.number, " is in the wrong list or index"));
            });
            const std::vector<Slot> gang = gangOf(s);
            expect(std::find(gang.begin(), gang.end(), s) != gang.end() && offers_[gang.front()].client == offer.client,
                   [&] { return absl::InternalError(concat("offer ", offer.number, " is in the wrong gang")); });
            gangs += offer.gang != 0 && offer.gang == offer.number ? 1 : 0;
        }
        for (Slot s = agent.tasks.first(); s != kNoSlot; s = agent.tasks.after(tasks_, s)) {
            const Task& task = tasks_[s];
            ++tasks;
            ++client_tasks[task.client];
            hold(task.resources, task.client);
            expect(task.agent == slot && findTask(task.key) == s, [&] {
                return absl::InternalError(concat("task ", task.key.task.value(), " is in the wrong list or index"));
            });
        }
        expect(left == agent.free, [&] { return broken("free", agent.id.value(), agent.free, left); });
        expect(over == agent.overcommitted, [&] {
            return absl::InternalError(concat("agent ", agent.id.value(), " is wrong about being overcommitted"));
        });
        expect(bundle(agent_figures_[slot].free) == Resources(agent.free.scalars()) &&
                   bundle(agent_figures_[slot].total) == Resources(agent.total.scalars()) &&
                   findAgent(agent.id) == slot,
               [&] { return absl::InternalError(concat("agent ", agent.id.value(), " is mirrored wrongly")); });
        total += Resources(agent.total.scalars());
    });
    expect(bundle(total_) == total, [&] { return broken("total", "the cluster", bundle(total_), total); });
    expect(offers == offers_.count() && offers == offer_slots_.size() && tasks == tasks_.count() &&
               tasks == task_slots_.size() && agents_.count() == agent_slots_.size() && gangs == gangs_.size(),
           [] { return absl::InternalError("an agent, offer or task is in no list, or in two"); });

    std::vector<Resources> role_sums(roles_.end());
    std::vector<std::uint32_t> role_clients(roles_.end());
    std::size_t clients = 0;
    frameworks_.forEach([&](Slot slot, const Framework& framework) {
        std::uint32_t held_tasks = 0;
        for (Slot c : framework.clients) {
            const Client& client = clients_[c];
            const stoa_allocator_client_v1& figures = client_figures_[c];
            ++clients;
            ++role_clients[client.role];
            held_tasks += figures.tasks;
            role_sums[client.role] += client_sums[c];
            expect(bundle(figures.held) == client_sums[c],
                   [&] { return broken("held", framework.id.value(), bundle(figures.held), client_sums[c]); });
            expect(
                figures.units == client_units[c] && figures.tasks == client_tasks[c] && figures.role == client.role &&
                    figures.framework == slot && client.framework == slot,
                [&] { return absl::InternalError(concat("framework ", framework.id.value(), " is counted wrongly")); });
        }
        expect(held_tasks == framework.tasks && offersOf(slot).size() == framework.open_offers &&
                   findFramework(framework.id) == slot && (framework.present || !framework.clients.empty()),
               [&] { return absl::InternalError(concat("framework ", framework.id.value(), " is counted wrongly")); });
    });
    expect(clients == clients_.count() && frameworks_.count() == framework_slots_.size(),
           [] { return absl::InternalError("a client is in no framework, or in two"); });
    roles_.forEach([&](Slot slot, const Role& role) {
        expect(bundle(role_figures_[slot].held) == role_sums[slot],
               [&] { return broken("held", role.name, bundle(role_figures_[slot].held), role_sums[slot]); });
        expect(role.clients == role_clients[slot] && role_figures_[slot].weight >= 1,
               [&] { return absl::InternalError(concat("role ", role.name, " is counted wrongly")); });
    });
    return found;
}

} // namespace stoa::allocator
