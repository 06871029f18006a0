// Jobs as JSON: reading.
#include "frameworks/batch/job_json.h"
#include "protocol/strings.h"

#include <rapidjson/document.h>

namespace stoa::batch {

namespace {

using Json = rapidjson::Value;

// The first wrong field is kept, the rest reads as empty.
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

// Numbers alone, as older stores have them, are for "afterok".
void readDependencies(Reader& read, const Json& json, std::vector<Dependency>& after) {
    read.list(json, "after", [&](const Json& one) {
        if (one.IsUint64()) return after.emplace_back(one.GetUint64()), void();
        if (!one.IsString()) return read.wrong("after", "a list of dependencies");
        absl::StatusOr<std::vector<Dependency>> parsed = parseDependencies(one.GetString());
        if (!parsed.ok()) return read.wrong("after", parsed.status());
        after.insert(after.end(), parsed->begin(), parsed->end());
    });
}

void readSurroundings(Reader& read, const Json& json, JobSpec& spec) {
    if (const std::string indices = read.text(json, "indices"); !indices.empty()) {
        if (absl::StatusOr<IndexSet> set = IndexSet::parse(indices); set.ok()) {
            spec.indices = *std::move(set);
        } else {
            read.wrong("indices", set.status());
        }
    }
    spec.script = read.text(json, "script");
    spec.at_most = static_cast<std::uint32_t>(read.number(json, "at_most", UINT32_MAX));
    spec.requeue = !read.truth(json, "no_requeue");
    const std::int64_t priority = read.integer(json, "priority");
    if (priority < INT32_MIN || priority > INT32_MAX) read.wrong("priority", "a number of 32 bits");
    spec.priority = static_cast<std::int32_t>(priority);
    spec.held = read.truth(json, "held");
    spec.begin = {read.integer(json, "begin_ns")};
    spec.work_directory = read.text(json, "work_directory");
    spec.stdout_file = read.text(json, "stdout_file");
    spec.stderr_file = read.text(json, "stderr_file");
    spec.stdin_file = read.text(json, "stdin_file");
    spec.append = read.truth(json, "append");
    if (read.find(json, "time_limit_ns")) spec.time_limit = Duration(read.integer(json, "time_limit_ns"));
    if (const Json* warning = read.find(json, "limit_warning")) {
        spec.limit_warning = LimitWarning{static_cast<int>(read.number(*warning, "signal", 64)),
                                          Duration(read.integer(*warning, "before_ns"))};
    }
    spec.slots = static_cast<std::uint32_t>(read.number(json, "slots", UINT32_MAX, 1));
    spec.slurm_environment = read.truth(json, "slurm_environment");
}

Attempt readAttempt(Reader& read, const Json& json) {
    Attempt attempt;
    attempt.number = static_cast<std::uint32_t>(read.number(json, "attempt", UINT32_MAX));
    attempt.agent = AgentId(read.text(json, read.find(json, "agent_id") ? "agent_id" : "agent")); // version 1
    attempt.address = {read.text(json, "host"), static_cast<std::uint16_t>(read.number(json, "port", UINT16_MAX))};
    attempt.launched = {read.integer(json, "launched_ns")};
    attempt.started = {read.integer(json, "started_ns")};
    attempt.ended = {read.integer(json, read.find(json, "ended_ns") ? "ended_ns" : "ended")}; // version 1
    if (read.find(json, "wait_status")) attempt.wait_status = static_cast<int>(read.integer(json, "wait_status"));
    attempt.cpu_nanos = read.integer(json, "cpu_ns");
    attempt.max_memory = {read.integer(json, "max_memory_bytes")};
    attempt.why = read.text(json, "why");
    return attempt;
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
    readDependencies(read, json, spec.after);
    readSurroundings(read, json, spec);
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

absl::Status readRequest(std::string_view text, Cancel& cancel) {
    if (text.empty()) return absl::OkStatus();
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    if (const std::string tasks = read.text(*json, "tasks"); !tasks.empty()) {
        absl::StatusOr<IndexSet> parsed = IndexSet::parse(tasks);
        if (!parsed.ok()) return parsed.status();
        cancel.tasks = *std::move(parsed);
    }
    const std::string which = read.text(*json, "which");
    if (which == "waiting")
        cancel.which = Cancel::Which::kWaiting;
    else if (which == "live")
        cancel.which = Cancel::Which::kLive;
    else if (!which.empty() && which != "all")
        read.wrong("which", "all, waiting or live");
    return status;
}

absl::Status readRequest(std::string_view text, Change& change) {
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    if (read.find(*json, "held")) change.held = read.truth(*json, "held");
    if (read.find(*json, "priority")) {
        const std::int64_t priority = read.integer(*json, "priority");
        if (priority < INT32_MIN || priority > INT32_MAX) read.wrong("priority", "a number of 32 bits");
        change.priority = static_cast<std::int32_t>(priority);
    }
    return status;
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

absl::StatusOr<JobRecord> jobRecordFromJson(std::string_view text) {
    absl::StatusOr<rapidjson::Document> json = parse(text);
    if (!json.ok()) return json.status();
    absl::Status status;
    Reader read(status);
    JobRecord record;
    record.job = read.number(*json, "job", UINT64_MAX);
    if (const Json* spec = read.find(*json, "spec")) record.spec = readSpec(read, *spec);
    record.submitted = {read.integer(*json, "submitted")};
    record.started = {read.integer(*json, "started")};
    record.ended = {read.integer(*json, "ended")};
    record.cancelled = read.text(*json, "cancelled");
    if (!status.ok()) return status;
    return record;
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
    record.cancelled = read.truth(*json, "cancelled");
    record.failures = static_cast<std::uint32_t>(read.number(*json, "failures", UINT32_MAX));
    record.losses = static_cast<std::uint32_t>(read.number(*json, "losses", UINT32_MAX));
    record.last = readAttempt(read, *json);
    read.list(*json, "earlier", [&](const Json& one) { record.earlier.push_back(readAttempt(read, one)); });
    read.members(*json, "reasons", [&](const std::string& reason, const Json& count) {
        if (!count.IsUint()) return read.wrong("reasons", "counts by reason");
        record.reasons[reason] = count.GetUint();
    });
    if (!status.ok()) return status;
    return record;
}

} // namespace stoa::batch
