// Who is offered what. The master's core owns one Allocator by value and tells it what happens in the cluster:
// agents and frameworks that come, change and go; what frameworks want; offers accepted, declined, rescinded; tasks
// that end. At the end of its turn it calls allocate(), which decides and has already moved what it grants from free
// to offered: one offer a Grant, for the core to send.
//
//     Allocator allocator = *Allocator::create({.offer_prefix = "7-O"});
//     allocator.addAgent(agent, total, attributes);
//     allocator.addFramework(framework, {"*"});
//     for (Grant& grant : allocator.allocate(now, rng)) send(grant);
//     allocator.accept({offer}, {{task_key, resources}}, filters.refuse, now);
//     allocator.taskEnded(task_key);
//
// Inside: the ledger (ledger.h) is the only record of who holds what, and every change is a move in it; eligibility
// (eligibility.h) knows which pairs may be looked at; a module (module.h) only orders and places. A move that fails
// returns a Status that names what is wrong and has changed nothing. Whatever a module does, no move breaks a rule.
//
// Frameworks with demands are offered k × shape of a demand on one agent, never more than is still wanted: the
// demand's count less what stands in open offers made for it. Accepting an offer lowers its demand's count by the
// number of tasks launched from it; setDemands() replaces the whole list, so a framework that counts for itself and
// one that doesn't both come out right, whichever order calls and offers cross in. Frameworks without demands are
// offered whole remainders of agents, as in Mesos.
//
// A gang (Demand::gang) is offered in one turn, all of its pieces, or not at all; nothing is kept for it while it waits,
// but after a while room is cleared for it (gangs.h). Its offers are one in all that follows: accepted in one call, and
// when one of them is declined or ends otherwise, all of them end.
//
// Pure: no thread, clock, file or log; time and chance are arguments, and decisions depend on nothing else (not on
// addresses, nor on any hash's order). One thread at a time.
#pragma once

#include "protocol/ids.h"
#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/rng.h"
#include "protocol/units.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct stoa_allocator_module_v1; // module.h

namespace stoa::allocator {

class Eligibility;
class Ledger;
class ModuleRunner;

// "drf" or "spread"; null for any other name.
const stoa_allocator_module_v1* builtInModule(std::string_view name);
std::vector<std::string_view> builtInModules();

struct Options {
    const stoa_allocator_module_v1* module = nullptr; // null: drf; must outlive the allocator
    std::string parameters;                           // the module's own, unread by us
    std::string offer_prefix = "O"; // offers are named prefix + number; with the epoch in it, no name comes twice
    // An agent's remainder is offered when it has at least one of these. A demand is not bound by them.
    Milli least_cpus{10};
    Milli least_mem{32'000};
    // What a framework returned isn't offered to it again sooner than this, even if it refused for no time at all.
    Duration pause = std::chrono::milliseconds(100);
    std::uint32_t most_offers = 0; // that a framework holds at once before it is made another; 0: any number
    // A gang that has waited for this long has room cleared for it (0: never), at first for that long.
    Duration gang_patience = std::chrono::seconds(10);
    Duration gang_clearing = std::chrono::minutes(1);
    // For checking a module: not 0, and it is handed spans in an order drawn from this, which must change nothing.
    std::uint64_t shuffle_spans = 0;
};

// One new offer. Its resources are held by it already.
struct Grant {
    OfferId offer;
    FrameworkId framework;
    std::string role;
    AgentId agent;
    Resources resources;
    std::string demand;      // the Demand's name, empty for a remainder
    std::uint32_t count = 0; // how many of the demand's shape; 0 for a remainder
    OfferId gang;            // the first offer of its gang; empty: of none
};

struct Launch {
    TaskKey task;
    Resources resources;
    AgentId agent{};   // needed where the offers are a gang's
    bool piece = true; // one of those for which a demand was offered; what an executor holds is none
};

struct AgentHoldings {
    Resources total;
    Resources free;
    Resources offered;
    Resources used;              // by tasks
    std::vector<OfferId> offers; // in the order in which they were made
    bool offerable = false;
    bool overcommitted = false; // tasks and offers hold more than there is; free is what is left of each resource
};

struct FrameworkHoldings {
    Resources offered; // cpus, mem, disk and gpus, as `used`
    Resources used;
    std::vector<OfferId> offers; // in the order in which they were made
    std::uint32_t tasks = 0;
    // The largest of its shares of the cluster, as a fraction: held / total.
    Resources::Scalar dominant = Resources::kCpus;
    Milli dominant_held;
    Milli dominant_total;
    bool active = false;
};

struct RoleHoldings {
    std::string role;
    Milli weight{1000};
    Resources held; // offered and used; cpus, mem, disk and gpus
};

// Agents on which nothing new is offered to others, until the gang is placed or the time has come.
struct Clearing {
    FrameworkId framework;
    std::string demand;
    std::vector<AgentId> agents;
    Time until;
};

// Why a demand waits, for people.
struct Explanation {
    struct OfGang {
        std::uint64_t fit_now = 0;  // pieces, all agents together
        std::uint64_t fit_ever = 0; // if all that may be offered were free
        std::optional<Time> waits_since;
        std::uint32_t clearing = 0; // agents on which room is being cleared for it
    };
    struct Reason {
        std::string what; // "needs mem 4096, has 2048"
        std::uint32_t agents = 0;
    };
    std::vector<std::string> framework; // what keeps it from offers altogether: "role \"etl\" is suppressed"
    std::uint32_t agents = 0;
    std::uint32_t fit_now = 0;   // agents that could be offered at once
    std::vector<Reason> reasons; // the commonest first
    std::string nearest;         // the agent that lacks least, and what: "agent a7: needs mem 4096, has 2048"
    std::optional<OfGang> gang;
};

struct Counters {
    std::uint64_t turns = 0;
    std::uint64_t grants = 0;
    std::uint64_t pairs_looked_at = 0; // agents tested for a request, one by one
    std::uint64_t module_faults = 0;   // answers of the module that broke a rule and were ignored
    std::uint64_t refusals = 0;        // standing now
    std::uint64_t refusal_bytes = 0;   // that they take, now
};

class Allocator {
public:
    // Fails when the module refuses its parameters.
    static absl::StatusOr<Allocator> create(Options options);
    ~Allocator();
    Allocator(Allocator&&) noexcept;
    Allocator& operator=(Allocator&&) noexcept;

