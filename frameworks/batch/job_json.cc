#include "frameworks/batch/job_json.h"

#include "protocol/strings.h"

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace stoa::batch {

namespace {

using Json = rapidjson::Value;
using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

// ---- Writing ---------------------------------------------------------------------------------------------------

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
    put(out, "resources", spec.shape.toString());
    put(out, "count", spec.count);
    put(out, "array", spec.array);
    put(out, "retries", spec.retries);
    putList(out, "after", spec.after, [&](JobNumber job) { out.Uint64(job); });
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

void write(Writer& out, const JobView& view) {
    out.StartObject();
    put(out, "job", view.job);
    put(out, "name", view.name);
    put(out, "state", name(view.state));
    put(out, "version", view.version);
    put(out, "count", view.count);
    put(out, "array", view.array);
    key(out, "tasks_in");
    out.StartObject();
    for (std::size_t i = 0; i < kTaskPhases; ++i) put(out, name(static_cast<TaskPhase>(i)), view.phases[i]);
    out.EndObject();
    put(out, "reasons", view.reasons);
    if (!view.why.empty()) put(out, "why", view.why);
    put(out, "resources", view.shape.toString());
    putList(out, "after", view.after, [&](JobNumber job) { out.Uint64(job); });
    putTexts(out, "outputs", view.outputs);
    put(out, "submitted_ns", view.submitted.nanos);
    put(out, "ended_ns", view.ended.nanos);
    putList(out, "tasks", view.tasks, [&](const TaskView& task) {
        out.StartObject();
        put(out, "index", task.index);
        put(out, "state", name(task.phase));
        put(out, "attempt", task.attempt);
        if (!task.id.empty()) {
            put(out, "task_id", task.id.value());
            put(out, "agent_id", task.agent.value());
            put(out, "host", task.address.host);
            put(out, "port", std::uint32_t{task.address.port});
        }
        if (task.wait_status) put(out, "wait_status", std::int64_t{*task.wait_status});
        if (!task.why.empty()) put(out, "why", task.why);
        out.EndObject();
    });
    out.EndObject();
}

// ---- Reading: the first wrong field is kept, the rest reads as empty ---------------------------------------------

class Reader {
public:
    explicit Reader(absl::Status& status) : status_(status) {}

    const Json* find(const Json& object, const char* name) {
        if (!object.IsObject()) return nullptr;
        auto member = object.FindMember(name);
        return member == object.MemberEnd() || member->value.IsNull() ? nullptr : &member->value;
    }
    std::string text(const Json& object, const char* name) {
        const Json* value = find(object, name);
        if (!value) return "";
        if (!value->IsString()) return wrong(name, "text"), "";
        return {value->GetString(), value->GetStringLength()};
    }
    std::uint64_t number(const Json& object, const char* name, std::uint64_t most, std::uint64_t otherwise = 0) {
        const Json* value = find(object, name);
        if (!value) return otherwise;
        if (!value->IsUint64() || value->GetUint64() > most)
            return wrong(name, concat("a number from 0 to ", most)), otherwise;
        return value->GetUint64();
    }
    std::int64_t integer(const Json& object, const char* name) {
        const Json* value = find(object, name);
        if (!value) return 0;
        if (!value->IsInt64()) return wrong(name, "a whole number"), 0;
        return value->GetInt64();
    }
    bool truth(const Json& object, const char* name) {
        const Json* value = find(object, name);
        if (!value) return false;
        if (!value->IsBool()) return wrong(name, "true or false"), false;
        return value->GetBool();
    }
    template <class Visit>
    void list(const Json& object, const char* name, Visit visit) {
        const Json* value = find(object, name);
        if (!value) return;
        if (!value->IsArray()) return wrong(name, "a list");
        for (const Json& one : value->GetArray()) visit(one);
    }
    std::vector<std::string> texts(const Json& object, const char* name) {
        std::vector<std::string> texts;
        list(object, name, [&](const Json& one) {
            if (!one.IsString()) return wrong(name, "a list of texts");
            texts.emplace_back(one.GetString(), one.GetStringLength());
        });
        return texts;
    }
    template <class Visit>
    void members(const Json& object, const char* name, Visit visit) {
        const Json* value = find(object, name);
        if (!value) return;
        if (!value->IsObject()) return wrong(name, "an object");
        for (const auto& member : value->GetObject()) visit(std::string(member.name.GetString()), member.value);
    }
    void wrong(const char* name, std::string_view expected) {
        if (status_.ok()) status_ = invalid(name, ": should be ", expected);
    }
    void wrong(const char* name, const absl::Status& why) {
        if (status_.ok()) status_ = invalid(name, ": ", toStd(why.message()));
    }

private:
    absl::Status& status_;
};

absl::StatusOr<rapidjson::Document> parse(std::string_view text) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (document.HasParseError() || !document.IsObject()) return invalid("a JSON object was expected");
    return document;
}

JobSpec readSpec(Reader& read, const Json& json) {
    JobSpec spec;
    spec.name = read.text(json, "name");
    if (const Json* command = read.find(json, "command")) {
        spec.command.shell = read.text(*command, "shell");
        spec.command.argv = read.texts(*command, "argv");
        spec.command.user = read.text(*command, "user");
        read.members(*command, "environment", [&](const std::string& name, const Json& value) {
            if (!value.IsString()) return read.wrong("environment", "texts by name");
            spec.command.environment[name] = value.GetString();
        });
    }
    if (absl::StatusOr<Resources> shape = Resources::parse(read.text(json, "resources")); shape.ok()) {
        spec.shape = *std::move(shape);
    } else {
        read.wrong("resources", shape.status());
    }
    spec.count = static_cast<std::uint32_t>(read.number(json, "count", UINT32_MAX, 1));
    spec.array = read.truth(json, "array");
    spec.retries = static_cast<std::uint32_t>(read.number(json, "retries", UINT32_MAX));
    read.list(json, "after", [&](const Json& one) {
        if (!one.IsUint64()) return read.wrong("after", "a list of job numbers");
        spec.after.push_back(one.GetUint64());
    });
    read.list(json, "inputs", [&](const Json& one) {
        spec.inputs.push_back({read.text(one, "source"), read.text(one, "name"), read.truth(one, "executable"),
                               read.truth(one, "extract")});
    });
    spec.outputs = read.texts(json, "outputs");
    for (const std::string& constraint : read.texts(json, "constraints")) {
        absl::StatusOr<Constraint> parsed = parseConstraint(constraint);
        if (parsed.ok()) {
            spec.constraints.push_back(*std::move(parsed));
        } else {
            read.wrong("constraints", parsed.status());
        }
    }
    spec.writable_paths = read.texts(json, "writable_paths");
    if (read.find(json, "kill_grace_ns")) spec.kill_grace = Duration(read.integer(json, "kill_grace_ns"));
    return spec;
}

} // namespace

