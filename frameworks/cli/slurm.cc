#include "frameworks/cli/slurm.h"

#include "frameworks/batch/index_set.h"
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/sbatch_options.h"
#include "frameworks/cli/slurm_words.h"
#include "frameworks/cli/submit.h"
#include "protocol/strings.h"
#include "protocol/version.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string_view>

namespace stoa::cli {

namespace {

constexpr std::pair<const char*, SlurmState> kStates[] = {
    {"held", {"PD", "PENDING"}},          {"queued", {"PD", "PENDING"}},       {"waiting", {"PD", "PENDING"}},
    {"running", {"R", "RUNNING"}},        {"launched", {"CF", "CONFIGURING"}}, {"unreachable", {"R", "RUNNING"}},
    {"cancelling", {"CG", "COMPLETING"}}, {"succeeded", {"CD", "COMPLETED"}},  {"failed", {"F", "FAILED"}},
    {"cancelled", {"CA", "CANCELLED"}},   {"timed out", {"TO", "TIMEOUT"}},
};

constexpr SlurmOption kScancelOptions[] = {
    {"batch", 'b', false},       {"ctld", 0, false},     {"full", 'f', false}, {"hurry", 'H', false},
    {"interactive", 'i', false}, {"jobname", 'n', true}, {"me", 0, false},     {"name", 0, true},
    {"quiet", 'Q', false},       {"signal", 's', true},  {"state", 't', true}, {"user", 'u', true},
    {"verbose", 'v', false},
};

struct Cancelling {
    std::vector<SlurmJobId> jobs;
    BatchClient::Which which;
    std::string state; // "PD" or "R"; empty: any
    bool filtered = false;
    bool quiet = false;
};

absl::StatusOr<Cancelling> readScancel(const std::vector<std::string>& words) {
    Cancelling cancelling;
    cancelling.which = {0, true, "", ""};
    SlurmWords line(words, kScancelOptions);
    while (std::optional<SlurmWords::Option> option = line.next()) {
        if (!option->problem.empty()) return invalid(option->as_written, " ", option->problem);
        if (option->name == "signal") {
            return invalid(option->as_written, ": a job can be ended, not signalled, from here; --signal of sbatch "
                                               "warns it before its time limit");
        }
        if (option->name == "user") cancelling.which.user = option->value;
        if (option->name == "me") cancelling.which.user = ownUserName();
        if (option->name == "name" || option->name == "jobname") cancelling.which.name = option->value;
        if (option->name == "quiet") cancelling.quiet = true;
        if (option->name == "state") {
            cancelling.state = slurmStateCode(option->value);
            if (cancelling.state != "PD" && cancelling.state != "R") {
                return invalid(option->as_written, ": \"", option->value, "\" is neither PENDING nor RUNNING");
            }
        }
    }
    cancelling.filtered = !cancelling.which.user.empty() || !cancelling.which.name.empty() || !cancelling.state.empty();
    for (const std::string& word : line.rest()) {
        const std::optional<SlurmJobId> id = parseSlurmJobId(word);
        if (!id) return invalid("\"", word, "\" is no job; write 12, 12_3 or 12_[3-5]");
        cancelling.jobs.push_back(*id);
    }
    if (cancelling.jobs.empty() && !cancelling.filtered) return invalid("say which jobs: scancel 12 12_3, or -u USER");
    return cancelling;
}

std::string cancelBody(const SlurmJobId& job, const std::string& state) {
    std::string body;
    if (!job.tasks.empty()) body = concat("\"tasks\": \"", job.tasks, "\"");
    if (!state.empty()) {
        body += concat(body.empty() ? "" : ", ", "\"which\": \"", state == "PD" ? "waiting" : "live", "\"");
    }
    return body.empty() ? "" : concat("{", body, "}");
}

} // namespace

SlurmState slurmState(const std::string& state) {
    for (const auto& [its, slurm] : kStates) {
        if (state == its) return slurm;
    }
    return {"?", "UNKNOWN"};
}

std::string slurmStateCode(const std::string& text) {
    const std::string upper = absl::AsciiStrToUpper(text);
    for (const auto& [its, slurm] : kStates) {
        if (upper == slurm.code || upper == slurm.name) return slurm.code;
    }
    return "";
}

std::optional<SlurmJobId> parseSlurmJobId(const std::string& text) {
    SlurmJobId id;
    const std::size_t bar = text.find('_');
    if (!absl::SimpleAtoi(text.substr(0, bar), &id.job) || id.job == 0) return std::nullopt;
    if (bar == std::string::npos) return id;
    id.tasks = text.substr(bar + 1);
    if (id.tasks.size() > 2 && id.tasks.front() == '[' && id.tasks.back() == ']') {
        id.tasks = id.tasks.substr(1, id.tasks.size() - 2);
    }
    if (!batch::IndexSet::parse(id.tasks).ok()) return std::nullopt;
    return id;
}

int sbatch(const std::vector<std::string>& words, const Context& context) {
    absl::StatusOr<Translated> translated = translateSbatch(words, Unknown::kRefuse);
    if (!translated.ok()) return fail(translated.status(), kUsage);
    for (const std::string& warning : translated->warnings) std::cerr << "sbatch: " << warning << "\n";
    Submission submission;
    // As sbatch has it, unless the script or the command line says otherwise.
    submission.defaults = {"--slurm-env", "--all-env", "--output=slurm-%j.out"};
    submission.words = translated->words;
    if (translated->wrap.empty()) {
        submission.from_stdin = translated->command.empty() && ::isatty(0) == 0;
        if (submission.from_stdin) translated->command = {"sbatch"};
        if (translated->command.empty()) {
            return fail("say which script: sbatch [OPTIONS] SCRIPT [ARGUMENTS], or --wrap='COMMAND'", kUsage);
        }
        submission.command = translated->command;
        submission.is_script = true;
    } else {
        if (!translated->command.empty()) {
            return fail(concat("--wrap and a script (", translated->command.front(), ") exclude each other"), kUsage);
        }
        submission.defaults.emplace_back("--name=wrap");
        submission.command = {"/bin/sh", "-c", translated->wrap};
    }
    if (!translated->parsable) submission.before_number = "Submitted batch job ";
    submission.quiet = translated->quiet;
    return submit(submission, context);
}

int scancel(const std::vector<std::string>& words, const Context& context) {
    absl::StatusOr<Cancelling> asked = readScancel(words);
    if (!asked.ok()) return fail(asked.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    std::vector<SlurmJobId> jobs = asked->jobs;
    if (asked->filtered) {
        absl::StatusOr<BatchClient::Jobs> listed = batch->jobs(asked->which);
        if (!listed.ok()) return fail(listed.status());
        std::vector<SlurmJobId> chosen;
        listed->each([&](const Json& job) {
            const auto number = static_cast<std::uint64_t>(integerAt(job, "job"));
            if (jobs.empty()) chosen.push_back({number, ""});
            for (const SlurmJobId& named : jobs) {
                if (named.job == number) chosen.push_back(named);
            }
        });
        jobs = std::move(chosen);
    }
    int code = 0;
    for (const SlurmJobId& job : jobs) {
        const absl::Status status = batch->cancel(job.job, cancelBody(job, asked->state));
        if (status.ok()) continue;
        code = kFailed;
        if (!asked->quiet) fail(status);
    }
    return code;
}

std::optional<int> runAsSlurm(int argc, char** argv) {
    const std::string_view path = argc > 0 ? argv[0] : "";
    const std::string_view name = path.substr(path.rfind('/') + 1);
    using Command = int (*)(const std::vector<std::string>&, const Context&);
    constexpr std::pair<std::string_view, Command> kCommands[] = {
        {"sbatch", sbatch}, {"squeue", squeue}, {"scancel", scancel}, {"sinfo", sinfo}};
    const auto* found =
        std::find_if(std::begin(kCommands), std::end(kCommands), [&](const auto& one) { return one.first == name; });
    if (found == std::end(kCommands)) return std::nullopt;
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (!words.empty() && (words.front() == "-V" || words.front() == "--version")) {
        std::cout << name << " of Stoa " << kVersion << "\n";
        return 0;
    }
    if (!words.empty() && words.front() == "--help") {
        std::cout << name << " of Stoa, for those who know Slurm's; docs/batch-and-mpi.md has a table of the options\n"
                  << "that it takes. STOA_DIR or STOA_MASTER say which cluster it speaks to, as for `stoa`.\n";
        return 0;
    }
    return found->second(words, Context{});
}

} // namespace stoa::cli
