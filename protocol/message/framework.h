// What schedulers and the master say to each other, decoded and checked: calls go to the master, events to the
// scheduler. These are the few plain structs that decisions are made on; what is only carried along (a task's
// command, labels, data) stays one immutable shared body, written in Cap'n Proto as schema/task.capnp's
// TaskInfo, and is read only where it is used (the agent's launcher, a page that shows it).
//
// codec/ makes these from bytes or JSON, once, at the door; a value of these types passed its checks of form. What
// depends on the cluster's state (does this offer still stand?) the master's core checks.
// Plain values, usable from any thread.
#pragma once

#include "protocol/body.h"
#include "protocol/ids.h"
#include "protocol/message/task_state.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa {

using Labels = std::map<std::string, std::string>;

// What a scheduler said it understands; it is spoken to accordingly.
enum class Capability : std::uint8_t {
    kRevocableResources,
    kTaskKillingState,
    kGpuResources,
    kSharedResources,
    kPartitionAware,
    kMultiRole,
    kReservationRefinement,
    kRegionAware,
};
inline constexpr std::size_t kCapabilities = 8;

class Capabilities {
public:
    constexpr Capabilities() = default;
    constexpr Capabilities(std::initializer_list<Capability> all) {
        for (const Capability one : all) add(one);
    }
    // What the SDK's driver understands, and so every framework that does not speak for itself.
    static constexpr Capabilities native() {
        return {Capability::kTaskKillingState, Capability::kPartitionAware, Capability::kMultiRole,
                Capability::kReservationRefinement};
    }
    constexpr void add(Capability one) { bits_ |= std::uint8_t(1U << static_cast<unsigned>(one)); }
    constexpr bool has(Capability one) const { return (bits_ & (1U << static_cast<unsigned>(one))) != 0; }
    friend constexpr bool operator==(Capabilities, Capabilities) = default;

private:
    std::uint8_t bits_ = 0;
};

struct FrameworkInfo {
    std::string name;
    std::string user;                       // tasks run as this user; empty: the agent's unprivileged user
    FrameworkId id;                         // empty at the first subscription
    std::vector<std::string> roles = {"*"}; // sorted, unique, at least one
    Duration failover_timeout{0};           // how long tasks outlive a vanished scheduler
    bool checkpoint = false;
    std::string hostname;
    std::string webui_url;
    std::string principal;
    Labels labels;
    Capabilities capabilities = Capabilities::native();
    friend bool operator==(const FrameworkInfo&, const FrameworkInfo&) = default;
};

// All of a demand's pieces or none, offered in one turn: the processes of an MPI job, which wait for each other.
struct Gang {
    std::uint32_t most_per_agent = 0; // pieces; 0: as many as fit
    friend bool operator==(const Gang&, const Gang&) = default;
};

// What a framework wants: `count` pieces of `shape`, each whole on one agent whose attributes satisfy all
// `constraints`. Replaces what the framework said before under the same name; a count of 0 withdraws it.
struct Demand {
    std::string name; // the framework's own, echoed in offers made for it
    std::string role = "*";
    Resources shape;
    std::uint32_t count = 0;
    std::vector<Constraint> constraints;
    std::optional<Gang> gang{};
    friend bool operator==(const Demand&, const Demand&) = default;
};

struct Filters {
    static constexpr Duration kDefaultRefuse = std::chrono::seconds(5);
    static constexpr Duration kLongestRefuse = std::chrono::hours(24 * 365);
    Duration refuse = kDefaultRefuse; // 0 … kLongestRefuse
};

struct TaskInfo {
    TaskId id;
    std::string name;
    AgentId agent;
    ExecutorId executor; // empty: a command task
    Resources resources;
    Body body; // of a task with an executor, that executor's description is in it (codec/executor_info.h)
};

// One process for many tasks of its framework on one agent. What it holds is held once an agent while it lives,
// beside what its tasks hold.
struct ExecutorInfo {
    ExecutorId id;
    std::string name;
    Resources resources;
    Body body; // schema/task.capnp's ExecutorInfo, whole, in its one canonical form: two with equal bodies are the same
    friend bool operator==(const ExecutorInfo& a, const ExecutorInfo& b) { return *a.body == *b.body; }
};

// Where a peer's HTTP door is.
struct Address {
    std::string host;
    std::uint16_t port = 0;
    friend bool operator==(const Address&, const Address&) = default;
};