std::string toJson(const JobSpec& spec) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    write(out, spec);
    return taken(buffer);
}

absl::StatusOr<JobSpec> jobSpecFromJson(std::string_view text) {
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    JobSpec spec = readSpec(read, *json);
    if (!status.ok()) return status;
    return spec;
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

std::string toJson(const std::vector<JobView>& jobs, const FrameworkId& framework) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "framework_id", framework.value());
    key(out, "jobs");
    out.StartArray();
    for (const JobView& view : jobs) write(out, view);
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
    put(out, "ended", record.ended.nanos);
    put(out, "cancelled", record.cancelled);
    out.EndObject();
    return taken(buffer);
}

absl::StatusOr<JobRecord> jobRecordFromJson(std::string_view text) {
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    JobRecord record;
    record.job = read.number(*json, "job", UINT64_MAX);
    if (const Json* spec = read.find(*json, "spec")) record.spec = readSpec(read, *spec);
    record.submitted = {read.integer(*json, "submitted")};
    record.ended = {read.integer(*json, "ended")};
    record.cancelled = read.text(*json, "cancelled");
    if (!status.ok()) return status;
    return record;
}

std::string toJson(const TaskRecord& record) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.StartObject();
    put(out, "job", record.task.job);
    put(out, "index", record.task.index);
    put(out, "phase", name(record.phase));
    put(out, "attempt", record.attempt);
    if (record.failures > 0) put(out, "failures", record.failures);
    if (record.losses > 0) put(out, "losses", record.losses);
    put(out, "agent", record.agent.value());
    put(out, "host", record.address.host);
    put(out, "port", std::uint32_t{record.address.port});
    if (record.wait_status) put(out, "wait_status", std::int64_t{*record.wait_status});
    if (!record.why.empty()) put(out, "why", record.why);
    put(out, "reasons", record.reasons);
    if (record.ended.nanos != 0) put(out, "ended", record.ended.nanos);
    out.EndObject();
    return taken(buffer);
}

absl::StatusOr<TaskRecord> taskRecordFromJson(std::string_view text) {
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    TaskRecord record;
    record.task = {read.number(*json, "job", UINT64_MAX),
                   static_cast<std::uint32_t>(read.number(*json, "index", UINT32_MAX))};
    if (const auto phase = taskPhaseNamed(read.text(*json, "phase"))) {
        record.phase = *phase;
    } else {
        read.wrong("phase", "the name of one");
    }
    record.attempt = static_cast<std::uint32_t>(read.number(*json, "attempt", UINT32_MAX));
    record.failures = static_cast<std::uint32_t>(read.number(*json, "failures", UINT32_MAX));
    record.losses = static_cast<std::uint32_t>(read.number(*json, "losses", UINT32_MAX));
    record.agent = AgentId(read.text(*json, "agent"));
    record.address = {read.text(*json, "host"), static_cast<std::uint16_t>(read.number(*json, "port", UINT16_MAX))};
    if (read.find(*json, "wait_status")) record.wait_status = static_cast<int>(read.integer(*json, "wait_status"));
    record.why = read.text(*json, "why");
    read.members(*json, "reasons", [&](const std::string& reason, const Json& count) {
        if (!count.IsUint()) return read.wrong("reasons", "counts by reason");
        record.reasons[reason] = count.GetUint();
    });
    record.ended = {read.integer(*json, "ended")};
    if (!status.ok()) return status;
    return record;
}

} // namespace stoa::batch