    // ---- Agents. A new agent is offerable.

    absl::Status addAgent(const AgentId& agent, const Resources& total, const Attributes& attributes);
    // What it has or is changed. Holdings stay; they may now be more than there is.
    absl::Status updateAgent(const AgentId& agent, const Resources& total, const Attributes& attributes);
    // False while it is disconnected, unreachable or drained: nothing more is offered, all that is held stays held.
    absl::Status setOfferable(const AgentId& agent, bool offerable);
    // Its offers end and its tasks hold nothing any more. Returns the offers, with all of their gangs.
    absl::StatusOr<std::vector<OfferId>> removeAgent(const AgentId& agent);

    // ---- Frameworks. A new framework is active, with no role suppressed and no demand.

    // Also for one that was removed and whose tasks still hold.
    absl::Status addFramework(const FrameworkId& framework, const std::vector<std::string>& roles);
    // Holdings under a role that it left stay until they end. Demands of such a role are dropped.
    absl::Status updateRoles(const FrameworkId& framework, const std::vector<std::string>& roles);
    // False while its scheduler is disconnected: nothing is offered. Offers that stand are the caller's to rescind.
    absl::Status setActive(const FrameworkId& framework, bool active);
    // Its offers end (and are returned); its tasks hold until they end.
    absl::StatusOr<std::vector<OfferId>> removeFramework(const FrameworkId& framework);

    absl::Status setWeight(const std::string& role, Milli weight); // 1000 by default; at least 1
    // No roles: all of the framework's. revive() also forgets what was refused.
    absl::Status suppress(const FrameworkId& framework, absl::Span<const std::string> roles);
    absl::Status revive(const FrameworkId& framework, absl::Span<const std::string> roles);
    // Replaces the list. A demand with the same name, role, shape and constraints as before stays the same demand:
    // what was refused for it stays refused; a new or changed one starts afresh. In a shape, a range asks for as many
    // numbers as it holds, and the lowest free ones are offered; a set asks for exactly the names in it. From the first
    // call on, an empty list means that nothing is wanted, not that remainders are.
    absl::Status setDemands(const FrameworkId& framework, const std::vector<Demand>& demands);
    std::vector<Demand> demands(const FrameworkId& framework) const; // what is wanted, standing offers included

