// Puts one array into a running cluster's batch queue and waits until the master has the acknowledgement of each task's
// terminal update. Prints the seconds from submission to then. scripts/bench starts the cluster and counts processor time.
//
//     build/bench/batch_bench --dir=DIR --tasks=N [--patience=SECONDS] -- COMMAND…
#include "frameworks/cli/batch_client.h"
#include "protocol/strings.h"
#include "tests/bench/metrics.h"

#include <CLI/CLI.hpp>

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace stoa {
namespace {

using bench::fail;
using Clock = std::chrono::steady_clock;

// So exact is the time that is printed; asking costs the master some 0.1 ms.
constexpr int kAskEveryMillis = 10;

struct Counts {
    double launched = 0;
    double unsettled = 0; // not ended, or the end not acknowledged
};

Counts counts(const std::string& master) {
    const std::string text = bench::metricsOf(master);
    return {bench::metric(text, "stoa_tasks_launched_total"), bench::metric(text, "stoa_tasks")};
}

int run(int argc, char** argv) {
    cli::Context context;
    std::uint32_t tasks = 1'000;
    double patience = 300;
    std::vector<std::string> command;
    CLI::App app("An array of tasks through the batch queue.");
    app.add_option("--dir", context.directory, "of a cluster that `stoa up` started")->required();
    app.add_option("--tasks", tasks, "in the array")->check(CLI::Range(1, 1'000'000))->capture_default_str();
    app.add_option("--patience", patience, "seconds")->capture_default_str();
    app.add_option("command", command, "behind --")->required();
    CLI11_PARSE(app, argc, argv);

    absl::StatusOr<cli::BatchClient> batch = cli::BatchClient::find(context);
    if (!batch.ok()) fail(toStd(batch.status().message()));
    const std::string master = batch->master().address().http;
    batch::JobSpec job;
    job.name = "bench";
    job.command.argv = command;
    job.shape = Resources::cpusMem(1, 16);
    job.array = true;
    job.count = tasks;
    const double launched_before = counts(master).launched;

    const auto start = Clock::now();
    absl::StatusOr<batch::JobNumber> number = batch->submit(job);
    if (!number.ok()) fail(toStd(number.status().message()));
    double seconds = 0;
    for (;;) {
        const Counts now = counts(master);
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
        if (now.launched - launched_before >= tasks && now.unsettled == 0) break;
        if (seconds > patience) fail("the job did not end in time");
        ::poll(nullptr, 0, kAskEveryMillis);
    }
    absl::StatusOr<rapidjson::Document> answer = batch->job(*number, 0, 1);
    if (!answer.ok()) fail(toStd(answer.status().message()));
    const cli::Json& end = cli::at(*answer, "job");
    if (cli::textAt(end, "state") != "succeeded")
        fail(concat("the job ", cli::textAt(end, "state"), ": ", cli::textAt(end, "why")));
    std::printf("%.4f\n", seconds);
    return 0;
}

} // namespace
} // namespace stoa

int main(int argc, char** argv) { return stoa::run(argc, argv); }
