// A master's core with everything around it played by the test: agents and frameworks are a session number each, time
// stands still until it is told to pass. After every input the core's own invariants are checked. What was said to a
// session is kept until it is asked for.
//
//     World world;
//     TestAgent agent = world.agent(4, 2048);
//     TestFramework framework = world.framework();
//     Offer offer = world.offerTo(framework);
//     world.accept(framework, offer, {world.task("t1", offer, 1, 128)});
#pragma once

#include "master/core/agents.h"
#include "master/core/frameworks.h"
#include "master/core/master.h"
#include "master/core/offers.h"
#include "master/core/tasks.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace stoa::master {

struct TestAgent {
    Peer peer = 0;
    AgentInfo info; // with the id once admitted
    Incarnation incarnation;
    const AgentId& id() const { return info.id; }
};

struct TestFramework {
    Peer peer = 0;
    FrameworkInfo info;
    const FrameworkId& id() const { return info.id; }
};

class World {
public:
    // Sees each effect before the world takes it.
    std::function<void(const Effect&)> tap;

    explicit World(Options options = {}, Recovered recovered = {}) { start(std::move(options), std::move(recovered)); }

    // ---- Time and input

    void input(const Input& in) {
        Output out;
        master_->step(in, now_, wall(), out);
        master_->turn(now_, wall(), out);
        carryOut(out);
    }
    // Lets time pass, waking the core at each of its deadlines.
    void pass(Duration duration) {
        const Time end = now_ + duration;
        while (master_->nextDeadline() && *master_->nextDeadline() <= end) {
            now_ = std::max(now_, *master_->nextDeadline());
            input(Wake{});
        }
        now_ = end;
        input(Wake{});
    }
    // A new leader on the records that were stored so far. Sessions are gone.
    void restart() {
        Options options = master_->options();
        ++options.epoch;
        said_to_agents_.clear();
        said_to_frameworks_.clear();
        closed_.clear();
        start(std::move(options), Recovered{std::move(stored_)}); // all that earlier leaders stored, in order
    }

    // ---- Agents

    TestAgent newAgent(double cpus, double mem) {
        TestAgent agent;
        const int number = ++agents_;
        agent.info.hostname = "host" + std::to_string(number);
        agent.info.address = {"127.0.0.1", 5051};
        agent.info.resources = Resources::cpusMem(cpus, mem);
        agent.incarnation = {"boot", "work" + std::to_string(number)};
        return agent;
    }
    // In a new session; the id is learnt from the answer.
    void registerAgent(TestAgent& agent, std::vector<AgentTask> tasks = {},
                       std::vector<FrameworkInfo> frameworks = {}) {
        agent.peer = ++peers_;
        input(AgentMessage{
            agent.peer, agent_says::Register{agent.info, agent.incarnation, std::move(tasks), std::move(frameworks)}});
        for (const ToAgent& message : said_to_agents_[agent.peer]) {
            if (const auto* registered = std::get_if<master_says::Registered>(&message)) agent.info.id = registered->id;
        }
    }
    TestAgent agent(double cpus = 4, double mem = 4096) {
        TestAgent agent = newAgent(cpus, mem);
        registerAgent(agent);
        EXPECT_FALSE(agent.info.id.empty());
        return agent;
    }
    void gone(Peer peer) { input(PeerGone{peer}); }
    void agentSays(const TestAgent& agent, FromAgent message) { input(AgentMessage{agent.peer, std::move(message)}); }

    Uuid update(const TestAgent& agent, const FrameworkId& framework, const std::string& task, TaskState state,
                std::optional<TaskState> latest = std::nullopt) {
        TaskStatus status;
        status.task = TaskId(task);
        status.agent = agent.id();
        status.state = state;
        status.source = StatusSource::kAgent;
        Uuid uuid{};
        uuid[0] = static_cast<std::uint8_t>(++uuids_);
        uuid[1] = static_cast<std::uint8_t>(uuids_ >> 8);
        status.uuid = uuid;
        agentSays(agent, agent_says::StatusUpdate{framework, status, latest.value_or(state)});
        return uuid;
    }
    AgentTask told(const TestAgent& agent, const FrameworkId& framework, const std::string& task, double cpus,
                   double mem, TaskState state = TaskState::kRunning) const {
        AgentTask told;
        told.framework = framework;
        told.info = {TaskId(task), task, agent.id(), ExecutorId(), Resources::cpusMem(cpus, mem), body()};
        told.state = state;
        told.status.task = TaskId(task);
        told.status.agent = agent.id();
        told.status.state = state;
        return told;
    }

