// Random moves, held against the model: resources are conserved, an offer id comes once and is consumed once, no pair is
// offered that may not be, a gang is offered whole or not at all and ends as it was offered, and whatever fits and may be
// offered is offered in the same turn. The same with a module that answers at random, where only the last need not hold.
#include "allocator/module_face.h"
#include "tests/unit/allocator/cluster.h"
#include "tests/unit/allocator/model.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace stoa::allocator {
namespace {

using std::chrono::milliseconds;

// Answers anything.
class Wild final : public Policy {
public:
    Wild(Host host, std::string_view) : host_(host) {}
    void begin(const View&, std::span<const std::uint32_t> contenders) override {
        contenders_.assign(contenders.begin(), contenders.end());
    }
    std::uint32_t next(const View& view) override {
        if (host_.random(20) == 0) throw std::runtime_error("a wild module gives up");
        if (host_.random(10) == 0) return static_cast<std::uint32_t>(host_.random(view.clients() + 2));
        return contenders_[host_.random(contenders_.size())];
    }
    Placement place(const View& view, const Request& request, std::span<const std::uint32_t> candidates) override {
        const auto agent =
            host_.random(2) == 0 ? candidates[0] : static_cast<std::uint32_t>(host_.random(view.agents() + 2));
        return {host_.random(10) == 0 ? kNone : agent, static_cast<std::uint32_t>(host_.random(request.wanted + 2))};
    }
    void charged(const View&, std::uint32_t) override {}
    void retired(const View&, std::uint32_t) override {}

private:
    Host host_;
    std::vector<std::uint32_t> contenders_;
};

// Draws numbers from one move's own number, so that a failing sequence shrinks move by move.
class Draw {
public:
    explicit Draw(std::uint32_t move) : rng_(move) {}
    std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }
    template <class Map>
    auto keyOf(const Map& map) {
        auto at = map.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(map.size())));
        return at->first;
    }

private:
    Rng rng_;
};

class Play {
public:
    Play(const stoa_allocator_module_v1* module, bool live)
        : allocator_(*Allocator::create({.module = module,
                                         .parameters = {},
                                         .gang_patience = milliseconds(300),
                                         .gang_clearing = milliseconds(500)})),
          rng_(7), live_(live) {}

    void move(std::uint32_t number) {
        Draw draw(number);
        switch (draw.below(16)) {
        case 0: addAgent(draw); break;
        case 1: changeAgent(draw); break;
        case 2: addFramework(draw); break;
        case 3: changeFramework(draw); break;
        case 4: suppress(draw); break;
        case 5:
        case 6: setDemands(draw); break;
        case 7: time_ += milliseconds(10 * draw.below(60)); break;
        case 8:
        case 9: accept(draw); break;
        case 10:
        case 11: decline(draw); break;
        case 12: rescind(draw); break;
        case 13:
        case 14: endTask(draw); break;
        default: adopt(draw); break;
        }
        model_.settle();
        if (draw.below(2) == 0) allocate();
        sound();
    }

