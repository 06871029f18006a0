#include "allocator/allocator.h"

#include "allocator/built_in.h"
#include "allocator/eligibility.h"
#include "allocator/ledger.h"
#include "allocator/module_runner.h"
#include "protocol/strings.h"

#include <absl/container/flat_hash_set.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <set>
#include <utility>

namespace stoa::allocator {

const stoa_allocator_module_v1* builtInModule(std::string_view name) {
    if (name == "drf") return drfModule();
    if (name == "spread") return spreadModule();
    return nullptr;
}

std::vector<std::string_view> builtInModules() { return {"drf", "spread"}; }

absl::StatusOr<Allocator> Allocator::create(Options options) {
    if (options.module == nullptr) options.module = drfModule();
    auto module = ModuleRunner::create(options.module, options.parameters, kMostNotes, options.shuffle_spans);
    if (!module.ok()) return module.status();
    return Allocator(std::move(options), *std::move(module));
}

Allocator::Allocator(Options options, std::unique_ptr<ModuleRunner> module)
    : options_(std::move(options)), ledger_(std::make_unique<Ledger>()),
      eligibility_(std::make_unique<Eligibility>(
          *ledger_, Eligibility::Limits{options_.least_cpus,
                                        options_.least_mem,
                                        options_.most_offers,
                                        {options_.gang_patience, options_.gang_clearing}})),
      module_(std::move(module)) {}

Allocator::~Allocator() = default;
Allocator::Allocator(Allocator&&) noexcept = default;
Allocator& Allocator::operator=(Allocator&&) noexcept = default;

// ---- Names -----------------------------------------------------------------------------------------------------

Slot Allocator::offerSlot(const OfferId& offer) const {
    const std::string_view name = offer.value();
    if (!name.starts_with(options_.offer_prefix)) return kNoSlot;
    const std::string_view digits = name.substr(options_.offer_prefix.size());
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.starts_with('0')) return kNoSlot;
    return ledger_->findOffer(number);
}

OfferId Allocator::nameOf(std::uint64_t offer) const { return OfferId(concat(options_.offer_prefix, offer)); }

std::vector<OfferId> Allocator::namesOf(absl::Span<const Slot> offers) const {
    std::vector<OfferId> names;
    names.reserve(offers.size());
    for (Slot offer : offers) names.push_back(nameOf(ledger_->offers()[offer].number));
    return names;
}

absl::StatusOr<Slot> Allocator::agentSlot(const AgentId& agent) const {
    const Slot slot = ledger_->findAgent(agent);
    if (slot == kNoSlot) return absl::NotFoundError(concat("agent ", agent.value(), " is not known"));
    return slot;
}

absl::StatusOr<Slot> Allocator::frameworkSlot(const FrameworkId& framework) const {
    const Slot slot = ledger_->findFramework(framework);
    if (slot == kNoSlot || !ledger_->frameworks()[slot].present) {
        return absl::NotFoundError(concat("framework ", framework.value(), " is not known"));
    }
    return slot;
}

absl::StatusOr<std::vector<Slot>> Allocator::clientsOf(const FrameworkId& framework,
                                                       absl::Span<const std::string> roles) const {
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    std::vector<Slot> clients;
    if (roles.empty()) {
        for (Slot client : ledger_->frameworks()[*slot].clients) {
            if (ledger_->clients()[client].subscribed) clients.push_back(client);
        }
        return clients;
    }
    for (const std::string& role : roles) {
        const Slot client = ledger_->findClient(*slot, role);
        if (client == kNoSlot || !ledger_->clients()[client].subscribed) {
            return invalid("framework ", framework.value(), " is not subscribed to role \"", role, "\"");
        }
        clients.push_back(client);
    }
    return clients;
}

// ---- Agents ----------------------------------------------------------------------------------------------------

absl::Status Allocator::addAgent(const AgentId& agent, const Resources& total, const Attributes& attributes) {
    const auto slot = ledger_->addAgent(agent, total, attributes);
    if (!slot.ok()) return slot.status();
    eligibility_->agentAdded(*slot);
    return absl::OkStatus();
}

absl::Status Allocator::updateAgent(const AgentId& agent, const Resources& total, const Attributes& attributes) {
    const auto slot = agentSlot(agent);
    if (!slot.ok()) return slot.status();
    if (absl::Status updated = ledger_->updateAgent(*slot, total, attributes); !updated.ok()) return updated;
    eligibility_->agentChanged(*slot);
    return absl::OkStatus();
}

absl::Status Allocator::setOfferable(const AgentId& agent, bool offerable) {
    const auto slot = agentSlot(agent);
    if (!slot.ok()) return slot.status();
    eligibility_->setOfferable(*slot, offerable);
    return absl::OkStatus();
}

