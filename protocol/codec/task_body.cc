#include "protocol/codec/task_body.h"

#include "protocol/codec/check.h"
#include "protocol/codec/compact.h"
#include "protocol/codec/v1.h"
#include "protocol/schema/task.capnp.h"

#include <algorithm>

namespace stoa {
namespace {

using codec::asData;
using codec::asText;
using codec::checkedText;
using codec::malformed;
using codec::view;
using WireCommand = schema::CommandInfo;

constexpr std::int32_t kLastSignal = 64;

void writeCommand(const TaskSpec& spec, WireCommand::Builder out) {
    const CommandSpec& command = spec.command;
    if (command.argv.empty()) {
        out.getShell().setValue(true);
        out.setValue(asText(command.shell));
    } else {
        out.getShell().setValue(false);
        out.setValue(asText(command.argv.front()));
        auto arguments = out.initArguments(static_cast<unsigned>(command.argv.size()));
        for (unsigned i = 0; i < arguments.size(); ++i) arguments.set(i, asText(command.argv[i]));
    }
    if (!command.user.empty()) out.setUser(asText(command.user));
    if (!command.environment.empty()) {
        auto variables = out.initEnvironment(static_cast<unsigned>(command.environment.size()));
        unsigned i = 0;
        for (const auto& [name, value] : command.environment) {
            variables[i].setName(asText(name));
            variables[i].setValue(asText(value));
            ++i;
        }
    }
    if (spec.inputs.empty()) return;
    auto uris = out.initUris(static_cast<unsigned>(spec.inputs.size()));
    for (unsigned i = 0; i < uris.size(); ++i) {
        const InputSpec& input = spec.inputs[i];
        uris[i].setValue(asText(input.uri));
        uris[i].getExecutable().setValue(input.executable);
        uris[i].getExtract().setValue(input.extract);
        if (!input.output_file.empty()) uris[i].setOutputFile(asText(input.output_file));
    }
}

void checkSandboxPath(std::string_view path) {
    bool leaves = !path.empty() && path.front() == '/';
    for (const std::string_view part : split(path, '/')) leaves |= part == "..";
    if (leaves) malformed("output_file", concat("\"", path, "\" leaves the sandbox"));
}

CommandSpec readCommand(WireCommand::Reader in) {
    CommandSpec command;
    const bool shell = !in.getShell().isValue() || in.getShell().getValue();
    const std::string value = checkedText(view(in.getValue()), "command.value");
    if (shell) {
        if (value.empty()) malformed("command.value", "missing: there is nothing to run");
        command.shell = value;
    } else {
        const auto arguments = in.getArguments();
        codec::checkLength(arguments.size(), codec::kMaxArguments, "command.arguments");
        for (const auto argument : arguments) {
            command.argv.push_back(checkedText(view(argument), "command.arguments"));
        }
        // `value` is the program, the first argument only what it is called.
        if (command.argv.empty()) command.argv.emplace_back();
        if (!value.empty()) command.argv.front() = value;
        if (command.argv.front().empty()) malformed("command.value", "missing: there is nothing to run");
    }
    const auto variables = in.getEnvironment();
    codec::checkLength(variables.size(), codec::kMaxArguments, "command.environment");
    for (const auto variable : variables) {
        const std::string name = checkedText(view(variable.getName()), "command.environment");
        if (name.empty() || name.find('=') != std::string::npos) {
            malformed("command.environment", concat("\"", name, "\" is no name of a variable"));
        }
        if (variable.getType() == schema::Environment::Variable::Type::SECRET) {
            malformed("command.environment", concat(name, ": secrets are not served"));
        }
        command.environment[name] = checkedText(view(variable.getValue()), name);
    }
    command.user = codec::checkedName(view(in.getUser()), "command.user");
    return command;
}

std::vector<InputSpec> readInputs(WireCommand::Reader in) {
    std::vector<InputSpec> inputs;
    codec::checkLength(in.getUris().size(), kMaxListLength, "command.uris");
    for (const auto uri : in.getUris()) {
        InputSpec input;
        input.uri = checkedText(view(uri.getValue()), "command.uris.value");
        if (input.uri.empty()) malformed("command.uris.value", "missing");
        input.output_file = checkedText(view(uri.getOutputFile()), "command.uris.output_file");
        checkSandboxPath(input.output_file);
        input.executable = uri.getExecutable().isValue() && uri.getExecutable().getValue();
        input.extract = !uri.getExtract().isValue() || uri.getExtract().getValue();
        inputs.push_back(std::move(input));
    }
    return inputs;
}

// What a task asks for and would not get is refused, rather than run without it.
void refuseUnserved(schema::TaskInfo::Reader in) {
    if (in.hasContainer()) {
        const auto container = in.getContainer();
        if (container.hasDocker() || container.getMesos().hasImage()) malformed("container", "images are not served");
        if (container.hasVolumes()) malformed("container.volumes", "not served: see writable_paths");
        if (container.hasNetworkInfos()) malformed("container.network_infos", "not served");
    }
    if (in.hasHealthCheck()) malformed("health_check", "not served");
    if (in.hasCheck()) malformed("check", "not served");
}

TaskSpec readSpec(schema::TaskInfo::Reader in) {
    refuseUnserved(in);
    TaskSpec spec;
    if (!in.hasCommand()) malformed("command", "missing: there is nothing to run");
    spec.command = readCommand(in.getCommand());
    spec.inputs = readInputs(in.getCommand());
    if (in.hasLabels()) spec.labels = codec::readLabels(in.getLabels(), "labels");
    if (in.getKillPolicy().getGracePeriod().isValue()) {
        spec.kill_grace =
            codec::checkedDuration(in.getKillPolicy().getGracePeriod().getValue(), "kill_policy.grace_period");
    }
    codec::checkLength(in.getWritablePaths().size(), kMaxListLength, "writable_paths");
    for (const auto path : in.getWritablePaths()) {
        spec.writable_paths.push_back(checkedText(view(path), "writable_paths"));
        if (!spec.writable_paths.back().starts_with('/')) {
            malformed("writable_paths", concat("\"", spec.writable_paths.back(), "\" is not absolute"));
        }
    }
    spec.work_directory = checkedText(view(in.getWorkDirectory()), "work_directory");
    if (!spec.work_directory.empty() && !spec.work_directory.starts_with('/')) {
        malformed("work_directory", concat("\"", spec.work_directory, "\" is not absolute"));
    }
    if (in.getMaxCompletionTime().isValue()) {
        spec.time_limit = codec::checkedDuration(in.getMaxCompletionTime().getValue(), "max_completion_time");
    }
    if (in.hasLimitWarning()) {
        const auto warning = in.getLimitWarning();
        if (warning.getSignal() < 1 || warning.getSignal() > kLastSignal) {
            malformed("limit_warning.signal", concat(warning.getSignal(), " is no signal's number"));
        }
        if (!spec.time_limit) malformed("limit_warning", "there is no max_completion_time to warn of");
        spec.limit_warning =
            LimitWarning{warning.getSignal(), codec::checkedDuration(warning.getBefore(), "limit_warning.before")};
    }
    if (in.getAttempt().isValue()) spec.attempt = in.getAttempt().getValue();
    spec.data = codec::checkedData(view(in.getData()), "data");
    return spec;
}

} // namespace

Body makeTaskBody(const TaskSpec& spec) {
    codec::FlatBuilder builder;
    auto out = builder.root<schema::TaskInfo>();
    writeCommand(spec, out.initCommand());
    if (!spec.labels.empty()) {
        codec::writeLabels(spec.labels, out.initLabels(static_cast<unsigned>(spec.labels.size())));
    }
    if (spec.kill_grace) out.initKillPolicy().getGracePeriod().setValue(spec.kill_grace->count());
    if (!spec.writable_paths.empty()) {
        auto paths = out.initWritablePaths(static_cast<unsigned>(spec.writable_paths.size()));
        for (unsigned i = 0; i < paths.size(); ++i) paths.set(i, asText(spec.writable_paths[i]));
    }
    if (!spec.work_directory.empty()) out.setWorkDirectory(asText(spec.work_directory));
    if (spec.time_limit) out.getMaxCompletionTime().setValue(spec.time_limit->count());
    if (spec.limit_warning) {
        auto warning = out.initLimitWarning();
        warning.setSignal(spec.limit_warning->signal);
        warning.setBefore(spec.limit_warning->before.count());
    }
    out.getAttempt().setValue(spec.attempt);
    if (!spec.data.empty()) out.setData(asData(spec.data));
    return makeBody(builder.bytes());
}

absl::StatusOr<TaskSpec> readTaskBody(const Body& body) {
    return codec::decodeGuarded("task", [&]() -> TaskSpec {
        if (body == nullptr) malformed("command", "missing: there is nothing to run");
        codec::FlatReader reader(*body, kMaxTaskBodyBytes);
        return readSpec(reader.root<schema::TaskInfo>());
    });
}

const Body& emptyTaskBody() {
    static const Body body = [] {
        codec::FlatBuilder builder;
        builder.root<schema::TaskInfo>();
        return makeBody(builder.bytes());
    }();
    return body;
}

} // namespace stoa
