// `stoa wait`: until jobs have ended, with their progress on a terminal.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

namespace stoa::cli {

namespace {

constexpr int kRedrawMilliseconds = 100;

std::string progressOf(const Json& job) {
    const Json& in = at(job, "tasks_in");
    const auto count = std::max<std::int64_t>(1, integerAt(job, "count"));
    const std::int64_t done = integerAt(in, "succeeded");
    constexpr std::int64_t kWidth = 30;
    const auto filled = static_cast<std::size_t>(done * kWidth / count);
    std::string bar(filled, '#');
    bar.resize(kWidth, '.');
    std::string text = concat("job ", integerAt(job, "job"), " ", textAt(job, "name"), " [", bar, "] ", done, "/",
                              count, " ", textAt(job, "state"));
    const std::int64_t running = integerAt(in, "running") + integerAt(in, "launched");
    if (running > 0) text += concat(", ", running, " running");
    if (const std::int64_t failed = integerAt(in, "failed"); failed > 0) text += concat(", ", failed, " failed");
    return text;
}

// Returns the job's end.
absl::StatusOr<rapidjson::Document> follow(const BatchClient& batch, batch::JobNumber number, bool draw) {
    std::int64_t version = -1;
    for (;;) {
        absl::StatusOr<rapidjson::Document> answer = batch.job(number, 0, 1, version);
        if (!answer.ok()) return answer.status();
        const Json& job = at(*answer, "job");
        version = integerAt(job, "version");
        if (draw) std::cerr << "\r\033[K" << progressOf(job) << (isFinal(job) ? "\n" : "") << std::flush;
        if (isFinal(job)) return answer;
        ::poll(nullptr, 0, kRedrawMilliseconds); // many tasks end in this time; one look is enough
    }
}

} // namespace

int waitForJobs(const BatchClient& batch, const std::vector<batch::JobNumber>& jobs, const WaitOptions& options) {
    int code = 0;
    for (batch::JobNumber number : jobs) {
        absl::StatusOr<rapidjson::Document> end = follow(batch, number, !options.quiet && !options.json && ::isatty(2));
        if (!end.ok()) return fail(end.status());
        const Json& job = at(*end, "job");
        if (options.json) std::cout << pretty(*end) << "\n";
        const int own = exitCodeOf(job);
        if (own == 0) continue;
        if (code == 0) code = own;
        if (!options.json && !options.quiet) {
            std::string why = textAt(job, "why");
            const auto tasks = listAt(job, "tasks");
            if (why.empty() && integerAt(job, "count") == 1 && !tasks.Empty()) why = textAt(tasks[0], "why");
            std::cerr << "stoa: job " << number << " " << textAt(job, "state") << (why.empty() ? "" : ": ") << why
                      << "; see stoa job " << number << "\n";
        }
    }
    return code;
}

namespace {

int waitFor(const Context& context, const std::vector<std::string>& which, bool quiet) {
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    std::vector<batch::JobNumber> numbers;
    for (const std::string& text : which) {
        absl::StatusOr<batch::JobNumber> number = parseJob(text);
        if (!number.ok()) return fail(number.status(), kUsage);
        numbers.push_back(*number);
    }
    return waitForJobs(*batch, numbers, {quiet, context.json});
}

} // namespace

void addWait(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("wait", "wait until jobs have ended");
    command->footer("The exit code is 0 when all succeeded; else that of the first that did not: its command's own "
                    "when it has one\n"
                    "task, 1 otherwise.\n\nExample:\n  stoa wait $(stoa submit -- make test)");
    auto which = std::make_shared<std::vector<std::string>>();
    auto quiet = std::make_shared<bool>(false);
    command->add_option("job", *which, "the jobs' numbers")->required();
    command->add_flag("--quiet", *quiet, "show nothing");
    command->callback([which, quiet, &context] { context.exit_code = waitFor(context, *which, *quiet); });
}

} // namespace stoa::cli