absl::StatusOr<std::vector<OfferId>> Allocator::removeAgent(const AgentId& agent) {
    const auto slot = agentSlot(agent);
    if (!slot.ok()) return slot.status();
    const std::vector<Slot> offers = wholeGangs(ledger_->offersOn(*slot));
    std::vector<OfferId> names = namesOf(offers);
    endOffers(offers);
    eligibility_->agentRemoved(*slot);
    ledger_->removeAgent(*slot);
    return names;
}

// ---- Frameworks ------------------------------------------------------------------------------------------------

namespace {

absl::Status checkRoles(const FrameworkId& framework, const std::vector<std::string>& roles) {
    if (roles.empty()) return invalid("framework ", framework.value(), " has no role; \"*\" is the default one");
    if (std::set<std::string_view>(roles.begin(), roles.end()).size() != roles.size()) {
        return invalid("framework ", framework.value(), " names a role twice");
    }
    return absl::OkStatus();
}

} // namespace

absl::Status Allocator::addFramework(const FrameworkId& framework, const std::vector<std::string>& roles) {
    if (absl::Status form = checkRoles(framework, roles); !form.ok()) return form;
    if (frameworkSlot(framework).ok()) {
        return absl::AlreadyExistsError(concat("framework ", framework.value(), " is known already"));
    }
    const Slot slot = ledger_->addFramework(framework);
    std::vector<Slot> clients;
    clients.reserve(roles.size());
    for (const std::string& role : roles) clients.push_back(ledger_->subscribe(slot, role));
    ledger_->orderClients(slot, clients);
    eligibility_->frameworkAdded(slot);
    return absl::OkStatus();
}

absl::Status Allocator::updateRoles(const FrameworkId& framework, const std::vector<std::string>& roles) {
    if (absl::Status form = checkRoles(framework, roles); !form.ok()) return form;
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    const std::vector<Slot> before = *clientsOf(framework, {});
    std::vector<Slot> clients;
    for (const std::string& role : roles) {
        const Slot client = ledger_->subscribe(*slot, role);
        clients.push_back(client);
        if (std::find(before.begin(), before.end(), client) == before.end()) eligibility_->clientAdded(client);
    }
    ledger_->orderClients(*slot, clients);
    for (Slot client : before) {
        if (std::find(clients.begin(), clients.end(), client) == clients.end()) leaveRole(*slot, client);
    }
    return absl::OkStatus();
}

void Allocator::leaveRole(Slot framework, Slot client) {
    eligibility_->clientRemoved(client);
    for (Slot offer : ledger_->offersOf(framework)) {
        if (ledger_->offers()[offer].client == client) ledger_->forgetRequest(offer);
    }
    ledger_->unsubscribe(client);
}

absl::Status Allocator::setActive(const FrameworkId& framework, bool active) {
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    eligibility_->setActive(*slot, active);
    return absl::OkStatus();
}

absl::StatusOr<std::vector<OfferId>> Allocator::removeFramework(const FrameworkId& framework) {
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    const std::vector<Slot> offers = ledger_->offersOf(*slot);
    std::vector<OfferId> names = namesOf(offers);
    endOffers(offers);
    eligibility_->frameworkRemoved(*slot);
    ledger_->removeFramework(*slot);
    return names;
}

