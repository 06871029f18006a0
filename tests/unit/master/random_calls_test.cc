// Whatever agents and frameworks say, in whatever order, with sessions that end and leaders that start anew: the core's
// invariants hold after every step (World checks them), and its deltas add up to its state.
#include "master/read_model/read_model.h"
#include "protocol/rng.h"
#include "tests/unit/master/core_world.h"

#include <sstream>

namespace stoa::master {
namespace {

// What a reader can see of live things, as text, so that a difference can be read.
std::string seen(const ReadModel& model) {
    std::ostringstream out;
    for (const auto& [id, agent] : model.agents()) {
        out << "agent " << id << " " << static_cast<int>(agent.state) << " total " << agent.info.resources << " used "
            << agent.used << " offered " << agent.offered << " tasks " << agent.tasks << "\n";
    }
    for (const auto& [id, framework] : model.frameworks()) {
        out << "framework " << id << " " << framework.active << " used " << framework.used << " offered "
            << framework.offered << " tasks " << framework.tasks << "\n";
    }
    for (const auto& [key, task] : model.tasks()) {
        out << "task " << key.framework << "/" << key.task << " " << name(task.state) << " on " << task.info.agent
            << " " << task.info.resources << "\n";
    }
    for (const auto& [id, offer] : model.offers()) {
        out << "offer " << id << " to " << offer.framework << " of " << offer.agent << " " << offer.resources << "\n";
    }
    return out.str();
}

std::string sumOf(const std::vector<Delta>& deltas) {
    ReadModel model;
    for (const Delta& delta : deltas) model.apply(delta);
    return seen(model);
}

// Plays a few agents and frameworks that do anything at any time, sensible or not.
class Players {
public:
    Players(World& world, std::uint64_t seed) : world_(world), rng_(seed) {
        for (int i = 0; i < 3; ++i) {
            agents_.push_back({world.newAgent(4, 4096), {}, false});
            FrameworkInfo info = World::frameworkInfo("f" + std::to_string(i));
            info.failover_timeout = std::chrono::seconds(i * 40);
            if (i == 2) info.roles = {"a", "b"};
            frameworks_.push_back({{0, info}, {}});
        }
    }

    void act() {
        switch (rng_.below(16)) {
        case 0: return comeAgent();
        case 1: return leaveAgent();
        case 2: return subscribe();
        case 3: return leaveFramework();
        case 4:
        case 5:
        case 6: return accept();
        case 7: return decline();
        case 8:
        case 9:
        case 10: return update();
        case 11: return acknowledge();
        case 12: return askOrKill();
        case 13: return want();
        case 14: return pass();
        default: return rare();
        }
    }

private:
    struct AnyAgent {
        TestAgent agent;
        std::vector<AgentTask> tasks;
        bool here = false;
    };
    struct AnyFramework {
        TestFramework framework;
        std::vector<Offer> offers;
    };

    AnyAgent& agent() { return agents_[rng_.below(agents_.size())]; }
    AnyFramework& framework() { return frameworks_[rng_.below(frameworks_.size())]; }
    std::string taskName() { return "t" + std::to_string(rng_.below(8)); }

    // The agent hears its launches; some are lost with the session.
    void hear(AnyAgent& one) {
        for (const master_says::Launch& launch : world_.heard<master_says::Launch>(one.agent)) {
            AgentTask task;
            task.framework = launch.framework.id;
            task.info = launch.task;
            task.status.task = launch.task.id;
            one.tasks.push_back(task);
        }
        (void)world_.heard<master_says::Kill>(one.agent);
        (void)world_.heard<master_says::ShutdownFramework>(one.agent);
    }

    void comeAgent() {
        AnyAgent& one = agent();
        if (rng_.below(10) == 0) one.agent.info.resources = Resources::cpusMem(1 + rng_.below(8), 4096);
        if (rng_.below(20) == 0) one.agent.info.id = AgentId();
        std::vector<FrameworkInfo> infos;
        for (const AnyFramework& each : frameworks_) infos.push_back(each.framework.info);
        world_.registerAgent(one.agent, one.tasks, infos);
        one.here = true;
    }
    void leaveAgent() {
        AnyAgent& one = agent();
        if (rng_.below(2) == 0) hear(one);
        world_.gone(one.agent.peer);
        one.here = false;
        if (rng_.below(4) == 0) one.tasks.clear(); // rebooted
    }
    void subscribe() {
        AnyFramework& one = framework();
        world_.subscribe(one.framework);
    }
    void leaveFramework() { world_.gone(framework().framework.peer); }

