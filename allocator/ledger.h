// Who holds what: the only record of it. Each agent's resources are free, held by an open offer, or held by a task, and
// add up to its total; a client (a framework in one of its roles) and a role hold the sum of their offers and tasks.
// Every change is a move here. A move that can be wrong returns a Status and has then changed nothing; the others
// have preconditions that the caller, allocator.cc or turn.cc, has established.
//
// When an agent's own word makes it hold more than it has (it shrank, or it came back with a task unheard of), it is
// overcommitted: of each resource as much is free as is left, never less than nothing, until enough has ended.
//
// Owned by the Allocator, on its thread. Knows nothing of who may be offered what (eligibility.h), of time or chance.
#pragma once

#include "allocator/module.h"
#include "allocator/slots.h"
#include "protocol/ids.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace stoa::allocator {

struct Launch; // allocator.h

class Ledger {
public:
    struct Offer {
        std::uint64_t number = 0;
        Slot agent = kNoSlot;
        Slot client = kNoSlot;
        Slot request = kNoSlot;  // eligibility's; none when what it was made for is no longer wanted
        std::uint32_t count = 0; // pieces of a demand's shape, 0 for a remainder
        std::uint64_t turn = 0;  // in which it was made
        std::uint64_t gang = 0;  // the number of its gang's first offer; 0: it is of none
        Resources resources;
        Links on_agent;
        Links of_framework;
        Links in_gang;
    };
    struct Task {
        TaskKey key;
        Slot agent = kNoSlot;
        Slot client = kNoSlot;
        Resources resources;
        Links on_agent;
    };
    struct Agent {
        AgentId id;
        Attributes attributes;
        Resources total;
        Resources free; // its scalars are repeated in view().agents
        SlotList<Offer, &Offer::on_agent> offers;
        SlotList<Task, &Task::on_agent> tasks;
        std::uint64_t offered_in = 0; // the turn of the latest offer ever made of it
        bool overcommitted = false;
    };
    struct Framework {
        FrameworkId id;
        bool present = true;       // false: removed, and kept for what it holds
        std::vector<Slot> clients; // in the order of its roles, then those it left but still holds something under
        SlotList<Offer, &Offer::of_framework> offers;
        std::uint32_t open_offers = 0;
        std::uint32_t tasks = 0;
    };
    struct Client {
        Slot framework = kNoSlot;
        Slot role = kNoSlot;
        bool subscribed = true; // false: the framework left the role, or left
    };
    struct Role {
        std::string name;
        std::uint32_t clients = 0;
    };

    // ---- Agents.

    absl::StatusOr<Slot> addAgent(const AgentId& id, const Resources& total, const Attributes& attributes);
    absl::Status updateAgent(Slot agent, const Resources& total, const Attributes& attributes);
    // Precondition: nothing is offered of it; its tasks end.
    void removeAgent(Slot agent);

    // ---- Frameworks, clients, roles.

    Slot addFramework(const FrameworkId& id); // or the one of that id that was removed and still holds something
    void removeFramework(Slot framework);     // its clients are not subscribed any more; goes with its last holding
    Slot subscribe(Slot framework, const std::string& role);
    void unsubscribe(Slot client);                                     // goes with its last holding
    void orderClients(Slot framework, const std::vector<Slot>& first); // subscribed ones, in the roles' order
    void setWeight(const std::string& role, Milli weight);

    // ---- Offers. Precondition: the agent's free resources contain what is offered.

    Slot offer(Slot agent, Slot client, Slot request, std::uint32_t count, std::uint64_t turn, Resources resources);
    void grow(Slot offer, std::uint32_t count, const Resources& more);
    void endOffer(Slot offer);                    // back to free
    void makeGang(absl::Span<const Slot> offers); // from now on they are one
    // Ends the offers, which are one client's on one agent, and starts the tasks, which fit in their sum.
    void launch(absl::Span<const Slot> offers, absl::Span<const Launch> launches);
    void forgetRequest(Slot offer) { offers_[offer].request = kNoSlot; }

    // ---- Tasks.

    // From what is free, and from beyond: the agent is then overcommitted. Fails when the sums would exceed any number.
    // Precondition: the key is unknown.
    absl::Status holdTask(Slot agent, Slot client, const TaskKey& key, const Resources& resources);
    // As holdTask(), in place of what the task held, maybe elsewhere.
    absl::Status moveTask(Slot task, Slot agent, const Resources& resources);
    void endTask(Slot task);

    // ---- Looking.