    // ---- Frameworks

    static FrameworkInfo frameworkInfo(const std::string& name = "test") {
        FrameworkInfo info;
        info.name = name;
        info.user = "somebody";
        info.failover_timeout = std::chrono::minutes(10);
        info.checkpoint = true;
        return info;
    }
    void subscribe(TestFramework& framework, std::vector<std::string> suppressed = {}) {
        framework.peer = ++peers_;
        input(FrameworkCall{framework.peer, framework.info.id, call::Subscribe{framework.info, std::move(suppressed)}});
        for (const Event& event : said_to_frameworks_[framework.peer]) {
            if (const auto* subscribed = std::get_if<event::Subscribed>(&event))
                framework.info.id = subscribed->framework;
        }
    }
    TestFramework framework(FrameworkInfo info = frameworkInfo()) {
        TestFramework framework{0, std::move(info)};
        subscribe(framework);
        EXPECT_FALSE(framework.info.id.empty());
        return framework;
    }
    void call(const TestFramework& framework, Call call) {
        input(FrameworkCall{framework.peer, framework.id(), std::move(call)});
    }
    TaskInfo task(const std::string& id, const Offer& offer, double cpus, double mem) const {
        return {TaskId(id), id, offer.agent, ExecutorId(), Resources::cpusMem(cpus, mem), body()};
    }
    void accept(const TestFramework& framework, const Offer& offer, std::vector<TaskInfo> tasks,
                Duration refuse = std::chrono::seconds(5)) {
        call(framework, call::Accept{{offer.id}, std::move(tasks), Filters{refuse}});
    }
    // The one offer that the framework was made since it was last asked.
    Offer offerTo(const TestFramework& framework) {
        std::vector<Offer> offers = offersTo(framework);
        EXPECT_EQ(offers.size(), 1u);
        return offers.empty() ? Offer{} : offers.back();
    }
    std::vector<Offer> offersTo(const TestFramework& framework) {
        std::vector<Offer> offers;
        for (const event::Offers& event : heard<event::Offers>(framework)) {
            offers.insert(offers.end(), event.offers.begin(), event.offers.end());
        }
        return offers;
    }
    // Launches one task on the agent and takes what was said of it out of the way.
    void run(const TestAgent& agent, const TestFramework& framework, const std::string& id, double cpus = 1,
             double mem = 128) {
        std::vector<Offer> offers = offersTo(framework);
        ASSERT_FALSE(offers.empty());
        accept(framework, offers.back(), {task(id, offers.back(), cpus, mem)});
        const Uuid uuid = update(agent, framework.id(), id, TaskState::kRunning);
        call(framework, call::Acknowledge{agent.id(), TaskId(id), uuid});
        (void)heard<event::Update>(framework);
        (void)heard<master_says::Launch>(agent);
        (void)heard<master_says::AcknowledgeUpdate>(agent);
    }

    // ---- What was said

    // Takes all of one sort that was said to a session since it was last asked.
    template <class Message>
    std::vector<Message> heard(const TestAgent& agent) {
        return taken<Message>(said_to_agents_[agent.peer]);
    }
    template <class Message>
    std::vector<Message> heard(const TestFramework& framework) {
        return taken<Message>(said_to_frameworks_[framework.peer]);
    }
    template <class Message, class Session>
    Message heardOne(const Session& session) {
        std::vector<Message> all = heard<Message>(session);
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? Message{} : all.front();
    }
    TaskStatus updateTo(const TestFramework& framework) { return heardOne<event::Update>(framework).status; }
    bool closed(Peer peer) const { return closed_.contains(peer); }
    std::optional<absl::Status> answer(std::uint64_t request) const {
        const auto found = answers_.find(request);
        return found == answers_.end() ? std::nullopt : std::optional(found->second);
    }
    template <class R>
    std::vector<R> stored() const {
        std::vector<R> some;
        for (const Record& record : stored_) {
            if (const R* one = std::get_if<R>(&record)) some.push_back(*one);
        }
        return some;
    }

