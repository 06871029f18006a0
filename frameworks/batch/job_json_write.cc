// Jobs as JSON: writing.
#include "frameworks/batch/job_json.h"

#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace stoa::batch {

namespace {

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void key(Writer& out, std::string_view name) { out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
void text(Writer& out, std::string_view value) {
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void put(Writer& out, std::string_view name, std::string_view value) {
    key(out, name);
    text(out, value);
}
void put(Writer& out, std::string_view name, std::int64_t value) {
    key(out, name);
    out.Int64(value);
}
void put(Writer& out, std::string_view name, std::uint64_t value) {
    key(out, name);
    out.Uint64(value);
}
void put(Writer& out, std::string_view name, std::uint32_t value) { put(out, name, std::uint64_t{value}); }
void put(Writer& out, std::string_view name, bool value) {
    key(out, name);
    out.Bool(value);
}
template <class List, class Put>
void putList(Writer& out, std::string_view name, const List& list, Put put_one) {
    if (list.empty()) return;
    key(out, name);
    out.StartArray();
    for (const auto& one : list) put_one(one);
    out.EndArray();
}
void putTexts(Writer& out, std::string_view name, const std::vector<std::string>& list) {
    putList(out, name, list, [&](const std::string& one) { text(out, one); });
}
void put(Writer& out, std::string_view name, const Reasons& reasons) {
    if (reasons.empty()) return;
    key(out, name);
    out.StartObject();
    for (const auto& [reason, count] : reasons) put(out, reason, count);
    out.EndObject();
}
std::string taken(const rapidjson::StringBuffer& buffer) { return {buffer.GetString(), buffer.GetSize()}; }

void putIfAny(Writer& out, std::string_view name, const std::string& value) {
    if (!value.empty()) put(out, name, value);
}
void putDependencies(Writer& out, std::string_view name, const std::vector<Dependency>& list) {
    putList(out, name, list, [&](const Dependency& one) { text(out, toString(one)); });
}

void writeAttempt(Writer& out, const Attempt& attempt) {
    put(out, "attempt", attempt.number);
    if (!attempt.agent.empty()) {
        put(out, "agent_id", attempt.agent.value());
        put(out, "host", attempt.address.host);
        put(out, "port", std::uint32_t{attempt.address.port});
    }
    for (const auto& [name, when] :
         {std::pair{"launched_ns", attempt.launched}, {"started_ns", attempt.started}, {"ended_ns", attempt.ended}}) {
        if (when.nanos != 0) put(out, name, when.nanos);
    }
    if (attempt.wait_status) put(out, "wait_status", std::int64_t{*attempt.wait_status});
    if (attempt.cpu_nanos != 0) put(out, "cpu_ns", attempt.cpu_nanos);
    if (attempt.max_memory.count != 0) put(out, "max_memory_bytes", attempt.max_memory.count);
    putIfAny(out, "why", attempt.why);
}
void putAttempts(Writer& out, std::string_view name, const std::vector<Attempt>& attempts) {
    putList(out, name, attempts, [&](const Attempt& attempt) {
        out.StartObject();
        writeAttempt(out, attempt);
        out.EndObject();
    });
}

void write(Writer& out, const JobSpec& spec) {
    out.StartObject();
    put(out, "name", spec.name);
    key(out, "command");
    out.StartObject();
    if (!spec.command.shell.empty()) put(out, "shell", spec.command.shell);
    putTexts(out, "argv", spec.command.argv);
    if (!spec.command.user.empty()) put(out, "user", spec.command.user);
    if (!spec.command.environment.empty()) {
        key(out, "environment");
        out.StartObject();
        for (const auto& [name, value] : spec.command.environment) put(out, name, value);
        out.EndObject();
    }
    out.EndObject();
    if (!spec.script.empty()) put(out, "script", spec.script);
    put(out, "resources", spec.shape.toString());
    put(out, "count", spec.count);
    put(out, "array", spec.array);
    if (!spec.indices.empty()) put(out, "indices", spec.indices.toString());
    if (spec.at_most > 0) put(out, "at_most", spec.at_most);
    put(out, "retries", spec.retries);
    if (!spec.requeue) put(out, "no_requeue", true);
    if (spec.priority != 0) put(out, "priority", std::int64_t{spec.priority});
    if (spec.held) put(out, "held", true);
    if (spec.begin.nanos != 0) put(out, "begin_ns", spec.begin.nanos);
    putDependencies(out, "after", spec.after);
    putIfAny(out, "work_directory", spec.work_directory);
    putIfAny(out, "stdout_file", spec.stdout_file);
    putIfAny(out, "stderr_file", spec.stderr_file);
    putIfAny(out, "stdin_file", spec.stdin_file);
    if (spec.append) put(out, "append", true);
    if (spec.time_limit) put(out, "time_limit_ns", std::int64_t{spec.time_limit->count()});
    if (spec.limit_warning) {
        key(out, "limit_warning");
        out.StartObject();
        put(out, "signal", std::int64_t{spec.limit_warning->signal});
        put(out, "before_ns", std::int64_t{spec.limit_warning->before.count()});
        out.EndObject();
    }
    if (spec.slots != 1) put(out, "slots", spec.slots);
    if (spec.slurm_environment) put(out, "slurm_environment", true);
    putList(out, "inputs", spec.inputs, [&](const JobInput& input) {
        out.StartObject();
        put(out, "source", input.source);
        if (!input.name.empty()) put(out, "name", input.name);
        if (input.executable) put(out, "executable", true);
        if (input.extract) put(out, "extract", true);
        out.EndObject();
    });
    putTexts(out, "outputs", spec.outputs);
    putList(out, "constraints", spec.constraints,
            [&](const Constraint& constraint) { text(out, toString(constraint)); });
    putTexts(out, "writable_paths", spec.writable_paths);
    if (spec.kill_grace) put(out, "kill_grace_ns", std::int64_t{spec.kill_grace->count()});
    out.EndObject();
}

void write(Writer& out, const TaskView& task) {
    out.StartObject();
    put(out, "index", task.index);
    put(out, "state", name(task.phase));
    if (!task.id.empty()) put(out, "task_id", task.id.value());
    writeAttempt(out, task.last);
    putAttempts(out, "earlier_attempts", task.earlier);
    out.EndObject();
}

void write(Writer& out, const JobView& view) {
    out.StartObject();
    put(out, "job", view.job);
    put(out, "name", view.name);
    put(out, "user", view.user);
    put(out, "state", name(view.state));
    put(out, "version", view.version);
    put(out, "count", view.count);
    put(out, "array", view.array);
    putIfAny(out, "indices", view.indices);
    if (view.at_most > 0) put(out, "at_most", view.at_most);
    put(out, "priority", std::int64_t{view.priority});
    put(out, "held", view.held);
    if (view.begin.nanos != 0) put(out, "begin_ns", view.begin.nanos);
    key(out, "tasks_in");
    out.StartObject();
    for (std::size_t i = 0; i < kTaskPhases; ++i) put(out, name(static_cast<TaskPhase>(i)), view.phases[i]);
    out.EndObject();
    put(out, "reasons", view.reasons);
    putIfAny(out, "why", view.why);
    put(out, "resources", view.shape.toString());
    putList(out, "after", view.after, [&](const Dependency& one) { out.Uint64(one.job); });
    putDependencies(out, "dependencies", view.after);
    putTexts(out, "outputs", view.outputs);
    if (view.time_limit) put(out, "time_limit_ns", std::int64_t{view.time_limit->count()});
    put(out, "submitted_ns", view.submitted.nanos);
    put(out, "started_ns", view.started.nanos);
    put(out, "ended_ns", view.ended.nanos);
    if (view.details) {
        put(out, "command", view.details->command);
        putIfAny(out, "work_directory", view.details->work_directory);
        putIfAny(out, "stdout_file", view.details->stdout_file);
        putIfAny(out, "stderr_file", view.details->stderr_file);
        put(out, "retries", view.details->retries);
        putDependencies(out, "unmet", view.details->unmet);
    }
    putList(out, "tasks", view.tasks, [&](const TaskView& task) { write(out, task); });
    out.EndObject();
}

} // namespace

std::string toJson(const JobSpec& spec) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    write(out, spec);
    return taken(buffer);
}

std::string toJson(const JobView& view, const FrameworkId& framework) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "framework_id", framework.value());
    key(out, "job");
    write(out, view);
    out.EndObject();
    return taken(buffer);
}

