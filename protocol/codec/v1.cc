#include "protocol/codec/v1.h"

#include "protocol/codec/compact.h"
#include "protocol/codec/enums.h"
#include "protocol/codec/task_body.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cmath>

namespace stoa::codec {
namespace {

using schema::ValueType;

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

// Resource and Attribute have these fields in common, but not their type.
template <class Builder>
void writeRangesValue(const Ranges& ranges, Builder out) {
    out.setType(ValueType::RANGES);
    writeRanges(ranges, out.initRanges(count(ranges.intervals().size())));
}

template <class Builder>
void writeScalarValue(Milli value, Builder out) {
    out.setType(ValueType::SCALAR);
    out.getScalar().setValue(value.count);
}

template <class Reader>
Milli readScalarValue(Reader in, std::string_view field) {
    if (!in.getScalar().isValue()) malformed(field, "has no scalar");
    return {in.getScalar().getValue()};
}

std::optional<Resources::Scalar> scalarNamed(std::string_view name) {
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (Resources::kScalarNames[i] == name) return static_cast<Resources::Scalar>(i);
    }
    return std::nullopt;
}

void refuseUnserved(schema::Resource::Reader in, std::string_view name) {
    const bool reserved = in.hasReservations() && in.getReservations().size() > 0;
    const bool static_role = in.hasRole() && view(in.getRole()) != "*" && !view(in.getRole()).empty();
    // An empty `reservation` is how the old form says "unreserved".
    const bool dynamic = in.hasReservation() && (in.getReservation().hasRole() || in.getReservation().hasPrincipal());
    if (reserved || static_role || dynamic) malformed(name, "reserved resources are not served");
    if (in.hasDisk()) malformed(name, "volumes are not served");
    if (in.hasRevocable()) malformed(name, "revocable resources are not served");
    if (in.hasShared()) malformed(name, "shared resources are not served");
}

Resources::Other readOther(schema::Resource::Reader in, std::string name) {
    Resources::Other other;
    switch (in.getType()) {
    case ValueType::SCALAR: other.value = checkedMilli(readScalarValue(in, name).count, name); break;
    case ValueType::RANGES: other.value = readRanges(in.getRanges(), name); break;
    case ValueType::SET: {
        NameSet set;
        checkLength(in.getSet().size(), kMaxListLength, name);
        for (const auto item : in.getSet()) set.push_back(checkedName(view(item), name));
        other.value = std::move(set);
        break;
    }
    default: malformed(name, "has no type of a resource: SCALAR, RANGES or SET");
    }
    other.name = std::move(name);
    return other;
}

// What a TaskInfo carries beside what is decided on; in both directions.
template <class Reader, class Builder>
void copyCarried(Reader from, Builder to) {
    if (from.hasExecutor()) to.setExecutor(from.getExecutor());
    if (from.hasCommand()) to.setCommand(from.getCommand());
    if (from.hasContainer()) to.setContainer(from.getContainer());
    if (from.hasHealthCheck()) to.setHealthCheck(from.getHealthCheck());
    if (from.hasCheck()) to.setCheck(from.getCheck());
    if (from.hasKillPolicy()) to.setKillPolicy(from.getKillPolicy());
    if (from.hasData()) to.setData(from.getData());
    if (from.hasLabels()) to.setLabels(from.getLabels());
    if (from.hasDiscovery()) to.setDiscovery(from.getDiscovery());
    if (from.getMaxCompletionTime().isValue()) {
        to.getMaxCompletionTime().setValue(from.getMaxCompletionTime().getValue());
    }
    if (from.hasLimits()) to.setLimits(from.getLimits());
    if (from.hasWritablePaths()) to.setWritablePaths(from.getWritablePaths());
    if (from.hasWorkDirectory()) to.setWorkDirectory(from.getWorkDirectory());
    if (from.hasLimitWarning()) to.setLimitWarning(from.getLimitWarning());
    if (from.getAttempt().isValue()) to.getAttempt().setValue(from.getAttempt().getValue());
}

bool isIpAddress(const std::string& host) {
    in6_addr parsed{};
    return inet_pton(AF_INET, host.c_str(), &parsed) == 1 || inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

} // namespace

std::size_t wireResourceCount(const Resources& resources) {
    std::size_t result = resources.others().size();
    for (const std::int64_t scalar : resources.scalars()) result += scalar != 0;
    return result;
}

void writeResources(const Resources& resources, std::string_view role, WireResources::Builder out, bool old_form) {
    unsigned next = 0;
    const auto begin = [&](std::string_view name) {
        auto to = out[next++];
        to.setName(asText(name));
        if (old_form) to.setRole("*");
        if (!role.empty()) to.setAllocationInfo(asText(role));
        return to;
    };
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        const std::int64_t scalar = resources.scalars()[i];
        if (scalar != 0) writeScalarValue({scalar}, begin(Resources::kScalarNames[i]));
    }
    for (const Resources::Other& from : resources.others()) {
        auto to = begin(from.name);
        if (const auto* scalar = std::get_if<Milli>(&from.value)) {
            writeScalarValue(*scalar, to);
        } else if (const auto* ranges = std::get_if<Ranges>(&from.value)) {
            writeRangesValue(*ranges, to);
        } else {
            const auto& set = std::get<NameSet>(from.value);
            to.setType(ValueType::SET);
            auto items = to.initSet(count(set.size()));
            for (std::size_t i = 0; i < set.size(); ++i) items.set(count(i), asText(set[i]));
        }
    }
}

