#include "tests/sim/whatif/replay.h"

#include "master/core/agents.h"
#include "master/core/master.h"
#include "protocol/codec/task_body.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

namespace stoa::sim {

namespace {

// A framework states this many demands at most, those that wait longest first: a master takes 1,000, and each change
// states all anew.
constexpr std::size_t kMostStated = 200;
// Nothing ends and nothing arrives any more, but the allocator has something up its sleeve (room is being cleared for a
// gang): how long that is waited for.
constexpr Duration kPatience = std::chrono::hours(24);
// Beyond this many kinds of work that never found a place, the others are left out.
constexpr std::size_t kMostExplained = 10;
constexpr std::uint64_t kProgressEvery = 4096;

// Tasks of one job that wait.
struct Batch {
    std::size_t job = 0;
    std::uint32_t left = 0;
};

// What one demand stands for: the waiting tasks of a kind, or of one gang.
struct Waiting {
    std::uint32_t kind = 0;
    bool gang = false;
    std::uint64_t count = 0;
    std::deque<Batch> batches; // the oldest job first
};

struct Framework {
    std::string name;
    std::string role;
    FrameworkId id;
    master::Peer peer = 0;
    std::map<std::uint64_t, Waiting> waiting; // by place in line, which is also the demand's name
    std::uint64_t last_stated = 0;
    bool changed = false; // what waits is to be stated anew
};

struct End {
    Duration at{0};
    std::uint64_t order = 0;
    std::uint32_t kind = 0;
    master::Peer agent = 0;
    TaskId task;
    friend bool operator>(const End& a, const End& b) { return std::pair(a.at, a.order) > std::pair(b.at, b.order); }
};

class Replay {
public:
    Replay(const Scenario& scenario, const Workload& workload, const ReplayOptions& options)
        : scenario_(scenario), workload_(workload), options_(options),
          meter_(workload.kinds(), scenario.cluster.total()), line_of_kind_(workload.kinds().size()), now_(kBegin) {}

    absl::StatusOr<Figures> run() {
        allocator::Options allocator;
        allocator.module = scenario_.module;
        allocator.parameters = scenario_.parameters;
        if (absl::Status made = allocator::Allocator::create(allocator).status(); !made.ok()) return made;
        master::Options options;
        options.master_id = "sim";
        options.seed = options_.seed;
        options.allocator = allocator;
        options.weights = scenario_.weights;
        options.heartbeat_interval = kBeyond; // nobody listens
        master_ = std::make_unique<master::Master>(options, master::Recovered{}, now_, WallTime{});

        subscribe();
        registerAgents();
        while (why_.ok()) {
            settle();
            const std::optional<Duration> next = nextMoment();
            if (!next) break;
            if (options_.until && *next > *options_.until) {
                stopped_ = true;
                break;
            }
            now_ = kBegin + std::max(*next, elapsed());
            endTasks();
            takeJobs();
            stateDemands();
            if (inputs_.empty()) inputs_.emplace_back(master::Wake{});
            if (options_.progress && ++moments_ % kProgressEvery == 0) {
                options_.progress(meter_.endedTasks(), workload_.tasks() + scenario_.running.size());
            }
        }
        if (!why_.ok()) return why_;
        return figures();
    }

private:
    static constexpr Time kBegin{std::chrono::hours(1)};
    static constexpr Duration kBeyond = std::chrono::hours(24 * 365 * 200);
    // Later than this, sums of times would leave their 64 bits.
    static constexpr Duration kLatest = std::chrono::hours(24 * 365 * 150);

    Duration elapsed() const { return now_ - kBegin; }
    void fail(std::string_view what) { why_.Update(absl::InternalError(concat(scenario_.name, ": ", what))); }

    // ---- Time ------------------------------------------------------------------------------------------------------

    // When something happens next; absent when nothing can.
    std::optional<Duration> nextMoment() const {
        std::optional<Duration> next;
        if (!ends_.empty()) next = ends_.top().at;
        if (next_job_ < workload_.jobs().size()) {
            const Duration submitted = workload_.jobs()[next_job_].submitted;
            next = next ? std::min(*next, submitted) : submitted;
        }
        const std::optional<Time> deadline = master_->nextDeadline();
        if (waits_ == 0 || !deadline) return next;
        const Duration due = *deadline - kBegin;
        if (next) return std::min(*next, due);
        return due <= last_event_ + kPatience ? std::optional(due) : std::nullopt;
    }

