// The batch queue alone, while many jobs wait in it: what it costs to take a job, to show a page of them, to carry a task
// from its offer to its end, and to begin again from what the disk holds. Processor time of this thread, with the
// records as they go to the store, but without disk, sockets and the HTTP door.
//
//     build/bench/queue_bench [--jobs=100000] [--tasks=20000] [--shapes=20]
#include "frameworks/batch/job_json.h"
#include "frameworks/batch/job_store.h"
#include "frameworks/batch/queue.h"

#include <CLI/CLI.hpp>

#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::batch {
namespace {

double cpuSeconds() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// The queue with what stands around it in the daemon, but for the disk.
class Bench {
public:
    Output step(const Input& input) {
        Output output;
        now_ += std::chrono::microseconds(100);
        queue_->step(input, now_, {now_.time_since_epoch().count() + 1}, output);
        changes_ += changesOf(output.records).size();
        for (const Record& record : output.records) keep(record);
        return output;
    }
    void restart() {
        std::vector<Record> records;
        for (const auto& [number, job] : jobs_) records.emplace_back(job);
        for (const auto& [ref, task] : tasks_) records.emplace_back(task);
        queue_ = std::make_unique<Queue>(Queue::Options{}, Recovered{std::move(records)});
    }
    Queue& queue() { return *queue_; }
    std::size_t changes() const { return changes_; }

private:
    void keep(const Record& record) {
        if (const auto* job = std::get_if<JobRecord>(&record)) jobs_[job->job] = *job;
        if (const auto* task = std::get_if<TaskRecord>(&record)) tasks_[task->task] = *task;
    }

    std::unique_ptr<Queue> queue_ = std::make_unique<Queue>(Queue::Options{}, Recovered{});
    Time now_{};
    std::size_t changes_ = 0;
    std::map<JobNumber, JobRecord> jobs_;
    std::map<TaskRef, TaskRecord> tasks_;
};

JobSpec jobOf(std::uint64_t number, std::uint64_t shapes) {
    JobSpec spec;
    spec.name = "bench";
    spec.command.argv = {"/bin/true"};
    spec.command.user = "jane";
    spec.command.environment = {{"PATH", "/usr/bin:/bin"}, {"HOME", "/home/jane"}};
    spec.work_directory = "/home/jane/experiment";
    spec.shape = Resources::cpusMem(1, 128.0 + static_cast<double>(number % shapes));
    spec.priority = static_cast<std::int32_t>(number % 7);
    return spec;
}

TaskStatus statusOf(const TaskInfo& task, TaskState state, std::uint64_t number) {
    TaskStatus status;
    status.task = task.id;
    status.agent = task.agent;
    status.state = state;
    status.uuid = Uuid{static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)};
    if (state == TaskState::kFinished) status.outcome.wait_status = 0;
    return status;
}

// One offer for the first demand, its tasks' updates and their acknowledgements. How many tasks that were.
std::uint64_t turn(Bench& bench, std::vector<Demand>& demands, std::uint64_t number) {
    Offer offer;
    offer.id = OfferId("o" + std::to_string(number));
    offer.agent = AgentId("a" + std::to_string(number % 100));
    offer.address = {"127.0.0.1", 5051};
    offer.demand = demands.front().name;
    offer.count = 8;
    offer.resources = demands.front().shape.times(8);
    std::vector<TaskInfo> launched;
    auto hear = [&](const Output& output) {
        for (const Output::Said& said : output.effects) {
            const auto* say = std::get_if<Say>(&said.effect);
            if (!say) continue;
            if (const auto* accept = std::get_if<call::Accept>(&say->call)) launched = accept->launches;
            if (const auto* stated = std::get_if<call::SetDemands>(&say->call)) demands = stated->demands;
        }
    };
    hear(bench.step(sdk::Told(event::Offers{{offer}})));
    for (const TaskInfo& task : std::vector<TaskInfo>(launched)) {
        for (TaskState state : {TaskState::kStarting, TaskState::kRunning, TaskState::kFinished}) {
            hear(bench.step(sdk::Told(event::Update{statusOf(task, state, number)})));
        }
    }
    return launched.size();
}

int run(int argc, char** argv) {
    std::uint64_t jobs = 100'000, tasks = 20'000, shapes = 20;
    CLI::App app("The batch queue alone.");
    app.add_option("--jobs", jobs, "that wait")->check(CLI::Range(1, 200'000))->capture_default_str();
    app.add_option("--tasks", tasks, "to run while they do")->check(CLI::Range(1, 200'000))->capture_default_str();
    app.add_option("--shapes", shapes, "of jobs")->check(CLI::Range(1, 10'000))->capture_default_str();
    CLI11_PARSE(app, argc, argv);
    tasks = std::min(tasks, jobs);

    Bench bench;
    event::Subscribed subscribed;
    subscribed.framework = FrameworkId("f");
    bench.step(sdk::Told(subscribed));
    std::vector<Demand> demands;
    auto report = [](const char* what, double seconds, std::uint64_t times) {
        std::printf("%-58s %9.1f µs\n", what, seconds * 1e6 / static_cast<double>(times));
    };
    auto submit = [&](std::uint64_t from, std::uint64_t to) {
        const double start = cpuSeconds();
        for (std::uint64_t i = from; i < to; ++i) {
            const Output output = bench.step(Submit{i + 1, jobOf(i, shapes)});
            for (const Output::Said& said : output.effects) {
                const auto* say = std::get_if<Say>(&said.effect);
                const auto* stated = say ? std::get_if<call::SetDemands>(&say->call) : nullptr;
                if (stated) demands = stated->demands;
            }
        }
        return cpuSeconds() - start;
    };
    const std::uint64_t first = std::max<std::uint64_t>(1, jobs / 100);
    report("submit, while few wait", submit(0, first), first);
    submit(first, jobs - std::min(first, jobs - first));
    report("submit, while nearly all wait", submit(jobs - std::min(first, jobs - first), jobs), std::min(first, jobs));

    auto list = [&](ListJobs page) {
        constexpr std::uint64_t kTimes = 20;
        const double start = cpuSeconds();
        for (std::uint64_t i = 0; i < kTimes; ++i) {
            page.request = 1'000'000 + i;
            const Output output = bench.step(page);
            for (const Output::Said& said : output.effects) {
                const auto* answer = std::get_if<Answer>(&said.effect);
                if (answer) static_cast<void>(toJson(std::get<answer::Jobs>(answer->content)).size());
            }
        }
        return (cpuSeconds() - start) / kTimes;
    };
    ListJobs page;
    report("list the newest 1,000, as JSON", list(page), 1);
    page.user = "nobody";
    report("list those of a user who has none (one page of looking)", list(page), 1);

    std::uint64_t done = 0, offers = 0;
    const double start = cpuSeconds();
    while (done < tasks && !demands.empty()) done += turn(bench, demands, ++offers);
    report("a task from offer to end", cpuSeconds() - start, std::max<std::uint64_t>(1, done));
    if (done < tasks) {
        std::fprintf(stderr, "queue_bench: only %llu tasks ran\n", static_cast<unsigned long long>(done));
        return 1;
    }
    const double restart = cpuSeconds();
    bench.restart();
    std::printf("%-58s %9.1f ms\n", "begin again with what is left", (cpuSeconds() - restart) * 1e3);
    std::printf("%zu jobs, %zu of them waiting, %zu rows written\n", bench.queue().jobCount(),
                static_cast<std::size_t>(jobs - done), bench.changes());
    return 0;
}

} // namespace
} // namespace stoa::batch

int main(int argc, char** argv) { return stoa::batch::run(argc, argv); }
