// What the queue asks for and what it does with offers: tasks of equal shape are one demand, and an offer is filled
// with as many of them as fit, oldest job first.
#include "frameworks/batch/queue.h"
#include "frameworks/sdk/agent_doors.h"
#include "protocol/strings.h"

#include <absl/strings/str_replace.h>

#include <algorithm>

namespace stoa::batch {

namespace {

// In one ACCEPT: its message stays far below the wire's limit. The rest of the offer comes back as a new one.
constexpr std::uint32_t kMostLaunches = 2'000;
// Shapes asked for at the same time; those of younger jobs wait.
constexpr std::size_t kMostDemands = 1'000;
// What we don't use we don't want to be kept from: without a demand nothing is offered anyway.
constexpr Filters kNoFilter{Duration{0}};

std::string groupKey(const JobSpec& spec) {
    std::string key = spec.shape.toString();
    for (const Constraint& constraint : spec.constraints) key += concat("|", toString(constraint));
    return key;
}

std::string lastPart(std::string_view source) {
    source = source.substr(0, source.find_first_of("?#"));
    return std::string(source.substr(source.rfind('/') + 1));
}

} // namespace

// ---- Demands ---------------------------------------------------------------------------------------------------

std::uint64_t Queue::pendingOf(const Job& job) const {
    if (job.unmet > 0 || !job.cancelled.empty() || job.ended.nanos != 0) return 0;
    return job.spec.count - job.tasks.size() + job.again.size();
}

void Queue::index(Job& job, std::uint64_t pending_before) {
    const std::uint64_t pending = pendingOf(job);
    if (pending == pending_before) return;
    auto [entry, is_new] = groups_.try_emplace(groupKey(job.spec));
    Group& group = entry->second;
    if (is_new) {
        group.demand = concat("shape-", next_demand_++);
        group.shape = job.spec.shape;
        group.constraints = job.spec.constraints;
        group_keys_[group.demand] = entry->first;
    }
    group.pending += pending - pending_before;
    if (pending > 0) {
        group.jobs.insert(job.number);
    } else {
        group.jobs.erase(job.number);
    }
    demands_changed_ = true;
}

void Queue::restateDemands(Output& output) {
    demands_changed_ = false;
    const bool announce = std::exchange(announce_, false);
    std::vector<const Group*> wanted;
    for (auto entry = groups_.begin(); entry != groups_.end();) {
        if (entry->second.pending == 0) {
            group_keys_.erase(entry->second.demand);
            entry = groups_.erase(entry);
        } else {
            wanted.push_back(&entry->second);
            ++entry;
        }
    }
    std::sort(wanted.begin(), wanted.end(), [](const Group* a, const Group* b) {
        return std::pair(*a->jobs.begin(), a->demand) < std::pair(*b->jobs.begin(), b->demand);
    });
    if (wanted.size() > kMostDemands) wanted.resize(kMostDemands);
    std::vector<Demand> demands;
    for (const Group* group : wanted) {
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(group->pending, UINT32_MAX));
        demands.push_back({group->demand, options_.role, group->shape, count, group->constraints});
    }
    if (demands == stated_ && !announce) return;
    const bool was_idle = stated_.empty();
    stated_ = std::move(demands);
    // Who wants nothing says so: a framework without demands would be offered whole remainders.
    if (stated_.empty()) say(call::Suppress{{options_.role}}, output);
    say(call::SetDemands{stated_}, output);
    if (!stated_.empty() && (was_idle || announce)) say(call::Revive{{options_.role}}, output);
}

// ---- Offers ----------------------------------------------------------------------------------------------------

void Queue::onTold(const event::Offers& offers, Time, Output& output) {
    for (const Offer& offer : offers.offers) useOffer(offer, output);
}

void Queue::useOffer(const Offer& offer, Output& output) {
    const AgentSlot agent = slotOf(offer.agent, offer.address);
    Resources left = offer.resources;
    std::vector<TaskInfo> launches;
    std::vector<Group*> candidates;
    if (auto key = group_keys_.find(offer.demand); key != group_keys_.end()) {
        candidates.push_back(&groups_.at(key->second));
    } else if (offer.demand.empty()) {
        // A whole remainder: whoever came first.
        for (auto& [name, group] : groups_) {
            if (!group.jobs.empty()) candidates.push_back(&group);
        }
        std::sort(candidates.begin(), candidates.end(),
                  [](const Group* a, const Group* b) { return *a->jobs.begin() < *b->jobs.begin(); });
    }
    for (Group* group : candidates) {
        const bool suits =
            std::all_of(group->constraints.begin(), group->constraints.end(),
                        [&](const Constraint& constraint) { return satisfied(constraint, offer.attributes); });
        if (suits) fill(*group, agent, left, launches, output);
    }
    if (launches.empty()) {
        say(call::Decline{{offer.id}, kNoFilter}, output);
    } else {
        say(call::Accept{{offer.id}, std::move(launches), kNoFilter}, output);
    }
}

