// A whole cluster in one process and in virtual time, to test a framework's scheduler in: the shipped master, agents and
// driver core over a simulated network, disks and machines. No task is run; a script says how each one goes. An hour of
// the cluster takes milliseconds, and the same seed gives the same run.
//
//   testkit::Cluster cluster({.agents = 3});
//   testkit::Framework& hello = cluster.start<Hello>({.tasks = 5});
//   ASSERT_TRUE(cluster.runUntil([&] { return hello.count(TaskState::kRunning) == 5; })) << cluster.describe();
//   cluster.loseAgent(0);
//   ASSERT_TRUE(cluster.runUntil([&] { return hello.ended(); })) << cluster.describe();
//
// Faults come when the test asks for them. What must hold whatever happens (an offer is used once, no machine is
// overcommitted, a task's statuses come in a legal order …) is looked at after every step; the first that doesn't ends
// runUntil() and is in describe(). A framework that is told an error is such a thing.
//
// A scheduler under test takes the time from Driver::now(), starts no thread, and gets no readable(). Not for threads.
#pragma once

#include "frameworks/sdk/framework_state.h"
#include "frameworks/sdk/plugin_run.h"
#include "frameworks/sdk/scheduler.h"
#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace stoa::testkit {

// How a task goes.
struct Script {
    Duration run = std::chrono::seconds(1);
    int exit_code = 0;
    int signal = 0; // not 0: it ends by this signal instead
    bool out_of_memory = false;
    std::string fails_to_start = {}; // not empty: it never runs, for this reason
    bool ignores_sigterm = false;
};

// A framework's process: its scheduler's lives, and what is kept between them. Owned by the cluster.
class Framework {
public:
    virtual ~Framework() = default;

    // Empty before the first subscription, and after a teardown.
    virtual const FrameworkId& id() const = 0;
    virtual bool running() const = 0;
    // By teardown(), stop() or an error.
    virtual bool ended() const = 0;
    virtual bool tornDown() const = 0;
    virtual const std::string& error() const = 0; // what error() was told; empty: nothing

    // Of the present life, or of the last one.
    virtual sdk::Scheduler& scheduler() = 0;
    template <class S>
    S& as() {
        return dynamic_cast<S&>(scheduler());
    }
    virtual sdk::Driver& driver() = 0;
    virtual sdk::FrameworkState& state() = 0;

    // The last status that the scheduler was told of each task, over all lives.
    virtual const std::map<TaskId, TaskStatus>& tasks() const = 0;
    // How many of these are in this state now.
    virtual std::size_t count(TaskState state) const = 0;
    virtual std::size_t offersTold() const = 0;
    virtual std::size_t offersRescinded() const = 0;

    // As kill -9 does: memory is gone, id and state are kept.
    virtual void crash() = 0;
    // A new life, after a crash or an end.
    virtual void start() = 0;
    void restart() {
        crash();
        start();
    }
};

class Cluster {
public:
    struct Options {
        std::uint64_t seed = 1;
        std::size_t agents = 3;
        Resources each = Resources::cpusMem(4, 4096); // of each agent
        // A line for everything that happens goes here, with the virtual time.
        std::FILE* trace = nullptr;
    };

    Cluster();
    explicit Cluster(const Options& options);
    ~Cluster();
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    // Another agent; agents are numbered from 0.
    std::size_t addAgent(const Resources& resources, const Attributes& attributes = {});

    // Starts a framework, as `stoa framework run` would. The second form is for a scheduler that isn't made from
    // Options (plugin_run.h).
    template <class S>
    Framework& start(typename S::Options options = {}, const std::string& name = "framework") {
        return start(sdk::schedulerMaker<S>(std::move(options)), name);
    }
    Framework& start(sdk::MakeScheduler make, const std::string& name);

    // From the next launch on. Without one, every task runs for a second and ends with 0.
    void script(std::function<Script(const TaskId& task)> script);

    // ---- Time ----------------------------------------------------------------------------------------------------

    Time now() const;
    // Lets time pass; less when something that must hold doesn't.
    void advance(Duration length);
    // Until `holds` does. False: it did not within `most`, or something that must hold doesn't; describe() says which.
    bool runUntil(const std::function<bool()>& holds, Duration most = std::chrono::minutes(30));
    // What doesn't hold, or else what every part is at.
    std::string describe() const;

    // ---- What runs -----------------------------------------------------------------------------------------------

    std::size_t agents() const;
    std::size_t containers() const; // over all agents
    std::size_t containersOn(std::size_t agent) const;
    bool registered(std::size_t agent) const; // its process is up, and the master knows it

    // ---- Faults --------------------------------------------------------------------------------------------------

    // The machine is gone with what ran on it; after 75 s the master gives it up.
    void loseAgent(std::size_t agent);
    // It boots again, with its disk.
    void returnAgent(std::size_t agent);
    // The agent's process ends and starts again; its tasks go on.
    void restartAgent(std::size_t agent);
    void restartMaster(Duration down = std::chrono::seconds(2));
    // Every offer that stands is rescinded: each agent's process starts anew.
    void rescindOffers();
    // For so long nothing gets through between the framework and the master. After 15 s they notice.
    void cutOff(Framework& framework, Duration length);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace stoa::testkit
