#include "tests/sim/worker.h"

#include "protocol/codec/executor_info.h"
#include "protocol/codec/task_body.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace stoa::sim {

namespace {

// A launch that a dying session swallowed, or a task whose agent hasn't come back to a new master, has no other way to
// be found out.
constexpr Duration kReconcileEvery = std::chrono::seconds(30);

} // namespace

FrameworkInfo Worker::info() const {
    FrameworkInfo info;
    info.name = options_.name;
    info.id = framework_;
    info.roles = options_.roles;
    info.failover_timeout = options_.failover_timeout;
    info.checkpoint = options_.checkpoint;
    info.capabilities = options_.capabilities;
    return info;
}

void Worker::begin(Time) {
    subscribed_ = false;
    reconcile_at_.reset();
    calls_.clear();
}

TaskId Worker::taskId(std::uint32_t piece) const { return TaskId(absl::StrCat(piece, ".", book_[piece].attempt)); }

std::optional<std::uint32_t> Worker::pieceOf(const TaskId& task) const {
    const auto piece = static_cast<std::uint32_t>(std::stoul(task.value()));
    if (piece >= book_.size() || taskId(piece) != task) return std::nullopt;
    return piece;
}

void Worker::told(const sdk::Told& told, Time now) {
    if (const auto* subscribed = std::get_if<event::Subscribed>(&told)) {
        framework_ = subscribed->framework;
        subscribed_ = true;
        reconcile_at_ = now;
        stateDemands();
    } else if (std::holds_alternative<sdk::Disconnected>(told)) {
        subscribed_ = false;
        reconcile_at_.reset();
    } else if (const auto* offers = std::get_if<event::Offers>(&told)) {
        std::map<OfferId, std::vector<Offer>> gangs;
        for (const Offer& offer : offers->offers) {
            if (offer.gang.empty()) {
                onOffer(offer);
            } else {
                gangs[offer.gang].push_back(offer);
            }
        }
        for (const auto& [gang, of_gang] : gangs) onGang(of_gang);
    } else if (const auto* update = std::get_if<event::Update>(&told)) {
        onStatus(update->status);
    }
}