struct Offer {
    OfferId id;
    FrameworkId framework;
    AgentId agent;
    std::string hostname;
    Address address; // of the agent's HTTP door
    std::string role;
    Resources resources;
    Attributes attributes;
    std::string demand;      // the Demand's name, empty for a remainder
    std::uint32_t count = 0; // how many of the demand's shape fit
    // The first offer of the gang that this one is of; empty: of none. A gang's offers come in one message and are
    // accepted in one call, or else declined; when one of them ends, all do.
    OfferId gang{};
    std::vector<ExecutorId> executors{}; // the framework's that live on the agent: they need nothing of the offer
};

using Uuid = std::array<std::uint8_t, 16>;

// What was used and how a task ended, as far as the agent knows.
struct TaskOutcome {
    std::optional<int> wait_status; // raw, as waitpid gives it; absent while it runs or when unknown
    bool out_of_memory = false;
    std::int64_t cpu_nanos = 0;
    Bytes max_memory;
    friend bool operator==(const TaskOutcome&, const TaskOutcome&) = default;
};

struct TaskStatus {
    TaskId task;
    AgentId agent;
    ExecutorId executor;
    TaskState state = TaskState::kStaging;
    StatusSource source = StatusSource::kMaster;
    Reason reason = Reason::kNone;
    std::string message;      // for people
    std::optional<Uuid> uuid; // present: to be acknowledged
    WallTime timestamp;
    std::int64_t pid = 0;         // on the agent's host; 0 when none
    std::uint64_t start_time = 0; // clock ticks since boot, as /proc/PID/stat has it
    std::string isolation;        // achieved, e.g. "oci/crun"; empty before launch
    TaskOutcome outcome;
    std::string data; // an executor's own
    friend bool operator==(const TaskStatus&, const TaskStatus&) = default;
};

namespace call {

struct Subscribe {
    FrameworkInfo info;
    std::vector<std::string> suppressed_roles;
};
// Every offer is on the same agent, or they are the whole of one gang, and then all tasks are launched or none.
// Resources not launched on return to the pool at once, filtered.
struct Accept {
    std::vector<OfferId> offers;
    std::vector<TaskInfo> launches;
    Filters filters;
};
struct Decline {
    std::vector<OfferId> offers;
    Filters filters;
};
// Empty roles: all of the framework's.
struct Revive {
    std::vector<std::string> roles;
};
struct Suppress {
    std::vector<std::string> roles;
};
struct SetDemands { // Stoa's own; the whole list, replacing the last
    std::vector<Demand> demands;
};
struct Kill {
    TaskId task;
    AgentId agent; // may be empty
    std::optional<Duration> grace;
};
struct Acknowledge {
    AgentId agent;
    TaskId task;
    Uuid uuid{};
};
// Empty: every task of the framework (implicit reconciliation).
struct Reconcile {
    struct Task {
        TaskId task;
        AgentId agent; // may be empty
    };
    std::vector<Task> tasks;
};
struct Message {
    AgentId agent;
    ExecutorId executor;
    std::string data;
};
struct Shutdown {
    AgentId agent;
    ExecutorId executor;
};
struct Teardown {};
// Replaces what the framework said of itself when it subscribed: all of it, or, when something may not change, nothing.
struct UpdateFramework {
    FrameworkInfo info;
    std::vector<std::string> suppressed_roles;
};

} // namespace call

using Call = std::variant<call::Subscribe, call::Accept, call::Decline, call::Revive, call::Suppress, call::SetDemands,
                          call::Kill, call::Acknowledge, call::Reconcile, call::Message, call::Shutdown, call::Teardown,
                          call::UpdateFramework>;

namespace event {

struct Subscribed {
    FrameworkId framework;
    Duration heartbeat_interval{0};
    std::string master_id;
    Address master;
    std::uint64_t epoch = 0;
};
struct Offers {
    std::vector<Offer> offers;
};
struct Rescind {
    OfferId offer;
};
struct Update {
    TaskStatus status;
};
struct Message {
    AgentId agent;
    ExecutorId executor;
    std::string data;
};
struct Failure {
    AgentId agent;
    ExecutorId executor;            // empty: the whole agent
    std::optional<int> wait_status; // of the executor
};
struct Error {
    std::string message;
};
struct Heartbeat {};

} // namespace event

using Event = std::variant<event::Subscribed, event::Offers, event::Rescind, event::Update, event::Message,
                           event::Failure, event::Error, event::Heartbeat>;

} // namespace stoa
