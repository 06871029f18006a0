// What a leader's death costs a cluster of many agents, over real sockets: the leader is killed with SIGKILL, and three
// moments are taken: ZooKeeper's taking the dead leader's node away (the session's expiry), the next launch that
// reaches an agent, and the last agent's registration with the new leader. Masters and ZooKeeper are processes of a cluster that
// `stoa up --masters=3` started; agents are sessions with every master, many over a connection, each with the rules by
// which real ones follow a leader; one framework, over a real driver, launches a task whenever the last has ended.
//
//     build/bench/failover_bench --zk=zk://… --master=HTTP-PORT:PID … [--agents=100]
#include "frameworks/sdk/driver.h"
#include "protocol/boot_clock.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/task_body.h"
#include "protocol/leader/detector.h"
#include "protocol/leader/following.h"
#include "protocol/strings.h"
#include "protocol/wire/dialer.h"
#include "tests/bench/players.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace stoa {
namespace {

using bench::fail;

constexpr Duration kPatience = std::chrono::seconds(120); // for anything

struct Flags {
    std::string zk;
    std::vector<std::string> masters; // HTTP-PORT:PID
    std::uint32_t agents = 100;
    std::uint32_t connections = 20; // of all agents, with each master
    int rounds = 2;                 // of three masters, the last needs no successor
};

// What the three moments are taken of. Any thread.
struct Moments {
    std::mutex mutex;
    std::uint64_t epoch = 0;            // counted from here: what leaders of lower ones said is no news
    Time launched{};                    // the first in this epoch
    std::map<std::uint32_t, Time> back; // each agent's first registration in it

    void begin(std::uint64_t above) {
        const std::lock_guard lock(mutex);
        epoch = above;
        launched = {};
        back.clear();
    }
    std::pair<Time, std::size_t> now() {
        const std::lock_guard lock(mutex);
        return {launched, back.size()};
    }
    Time last() {
        const std::lock_guard lock(mutex);
        Time last{};
        for (const auto& [agent, at] : back) last = std::max(last, at);
        return last;
    }
};

// Some agents that share connections: a dialer a master, a channel an agent.
class Group {
public:
    Group(const Flags& flags, std::uint32_t first, std::uint32_t count, Moments& moments)
        : first_(first), count_(count), moments_(moments), rng_(first + 1) {
        auto detector = makeDetector(flags.zk);
        if (!detector.ok()) fail(toStd(detector.status().message()));
        detector_ = *std::move(detector);
        for (std::uint32_t i = 0; i < count; ++i) agents_.push_back(std::make_unique<Agent>(rng_));
        thread_ = std::thread([this] { run(); });
    }
    ~Group() {
        stopping_ = true;
        thread_.join();
    }

private:
    struct Agent {
        explicit Agent(Rng& rng) : following(0, rng) {}
        Following following;
        AgentId id;
        std::uint64_t epoch = 0;
    };

    void run() {
        while (!stopping_) {
            std::vector<pollfd> waited = {{detector_->eventFd(), POLLIN, 0}};
            for (const auto& [link, dialer] : dialers_) waited.push_back({dialer->eventFd(), POLLIN, 0});
            Time wake = bootTime() + std::chrono::milliseconds(100);
            for (const auto& agent : agents_) {
                if (const auto next = agent->following.nextDeadline()) wake = std::min(wake, *next);
            }
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - bootTime()).count();
            (void)::poll(waited.data(), waited.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
            if (const auto masters = detector_->take()) see(*masters);
            for (const auto& [link, dialer] : dialers_) {
                for (DialerArrival& arrival : dialer->take()) {
                    const std::uint32_t channel = std::visit([](const auto& one) { return one.channel; }, arrival);
                    std::vector<DialerArrival> told;
                    agents_[channel]->following.on(link, std::move(arrival), bootTime(), told);
                    hear(channel, told);
                }
            }
            for (std::uint32_t i = 0; i < count_; ++i) {
                std::vector<DialerArrival> told;
                agents_[i]->following.wake(bootTime(), told);
                hear(i, told);
            }
        }
    }