    // Feeds what is to be said, and what is said in answer, until nobody has anything to say at this moment.
    void settle() {
        std::vector<master::Input> inputs;
        while (!inputs_.empty() && why_.ok()) {
            inputs.swap(inputs_);
            events_ += inputs.size();
            master::Output output;
            for (const master::Input& input : inputs) master_->step(input, now_, wall(), output);
            inputs.clear();
            master_->turn(now_, wall(), output);
            for (master::Output::Said& said : output.effects) hear(said.effect);
        }
    }
    WallTime wall() const { return {elapsed().count()}; }

    void say(Framework& framework, Call call) {
        inputs_.emplace_back(master::FrameworkCall{framework.peer, framework.id, std::move(call)});
    }

    void hear(master::Effect& effect) {
        if (auto* to_agent = std::get_if<master::ToAgentPeer>(&effect)) {
            if (const auto* launch = std::get_if<master_says::Launch>(&to_agent->message))
                start(to_agent->peer, *launch);
            if (const auto* refused = std::get_if<master_says::Refused>(&to_agent->message)) {
                fail(concat("the master refuses agent ", machineOf(to_agent->peer).name, ": ", refused->reason));
            }
        } else if (auto* to_framework = std::get_if<master::ToFrameworkPeer>(&effect)) {
            Framework& framework = frameworks_[to_framework->peer - kFirstFramework];
            std::visit([&](auto& event) { on(framework, event); }, to_framework->event);
        } else if (const auto* close = std::get_if<master::ClosePeer>(&effect)) {
            fail(concat("the master ends a session: ", close->why));
        }
    }

    // ---- Those who take part ---------------------------------------------------------------------------------------

    static constexpr master::Peer kFirstFramework = 1;
    master::Peer firstAgent() const { return kFirstFramework + frameworks_.size(); }
    const Machine& machineOf(master::Peer agent) const { return scenario_.cluster.machines[agent - firstAgent()]; }

    void subscribe() {
        std::map<std::pair<std::string, std::string>, std::size_t> known;
        for (const Kind& kind : workload_.kinds()) {
            const auto [at, is_new] = known.try_emplace({kind.framework, kind.role}, frameworks_.size());
            framework_of_kind_.push_back(at->second);
            if (!is_new) continue;
            Framework& framework = frameworks_.emplace_back();
            framework.name = kind.framework;
            framework.role = kind.role;
            framework.peer = kFirstFramework + at->second;
        }
        for (Framework& framework : frameworks_) {
            say(framework, call::Subscribe{infoOf(framework), {framework.role}});
        }
        settle();
        for (Framework& framework : frameworks_) {
            if (framework.id.empty()) return fail(concat("framework ", framework.name, " is not admitted"));
            say(framework, call::SetDemands{});
            say(framework, call::Revive{});
        }
    }

    static FrameworkInfo infoOf(const Framework& framework) {
        FrameworkInfo info;
        info.name = framework.name;
        info.id = framework.id;
        info.roles = {framework.role};
        info.failover_timeout = std::chrono::hours(1);
        return info;
    }

    void registerAgents() {
        const std::vector<Machine>& machines = scenario_.cluster.machines;
        std::vector<agent_says::Register> messages(machines.size());
        for (std::size_t i = 0; i < machines.size(); ++i) {
            AgentInfo& info = messages[i].info;
            info.hostname = machines[i].name;
            info.address = {machines[i].name, 5051};
            info.resources = machines[i].resources;
            info.attributes = machines[i].attributes;
            info.isolation = "simulated";
            messages[i].incarnation = {"boot", concat("work-", i)};
        }
        for (std::size_t i = 0; i < scenario_.running.size(); ++i) {
            const Running& running = scenario_.running[i];
            const Framework& framework = frameworks_[framework_of_kind_[running.kind]];
            agent_says::Register& message = messages[running.machine];
            AgentTask task;
            task.framework = framework.id;
            task.info = {TaskId(concat("running-", i)),
                         "",
                         AgentId(),
                         ExecutorId(),
                         workload_.kinds()[running.kind].shape,
                         emptyTaskBody()};
            task.state = TaskState::kRunning;
            task.status.task = task.info.id;
            task.status.state = TaskState::kRunning;
            task.status.source = StatusSource::kAgent;
            if (running.left != kForever) {
                ends_.push({running.left, ++order_, running.kind, firstAgent() + running.machine, task.info.id});
            }
            message.tasks.push_back(std::move(task));
            FrameworkInfo info = infoOf(framework);
            if (std::find(message.frameworks.begin(), message.frameworks.end(), info) == message.frameworks.end()) {
                message.frameworks.push_back(std::move(info));
            }
            meter_.found(running.kind);
        }
        for (std::size_t i = 0; i < machines.size(); ++i) {
            inputs_.emplace_back(master::AgentMessage{firstAgent() + i, std::move(messages[i])});
        }
        settle();
        if (why_.ok() && master_->agents().size() != machines.size()) fail("not all agents were admitted");
    }

