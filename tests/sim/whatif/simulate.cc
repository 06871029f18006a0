#include "tests/sim/whatif/simulate.h"

#include "master/allocator_loader.h"
#include "master/core/validation.h"
#include "protocol/credentials/credentials.h"
#include "protocol/credentials/own_credential_file.h"
#include "protocol/http/client.h"
#include "protocol/http/gate.h"
#include "protocol/strings.h"
#include "tests/sim/whatif/answer.h"
#include "tests/sim/whatif/live.h"
#include "tests/sim/whatif/picture.h"
#include "tests/sim/whatif/replay.h"
#include "tests/sim/whatif/rows.h"
#include "tests/sim/whatif/streams.h"

#include <CLI/CLI.hpp>
#include <absl/strings/numbers.h>

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <utility>

namespace stoa::sim {

namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

struct Flags {
    std::string cluster;
    std::string from;
    std::string credential;
    std::string remaining;
    std::string workload;
    std::vector<std::string> streams;
    std::string length = "24h";
    std::string until;
    std::string allocator;
    std::string parameters;
    std::vector<std::string> weights;

    std::vector<std::string> add;
    std::vector<std::string> without;
    std::vector<std::string> weight;
    std::string try_allocator;
    double load = 1;

    std::uint64_t seed = 1;
    bool json = false;
    std::string csv;
    std::string svg;
};

int fail(std::string_view message, int code) {
    std::fprintf(stderr, "stoa simulate: %.*s\n", static_cast<int>(message.size()), message.data());
    return code;
}
// What a flag or a file got wrong is wrong usage; that a master doesn't answer is not.
int fail(const absl::Status& status) {
    return fail(toStd(status.message()),
                absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? kUsage : kFailed);
}
absl::Status ofFlag(std::string_view flag, const absl::Status& status) {
    return status.ok() ? status : invalid("--", flag, ": ", toStd(status.message()));
}

// "batch=2" or several with commas, as the master's --weights.
absl::Status takeWeights(const std::vector<std::string>& texts, std::map<std::string, double>& weights) {
    for (const std::string& text : texts) {
        for (const std::string_view piece : split(text, ',')) {
            const std::size_t equals = piece.rfind('=');
            double weight = 0;
            if (equals == std::string_view::npos || !absl::SimpleAtod(toAbsl(piece.substr(equals + 1)), &weight) ||
                !(weight >= 0.001 && weight <= 1e6)) {
                return invalid("\"", piece, "\" is not ROLE=WEIGHT with a weight from 0.001 to 1000000");
            }
            const std::string role(piece.substr(0, equals));
            if (absl::Status valid = master::validateRole(role); !valid.ok()) return valid;
            weights[role] = weight;
        }
    }
    return absl::OkStatus();
}

// ---- What is there -----------------------------------------------------------------------------------------------

// Whom we say that we are to a master that asks; null: nobody.
absl::StatusOr<SharedCredentials> credentialsOf(const Flags& flags) {
    const std::string file = ownCredentialFile(flags.credential);
    if (file.empty()) return SharedCredentials();
    return readCredentials(file, CredentialsOf::kClient);
}

absl::StatusOr<std::string> get(const std::string& url, const SharedCredentials& credentials) {
    http::ClientRequest request;
    request.url = url;
    if (credentials) request.headers.emplace_back("Authorization", http::basicAuthorization(*credentials));
    absl::StatusOr<http::ClientResponse> response = http::fetch(request);
    for (int redirects = 0; response.ok() && response->status == 307 && redirects < 3; ++redirects) {
        request.url = response->header("Location");
        if (request.url.starts_with("//")) request.url = "http:" + request.url;
        response = http::fetch(request);
    }
    if (!response.ok()) return absl::UnavailableError(concat(url, ": ", toStd(response.status().message())));
    if (!response->ok()) {
        return absl::UnavailableError(
            concat(url, ": ", response->status, " ", trimmed(std::string_view(response->body).substr(0, 500))));
    }
    return std::move(response->body);
}

absl::Status readLive(const Flags& flags, Scenario& scenario, Workload& workload) {
    std::optional<Duration> left;
    if (!flags.remaining.empty()) {
        const absl::StatusOr<Duration> span = parseSpan(flags.remaining, true);
        if (!span.ok()) return ofFlag("remaining", span.status());
        left = *span;
    }
    std::string where = flags.from;
    absl::StatusOr<std::string> text;
    std::optional<double> now;
    if (where.starts_with("http://")) {
        while (where.ends_with("/")) where.pop_back();
        const absl::StatusOr<SharedCredentials> credentials = credentialsOf(flags);
        if (!credentials.ok()) return credentials.status();
        const absl::StatusOr<std::string> weights = get(where + "/weights", *credentials);
        if (!weights.ok()) return weights.status();
        absl::StatusOr<std::map<std::string, double>> parsed = parseWeights(where + "/weights", *weights);
        if (!parsed.ok()) return parsed.status();
        scenario.weights = *std::move(parsed);
        where += "/state";
        text = get(where, *credentials);
        now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    } else {
        text = readWholeFile(where);
    }
    if (!text.ok()) return text.status();
    absl::StatusOr<Live> live = parseState(where, *text, now, left, workload);
    if (!live.ok()) return live.status();
    if (live->agents_left_out > 0) {
        std::fprintf(stderr, "stoa simulate: %zu agents are away or deactivated and left out\n", live->agents_left_out);
    }
    scenario.cluster = std::move(live->cluster);
    scenario.running = std::move(live->running);
    if (!live->allocator.empty()) scenario.allocator = live->allocator;
    return absl::OkStatus();
}

absl::Status readWork(const Flags& flags, Workload& workload) {
    if (!flags.workload.empty()) {
        const absl::StatusOr<std::string> text = readWholeFile(flags.workload);
        if (!text.ok()) return text.status();
        if (absl::Status parsed = parseTrace(flags.workload, *text, workload); !parsed.ok()) return parsed;
        workload.settle();
    }
    const absl::StatusOr<Duration> length = parseSpan(flags.length);
    if (!length.ok()) return ofFlag("for", length.status());
    for (std::size_t i = 0; i < flags.streams.size(); ++i) {
        const absl::StatusOr<Stream> stream = parseStream(flags.streams[i]);
        if (!stream.ok()) return ofFlag("stream", stream.status());
        Rng rng(flags.seed * 1'000'003 + i);
        if (absl::Status drawn = drawJobs(*stream, *length, rng, workload); !drawn.ok()) return ofFlag("stream", drawn);
    }
    workload.settle();
    return absl::OkStatus();
}

absl::Status setAllocator(std::string_view flag, const std::string& name, Scenario& scenario) {
    const absl::StatusOr<const stoa_allocator_module_v1*> module = master::findAllocatorModule(name);
    if (!module.ok()) return ofFlag(flag, module.status());
    scenario.allocator = name;
    scenario.module = *module;
    return absl::OkStatus();
}

absl::Status readAll(const Flags& flags, Scenario& scenario, Workload& workload) {
    if (flags.cluster.empty() == flags.from.empty()) {
        return invalid("say of which cluster: --cluster=FILE, or --from=http://HOST:5050 for a live one");
    }
    if (flags.workload.empty() && flags.streams.empty() && flags.from.empty()) {
        return invalid("say what work: --workload=FILE, or --stream=\"every=30s shape=cpus:1;mem:512 duration=~10m\"");
    }
    if (!flags.cluster.empty()) {
        const absl::StatusOr<std::string> text = readWholeFile(flags.cluster);
        if (!text.ok()) return text.status();
        absl::StatusOr<Cluster> cluster = parseCluster(flags.cluster, *text);
        if (!cluster.ok()) return cluster.status();
        scenario.cluster = *std::move(cluster);
    } else if (absl::Status live = readLive(flags, scenario, workload); !live.ok()) {
        return live;
    }
    if (absl::Status work = readWork(flags, workload); !work.ok()) return work;
    if (workload.jobs().empty() && scenario.running.empty()) {
        return invalid("there is no work: nothing runs on that cluster; add --workload=FILE or --stream=…");
    }
    scenario.parameters = flags.parameters;
    if (absl::Status weights = ofFlag("weights", takeWeights(flags.weights, scenario.weights)); !weights.ok())
        return weights;
    return setAllocator("allocator", flags.allocator.empty() ? scenario.allocator : flags.allocator, scenario);
}

// ---- What is asked about -----------------------------------------------------------------------------------------

absl::StatusOr<std::vector<std::string>> change(const Flags& flags, Scenario& scenario, Workload& workload) {
    std::vector<std::string> changes;
    for (const std::string& text : flags.without) {
        const absl::StatusOr<TakenAway> taken = takeAway(text, scenario, workload);
        if (!taken.ok()) return ofFlag("without", taken.status());
        changes.push_back(concat("without ", text, ": ", taken->agents, taken->agents == 1 ? " agent" : " agents",
                                 " less",
                                 taken->tasks > 0 ? concat(", ", taken->tasks, " running tasks start over") : ""));
    }
    for (const std::string& text : flags.add) {
        const absl::StatusOr<std::uint32_t> added = scenario.cluster.add(text);
        if (!added.ok()) return ofFlag("add", added.status());
        changes.push_back(concat(*added, " more of ", text.substr(text.find('x') + 1)));
    }
    if (absl::Status weights = ofFlag("weight", takeWeights(flags.weight, scenario.weights)); !weights.ok())
        return weights;
    for (const std::string& text : flags.weight) changes.push_back(concat("weight ", text));
    if (!flags.try_allocator.empty()) {
        if (absl::Status set = setAllocator("try-allocator", flags.try_allocator, scenario); !set.ok()) return set;
        scenario.parameters.clear();
        changes.push_back(concat("allocator ", flags.try_allocator));
    }
    if (flags.load != 1) {
        if (absl::Status hurried = workload.hurry(flags.load); !hurried.ok()) return ofFlag("load", hurried);
        changes.push_back(absl::StrCat("jobs come ", flags.load, " times as fast"));
    }
    if (!changes.empty()) workload.settle();
    return changes;
}

// ---- Running and telling -----------------------------------------------------------------------------------------

// On a terminal, once it takes longer than people like to wait without a word.
class Progress {
public:
    explicit Progress(std::string name) : name_(std::move(name)) {}
    ~Progress() {
        if (shown_) std::fputs("\r\033[K", stderr);
    }
    void operator()(std::uint64_t ended, std::uint64_t tasks) {
        const auto now = std::chrono::steady_clock::now();
        if (!terminal_ || now - begun_ < std::chrono::seconds(2) || now - last_ < std::chrono::milliseconds(200))
            return;
        last_ = now;
        shown_ = true;
        const double seconds = std::chrono::duration<double>(now - begun_).count();
        std::fprintf(stderr, "\r\033[K%s: %lu of %lu tasks, %.0f %%, %.0f s", name_.c_str(),
                     static_cast<unsigned long>(ended), static_cast<unsigned long>(tasks),
                     tasks == 0 ? 0.0 : 100.0 * static_cast<double>(ended) / static_cast<double>(tasks), seconds);
        std::fflush(stderr);
    }

private:
    std::string name_;
    bool terminal_ = ::isatty(STDERR_FILENO) == 1;
    bool shown_ = false;
    std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point last_ = begun_;
};

absl::Status write(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    return file ? absl::OkStatus() : absl::InternalError(concat(path, " can't be written"));
}

absl::StatusOr<Figures> play(const Scenario& scenario, const Workload& workload, ReplayOptions options) {
    Progress progress(scenario.name);
    options.progress = [&progress](std::uint64_t ended, std::uint64_t tasks) { progress(ended, tasks); };
    return replay(scenario, workload, options);
}

int run(const Flags& flags) {
    Scenario before;
    Workload workload;
    if (absl::Status read = readAll(flags, before, workload); !read.ok()) return fail(read);
    ReplayOptions options;
    options.seed = flags.seed;
    if (!flags.until.empty()) {
        const absl::StatusOr<Duration> until = parseSpan(flags.until);
        if (!until.ok()) return fail(ofFlag("until", until.status()));
        options.until = *until;
    }
    Scenario after = before;
    Workload changed = workload;
    absl::StatusOr<std::vector<std::string>> changes = change(flags, after, changed);
    if (!changes.ok()) return fail(changes.status());

    Answer answer{flags.seed, *std::move(changes), {}};
    if (!answer.changes.empty()) before.name = "before";
    absl::StatusOr<Figures> figures = play(before, workload, options);
    if (!figures.ok()) return fail(figures.status());
    answer.runs.push_back(*std::move(figures));
    if (!answer.changes.empty()) {
        after.name = "after";
        figures = play(after, changed, options);
        if (!figures.ok()) return fail(figures.status());
        answer.runs.push_back(*std::move(figures));
    }
    absl::Status written = flags.csv.empty() ? absl::OkStatus() : write(flags.csv, csvOf(answer));
    if (written.ok() && !flags.svg.empty()) written = write(flags.svg, svgOf(answer));
    if (!written.ok()) return fail(written);
    std::fputs((flags.json ? jsonOf(answer) : tablesOf(answer)).c_str(), stdout);
    return std::fflush(stdout) == 0 ? 0 : fail("the answer can't be written", kFailed);
}

void addOptions(CLI::App& app, Flags& flags) {
    app.add_option("--cluster", flags.cluster, "file of agents by class: class,count,resources,attributes");
    app.add_option("--from", flags.from,
                   "start from a live cluster instead: http://HOST:5050, or a file of its /state");
    app.add_option("--credential", flags.credential,
                   "with --from: file of who you are, where the master asks (or STOA_CREDENTIAL)");
    app.add_option("--remaining", flags.remaining,
                   "with --from: how much longer each task runs, or forever (default: as long again as it has run)");
    app.add_option("--workload", flags.workload,
                   "file of jobs: submit,role,shape,count,duration and, if wanted, framework,gang,where");
    app.add_option("--stream", flags.streams,
                   "jobs made up: \"role=etl every=30s shape=cpus:2;mem:4096 duration=~10m count=1..20\"; repeat it")
        ->allow_extra_args(false);
    app.add_option("--for", flags.length, "how long streams go on")->capture_default_str();
    app.add_option("--until", flags.until, "stop then, though work be left (default: when all is done)");
    app.add_option("--allocator", flags.allocator,
                   "drf, spread, or the path of a module (default: drf, or the live one's)");
    app.add_option("--allocator-parameters", flags.parameters, "the allocator module's own parameters");
    app.add_option("--weights", flags.weights, "weights of roles as they are: batch=2,web=0.5")
        ->allow_extra_args(false);
    app.add_option("--seed", flags.seed, "of all chance: the same seed, the same answer")->capture_default_str();

    const std::string asked = "What if";
    app.add_option("--add", flags.add, "COUNTxCLASS more agents, as in 10xsmall; or 10xcpus:16;mem:65536")
        ->group(asked)
        ->allow_extra_args(false);
    app.add_option("--without", flags.without, "without the agents with rack=a (or ssd, !ssd, class=small, host=NAME)")
        ->group(asked)
        ->allow_extra_args(false);
    app.add_option("--weight", flags.weight, "another weight of a role: etl=2")->group(asked)->allow_extra_args(false);
    app.add_option("--try-allocator", flags.try_allocator, "another allocator module")->group(asked);
    app.add_option("--load", flags.load, "jobs come so many times as fast: 1.5")
        ->group(asked)
        ->check(CLI::Range(0.001, 1000.0));

    const std::string forms = "Forms of the answer";
    app.add_flag("--json", flags.json, "as JSON, for programs")->group(forms);
    app.add_option("--csv", flags.csv, "the course of time into this file, as CSV")->group(forms);
    app.add_option("--svg", flags.svg, "a picture into this file")->group(forms);
}

} // namespace

int simulate(int argc, char** argv) {
    Flags flags;
    CLI::App app(
        "How full a cluster would be and how long whose work would wait: plays work through the shipped master "
        "and allocator in\nvirtual time. With a \"what if\" it plays it twice and compares.",
        "stoa simulate");
    app.footer("Exit codes: 0, 1 for a failure, 2 for wrong usage or a wrong file.\n\nExamples:\n"
               "  stoa simulate --cluster=cluster.csv --workload=trace.csv --add=10xsmall --svg=answer.svg\n"
               "  stoa simulate --from=http://127.0.0.1:5050 --without=rack=a \\\n"
               "      --stream=\"role=etl every=30s shape=cpus:2;mem:4096 duration=~10m\"");
    addOptions(app, flags);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    return run(flags);
}

} // namespace stoa::sim
