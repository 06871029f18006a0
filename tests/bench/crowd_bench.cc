// A whole cluster's agents and frameworks around one real master, played over real sockets: so many agents, as sessions
// that share connections; a framework that keeps so many tasks running, of which some end in each second and are
// replaced; and another that launches one task after the other and takes the time. For tests/bench/page.sh and readers.sh,
// which look at the master meanwhile.
//
//     build/bench/crowd_bench --master=127.0.0.1:5052 [--agents=10000] [--tasks=100000]
//
// Says "ready" when all tasks run, and then does what it is told by lines on its standard input, until that ends:
//     changes N    from now on, N tasks end in a second -> "changing"
//     trips N      for N seconds tasks one by one, each from the wish to the end's being told
//                  -> "trips COUNT P50 P90 P99 WORST", milliseconds
#include "frameworks/sdk/driver.h"
#include "protocol/boot_clock.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/task_body.h"
#include "protocol/strings.h"
#include "protocol/wire/dialer.h"
#include "tests/bench/players.h"

#include <CLI/CLI.hpp>

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stoa {
namespace {

using bench::fail;

constexpr Duration kPatience = std::chrono::minutes(5); // for all tasks to run
constexpr int kLookEvery = 20;                          // ms
constexpr Duration kBeat = std::chrono::milliseconds(50);
constexpr std::string_view kNothing = "nothing"; // the name of tasks that end at once

struct Flags {
    std::string master;
    std::uint32_t agents = 10'000;
    std::uint32_t tasks = 100'000;
    std::uint32_t connections = 8; // of all agents
};

struct Counts {
    std::atomic<std::uint32_t> registered{0};
    std::atomic<std::uint64_t> running{0}; // that were ever told to run
    std::atomic<std::uint32_t> changes{0}; // in a second
};

// Some agents that share a connection: a channel each. Their tasks start, run and end as a real agent tells it, each
// status when the one before is acknowledged.
class Group {
public:
    Group(const Flags& flags, std::uint32_t first, std::uint32_t count, Counts& counts)
        : flags_(flags), first_(first), count_(count), counts_(counts), ids_(count),
          dialer_(bench::dial(flags.master, count)) {
        thread_ = std::thread([this] { run(); });
    }
    ~Group() {
        stopping_ = true;
        thread_.join();
    }

private:
    struct Task {
        std::uint32_t channel = 0;
        FrameworkId framework;
        TaskId id;
    };

    void run() {
        const std::int64_t cpus = std::max<std::int64_t>(4, 2 * std::int64_t{flags_.tasks} / flags_.agents);
        resources_ =
            *Resources::parse(concat("cpus:", cpus, ";mem:", cpus * 2048, ";disk:1000000;ports:[31000-32000]"));
        Time beat = bootTime() + kBeat;
        while (!stopping_) {
            pollfd waited{dialer_->eventFd(), POLLIN, 0};
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(beat - bootTime()).count();
            (void)::poll(&waited, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
            for (const DialerArrival& arrival : dialer_->take()) hear(arrival);
            if (bootTime() < beat) continue;
            beat += kBeat;
            owed_ += counts_.changes * std::chrono::duration<double>(kBeat).count() * count_ / flags_.agents;
            for (; owed_ >= 1 && !running_.empty(); --owed_) {
                tell(running_.front(), TaskState::kFinished);
                tasks_.erase(running_.front());
                running_.pop_front();
            }
        }
    }

    void hear(const DialerArrival& arrival) {
        const std::uint32_t channel = std::visit([](const auto& one) { return one.channel; }, arrival);
        if (std::holds_alternative<dialed::Connected>(arrival)) {
            agent_says::Register message;
            message.info.hostname = concat("host", first_ + channel, ".example.org");
            message.info.address = {message.info.hostname, 5051};
            message.info.resources = resources_;
            message.info.isolation = "oci/crun";
            message.info.version = "1.0";
            message.incarnation = {"boot", concat("work", first_ + channel)};
            dialer_->send(encode(FromAgent(message)), channel);
        } else if (const auto* gone = std::get_if<dialed::Gone>(&arrival)) {
            fail(concat("an agent's session ended: ", gone->why));
        } else if (const auto* message = std::get_if<dialed::Message>(&arrival)) {
            auto said = decodeToAgent(*message->body);
            if (!said.ok()) fail(toStd(said.status().message()));
            std::visit([&](const auto& one) { on(channel, one); }, *said);
        }
    }

    void on(std::uint32_t channel, const master_says::Registered& registered) {
        if (ids_[channel].empty()) ++counts_.registered;
        ids_[channel] = registered.id;
    }
    void on(std::uint32_t channel, const master_says::Launch& launch) {
        tasks_[++last_] = {channel, launch.framework.id, launch.task.id};
        if (launch.task.name != kNothing) return tell(last_, TaskState::kStarting);
        tell(last_, TaskState::kFinished);
        tasks_.erase(last_);
    }
    void on(std::uint32_t, const master_says::AcknowledgeUpdate& acknowledged) {
        std::uint64_t number = 0;
        std::memcpy(&number, acknowledged.uuid.data(), sizeof number);
        const auto state = static_cast<TaskState>(acknowledged.uuid[15]);
        if (state == TaskState::kStarting) {
            tell(number, TaskState::kRunning);
        } else if (state == TaskState::kRunning) {
            running_.push_back(number);
            ++counts_.running;
        }
    }
    void on(std::uint32_t, const master_says::Refused& refused) {
        fail(concat("an agent is refused: ", refused.reason));
    }
    template <class Message>
    void on(std::uint32_t, const Message&) {}

    void tell(std::uint64_t number, TaskState state) {
        const Task& task = tasks_.at(number);
        agent_says::StatusUpdate update;
        update.framework = task.framework;
        TaskStatus& status = update.status;
        status.task = task.id;
        status.agent = ids_[task.channel];
        status.state = update.latest = state;
        status.source = StatusSource::kAgent;
        status.timestamp = wallTime();
        status.isolation = "oci/crun";
        if (state != TaskState::kStarting) {
            status.pid = static_cast<pid_t>(1000 + number % 30000);
            status.start_time = 100'000 + number;
        }
        if (isTerminal(state)) status.outcome.wait_status = 0;
        Uuid uuid{};
        std::memcpy(uuid.data(), &number, sizeof number);
        std::memcpy(uuid.data() + 8, &first_, sizeof first_);
        uuid[15] = static_cast<std::uint8_t>(state);
        status.uuid = uuid;
        dialer_->send(encode(FromAgent(update)), task.channel);
    }

    const Flags& flags_;
    const std::uint32_t first_;
    const std::uint32_t count_;
    Counts& counts_;
    Resources resources_;
    std::vector<AgentId> ids_;
    std::unique_ptr<Dialer> dialer_;
    std::unordered_map<std::uint64_t, Task> tasks_;
    std::deque<std::uint64_t> running_; // the oldest first
    std::uint64_t last_ = 0;
    double owed_ = 0;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

TaskInfo taskFor(const Offer& offer, const Resources& shape, std::uint64_t number, std::string_view name) {
    TaskSpec spec;
    spec.command.argv = {"/usr/bin/simulate", "--input", concat("part-", number)};
    spec.command.environment = {{"STOA_JOB", std::to_string(number / 1000)},
                                {"STOA_TASK_INDEX", std::to_string(number % 1000)},
                                {"STOA_TASK_COUNT", "1000"},
                                {"STOA_ATTEMPT", "1"}};
    TaskInfo task;
    task.id = TaskId(concat(number / 1000, "-", number % 1000, "-1"));
    task.name = std::string(name);
    task.agent = offer.agent;
    task.resources = shape;
    task.body = makeTaskBody(spec);
    return task;
}

// Keeps so many tasks running.
class Crowd : public sdk::Scheduler {
public:
    explicit Crowd(std::uint32_t tasks) : missing_(tasks) {}
    void subscribed(sdk::Driver& driver, const event::Subscribed&) override { ask(driver); }
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration{0};
            for (std::uint32_t i = 0; i < offer.count && missing_ > 0; ++i, --missing_) {
                ++last_;
                accept.launches.push_back(taskFor(offer, shape_, last_, concat("simulation ", last_ / 1000)));
            }
            driver.accept(std::move(accept)).IgnoreError();
        }
    }
    void update(sdk::Driver& driver, const TaskStatus& status) override {
        if (!isTerminal(status.state)) return;
        if (status.state != TaskState::kFinished) fail(concat("a task is lost: ", status.message));
        if (missing_++ == 0) driver.wakeAt(driver.now() + kBeat);
    }
    void woken(sdk::Driver& driver, Time) override {
        ask(driver);
        if (missing_ > 0) driver.wakeAt(driver.now() + kBeat);
    }
    void error(sdk::Driver&, const std::string& message) override { fail(concat("a framework hears: ", message)); }

private:
    const Resources shape_ = Resources::cpusMem(1, 1024);

    void ask(sdk::Driver& driver) const { bench::want(driver, "simulation", shape_, missing_); }
    std::uint32_t missing_; // of those wanted, how many were not launched
    std::uint64_t last_ = 0;
};

// Launches one task after the other and takes the time of each, from the wish to the end's being told.
class OneByOne : public sdk::Scheduler {
public:
    void subscribed(sdk::Driver&, const event::Subscribed&) override {
        const std::lock_guard lock(mutex_);
        subscribed_ = true;
        changed_.notify_all();
    }
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration{0};
            if (std::exchange(wants_, false)) accept.launches.push_back(taskFor(offer, shape_, ++last_, kNothing));
            driver.accept(std::move(accept)).IgnoreError();
        }
    }
    void update(sdk::Driver& driver, const TaskStatus& status) override {
        if (!isTerminal(status.state)) return;
        if (status.state != TaskState::kFinished) fail(concat("a task is lost: ", status.message));
        {
            const std::lock_guard lock(mutex_);
            times_.push_back(std::chrono::duration<double, std::milli>(bootTime() - asked_).count());
            if (bootTime() >= until_) {
                going_ = false;
                return changed_.notify_all();
            }
        }
        ask(driver);
    }
    void error(sdk::Driver&, const std::string& message) override { fail(concat("a framework hears: ", message)); }

    // Sorted.
    std::vector<double> trips(sdk::SchedulerDriver& driver, Duration duration) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return subscribed_; });
        times_.clear();
        until_ = bootTime() + duration;
        going_ = true;
        driver.post([this, &driver] {
            ask(driver);
            driver.revive({}).IgnoreError();
        });
        changed_.wait(lock, [&] { return !going_; });
        driver.suppress({}).IgnoreError(); // one that wants nothing in particular is offered whatever is free
        std::sort(times_.begin(), times_.end());
        return times_;
    }

