// Whether two messages say the same, field by field: a task's body by what it says, not by its bytes. For tests.
// Pure functions.
#pragma once

#include "protocol/codec/framework_messages.h"
#include "protocol/codec/task_body.h"
#include "protocol/message/agent.h"

#include <algorithm>
#include <variant>
#include <vector>

namespace stoa {

template <class T>
bool same(const T& a, const T& b) {
    return a == b;
}
inline bool same(const TaskInfo& a, const TaskInfo& b) {
    const auto left = readTaskBody(a.body);
    const auto right = readTaskBody(b.body);
    return a.id == b.id && a.name == b.name && a.agent == b.agent && a.executor == b.executor &&
           a.resources == b.resources && left.ok() && right.ok() && *left == *right;
}
inline bool same(const Offer& a, const Offer& b) {
    return a.id == b.id && a.framework == b.framework && a.agent == b.agent && a.hostname == b.hostname &&
           a.address == b.address && a.role == b.role && a.resources == b.resources && a.attributes == b.attributes &&
           a.demand == b.demand && a.count == b.count;
}
inline bool same(const AgentTask& a, const AgentTask& b) {
    return a.framework == b.framework && same(a.info, b.info) && a.state == b.state && a.status == b.status;
}
inline bool same(const AgentExecutor& a, const AgentExecutor& b) {
    return a.framework == b.framework && a.info == b.info && a.info.id == b.info.id &&
           a.info.resources == b.info.resources && a.info.name == b.info.name;
}
inline bool same(const call::Reconcile::Task& a, const call::Reconcile::Task& b) {
    return a.task == b.task && a.agent == b.agent;
}
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const T& x, const T& y) { return same(x, y); });
}

inline bool same(const agent_says::Register& a, const agent_says::Register& b) {
    return a.info == b.info && a.incarnation == b.incarnation && same(a.tasks, b.tasks) &&
           a.frameworks == b.frameworks && same(a.executors, b.executors);
}
inline bool same(const agent_says::StatusUpdate& a, const agent_says::StatusUpdate& b) {
    return a.framework == b.framework && a.status == b.status && a.latest == b.latest;
}
inline bool same(const agent_says::ToFramework& a, const agent_says::ToFramework& b) {
    return a.framework == b.framework && a.executor == b.executor && a.data == b.data;
}
inline bool same(const agent_says::ExecutorEnded& a, const agent_says::ExecutorEnded& b) {
    return a.framework == b.framework && a.executor == b.executor && a.wait_status == b.wait_status;
}
inline bool same(const agent_says::Unregister&, const agent_says::Unregister&) { return true; }

inline bool same(const master_says::Registered& a, const master_says::Registered& b) {
    return a.id == b.id && a.update_retry == b.update_retry;
}
inline bool same(const master_says::Refused& a, const master_says::Refused& b) { return a.reason == b.reason; }
inline bool same(const master_says::Launch& a, const master_says::Launch& b) {
    return a.framework == b.framework && same(a.task, b.task) && a.new_executor == b.new_executor;
}
inline bool same(const master_says::Kill& a, const master_says::Kill& b) {
    return a.framework == b.framework && a.task == b.task && a.grace == b.grace;
}
inline bool same(const master_says::AcknowledgeUpdate& a, const master_says::AcknowledgeUpdate& b) {
    return a.framework == b.framework && a.task == b.task && a.uuid == b.uuid;
}
inline bool same(const master_says::ShutdownFramework& a, const master_says::ShutdownFramework& b) {
    return a.framework == b.framework;
}
inline bool same(const master_says::ToExecutor& a, const master_says::ToExecutor& b) {
    return a.framework == b.framework && a.executor == b.executor && a.data == b.data;
}
inline bool same(const master_says::ShutdownExecutor& a, const master_says::ShutdownExecutor& b) {
    return a.framework == b.framework && a.executor == b.executor;
}

inline bool same(const call::Subscribe& a, const call::Subscribe& b) {
    return a.info == b.info && a.suppressed_roles == b.suppressed_roles;
}
inline bool same(const call::Accept& a, const call::Accept& b) {
    return a.offers == b.offers && same(a.launches, b.launches) && a.filters.refuse == b.filters.refuse;
}
inline bool same(const call::Decline& a, const call::Decline& b) {
    return a.offers == b.offers && a.filters.refuse == b.filters.refuse;
}
inline bool same(const call::Revive& a, const call::Revive& b) { return a.roles == b.roles; }
inline bool same(const call::Suppress& a, const call::Suppress& b) { return a.roles == b.roles; }
inline bool same(const call::SetDemands& a, const call::SetDemands& b) { return a.demands == b.demands; }
inline bool same(const call::Kill& a, const call::Kill& b) {
    return a.task == b.task && a.agent == b.agent && a.grace == b.grace;
}
inline bool same(const call::Acknowledge& a, const call::Acknowledge& b) {
    return a.agent == b.agent && a.task == b.task && a.uuid == b.uuid;
}
inline bool same(const call::Reconcile& a, const call::Reconcile& b) { return same(a.tasks, b.tasks); }
inline bool same(const call::Message& a, const call::Message& b) {
    return a.agent == b.agent && a.executor == b.executor && a.data == b.data;
}
inline bool same(const call::Shutdown& a, const call::Shutdown& b) {
    return a.agent == b.agent && a.executor == b.executor;
}
inline bool same(const call::Teardown&, const call::Teardown&) { return true; }
inline bool same(const call::UpdateFramework& a, const call::UpdateFramework& b) {
    return a.info == b.info && a.suppressed_roles == b.suppressed_roles;
}

inline bool same(const event::Subscribed& a, const event::Subscribed& b) {
    return a.framework == b.framework && a.heartbeat_interval == b.heartbeat_interval && a.master_id == b.master_id &&
           a.master == b.master && a.epoch == b.epoch;
}
inline bool same(const event::Offers& a, const event::Offers& b) { return same(a.offers, b.offers); }
inline bool same(const event::Rescind& a, const event::Rescind& b) { return a.offer == b.offer; }
inline bool same(const event::Update& a, const event::Update& b) { return a.status == b.status; }
inline bool same(const event::Message& a, const event::Message& b) {
    return a.agent == b.agent && a.executor == b.executor && a.data == b.data;
}
inline bool same(const event::Failure& a, const event::Failure& b) {
    return a.agent == b.agent && a.executor == b.executor && a.wait_status == b.wait_status;
}
inline bool same(const event::Error& a, const event::Error& b) { return a.message == b.message; }
inline bool same(const event::Heartbeat&, const event::Heartbeat&) { return true; }

template <class... Kinds>
bool same(const std::variant<Kinds...>& a, const std::variant<Kinds...>& b) {
    if (a.index() != b.index()) return false;
    return std::visit([&](const auto& left) { return same(left, std::get<std::decay_t<decltype(left)>>(b)); }, a);
}
inline bool same(const AddressedCall& a, const AddressedCall& b) {
    return a.framework == b.framework && same(a.call, b.call);
}

} // namespace stoa
