// The master's core alone: how many tasks a second it takes from a framework's wish to the acknowledged end, on one
// thread, and how much memory it keeps for an agent and for a task. Agents and frameworks are played in this process and
// are not timed; neither are encoding, sessions, sockets and the registry, which the core does not do.
//
//     build/bench/core_bench [--agents=1000] [--frameworks=10] [--tasks=100000] [--batch=100] [--cpus=16]
#include "master/core/master.h"
#include "master/core/tasks.h"
#include "protocol/codec/task_body.h"

#include <CLI/CLI.hpp>

#include <malloc.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stoa::master {
namespace {

struct Sizes {
    std::uint32_t agents = 1'000;
    std::uint32_t frameworks = 10;
    std::uint32_t tasks = 100'000;
    std::uint32_t batch = 100; // inputs that the core is given between two rounds of offers, as a busy daemon does
    std::uint32_t cpus = 16;   // of an agent; a task takes one
};

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "core_bench: %s\n", why.c_str());
    std::exit(1);
}

std::int64_t cpuNanos() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// All that malloc has given out, large pieces too.
double heapBytes() {
    const struct mallinfo2 info = ::mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd);
}

TaskSpec specOf(std::uint64_t number) {
    TaskSpec spec;
    spec.command.argv = {"/bin/true"};
    spec.command.environment = {{"STOA_JOB", "1"},
                                {"STOA_TASK_INDEX", std::to_string(number)},
                                {"STOA_TASK_COUNT", "1000000"},
                                {"STOA_ATTEMPT", "1"}};
    return spec;
}

// The master, and everybody who speaks with it.
class Played {
public:
    // `lasting`: tasks run and never end.
    Played(const Sizes& sizes, bool lasting)
        : sizes_(sizes), lasting_(lasting),
          master_(std::make_unique<Master>(Options{}, Recovered{}, now_, WallTime{})) {}

    void registerAgents() {
        for (std::uint32_t i = 0; i < sizes_.agents; ++i) {
            AgentInfo info;
            info.hostname = "host" + std::to_string(i) + ".example.org";
            info.address = {info.hostname, 5051};
            info.resources =
                *Resources::parse("cpus:" + std::to_string(sizes_.cpus) + ";mem:65536;disk:100000;ports:[31000-32000]");
            info.isolation = "oci/crun";
            info.version = "1.0";
            pending_.push_back(
                AgentMessage{Peer{1} + i, agent_says::Register{info, {"boot", "work" + std::to_string(i)}, {}, {}}});
        }
        play([] { return false; });
        if (master_->agents().size() != sizes_.agents) fail("not all agents were admitted");
    }

    // Frameworks, each of which wants its share of the tasks; until all have ended, or run.
    void runTasks() {
        for (std::uint32_t i = 0; i < sizes_.frameworks; ++i) {
            FrameworkInfo info;
            info.name = "framework" + std::to_string(i);
            info.failover_timeout = std::chrono::hours(1);
            pending_.push_back(FrameworkCall{firstFramework() + i, FrameworkId(), call::Subscribe{info, {"*"}}});
        }
        play([] { return false; });
        for (std::uint32_t i = 0; i < sizes_.frameworks; ++i) {
            Demand demand;
            demand.name = "work";
            demand.shape = Resources::cpusMem(1, 128);
            demand.count = sizes_.tasks / sizes_.frameworks + (i < sizes_.tasks % sizes_.frameworks ? 1 : 0);
            const Peer peer = firstFramework() + i;
            pending_.push_back(FrameworkCall{peer, ids_.at(peer), call::SetDemands{{demand}}});
            pending_.push_back(FrameworkCall{peer, ids_.at(peer), call::Revive{{"*"}}});
        }
        nanos_ = 0;
        inputs_ = 0;
        play([this] { return done_ == sizes_.tasks; });
        if (done_ != sizes_.tasks) fail(std::to_string(sizes_.tasks - done_) + " tasks were never offered a place");
        const std::size_t left = lasting_ ? sizes_.tasks : 0;
        if (master_->tasks().size() != left) fail("the core knows another number of tasks than there are");
    }