private:
    const Resources shape_ = Resources::cpusMem(1, 32);

    void ask(sdk::Driver& driver) {
        asked_ = bootTime();
        wants_ = true;
        bench::want(driver, "one", shape_, 1);
    }
    // The driver's thread alone.
    Time asked_{};
    bool wants_ = false;
    std::uint64_t last_ = 0;
    std::mutex mutex_; // guards what follows
    std::condition_variable changed_;
    bool subscribed_ = false;
    bool going_ = false;
    Time until_{};
    std::vector<double> times_;
};

int run(int argc, char** argv) {
    Flags flags;
    CLI::App app("A whole cluster around one real master.");
    app.add_option("--master", flags.master, "its ZeroMQ door, host:port")->required();
    app.add_option("--agents", flags.agents, "agents")->check(CLI::Range(1, 200'000))->capture_default_str();
    app.add_option("--tasks", flags.tasks, "that run")->check(CLI::Range(1, 2'000'000))->capture_default_str();
    app.add_option("--connections", flags.connections, "of all agents")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    Counts counts;
    [[maybe_unused]] const auto groups = // they play until they go
        bench::inGroups<Group>(flags.agents, flags.connections, [&](std::uint32_t first, std::uint32_t count) {
            return std::make_unique<Group>(flags, first, count, counts);
        });
    bench::waitUntil("all agents", kPatience, kLookEvery, [&] { return counts.registered == flags.agents; });
    Crowd crowd(flags.tasks);
    [[maybe_unused]] const auto crowd_driver = bench::drive(flags.master, "crowd", crowd);
    bench::waitUntil("all tasks to run", kPatience, kLookEvery, [&] { return counts.running >= flags.tasks; });
    OneByOne one_by_one;
    const auto one_driver = bench::drive(flags.master, "one by one", one_by_one, {"*"});
    std::printf("ready\n");
    std::fflush(stdout);

    for (std::string line; std::getline(std::cin, line);) {
        std::uint32_t number = 0;
        if (std::sscanf(line.c_str(), "changes %u", &number) == 1) {
            counts.changes = number;
            std::printf("changing\n");
        } else if (std::sscanf(line.c_str(), "trips %u", &number) == 1 && number > 0) {
            const std::vector<double> times = one_by_one.trips(*one_driver, std::chrono::seconds(number));
            const auto at = [&](double part) {
                return times[std::min(times.size() - 1,
                                      static_cast<std::size_t>(part * static_cast<double>(times.size())))];
            };
            std::printf("trips %zu %.2f %.2f %.2f %.2f\n", times.size(), at(0.5), at(0.9), at(0.99), times.back());
        } else {
            fail(concat("\"", line, "\" is nothing that this program does"));
        }
        std::fflush(stdout);
    }
    std::fflush(nullptr);
    std::_Exit(0); // without taking leave of the master, who ends as well
}

} // namespace
} // namespace stoa

int main(int argc, char** argv) { return stoa::run(argc, argv); }
