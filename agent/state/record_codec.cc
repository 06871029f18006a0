#include "agent/state/record_codec.h"

#include "protocol/codec/compact.h"
#include "protocol/schema/records.capnp.h"

namespace stoa::agent {
namespace {

using codec::asText;
using codec::id;
using codec::view;
using Wire = codec::compact::AgentRecord;

void writeKey(const TaskKey& key, Wire::TaskKey::Builder out) {
    out.setFramework(asText(key.framework.value()));
    out.setTask(asText(key.task.value()));
}

TaskKey readKey(Wire::TaskKey::Reader in) {
    return {id<FrameworkId>(in.getFramework(), "framework id"), id<TaskId>(in.getTask(), "task id")};
}

void writeKey(const ExecutorKey& key, Wire::ExecutorKey::Builder out) {
    out.setFramework(asText(key.framework.value()));
    out.setExecutor(asText(key.executor.value()));
}

ExecutorKey readKey(Wire::ExecutorKey::Reader in) {
    return {id<FrameworkId>(in.getFramework(), "framework id"), id<ExecutorId>(in.getExecutor(), "executor id")};
}

struct Writer {
    Wire::Builder out;

    void operator()(const Identity& record) { out.setIdentity(asText(record.agent.value())); }
    void operator()(const LaunchIntended& record) {
        auto to = out.initLaunchIntended();
        codec::write(record.framework, to.initFramework());
        codec::write(record.task, to.initTask());
    }
    void operator()(const StatusAppended& record) {
        auto to = out.initStatusAppended();
        to.setFramework(asText(record.framework.value()));
        codec::write(record.status, to.initStatus());
    }
    void operator()(const StatusAcknowledged& record) {
        auto to = out.initStatusAcknowledged();
        writeKey(record.key, to.initKey());
        to.setUuid(kj::arrayPtr(record.uuid.data(), record.uuid.size()));
    }
    void operator()(const KillIntended& record) {
        auto to = out.initKillIntended();
        writeKey(record.key, to.initKey());
        to.setGraceNanos(record.grace.count());
    }
    void operator()(const TaskForgotten& record) { writeKey(record.key, out.initTaskForgotten()); }
    void operator()(const ExecutorIntended& record) {
        auto to = out.initExecutorIntended();
        codec::write(record.framework, to.initFramework());
        codec::write(record.info, to.initInfo());
        to.setRun(asText(record.run));
        to.setToken(asText(record.token));
    }
    void operator()(const ExecutorShutDown& record) { writeKey(record.key, out.initExecutorShutDown()); }
    void operator()(const ExecutorForgotten& record) { writeKey(record.key, out.initExecutorForgotten()); }
};

Record read(Wire::Reader in) {
    switch (in.which()) {
    case Wire::IDENTITY: return Identity{id<AgentId>(in.getIdentity(), "agent id")};
    case Wire::LAUNCH_INTENDED:
        return LaunchIntended{codec::read(in.getLaunchIntended().getFramework()),
                              codec::read(in.getLaunchIntended().getTask())};
    case Wire::STATUS_APPENDED: {
        const auto from = in.getStatusAppended();
        return StatusAppended{id<FrameworkId>(from.getFramework(), "framework id"), codec::read(from.getStatus())};
    }
    case Wire::STATUS_ACKNOWLEDGED: {
        const auto from = in.getStatusAcknowledged();
        return StatusAcknowledged{readKey(from.getKey()), codec::checkedUuid(view(from.getUuid()), "uuid")};
    }
    case Wire::KILL_INTENDED: {
        const auto from = in.getKillIntended();
        return KillIntended{readKey(from.getKey()), codec::checkedDuration(from.getGraceNanos(), "grace")};
    }
    case Wire::TASK_FORGOTTEN: return TaskForgotten{readKey(in.getTaskForgotten())};
    case Wire::EXECUTOR_INTENDED: {
        const auto from = in.getExecutorIntended();
        return ExecutorIntended{codec::read(from.getFramework()), codec::read(from.getInfo()),
                                codec::checkedId(view(from.getRun()), "run"),
                                codec::checkedName(view(from.getToken()), "token")};
    }
    case Wire::EXECUTOR_SHUT_DOWN: return ExecutorShutDown{readKey(in.getExecutorShutDown())};
    case Wire::EXECUTOR_FORGOTTEN: return ExecutorForgotten{readKey(in.getExecutorForgotten())};
    }
    codec::malformed("kind", "is not known to this version");
}

} // namespace

std::string encodeRecord(const Record& record) {
    codec::FlatBuilder builder;
    std::visit(Writer{builder.root<Wire>()}, record);
    return builder.bytes();
}

absl::StatusOr<Record> decodeRecord(std::string_view bytes) {
    return codec::decodeGuarded("agent's record", [&]() -> Record {
        codec::FlatReader reader(bytes);
        return read(reader.root<Wire>());
    });
}

} // namespace stoa::agent
