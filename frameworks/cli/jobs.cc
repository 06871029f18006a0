// `stoa jobs`: the batch queue, or one job of it.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

namespace {

double seconds(const Json& job, const char* name) { return static_cast<double>(integerAt(job, name)) / 1e9; }

// "exit 1 ×3, lost ×1"
std::string reasonsOf(const Json& job) {
    std::string text;
    const Json& reasons = at(job, "reasons");
    if (!reasons.IsObject()) return text;
    for (const auto& member : reasons.GetObject()) {
        text += concat(text.empty() ? "" : ", ", member.name.GetString(), " ×",
                       member.value.IsInt() ? member.value.GetInt() : 0);
    }
    return text;
}

void addRow(Table& table, const Json& job) {
    const Json& in = at(job, "tasks_in");
    std::string note = textAt(job, "why");
    if (const std::string reasons = reasonsOf(job); !reasons.empty()) note += (note.empty() ? "" : "; ") + reasons;
    table.row({concat(integerAt(job, "job")), textAt(job, "name"), textAt(job, "state"),
               concat(integerAt(job, "count")), concat(integerAt(in, "waiting")),
               concat(integerAt(in, "running") + integerAt(in, "launched") + integerAt(in, "unreachable")),
               concat(integerAt(in, "succeeded")), concat(integerAt(in, "failed") + integerAt(in, "cancelled")),
               ago(seconds(job, "submitted_ns")), note});
}

int show(const Context& context, const std::string& which) {
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    Table table({"JOB", "NAME", "STATE", "TASKS", "WAIT", "RUN", "DONE", "FAILED", "AGE", "NOTE"});
    if (which.empty()) {
        absl::StatusOr<rapidjson::Document> jobs = batch->jobs();
        if (!jobs.ok()) return fail(jobs.status());
        if (context.json) {
            std::cout << pretty(*jobs) << "\n";
            return 0;
        }
        for (const Json& job : listAt(*jobs, "jobs")) addRow(table, job);
        std::cout << (table.empty() ? "no jobs\n" : table.text());
        return 0;
    }
    absl::StatusOr<batch::JobNumber> number = parseJob(which);
    if (!number.ok()) return fail(number.status(), kUsage);
    absl::StatusOr<rapidjson::Document> answer = batch->job(*number, 0, 10'000);
    if (!answer.ok()) return fail(answer.status());
    if (context.json) {
        std::cout << pretty(*answer) << "\n";
        return 0;
    }
    const Json& job = at(*answer, "job");
    addRow(table, job);
    std::cout << table.text() << "\n";
    Table tasks({"TASK", "STATE", "ATTEMPT", "ID", "AGENT", "NOTE"});
    for (const Json& task : listAt(job, "tasks")) {
        const std::string agent = textAt(task, "agent_id");
        tasks.row({concat(integerAt(task, "index")), textAt(task, "state"), concat(integerAt(task, "attempt")),
                   textAt(task, "task_id"),
                   agent.empty() ? "-" : concat(textAt(task, "host"), ":", integerAt(task, "port")),
                   textAt(task, "why")});
    }
    std::cout << tasks.text();
    return 0;
}

} // namespace

void addJobs(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("jobs", "the batch queue, or one job with its tasks");
    command->footer("Example:\n  stoa jobs 12");
    auto which = std::make_shared<std::string>();
    command->add_option("job", *which, "only this one, with its tasks");
    command->callback([which, &context] { context.exit_code = show(context, *which); });
}

} // namespace stoa::cli