void Worker::onOffer(const Offer& offer) {
    Filters filters;
    filters.refuse = std::chrono::milliseconds(rng_.below(5'000));
    // What came before a gang was heard of is none.
    if (todo_.empty() || options_.gang > 0 || rng_.chance(options_.declines)) {
        calls_.push_back(call::Decline{{offer.id}, filters});
        return;
    }
    call::Accept accept;
    accept.offers = {offer.id};
    accept.filters = filters;
    Resources left = offer.resources;
    if (options_.executors > 0) accept.launches = launchInExecutors(offer);
    while (options_.executors == 0 && !todo_.empty() && left.subtract(options_.shape).ok())
        accept.launches.push_back(launch(offer.agent));
    calls_.push_back(std::move(accept));
}

void Worker::onGang(const std::vector<Offer>& offers) {
    std::uint32_t pieces = 0;
    call::Accept accept;
    accept.filters.refuse = std::chrono::milliseconds(rng_.below(5'000));
    for (const Offer& offer : offers) {
        pieces += offer.count;
        accept.offers.push_back(offer.id);
    }
    if (todo_.size() < pieces || rng_.chance(options_.declines)) {
        // One stands for all.
        calls_.push_back(call::Decline{{accept.offers[rng_.below(accept.offers.size())]}, accept.filters});
        if (todo_.size() < pieces) stateDemands(); // it was stated before some were launched
        return;
    }
    for (const Offer& offer : offers) {
        for (std::uint32_t piece = 0; piece < offer.count; ++piece) accept.launches.push_back(launch(offer.agent));
    }
    calls_.push_back(std::move(accept));
    stateDemands(); // the next gang
}

TaskInfo Worker::launch(const AgentId& agent) {
    const std::uint32_t piece = *todo_.begin();
    todo_.erase(todo_.begin());
    book_[piece].phase = Phase::kLaunched;
    TaskInfo task;
    task.id = taskId(piece);
    task.name = "piece";
    task.agent = agent;
    task.resources = options_.shape;
    TaskSpec spec;
    spec.command.shell = "true";
    task.body = makeTaskBody(spec);
    return task;
}

ExecutorId Worker::executorFor(std::uint32_t piece) const {
    return ExecutorId(absl::StrCat("executor", piece % options_.executors));
}

std::vector<TaskInfo> Worker::launchInExecutors(const Offer& offer) {
    std::vector<TaskInfo> tasks;
    Resources left = offer.resources;
    std::set<ExecutorId> live(offer.executors.begin(), offer.executors.end());
    while (!todo_.empty()) {
        const ExecutorId id = executorFor(*todo_.begin());
        Resources needed = options_.shape;
        if (!live.contains(id)) needed += options_.executor_shape;
        if (!left.subtract(needed).ok()) break;
        live.insert(id);
        ExecutorSpec executor;
        executor.id = id;
        executor.command.shell = "true";
        executor.resources = options_.executor_shape;
        TaskInfo task = launch(offer.agent);
        task.executor = id;
        task.body = makeTaskBody(TaskSpec{}, executor);
        tasks.push_back(std::move(task));
    }
    return tasks;
}

// What a scheduler may do with an executor while a task of it runs.
void Worker::bother(const TaskStatus& status) {
    if (status.executor.empty()) return;
    const std::uint64_t dice = rng_.below(20);
    if (dice < 4) calls_.push_back(call::Message{status.agent, status.executor, "how are you?"});
    if (dice == 4) calls_.push_back(call::Shutdown{status.agent, status.executor});
}

void Worker::onStatus(const TaskStatus& status) {
    const std::optional<std::uint32_t> found = pieceOf(status.task);
    if (!found || book_[*found].phase != Phase::kLaunched) return;
    Piece& piece = book_[*found];
    if (status.state == TaskState::kRunning && rng_.chance(options_.kills)) {
        piece.kill = true;
        calls_.push_back(call::Kill{status.task, status.agent, std::nullopt});
    }
    if (status.state == TaskState::kRunning) bother(status);
    if (!isTerminal(status.state)) return;
    const bool succeeded = status.state == TaskState::kFinished || (piece.kill && status.state == TaskState::kKilled);
    if (succeeded && !options_.endless) {
        piece.phase = Phase::kDone;
        ++done_;
        if (over()) calls_.push_back(call::Teardown{});
        return;
    }
    piece = {Phase::kTodo, piece.attempt + 1, false};
    todo_.insert(*found);
    stateDemands();
}

void Worker::stateDemands() {
    if (!options_.states_demands) return;
    Demand demand;
    demand.name = "pieces";
    demand.role = options_.roles.front();
    demand.shape = options_.shape;
    if (options_.executors > 0) demand.shape += options_.executor_shape; // each may be the first
    demand.count = static_cast<std::uint32_t>(todo_.size());
    if (options_.gang > 0) {
        demand.count = std::min(demand.count, options_.gang);
        demand.gang = Gang{};
    }
    calls_.push_back(call::SetDemands{{std::move(demand)}});
}

void Worker::reconcile() {
    call::Reconcile ask;
    for (std::uint32_t piece = 0; piece < book_.size(); ++piece) {
        if (book_[piece].phase == Phase::kLaunched) ask.tasks.push_back({taskId(piece), AgentId()});
        // A kill may have been lost with its session; saying it again is harmless.
        if (book_[piece].phase == Phase::kLaunched && book_[piece].kill) {
            calls_.push_back(call::Kill{taskId(piece), AgentId(), std::nullopt});
        }
    }
    if (!ask.tasks.empty()) calls_.push_back(std::move(ask));
}

// Demands are of the first role, which stays.
void Worker::changeRoles() {
    if (options_.roles.size() > 1) {
        options_.roles.pop_back();
    } else {
        options_.roles.emplace_back("zoology");
    }
    calls_.push_back(call::UpdateFramework{info(), {}});
}

void Worker::wake(Time now) {
    if (!reconcile_at_ || *reconcile_at_ > now) return;
    reconcile();
    if (options_.updates > 0 && rng_.chance(options_.updates)) changeRoles();
    reconcile_at_ = now + kReconcileEvery;
}

std::optional<Time> Worker::nextDeadline() const { return done() ? std::nullopt : reconcile_at_; }

void Worker::notSaid(const Call& call, Time) {
    const auto* accept = std::get_if<call::Accept>(&call);
    if (accept == nullptr) return;
    for (const TaskInfo& task : accept->launches) {
        const std::optional<std::uint32_t> piece = pieceOf(task.id);
        if (!piece || book_[*piece].phase != Phase::kLaunched) continue;
        // The master may have been asked about this attempt: its number is burnt, or "gone" would be said of the next.
        book_[*piece] = {Phase::kTodo, book_[*piece].attempt + 1, false};
        todo_.insert(*piece);
    }
    stateDemands();
}

std::string Worker::describe() const {
    std::string waiting;
    for (std::uint32_t piece = 0; piece < book_.size(); ++piece) {
        if (book_[piece].phase == Phase::kDone) continue;
        absl::StrAppend(&waiting, " ", taskId(piece).value(),
                        book_[piece].phase == Phase::kTodo ? " todo" : " launched");
    }
    return absl::StrCat(options_.name, " (", framework_.value(), "): ", done_, " of ", options_.pieces, " done;",
                        waiting);
}

} // namespace stoa::sim