absl::Status Allocator::setWeight(const std::string& role, Milli weight) {
    constexpr Milli kMostWeight{1'000'000'000};
    if (weight < Milli{1} || weight > kMostWeight) {
        return invalid("the weight of role \"", role, "\" is ", weight.count,
                       "/1000; it must be between 0.001 and 1000000");
    }
    ledger_->setWeight(role, weight);
    return absl::OkStatus();
}

absl::Status Allocator::suppress(const FrameworkId& framework, absl::Span<const std::string> roles) {
    const auto clients = clientsOf(framework, roles);
    if (!clients.ok()) return clients.status();
    for (Slot client : *clients) eligibility_->suppress(client, true);
    return absl::OkStatus();
}

absl::Status Allocator::revive(const FrameworkId& framework, absl::Span<const std::string> roles) {
    const auto clients = clientsOf(framework, roles);
    if (!clients.ok()) return clients.status();
    for (Slot client : *clients) eligibility_->revive(client);
    return absl::OkStatus();
}

absl::Status Allocator::setDemands(const FrameworkId& framework, const std::vector<Demand>& demands) {
    const auto slot = frameworkSlot(framework);
    if (!slot.ok()) return slot.status();
    std::vector<Demand> wanted;
    std::vector<Slot> clients;
    std::set<std::string_view> names;
    for (const Demand& demand : demands) {
        if (!names.insert(demand.name).second) return invalid("demand \"", demand.name, "\" is named twice");
        if (demand.count == 0) continue;
        if (demand.shape.empty()) return invalid("demand \"", demand.name, "\" has an empty shape");
        const auto client = clientsOf(framework, {demand.role});
        if (!client.ok()) return client.status();
        wanted.push_back(demand);
        clients.push_back(client->front());
    }
    const std::vector<Slot> gone = eligibility_->setDemands(*slot, wanted, clients);
    if (gone.empty()) return absl::OkStatus();
    const absl::flat_hash_set<Slot> gone_set(gone.begin(), gone.end());
    for (Slot offer : ledger_->offersOf(*slot)) {
        if (gone_set.contains(ledger_->offers()[offer].request)) ledger_->forgetRequest(offer);
    }
    return absl::OkStatus();
}

std::vector<Demand> Allocator::demands(const FrameworkId& framework) const {
    std::vector<std::pair<std::uint32_t, Demand>> found;
    const auto clients = clientsOf(framework, {});
    if (!clients.ok()) return {};
    for (Slot client : *clients) {
        for (Slot slot : eligibility_->requestsOf(client)) {
            const Eligibility::Request& request = eligibility_->requests()[slot];
            if (request.remainder) continue;
            const std::string& role = ledger_->roles()[ledger_->clients()[client].role].name;
            found.emplace_back(request.order, Demand{request.demand, role, request.shape, request.count,
                                                     request.constraints, request.gang});
        }
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<Demand> demands;
    demands.reserve(found.size());
    for (auto& [order, demand] : found) demands.push_back(std::move(demand));
    return demands;
}

// ---- Looking ---------------------------------------------------------------------------------------------------

bool Allocator::pending() const { return eligibility_->pending(); }
std::optional<Time> Allocator::nextDeadline() const { return eligibility_->nextDeadline(); }
bool Allocator::stands(const OfferId& offer) const { return offerSlot(offer) != kNoSlot; }
bool Allocator::holds(const TaskKey& task) const { return ledger_->findTask(task) != kNoSlot; }
std::vector<std::string> Allocator::takeNotes() { return module_->takeNotes(); }

namespace {

Resources scalars(const std::int64_t (&amounts)[Resources::kScalars]) {
    return Resources(Resources::Scalars{amounts[0], amounts[1], amounts[2], amounts[3]});
}

} // namespace

Resources Allocator::total() const { return scalars(ledger_->total()); }

std::optional<AgentHoldings> Allocator::agent(const AgentId& id) const {
    const Slot slot = ledger_->findAgent(id);
    if (slot == kNoSlot) return std::nullopt;
    const Ledger::Agent& agent = ledger_->agents()[slot];
    AgentHoldings holdings;
    holdings.total = agent.total;
    holdings.free = agent.free;
    const std::vector<Slot> offers = ledger_->offersOn(slot);
    for (Slot offer : offers) holdings.offered += ledger_->offers()[offer].resources;
    for (Slot task = agent.tasks.first(); task != kNoSlot; task = agent.tasks.after(ledger_->tasks(), task)) {
        holdings.used += ledger_->tasks()[task].resources;
    }
    holdings.offers = namesOf(offers);
    holdings.offerable = eligibility_->offerable(slot);
    holdings.overcommitted = agent.overcommitted;
    return holdings;
}

std::optional<FrameworkHoldings> Allocator::framework(const FrameworkId& id) const {
    const Slot slot = ledger_->findFramework(id);
    if (slot == kNoSlot) return std::nullopt;
    const Ledger::Framework& framework = ledger_->frameworks()[slot];
    FrameworkHoldings holdings;
    const std::vector<Slot> offers = ledger_->offersOf(slot);
    for (Slot offer : offers) holdings.offered += Resources(ledger_->offers()[offer].resources.scalars());
    Resources held;
    for (Slot client : framework.clients) held += scalars(ledger_->clientFigures(client).held);
    holdings.used = held;
    [[maybe_unused]] const absl::Status within = holdings.used.subtract(holdings.offered);
    assert(within.ok());
    holdings.offers = namesOf(offers);
    holdings.tasks = framework.tasks;
    holdings.active = framework.present && eligibility_->active(slot);
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const Milli of{ledger_->total()[i]};
        const Milli mine{held.scalars()[i]};
        using Wide = __int128;
        if (of.count > 0 && (holdings.dominant_total.count == 0 || Wide{mine.count} * holdings.dominant_total.count >
                                                                       Wide{holdings.dominant_held.count} * of.count)) {
            holdings.dominant = static_cast<Resources::Scalar>(i);
            holdings.dominant_held = mine;
            holdings.dominant_total = of;
        }
    }
    return holdings;
}

std::vector<RoleHoldings> Allocator::roles() const {
    std::vector<RoleHoldings> roles;
    for (const auto& [name, slot] : ledger_->rolesByName()) {
        const stoa_allocator_role_v1& figures = ledger_->roleFigures(slot);
        roles.push_back({name, Milli{figures.weight}, scalars(figures.held)});
    }
    return roles;
}

Counters Allocator::counters() const {
    Counters counters = counters_;
    counters.pairs_looked_at = eligibility_->pairsLookedAt();
    counters.refusals = eligibility_->refusals().count();
    counters.refusal_bytes = eligibility_->refusals().bytes();
    return counters;
}

} // namespace stoa::allocator