Resources readResources(WireResources::Reader in) {
    checkLength(in.size(), kMaxListLength, "resources");
    Resources resources;
    for (const auto from : in) {
        const std::string_view name = view(from.getName());
        refuseUnserved(from, name);
        if (const std::optional<Resources::Scalar> scalar = scalarNamed(name)) {
            if (from.getType() != ValueType::SCALAR) malformed(name, "is no SCALAR");
            const Milli value = checkedMilli(readScalarValue(from, name).count, name);
            resources.setScalar(*scalar, resources.scalar(*scalar) + value);
            continue;
        }
        const absl::Status added = resources.add(readOther(from, checkedId(name, "resources.name")));
        if (!added.ok()) malformed("resources", toStd(added.message()));
    }
    return resources;
}

void writeAttributes(const Attributes& attributes, WireAttributes::Builder out) {
    for (std::size_t i = 0; i < attributes.size(); ++i) {
        const Attribute& from = attributes[i];
        auto to = out[count(i)];
        to.setName(asText(from.name));
        if (const auto* scalar = std::get_if<Milli>(&from.value)) {
            writeScalarValue(*scalar, to);
        } else if (const auto* ranges = std::get_if<Ranges>(&from.value)) {
            writeRangesValue(*ranges, to);
        } else {
            to.setType(ValueType::TEXT);
            to.setText(asText(std::get<std::string>(from.value)));
        }
    }
}

Attributes readAttributes(WireAttributes::Reader in) {
    checkLength(in.size(), kMaxListLength, "attributes");
    Attributes attributes;
    attributes.reserve(in.size());
    for (const auto from : in) {
        Attribute attribute;
        attribute.name = checkedId(view(from.getName()), "attributes.name");
        switch (from.getType()) {
        case ValueType::SCALAR: attribute.value = readScalarValue(from, attribute.name); break;
        case ValueType::RANGES: attribute.value = readRanges(from.getRanges(), attribute.name); break;
        case ValueType::TEXT: attribute.value = checkedName(view(from.getText()), attribute.name); break;
        default: malformed(attribute.name, "has no type of an attribute: SCALAR, RANGES or TEXT");
        }
        attributes.push_back(std::move(attribute));
    }
    std::stable_sort(attributes.begin(), attributes.end(),
                     [](const Attribute& a, const Attribute& b) { return a.name < b.name; });
    return attributes;
}

