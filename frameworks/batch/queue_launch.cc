// What the queue asks for and what it does with offers: tasks of equal shape are one demand, and an offer is filled
// with as many of them as fit, those of the first job first.
#include "frameworks/batch/job_command.h"
#include "frameworks/batch/queue.h"
#include "frameworks/sdk/agent_doors.h"
#include "protocol/strings.h"

#include <absl/strings/str_replace.h>

#include <algorithm>

namespace stoa::batch {

namespace {

// In one ACCEPT: its message stays far below the wire's limit. The rest of the offer comes back as a new one.
constexpr std::uint32_t kMostLaunches = 2'000;
// Shapes asked for at the same time; those of jobs further behind wait.
constexpr std::size_t kMostDemands = 1'000;
// Earlier ones of a task; of the others only the number and the reasons are kept.
constexpr std::size_t kKeptAttempts = 20;
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

// What may be launched now: not more than at_most at the same time.
std::uint64_t Queue::pendingOf(const Job& job) const {
    if (job.unmet > 0 || job.early || job.spec.held || !job.cancelled.empty() || job.ended.nanos != 0) return 0;
    const std::uint64_t waiting = job.spec.count - job.tasks.size() + job.again.size();
    if (job.spec.at_most == 0) return waiting;
    const std::size_t live = std::min<std::size_t>(job.live.size(), job.spec.at_most);
    return std::min<std::uint64_t>(waiting, job.spec.at_most - live);
}

void Queue::joinGroup(Job& job) {
    auto [entry, is_new] = groups_.try_emplace(groupKey(job.spec));
    Group& group = entry->second;
    if (is_new) {
        group.key = entry->first;
        group.demand = concat("shape-", next_demand_++);
        group.shape = job.spec.shape;
        group.constraints = job.spec.constraints;
        groups_by_demand_[group.demand] = &group;
    }
    ++group.members;
    job.group = &group;
}

void Queue::leaveGroup(Job& job) {
    index(job);
    Group* group = std::exchange(job.group, nullptr);
    if (--group->members > 0) return;
    groups_by_demand_.erase(group->demand);
    groups_.erase(group->key);
}

void Queue::index(Job& job) {
    Group* group = job.group;
    if (!group) return;
    const std::uint64_t pending = pendingOf(job);
    const std::optional<Rank> rank = pending > 0 ? std::optional(Rank{job.spec.priority, job.number}) : std::nullopt;
    const bool moved = rank.has_value() != job.ranked.has_value() || (rank && rank->priority != job.ranked->priority);
    if (pending == job.pending && !moved) return;
    group->pending += pending - job.pending;
    job.pending = pending;
    if (moved) {
        if (job.ranked) group->jobs.erase(*job.ranked);
        if (rank) group->jobs.insert(*rank);
        job.ranked = rank;
        rerank(*group);
    }
    demands_changed_ = true;
}

void Queue::rerank(Group& group) {
    if (group.best) best_.erase(*group.best);
    group.best.reset();
    if (group.jobs.empty()) return;
    group.best = *group.jobs.begin();
    best_[*group.best] = &group;
}

void Queue::restateDemands(Turn& turn) {
    demands_changed_ = false;
    const bool announce = std::exchange(announce_, false);
    std::vector<Demand> demands;
    for (const auto& [rank, group] : best_) {
        if (demands.size() == kMostDemands) break;
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(group->pending, UINT32_MAX));
        demands.push_back({group->demand, options_.role, group->shape, count, group->constraints});
    }
    if (demands == stated_ && !announce) return;
    const bool was_idle = stated_.empty();
    stated_ = std::move(demands);
    // Who wants nothing says so: a framework without demands would be offered whole remainders.
    if (stated_.empty()) say(call::Suppress{{options_.role}}, turn);
    say(call::SetDemands{stated_}, turn);
    if (!stated_.empty() && (was_idle || announce)) say(call::Revive{{options_.role}}, turn);
}

// ---- Offers ----------------------------------------------------------------------------------------------------

void Queue::onTold(const event::Offers& offers, Turn& turn) {
    for (const Offer& offer : offers.offers) useOffer(offer, turn);
}

void Queue::useOffer(const Offer& offer, Turn& turn) {
    const AgentSlot agent = slotOf(offer.agent, offer.address);
    Resources left = offer.resources;
    std::vector<TaskInfo> launches;
    std::vector<Group*> candidates;
    if (auto group = groups_by_demand_.find(offer.demand); group != groups_by_demand_.end()) {
        candidates.push_back(group->second);
    } else if (offer.demand.empty()) {
        // A whole remainder: whoever comes first.
        for (const auto& [rank, wanting] : best_) {
            if (candidates.size() == kMostDemands) break;
            candidates.push_back(wanting);
        }
    }
    for (Group* group : candidates) {
        const bool suits =
            std::all_of(group->constraints.begin(), group->constraints.end(),
                        [&](const Constraint& constraint) { return satisfied(constraint, offer.attributes); });
        if (suits) fill(*group, agent, left, launches, turn);
    }
    if (launches.empty()) {
        say(call::Decline{{offer.id}, kNoFilter}, turn);
    } else {
        // That much of what was stated is granted: the same again would be as much more.
        for (Demand& demand : stated_) {
            if (demand.name != offer.demand) continue;
            demand.count -= std::min(demand.count, static_cast<std::uint32_t>(launches.size()));
        }
        say(call::Accept{{offer.id}, std::move(launches), kNoFilter}, turn);
    }
}

void Queue::fill(Group& group, AgentSlot agent, Resources& left, std::vector<TaskInfo>& launches, Turn& turn) {
    const auto room = static_cast<std::uint64_t>(kMostLaunches - launches.size());
    std::uint32_t fit = left.timesContained(group.shape, static_cast<std::uint32_t>(std::min(room, group.pending)));
    for (; fit > 0 && !group.jobs.empty(); --fit) {
        Job& job = jobs_.at(group.jobs.begin()->job);
        auto next = static_cast<std::uint32_t>(job.tasks.size());
        if (!job.again.empty()) next = job.again.extract(job.again.begin()).value();
        launches.push_back(launch(job, next, agent, turn));
        // It fits: timesContained() said so.
        left.subtract(group.shape).IgnoreError();
    }
}

TaskInfo Queue::launch(Job& job, std::uint32_t position, AgentSlot agent, Turn& turn) {
    if (position == job.tasks.size()) job.tasks.emplace_back();
    Task& task = job.tasks[position];
    if (task.launched.nanos != 0) {
        // The last attempt becomes an earlier one.
        if (!task.trouble) task.trouble = std::make_unique<Trouble>();
        std::vector<Attempt>& earlier = task.trouble->earlier;
        earlier.push_back(lastAttempt(task, agents_));
        if (earlier.size() > kKeptAttempts) earlier.erase(earlier.begin());
        task.trouble->why.clear();
    }
    ++task.attempt;
    task.agent = agent;
    task.wait_status.reset();
    task.launched = {std::max<std::int64_t>(turn.wall.nanos, 1)};
    task.started = {};
    task.ended = {};
    task.cpu_nanos = 0;
    task.max_memory = {};
    setPhase(job, position, TaskPhase::kLaunched);
    storeTask(job, position, turn);

    TaskInfo info;
    info.id = idOf(job, position);
    info.name = job.spec.array ? concat(job.spec.name, "[", job.spec.indexAt(position), "]") : job.spec.name;
    info.agent = agents_[agent].id;
    info.resources = job.spec.shape;
    info.body = makeTaskBody(taskSpec(job, position, agents_[agent]));
    return info;
}

TaskSpec Queue::taskSpec(const Job& job, std::uint32_t position, const Agent& agent) const {
    const std::uint32_t index = job.spec.indexAt(position);
    const std::uint32_t attempt = job.tasks[position].attempt;
    TaskSpec spec;
    spec.command = commandOf(job.spec, job.number, index);
    spec.command.environment = *job.environment;
    addOwnVariables(job.spec, {job.number, index, attempt, agent.address.host}, spec.command.environment);
    spec.inputs = resolveInputs(job, index);
    spec.kill_grace = job.spec.kill_grace;
    spec.writable_paths = job.spec.writable_paths;
    spec.work_directory = job.spec.work_directory;
    spec.time_limit = job.spec.time_limit;
    spec.limit_warning = job.spec.limit_warning;
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
        const Job* predecessor = find((*ref)->job);
        if (!predecessor) continue; // kept for as long as we read from it
        const std::string plain = name.empty() ? lastPart((*ref)->path) : name;
        const std::vector<Task>& tasks = predecessor->tasks;
        for (std::uint32_t i = 0; i < tasks.size(); ++i) {
            const std::uint32_t its = predecessor->spec.indexAt(i);
            if (((*ref)->index && *(*ref)->index != its) || tasks[i].attempt == 0) continue;
            const Agent& agent = agents_[tasks[i].agent];
            inputs.push_back({sdk::sandboxFile(agent.address, framework_, idOf(*predecessor, i).value(), (*ref)->path),
                              (*ref)->index ? plain : concat(plain, ".", its), input.executable, input.extract});
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
void Queue::on(const NotSaid& not_said, Turn& turn) {
    const auto* accept = std::get_if<call::Accept>(&not_said.call);
    if (!accept) return; // stated anew by the next subscription, or of no consequence
    for (const TaskInfo& info : accept->launches) {
        const std::optional<Located> found = locate(info.id);
        if (!found) continue;
        Job& job = *found->job;
        Task& task = job.tasks[found->position];
        if (task.attempt != found->attempt || task.phase != TaskPhase::kLaunched) continue;
        task.launched = {};
        if (!job.cancelled.empty() || task.cancelled) {
            finish(job, found->position, TaskPhase::kCancelled, turn.wall, turn);
            continue;
        }
        job.again.insert(found->position);
        setPhase(job, found->position, TaskPhase::kWaiting);
        storeTask(job, found->position, turn);
    }
}

} // namespace stoa::batch