    void allocate() {
        model_.expire(time_);
        const std::vector<Grant> grants = allocator_.allocate(time_, rng_);
        // One that goes on has gone on since before the first grant.
        model_.clearing = allocator_.clearing();
        if (model_.clearing.has_value()) RC_ASSERT(model_.clearing->until > time_);
        for (const Grant& grant : grants) {
            RC_ASSERT(offer_ids_.insert(grant.offer).second);
            const Model::Framework& framework = model_.frameworks.at(grant.framework);
            const Demand* demand = grant.demand.empty() ? nullptr : model_.demand(framework, grant.demand);
            RC_ASSERT(model_.obstacle(grant.framework, grant.role, demand, grant.agent) == "");
            const auto free = model_.free(grant.agent);
            RC_ASSERT(free.has_value() && free->contains(grant.resources));
            if (demand == nullptr) {
                RC_ASSERT(grant.resources == *free);
            } else {
                RC_ASSERT(grant.count >= 1U && grant.role == demand->role);
                RC_ASSERT(grant.count + model_.standing(grant.framework, grant.demand) <= demand->count);
                RC_ASSERT(grant.resources == demand->shape.times(grant.count));
                RC_ASSERT(demand->gang.has_value() == !grant.gang.empty());
            }
            model_.offers[grant.offer] = {grant.framework, grant.role,  grant.agent, grant.resources,
                                          grant.demand,    grant.count, true,        grant.gang};
        }
        for (const Grant& grant : grants) {
            if (!grant.gang.empty()) whole(grant);
        }
        if (live_) RC_ASSERT(model_.missed() == "");
    }

private:
    // All of the gang's pieces, and no more on an agent than it may have there.
    void whole(const Grant& grant) {
        const Demand& demand = *model_.demand(model_.frameworks.at(grant.framework), grant.demand);
        std::uint32_t pieces = 0;
        std::set<AgentId> agents;
        for (const OfferId& id : model_.gangOf(grant.offer)) {
            const Model::Offer& offer = model_.offers.at(id);
            RC_ASSERT(offer.framework == grant.framework && offer.demand == grant.demand);
            RC_ASSERT(agents.insert(offer.agent).second);
            RC_ASSERT(demand.gang->most_per_agent == 0 || offer.count <= demand.gang->most_per_agent);
            pieces += offer.count;
        }
        RC_ASSERT(pieces == demand.count);
    }
    void endGang(const OfferId& id) {
        for (const OfferId& each : model_.gangOf(id)) model_.offers.erase(each);
    }
    static Resources someResources(Draw& draw) {
        return cpusMem(static_cast<double>(draw.below(5)), static_cast<double>(64 * draw.below(5)));
    }
    static Resources someShape(Draw& draw) {
        return cpusMem(static_cast<double>(1 + draw.below(2)), static_cast<double>(64 * draw.below(3)));
    }
    static Attributes someAttributes(Draw& draw) { return *parseAttributes(draw.below(2) == 0 ? "rack:a" : "rack:b"); }
    static Duration someRefusal(Draw& draw) { return milliseconds(10 * draw.below(80)); }
    static void ok(const absl::Status& status) { RC_ASSERT(status.message() == ""); }

