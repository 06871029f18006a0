// `stoa jobs` and `stoa job`: the batch queue, or one job of it with everything; and what changes a job that waits.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/table.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>
#include <absl/strings/str_format.h>

#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <ctime>
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
    table.row({concat(integerAt(job, "job")), textAt(job, "name"), textAt(job, "user"), textAt(job, "state"),
               concat(integerAt(job, "count")), concat(integerAt(in, "waiting")),
               concat(integerAt(in, "running") + integerAt(in, "launched") + integerAt(in, "unreachable")),
               concat(integerAt(in, "succeeded")), concat(integerAt(in, "failed") + integerAt(in, "cancelled")),
               ago(seconds(job, "submitted_ns")), note});
}

int list(const Context& context, const BatchClient::Which& which) {
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    absl::StatusOr<BatchClient::Jobs> jobs = batch->jobs(which);
    if (!jobs.ok()) return fail(jobs.status());
    if (context.json) {
        // One document of them all, as the door gives a page.
        rapidjson::Document whole(rapidjson::kObjectType);
        Json all(rapidjson::kArrayType);
        jobs->each([&](const Json& job) { all.PushBack(Json(job, whole.GetAllocator()), whole.GetAllocator()); });
        whole.AddMember("unfinished", Json(std::uint64_t{jobs->unfinished}), whole.GetAllocator());
        whole.AddMember("ended", Json(std::uint64_t{jobs->ended}), whole.GetAllocator());
        whole.AddMember("more", Json(jobs->more), whole.GetAllocator());
        whole.AddMember("jobs", all, whole.GetAllocator());
        std::cout << pretty(whole) << "\n";
        return 0;
    }
    Table table({"JOB", "NAME", "USER", "STATE", "TASKS", "WAIT", "RUN", "DONE", "FAILED", "AGE", "NOTE"});
    jobs->each([&](const Json& job) { addRow(table, job); });
    std::cout << (table.empty() ? "no jobs\n" : table.text());
    if (jobs->more) {
        std::cerr << "stoa: these are the newest of " << jobs->unfinished + jobs->ended
                  << "; --limit shows more, --all shows all\n";
    }
    return 0;
}

// ---- One job ---------------------------------------------------------------------------------------------------

std::string when(const Json& of, const char* name) {
    const std::int64_t nanos = integerAt(of, name);
    if (nanos == 0) return "-";
    const std::time_t time = nanos / 1'000'000'000;
    std::tm local{};
    ::localtime_r(&time, &local);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
    return text;
}

std::string ending(const Json& attempt) {
    const Json& raw = at(attempt, "wait_status");
    if (!raw.IsInt()) return "-";
    const int status = raw.GetInt();
    if (WIFEXITED(status)) return concat("exit ", WEXITSTATUS(status));
    const char* signal = ::sigabbrev_np(WTERMSIG(status));
    return signal != nullptr ? concat("SIG", signal) : concat("signal ", WTERMSIG(status));
}

std::string lasted(const Json& attempt) {
    const double start = seconds(attempt, "started_ns");
    const double end = seconds(attempt, "ended_ns");
    return start > 0 && end >= start ? absl::StrFormat("%.1fs", end - start) : "-";
}

void addAttempt(Table& table, const Json& task, const Json& attempt, const std::string& state) {
    const std::string agent = textAt(attempt, "agent_id");
    const double cpu = seconds(attempt, "cpu_ns");
    const double memory = static_cast<double>(integerAt(attempt, "max_memory_bytes")) / 1048576;
    table.row({concat(integerAt(task, "index")), concat(integerAt(attempt, "attempt")), state,
               agent.empty() ? "-" : concat(textAt(attempt, "host"), ":", integerAt(attempt, "port")),
               when(attempt, "started_ns"), lasted(attempt), ending(attempt),
               cpu > 0 ? absl::StrFormat("%.2fs", cpu) : "-", memory > 0 ? absl::StrFormat("%.1fM", memory) : "-",
               textAt(attempt, "why")});
}

std::string joined(const Json& job, const char* name) {
    std::string text;
    for (const Json& one : listAt(job, name)) {
        if (one.IsString()) text += (text.empty() ? "" : ", ") + std::string(one.GetString());
    }
    return text;
}

void describe(const Json& job) {
    auto line = [](const char* name, const std::string& value) {
        if (!value.empty()) std::cout << absl::StrFormat("  %-14s", name) << value << "\n";
    };
    std::cout << "job " << integerAt(job, "job") << " " << textAt(job, "name") << ": " << textAt(job, "state");
    if (const std::string why = textAt(job, "why"); !why.empty()) std::cout << ", " << why;
    std::cout << "\n";
    line("user", textAt(job, "user"));
    line("command", textAt(job, "command"));
    const std::string directory = textAt(job, "work_directory");
    line("directory", directory.empty() ? "its sandbox on the agent" : directory);
    line("output", textAt(job, "stdout_file"));
    line("errors", textAt(job, "stderr_file"));
    line("resources", textAt(job, "resources"));
    if (truthAt(job, "array")) {
        const std::int64_t limit = integerAt(job, "at_most");
        line("array", concat(textAt(job, "indices"), limit > 0 ? concat("%", limit) : ""));
    }
    if (integerAt(job, "time_limit_ns") > 0) line("time limit", absl::StrFormat("%gs", seconds(job, "time_limit_ns")));
    line("priority", concat(integerAt(job, "priority")));
    line("retries", concat(integerAt(job, "retries")));
    line("dependencies", joined(job, "dependencies"));
    line("waits for", joined(job, "unmet"));
    line("submitted", when(job, "submitted_ns"));
    if (integerAt(job, "begin_ns") > 0) line("begins", when(job, "begin_ns"));
    line("started", when(job, "started_ns"));
    line("ended", when(job, "ended_ns"));
    line("troubles", reasonsOf(job));
    std::string counts;
    const Json& in = at(job, "tasks_in");
    for (const char* state : {"waiting", "launched", "running", "unreachable", "succeeded", "failed", "cancelled"}) {
        if (integerAt(in, state) > 0) counts += concat(counts.empty() ? "" : ", ", integerAt(in, state), " ", state);
    }
    line("tasks", counts);
}