    void collect(AnyFramework& one) {
        for (Offer& offer : world_.offersTo(one.framework)) one.offers.push_back(std::move(offer));
        if (one.offers.size() > 10) one.offers.erase(one.offers.begin(), one.offers.end() - 10);
    }
    void accept() {
        AnyFramework& one = framework();
        collect(one);
        if (one.offers.empty()) return;
        call::Accept call;
        const Offer& offer = one.offers[rng_.below(one.offers.size())];
        call.offers.push_back(offer.id);
        if (rng_.below(5) == 0) call.offers.push_back(one.offers[rng_.below(one.offers.size())].id);
        if (!offer.gang.empty() && rng_.below(4) > 0) {
            call.offers.clear();
            for (const Offer& each : one.offers) {
                if (each.gang != offer.gang) continue;
                call.offers.push_back(each.id);
                if (rng_.below(4) > 0) call.launches.push_back(world_.task(taskName(), each, 1, 256));
            }
        }
        for (std::uint64_t i = rng_.below(4); i > 0; --i) {
            call.launches.push_back(world_.task(taskName(), offer, 0.5 * static_cast<double>(rng_.below(4)), 128));
        }
        call.filters.refuse = std::chrono::seconds(rng_.below(10));
        world_.call(one.framework, call);
    }
    void decline() {
        AnyFramework& one = framework();
        collect(one);
        call::Decline call;
        for (const Offer& offer : one.offers) call.offers.push_back(offer.id);
        call.filters.refuse = std::chrono::seconds(rng_.below(10));
        world_.call(one.framework, call);
        one.offers.clear();
    }
    void update() {
        AnyAgent& one = agent();
        hear(one);
        const TaskState states[] = {TaskState::kStarting, TaskState::kRunning, TaskState::kFinished, TaskState::kFailed,
                                    TaskState::kKilled};
        const TaskState state = states[rng_.below(5)];
        if (one.tasks.empty() || rng_.below(10) == 0) {
            world_.update(one.agent, framework().framework.id(), taskName(), state);
            return;
        }
        AgentTask& task = one.tasks[rng_.below(one.tasks.size())];
        const FrameworkId id = task.framework;
        const std::string name = task.info.id.value();
        if (nextState(task.state, state)) task.state = state;
        last_ = {id, TaskId(name)};
        last_agent_ = one.agent.id();
        last_uuid_ = world_.update(one.agent, id, name, state, task.state);
        if (isTerminal(task.state) && rng_.below(3) == 0)
            one.tasks.erase(one.tasks.begin() + (&task - one.tasks.data()));
    }
    void acknowledge() { world_.call(framework().framework, call::Acknowledge{last_agent_, last_.task, last_uuid_}); }
    void askOrKill() {
        AnyFramework& one = framework();
        const AgentId on = rng_.below(3) == 0 ? AgentId() : agent().agent.id();
        switch (rng_.below(3)) {
        case 0: world_.call(one.framework, call::Kill{TaskId(taskName()), on, std::nullopt}); break;
        case 1: world_.call(one.framework, call::Reconcile{{{TaskId(taskName()), on}}}); break;
        default: world_.call(one.framework, call::Reconcile{}); break;
        }
    }
    void want() {
        AnyFramework& one = framework();
        switch (rng_.below(3)) {
        case 0: world_.call(one.framework, call::Suppress{}); break;
        case 1: world_.call(one.framework, call::Revive{}); break;
        default: {
            Demand demand;
            demand.name = "d";
            demand.role = rng_.below(8) == 0 ? "nobody's" : one.framework.info.roles.front();
            demand.shape = Resources::cpusMem(1, 256);
            demand.count = static_cast<std::uint32_t>(rng_.below(4));
            if (rng_.below(2) == 0) {
                demand.gang = Gang{static_cast<std::uint32_t>(rng_.below(2))};
                demand.count *= 2;
            }
            world_.call(one.framework, call::SetDemands{{demand}});
        }
        }
    }
    void pass() { world_.pass(std::chrono::seconds(rng_.below(50))); }
    void rare() {
        switch (rng_.below(6)) {
        case 0: {
            AnyAgent& one = agent();
            world_.agentSays(one.agent, agent_says::Unregister{});
            one.tasks.clear();
            break;
        }
        case 1: world_.call(framework().framework, call::Teardown{}); break;
        case 2: world_.restart(); break;
        default: pass();
        }
    }

    World& world_;
    Rng rng_;
    std::vector<AnyAgent> agents_;
    std::vector<AnyFramework> frameworks_;
    TaskKey last_;
    AgentId last_agent_;
    Uuid last_uuid_{};
};

// Seeds are not made smaller when they fail, since a smaller number is no simpler run; each is a test of its own.
class RandomCalls : public testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomCalls, InvariantsHoldAndDeltasAddUp) {
    World world;
    Players players(world, GetParam());
    for (int i = 0; i < 400; ++i) {
        players.act();
        ASSERT_FALSE(HasFailure()) << "after " << i << " acts";
        if (i % 10 == 0) {
            ASSERT_EQ(sumOf(world.deltas()), sumOf(world.master().snapshot())) << "after " << i << " acts";
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomCalls, testing::Range<std::uint64_t>(1, 61));

} // namespace
} // namespace stoa::master
