#include "tests/sim/checker.h"

#include "tests/sim/trace.h"

#include <absl/strings/str_cat.h>

#include <utility>
#include <variant>
#include <vector>

namespace stoa::sim {

namespace {

// One thing of the read model: its key, and what is revealed of it (nothing: it is gone).
struct Thing {
    std::string key;
    std::string value;
};

struct ToThing {
    Thing operator()(const master::AgentChanged& d) const {
        return {"agent " + d.info.id.value(),
                absl::StrCat(static_cast<int>(d.state), " ", d.info.resources.toString())};
    }
    Thing operator()(const master::AgentForgotten& d) const { return {"agent " + d.agent.value(), ""}; }
    Thing operator()(const master::FrameworkChanged& d) const {
        return {"framework " + d.info.id.value(), absl::StrCat(d.active ? "active " : "inactive ", d.info.name)};
    }
    Thing operator()(const master::FrameworkForgotten& d) const { return {"framework " + d.framework.value(), ""}; }
    Thing operator()(const master::TaskChanged& d) const {
        const std::string key = absl::StrCat("task ", d.framework.value(), "/", d.info.id.value());
        // The core keeps no ended tasks; their history is the read model's alone.
        if (isTerminal(d.state)) return {key, ""};
        return {key, absl::StrCat(std::string(name(d.state)), " on ", d.info.agent.value())};
    }
    Thing operator()(const master::ExecutorChanged& d) const {
        return {absl::StrCat("executor ", d.framework.value(), "/", d.agent.value(), "/", d.info.id.value()),
                d.info.resources.toString()};
    }
    Thing operator()(const master::ExecutorGone& d) const {
        return {absl::StrCat("executor ", d.framework.value(), "/", d.agent.value(), "/", d.executor.value()), ""};
    }
    Thing operator()(const master::OfferMade& d) const {
        return {"offer " + d.offer.id.value(), absl::StrCat(d.offer.agent.value(), " ", d.offer.resources.toString())};
    }
    Thing operator()(const master::OfferGone& d) const { return {"offer " + d.offer.value(), ""}; }
};

void apply(std::map<std::string, std::string>& model, const master::Delta& delta) {
    Thing thing = std::visit(ToThing{}, delta);
    if (thing.value.empty()) {
        model.erase(thing.key);
    } else {
        model[std::move(thing.key)] = std::move(thing.value);
    }
}

} // namespace

void Checker::frameworkTold(const FrameworkId& framework, const TaskStatus& status, Capabilities understands) {
    const bool partitions = understands.has(Capability::kPartitionAware);
    require(partitions || (status.state != TaskState::kUnreachable && status.state != TaskState::kUnknown &&
                           status.state != TaskState::kDropped && status.state != TaskState::kGone),
            absl::StrCat("a scheduler that knows no partitions was told ", std::string(name(status.state))));
    require(understands.has(Capability::kTaskKillingState) || status.state != TaskState::kKilling,
            "a scheduler that does not know TASK_KILLING was told of it");
    const TaskKey key{framework, status.task};
    Story& story = told_[key];
    const std::uint32_t bit = 1U << static_cast<std::uint32_t>(status.state);
    // Acknowledgements are stored lazily, so an agent that crashed may tell an update again that it had told before, and
    // a master that asks such an agent answers with it.
    const bool repeated =
        status.uuid ? !updates_told_.insert(*status.uuid).second
                    : status.reason == Reason::kReconciliation && (story.states & bit) != 0 && !isTerminal(story.state);
    // A question that crossed the task's last word is answered by what is there now: nothing. It ends nothing again.
    const bool crossed = isTerminal(story.state) && status.reason == Reason::kReconciliation &&
                         (isTerminal(status.state) || status.state == TaskState::kUnknown);
    // The master takes the last word for a framework that it gave up. One that comes back all the same is told that the
    // task is gone, and then what an agent says that lost the acknowledgement.
    const bool given_up =
        story.state == TaskState::kGone && isTerminal(status.state) && status.uuid && removed_.contains(framework);
    if (repeated || crossed || given_up) return;
    // To a scheduler that knows no partitions a task is lost when it may still come back.
    const bool may_return = !partitions && status.state == TaskState::kLost && !status.uuid;
    if (may_return && story.state == TaskState::kUnreachable) return;
    const TaskState state = may_return ? TaskState::kUnreachable : status.state;
    const std::optional<TaskState> next = nextState(story.state, state);
    ++transitions_[static_cast<std::size_t>(story.state)][static_cast<std::size_t>(state)];
    require(next.has_value(), absl::StrCat("illegal transition of ", show(key), ": ", std::string(name(story.state)),
                                           " -> ", std::string(name(status.state)), " (", status.message, ")"));
    story.state = state;
    story.states |= bit;
}

void Checker::frameworkSubscribed(const FrameworkId& framework, std::uint64_t epoch) {
    std::uint64_t& highest = epochs_[framework];
    require(epoch >= highest,
            absl::StrCat("framework ", framework.value(), " follows epoch ", epoch, " after ", highest));
    highest = epoch;
}

void Checker::gangsWanted(const FrameworkId& framework, const std::vector<Demand>& demands) {
    for (const Demand& demand : demands) {
        if (demand.gang) gang_sizes_[framework].insert(demand.count);
    }
}

void Checker::offered(const FrameworkId& framework, const std::vector<Offer>& offers) {
    std::map<OfferId, std::uint32_t> gangs;
    for (const Offer& offer : offers) {
        if (!offer.gang.empty()) gangs[offer.gang] += offer.count;
    }
    for (const auto& [gang, pieces] : gangs) {
        ++gangs_offered_;
        require(gang_sizes_[framework].contains(pieces),
                absl::StrCat("framework ", framework.value(), " was offered ", pieces,
                             " pieces of a gang, which it never wanted at once"));
    }
}

void Checker::launched(const std::string& machine, const TaskKey& key, const Resources& resources, bool durable) {
    require(durable, "launched before its intent was durable: " + show(key));
    require(launched_.insert(key).second, "launched twice: " + show(key));
    MachineSeen& seen = machines_[machine];
    seen.tasks[key] = resources;
    seen.used += resources;
    require(seen.total.contains(seen.used), absl::StrCat(machine, " is overcommitted: ", seen.used.toString(), " of ",
                                                         seen.total.toString(), " by ", show(key)));
}

void Checker::ended(const std::string& machine, const TaskKey& key) {
    MachineSeen& seen = machines_[machine];
    auto task = seen.tasks.find(key);
    if (task == seen.tasks.end()) return;
    require(seen.used.subtract(task->second).ok(), "a machine's use went below zero: " + show(key));
    seen.tasks.erase(task);
}

void Checker::machineTotal(const std::string& machine, const Resources& total) { machines_[machine].total = total; }

void Checker::masterStarted(NodeId master) { revealed_[master].clear(); }

void Checker::tookOffice(NodeId master, std::uint64_t epoch) {
    const std::uint64_t last = offices_.empty() ? 0 : offices_.rbegin()->first;
    require(epoch > last, absl::StrCat("master ", master, " took office under epoch ", epoch, " after ", last));
    offices_[epoch] = master;
}

void Checker::wroteRegistry(NodeId master, std::uint64_t epoch) {
    require(!offices_.empty() && offices_.rbegin()->first == epoch && offices_.rbegin()->second == master,
            absl::StrCat("master ", master, " of epoch ", epoch, " moved the registry after it was deposed"));
}

void Checker::followed(NodeId master, std::uint64_t epoch) {
    const auto office = offices_.find(epoch);
    require(office == offices_.end() || office->second == master,
            absl::StrCat("a follower heard master ", master, " under epoch ", epoch, ", which is another's"));
}

void Checker::revealed(NodeId master, const master::Delta& delta) {
    if (const auto* made = std::get_if<master::OfferMade>(&delta)) {
        require(offers_seen_.insert(made->offer.id).second, "an offer id was used twice: " + made->offer.id.value());
    }
    if (const auto* removed = std::get_if<master::FrameworkForgotten>(&delta)) removed_.insert(removed->framework);
    apply(revealed_[master], delta);
}

void Checker::compare(NodeId master, const std::vector<master::Delta>& state) {
    const std::map<std::string, std::string>& revealed = revealed_[master];
    std::map<std::string, std::string> expected;
    for (const master::Delta& delta : state) apply(expected, delta);
    if (expected == revealed) return;
    for (const auto& [key, value] : expected) {
        auto found = revealed.find(key);
        if (found == revealed.end())
            return require(false, absl::StrCat("the stream did not reveal ", key, " = ", value));
        if (found->second != value) {
            return require(false,
                           absl::StrCat("the stream says ", key, " = ", found->second, ", the state says ", value));
        }
    }
    for (const auto& [key, value] : revealed) {
        if (expected.count(key) == 0) return require(false, absl::StrCat("the stream still shows ", key, " = ", value));
    }
}

} // namespace stoa::sim
