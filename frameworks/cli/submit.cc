// `stoa submit`: a job for the queue.
#include "frameworks/cli/submit.h"

#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/sbatch_options.h"
#include "frameworks/cli/script.h"
#include "frameworks/cli/submit_options.h"
#include "frameworks/cli/upload.h"
#include "protocol/http/message.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

namespace stoa::cli {

namespace {

constexpr std::size_t kLargestScript = 1 << 20; // read at most; the queue takes less, and says so

absl::StatusOr<std::string> readScript(const Submission& submission) {
    const std::string& path = submission.command.front();
    UniqueFd file(submission.from_stdin ? ::dup(0) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0) return absl::NotFoundError(concat(path, ": ", std::strerror(errno)));
    if (!submission.from_stdin && !S_ISREG(info.st_mode)) return invalid(path, " is no file");
    std::string text;
    char buffer[65536];
    ssize_t n = 0;
    while (text.size() < kLargestScript && (n = ::read(file.get(), buffer, sizeof buffer)) > 0) {
        text.append(buffer, static_cast<std::size_t>(n));
    }
    if (n < 0) return absl::UnavailableError(concat(path, ": ", std::strerror(errno)));
    return text;
}

bool startsLikeAScript(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    char start[2]{};
    return file && ::read(file.get(), start, 2) == 2 && start[0] == '#' && start[1] == '!';
}

// CLI11 takes them from the back.
absl::Status parseWords(CLI::App& app, std::vector<std::string> words) {
    std::reverse(words.begin(), words.end());
    try {
        app.parse(std::move(words));
    } catch (const CLI::ParseError& error) {
        return absl::InvalidArgumentError(error.what());
    }
    return absl::OkStatus();
}

absl::Status tryWords(const std::vector<std::string>& words) {
    SubmitOptions options;
    CLI::App app("", "stoa submit");
    app.set_help_flag();
    options.add(app);
    return parseWords(app, words);
}

// The options of a script's lines as words of `stoa submit`, each line checked by itself: the error names line and option.
absl::StatusOr<std::vector<std::string>> wordsOfScript(const std::string& name, const std::string& text) {
    absl::StatusOr<std::vector<Directive>> directives = directivesOf(text);
    if (!directives.ok()) return invalid(name, ": ", toStd(directives.status().message()));
    std::vector<std::string> words;
    for (const Directive& directive : *directives) {
        const bool slurm = directive.dialect == Directive::Dialect::kSlurm;
        const std::string where = concat(name, ", line ", directive.line, ": ", slurm ? "#SBATCH" : "#STOA", " ");
        std::vector<std::string> its = directive.words;
        if (slurm) {
            absl::StatusOr<Translated> translated = translateSbatch(directive.words, Unknown::kWarn);
            if (!translated.ok()) return invalid(where, toStd(translated.status().message()));
            for (const std::string& warning : translated->warnings) std::cerr << "stoa: " << where << warning << "\n";
            if (!translated->command.empty()) {
                return invalid(where, "\"", translated->command.front(), "\" is no option");
            }
            if (!translated->wrap.empty()) return invalid(where, "--wrap has no place in a script");
            its = translated->words;
        }
        if (absl::Status status = tryWords(its); !status.ok()) return invalid(where, toStd(status.message()));
        words.insert(words.end(), its.begin(), its.end());
    }
    return words;
}

struct Read {
    SubmitOptions options;
    std::string script; // its text
};

absl::StatusOr<Read> readSubmission(const Submission& submission) {
    Read read;
    const std::string& first = submission.command.front();
    std::vector<std::string> words = submission.defaults;
    if (submission.is_script || startsLikeAScript(first)) {
        absl::StatusOr<std::string> text = readScript(submission);
        if (!text.ok()) return text.status();
        if (text->rfind("#!", 0) != 0) {
            return invalid(first, ": a script starts with a line such as #!/bin/sh, and this one doesn't");
        }
        read.script = *std::move(text);
        absl::StatusOr<std::vector<std::string>> lines = wordsOfScript(first, read.script);
        if (!lines.ok()) return lines.status();
        words.insert(words.end(), lines->begin(), lines->end());
    }
    words.insert(words.end(), submission.words.begin(), submission.words.end());
    CLI::App app("", "stoa submit");
    Context ignored;
    addGlobalOptions(app, ignored);
    read.options.add(app);
    if (absl::Status status = parseWords(app, std::move(words)); !status.ok()) return status;
    return read;
}

// That some agent could hold a task of it. The master knows it at once, where its list of agents may be long.
bool surelyFits(const MasterClient& master, const batch::JobSpec& spec) {
    if (!spec.constraints.empty()) return false;
    const auto answer = master.get("/api/stoa/fits?resources=" + http::percentEncodePath(spec.shape.toString()));
    return answer.ok() && truthAt(*answer, "fits");
}

} // namespace

int submit(const Submission& submission, const Context& context) {
    absl::StatusOr<Read> read = readSubmission(submission);
    if (!read.ok()) return fail(read.status(), kUsage);
    const SubmitOptions& options = read->options;
    absl::StatusOr<MasterAddress> master = findMaster(context.master, clusterDirectory(context.directory));
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<batch::JobSpec> spec = options.job(submission.command, read->script, master->agent_cpus);
    if (!spec.ok()) return fail(spec.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    Uploader uploader(batch->master());
    for (const std::string& given : options.inputs) {
        absl::StatusOr<batch::JobInput> input = uploader.input(given, *spec);
        if (!input.ok()) return fail(input.status());
        input->extract = options.extract;
        spec->inputs.push_back(*std::move(input));
    }
    absl::StatusOr<batch::JobNumber> job = batch->submit(*spec);
    if (!job.ok()) return fail(job.status());
    if (context.json) {
        std::cout << "{\"job\": " << *job << "}" << std::endl;
    } else if (!submission.quiet) {
        std::cout << submission.before_number << *job << std::endl;
    }
    // It is in the queue whatever follows; but who asks for more than there is should hear of it now.
    if (!surelyFits(batch->master(), *spec)) {
        if (absl::StatusOr<rapidjson::Document> agents = batch->master().get("/slaves"); agents.ok()) {
            const Room room = roomFor(*agents, spec->shape, spec->constraints);
            if (!room.possible) std::cerr << "stoa: job " << *job << " waits for another agent: " << room.words << "\n";
        }
    }
    return options.wait ? waitForJobs(*batch, {*job}, {false, context.json}) : 0;
}

void addSubmit(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("submit", "put a job into the batch queue and print its number");
    command->footer(
        "A file that starts with #! is a script: its text is kept with the job, its lines #STOA --mem=2G (and "
        "#SBATCH)\n"
        "are options, and what stands on the command line goes before them.\n"
        "Tasks see STOA_JOB, STOA_TASK_INDEX, STOA_TASK_COUNT and STOA_ATTEMPT. In --input, %i is the task's index, "
        "and\n"
        "job:7/*/counts stands for the output `counts` of every task of job 7, whose end is then waited for.\n\n"
        "Example:\n"
        "  stoa submit --time=1:00:00 --array=0-99%8 ./simulate.sh\n"
        "  stoa submit --array=24 --input=part=part-%i.txt --result=counts -- sh -c 'sort part | uniq -c > counts'\n"
        "  stoa submit --input=part=job:1/*/counts -- sh -c 'cat part.*'");
    endsWithCommand(*command, context);
    auto options = std::make_shared<SubmitOptions>();
    options->add(*command);
    command->callback([command, options, &context] {
        absl::StatusOr<std::vector<std::string>> argv = commandOf(*command, context);
        if (!argv.ok()) {
            context.exit_code = fail(argv.status(), kUsage);
            return;
        }
        Submission submission;
        submission.words = wordsGiven(*command);
        submission.command = *std::move(argv);
        context.exit_code = submit(submission, context);
    });
}

} // namespace stoa::cli
