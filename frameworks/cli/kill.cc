// `stoa kill`: ends jobs.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

namespace stoa::cli {

namespace {

int killJobs(const Context& context, const std::vector<std::string>& which) {
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    int code = 0;
    for (const std::string& text : which) {
        absl::StatusOr<JobOrTask> which_one = parseJobOrTask(text);
        if (!which_one.ok()) return fail(which_one.status(), kUsage);
        const std::string tasks = which_one->task ? concat("{\"tasks\": \"", *which_one->task, "\"}") : "";
        if (absl::Status status = batch->cancel(which_one->job, tasks); !status.ok()) code = fail(status);
    }
    return code;
}

} // namespace

void addKill(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("kill", "cancel jobs: what runs is killed, what waits is dropped");
    command->footer(
        "Returns when the queue has it on disk; `stoa wait` waits for the end.\n\nExample:\n  stoa kill 12 13/4");
    auto which = std::make_shared<std::vector<std::string>>();
    command->add_option("job", *which, "the jobs' numbers, or JOB/INDEX for one task of an array")->required();
    command->callback([which, &context] { context.exit_code = killJobs(context, *which); });
}

} // namespace stoa::cli