    // ---- Agents ----------------------------------------------------------------------------------------------------

    void start(master::Peer agent, const master_says::Launch& launch) {
        std::size_t number = 0;
        const std::string& id = launch.task.id.value();
        std::from_chars(id.data(), id.data() + id.size(), number);
        const Job& job = workload_.jobs()[number];
        if (job.runtime == kForever) return;
        if (elapsed() > kLatest - job.runtime) {
            why_.Update(
                absl::InvalidArgumentError("the work would take more than 150 years; stop before, with --until"));
            return;
        }
        ends_.push({elapsed() + job.runtime, ++order_, job.kind, agent, launch.task.id});
    }

    // No word of TASK_RUNNING comes before: nothing is decided by it.
    void endTasks() {
        for (; !ends_.empty() && ends_.top().at <= elapsed(); ends_.pop()) {
            const End& end = ends_.top();
            TaskStatus status;
            status.task = end.task;
            status.state = TaskState::kFinished;
            status.source = StatusSource::kAgent;
            status.timestamp = wall();
            Uuid uuid{};
            std::memcpy(uuid.data(), &end.order, sizeof end.order);
            status.uuid = uuid;
            inputs_.emplace_back(
                master::AgentMessage{end.agent, agent_says::StatusUpdate{frameworks_[framework_of_kind_[end.kind]].id,
                                                                         std::move(status), TaskState::kFinished}});
            meter_.ended(end.kind, elapsed());
            last_event_ = elapsed();
        }
    }

    // ---- Frameworks ------------------------------------------------------------------------------------------------

    void takeJobs() {
        const std::vector<Job>& jobs = workload_.jobs();
        for (; next_job_ < jobs.size() && jobs[next_job_].submitted <= elapsed(); ++next_job_) {
            const Job& job = jobs[next_job_];
            Framework& framework = frameworks_[framework_of_kind_[job.kind]];
            std::uint64_t line = job.gang ? 0 : line_of_kind_[job.kind];
            if (line == 0) {
                line = ++lines_;
                if (!job.gang) line_of_kind_[job.kind] = line;
                framework.waiting.emplace(line, Waiting{job.kind, job.gang, 0, {}});
            }
            Waiting& waiting = framework.waiting.at(line);
            waiting.count += job.count;
            waiting.batches.push_back({next_job_, job.count});
            waits_ += job.count;
            meter_.submitted(job.kind, elapsed(), job.count);
            if (framework.waiting.size() <= kMostStated || line <= framework.last_stated) change(framework);
            last_event_ = elapsed();
        }
    }

    void change(Framework& framework) {
        if (std::exchange(framework.changed, true)) return;
        changed_.push_back(&framework);
    }

    void stateDemands() {
        for (Framework* framework : changed_) {
            framework->changed = false;
            call::SetDemands stated;
            for (const auto& [line, waiting] : framework->waiting) {
                if (stated.demands.size() == kMostStated) break;
                stated.demands.push_back(demandOf(line, waiting));
                framework->last_stated = line;
            }
            say(*framework, std::move(stated));
        }
        changed_.clear();
    }

    Demand demandOf(std::uint64_t line, const Waiting& waiting) const {
        const Kind& kind = workload_.kinds()[waiting.kind];
        Demand demand;
        demand.name = concat(line);
        demand.role = kind.role;
        demand.shape = kind.shape;
        demand.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(waiting.count, kMostTasksOfAJob));
        demand.constraints = kind.where;
        if (waiting.gang) demand.gang.emplace();
        return demand;
    }

    void on(Framework& framework, const event::Subscribed& subscribed) { framework.id = subscribed.framework; }
    void on(Framework& framework, const event::Offers& event) {
        std::map<OfferId, call::Accept> gangs; // accepted whole
        for (const Offer& offer : event.offers) {
            call::Accept one;
            call::Accept& accept = offer.gang.empty() ? one : gangs[offer.gang];
            accept.offers.push_back(offer.id);
            accept.filters.refuse = Duration{0};
            launch(framework, offer, accept.launches);
            if (offer.gang.empty()) say(framework, std::move(one));
        }
        for (auto& [gang, accept] : gangs) say(framework, std::move(accept));
        stateDemands();
    }
    void on(Framework& framework, const event::Update& update) {
        if (update.status.state != TaskState::kFinished) {
            return fail(concat("task ", update.status.task.value(), " is refused: ", update.status.message));
        }
        if (update.status.uuid) {
            say(framework, call::Acknowledge{update.status.agent, update.status.task, *update.status.uuid});
        }
    }
    void on(Framework& framework, const event::Error& error) {
        fail(concat("framework ", framework.name, " hears: ", error.message));
    }
    template <class Other>
    void on(Framework&, const Other&) {}

