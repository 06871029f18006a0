#include "tests/sim/world.h"

#include "tests/sim/batch_brain.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <array>
#include <utility>

namespace stoa::sim {

namespace {

// When the world looks whether it has come to rest.
constexpr Duration kRestTick = std::chrono::seconds(5);
// How often followers look who stands first for office.
constexpr Duration kLookForMaster = std::chrono::milliseconds(500);

} // namespace

WorldOptions WorldOptions::ofSeed(std::uint64_t seed) {
    Rng rng(seed ^ 0x5eed);
    WorldOptions options;
    options.seed = seed;
    options.agents = static_cast<std::uint32_t>(1 + rng.below(8));
    options.tasks = static_cast<std::uint32_t>(10 + rng.below(80));
    // In half of them three masters elect a leader.
    if (Rng(seed ^ 0x3a57).below(2) == 0) options.masters = 3;
    // In some, tasks and faults outlast the time after which an agent is unreachable, so that it comes back with its tasks.
    if (rng.below(2) == 0) {
        options.longest_task = std::chrono::seconds(200);
        options.fault_time = std::chrono::seconds(400);
        options.settle_time += options.tasks * options.longest_task;
    }
    const std::uint64_t kind = rng.below(8);
    if (kind == 0) {
        options.faults = FaultPlan::none();
    } else if (kind < 4) {
        for (std::uint32_t& rate : options.faults.rate) rate = rng.below(3) == 0 ? rate * 3 : 0;
    }
    return options;
}

World::World(const WorldOptions& options)
    : options_(options), rng_(options.seed), trace_(queue_, options.trace),
      network_(queue_, rng_, counts_, options.faults), zookeeper_(queue_, rng_, counts_, options.faults) {
    // Nodes are numbered as they are made: masters, then agents each with its machine, then frameworks.
    makeMasters();
    std::vector<NodeId> standbys;
    for (std::size_t i = 1; i < masters_.size(); ++i) standbys.push_back(masters_[i]->id());

    for (std::uint32_t i = 0; i < options.agents; ++i) {
        agent::Agent::Options agent_options;
        agent_options.info.hostname = absl::StrCat("host", i);
        agent_options.info.address = {agent_options.info.hostname, 5051};
        agent_options.info.resources =
            Resources::cpusMem(static_cast<double>(2 + rng_.below(7)), static_cast<double>(1024 * (1 + rng_.below(8))));
        machines_.push_back(agent_options.info.resources);
        agent_options.info.isolation = "simulated";
        agent_options.incarnation = {"", absl::StrCat("work-", i)};
        AgentNode::Parts parts{queue_,  network_,          checker_,
                               rng_,    counts_,           options.faults,
                               trace_,  masters_[0]->id(), options.check_each_turn,
                               standbys};
        Machine::Options machine{options.faults, options.longest_task, {}};
        agents_.push_back(std::make_unique<AgentNode>(parts, std::move(agent_options), machine));
    }
    makeFrameworks();
}

void World::makeMasters() {
    for (std::uint32_t i = 0; i < options_.masters; ++i) {
        MasterNode::Parts parts{
            queue_, network_, checker_, rng_, counts_, options_.faults, trace_, {}, options_.check_each_turn};
        parts.kind_of = [this](NodeId node) {
            return node >= first_framework_ ? MasterNode::Kind::kFramework : MasterNode::Kind::kAgent;
        };
        if (options_.masters > 1) {
            parts.zookeeper = &zookeeper_;
            parts.registry = &registry_;
            parts.ended = [this](MasterNode& master) {
                queue_.scheduleWorld(std::chrono::milliseconds(rng_.below(2'000)), [&master] {
                    if (!master.up()) master.start();
                });
            };
        }
        masters_.push_back(std::make_unique<MasterNode>(parts, masterOptions()));
    }
    if (options_.masters == 1) first_master_ = masters_[0]->id();
}

// In some worlds agents are given up as soon as their time is over, in others slowly; in some, those that were given up are
// soon forgotten, or few of them kept, so that they come back as strangers.
master::Options World::masterOptions() {
    master::Options options;
    options.seed = rng_.next();
    Rng rng(options_.seed ^ 0xa6e7);
    options.give_up_every = std::chrono::seconds(std::array{0, 6, 40}[rng.below(3)]);
    if (rng.below(3) == 0) options.max_unreachable_age = std::chrono::seconds(5 + rng.below(60));
    if (rng.below(2) == 0) options.max_unreachable = rng.below(2);
    return options;
}

// Frameworks dial the master that stands first, and learn of another some time later.
void World::lookForMaster() {
    const std::optional<std::string> first = zookeeper_.first("json.info_");
    const std::optional<NodeId> seen = first ? std::optional(static_cast<NodeId>(std::stoul(*first))) : first_master_;
    if (seen != first_master_) {
        first_master_ = seen;
        for (auto& framework : frameworks_) framework->lookAgain();
    }
    queue_.scheduleWorld(kLookForMaster, [this] { lookForMaster(); });
}

const MasterNode* World::leader() const {
    const MasterNode* leader = nullptr;
    for (const auto& master : masters_) {
        if (!master->leads()) continue;
        if (leader != nullptr) return nullptr;
        leader = master.get();
    }
    return leader;
}

void World::makeFrameworks() {
    // A third of the work is the batch queue's, the rest is spread over workers of different characters.
    const std::uint32_t batch_tasks = options_.tasks / 3;
    const std::uint32_t worker_tasks = options_.tasks - batch_tasks;
    constexpr std::uint32_t kWorkers = 4;
    for (std::uint32_t i = 0; i < kWorkers; ++i) {
        addWorker(workerOptions(i, worker_tasks / kWorkers + (i < worker_tasks % kWorkers ? 1 : 0)));
    }
    addBatch(batch_tasks);
    // One that comes and goes in the middle of its work, like a `stoa run` that is given up.
    Worker::Options guest = workerOptions(kWorkers, 5);
    guest.teardown_after = 2;
    guest.failover_timeout = std::chrono::seconds(30);
    addWorker(std::move(guest));
    addExecutors();
    addGangs();
    first_framework_ = frameworks_.front()->id();
}

Worker::Options World::workerOptions(std::uint32_t number, std::uint32_t pieces) {
    Worker::Options worker;
    worker.name = absl::StrCat("worker", number);
    worker.roles = {number % 2 == 0 ? "*" : "science"};
    worker.pieces = pieces;
    worker.shape = Resources::cpusMem(0.5 + 0.5 * static_cast<double>(rng_.below(4)), 128.0 * (1 + rng_.below(8)));
    worker.states_demands = number != 1;
    if (number == 1) worker.capabilities = {}; // as the oldest clients come
    if (number == 2) worker.updates = 300'000;
    worker.declines = number == 2 ? 500'000 : 50'000;
    worker.kills = number == 3 ? 300'000 : 20'000;
    // In half of the worlds one doesn't checkpoint.
    worker.checkpoint = number != 0 || Rng(options_.seed ^ 0xc4ec).below(2) == 0;
    return worker;
}

void World::addWorker(Worker::Options worker) {
    FrameworkNode::Parts parts{
        queue_, network_, checker_, rng_, trace_, masters_[0]->id(), [this] { return first_master_; }};
    frameworks_.push_back(std::make_unique<FrameworkNode>(parts, [&](NodeId, const std::function<void()>&) {
        return std::make_unique<Worker>(std::move(worker), rng_);
    }));
}

// In half of the worlds two run their work in executors; one of them gives up in the middle.
void World::addExecutors() {
    Rng rng(options_.seed ^ 0xe8ec);
    if (rng.below(2) != 0) return;
    Worker::Options worker;
    worker.name = "executors";
    worker.executors = static_cast<std::uint32_t>(1 + rng.below(2));
    worker.executor_shape = Resources::cpusMem(0.1 * static_cast<double>(rng.below(3)), 32.0 * (1 + rng.below(3)));
    worker.shape = Resources::cpusMem(0.5, 128.0 * (1 + rng.below(3)));
    worker.pieces = static_cast<std::uint32_t>(5 + rng.below(15));
    worker.states_demands = rng.below(2) == 0;
    worker.kills = 100'000;
    worker.checkpoint = rng.below(3) != 0;
    addWorker(worker);
    worker.name = "passing";
    worker.pieces = 6;
    worker.teardown_after = 2;
    worker.failover_timeout = std::chrono::seconds(30);
    addWorker(std::move(worker));
}

// In some worlds two compete for gangs that take more than half of the cluster, against one that takes every piece of
// it as it becomes free and never has enough.
void World::addGangs() {
    Rng rng(options_.seed ^ 0x9a96);
    if (rng.below(4) != 0) return;
    Worker::Options worker;
    worker.shape = Resources::cpusMem(0.5 + 0.5 * static_cast<double>(rng.below(4)), 128.0 * (1 + rng.below(8)));
    std::uint32_t room = 0;
    for (const Resources& machine : machines_) room += machine.timesContained(worker.shape, 1'000);
    for (std::uint32_t i = 0; i < 2; ++i) {
        worker.name = absl::StrCat("gang", i);
        worker.gang = static_cast<std::uint32_t>(1 + room / 2 + rng.below(room - room / 2));
        worker.pieces = worker.gang * static_cast<std::uint32_t>(1 + rng.below(2));
        worker.declines = 50'000;
        worker.kills = 20'000;
        addWorker(worker);
    }
    Worker::Options crowd;
    crowd.name = "crowd";
    crowd.shape = Resources::cpusMem(0.5, 128);
    crowd.pieces = room;
    crowd.endless = true;
    addWorker(std::move(crowd));
    options_.settle_time += std::chrono::minutes(30);
}

void World::letFinish() {
    bool gangs_done = true;
    for (const auto& framework : frameworks_) {
        const auto* worker = dynamic_cast<const Worker*>(&framework->brain());
        if (worker != nullptr && worker->runsGangs()) gangs_done &= worker->done();
    }
    if (!gangs_done) return;
    for (const auto& framework : frameworks_) {
        auto* worker = dynamic_cast<Worker*>(&framework->brain());
        if (worker != nullptr && worker->endless()) worker->finish();
    }
}

void World::addBatch(std::uint32_t tasks) {
    BatchBrain::Options batch;
    for (std::uint32_t left = tasks; left > 0;) {
        batch::JobSpec job;
        job.count = static_cast<std::uint32_t>(1 + rng_.below(std::min(left, 10U)));
        job.array = job.count > 1;
        job.name = absl::StrCat("job", batch.jobs.size());
        job.command.shell = "true";
        job.shape = Resources::cpusMem(0.5 + 0.5 * static_cast<double>(rng_.below(3)), 256.0 * (1 + rng_.below(3)));
        job.retries = static_cast<std::uint32_t>(rng_.below(4));
        if (!batch.jobs.empty() && rng_.chance(300'000)) {
            job.after = {{rng_.below(batch.jobs.size()), static_cast<batch::Dependency::Kind>(rng_.below(4))}};
        }
        if (job.array && rng_.chance(300'000)) job.at_most = static_cast<std::uint32_t>(1 + rng_.below(3));
        if (job.array && rng_.chance(200'000)) {
            job.indices = batch::IndexSet::parse(absl::StrCat("1-", job.count * 3, ":3")).value();
        }
        job.priority = static_cast<std::int32_t>(rng_.below(3)) - 1;
        job.held = rng_.chance(150'000);
        job.requeue = !rng_.chance(100'000);
        if (rng_.chance(200'000)) {
            job.time_limit = std::chrono::seconds(1 + rng_.below(20));
            job.limit_warning = LimitWarning{10, std::chrono::seconds(rng_.below(10))};
        }
        if (job.array && rng_.chance(200'000)) batch.cancelled.push_back(batch.jobs.size());
        if (rng_.chance(150'000)) batch.later[batch.jobs.size()] = std::chrono::milliseconds(1 + rng_.below(20'000));
        left -= job.count;
        batch.jobs.push_back(std::move(job));
    }
    FrameworkNode::Parts parts{
        queue_, network_, checker_, rng_, trace_, masters_[0]->id(), [this] { return first_master_; }};
    frameworks_.push_back(std::make_unique<FrameworkNode>(parts, [&](NodeId node, std::function<void()> poke) {
        return std::make_unique<BatchBrain>(std::move(batch), queue_, node, std::move(poke), checker_, rng_, counts_,
                                            options_.faults);
    }));
}

bool World::strikes(Fault fault) { return rng_.chance(options_.faults.of(fault)); }

void World::crashAndRestart(Node& node, Fault fault) {
    if (!node.up()) return;
    ++counts_[static_cast<std::size_t>(fault)];
    node.crash();
    queue_.scheduleWorld(std::chrono::milliseconds(rng_.below(10'000)), [&node] {
        if (!node.up()) node.start();
    });
}

// An agent that retires takes its time; whoever looks at it again finds it down.
void World::restartWhenDown(Node& node) {
    queue_.scheduleWorld(std::chrono::milliseconds(5'000 + rng_.below(20'000)), [this, &node] {
        if (node.up()) return restartWhenDown(node);
        node.start();
    });
}

void World::faultTick() {
    if (faults_over_) return;
    auto partition = [this](NodeId a, NodeId b) {
        if (strikes(Fault::kPartition)) {
            // Many outlast the time after which an agent is unreachable, others only a session.
            const std::uint64_t longest = rng_.chance(600'000) ? 240'000 : 30'000;
            network_.cut(a, b, queue_.now() + std::chrono::milliseconds(rng_.below(longest)));
        }
    };
    auto pause = [this](Node& node) {
        if (!strikes(Fault::kPause)) return;
        ++counts_[static_cast<std::size_t>(Fault::kPause)];
        node.pause(std::chrono::milliseconds(rng_.below(40'000)));
    };
    // One master a tick, so that several are no more often without a leader than one alone.
    MasterNode& master = *masters_[masters_.size() == 1 ? 0 : rng_.below(masters_.size())];
    if (strikes(Fault::kMasterCrash)) crashAndRestart(master, Fault::kMasterCrash);
    pause(master);
    if (masters_.size() > 1) {
        if (strikes(Fault::kZooKeeperCut)) {
            zookeeper_.cut(master.id(), queue_.now() + std::chrono::milliseconds(rng_.below(40'000)));
        }
        // Long enough for another to take office, mostly.
        if (strikes(Fault::kMidwayPause)) master.pauseMidway(std::chrono::milliseconds(5'000 + rng_.below(35'000)));
    }
    for (auto& agent : agents_) {
        if (strikes(Fault::kAgentCrash)) crashAndRestart(*agent, Fault::kAgentCrash);
        if (strikes(Fault::kShimCrash)) agent->crashShim();
        if (strikes(Fault::kRetire) && agent->up()) {
            ++counts_[static_cast<std::size_t>(Fault::kRetire)];
            agent->retire();
            restartWhenDown(*agent);
        }
        if (strikes(Fault::kReboot) && agent->up()) {
            agent->reboot();
            queue_.scheduleWorld(std::chrono::milliseconds(rng_.below(100'000)), [&node = *agent] {
                if (!node.up()) node.start();
            });
        }
        for (auto& master : masters_) {
            partition(agent->id(), master->id());
            partition(master->id(), agent->id());
        }
        pause(*agent);
    }
    for (auto& framework : frameworks_) {
        if (framework->brain().over()) continue;
        if (strikes(Fault::kFrameworkCrash)) crashAndRestart(*framework, Fault::kFrameworkCrash);
        for (auto& master : masters_) {
            partition(framework->id(), master->id());
            partition(master->id(), framework->id());
        }
        pause(*framework);
    }
    queue_.scheduleWorld(std::chrono::seconds(1), [this] { faultTick(); });
}

void World::stopFaults() {
    faults_over_ = true;
    options_.faults = FaultPlan::none();
    network_.stopFaults();
    zookeeper_.stopFaults();
    for (auto& master : masters_) master->stopFaults();
    for (auto& agent : agents_) agent->stopFaults();
    for (auto& framework : frameworks_) framework->brain().stopFaults();
}

bool World::atRest() const {
    if (!faults_over_ || leader() == nullptr) return false;
    for (const auto& framework : frameworks_) {
        if (framework->brain().over()) continue;
        if (!framework->up() || !framework->brain().done()) return false;
    }
    for (const auto& agent : agents_) {
        if (!agent->up() || !agent->core()->registered() || !agent->core()->tasks().empty()) return false;
        if (agent->machine().running() + agent->executors().running() != 0) return false;
        if (!agent->core()->executors().all().empty()) return false;
    }
    return true;
}

void World::requireRest() {
    if (atRest()) return;
    std::string what = "liveness: not at rest after the faults stopped;";
    if (leader() == nullptr) absl::StrAppend(&what, " no master leads, or more than one;");
    for (const auto& framework : frameworks_) {
        if (framework->brain().over()) continue;
        if (!framework->up() || !framework->brain().done())
            absl::StrAppend(&what, " ", framework->brain().describe(), ";");
    }
    for (std::size_t i = 0; i < agents_.size(); ++i) {
        const AgentNode& agent = *agents_[i];
        if (!agent.up()) {
            absl::StrAppend(&what, " host", i, " is down;");
        } else if (!agent.core()->registered() || !agent.core()->tasks().empty() || agent.machine().running() != 0 ||
                   !agent.core()->executors().all().empty()) {
            absl::StrAppend(&what, " host", i, agent.core()->registered() ? "" : " is not registered,", " has ",
                            agent.core()->tasks().size(), " tasks, ", agent.core()->executors().all().size(),
                            " executors and ", agent.machine().running() + agent.executors().running(), " containers;");
        }
    }
    checker_.require(false, what);
}

void World::digestEvent() {
    // What happened, and when: every choice that a part makes shows in the frames and times that follow from it.
    for (std::uint64_t value : {static_cast<std::uint64_t>(queue_.now().time_since_epoch().count()), network_.sent()}) {
        for (int byte = 0; byte < 8; ++byte) {
            digest_ ^= (value >> (8 * byte)) & 0xff;
            digest_ *= 0x100000001b3;
        }
    }
}

Report World::run() {
    for (auto& master : masters_) master->start();
    if (masters_.size() > 1) lookForMaster();
    for (auto& agent : agents_) agent->start();
    for (auto& framework : frameworks_) framework->start();
    queue_.scheduleWorld(std::chrono::seconds(1), [this] { faultTick(); });
    queue_.scheduleWorld(options_.fault_time, [this] { stopFaults(); });

    const Time end = queue_.now() + options_.fault_time + options_.settle_time;
    Time look = queue_.now() + options_.fault_time;
    Report report;
    while (queue_.runOne(end)) {
        digestEvent();
        if (!checker_.violation().empty()) break;
        if (queue_.now() < look) continue;
        letFinish();
        if (atRest()) break;
        look = queue_.now() + kRestTick;
    }
    if (checker_.violation().empty()) requireRest();

    report.violation = checker_.violation();
    report.violated_at = queue_.now();
    report.digest = digest_;
    report.events = queue_.processed();
    report.frames = network_.sent();
    report.virtual_time = queue_.now().time_since_epoch();
    report.faults = counts_;
    report.transitions = checker_.transitions();
    report.gangs = checker_.gangsOffered();
    for (const auto& agent : agents_) {
        const agent::Agent::Counters one = agent->counters();
        report.executors["launched"] += one.executor_launches;
        report.executors["subscribed"] += one.executor_subscriptions;
        report.executors["subscribed again"] += one.executor_resubscriptions;
        report.executors["updates"] += one.executor_updates;
        report.executors["updates repeated"] += one.executor_updates_repeated;
        report.executors["timed out"] += one.executor_timeouts;
        report.executors["shut down"] += one.executor_shutdowns;
        report.executors["ended"] += one.executors_ended;
        report.executors["messages"] += agent->executors().messages();
        report.batch["warned of a limit"] += one.limit_warnings;
        report.batch["ended at a limit"] += one.limits_reached;
    }
    for (const auto& framework : frameworks_) {
        const auto* batch = dynamic_cast<const BatchBrain*>(&framework->brain());
        if (batch == nullptr) continue;
        for (const auto& [what, count] : batch->counts()) report.batch[what] += count;
    }
    for (const auto& master : masters_) {
        const master::Counters one = master->counters();
        report.absences["given up"] += one.agents_unreachable;
        report.absences["back before given up"] += one.agents_spared;
        report.absences["forgotten"] += one.agents_forgotten;
        report.absences["back with disowned tasks"] += one.tasks_disowned;
    }
    report.masters = options_.masters;
    report.sessions_expired = zookeeper_.expired();
    report.zombie_sessions = zookeeper_.zombies();
    const auto count = [&report](const Links::Counters& links) {
        report.refused_epochs += links.refused();
        report.failovers += links.failovers;
    };
    for (const auto& agent : agents_) count(agent->linksCounters());
    for (const auto& framework : frameworks_) count(framework->linksCounters());
    return report;
}

} // namespace stoa::sim
