#include "frameworks/cli/submit_options.h"

#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/begin_time.h"
#include "frameworks/cli/script.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>
#include <absl/strings/numbers.h>

#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>

extern char** environ;

namespace stoa::cli {

namespace {

Duration nanoseconds(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

absl::Status setArray(const std::string& text, batch::JobSpec& job) {
    if (text.empty()) return absl::OkStatus();
    std::string given = text;
    // "24" is for so many of them, "24%4" for four at a time.
    if (given.find_first_of("-,:") == std::string::npos) {
        const std::string count = given.substr(0, given.find('%'));
        std::uint32_t tasks = 0;
        if (!absl::SimpleAtoi(count, &tasks) || tasks == 0 || tasks > batch::kMostTasks) {
            return invalid("--array: \"", text, "\" is neither a number of tasks from 1 to ", batch::kMostTasks,
                           " nor indices such as 0-99%4 or 1,3,5-9");
        }
        given = concat("0-", tasks - 1, given.substr(count.size()));
    }
    absl::StatusOr<batch::ArraySpec> array = batch::parseArray(given);
    if (!array.ok()) return invalid("--array: ", toStd(array.status().message()));
    job.array = true;
    job.count = array->indices.count();
    job.at_most = array->at_most;
    if (array->indices != batch::IndexSet::upTo(job.count)) job.indices = array->indices;
    return absl::OkStatus();
}

absl::Status setTimes(const SubmitOptions& options, batch::JobSpec& job) {
    if (!options.time.empty()) {
        absl::StatusOr<double> seconds = parseTimeLimit(options.time);
        if (!seconds.ok()) return invalid("--time: ", toStd(seconds.status().message()));
        if (*seconds > 0) job.time_limit = nanoseconds(*seconds);
    }
    if (!options.begin.empty()) {
        absl::StatusOr<std::time_t> begin = parseBeginTime(options.begin, std::time(nullptr));
        if (!begin.ok()) return invalid("--begin: ", toStd(begin.status().message()));
        job.begin = {*begin * 1'000'000'000};
    }
    if (options.signal.empty()) return absl::OkStatus();
    absl::StatusOr<Warning> warning = parseWarning(options.signal);
    if (!warning.ok()) return invalid("--signal: ", toStd(warning.status().message()));
    job.limit_warning = LimitWarning{warning->signal, nanoseconds(warning->seconds)};
    return absl::OkStatus();
}

// Above all: the directory that he is in. A job with files of its own has them in its sandbox, and runs there.
absl::Status setDirectory(const SubmitOptions& options, batch::JobSpec& job) {
    if (options.sandbox && !options.directory.empty()) return invalid("--chdir and --sandbox exclude each other");
    const bool own_files = !options.inputs.empty() || !options.results.empty();
    if (options.directory.empty() && (options.sandbox || own_files)) return absl::OkStatus();
    std::string directory = options.directory;
    if (directory.empty() || directory.front() != '/') {
        char* here = ::getcwd(nullptr, 0);
        if (here == nullptr) return absl::UnavailableError(concat("the current directory: ", std::strerror(errno)));
        directory = directory.empty() ? here : concat(here, "/", directory);
        std::free(here);
    }
    job.work_directory = directory;
    return absl::OkStatus();
}

absl::Status setDependencies(const SubmitOptions& options, batch::JobSpec& job) {
    for (const std::string& given : options.after) {
        absl::StatusOr<batch::JobNumber> before = parseJob(given);
        if (!before.ok()) return invalid("--after: ", toStd(before.status().message()));
        job.after.emplace_back(*before);
    }
    if (options.dependency.empty()) return absl::OkStatus();
    absl::StatusOr<std::vector<batch::Dependency>> parsed = batch::parseDependencies(options.dependency);
    if (!parsed.ok()) return invalid("--dependency: ", toStd(parsed.status().message()));
    job.after.insert(job.after.end(), parsed->begin(), parsed->end());
    return absl::OkStatus();
}

void addWholeEnvironment(std::map<std::string, std::string>& environment) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
        const std::string_view text = *variable;
        const std::size_t equals = text.find('=');
        if (equals == 0 || equals == std::string_view::npos) continue;
        // What the task is told of itself comes from elsewhere.
        const std::string_view name = text.substr(0, equals);
        if (name == "_" || name.substr(0, 5) == "STOA_" || name.substr(0, 6) == "SLURM_") continue;
        environment.emplace(name, text.substr(equals + 1));
    }
}

} // namespace

void SubmitOptions::add(CLI::App& command) {
    // A script's lines come first, and the command line has the last word.
    command.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    task.add(command);
    auto list = [&](const char* name, std::vector<std::string>& values, const char* what) {
        command.add_option(name, values, what)
            ->type_size(1)
            ->allow_extra_args(false)
            ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    };
    command.add_option("--user", task.user, "run it as this user; for root only (default: you)");
    command.add_option("--array", array,
                       "so many tasks, or their indices: 24, 0-99%4 (four at a time), 1,3,5-9, 0-20:5");
    command.add_option("-t,--time", time, "its time limit: minutes, h:mm:ss, days-hours, or 90s, 10m, 2h");
    command.add_option("--signal", signal, "SIGNAL[@SECONDS] before that limit, e.g. USR1@60, to its command");
    list("--after", after, "start when this job has succeeded; can be repeated");
    command.add_option(
        "-d,--dependency", dependency,
        "after:JOB (has started), afterok (succeeded), afternotok, afterany (ended); afterok:3:4,after:5");
    command.add_option("--retries", retries, "further attempts at a task that failed");
    command.add_flag("--no-requeue", no_requeue, "a task that is lost with its agent has failed");
    command.add_option("--priority", priority, "the larger, the sooner (default: 0)");
    command.add_option("-b,--begin", begin, "not before: now+1hour, 16:00, tomorrow, 2027-01-31T08:00");
    command.add_flag("-H,--hold", hold, "wait for `stoa release`");
    command.add_flag("-W,--wait", wait, "wait for its end, and end with its exit code");
    command.add_option("-o,--output", output,
                       "file for what it prints, in its directory, with %j (job), %a (index), %x (name), %u (user); "
                       "default: its sandbox, see `stoa logs`");
    command.add_option("-e,--error", error, "file for its standard error (default: as --output)");
    command.add_option("--stdin", standard_input, "file for its standard input");
    command.add_flag("--append", append, "to those files, instead of writing them anew");
    command.add_option("-D,--chdir", directory,
                       "the directory where it runs, and may write (default: this one; with --input or --result its "
                       "sandbox)");
    command.add_flag("--sandbox", sandbox, "run it in a directory of its own on the agent");
    command.add_flag("--all-env", all_env, "pass this shell's whole environment on");
    list("--input", inputs, "[NAME=]FILE, URL or job:N/TASK/PATH, put into the sandbox; can be repeated");
    command.add_flag("--extract", extract, "inputs are archives, to be unpacked there");
    list("--result", results, "a path in the sandbox that later jobs and `stoa fetch` may want; can be repeated");
    command.add_option("--slots", slots, "processes that it will start: --cpus is for each of them")
        ->check(CLI::Range(1, 100'000));
    command.add_option("--mem-per-cpu", mem_per_cpu, "memory for each processor, instead of --mem");
    command.add_flag("--slurm-env", slurm, "it sees SLURM_JOB_ID and the like, too (scripts do)");
}

absl::StatusOr<batch::JobSpec> SubmitOptions::job(const std::vector<std::string>& command, std::string script,
                                                  double agent_cpus) const {
    batch::JobSpec job;
    TaskOptions each = task;
    if (slots > 1) each.cpus = each.cpus.value_or(1) * slots;
    absl::StatusOr<Resources> shape = each.shape(agent_cpus);
    if (!shape.ok()) return shape.status();
    if (!mem_per_cpu.empty()) {
        absl::StatusOr<double> megabytes = parseMegabytes(mem_per_cpu);
        if (!megabytes.ok()) return invalid("--mem-per-cpu: ", toStd(megabytes.status().message()));
        const double cpus = std::ceil(static_cast<double>(shape->scalar(Resources::kCpus).count) / 1000);
        shape->setScalar(Resources::kMem, {static_cast<std::int64_t>(std::round(*megabytes * cpus * 1000))});
    }
    absl::StatusOr<TaskSpec> spec = each.spec(command);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::vector<Constraint>> constraints = each.parsedConstraints();
    if (!constraints.ok()) return constraints.status();
    job.name = each.nameOf(command);
    job.command = spec->command;
    if (all_env) addWholeEnvironment(job.command.environment);
    job.slurm_environment = slurm || !script.empty();
    job.script = std::move(script);
    job.shape = *shape;
    job.slots = slots;
    job.retries = retries;
    job.requeue = !no_requeue;
    job.priority = priority;
    job.held = hold;
    job.outputs = results;
    job.stdout_file = output;
    job.stderr_file = error;
    job.stdin_file = standard_input;
    job.append = append;
    job.constraints = *std::move(constraints);
    job.writable_paths = spec->writable_paths;
    job.kill_grace = spec->kill_grace;
    for (const absl::Status& status : {setArray(array, job), setTimes(*this, job), setDirectory(*this, job),
                                       setDependencies(*this, job), batch::validate(job)}) {
        if (!status.ok()) return status;
    }
    return job;
}

std::vector<std::string> wordsGiven(const CLI::App& command) {
    std::vector<std::string> words;
    for (const CLI::Option* option : command.get_options()) {
        if (option->count() == 0) continue;
        for (const std::string& value : option->results()) words.push_back(concat(option->get_name(), "=", value));
    }
    return words;
}

} // namespace stoa::cli