    void launch(Framework& framework, const Offer& offer, std::vector<TaskInfo>& launches) {
        std::uint64_t line = 0;
        const bool named = absl::SimpleAtoi(offer.demand, &line);
        const auto found = named ? framework.waiting.find(line) : framework.waiting.end();
        if (found == framework.waiting.end()) return fail("an offer is for a demand that nobody made");
        Waiting& waiting = found->second;
        const std::uint32_t kind = waiting.kind;
        std::uint64_t wanted = std::min<std::uint64_t>(offer.count, waiting.count);
        waiting.count -= wanted;
        waits_ -= wanted;
        while (wanted > 0) {
            Batch& batch = waiting.batches.front();
            const Job& job = workload_.jobs()[batch.job];
            const auto taken = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, batch.left));
            for (std::uint32_t i = 0; i < taken; ++i) {
                launches.push_back({TaskId(concat(batch.job, "-", batch.left - i)), "", offer.agent, ExecutorId(),
                                    workload_.kinds()[kind].shape, emptyTaskBody()});
            }
            meter_.started(kind, elapsed(), elapsed() - job.submitted, taken);
            wanted -= taken;
            batch.left -= taken;
            if (batch.left == 0) waiting.batches.pop_front();
        }
        last_event_ = elapsed();
        if (waiting.count > 0) return;
        if (!waiting.gang) line_of_kind_[kind] = 0;
        framework.waiting.erase(found);
        // What stands behind those that were stated moves up.
        if (!framework.waiting.empty() && framework.waiting.rbegin()->first > framework.last_stated) change(framework);
    }

    // ---- The end ---------------------------------------------------------------------------------------------------

    Figures figures() {
        Figures figures;
        figures.name = scenario_.name;
        figures.allocator = scenario_.allocator;
        figures.weights = scenario_.weights;
        figures.agents = scenario_.cluster.machines.size();
        figures.total = scenario_.cluster.total();
        figures.events = events_;
        figures.offers = master_->counters().offers_made;
        explain(figures);
        meter_.finish(options_.until.value_or(last_event_), figures);
        return figures;
    }

    // What never found a place though there was nothing left to wait for.
    void explain(Figures& figures) const {
        if (stopped_) return;
        for (const Framework& framework : frameworks_) {
            for (const auto& [line, waiting] : framework.waiting) {
                if (figures.never_placed.size() == kMostExplained) return;
                const Demand demand = demandOf(line, waiting);
                std::string shape = demand.shape.toString();
                if (waiting.gang) shape += concat(" × ", waiting.count, " at once");
                for (const Constraint& each : demand.constraints) shape += concat(" ", toString(each));
                figures.never_placed.push_back(
                    {framework.role, std::move(shape), waiting.count, reason(framework, demand)});
            }
        }
    }
    std::string reason(const Framework& framework, const Demand& demand) const {
        const absl::StatusOr<allocator::Explanation> why = master_->allocator().explain(framework.id, demand, now_);
        if (!why.ok()) return std::string(why.status().message());
        std::string text;
        for (std::size_t i = 0; i < why->reasons.size() && i < 3; ++i) {
            const allocator::Explanation::Reason& each = why->reasons[i];
            text += concat(text.empty() ? "" : "; ", each.what, " (", each.agents,
                           each.agents == 1 ? " agent)" : " agents)");
        }
        if (why->gang) {
            text += concat(text.empty() ? "" : "; ", "of ", demand.count, " pieces ", why->gang->fit_ever,
                           " would fit if all agents were empty");
        }
        return text;
    }

    const Scenario& scenario_;
    const Workload& workload_;
    const ReplayOptions& options_;
    Meter meter_;
    std::unique_ptr<master::Master> master_;
    std::deque<Framework> frameworks_; // elements stay where they are
    std::vector<std::size_t> framework_of_kind_;
    std::vector<Framework*> changed_;
    std::vector<std::uint64_t> line_of_kind_; // 0: nothing of it waits
    std::uint64_t lines_ = 0;
    std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
    std::uint64_t order_ = 0;
    std::size_t next_job_ = 0;
    std::uint64_t waits_ = 0; // tasks, all frameworks together
    std::vector<master::Input> inputs_;
    Time now_;
    Duration last_event_{0};
    bool stopped_ = false;
    std::uint64_t events_ = 0;
    std::uint64_t moments_ = 0;
    absl::Status why_;
};

} // namespace

absl::StatusOr<Figures> replay(const Scenario& scenario, const Workload& workload, const ReplayOptions& options) {
    return Replay(scenario, workload, options).run();
}

} // namespace stoa::sim