std::string toJson(const JobView& view) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    write(out, view);
    return taken(buffer);
}

std::string toJson(const answer::Jobs& jobs) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "framework_id", jobs.framework.value());
    put(out, "unfinished", std::uint64_t{jobs.unfinished});
    put(out, "ended", std::uint64_t{jobs.ended});
    if (jobs.next) put(out, "next", std::uint64_t{*jobs.next});
    key(out, "jobs");
    out.StartArray();
    for (const JobView& view : jobs.jobs) write(out, view);
    out.EndArray();
    out.EndObject();
    return taken(buffer);
}

std::string toJson(const JobRecord& record) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "job", record.job);
    key(out, "spec");
    write(out, record.spec);
    put(out, "submitted", record.submitted.nanos);
    if (record.started.nanos != 0) put(out, "started", record.started.nanos);
    put(out, "ended", record.ended.nanos);
    put(out, "cancelled", record.cancelled);
    out.EndObject();
    return taken(buffer);
}

std::string toJson(const TaskRecord& record) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "job", record.task.job);
    put(out, "index", record.task.index);
    put(out, "phase", name(record.phase));
    if (record.cancelled) put(out, "cancelled", true);
    if (record.failures > 0) put(out, "failures", record.failures);
    if (record.losses > 0) put(out, "losses", record.losses);
    writeAttempt(out, record.last);
    putAttempts(out, "earlier", record.earlier);
    put(out, "reasons", record.reasons);
    out.EndObject();
    return taken(buffer);
}

} // namespace stoa::batch
