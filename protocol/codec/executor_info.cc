#include "protocol/codec/executor_info.h"

#include "protocol/codec/check.h"
#include "protocol/codec/compact.h"
#include "protocol/codec/v1.h"
#include "protocol/schema/task.capnp.h"

#include <capnp/message.h>

#include <bit>
#include <cstring>

namespace stoa {
namespace {

using codec::asData;
using codec::asText;
using codec::malformed;
using codec::view;
using Wire = schema::ExecutorInfo;

static_assert(std::endian::native == std::endian::little, "the table of segments is written as it lies in memory");

// One content, one row of bytes: as a message of one segment, which is what readers of bodies expect.
std::string canonicalBytes(Wire::Reader info) {
    const kj::Array<capnp::word> words = capnp::canonicalize(info);
    const std::uint32_t table[2] = {0, static_cast<std::uint32_t>(words.size())};
    std::string bytes(sizeof table + words.asBytes().size(), '\0');
    std::memcpy(bytes.data(), table, sizeof table);
    std::memcpy(bytes.data() + sizeof table, words.begin(), words.asBytes().size());
    return bytes;
}

// As a task with the executor's command, so that one reader and one writer know what a command is.
TaskSpec asTask(Wire::Reader in) {
    codec::FlatBuilder builder;
    auto task = builder.root<schema::TaskInfo>();
    if (in.hasCommand()) task.setCommand(in.getCommand());
    if (in.hasContainer()) task.setContainer(in.getContainer());
    if (in.hasLabels()) task.setLabels(in.getLabels());
    if (in.getShutdownGracePeriod().isValue()) {
        task.initKillPolicy().getGracePeriod().setValue(in.getShutdownGracePeriod().getValue());
    }
    absl::StatusOr<TaskSpec> spec = readTaskBody(makeBody(builder.bytes()));
    if (!spec.ok()) throw codec::Malformed(std::string(spec.status().message()), spec.status().code());
    return *std::move(spec);
}

ExecutorInfo readInfo(const FrameworkId& framework, schema::TaskInfo::Reader task) {
    if (!task.hasExecutor()) malformed("executor", "missing");
    if (task.hasCommand()) malformed("command", "a task with an executor has no command of its own");
    const Wire::Reader in = task.getExecutor();
    if (in.getType() == Wire::Type::DEFAULT) malformed("executor.type", "the default executor is not served");
    if (in.hasFrameworkId() && view(in.getFrameworkId()) != framework.value()) {
        malformed("executor.framework_id", concat("\"", view(in.getFrameworkId()), "\" is another framework"));
    }
    asTask(in); // would it run?
    ExecutorInfo info;
    info.id = codec::id<ExecutorId>(in.getExecutorId(), "executor.executor_id");
    info.name = codec::checkedName(view(in.getName()), "executor.name");
    info.resources = codec::readResources(in.getResources());
    codec::FlatBuilder builder;
    builder.message().setRoot(in);
    // Who says which framework, and who doesn't, mean the same one.
    builder.root<Wire>().setFrameworkId(asText(framework.value()));
    info.body = makeBody(canonicalBytes(builder.root<Wire>().asReader()));
    return info;
}

} // namespace

Body makeTaskBody(const TaskSpec& task, const ExecutorSpec& executor) {
    // A damaged body can't come from makeTaskBody(), so reading can't fail.
    TaskSpec launched;
    launched.command = executor.command;
    launched.inputs = executor.inputs;
    const Body command = makeTaskBody(launched);
    const Body own = makeTaskBody(task);
    codec::FlatReader command_reader(*command, kMaxTaskBodyBytes);
    codec::FlatReader own_reader(*own, kMaxTaskBodyBytes);
    codec::FlatBuilder builder;
    builder.message().setRoot(own_reader.root<schema::TaskInfo>());
    auto out = builder.root<schema::TaskInfo>();
    out.disownCommand();
    auto to = out.initExecutor();
    to.setType(Wire::Type::CUSTOM);
    to.setExecutorId(asText(executor.id.value()));
    to.setCommand(command_reader.root<schema::TaskInfo>().getCommand());
    codec::setUnlessEmpty(executor.name, [&](auto value) { to.setName(value); });
    const std::size_t entries = codec::wireResourceCount(executor.resources);
    codec::writeResources(executor.resources, {}, to.initResources(static_cast<unsigned>(entries)));
    if (!executor.labels.empty()) {
        codec::writeLabels(executor.labels, to.initLabels(static_cast<unsigned>(executor.labels.size())));
    }
    if (executor.shutdown_grace) to.getShutdownGracePeriod().setValue(executor.shutdown_grace->count());
    if (!executor.data.empty()) to.setData(asData(executor.data));
    return makeBody(builder.bytes());
}

absl::StatusOr<ExecutorInfo> readTaskExecutor(const FrameworkId& framework, const TaskInfo& task) {
    return codec::decodeGuarded("executor", [&]() -> ExecutorInfo {
        if (task.body == nullptr) malformed("executor", "missing");
        codec::FlatReader reader(*task.body, kMaxTaskBodyBytes);
        ExecutorInfo info = readInfo(framework, reader.root<schema::TaskInfo>());
        if (info.id != task.executor) {
            malformed("executor.executor_id", concat("\"", info.id.value(), "\" is not the task's"));
        }
        return info;
    });
}

std::optional<std::string> taskData(const TaskInfo& task) {
    if (task.body == nullptr) return std::nullopt;
    const auto found = codec::decodeGuarded("task", [&]() -> std::optional<std::string> {
        codec::FlatReader reader(*task.body, kMaxTaskBodyBytes);
        const auto in = reader.root<schema::TaskInfo>();
        if (!in.hasData()) return std::nullopt;
        return codec::checkedData(view(in.getData()), "data");
    });
    return found.ok() ? *found : std::nullopt;
}

std::optional<std::string> executorData(const ExecutorInfo& executor) {
    const auto found = codec::decodeGuarded("executor", [&]() -> std::optional<std::string> {
        codec::FlatReader reader(*executor.body, kMaxTaskBodyBytes);
        const auto in = reader.root<Wire>();
        if (!in.hasData()) return std::nullopt;
        return codec::checkedData(view(in.getData()), "data");
    });
    return found.ok() ? *found : std::nullopt;
}

std::optional<Duration> readKillGrace(const Body& task) {
    if (task == nullptr) return std::nullopt;
    const auto grace = codec::decodeGuarded("task", [&]() -> std::optional<Duration> {
        codec::FlatReader reader(*task, kMaxTaskBodyBytes);
        const auto period = reader.root<schema::TaskInfo>().getKillPolicy().getGracePeriod();
        if (!period.isValue()) return std::nullopt;
        return codec::checkedDuration(period.getValue(), "kill_policy.grace_period");
    });
    return grace.ok() ? *grace : std::nullopt;
}

absl::StatusOr<TaskSpec> readExecutorBody(const ExecutorInfo& executor) {
    return codec::decodeGuarded("executor", [&]() -> TaskSpec {
        codec::FlatReader reader(*executor.body, kMaxTaskBodyBytes);
        return asTask(reader.root<Wire>());
    });
}

} // namespace stoa