    void addAgent(Draw& draw) {
        const AgentId id("a" + std::to_string(draw.below(5)));
        const Model::Agent agent{someResources(draw), someAttributes(draw), true};
        const bool known = model_.agents.contains(id);
        RC_ASSERT(allocator_.addAgent(id, agent.total, agent.attributes).ok() != known);
        if (!known) model_.agents[id] = agent;
    }
    void changeAgent(Draw& draw) {
        if (model_.agents.empty()) return;
        const AgentId id = draw.keyOf(model_.agents);
        Model::Agent& agent = model_.agents[id];
        switch (draw.below(4)) {
        case 0:
            agent.total = someResources(draw);
            agent.attributes = someAttributes(draw);
            ok(allocator_.updateAgent(id, agent.total, agent.attributes));
            break;
        case 1: {
            const std::vector<OfferId> gone = *allocator_.removeAgent(id);
            std::set<OfferId> ended;
            for (const auto& [offer_id, offer] : model_.offers) {
                if (offer.agent != id) continue;
                for (const OfferId& each : model_.gangOf(offer_id)) ended.insert(each);
            }
            RC_ASSERT(std::set<OfferId>(gone.begin(), gone.end()) == ended && gone.size() == ended.size());
            for (const OfferId& each : ended) model_.offers.erase(each);
            std::erase_if(model_.tasks, [&](const auto& task) { return task.second.agent == id; });
            std::erase_if(model_.refusals, [&](const auto& refusal) { return refusal.agent == id; });
            model_.agents.erase(id);
            break;
        }
        default: agent.offerable = !agent.offerable; ok(allocator_.setOfferable(id, agent.offerable));
        }
    }
    void addFramework(Draw& draw) {
        const FrameworkId id("f" + std::to_string(draw.below(4)));
        const bool known = model_.frameworks.contains(id) && model_.frameworks[id].present;
        std::vector<std::string> roles = {"x"};
        if (draw.below(2) == 0) roles.push_back("y");
        RC_ASSERT(allocator_.addFramework(id, roles).ok() != known);
        if (known) return;
        model_.frameworks[id] = {};
        for (const std::string& role : roles) model_.frameworks[id].roles[role] = {};
    }
    void changeFramework(Draw& draw) {
        if (model_.frameworks.empty()) return;
        const FrameworkId id = draw.keyOf(model_.frameworks);
        Model::Framework& framework = model_.frameworks[id];
        if (!framework.present) return;
        switch (draw.below(4)) {
        case 0: {
            RC_ASSERT(allocator_.removeFramework(id).ok());
            std::erase_if(model_.offers, [&](const auto& offer) { return offer.second.framework == id; });
            std::erase_if(model_.refusals, [&](const auto& refusal) { return refusal.framework == id; });
            framework = {};
            framework.present = false;
            break;
        }
        case 1: {
            const std::string role = draw.below(2) == 0 ? "x" : "y";
            const std::map<std::string, Model::Role> before = framework.roles;
            framework.roles = {{role, before.contains(role) ? before.at(role) : Model::Role()}};
            std::erase_if(framework.demands, [&](const Demand& d) { return d.role != role; });
            std::erase_if(model_.refusals, [&](const auto& r) { return r.framework == id && r.role != role; });
            for (auto& [offer_id, offer] : model_.offers) {
                if (offer.framework == id && offer.role != role) offer.wanted = false;
            }
            ok(allocator_.updateRoles(id, {role}));
            break;
        }
        default: framework.active = !framework.active; ok(allocator_.setActive(id, framework.active));
        }
    }
    void suppress(Draw& draw) {
        if (model_.frameworks.empty()) return;
        const FrameworkId id = draw.keyOf(model_.frameworks);
        Model::Framework& framework = model_.frameworks[id];
        const std::string role = draw.below(2) == 0 ? "x" : "y";
        const bool known = framework.present && framework.roles.contains(role);
        const bool revive = draw.below(2) == 0;
        const std::vector<std::string> roles = {role};
        RC_ASSERT((revive ? allocator_.revive(id, roles) : allocator_.suppress(id, roles)).ok() == known);
        if (!known) return;
        framework.roles[role].suppressed = !revive;
        if (revive) std::erase_if(model_.refusals, [&](const auto& r) { return r.framework == id && r.role == role; });
    }
    void setDemands(Draw& draw) {
        if (model_.frameworks.empty()) return;
        const FrameworkId id = draw.keyOf(model_.frameworks);
        Model::Framework& framework = model_.frameworks[id];
        if (!framework.present) return;
        std::vector<Demand> demands;
        for (std::uint64_t i = draw.below(4); i > 0; --i) {
            Demand wanted = demand("d" + std::to_string(i), someShape(draw),
                                   static_cast<std::uint32_t>(1 + draw.below(5)), draw.keyOf(framework.roles));
            if (draw.below(3) == 0) wanted.constraints = {*parseConstraint("rack=a")};
            if (draw.below(3) == 0) wanted.gang = Gang{static_cast<std::uint32_t>(draw.below(3))};
            demands.push_back(std::move(wanted));
        }
        ok(allocator_.setDemands(id, demands));
        const auto stays = [&](const std::string& name) {
            const Demand* before = model_.demand(framework, name);
            const auto after =
                std::find_if(demands.begin(), demands.end(), [&](const Demand& d) { return d.name == name; });
            return before != nullptr && after != demands.end() && before->role == after->role &&
                   before->shape == after->shape && before->constraints == after->constraints &&
                   before->gang == after->gang &&
                   (!before->gang || before->count == after->count || before->count == 0);
        };
        for (auto& [offer_id, offer] : model_.offers) {
            if (offer.framework == id && !stays(offer.demand)) offer.wanted = false;
        }
        std::erase_if(model_.refusals, [&](const auto& r) { return r.framework == id && !stays(r.demand); });
        framework.demands = demands;
        framework.by_demand = true;
    }
    void refuse(const Model::Offer& offer, const Resources& refused, Duration refusal) {
        if (!offer.wanted) return;
        const auto free = model_.free(offer.agent);
        const bool remainder = offer.demand.empty();
        if (remainder && free.has_value() && !refused.contains(*free)) return;
        model_.refusals.push_back({offer.framework, offer.role, offer.demand, offer.agent,
                                   remainder ? std::optional(refused) : std::nullopt,
                                   time_ + std::max<Duration>(refusal, milliseconds(100))});
    }
    void accept(Draw& draw) {
        if (model_.offers.empty()) return;
        const OfferId id = draw.keyOf(model_.offers);
        const Model::Offer offer = model_.offers[id];
        if (!offer.gang.empty()) return acceptGang(draw, model_.gangOf(id));
        std::vector<Launch> launches;
        Resources rest = offer.resources;
        for (std::uint64_t i = draw.below(4); i > 0; --i) {
            const Launch launch{{offer.framework, TaskId("t" + std::to_string(++tasks_))}, someShape(draw)};
            if (rest.subtract(launch.resources).ok()) launches.push_back(launch);
        }
        const Duration refusal = someRefusal(draw);
        if (draw.below(8) == 0) {
            std::vector<Launch> too_many = launches;
            too_many.push_back({{offer.framework, TaskId("huge")}, cpusMem(100, 0)});
            RC_ASSERT(!allocator_.accept({id}, too_many, refusal, time_).ok());
            return;
        }
        ok(allocator_.accept({id}, launches, refusal, time_));
        RC_ASSERT(!allocator_.accept({id}, launches, refusal, time_).ok());
        model_.offers.erase(id);
        for (const Launch& launch : launches) model_.tasks[launch.task] = {offer.agent, launch.resources};
        const auto launched = static_cast<std::uint32_t>(std::min<std::size_t>(launches.size(), offer.count));
        if (offer.wanted && !offer.demand.empty()) {
            for (Demand& wanted : model_.frameworks[offer.framework].demands) {
                if (wanted.name == offer.demand) wanted.count -= std::min(wanted.count, launched);
            }
        }
        model_.settle();
        if (!rest.empty() && (offer.demand.empty() || launched < offer.count)) refuse(offer, rest, refusal);
    }
    void acceptGang(Draw& draw, const std::vector<OfferId>& gang) {
        const Model::Offer first = model_.offers.at(gang.front());
        std::vector<Launch> launches;
        std::vector<Model::Offer> offers;
        for (const OfferId& id : gang) {
            offers.push_back(model_.offers.at(id));
            if (draw.below(3) == 0) continue;
            const TaskKey task{first.framework, TaskId("t" + std::to_string(++tasks_))};
            launches.push_back({task, offers.back().resources, offers.back().agent});
        }
        const Duration refusal = someRefusal(draw);
        if (gang.size() > 1) RC_ASSERT(!allocator_.accept({gang.front()}, {}, refusal, time_).ok());
        ok(allocator_.accept(gang, launches, refusal, time_));
        for (const OfferId& id : gang) {
            RC_ASSERT(!allocator_.accept({id}, {}, refusal, time_).ok());
            model_.offers.erase(id);
        }
        for (const Launch& launch : launches) model_.tasks[launch.task] = {launch.agent, launch.resources};
        if (!launches.empty() && first.wanted) {
            for (Demand& wanted : model_.frameworks[first.framework].demands) {
                if (wanted.name == first.demand) wanted.count = 0;
            }
        }
        model_.settle();
        if (!launches.empty()) return;
        for (const Model::Offer& offer : offers) refuse(offer, offer.resources, refusal);
    }
    void decline(Draw& draw) {
        if (model_.offers.empty()) return;
        const OfferId id = draw.keyOf(model_.offers);
        const Model::Offer offer = model_.offers[id];
        const Duration refusal = someRefusal(draw);
        ok(allocator_.decline(offer.framework, {id}, refusal, time_));
        std::vector<Model::Offer> ended;
        for (const OfferId& each : model_.gangOf(id)) ended.push_back(model_.offers.at(each));
        endGang(id);
        model_.settle();
        for (const Model::Offer& each : ended) refuse(each, each.resources, refusal);
    }
    void rescind(Draw& draw) {
        if (model_.offers.empty()) return;
        const OfferId id = draw.keyOf(model_.offers);
        ok(allocator_.rescind(id));
        RC_ASSERT(!allocator_.rescind(id).ok());
        endGang(id);
    }
    void endTask(Draw& draw) {
        if (model_.tasks.empty()) return;
        const TaskKey key = draw.keyOf(model_.tasks);
        ok(allocator_.taskEnded(key));
        RC_ASSERT(!allocator_.taskEnded(key).ok());
        model_.tasks.erase(key);
    }
    void adopt(Draw& draw) {
        if (model_.agents.empty() || model_.frameworks.empty()) return;
        const AgentId agent = draw.keyOf(model_.agents);
        TaskKey key{draw.keyOf(model_.frameworks), TaskId("adopted" + std::to_string(draw.below(3)))};
        if (draw.below(2) == 0 && !model_.tasks.empty()) key = draw.keyOf(model_.tasks);
        const Resources resources = someShape(draw);
        const bool known = allocator_.framework(key.framework).has_value();
        RC_ASSERT(allocator_.adoptTask(agent, {key, resources}).ok() == known);
        if (known) model_.tasks[key] = {agent, resources};
    }

