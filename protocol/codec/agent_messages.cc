#include "protocol/codec/agent_messages.h"

#include "protocol/codec/compact.h"
#include "protocol/codec/enums.h"

namespace stoa {
namespace {

using codec::asData;
using codec::asText;
using codec::id;
using codec::view;
using codec::compact::ExecutorMessage;
using WireFromAgent = codec::compact::FromAgent;
using WireToAgent = codec::compact::ToAgent;

unsigned count(std::size_t size) { return static_cast<unsigned>(size); }

void writeMessage(const FrameworkId& framework, const ExecutorId& executor, const std::string& payload,
                  ExecutorMessage::Builder out) {
    out.setFramework(asText(framework.value()));
    out.setExecutor(asText(executor.value()));
    if (!payload.empty()) out.setData(asData(payload));
}

template <class Message>
Message readMessage(ExecutorMessage::Reader in) {
    return {id<FrameworkId>(in.getFramework(), "framework id"), id<ExecutorId>(in.getExecutor(), "executor id"),
            codec::checkedData(view(in.getData()), "data")};
}

struct FromAgentWriter {
    WireFromAgent::Builder out;

    void operator()(const agent_says::Register& message) {
        auto to = out.initRegister();
        codec::write(message.info, to.initInfo());
        codec::write(message.incarnation, to.initIncarnation());
        auto tasks = to.initTasks(count(message.tasks.size()));
        for (std::size_t i = 0; i < message.tasks.size(); ++i) codec::write(message.tasks[i], tasks[count(i)]);
        auto frameworks = to.initFrameworks(count(message.frameworks.size()));
        for (std::size_t i = 0; i < message.frameworks.size(); ++i)
            codec::write(message.frameworks[i], frameworks[count(i)]);
        if (message.executors.empty()) return;
        auto executors = to.initExecutors(count(message.executors.size()));
        for (std::size_t i = 0; i < message.executors.size(); ++i) {
            executors[count(i)].setFramework(asText(message.executors[i].framework.value()));
            codec::write(message.executors[i].info, executors[count(i)].initInfo());
        }
    }
    void operator()(const agent_says::StatusUpdate& message) {
        auto to = out.initStatusUpdate();
        to.setFramework(asText(message.framework.value()));
        codec::write(message.status, to.initStatus());
        to.setLatest(codec::toWire(message.latest));
    }
    void operator()(const agent_says::ToFramework& message) {
        writeMessage(message.framework, message.executor, message.data, out.initToFramework());
    }
    void operator()(const agent_says::ExecutorEnded& message) {
        auto to = out.initExecutorEnded();
        to.setFramework(asText(message.framework.value()));
        to.setExecutor(asText(message.executor.value()));
        if (message.wait_status) to.initWaitStatus().setValue(*message.wait_status);
    }
    void operator()(const agent_says::Unregister&) { out.setUnregister(); }
};

FromAgent readFromAgent(WireFromAgent::Reader in) {
    switch (in.which()) {
    case WireFromAgent::REGISTER: {
        const auto from = in.getRegister();
        agent_says::Register message;
        message.info = codec::read(from.getInfo());
        message.incarnation = codec::read(from.getIncarnation());
        message.tasks.reserve(from.getTasks().size());
        for (const auto task : from.getTasks()) message.tasks.push_back(codec::read(task));
        message.frameworks.reserve(from.getFrameworks().size());
        for (const auto framework : from.getFrameworks()) message.frameworks.push_back(codec::read(framework));
        for (const auto executor : from.getExecutors()) {
            message.executors.push_back(
                {id<FrameworkId>(executor.getFramework(), "framework id"), codec::read(executor.getInfo())});
        }
        return message;
    }
    case WireFromAgent::STATUS_UPDATE: {
        const auto from = in.getStatusUpdate();
        return agent_says::StatusUpdate{id<FrameworkId>(from.getFramework(), "framework id"),
                                        codec::read(from.getStatus()), codec::readState(from.getLatest(), "latest")};
    }
    case WireFromAgent::TO_FRAMEWORK: return readMessage<agent_says::ToFramework>(in.getToFramework());
    case WireFromAgent::EXECUTOR_ENDED: {
        const auto from = in.getExecutorEnded();
        agent_says::ExecutorEnded message{id<FrameworkId>(from.getFramework(), "framework id"),
                                          id<ExecutorId>(from.getExecutor(), "executor id"), std::nullopt};
        if (from.hasWaitStatus()) message.wait_status = from.getWaitStatus().getValue();
        return message;
    }
    case WireFromAgent::UNREGISTER: return agent_says::Unregister{};
    }
    codec::malformed("kind", "is not known to this version");
}

struct ToAgentWriter {
    WireToAgent::Builder out;