void Queue::fill(Group& group, AgentSlot agent, Resources& left, std::vector<TaskInfo>& launches, Output& output) {
    const auto room = static_cast<std::uint64_t>(kMostLaunches - launches.size());
    std::uint32_t fit = left.timesContained(group.shape, static_cast<std::uint32_t>(std::min(room, group.pending)));
    while (fit > 0 && !group.jobs.empty()) {
        Job& job = jobs_.at(*group.jobs.begin());
        const std::uint64_t before = pendingOf(job);
        for (std::uint64_t n = std::min<std::uint64_t>(fit, before); n > 0; --n, --fit) {
            auto next = static_cast<std::uint32_t>(job.tasks.size());
            if (!job.again.empty()) next = job.again.extract(job.again.begin()).value();
            launches.push_back(launch(job, next, agent, output));
            // It fits: timesContained() said so.
            left.subtract(group.shape).IgnoreError();
        }
        index(job, before);
    }
}

TaskInfo Queue::launch(Job& job, std::uint32_t index, AgentSlot agent, Output& output) {
    if (index == job.tasks.size()) job.tasks.emplace_back();
    Task& task = job.tasks[index];
    ++task.attempt;
    task.agent = agent;
    task.wait_status.reset();
    setPhase(job, index, TaskPhase::kLaunched);
    storeTask(job, index, output);

    TaskInfo info;
    info.id = taskId({{job.number, index}, task.attempt});
    info.name = job.spec.array ? concat(job.spec.name, "[", index, "]") : job.spec.name;
    info.agent = agents_[agent].id;
    info.resources = job.spec.shape;
    info.body = makeTaskBody(taskSpec(job, index, task.attempt));
    return info;
}

TaskSpec Queue::taskSpec(const Job& job, std::uint32_t index, std::uint32_t attempt) const {
    TaskSpec spec;
    spec.command = job.spec.command;
    auto& environment = spec.command.environment;
    environment["STOA_JOB"] = concat(job.number);
    environment["STOA_TASK_INDEX"] = concat(index);
    environment["STOA_TASK_COUNT"] = concat(job.spec.count);
    environment["STOA_ATTEMPT"] = concat(attempt);
    spec.inputs = resolveInputs(job, index);
    spec.kill_grace = job.spec.kill_grace;
    spec.writable_paths = job.spec.writable_paths;
    spec.attempt = attempt;
    return spec;
}

std::vector<InputSpec> Queue::resolveInputs(const Job& job, std::uint32_t index) const {
    std::vector<InputSpec> inputs;
    const std::string own = concat(index);
    for (const JobInput& input : job.spec.inputs) {
        const std::string name = absl::StrReplaceAll(input.name, {{"%i", own}});
        absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, index);
        if (!ref.ok()) continue; // refused at the door
        if (!*ref) {
            const std::string uri = absl::StrReplaceAll(input.source, {{"%i", own}});
            inputs.push_back({uri, name.empty() ? lastPart(uri) : name, input.executable, input.extract});
            continue;
        }
        auto predecessor = jobs_.find((*ref)->job);
        if (predecessor == jobs_.end()) continue; // kept for as long as we read from it
        const std::string plain = name.empty() ? lastPart((*ref)->path) : name;
        const std::vector<Task>& tasks = predecessor->second.tasks;
        for (std::uint32_t i = 0; i < tasks.size(); ++i) {
            if ((*ref)->index && *(*ref)->index != i) continue;
            const Agent& agent = agents_[tasks[i].agent];
            const std::string id = taskId({{(*ref)->job, i}, tasks[i].attempt}).value();
            inputs.push_back({sdk::sandboxFile(agent.address, framework_, id, (*ref)->path),
                              (*ref)->index ? plain : concat(plain, ".", i), input.executable, input.extract});
        }
    }
    return inputs;
}

Queue::AgentSlot Queue::slotOf(const AgentId& agent, const Address& address) {
    auto [entry, is_new] = agent_slots_.try_emplace(agent, static_cast<AgentSlot>(agents_.size()));
    if (is_new) {
        agents_.push_back({agent, address});
    } else {
        agents_[entry->second].address = address; // it may have come back on another port
    }
    return entry->second;
}

// An accept that wasn't said launched nothing, so the tasks wait again at once. The numbers of these attempts are not
// used again all the same: the master may have been asked about them, and its "lost" would hit the next attempt.
void Queue::on(const NotSaid& not_said, Time, Output& output) {
    const auto* accept = std::get_if<call::Accept>(&not_said.call);
    if (!accept) return; // stated anew by the next subscription, or of no consequence
    for (const TaskInfo& info : accept->launches) {
        const std::optional<AttemptRef> ref = parseTaskId(info.id.value());
        Job* job = ref ? find(ref->task.job) : nullptr;
        if (!job || ref->task.index >= job->tasks.size()) continue;
        Task& task = job->tasks[ref->task.index];
        if (task.attempt != ref->attempt || task.phase != TaskPhase::kLaunched) continue;
        if (!job->cancelled.empty()) {
            finish(*job, ref->task.index, TaskPhase::kCancelled, job->submitted, output);
            continue;
        }
        const std::uint64_t before = pendingOf(*job);
        setPhase(*job, ref->task.index, TaskPhase::kWaiting);
        job->again.insert(ref->task.index);
        index(*job, before);
        storeTask(*job, ref->task.index, output);
    }
}

} // namespace stoa::batch