    // A master that starts over is another one.
    void see(const Masters& masters) {
        for (const MasterInfo& master : masters.all) {
            if (links_.contains(master.id)) continue;
            links_[master.id] = ++last_link_;
            dialers_[last_link_] = bench::dial(master.wireAddress(), count_);
        }
    }

    void hear(std::uint32_t channel, const std::vector<DialerArrival>& told) {
        Agent& agent = *agents_[channel];
        for (const DialerArrival& arrival : told) {
            if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
                agent.epoch = connected->epoch;
                for (const auto& [link, dialer] : dialers_) dialer->raiseEpoch(connected->epoch);
                agent_says::Register message;
                message.info.id = agent.id;
                message.info.hostname = concat("host", first_ + channel);
                message.info.address = {"127.0.0.1", 5051};
                message.info.resources = Resources::cpusMem(16, 65536);
                message.incarnation = {"boot", concat("work", first_ + channel)};
                say(agent, channel, message);
            } else if (const auto* message = std::get_if<dialed::Message>(&arrival)) {
                auto said = decodeToAgent(*message->body);
                if (!said.ok()) fail(toStd(said.status().message()));
                if (const auto* registered = std::get_if<master_says::Registered>(&*said)) {
                    agent.id = registered->id;
                    const std::lock_guard lock(moments_.mutex);
                    if (agent.epoch > moments_.epoch) moments_.back.try_emplace(first_ + channel, bootTime());
                } else if (const auto* launch = std::get_if<master_says::Launch>(&*said)) {
                    finish(agent, channel, *launch);
                } else if (const auto* refused = std::get_if<master_says::Refused>(&*said)) {
                    fail(concat("an agent is refused: ", refused->reason));
                }
            }
        }
    }

    void finish(Agent& agent, std::uint32_t channel, const master_says::Launch& launch) {
        {
            const std::lock_guard lock(moments_.mutex);
            if (agent.epoch > moments_.epoch && moments_.launched == Time{}) moments_.launched = bootTime();
        }
        agent_says::StatusUpdate update;
        update.framework = launch.framework.id;
        update.status.task = launch.task.id;
        update.status.agent = agent.id;
        update.status.state = TaskState::kFinished;
        update.status.source = StatusSource::kAgent;
        update.status.uuid.emplace().fill(static_cast<std::uint8_t>(++updates_));
        update.latest = TaskState::kFinished;
        say(agent, channel, update);
    }

    void say(const Agent& agent, std::uint32_t channel, const FromAgent& message) {
        const auto way = agent.following.wayOf(agent.following.session());
        if (way) dialers_.at(way->link)->sendIn(way->session, makeBody(encode(message)), channel);
    }

    const std::uint32_t first_;
    const std::uint32_t count_;
    Moments& moments_;
    Rng rng_;
    std::unique_ptr<Detector> detector_;
    std::vector<std::unique_ptr<Agent>> agents_;
    std::map<std::string, Following::Link> links_; // by master
    std::map<Following::Link, std::unique_ptr<Dialer>> dialers_;
    Following::Link last_link_ = 0;
    std::uint64_t updates_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

// Wants one task's place, and the next when that task has ended.
class OneByOne : public sdk::Scheduler {
public:
    void subscribed(sdk::Driver& driver, const event::Subscribed&) override { ask(driver); }
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration{0};
            if (std::exchange(wants_, false)) {
                TaskInfo task;
                task.id = TaskId(concat("t", ++tasks_));
                task.name = "nothing";
                task.agent = offer.agent;
                task.resources = shape_;
                TaskSpec spec;
                spec.command.shell = "true";
                task.body = makeTaskBody(spec);
                accept.launches.push_back(std::move(task));
                driver.setDemands({}).IgnoreError();
            }
            driver.accept(std::move(accept)).IgnoreError();
        }
    }
    void update(sdk::Driver& driver, const TaskStatus& status) override {
        if (isTerminal(status.state)) ask(driver);
    }
    void error(sdk::Driver&, const std::string& message) override { fail(concat("the framework hears: ", message)); }