    void sound() {
        ok(allocator_.check());
        for (const auto& [id, agent] : model_.agents) {
            const AgentHoldings holdings = *allocator_.agent(id);
            const auto free = model_.free(id);
            RC_ASSERT(holdings.overcommitted == !free.has_value());
            if (free.has_value()) RC_ASSERT(holdings.free == *free);
            RC_ASSERT(holdings.offerable == agent.offerable);
        }
        for (const auto& [id, framework] : model_.frameworks) {
            if (!framework.present) continue;
            std::vector<Demand> wanted = framework.demands;
            RC_ASSERT(allocator_.demands(id) == wanted);
        }
        for (const OfferId& id : offer_ids_) RC_ASSERT(allocator_.stands(id) == model_.offers.contains(id));
    }

    Allocator allocator_;
    Rng rng_;
    bool live_;
    Model model_;
    Time time_{std::chrono::seconds(1)};
    std::set<OfferId> offer_ids_;
    std::uint64_t tasks_ = 0;
};

void play(const stoa_allocator_module_v1* module, bool live, const std::vector<std::uint32_t>& moves) {
    Play game(module, live);
    for (std::uint32_t move : moves) game.move(move);
    game.allocate();
}
// Several short plays find more than a long one, in which the cluster is crowded with what never ends.
void play(const stoa_allocator_module_v1* module, bool live) {
    for (int i = 0; i < 5; ++i) {
        play(module, live, *rc::gen::scale(2.0, rc::gen::arbitrary<std::vector<std::uint32_t>>()));
    }
}

