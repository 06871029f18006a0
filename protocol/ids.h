// The identifiers that travel between master, agents and frameworks, each a type of its own, so that a
// task's id can't be passed where an agent's is wanted. An id is an opaque string to everybody but the one
// who made it: the master makes agent, framework and offer ids, the framework makes task and executor ids.
// Plain values, usable from any thread.
#pragma once

#include <compare>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace stoa {

template <class Tag>
class Id {
public:
    Id() = default;
    explicit Id(std::string value) : value_(std::move(value)) {}

    const std::string& value() const { return value_; }
    bool empty() const { return value_.empty(); }

    friend auto operator<=>(const Id&, const Id&) = default;
    friend bool operator==(const Id&, const Id&) = default;
    friend std::ostream& operator<<(std::ostream& out, const Id& id) { return out << id.value_; }
    template <class H>
    friend H AbslHashValue(H state, const Id& id) {
        return H::combine(std::move(state), id.value_);
    }

private:
    std::string value_;
};

using AgentId = Id<struct AgentIdTag>;
using FrameworkId = Id<struct FrameworkIdTag>;
using OfferId = Id<struct OfferIdTag>;
using TaskId = Id<struct TaskIdTag>;
using ExecutorId = Id<struct ExecutorIdTag>;

// A task id is unique within its framework only; this names one task in the cluster.
struct TaskKey {
    FrameworkId framework;
    TaskId task;

    friend auto operator<=>(const TaskKey&, const TaskKey&) = default;
    friend bool operator==(const TaskKey&, const TaskKey&) = default;
    template <class H>
    friend H AbslHashValue(H state, const TaskKey& key) {
        return H::combine(std::move(state), key.framework, key.task);
    }
};

} // namespace stoa
