#include "frameworks/cli/sbatch_options.h"

#include "frameworks/cli/slurm_words.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_replace.h>

#include <algorithm>
#include <array>

namespace stoa::cli {

namespace {

constexpr SlurmOption kOptions[] = {
    {"array", 'a', true},
    {"begin", 'b', true},
    {"chdir", 'D', true},
    {"comment", 0, true},
    {"constraint", 'C', true},
    {"cpus-per-task", 'c', true},
    {"dependency", 'd', true},
    {"error", 'e', true},
    {"export", 0, true},
    {"gpus", 'G', true},
    {"gres", 0, true},
    {"hold", 'H', false},
    {"input", 'i', true},
    {"job-name", 'J', true},
    {"mem", 0, true},
    {"mem-per-cpu", 0, true},
    {"nice", 0, false, true},
    {"no-requeue", 0, false},
    {"nodes", 'N', true},
    {"ntasks", 'n', true},
    {"open-mode", 0, true},
    {"output", 'o', true},
    {"parsable", 0, false},
    {"priority", 0, true},
    {"quiet", 'Q', false},
    {"requeue", 0, false},
    {"signal", 0, true},
    {"time", 't', true},
    {"wait", 'W', false},
    {"wrap", 0, true},
    // Known, and without effect here.
    {"account", 'A', true},
    {"cluster", 'M', true},
    {"contiguous", 0, false},
    {"cores-per-socket", 0, true},
    {"deadline", 0, true},
    {"distribution", 'm', true},
    {"exclude", 'x', true},
    {"exclusive", 0, false, true},
    {"get-user-env", 0, false, true},
    {"hint", 0, true},
    {"kill-on-invalid-dep", 0, true},
    {"licenses", 'L', true},
    {"mail-type", 0, true},
    {"mail-user", 0, true},
    {"mem-bind", 0, true},
    {"mincpus", 0, true},
    {"nodelist", 'w', true},
    {"ntasks-per-core", 0, true},
    {"ntasks-per-node", 0, true},
    {"overcommit", 'O', false},
    {"oversubscribe", 's', false, true},
    {"partition", 'p', true},
    {"profile", 0, true},
    {"qos", 'q', true},
    {"reservation", 0, true},
    {"sockets-per-node", 0, true},
    {"spread-job", 0, false},
    {"threads-per-core", 0, true},
    {"tmp", 0, true},
    {"verbose", 'v', false},
    {"wckey", 0, true},
};
// What would change what the job does, were it left out in silence.
constexpr std::string_view kRefused[] = {"deadline", "licenses"};

// Slurm's megabytes without a unit, and 0 for all that there is.
std::string memory(const std::string& text) { return text == "0" ? "" : text; }

class Translation {
public:
    explicit Translation(Translated& out) : out_(out) {}

    absl::Status take(const std::string& name, const std::string& value) {
        if (name == "array") {
            // A number alone is the index of one task; in `stoa submit` it is how many there are.
            const bool alone = value.find_first_of("-,:") == std::string::npos;
            const std::string first = value.substr(0, value.find('%'));
            say("array", alone ? concat(first, "-", first, value.substr(first.size())) : value);
        } else if (name == "begin" || name == "chdir" || name == "constraint" || name == "dependency" ||
                   name == "error" || name == "gpus" || name == "output" || name == "priority" || name == "signal" ||
                   name == "time") {
            say(name, value);
        } else if (name == "cpus-per-task") {
            say("cpus", value);
        } else if (name == "export") {
            return exported(value);
        } else if (name == "gres") {
            return gres(value);
        } else if (name == "hold" || name == "wait" || name == "no-requeue") {
            out_.words.push_back("--" + name);
        } else if (name == "input") {
            say("stdin", value);
        } else if (name == "job-name") {
            say("name", value);
        } else if (name == "mem" || name == "mem-per-cpu") {
            if (const std::string amount = memory(value); !amount.empty()) say(name, amount);
        } else if (name == "nice") {
            int nice = 100; // as sbatch's, without a number
            if (!value.empty() && !absl::SimpleAtoi(value, &nice)) return invalid("\"", value, "\" is no number");
            say("priority", concat(-nice));
        } else if (name == "nodes") {
            if (value != "1" && value != "1-1") {
                return invalid("\"", value, "\": a job runs on one agent; `stoa mpi` runs a program over several");
            }
        } else if (name == "ntasks") {
            say("slots", value);
        } else if (name == "open-mode") {
            if (value != "append" && value != "truncate")
                return invalid("\"", value, "\" is neither append nor truncate");
            if (value == "append") out_.words.emplace_back("--append");
        } else if (name == "parsable") {
            out_.parsable = true;
        } else if (name == "quiet") {
            out_.quiet = true;
        } else if (name == "wrap") {
            out_.wrap = value;
        } else if (std::find(std::begin(kRefused), std::end(kRefused), name) != std::end(kRefused)) {
            return invalid("is not served here");
        } else if (name != "requeue" && name != "verbose") {
            out_.warnings.push_back(concat("--", name, " has no effect here"));
        }
        return absl::OkStatus();
    }

private:
    void say(std::string_view name, std::string_view value) { out_.words.push_back(concat("--", name, "=", value)); }

    // "ALL", "NONE", or names and assignments; "ALL,A=1" is both.
    absl::Status exported(const std::string& value) {
        for (const std::string_view part : split(value, ',')) {
            if (part.empty()) return invalid("\"", value, "\" holds an empty name");
            if (part == "ALL") {
                out_.words.emplace_back("--all-env");
            } else if (part == "NONE" || part == "NIL") {
                out_.words.emplace_back("--all-env=false");
            } else {
                say("env", part);
            }
        }
        // A list without ALL is the whole of it.
        const std::vector<std::string_view> parts = split(value, ',');
        if (std::find(parts.begin(), parts.end(), "ALL") == parts.end()) out_.words.emplace_back("--all-env=false");
        return absl::OkStatus();
    }

    absl::Status gres(const std::string& value) {
        const std::vector<std::string_view> parts = split(value, ':');
        std::uint32_t count = 1;
        if (parts.front() != "gpu" || (parts.size() > 1 && !absl::SimpleAtoi(toAbsl(parts.back()), &count))) {
            return invalid("\"", value, "\": only gpu:NUMBER is served here");
        }
        say("gpus", concat(count));
        return absl::OkStatus();
    }

    Translated& out_;
};

} // namespace

absl::StatusOr<Translated> translateSbatch(const std::vector<std::string>& words, Unknown unknown) {
    Translated out;
    Translation translation(out);
    SlurmWords line(words, kOptions);
    while (std::optional<SlurmWords::Option> option = line.next()) {
        if (option->problem.empty()) {
            if (absl::Status status = translation.take(option->name, option->value); !status.ok()) {
                return invalid(option->as_written, ": ", toStd(status.message()));
            }
        } else if (option->known || unknown == Unknown::kRefuse) {
            return invalid(option->as_written, " ", option->problem);
        } else {
            out.warnings.push_back(concat(option->as_written, " is not known, and has no effect"));
            line.skipValue();
        }
    }
    out.command = line.rest();
    return out;
}

} // namespace stoa::cli