RC_GTEST_PROP(RandomMoves, KeepEveryRuleAndOfferAllThatFitsUnderDrf, ()) { play(builtInModule("drf"), true); }
RC_GTEST_PROP(RandomMoves, KeepEveryRuleAndOfferAllThatFitsUnderSpread, ()) { play(builtInModule("spread"), true); }
RC_GTEST_PROP(RandomMoves, KeepEveryRuleUnderAModuleThatAnswersAnything, ()) {
    play(ModuleOf<Wild>::table("wild"), false);
}

// Moves that once failed.
RC_GTEST_PROP(RandomMoves, ThatOnceFailedDontFailAgain, ()) {
    // A refusal of a remainder ended when its agent had more of one resource left while it owed of another.
    play(builtInModule("spread"), true, {374237123, 1499843951, 1039275788, 433134820, 4263262686});
    play(builtInModule("drf"), true,
         {2128365031, 0, 4278190079, 2593729, 3757965311, 4290772971, 4257218523, 3153035231, 4282383871, 2766372});
}

TEST(Module, AnAnswerThatBreaksARuleIsIgnoredCountedAndSaid) {
    Cluster cluster({.module = ModuleOf<Wild>::table("wild"), .parameters = {}});
    cluster.framework("f").wants("f", {demand("d", cpusMem(1, 64), 1000)});
    for (int i = 0; i < 20; ++i) cluster.agent("agent" + std::to_string(i), cpusMem(8, 512));
    for (int i = 0; i < 100; ++i) cluster.allocate();
    EXPECT_GT(cluster.core.counters().module_faults, 0U);
    const std::vector<std::string> notes = cluster.core.takeNotes();
    ASSERT_FALSE(notes.empty());
    EXPECT_LE(notes.size(), Allocator::kMostNotes);
    EXPECT_TRUE(notes.front().starts_with("allocator module wild: ")) << notes.front();
    EXPECT_TRUE(cluster.core.takeNotes().empty());
}

} // namespace
} // namespace stoa::allocator
