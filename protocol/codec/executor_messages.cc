#include "protocol/codec/executor_messages.h"

#include "protocol/codec/check.h"
#include "protocol/codec/compact.h"
#include "protocol/codec/executor_info.h"
#include "protocol/codec/json_forms.h"
#include "protocol/codec/v1.h"
#include "protocol/schema/executor.capnp.h"

namespace stoa {
namespace {

using codec::asData;
using codec::asText;
using codec::fromJson;
using codec::id;
using codec::jsonOf;
using codec::malformed;
using codec::setUnlessEmpty;
using codec::view;
using WireCall = schema::ExecutorCall;
using WireEvent = schema::ExecutorEvent;

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

void require(bool present, std::string_view field) {
    if (!present) malformed(field, "missing");
}

// ---- Calls ---------------------------------------------------------------------------------------------------

struct CallWriter {
    WireCall::Builder out;

    void operator()(const executor_call::Subscribe& call) {
        out.setType(WireCall::Type::SUBSCRIBE);
        auto to = out.initSubscribe();
        auto tasks = to.initUnacknowledgedTasks(count(call.unacknowledged_tasks.size()));
        for (std::size_t i = 0; i < call.unacknowledged_tasks.size(); ++i) {
            codec::writeTaskInfo(call.unacknowledged_tasks[i], tasks[count(i)]);
        }
        auto updates = to.initUnacknowledgedUpdates(count(call.unacknowledged_updates.size()));
        for (std::size_t i = 0; i < call.unacknowledged_updates.size(); ++i) {
            codec::writeTaskStatus(call.unacknowledged_updates[i], updates[count(i)].initStatus());
        }
    }
    void operator()(const executor_call::Update& call) {
        out.setType(WireCall::Type::UPDATE);
        codec::writeTaskStatus(call.status, out.initUpdate().initStatus());
    }
    void operator()(const executor_call::Message& call) {
        out.setType(WireCall::Type::MESSAGE);
        out.initMessage().setData(asData(call.data));
    }
    void operator()(const executor_call::Heartbeat&) { out.setType(WireCall::Type::HEARTBEAT); }
};

// What an executor can know of its tasks; the rest is for agents and masters to say.
bool mayClaim(TaskState state) {
    switch (state) {
    case TaskState::kStarting:
    case TaskState::kRunning:
    case TaskState::kKilling:
    case TaskState::kFinished:
    case TaskState::kFailed:
    case TaskState::kKilled:
    case TaskState::kError:
    case TaskState::kLost: return true;
    default: return false;
    }
}

TaskStatus readStatus(schema::TaskStatus::Reader in, const ExecutorId& executor) {
    TaskStatus status = codec::readTaskStatus(in);
    require(status.uuid.has_value(), "update.status.uuid");
    if (status.source != StatusSource::kExecutor) malformed("update.status.source", "is not SOURCE_EXECUTOR");
    if (status.executor.empty()) status.executor = executor;
    if (status.executor != executor) {
        malformed("update.status.executor_id", concat("\"", status.executor.value(), "\" is another executor"));
    }
    if (!mayClaim(status.state)) {
        malformed("update.status.state", concat(name(status.state), " is not for an executor to say"));
    }
    return status;
}

ExecutorCall readCall(WireCall::Reader in) {
    ExecutorCall call;
    call.framework = id<FrameworkId>(in.getFrameworkId(), "framework_id");
    call.executor = id<ExecutorId>(in.getExecutorId(), "executor_id");
    switch (in.getType()) {
    case WireCall::Type::SUBSCRIBE: {
        require(in.hasSubscribe(), "subscribe");
        executor_call::Subscribe subscribe;
        const auto from = in.getSubscribe();
        for (const auto task : from.getUnacknowledgedTasks()) {
            subscribe.unacknowledged_tasks.push_back(codec::readTaskInfo(task));
        }
        for (const auto update : from.getUnacknowledgedUpdates()) {
            subscribe.unacknowledged_updates.push_back(readStatus(update.getStatus(), call.executor));
        }
        call.call = std::move(subscribe);
        return call;
    }
    case WireCall::Type::UPDATE:
        require(in.getUpdate().hasStatus(), "update.status");
        call.call = executor_call::Update{readStatus(in.getUpdate().getStatus(), call.executor)};
        return call;
    case WireCall::Type::MESSAGE:
        require(in.hasMessage(), "message");
        call.call = executor_call::Message{codec::checkedData(view(in.getMessage().getData()), "message.data")};
        return call;
    case WireCall::Type::HEARTBEAT: call.call = executor_call::Heartbeat{}; return call;
    case WireCall::Type::UNSET:
    case WireCall::Type::UNKNOWN: break;
    }
    malformed("type", "missing or not known");
}

// ---- Events --------------------------------------------------------------------------------------------------

struct EventWriter {
    WireEvent::Builder out;

