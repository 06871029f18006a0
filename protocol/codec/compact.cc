#include "protocol/codec/compact.h"

#include "protocol/codec/enums.h"
#include "protocol/codec/task_body.h"

#include <algorithm>
#include <cstddef>

namespace stoa::codec {
namespace {

void addOther(Resources& resources, Resources::Other other) {
    if (const absl::Status added = resources.add(std::move(other)); !added.ok()) {
        malformed("resources", toStd(added.message()));
    }
}

template <class List, class Element>
void writeTexts(const std::vector<Element>& values, List out) {
    for (std::size_t i = 0; i < values.size(); ++i) out.set(static_cast<unsigned>(i), asText(values[i]));
}

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

std::string shortText(capnp::Text::Reader value, std::string_view field) { return checkedName(view(value), field); }

Address readAddress(compact::Address::Reader in) { return {shortText(in.getHost(), "address"), in.getPort()}; }

std::optional<int> readWaitStatus(compact::TaskOutcome::Reader in) {
    return in.hasWaitStatus() ? std::optional<int>(in.getWaitStatus().getValue()) : std::nullopt;
}

} // namespace

TaskState readState(schema::TaskState state, std::string_view field) {
    const std::optional<TaskState> known = fromWire(state);
    if (!known) malformed(field, "is no known state");
    return *known;
}

std::vector<std::string> readRoles(capnp::List<capnp::Text>::Reader in, std::string_view field) {
    checkLength(in.size(), kMaxListLength, field);
    std::vector<std::string> roles;
    roles.reserve(in.size());
    for (const auto role : in) roles.push_back(checkedRole(view(role), field));
    std::sort(roles.begin(), roles.end());
    roles.erase(std::unique(roles.begin(), roles.end()), roles.end());
    return roles;
}

Labels readLabels(capnp::List<schema::Label>::Reader in, std::string_view field) {
    checkLength(in.size(), kMaxListLength, field);
    Labels labels;
    for (const auto label : in) {
        labels[checkedName(view(label.getKey()), field)] = checkedText(view(label.getValue()), field);
    }
    return labels;
}

void writeLabels(const Labels& labels, capnp::List<schema::Label>::Builder out) {
    unsigned i = 0;
    for (const auto& [key, value] : labels) {
        out[i].setKey(asText(key));
        out[i].setValue(asText(value));
        ++i;
    }
}

std::vector<schema::FrameworkInfo::Capability> wireCapabilities(Capabilities capabilities) {
    std::vector<schema::FrameworkInfo::Capability> listed;
    for (std::size_t i = 0; i < kCapabilities; ++i) {
        if (capabilities.has(static_cast<Capability>(i))) listed.push_back(kWireCapabilities[i]);
    }
    return listed;
}

void writeCapabilities(Capabilities capabilities, WireCapabilities::Builder out) {
    const auto listed = wireCapabilities(capabilities);
    for (std::size_t i = 0; i < listed.size(); ++i) out.set(count(i), listed[i]);
}

Capabilities readCapabilities(WireCapabilities::Reader in, std::string_view field) {
    checkLength(in.size(), kMaxListLength, field);
    Capabilities capabilities;
    for (const auto one : in) {
        if (const auto known = fromWire<Capability>(one, kWireCapabilities)) capabilities.add(*known);
    }
    return capabilities;
}

Ranges readRanges(capnp::List<schema::Range>::Reader in, std::string_view field) {
    checkLength(in.size(), kMaxListLength, field);
    std::vector<Ranges::Interval> intervals;
    intervals.reserve(in.size());
    for (const auto range : in) intervals.push_back({range.getBegin(), range.getEnd()});
    absl::StatusOr<Ranges> ranges = Ranges::of(std::move(intervals));
    if (!ranges.ok()) malformed(field, toStd(ranges.status().message()));
    return *std::move(ranges);
}

void writeRanges(const Ranges& ranges, capnp::List<schema::Range>::Builder out) {
    for (std::size_t i = 0; i < ranges.intervals().size(); ++i) {
        out[count(i)].setBegin(ranges.intervals()[i].first);
        out[count(i)].setEnd(ranges.intervals()[i].last);
    }
}

void write(const Resources& resources, schema::Bundle::Builder out) {
    out.setCpus(resources.scalar(Resources::kCpus).count);
    out.setMem(resources.scalar(Resources::kMem).count);
    out.setDisk(resources.scalar(Resources::kDisk).count);
    out.setGpus(resources.scalar(Resources::kGpus).count);
    if (resources.others().empty()) return;
    auto others = out.initOthers(count(resources.others().size()));
    for (std::size_t i = 0; i < resources.others().size(); ++i) {
        const Resources::Other& from = resources.others()[i];
        auto to = others[count(i)];
        to.setName(asText(from.name));
        if (const auto* scalar = std::get_if<Milli>(&from.value)) {
            to.setScalar(scalar->count);
        } else if (const auto* ranges = std::get_if<Ranges>(&from.value)) {
            writeRanges(*ranges, to.initRanges(count(ranges->intervals().size())));
        } else {
            const auto& set = std::get<NameSet>(from.value);
            writeTexts(set, to.initSet(count(set.size())));
        }
    }
}

Resources read(schema::Bundle::Reader in) {
    Resources resources;
    resources.setScalar(Resources::kCpus, checkedMilli(in.getCpus(), "cpus"));
    resources.setScalar(Resources::kMem, checkedMilli(in.getMem(), "mem"));
    resources.setScalar(Resources::kDisk, checkedMilli(in.getDisk(), "disk"));
    resources.setScalar(Resources::kGpus, checkedMilli(in.getGpus(), "gpus"));
    if (!in.hasOthers()) return resources;
    const auto others = in.getOthers();
    checkLength(others.size(), kMaxListLength, "resources");
    for (const auto from : others) {
        Resources::Other other;
        other.name = checkedId(view(from.getName()), "resources.name");
        switch (from.which()) {
        case schema::Bundle::Other::SCALAR: other.value = checkedMilli(from.getScalar(), other.name); break;
        case schema::Bundle::Other::RANGES: other.value = readRanges(from.getRanges(), other.name); break;
        case schema::Bundle::Other::SET: {
            NameSet set;
            checkLength(from.getSet().size(), kMaxListLength, other.name);
            for (const auto item : from.getSet()) set.push_back(shortText(item, other.name));
            other.value = std::move(set);
            break;
        }
        default: malformed(other.name, "has an unknown type");
        }
        addOther(resources, std::move(other));
    }
    return resources;
}

void write(const AgentInfo& info, compact::AgentInfo::Builder out) {
    setUnlessEmpty(info.id.value(), [&](auto value) { out.setId(value); });
    out.setHostname(asText(info.hostname));
    auto address = out.initAddress();
    address.setHost(asText(info.address.host));
    address.setPort(info.address.port);
    write(info.resources, out.initResources());
    auto attributes = out.initAttributes(count(info.attributes.size()));
    for (std::size_t i = 0; i < info.attributes.size(); ++i) {
        const Attribute& from = info.attributes[i];
        auto to = attributes[count(i)];
        to.setName(asText(from.name));
        if (const auto* scalar = std::get_if<Milli>(&from.value)) {
            to.setScalar(scalar->count);
        } else if (const auto* ranges = std::get_if<Ranges>(&from.value)) {
            writeRanges(*ranges, to.initRanges(count(ranges->intervals().size())));
        } else {
            to.setText(asText(std::get<std::string>(from.value)));
        }
    }
    setUnlessEmpty(info.isolation, [&](auto value) { out.setIsolation(value); });
    setUnlessEmpty(info.version, [&](auto value) { out.setVersion(value); });
}

AgentInfo read(compact::AgentInfo::Reader in) {
    AgentInfo info;
    info.id = optionalId<AgentId>(in.getId(), "agent id");
    info.hostname = shortText(in.getHostname(), "hostname");
    info.address = readAddress(in.getAddress());
    info.resources = read(in.getResources());
    const auto attributes = in.getAttributes();
    checkLength(attributes.size(), kMaxListLength, "attributes");
    info.attributes.reserve(attributes.size());
    for (const auto from : attributes) {
        Attribute attribute;
        attribute.name = checkedId(view(from.getName()), "attributes.name");
        switch (from.which()) {
        case compact::Attribute::SCALAR:
            // Nothing is ever summed up here, and a temperature may be negative.
            attribute.value = Milli{from.getScalar()};
            break;
        case compact::Attribute::RANGES: attribute.value = readRanges(from.getRanges(), attribute.name); break;
        case compact::Attribute::TEXT: attribute.value = shortText(from.getText(), attribute.name); break;
        default: malformed(attribute.name, "has an unknown type");
        }
        info.attributes.push_back(std::move(attribute));
    }
    std::stable_sort(info.attributes.begin(), info.attributes.end(),
                     [](const Attribute& a, const Attribute& b) { return a.name < b.name; });
    info.isolation = shortText(in.getIsolation(), "isolation");
    info.version = shortText(in.getVersion(), "version");
    return info;
}

void write(const Incarnation& incarnation, compact::Incarnation::Builder out) {
    out.setBootId(asText(incarnation.boot_id));
    out.setWorkId(asText(incarnation.work_id));
}

Incarnation read(compact::Incarnation::Reader in) {
    return {shortText(in.getBootId(), "boot id"), shortText(in.getWorkId(), "work id")};
}

void write(const FrameworkInfo& info, compact::FrameworkInfo::Builder out) {
    setUnlessEmpty(info.id.value(), [&](auto value) { out.setId(value); });
    out.setName(asText(info.name));
    setUnlessEmpty(info.user, [&](auto value) { out.setUser(value); });
    writeTexts(info.roles, out.initRoles(count(info.roles.size())));
    out.setFailoverTimeoutNanos(info.failover_timeout.count());
    out.setCheckpoint(info.checkpoint);
    setUnlessEmpty(info.hostname, [&](auto value) { out.setHostname(value); });
    setUnlessEmpty(info.webui_url, [&](auto value) { out.setWebuiUrl(value); });
    setUnlessEmpty(info.principal, [&](auto value) { out.setPrincipal(value); });
    if (!info.labels.empty()) writeLabels(info.labels, out.initLabels(count(info.labels.size())));
    writeCapabilities(info.capabilities, out.initCapabilities(count(wireCapabilities(info.capabilities).size())));
}

FrameworkInfo read(compact::FrameworkInfo::Reader in) {
    FrameworkInfo info;
    info.id = optionalId<FrameworkId>(in.getId(), "framework id");
    info.name = shortText(in.getName(), "framework name");
    info.user = shortText(in.getUser(), "user");
    info.roles = readRoles(in.getRoles(), "roles");
    if (info.roles.empty()) malformed("roles", "missing");
    info.failover_timeout = checkedDuration(in.getFailoverTimeoutNanos(), "failover timeout");
    info.checkpoint = in.getCheckpoint();
    info.hostname = shortText(in.getHostname(), "hostname");
    info.webui_url = checkedText(view(in.getWebuiUrl()), "webui url");
    info.principal = shortText(in.getPrincipal(), "principal");
    if (in.hasLabels()) info.labels = readLabels(in.getLabels(), "labels");
    if (in.hasCapabilities()) info.capabilities = readCapabilities(in.getCapabilities(), "capabilities");
    return info;
}

void write(const TaskInfo& task, compact::TaskInfo::Builder out) {
    out.setId(asText(task.id.value()));
    setUnlessEmpty(task.name, [&](auto value) { out.setName(value); });
    setUnlessEmpty(task.agent.value(), [&](auto value) { out.setAgent(value); });
    setUnlessEmpty(task.executor.value(), [&](auto value) { out.setExecutor(value); });
    write(task.resources, out.initResources());
    if (task.body != nullptr) out.setBody(asData(*task.body));
}

TaskInfo read(compact::TaskInfo::Reader in) {
    TaskInfo task;
    task.id = id<TaskId>(in.getId(), "task id");
    task.name = shortText(in.getName(), "task name");
    task.agent = optionalId<AgentId>(in.getAgent(), "agent id");
    task.executor = optionalId<ExecutorId>(in.getExecutor(), "executor id");
    task.resources = read(in.getResources());
    const auto body = view(in.getBody());
    if (body.size() > kMaxTaskBodyBytes) malformed("task body", concat("has ", body.size(), " bytes"));
    task.body = body.empty() ? emptyTaskBody() : std::make_shared<const std::string>(body);
    return task;
}

void write(const ExecutorInfo& executor, compact::ExecutorInfo::Builder out) {
    out.setId(asText(executor.id.value()));
    setUnlessEmpty(executor.name, [&](auto value) { out.setName(value); });
    write(executor.resources, out.initResources());
    out.setBody(asData(*executor.body));
}

ExecutorInfo read(compact::ExecutorInfo::Reader in) {
    ExecutorInfo executor;
    executor.id = id<ExecutorId>(in.getId(), "executor id");
    executor.name = shortText(in.getName(), "executor name");
    executor.resources = read(in.getResources());
    const auto body = view(in.getBody());
    if (body.size() > kMaxTaskBodyBytes) malformed("executor body", concat("has ", body.size(), " bytes"));
    executor.body = std::make_shared<const std::string>(body);
    return executor;
}

void write(const TaskStatus& status, compact::TaskStatus::Builder out) {
    out.setTask(asText(status.task.value()));
    setUnlessEmpty(status.agent.value(), [&](auto value) { out.setAgent(value); });
    setUnlessEmpty(status.executor.value(), [&](auto value) { out.setExecutor(value); });
    out.setState(toWire(status.state));
    out.setSource(toWire(status.source));
    out.setReason(toWire(status.reason));
    setUnlessEmpty(status.message, [&](auto value) { out.setMessage(value); });
    if (status.uuid) out.setUuid(kj::arrayPtr(status.uuid->data(), status.uuid->size()));
    out.setTimestamp(status.timestamp.nanos);
    out.setPid(status.pid);
    out.setStartTime(status.start_time);
    setUnlessEmpty(status.isolation, [&](auto value) { out.setIsolation(value); });
    if (!status.data.empty()) out.setData(asData(status.data));
    if (status.outcome == TaskOutcome{}) return;
    auto outcome = out.initOutcome();
    if (status.outcome.wait_status) outcome.initWaitStatus().setValue(*status.outcome.wait_status);
    outcome.setOutOfMemory(status.outcome.out_of_memory);
    outcome.setCpuNanos(status.outcome.cpu_nanos);
    outcome.setMaxMemoryBytes(status.outcome.max_memory.count);
}

TaskStatus read(compact::TaskStatus::Reader in) {
    TaskStatus status;
    status.task = id<TaskId>(in.getTask(), "task id");
    status.agent = optionalId<AgentId>(in.getAgent(), "agent id");
    status.executor = optionalId<ExecutorId>(in.getExecutor(), "executor id");
    status.state = readState(in.getState(), "state");
    const std::optional<StatusSource> source = fromWire(in.getSource());
    if (!source) malformed("source", "is not known");
    status.source = *source;
    status.reason = fromWire(in.getReason());
    status.message = checkedText(view(in.getMessage()), "message");
    if (in.hasUuid()) status.uuid = checkedUuid(view(in.getUuid()), "uuid");
    status.timestamp.nanos = in.getTimestamp();
    status.pid = in.getPid();
    status.start_time = in.getStartTime();
    status.isolation = shortText(in.getIsolation(), "isolation");
    status.data = checkedData(view(in.getData()), "data");
    if (in.hasOutcome()) {
        const auto outcome = in.getOutcome();
        status.outcome.wait_status = readWaitStatus(outcome);
        status.outcome.out_of_memory = outcome.getOutOfMemory();
        status.outcome.cpu_nanos = outcome.getCpuNanos();
        status.outcome.max_memory.count = outcome.getMaxMemoryBytes();
    }
    return status;
}

void write(const AgentTask& task, compact::AgentTask::Builder out) {
    out.setFramework(asText(task.framework.value()));
    write(task.info, out.initInfo());
    out.setState(toWire(task.state));
    write(task.status, out.initStatus());
}

AgentTask read(compact::AgentTask::Reader in) {
    AgentTask task;
    task.framework = id<FrameworkId>(in.getFramework(), "framework id");
    task.info = read(in.getInfo());
    task.state = readState(in.getState(), "state");
    task.status = read(in.getStatus());
    return task;
}

} // namespace stoa::codec