    // ---- Offers and tasks.

    // All or nothing: every offer stands, belongs to the tasks' framework, is on one agent and of one role, or they are
    // one whole gang; the tasks together fit in the offers, on each agent. With one task launched, a gang's demand is
    // met: how many tasks its pieces make is the framework's affair. What no task takes is free again, and not offered to the framework for `refuse`.
    absl::Status accept(absl::Span<const OfferId> offers, absl::Span<const Launch> launches, Duration refuse, Time now);
    // Offers that don't stand any more are passed over: a decline may cross a rescind. The framework's own only. Of a
    // gang, all offers end and are refused, though one be named.
    absl::Status decline(const FrameworkId& framework, absl::Span<const OfferId> offers, Duration refuse, Time now);
    absl::Status rescind(const OfferId& offer); // nothing is refused by it; of a gang, all offers end
    absl::Status taskEnded(const TaskKey& task);
    // An agent came back and says that it runs this task. Its word wins: what isn't free is held nonetheless, the
    // agent is then overcommitted, and the caller rescinds its offers. The framework must be known (added inactive,
    // if its scheduler isn't here). An empty role: the framework's first. Known already with the same resources:
    // nothing changes; with others: the agent's word wins.
    absl::Status adoptTask(const AgentId& agent, const Launch& task, const std::string& role = {});

    // ---- Deciding.

    // What all that happened since the last call makes possible. Cheap when nothing happened.
    std::vector<Grant> allocate(Time now, Rng& rng);
    // True when something happened since the last allocate() that may make an offer possible.
    bool pending() const;
    // When allocate() should be called though nothing happens: a refusal or a pause ends.
    std::optional<Time> nextDeadline() const;

    // ---- Looking.

    std::optional<AgentHoldings> agent(const AgentId& agent) const;
    std::optional<FrameworkHoldings> framework(const FrameworkId& framework) const;
    std::optional<Clearing> clearing() const;
    std::vector<RoleHoldings> roles() const; // by name; O(roles)
    bool stands(const OfferId& offer) const;
    bool holds(const TaskKey& task) const;
    Resources total() const; // scalars of all agents
    // Looks at every agent.
    absl::StatusOr<Explanation> explain(const FrameworkId& framework, const Demand& demand, Time now) const;
    Counters counters() const;
    // What the module had to say and what it did wrong, oldest first, for the owner's log; at most kMostNotes are
    // kept, later ones are counted in the last.
    static constexpr std::size_t kMostNotes = 100;
    std::vector<std::string> takeNotes();

    // Every invariant, in O(everything): for tests and the simulator.
    absl::Status check() const;
    // Of who holds what, wants what and is refused what; the same for the same content, in whatever order it came.
    std::uint64_t digest() const;

private:
    Allocator(Options options, std::unique_ptr<ModuleRunner> module);

    std::uint32_t offerSlot(const OfferId& offer) const;
    OfferId nameOf(std::uint64_t offer) const;
    std::vector<OfferId> namesOf(absl::Span<const std::uint32_t> offers) const;
    absl::StatusOr<std::uint32_t> agentSlot(const AgentId& agent) const;
    absl::StatusOr<std::uint32_t> frameworkSlot(const FrameworkId& framework) const;
    absl::StatusOr<std::vector<std::uint32_t>> clientsOf(const FrameworkId& framework,
                                                         absl::Span<const std::string> roles) const;
    void endOffers(absl::Span<const std::uint32_t> offers);
    std::vector<std::uint32_t> wholeGangs(std::vector<std::uint32_t> offers) const;
    absl::Status acceptGang(absl::Span<const OfferId> names, absl::Span<const std::uint32_t> offers,
                            absl::Span<const Launch> launches, Duration refuse, Time now);
    void allocateOnce(Time now, Rng& rng, std::vector<Grant>& grants);
    void fault(std::string_view what);
    void leaveRole(std::uint32_t framework, std::uint32_t client);
    Time refusedUntil(Duration refuse, Time now) const;

    Options options_;
    std::unique_ptr<Ledger> ledger_;
    std::unique_ptr<Eligibility> eligibility_;
    std::unique_ptr<ModuleRunner> module_;
    Counters counters_;
};

} // namespace stoa::allocator