int show(const Context& context, const std::string& text) {
    absl::StatusOr<JobOrTask> which = parseJobOrTask(text);
    if (!which.ok()) return fail(which.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    absl::StatusOr<rapidjson::Document> answer =
        which->task ? batch->task(which->job, *which->task) : batch->job(which->job, 0, 10'000);
    if (!answer.ok()) return fail(answer.status());
    if (context.json) {
        std::cout << pretty(*answer) << "\n";
        return 0;
    }
    const Json& job = at(*answer, "job");
    describe(job);
    Table attempts({"TASK", "ATTEMPT", "STATE", "AGENT", "STARTED", "RAN", "END", "CPU", "MEM", "NOTE"});
    std::size_t untouched = 0;
    for (const Json& task : listAt(job, "tasks")) {
        for (const Json& attempt : listAt(task, "earlier_attempts")) addAttempt(attempts, task, attempt, "again");
        if (integerAt(task, "attempt") == 0 && textAt(task, "state") == "waiting") {
            ++untouched;
        } else {
            addAttempt(attempts, task, task, textAt(task, "state"));
        }
    }
    if (!attempts.empty()) std::cout << "\n" << attempts.text();
    if (untouched > 0 && !attempts.empty()) std::cout << untouched << " more were not launched yet\n";
    return 0;
}

// ---- Changes ---------------------------------------------------------------------------------------------------

int change(const Context& context, const std::vector<std::string>& which, const std::string& body) {
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    int code = 0;
    for (const std::string& text : which) {
        absl::StatusOr<batch::JobNumber> job = parseJob(text);
        if (!job.ok()) return fail(job.status(), kUsage);
        if (absl::Status status = batch->change(*job, body); !status.ok()) code = fail(status);
    }
    return code;
}

void addChange(CLI::App& app, Context& context, const char* name, const char* what, const char* body) {
    CLI::App* command = app.add_subcommand(name, what);
    command->footer(concat("Example:\n  stoa ", name, " 12 13"));
    auto which = std::make_shared<std::vector<std::string>>();
    command->add_option("job", *which, "the jobs' numbers")->required();
    command->callback([which, body, &context] { context.exit_code = change(context, *which, body); });
}

} // namespace

void addJobs(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("jobs", "the batch queue");
    command->footer("Example:\n  stoa jobs --unfinished --user=alice");
    auto text = std::make_shared<std::string>();
    auto which = std::make_shared<BatchClient::Which>();
    auto all = std::make_shared<bool>(false);
    command->add_option("job", *text, "only this one, with everything, as `stoa job` shows it");
    command->add_option("-n,--limit", which->limit, "the newest so many")
        ->check(CLI::Range(1, 10'000'000))
        ->capture_default_str();
    command->add_flag("--all", *all, "all of them");
    command->add_flag("--unfinished", which->unfinished, "only those that have not ended");
    command->add_option("--user", which->user, "only his");
    command->add_option("--name", which->name, "only those of this name");
    command->callback([text, which, all, &context] {
        BatchClient::Which asked = *which;
        if (*all) asked.limit = 0;
        context.exit_code = text->empty() ? list(context, asked) : show(context, *text);
    });
}

void addJob(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("job", "one job with everything: what it is, and how each attempt went");
    command->footer("Example:\n  stoa job 12\n  stoa job 12/3");
    auto text = std::make_shared<std::string>();
    command->add_option("job", *text, "JOB, or JOB/INDEX for one task of an array")->required();
    command->callback([text, &context] { context.exit_code = show(context, *text); });
}

void addHold(CLI::App& app, Context& context) {
    addChange(app, context, "hold", "keep jobs from starting more tasks", R"({"held": true})");
}

void addRelease(CLI::App& app, Context& context) {
    addChange(app, context, "release", "let held jobs go", R"({"held": false})");
}

void addPriority(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("priority", "let jobs start sooner or later than others of their shape");
    command->footer("Example:\n  stoa priority 12 --to=100");
    auto which = std::make_shared<std::vector<std::string>>();
    auto priority = std::make_shared<std::int32_t>(0);
    command->add_option("job", *which, "the jobs' numbers")->required();
    command->add_option("--to", *priority, "the larger, the sooner; jobs begin with 0")->required();
    command->callback([which, priority, &context] {
        context.exit_code = change(context, *which, concat("{\"priority\": ", *priority, "}"));
    });
}

} // namespace stoa::cli
