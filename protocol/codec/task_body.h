// What a task carries along for the one who launches it: the command, the files it wants, its labels. Between the
// framework that made it and the agent's launcher that reads it nobody looks inside; it travels as a Body, which is a
// message of schema/task.capnp's TaskInfo with the decided-on fields (ids, resources) left empty.
//
//   task.body = makeTaskBody({.command = {.shell = "exit 7"}});
//   absl::StatusOr<TaskSpec> spec = readTaskBody(task.body);
//
// Plain values and pure functions, usable from any thread.
#pragma once

#include "protocol/message/framework.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stoa {

struct CommandSpec {
    // Exactly one of the two: a line for /bin/sh -c, or a program and its arguments.
    std::string shell;
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    std::string user; // empty: the framework's
    friend bool operator==(const CommandSpec&, const CommandSpec&) = default;
};

// A file put into the sandbox before the command starts.
struct InputSpec {
    std::string uri;         // http://… or file://…
    std::string output_file; // relative path in the sandbox; empty: the last part of the URI
    bool executable = false;
    bool extract = false; // an archive, unpacked there
    friend bool operator==(const InputSpec&, const InputSpec&) = default;
};

// A signal to the command some time before its time is over.
struct LimitWarning {
    int signal = 0;
    Duration before{0};
    friend bool operator==(const LimitWarning&, const LimitWarning&) = default;
};

struct TaskSpec {
    CommandSpec command;
    std::vector<InputSpec> inputs;
    Labels labels;
    std::optional<Duration> kill_grace;      // between SIGTERM and SIGKILL; absent: the agent's default
    std::vector<std::string> writable_paths; // of the host, read-write in the container where the agent allows it
    // Of the host: where the command starts, and may write; empty: its sandbox. The agent says which it allows.
    std::string work_directory;
    std::optional<Duration> time_limit; // from its start; then it is killed, and has failed
    std::optional<LimitWarning> limit_warning;
    std::uint32_t attempt = 1; // how often the framework has launched this piece of work
    std::string data;          // the executor's or the framework's own
    friend bool operator==(const TaskSpec&, const TaskSpec&) = default;
};

Body makeTaskBody(const TaskSpec& spec);
// Refuses what no launcher could run: no command or both forms of it, NUL in an argument, a path that leaves the
// sandbox, a name of an environment variable with '='.
absl::StatusOr<TaskSpec> readTaskBody(const Body& body);

// A body without anything, for tasks of tests and for executors that need none. Never null.
const Body& emptyTaskBody();

} // namespace stoa
