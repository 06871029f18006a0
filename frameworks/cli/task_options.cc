#include "frameworks/cli/task_options.h"

#include "frameworks/cli/command.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>

namespace stoa::cli {

void TaskOptions::add(CLI::App& command) {
    command.add_option("--cpus", cpus, "processors of the task (default: 1, or what an agent has where that is less)");
    command.add_option("--mem", mem, "its memory, in megabytes or with K, M, G, T")->capture_default_str();
    command.add_option("--disk", disk, "its disk, likewise");
    command.add_option("--gpus", gpus, "its GPUs");
    command.add_option("--name", name, "its name, for people (default: the program's)");
    command.add_option("--env", environment, "NAME=VALUE for its environment, or NAME for the value here")
        ->type_size(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--constraint", constraints, "an attribute its agent must have: rack=a, rack!=a, ssd, !ssd")
        ->type_size(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--writable", writable, "a path of the host that it may write, where the agent allows it")
        ->type_size(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    command.add_option("--grace", kill_grace, "seconds between SIGTERM and SIGKILL when it is killed");
}

absl::StatusOr<Resources> TaskOptions::shape(double agent_cpus) const {
    auto milli = [](const char* flag, double value) -> absl::StatusOr<Milli> {
        if (!(value >= 0) || value > 1e12) return invalid(flag, ": ", value, " is no amount of it");
        const double rounded = std::round(value * 1000);
        if (value > 0 && rounded < 1) return invalid(flag, ": ", value, " is less than 0.001");
        return Milli{static_cast<std::int64_t>(rounded)};
    };
    Resources shape;
    absl::StatusOr<Milli> value = milli("--cpus", cpus.value_or(agent_cpus > 0 ? std::min(1.0, agent_cpus) : 1.0));
    if (!value.ok()) return value.status();
    shape.setScalar(Resources::kCpus, *value);
    value = milli("--gpus", gpus);
    if (!value.ok()) return value.status();
    shape.setScalar(Resources::kGpus, *value);
    for (const auto& [flag, text, which] :
         {std::tuple{"--mem", mem, Resources::kMem}, {"--disk", disk, Resources::kDisk}}) {
        if (text.empty() || text == "0") continue;
        absl::StatusOr<double> megabytes = parseMegabytes(text);
        if (!megabytes.ok()) return invalid(flag, ": ", toStd(megabytes.status().message()));
        value = milli(flag, *megabytes);
        if (!value.ok()) return value.status();
        shape.setScalar(which, *value);
    }
    if (shape.scalar(Resources::kCpus).count == 0 && shape.scalar(Resources::kMem).count == 0) {
        return invalid("--cpus and --mem are both 0: a task needs some of either");
    }
    return shape;
}

absl::StatusOr<TaskSpec> TaskOptions::spec(const std::vector<std::string>& argv) const {
    TaskSpec spec;
    spec.command.argv = argv;
    spec.command.user = user;
    if (absl::Status status = addEnvironment(environment, spec.command.environment); !status.ok()) return status;
    spec.writable_paths = writable;
    if (kill_grace >= 0) {
        if (kill_grace > 86400) return invalid("--grace: ", kill_grace, " is more than a day");
        spec.kill_grace = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(kill_grace));
    }
    if (absl::StatusOr<TaskSpec> read = readTaskBody(makeTaskBody(spec)); !read.ok()) return read.status();
    return spec;
}

absl::StatusOr<std::vector<Constraint>> TaskOptions::parsedConstraints() const {
    std::vector<Constraint> parsed;
    for (const std::string& text : constraints) {
        absl::StatusOr<Constraint> constraint = parseConstraint(text);
        if (!constraint.ok()) return invalid("--constraint: ", toStd(constraint.status().message()));
        parsed.push_back(*std::move(constraint));
    }
    return parsed;
}

std::string TaskOptions::nameOf(const std::vector<std::string>& argv) const {
    if (!name.empty()) return name;
    const std::string& program = argv.front();
    return program.substr(program.rfind('/') + 1);
}

void endsWithCommand(CLI::App& command, Context& context) {
    command.prefix_command();
    // Else what isn't known here would be taken for the application's.
    command.fallthrough(false);
    addGlobalOptions(command, context);
}

absl::StatusOr<std::vector<std::string>> commandOf(const CLI::App& command, const Context& context) {
    std::vector<std::string> argv = command.remaining();
    const std::string& name = command.get_name();
    if (!argv.empty() && argv.front().size() > 1 && argv.front().front() == '-') {
        return invalid(argv.front(), " is no option of `stoa ", name, "`; `stoa ", name, " --help` lists them");
    }
    if (context.command) {
        // Of two commands, `stoa run make -- -j2`, the dashes are the first one's.
        if (!argv.empty()) argv.emplace_back("--");
        argv.insert(argv.end(), context.command->begin(), context.command->end());
    }
    if (argv.empty() || argv.front().empty()) {
        return invalid("say what to run: stoa ", name, " [OPTIONS] -- COMMAND [ARGUMENTS]");
    }
    return argv;
}

} // namespace stoa::cli