    double seconds() const { return static_cast<double>(nanos_) / 1e9; }
    std::uint64_t inputs() const { return inputs_; }
    const Counters& counters() const { return master_->counters(); }

private:
    Peer firstFramework() const { return Peer{1} + sizes_.agents; }

    // Feeds what is pending, and what is said in answer, until `enough`, or until nobody has anything to say.
    template <class Enough>
    void play(Enough enough) {
        std::vector<Input> inputs;
        while (!enough()) {
            if (pending_.empty()) {
                const std::optional<Time> deadline = master_->nextDeadline();
                if (!deadline || !waited_on_ || *deadline > now_ + std::chrono::seconds(1)) return;
                now_ = std::max(now_, *deadline);
                pending_.push_back(Wake{});
            }
            inputs.clear();
            for (; !pending_.empty() && inputs.size() < sizes_.batch; pending_.pop_front()) {
                inputs.push_back(std::move(pending_.front()));
            }
            now_ += std::chrono::milliseconds(1);
            inputs_ += inputs.size();

            Output output;
            std::int64_t start = cpuNanos();
            for (const Input& input : inputs) master_->step(input, now_, WallTime{}, output);
            master_->turn(now_, WallTime{}, output);
            nanos_ += cpuNanos() - start;
            for (Output::Said& said : output.effects) hear(said.effect);
            start = cpuNanos();
            output = {};
            nanos_ += cpuNanos() - start;
        }
    }

    void hear(const Effect& effect) {
        if (const auto* to_agent = std::get_if<ToAgentPeer>(&effect)) {
            std::visit([&](const auto& message) { onAgent(to_agent->peer, message); }, to_agent->message);
        } else if (const auto* to_framework = std::get_if<ToFrameworkPeer>(&effect)) {
            std::visit([&](const auto& event) { onFramework(to_framework->peer, event); }, to_framework->event);
        } else if (const auto* close = std::get_if<ClosePeer>(&effect)) {
            fail("the core closes a session: " + close->why);
        }
    }

    // ---- An agent: a task starts, runs, ends, each told once the last was acknowledged, as real agents do.

    void update(Peer agent, const FrameworkId& framework, const TaskId& task, std::uint64_t number, TaskState state) {
        TaskStatus status;
        status.task = task;
        status.state = state;
        status.source = StatusSource::kAgent;
        status.timestamp = {1};
        status.pid = 1234;
        status.start_time = 5678;
        status.isolation = "oci/crun";
        Uuid uuid{};
        std::memcpy(uuid.data(), &number, sizeof number);
        uuid[15] = static_cast<std::uint8_t>(state);
        status.uuid = uuid;
        pending_.push_back(AgentMessage{agent, agent_says::StatusUpdate{framework, std::move(status), state}});
    }
    void onAgent(Peer agent, const master_says::Launch& launch) {
        update(agent, launch.framework.id, launch.task.id, ++numbers_, TaskState::kStarting);
    }
    void onAgent(Peer agent, const master_says::AcknowledgeUpdate& acknowledged) {
        std::uint64_t number = 0;
        std::memcpy(&number, acknowledged.uuid.data(), sizeof number);
        switch (static_cast<TaskState>(acknowledged.uuid[15])) {
        case TaskState::kStarting:
            return update(agent, acknowledged.framework, acknowledged.task, number, TaskState::kRunning);
        case TaskState::kRunning:
            if (!lasting_)
                return update(agent, acknowledged.framework, acknowledged.task, number, TaskState::kFinished);
            break;
        default: break;
        }
        ++done_;
    }
    void onAgent(Peer, const master_says::Refused& refused) { fail("an agent is refused: " + refused.reason); }
    template <class Message>
    void onAgent(Peer, const Message&) {}

    // ---- A framework: fills what it is offered, acknowledges what it is told.

