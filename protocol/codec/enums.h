// Our enums and the schema's, one table each. An enumerant that a newer peer knows and we don't is absent.
// Private to the codecs. Pure functions, usable from any thread.
#pragma once

#include "protocol/message/framework.h"
#include "protocol/schema/task.capnp.h"

#include <array>
#include <cstddef>
#include <optional>

namespace stoa::codec {

// In the order of protocol/message/task_state.h.
inline constexpr std::array<schema::TaskState, kTaskStates> kWireStates = {
    schema::TaskState::TASK_STAGING,     schema::TaskState::TASK_STARTING,
    schema::TaskState::TASK_RUNNING,     schema::TaskState::TASK_KILLING,
    schema::TaskState::TASK_UNREACHABLE, schema::TaskState::TASK_UNKNOWN,
    schema::TaskState::TASK_FINISHED,    schema::TaskState::TASK_FAILED,
    schema::TaskState::TASK_KILLED,      schema::TaskState::TASK_ERROR,
    schema::TaskState::TASK_LOST,        schema::TaskState::TASK_DROPPED,
    schema::TaskState::TASK_GONE,        schema::TaskState::TASK_GONE_BY_OPERATOR,
};

using WireSource = schema::TaskStatus::Source;
inline constexpr std::array<WireSource, 3> kWireSources = {WireSource::SOURCE_MASTER, WireSource::SOURCE_AGENT,
                                                           WireSource::SOURCE_EXECUTOR};

using WireReason = schema::TaskStatus::Reason;
inline constexpr std::array<WireReason, kReasons> kWireReasons = {
    WireReason::UNSET,
    WireReason::REASON_COMMAND_EXECUTOR_FAILED,
    WireReason::REASON_CONTAINER_LAUNCH_FAILED,
    WireReason::REASON_CONTAINER_LIMITATION_MEMORY,
    WireReason::REASON_CONTAINER_LIMITATION_DISK,
    WireReason::REASON_EXECUTOR_TERMINATED,
    WireReason::REASON_AGENT_DISCONNECTED,
    WireReason::REASON_AGENT_REMOVED,
    WireReason::REASON_AGENT_RESTARTED,
    WireReason::REASON_AGENT_UNKNOWN,
    WireReason::REASON_AGENT_REREGISTERED,
    WireReason::REASON_FRAMEWORK_REMOVED,
    WireReason::REASON_INVALID_OFFERS,
    WireReason::REASON_RECONCILIATION,
    WireReason::REASON_RESOURCES_UNKNOWN,
    WireReason::REASON_TASK_INVALID,
    WireReason::REASON_TASK_UNAUTHORIZED,
    WireReason::REASON_TASK_UNKNOWN,
    WireReason::REASON_TASK_KILLED_DURING_LAUNCH,
    WireReason::REASON_MAX_COMPLETION_TIME_REACHED,
    WireReason::REASON_EXECUTOR_REGISTRATION_TIMEOUT,
    WireReason::REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
};

using WireCapability = schema::FrameworkInfo::Capability;
inline constexpr std::array<WireCapability, kCapabilities> kWireCapabilities = {
    WireCapability::REVOCABLE_RESOURCES,    WireCapability::TASK_KILLING_STATE, WireCapability::GPU_RESOURCES,
    WireCapability::SHARED_RESOURCES,       WireCapability::PARTITION_AWARE,    WireCapability::MULTI_ROLE,
    WireCapability::RESERVATION_REFINEMENT, WireCapability::REGION_AWARE,
};

template <class Enum, class Table>
constexpr auto toWire(Enum value, const Table& table) {
    return table[static_cast<std::size_t>(value)];
}

template <class Enum, class Wire, std::size_t kCount>
constexpr std::optional<Enum> fromWire(Wire value, const std::array<Wire, kCount>& table) {
    for (std::size_t i = 0; i < kCount; ++i) {
        if (table[i] == value) return static_cast<Enum>(i);
    }
    return std::nullopt;
}

inline schema::TaskState toWire(TaskState state) { return toWire(state, kWireStates); }
inline WireSource toWire(StatusSource source) { return toWire(source, kWireSources); }
inline WireReason toWire(Reason reason) { return toWire(reason, kWireReasons); }
inline std::optional<TaskState> fromWire(schema::TaskState state) { return fromWire<TaskState>(state, kWireStates); }
inline std::optional<StatusSource> fromWire(WireSource source) { return fromWire<StatusSource>(source, kWireSources); }
// A reason that we don't give ourselves is none.
inline Reason fromWire(WireReason reason) { return fromWire<Reason>(reason, kWireReasons).value_or(Reason::kNone); }

} // namespace stoa::codec