void writeFrameworkInfo(const FrameworkInfo& info, schema::FrameworkInfo::Builder out) {
    out.setUser(asText(info.user));
    out.setName(asText(info.name));
    setUnlessEmpty(info.id.value(), [&](auto value) { out.setId(value); });
    out.getFailoverTimeout().setValue(info.failover_timeout.count());
    out.getCheckpoint().setValue(info.checkpoint);
    if (info.capabilities.has(Capability::kMultiRole)) {
        auto roles = out.initRoles(count(info.roles.size()));
        for (std::size_t i = 0; i < info.roles.size(); ++i) roles.set(count(i), asText(info.roles[i]));
    } else if (!info.roles.empty()) {
        out.setRole(asText(info.roles.front()));
    }
    writeCapabilities(info.capabilities, out.initCapabilities(count(wireCapabilities(info.capabilities).size())));
    setUnlessEmpty(info.hostname, [&](auto value) { out.setHostname(value); });
    setUnlessEmpty(info.webui_url, [&](auto value) { out.setWebuiUrl(value); });
    setUnlessEmpty(info.principal, [&](auto value) { out.setPrincipal(value); });
    if (!info.labels.empty()) writeLabels(info.labels, out.initLabels(count(info.labels.size())));
}

FrameworkInfo readFrameworkInfo(schema::FrameworkInfo::Reader in) {
    FrameworkInfo info;
    info.name = checkedName(view(in.getName()), "framework_info.name");
    info.user = checkedName(view(in.getUser()), "framework_info.user");
    info.id = optionalId<FrameworkId>(in.getId(), "framework_info.id");
    info.capabilities = readCapabilities(in.getCapabilities(), "framework_info.capabilities");
    const bool multi_role = info.capabilities.has(Capability::kMultiRole);
    if (multi_role && in.hasRole() && !view(in.getRole()).empty()) {
        malformed("framework_info.role", "a framework with the capability MULTI_ROLE says `roles`");
    }
    if (!multi_role && in.getRoles().size() > 0) {
        malformed("framework_info.roles", "only a framework with the capability MULTI_ROLE has several");
    }
    if (in.getRoles().size() > 0) {
        info.roles = readRoles(in.getRoles(), "framework_info.roles");
    } else if (in.hasRole() && !view(in.getRole()).empty()) {
        info.roles = {checkedRole(view(in.getRole()), "framework_info.role")};
    }
    if (in.getFailoverTimeout().isValue()) {
        info.failover_timeout = checkedDuration(in.getFailoverTimeout().getValue(), "framework_info.failover_timeout");
    }
    info.checkpoint = in.getCheckpoint().isValue() && in.getCheckpoint().getValue();
    info.hostname = checkedName(view(in.getHostname()), "framework_info.hostname");
    info.webui_url = checkedText(view(in.getWebuiUrl()), "framework_info.webui_url");
    info.principal = checkedName(view(in.getPrincipal()), "framework_info.principal");
    if (in.hasLabels()) info.labels = readLabels(in.getLabels(), "framework_info.labels");
    return info;
}

void writeTaskInfo(const TaskInfo& task, schema::TaskInfo::Builder out) {
    out.setName(asText(task.name));
    out.setTaskId(asText(task.id.value()));
    out.setAgentId(asText(task.agent.value()));
    writeResources(task.resources, {}, out.initResources(count(wireResourceCount(task.resources))));
    // A damaged body, which only its own maker can have handed us, is left out; who reads it will say so.
    if (task.body != nullptr) {
        const auto copied = decodeGuarded("task body", [&] {
            FlatReader reader(*task.body, kMaxTaskBodyBytes);
            copyCarried(reader.root<schema::TaskInfo>(), out);
            return true;
        });
        if (!copied.ok()) return;
    }
    if (!task.executor.empty() && view(out.getExecutor().asReader().getExecutorId()) != task.executor.value()) {
        out.getExecutor().setExecutorId(asText(task.executor.value()));
    }
}

TaskInfo readTaskInfo(schema::TaskInfo::Reader in) {
    TaskInfo task;
    task.id = id<TaskId>(in.getTaskId(), "task_id");
    task.name = checkedName(view(in.getName()), "name");
    task.agent = id<AgentId>(in.getAgentId(), "agent_id");
    if (in.hasExecutor()) task.executor = id<ExecutorId>(in.getExecutor().getExecutorId(), "executor.executor_id");
    task.resources = readResources(in.getResources());
    FlatBuilder body;
    copyCarried(in, body.root<schema::TaskInfo>());
    std::string bytes = body.bytes();
    if (bytes.size() > kMaxTaskBodyBytes) {
        malformed(task.id.value(), concat("carries ", bytes.size(), " bytes, more than ", kMaxTaskBodyBytes));
    }
    task.body = makeBody(std::move(bytes));
    return task;
}