    void onFramework(Peer peer, const event::Subscribed& subscribed) {
        ids_[peer] = subscribed.framework;
        waited_on_ = true;
    }
    void onFramework(Peer peer, const event::Offers& offers) {
        for (const Offer& offer : offers.offers) {
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration{0};
            for (std::uint32_t i = 0; i < offer.count; ++i) {
                const std::string number = std::to_string(++launched_);
                accept.launches.push_back({TaskId("1-" + number + "-1"), "true[" + number + "]", offer.agent,
                                           ExecutorId(), Resources::cpusMem(1, 128), makeTaskBody(specOf(launched_))});
            }
            pending_.push_back(FrameworkCall{peer, ids_.at(peer), std::move(accept)});
        }
    }
    void onFramework(Peer peer, const event::Update& update) {
        if (update.status.state == TaskState::kError || update.status.state == TaskState::kDropped)
            fail("a task is refused: " + update.status.message);
        pending_.push_back(FrameworkCall{
            peer, ids_.at(peer), call::Acknowledge{update.status.agent, update.status.task, *update.status.uuid}});
    }
    void onFramework(Peer, const event::Error& error) { fail("a framework hears: " + error.message); }
    template <class Event>
    void onFramework(Peer, const Event&) {}

    const Sizes& sizes_;
    const bool lasting_;
    Time now_{std::chrono::hours(1)};
    std::unique_ptr<Master> master_;
    std::deque<Input> pending_;
    std::unordered_map<Peer, FrameworkId> ids_;
    bool waited_on_ = false; // there are frameworks, which may be offered something later
    std::uint64_t numbers_ = 0;
    std::uint64_t launched_ = 0;
    std::uint32_t done_ = 0;
    std::uint64_t inputs_ = 0;
    std::int64_t nanos_ = 0;
};

void speed(const Sizes& sizes) {
    Played played(sizes, false);
    played.registerAgents();
    played.runTasks();
    const double per_task = played.seconds() / sizes.tasks;
    std::printf("%u tasks on %u agents by %u frameworks: %.0f tasks/s of one thread's processor time, %.1f us a task, "
                "%.1f inputs and %.2f offers a task\n",
                sizes.tasks, sizes.agents, sizes.frameworks, 1 / per_task, per_task * 1e6,
                static_cast<double>(played.inputs()) / sizes.tasks,
                static_cast<double>(played.counters().offers_made) / sizes.tasks);
}

void memory(Sizes sizes) {
    sizes.tasks = std::min(sizes.tasks, sizes.agents * sizes.cpus);
    double before = heapBytes();
    std::vector<Body> bodies;
    bodies.reserve(sizes.tasks);
    for (std::uint32_t i = 0; i < sizes.tasks; ++i) bodies.push_back(makeTaskBody(specOf(i)));
    const double body = (heapBytes() - before) / sizes.tasks;
    bodies = {};

    Played played(sizes, true);
    before = heapBytes();
    played.registerAgents();
    const double agents = heapBytes() - before;
    std::printf("%u agents: %.0f bytes each\n", sizes.agents, agents / sizes.agents);
    before = heapBytes();
    played.runTasks();
    const double task = (heapBytes() - before) / sizes.tasks;
    std::printf("%u running tasks: %.0f bytes each, and %.0f for what each carries along (command, environment)\n",
                sizes.tasks, task - body, body);
}

int run(int argc, char** argv) {
    Sizes sizes;
    CLI::App app("The master's core alone: its speed and its memory.");
    app.add_option("--agents", sizes.agents, "agents")->check(CLI::Range(1, 200'000))->capture_default_str();
    app.add_option("--frameworks", sizes.frameworks, "frameworks")->check(CLI::Range(1, 10'000))->capture_default_str();
    app.add_option("--tasks", sizes.tasks, "tasks in all")->check(CLI::Range(1, 10'000'000))->capture_default_str();
    app.add_option("--batch", sizes.batch, "inputs between two rounds of offers")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    app.add_option("--cpus", sizes.cpus, "processors of an agent; a task takes one")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    speed(sizes);
    memory(sizes);
    return 0;
}

} // namespace
} // namespace stoa::master

int main(int argc, char** argv) { return stoa::master::run(argc, argv); }