    Slot findAgent(const AgentId& id) const { return find(agent_slots_, id); }
    Slot findFramework(const FrameworkId& id) const { return find(framework_slots_, id); }
    Slot findOffer(std::uint64_t number) const { return find(offer_slots_, number); }
    Slot findTask(const TaskKey& key) const;
    Slot findClient(Slot framework, const std::string& role) const;

    const Slots<Agent>& agents() const { return agents_; }
    const Slots<Framework>& frameworks() const { return frameworks_; }
    const Slots<Client>& clients() const { return clients_; }
    const Slots<Role>& roles() const { return roles_; }
    const Slots<Offer>& offers() const { return offers_; }
    const Slots<Task>& tasks() const { return tasks_; }
    const std::map<std::string, Slot>& rolesByName() const { return role_slots_; }
    std::uint64_t offersMade() const { return offers_made_; }

    using Scalars = std::int64_t[Resources::kScalars];
    const stoa_allocator_agent_v1& agentFigures(Slot agent) const { return agent_figures_[agent]; }
    const stoa_allocator_client_v1& clientFigures(Slot client) const { return client_figures_[client]; }
    const stoa_allocator_role_v1& roleFigures(Slot role) const { return role_figures_[role]; }
    const Scalars& total() const { return total_; }
    stoa_allocator_view_v1 view() const; // valid until the next change of agents, frameworks or roles

    std::vector<Slot> offersOn(Slot agent) const;
    std::vector<Slot> offersOf(Slot framework) const;
    std::vector<Slot> gangOf(Slot offer) const; // all of its gang in order, or it alone

    absl::Status check() const;

private:
    // No sum over a cluster may reach this; an amount may be 2^52.
    static constexpr std::int64_t kMostAtAll = std::int64_t{1} << 61;

    template <class Map, class Key>
    static Slot find(const Map& map, const Key& key) {
        const auto at = map.find(key);
        return at == map.end() ? kNoSlot : at->second;
    }
    Slot role(const std::string& name);
    void dropRoleIfUnused(Slot role);
    void dropClientIfUnused(Slot client);
    void closeOffer(Slot offer); // its client may be unused then
    void dropFrameworkIfUnused(Slot framework);
    void take(Slot agent, const Resources& resources);
    void giveBack(Slot agent, const Resources& resources);
    void charge(Slot client, const Resources& resources, int sign);
    void recount(Slot agent); // free, from the total and every holder
    void mirrorFree(Slot agent);
    void mirrorTotal(Slot agent);
    absl::Status checkSums(Slot client, const TaskKey& key, const Resources& resources) const;
    void holdAsTask(Slot agent, Slot task); // the task's entry is written already

    Slots<Agent> agents_;
    Slots<Framework> frameworks_;
    Slots<Client> clients_;
    Slots<Role> roles_;
    Slots<Offer> offers_;
    Slots<Task> tasks_;

    // What a module sees, by the same slots; the sums are kept nowhere else. Unused slots are zero.
    std::vector<stoa_allocator_agent_v1> agent_figures_;
    std::vector<stoa_allocator_client_v1> client_figures_;
    std::vector<stoa_allocator_role_v1> role_figures_;
    Scalars total_{};

    std::uint64_t offers_made_ = 0;
    std::map<std::uint64_t, SlotList<Offer, &Offer::in_gang>> gangs_;

    struct HashTask {
        using is_transparent = void;
        const Ledger* ledger;
        std::size_t operator()(const TaskKey& key) const { return absl::Hash<TaskKey>()(key); }
        std::size_t operator()(Slot task) const { return (*this)(ledger->tasks_[task].key); }
    };
    struct SameTask {
        using is_transparent = void;
        const Ledger* ledger;
        bool operator()(Slot a, Slot b) const { return a == b; }
        bool operator()(Slot a, const TaskKey& key) const { return ledger->tasks_[a].key == key; }
        bool operator()(const TaskKey& key, Slot a) const { return ledger->tasks_[a].key == key; }
    };
    // Never iterated over: their order depends on addresses.
    absl::flat_hash_map<AgentId, Slot> agent_slots_;
    absl::flat_hash_map<FrameworkId, Slot> framework_slots_;
    absl::flat_hash_map<std::uint64_t, Slot> offer_slots_;
    absl::flat_hash_set<Slot, HashTask, SameTask> task_slots_{0, HashTask{this}, SameTask{this}};
    std::map<std::string, Slot> role_slots_;

public:
    Ledger() = default;
    Ledger(const Ledger&) = delete; // task_slots_ refers to this
    Ledger& operator=(const Ledger&) = delete;
};

} // namespace stoa::allocator