void writeTaskStatus(const TaskStatus& status, schema::TaskStatus::Builder out) {
    out.setTaskId(asText(status.task.value()));
    out.setState(toWire(status.state));
    out.setSource(toWire(status.source));
    out.setReason(toWire(status.reason));
    setUnlessEmpty(status.agent.value(), [&](auto value) { out.setAgentId(value); });
    setUnlessEmpty(status.executor.value(), [&](auto value) { out.setExecutorId(value); });
    setUnlessEmpty(status.message, [&](auto value) { out.setMessage(value); });
    if (status.uuid) out.setUuid(kj::arrayPtr(status.uuid->data(), status.uuid->size()));
    out.getTimestamp().setValue(status.timestamp.nanos);
    if (!status.data.empty()) out.setData(asData(status.data));
    const bool known =
        status.pid != 0 || status.start_time != 0 || !status.isolation.empty() || !(status.outcome == TaskOutcome{});
    if (!known) return;
    auto process = out.initProcess();
    process.setPid(status.pid);
    process.setStartTime(status.start_time);
    setUnlessEmpty(status.isolation, [&](auto value) { process.setIsolation(value); });
    if (status.outcome.wait_status) process.getWaitStatus().setValue(*status.outcome.wait_status);
    process.setOutOfMemory(status.outcome.out_of_memory);
    process.setCpuNanos(status.outcome.cpu_nanos);
    process.setMaxMemoryBytes(status.outcome.max_memory.count);
}

TaskStatus readTaskStatus(schema::TaskStatus::Reader in) {
    TaskStatus status;
    status.task = id<TaskId>(in.getTaskId(), "status.task_id");
    status.state = readState(in.getState(), "status.state");
    status.source = fromWire(in.getSource()).value_or(StatusSource::kMaster);
    status.reason = fromWire(in.getReason());
    status.agent = optionalId<AgentId>(in.getAgentId(), "status.agent_id");
    status.executor = optionalId<ExecutorId>(in.getExecutorId(), "status.executor_id");
    status.message = checkedText(view(in.getMessage()), "status.message");
    if (in.hasUuid()) status.uuid = checkedUuid(view(in.getUuid()), "status.uuid");
    if (in.getTimestamp().isValue()) status.timestamp.nanos = in.getTimestamp().getValue();
    status.data = checkedData(view(in.getData()), "status.data");
    if (!in.hasProcess()) return status;
    const auto process = in.getProcess();
    status.pid = process.getPid();
    status.start_time = process.getStartTime();
    status.isolation = checkedName(view(process.getIsolation()), "status.process.isolation");
    if (process.getWaitStatus().isValue()) status.outcome.wait_status = process.getWaitStatus().getValue();
    status.outcome.out_of_memory = process.getOutOfMemory();
    status.outcome.cpu_nanos = process.getCpuNanos();
    status.outcome.max_memory.count = process.getMaxMemoryBytes();
    return status;
}

void writeAddress(const Address& address, schema::Address::Builder out) {
    out.setHostname(asText(address.host));
    if (isIpAddress(address.host)) out.setIp(asText(address.host));
    out.setPort(address.port);
}

Address readAddress(schema::Address::Reader in) {
    Address address;
    address.host = checkedName(view(in.hasHostname() ? in.getHostname() : in.getIp()), "address.hostname");
    if (in.getPort() < 0 || in.getPort() > 65'535) malformed("address.port", concat(in.getPort(), " is no port"));
    address.port = static_cast<std::uint16_t>(in.getPort());
    return address;
}

void writeIds(const std::vector<OfferId>& ids, capnp::List<capnp::Text>::Builder out) {
    for (std::size_t i = 0; i < ids.size(); ++i) out.set(count(i), asText(ids[i].value()));
}

std::vector<OfferId> readOfferIds(capnp::List<capnp::Text>::Reader in) {
    std::vector<OfferId> ids;
    ids.reserve(in.size());
    for (const auto value : in) ids.push_back(id<OfferId>(value, "offer_ids"));
    return ids;
}

} // namespace stoa::codec
