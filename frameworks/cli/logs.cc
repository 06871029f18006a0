// `stoa logs` and `stoa fetch`: what a job's tasks wrote, to their output or to files.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/output_follower.h"
#include "frameworks/sdk/agent_doors.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>

namespace stoa::cli {

namespace {

struct Where {
    FrameworkId framework;
    TaskId task;
    AgentId agent;
    Address address;
    std::int64_t index = 0;
    std::string output; // the file that its job named for what it prints; empty: none
};

// The last attempt at a task, by its index or else by its place in the job. FailedPrecondition: it was not launched yet.
absl::StatusOr<Where> whereIs(const BatchClient& batch, const JobOrTask& which, std::uint32_t place) {
    absl::StatusOr<rapidjson::Document> answer =
        which.task ? batch.task(which.job, *which.task) : batch.job(which.job, place, 1);
    if (!answer.ok()) return answer.status();
    const auto tasks = listAt(at(*answer, "job"), "tasks");
    if (tasks.Empty()) return absl::NotFoundError(concat("job ", which.job, " has no such task"));
    const std::int64_t index = integerAt(tasks[0], "index");
    Where where{FrameworkId(textAt(*answer, "framework_id")),
                TaskId(textAt(tasks[0], "task_id")),
                AgentId(textAt(tasks[0], "agent_id")),
                {textAt(tasks[0], "host"), static_cast<std::uint16_t>(integerAt(tasks[0], "port"))},
                index,
                textAt(at(*answer, "job"), "stdout_file")};
    if (where.task.empty()) {
        return absl::FailedPreconditionError(
            concat("task ", which.job, "/", index, " is ", textAt(tasks[0], "state"), ", and was not launched yet"));
    }
    // It may have come back on another port since.
    if (absl::StatusOr<Address> now = addressOf(batch.master(), where.agent); now.ok()) where.address = *now;
    return where;
}

absl::StatusOr<std::uint32_t> countOf(const BatchClient& batch, batch::JobNumber job) {
    absl::StatusOr<rapidjson::Document> answer = batch.job(job, 0, 0);
    if (!answer.ok()) return answer.status();
    return static_cast<std::uint32_t>(integerAt(at(*answer, "job"), "count"));
}

absl::Status copyFile(const MasterClient& master, const Where& where, const std::string& path, int fd) {
    http::ClientRequest request;
    request.url = sdk::sandboxFile(where.address, where.framework, where.task.value(), path);
    request.timeout = http::kNoTimeout;
    master.identify(request);
    absl::StatusOr<std::uint64_t> bytes = http::download(request, fd);
    if (bytes.ok()) return absl::OkStatus();
    return absl::Status(bytes.status().code(),
                        concat(where.task.value(), " on ", where.address.host, ":", where.address.port, ": ", path,
                               ": ", toStd(bytes.status().message())));
}

int logs(const Context& context, const std::string& text, bool follow, bool errors) {
    absl::StatusOr<JobOrTask> which = parseJobOrTask(text);
    if (!which.ok()) return fail(which.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    absl::StatusOr<std::uint32_t> count = countOf(*batch, which->job);
    if (!count.ok()) return fail(count.status());
    const std::uint32_t last = which->task ? 0 : *count - 1;
    const std::string stream = errors ? "stderr" : "stdout";
    int code = 0;
    for (std::uint32_t i = 0; i <= last; ++i) {
        absl::StatusOr<Where> where = whereIs(*batch, *which, i);
        if (!where.ok()) {
            code = fail(where.status());
            continue;
        }
        if (!where->output.empty() && i == 0) {
            std::cerr << "stoa: what it prints goes to " << where->output << " in its directory; see stoa job "
                      << which->job << "\n";
        }
        if (follow) {
            OutputFollower follower(
                {batch->master(), where->framework, where->task, where->agent, where->address, stream}, 1);
            follower.ended(); // gives up when the agent stays away
            follower.join();
            if (!follower.problem().empty()) code = fail(follower.problem());
        } else if (absl::Status status = copyFile(batch->master(), *where, stream, 1); !status.ok()) {
            code = fail(status);
        }
    }
    return code;
}

int fetch(const Context& context, const std::string& text, const std::string& path, const std::string& to) {
    absl::StatusOr<JobOrTask> which = parseJobOrTask(text);
    if (!which.ok()) return fail(which.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    absl::StatusOr<std::uint32_t> count = countOf(*batch, which->job);
    if (!count.ok()) return fail(count.status());
    if (!which->task && *count > 1 && to != "-" && to.find("%i") == std::string::npos) {
        return fail(concat("job ", which->job, " has ", *count, " tasks: name one, as ", which->job,
                           "/0, or give --to a name with %i"),
                    kUsage);
    }
    const std::uint32_t last = which->task ? 0 : *count - 1;
    for (std::uint32_t i = 0; i <= last; ++i) {
        absl::StatusOr<Where> where = whereIs(*batch, *which, i);
        if (!where.ok()) return fail(where.status());
        if (to == "-") {
            if (absl::Status status = copyFile(batch->master(), *where, path, 1); !status.ok()) return fail(status);
            continue;
        }
        std::string name = to.empty() ? std::filesystem::path(path).filename().string() : to;
        if (const std::size_t at = name.find("%i"); at != std::string::npos) name.replace(at, 2, concat(where->index));
        UniqueFd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
        if (!file) return fail(concat("cannot write ", name, ": ", std::strerror(errno)));
        if (absl::Status status = copyFile(batch->master(), *where, path, file.get()); !status.ok()) {
            ::unlink(name.c_str());
            return fail(status);
        }
    }
    return 0;
}

} // namespace

void addLogs(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("logs", "what a job's tasks wrote to their standard output");
    command->footer("Example:\n  stoa logs -f 12/3");
    auto which = std::make_shared<std::string>();
    auto follow = std::make_shared<bool>(false);
    auto errors = std::make_shared<bool>(false);
    command->add_option("job", *which, "JOB, or JOB/TASK")->required();
    command->add_flag("-f,--follow", *follow, "as it grows, until the task has ended");
    command->add_flag("--stderr", *errors, "standard error instead");
    command->callback(
        [which, follow, errors, &context] { context.exit_code = logs(context, *which, *follow, *errors); });
}

void addFetch(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("fetch", "copy a file from a task's sandbox to here");
    command->footer("Example:\n  stoa fetch 12/3 counts --to=-\n  stoa fetch 12 counts --to=counts.%i");
    auto which = std::make_shared<std::string>();
    auto path = std::make_shared<std::string>();
    auto to = std::make_shared<std::string>();
    command->add_option("job", *which, "JOB, or JOB/TASK")->required();
    command->add_option("path", *path, "the file's path in the sandbox")->required();
    command->add_option("--to", *to,
                        "where to put it; %i is the task's index, - standard output (default: its own name)");
    command->callback([which, path, to, &context] { context.exit_code = fetch(context, *which, *path, *to); });
}

} // namespace stoa::cli