private:
    const Resources shape_ = Resources::cpusMem(1, 32);

    void ask(sdk::Driver& driver) {
        wants_ = true;
        bench::want(driver, "one", shape_, 1);
    }
    bool wants_ = false;
    std::uint64_t tasks_ = 0;
};

void waitUntil(std::string_view what, auto done) { bench::waitUntil(what, kPatience, 1, done); }

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

double worst(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

// Of the master with this HTTP port, as its cluster knows it now.
pid_t pidOf(const Flags& flags, std::uint16_t port) {
    for (const std::string& master : flags.masters) {
        const std::size_t colon = master.find(':');
        if (std::stoi(master) == port) return std::stoi(master.substr(colon + 1));
    }
    fail(concat("no master has the port ", port));
}

int run(int argc, char** argv) {
    Flags flags;
    CLI::App app("What a leader's death costs a cluster of many agents.");
    app.add_option("--zk", flags.zk, "where the masters are elected")->required();
    app.add_option("--master", flags.masters, "HTTP-PORT:PID of each master; each dies once at most")->required();
    app.add_option("--agents", flags.agents, "how many")->check(CLI::Range(1, 10'000))->capture_default_str();
    app.add_option("--connections", flags.connections, "of all agents, with each master")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    app.add_option("--rounds", flags.rounds, "deaths")->check(CLI::Range(1, 2))->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    Moments moments;
    [[maybe_unused]] const auto groups = // they play until they go
        bench::inGroups<Group>(flags.agents, flags.connections, [&](std::uint32_t first, std::uint32_t count) {
            return std::make_unique<Group>(flags, first, count, moments);
        });
    OneByOne scheduler;
    [[maybe_unused]] const auto driver = bench::drive(flags.zk, "one by one", scheduler);
    const auto all_well = [&] { return moments.now().second == flags.agents && moments.now().first != Time{}; };
    waitUntil("all agents and the first launch", all_well);

    auto detector = makeDetector(flags.zk);
    if (!detector.ok()) fail(toStd(detector.status().message()));
    Masters masters;
    const auto look = [&] {
        if (auto now = (*detector)->take()) masters = *std::move(now);
        return masters.leader() != nullptr && masters.leader()->epoch > 0;
    };
    std::vector<double> noticed, launched, all_back;
    for (int round = 0; round < flags.rounds; ++round) {
        waitUntil("a leader", look);
        // A death so soon after the last would have everybody come back more slowly: that is for masters that keep dying.
        std::this_thread::sleep_for(Following::Options().soon + std::chrono::seconds(1));
        const MasterInfo leader = *masters.leader();
        moments.begin(leader.epoch);
        const Time death = bootTime();
        if (::kill(pidOf(flags, leader.http_port), SIGKILL) != 0) fail("the leader is not there to be killed");
        waitUntil("the leader's session to expire", [&] {
            look();
            return masters.leader() == nullptr || masters.leader()->id != leader.id;
        });
        const Time expiry = bootTime();
        waitUntil("all agents to come back, and a launch", all_well);
        noticed.push_back(milliseconds(expiry - death));
        launched.push_back(milliseconds(moments.now().first - expiry));
        all_back.push_back(milliseconds(moments.last() - expiry));
    }
    std::printf(
        "%5u agents: session expired %5.0f ms after the leader's death; from then to the next launch %5.0f ms, to "
        "the last agent's return %5.0f ms (the worst of %d)\n",
        flags.agents, worst(noticed), worst(launched), worst(all_back), flags.rounds);
    std::fflush(nullptr);
    std::_Exit(0);
}

} // namespace
} // namespace stoa

int main(int argc, char** argv) { return stoa::run(argc, argv); }