    // ---- What is

    const Master& master() const { return *master_; }
    const Task* taskOf(const FrameworkId& framework, const std::string& id) const {
        return master_->tasks().find(framework, TaskId(id));
    }
    std::optional<TaskState> stateOf(const FrameworkId& framework, const std::string& id) const {
        const Task* task = taskOf(framework, id);
        return task == nullptr ? std::nullopt : std::optional(task->state);
    }
    // Free, or offered: not held by tasks.
    Resources freeOn(const TestAgent& agent) const {
        const allocator::AgentHoldings holdings = *master_->allocator().agent(agent.id());
        Resources free = holdings.free;
        free += holdings.offered;
        return free;
    }
    const std::vector<Delta>& deltas() const { return deltas_; }
    const std::vector<Output::Said>& allSaid() const { return all_said_; }
    Time now() const { return now_; }
    void forgetSaid() { all_said_.clear(); }

    static Body body() {
        static const Body kBody = std::make_shared<const std::string>("body");
        return kBody;
    }

private:
    template <class Message, class Variant>
    static std::vector<Message> taken(std::deque<Variant>& said) {
        std::vector<Message> some;
        for (auto at = said.begin(); at != said.end();) {
            if (const Message* one = std::get_if<Message>(&*at)) {
                some.push_back(*one);
                at = said.erase(at);
            } else {
                ++at;
            }
        }
        return some;
    }

    WallTime wall() const { return {now_.time_since_epoch().count()}; }

    void start(Options options, Recovered recovered) {
        deltas_.clear();
        master_ = std::make_unique<Master>(std::move(options), recovered, now_, wall());
        stored_ = std::move(recovered.records);
        stored_before_ = stored_.size();
        input(Wake{});
    }

    void carryOut(Output& out) {
        stored_.insert(stored_.end(), out.records.begin(), out.records.end());
        ASSERT_EQ(stored_.size() - stored_before_, master_->recordsAppended());
        for (Output::Said& said : out.effects) {
            ASSERT_LE(said.waits_for, master_->recordsAppended());
            all_said_.push_back(said);
            if (tap) tap(said.effect);
            if (auto* to_agent = std::get_if<ToAgentPeer>(&said.effect)) {
                said_to_agents_[to_agent->peer].push_back(std::move(to_agent->message));
            } else if (auto* to_framework = std::get_if<ToFrameworkPeer>(&said.effect)) {
                said_to_frameworks_[to_framework->peer].push_back(std::move(to_framework->event));
            } else if (auto* close = std::get_if<ClosePeer>(&said.effect)) {
                closed_[close->peer] = close->why;
            } else if (auto* answer = std::get_if<CallAnswered>(&said.effect)) {
                answers_[answer->request] = answer->status;
            } else {
                deltas_.push_back(std::get<Delta>(std::move(said.effect)));
            }
        }
        const absl::Status sound = master_->check();
        ASSERT_TRUE(sound.ok()) << sound;
    }

    Time now_{std::chrono::hours(1)};
    std::unique_ptr<Master> master_;
    std::uint64_t peers_ = 0;
    int agents_ = 0;
    unsigned uuids_ = 0;
    std::map<Peer, std::deque<ToAgent>> said_to_agents_;
    std::map<Peer, std::deque<Event>> said_to_frameworks_;
    std::map<Peer, std::string> closed_;
    std::map<std::uint64_t, absl::Status> answers_;
    std::vector<Record> stored_; // by all leaders so far
    std::size_t stored_before_ = 0;
    std::vector<Delta> deltas_; // of this leader
    std::vector<Output::Said> all_said_;
};

} // namespace stoa::master
