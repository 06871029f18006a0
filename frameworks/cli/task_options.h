// The options with which `run` and `submit` describe a task: the same words, the same checks. Plain values.
#pragma once

#include "protocol/codec/task_body.h"
#include "protocol/resources/resources.h"

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

namespace CLI { // NOLINT(readability-identifier-naming): CLI11's own name
class App;
}

namespace stoa::cli {

struct Context;

struct TaskOptions {
    std::optional<double> cpus; // absent: one, or as many as an agent has where that is less
    std::string mem = "128M";
    std::string disk;
    double gpus = 0;
    std::string name;
    std::string user;
    std::vector<std::string> environment;
    std::vector<std::string> constraints;
    std::vector<std::string> writable;
    double kill_grace = -1; // seconds

    void add(CLI::App& command);
    // `agent_cpus`: of each agent, 0 when that is not known.
    absl::StatusOr<Resources> shape(double agent_cpus) const;
    // The command and its surroundings, without inputs.
    absl::StatusOr<TaskSpec> spec(const std::vector<std::string>& argv) const;
    absl::StatusOr<std::vector<Constraint>> parsedConstraints() const;
    // --name, or the program's.
    std::string nameOf(const std::vector<std::string>& argv) const;
};

// What stands after the options: the command and its arguments. An error names an option that isn't known.
absl::StatusOr<std::vector<std::string>> commandOf(const CLI::App& command, const Context& context);
// Makes a subcommand one that ends with a command and its arguments.
void endsWithCommand(CLI::App& command, Context& context);

} // namespace stoa::cli