    void operator()(const executor_event::Subscribed& event) {
        out.setType(WireEvent::Type::SUBSCRIBED);
        auto to = out.initSubscribed();
        codec::FlatReader executor(*event.executor.body, kMaxTaskBodyBytes);
        to.setExecutorInfo(executor.root<schema::ExecutorInfo>());
        codec::writeFrameworkInfo(event.framework, to.initFrameworkInfo());
        auto agent = to.initAgentInfo();
        agent.setHostname(asText(event.agent.hostname));
        agent.getPort().setValue(event.agent.address.port);
        setUnlessEmpty(event.agent.id.value(), [&](auto value) { agent.setId(value); });
        const Resources& has = event.agent.resources;
        codec::writeResources(has, {}, agent.initResources(count(codec::wireResourceCount(has))));
        codec::writeAttributes(event.agent.attributes, agent.initAttributes(count(event.agent.attributes.size())));
        to.initContainerId().setValue(asText(event.container));
    }
    void operator()(const executor_event::Launch& event) {
        out.setType(WireEvent::Type::LAUNCH);
        codec::writeTaskInfo(event.task, out.initLaunch().initTask());
    }
    void operator()(const executor_event::Kill& event) {
        out.setType(WireEvent::Type::KILL);
        auto to = out.initKill();
        to.setTaskId(asText(event.task.value()));
        if (event.grace) to.initKillPolicy().getGracePeriod().setValue(event.grace->count());
    }
    void operator()(const executor_event::Acknowledged& event) {
        out.setType(WireEvent::Type::ACKNOWLEDGED);
        auto to = out.initAcknowledged();
        to.setTaskId(asText(event.task.value()));
        to.setUuid(kj::arrayPtr(event.uuid.data(), event.uuid.size()));
    }
    void operator()(const executor_event::Message& event) {
        out.setType(WireEvent::Type::MESSAGE);
        out.initMessage().setData(asData(event.data));
    }
    void operator()(const executor_event::Shutdown&) { out.setType(WireEvent::Type::SHUTDOWN); }
    void operator()(const executor_event::Error& event) {
        out.setType(WireEvent::Type::ERROR);
        out.initError().setMessage(asText(event.message));
    }
    void operator()(const executor_event::Heartbeat&) { out.setType(WireEvent::Type::HEARTBEAT); }
};

executor_event::Subscribed readSubscribed(WireEvent::Subscribed::Reader in) {
    executor_event::Subscribed subscribed;
    subscribed.framework = codec::readFrameworkInfo(in.getFrameworkInfo());
    const auto executor = in.getExecutorInfo();
    subscribed.executor.id = id<ExecutorId>(executor.getExecutorId(), "subscribed.executor_info.executor_id");
    subscribed.executor.name = codec::checkedName(view(executor.getName()), "subscribed.executor_info.name");
    subscribed.executor.resources = codec::readResources(executor.getResources());
    codec::FlatBuilder body;
    body.message().setRoot(executor);
    subscribed.executor.body = makeBody(body.bytes());
    const auto agent = in.getAgentInfo();
    subscribed.agent.hostname = codec::checkedName(view(agent.getHostname()), "subscribed.agent_info.hostname");
    subscribed.agent.id = codec::optionalId<AgentId>(agent.getId(), "subscribed.agent_info.id");
    subscribed.agent.resources = codec::readResources(agent.getResources());
    subscribed.agent.attributes = codec::readAttributes(agent.getAttributes());
    subscribed.container = codec::checkedName(view(in.getContainerId().getValue()), "subscribed.container_id");
    return subscribed;
}

ExecutorEvent readEvent(WireEvent::Reader in) {
    switch (in.getType()) {
    case WireEvent::Type::SUBSCRIBED: return readSubscribed(in.getSubscribed());
    case WireEvent::Type::LAUNCH:
        require(in.getLaunch().hasTask(), "launch.task");
        return executor_event::Launch{codec::readTaskInfo(in.getLaunch().getTask())};
    case WireEvent::Type::KILL: {
        executor_event::Kill kill{id<TaskId>(in.getKill().getTaskId(), "kill.task_id"), std::nullopt};
        const auto grace = in.getKill().getKillPolicy().getGracePeriod();
        if (grace.isValue()) kill.grace = codec::checkedDuration(grace.getValue(), "kill.kill_policy.grace_period");
        return kill;
    }
    case WireEvent::Type::ACKNOWLEDGED:
        return executor_event::Acknowledged{
            id<TaskId>(in.getAcknowledged().getTaskId(), "acknowledged.task_id"),
            codec::checkedUuid(view(in.getAcknowledged().getUuid()), "acknowledged.uuid")};
    case WireEvent::Type::MESSAGE:
        return executor_event::Message{codec::checkedData(view(in.getMessage().getData()), "message.data")};
    case WireEvent::Type::SHUTDOWN: return executor_event::Shutdown{};
    case WireEvent::Type::ERROR:
        return executor_event::Error{codec::checkedText(view(in.getError().getMessage()), "error.message")};
    case WireEvent::Type::HEARTBEAT: return executor_event::Heartbeat{};
    case WireEvent::Type::LAUNCH_GROUP:
        throw codec::Malformed("LAUNCH_GROUP is not served", absl::StatusCode::kUnimplemented);
    case WireEvent::Type::UNSET:
    case WireEvent::Type::UNKNOWN: break;
    }
    malformed("type", "missing or not known");
}

} // namespace

std::string toJson(const ExecutorCall& call) {
    return jsonOf<WireCall>([&](auto out) {
        out.setFrameworkId(asText(call.framework.value()));
        out.setExecutorId(asText(call.executor.value()));
        std::visit(CallWriter{out}, call.call);
    });
}

std::string toJson(const ExecutorEvent& event) {
    return jsonOf<WireEvent>([&](auto out) { std::visit(EventWriter{out}, event); });
}

std::string toJson(const ExecutorInfo& executor) {
    std::string out;
    const auto written = codec::decodeGuarded("executor", [&] {
        codec::FlatReader reader(*executor.body, kMaxTaskBodyBytes);
        return appendJson(reader.root<schema::ExecutorInfo>(), out).ok();
    });
    return written.ok() ? out : "{}";
}

absl::StatusOr<ExecutorCall> executorCallFromJson(std::string_view text) {
    return fromJson<WireCall>(text, "call", readCall);
}

absl::StatusOr<ExecutorEvent> executorEventFromJson(std::string_view text) {
    return fromJson<WireEvent>(text, "event", readEvent);
}

} // namespace stoa