    void operator()(const master_says::Registered& message) {
        auto to = out.initRegistered();
        to.setId(asText(message.id.value()));
        to.setUpdateRetryNanos(message.update_retry.count());
    }
    void operator()(const master_says::Refused& message) { out.setRefused(asText(message.reason)); }
    void operator()(const master_says::Launch& message) {
        auto to = out.initLaunch();
        codec::write(message.framework, to.initFramework());
        codec::write(message.task, to.initTask());
        to.setNewExecutor(message.new_executor);
    }
    void operator()(const master_says::Kill& message) {
        auto to = out.initKill();
        to.setFramework(asText(message.framework.value()));
        to.setTask(asText(message.task.value()));
        if (message.grace) to.initGraceNanos().setValue(message.grace->count());
    }
    void operator()(const master_says::AcknowledgeUpdate& message) {
        auto to = out.initAcknowledgeUpdate();
        to.setFramework(asText(message.framework.value()));
        to.setTask(asText(message.task.value()));
        to.setUuid(kj::arrayPtr(message.uuid.data(), message.uuid.size()));
    }
    void operator()(const master_says::ShutdownFramework& message) {
        out.setShutdownFramework(asText(message.framework.value()));
    }
    void operator()(const master_says::ToExecutor& message) {
        writeMessage(message.framework, message.executor, message.data, out.initToExecutor());
    }
    void operator()(const master_says::ShutdownExecutor& message) {
        writeMessage(message.framework, message.executor, {}, out.initShutdownExecutor());
    }
};

ToAgent readToAgent(WireToAgent::Reader in) {
    switch (in.which()) {
    case WireToAgent::REGISTERED: {
        const auto from = in.getRegistered();
        return master_says::Registered{id<AgentId>(from.getId(), "agent id"),
                                       codec::checkedDuration(from.getUpdateRetryNanos(), "update retry")};
    }
    case WireToAgent::REFUSED: return master_says::Refused{codec::checkedText(view(in.getRefused()), "reason")};
    case WireToAgent::LAUNCH:
        return master_says::Launch{codec::read(in.getLaunch().getFramework()), codec::read(in.getLaunch().getTask()),
                                   in.getLaunch().getNewExecutor()};
    case WireToAgent::KILL: {
        const auto from = in.getKill();
        master_says::Kill message{id<FrameworkId>(from.getFramework(), "framework id"),
                                  id<TaskId>(from.getTask(), "task id"), std::nullopt};
        if (from.hasGraceNanos()) message.grace = codec::checkedDuration(from.getGraceNanos().getValue(), "grace");
        return message;
    }
    case WireToAgent::ACKNOWLEDGE_UPDATE: {
        const auto from = in.getAcknowledgeUpdate();
        return master_says::AcknowledgeUpdate{id<FrameworkId>(from.getFramework(), "framework id"),
                                              id<TaskId>(from.getTask(), "task id"),
                                              codec::checkedUuid(view(from.getUuid()), "uuid")};
    }
    case WireToAgent::SHUTDOWN_FRAMEWORK:
        return master_says::ShutdownFramework{id<FrameworkId>(in.getShutdownFramework(), "framework id")};
    case WireToAgent::TO_EXECUTOR: return readMessage<master_says::ToExecutor>(in.getToExecutor());
    case WireToAgent::SHUTDOWN_EXECUTOR: {
        const auto from = in.getShutdownExecutor();
        return master_says::ShutdownExecutor{id<FrameworkId>(from.getFramework(), "framework id"),
                                             id<ExecutorId>(from.getExecutor(), "executor id")};
    }
    }
    codec::malformed("kind", "is not known to this version");
}

} // namespace

std::string encode(const FromAgent& message) {
    codec::FlatBuilder builder;
    std::visit(FromAgentWriter{builder.root<WireFromAgent>()}, message);
    return builder.bytes();
}

std::string encode(const ToAgent& message) {
    codec::FlatBuilder builder;
    std::visit(ToAgentWriter{builder.root<WireToAgent>()}, message);
    return builder.bytes();
}

absl::StatusOr<FromAgent> decodeFromAgent(std::string_view bytes) {
    return codec::decodeGuarded("agent message", [&]() -> FromAgent {
        codec::FlatReader reader(bytes);
        return readFromAgent(reader.root<WireFromAgent>());
    });
}

absl::StatusOr<ToAgent> decodeToAgent(std::string_view bytes) {
    return codec::decodeGuarded("master message", [&]() -> ToAgent {
        codec::FlatReader reader(bytes);
        return readToAgent(reader.root<WireToAgent>());
    });
}

} // namespace stoa
