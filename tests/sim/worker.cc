#include "tests/sim/worker.h"

#include "protocol/codec/task_body.h"

#include <absl/strings/str_cat.h>

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
    info.checkpoint = true;
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
        for (const Offer& offer : offers->offers) onOffer(offer);
    } else if (const auto* update = std::get_if<event::Update>(&told)) {
        onStatus(update->status);
    }
}

void Worker::onOffer(const Offer& offer) {
    Filters filters;
    filters.refuse = std::chrono::milliseconds(rng_.below(5'000));
    if (todo_.empty() || rng_.chance(options_.declines)) {
        calls_.push_back(call::Decline{{offer.id}, filters});
        return;
    }
    call::Accept accept;
    accept.offers = {offer.id};
    accept.filters = filters;
    Resources left = offer.resources;
    while (!todo_.empty() && left.subtract(options_.shape).ok()) {
        const std::uint32_t piece = *todo_.begin();
        todo_.erase(todo_.begin());
        book_[piece].phase = Phase::kLaunched;
        TaskInfo task;
        task.id = taskId(piece);
        task.name = "piece";
        task.agent = offer.agent;
        task.resources = options_.shape;
        TaskSpec spec;
        spec.command.shell = "true";
        task.body = makeTaskBody(spec);
        accept.launches.push_back(std::move(task));
    }
    calls_.push_back(std::move(accept));
}

void Worker::onStatus(const TaskStatus& status) {
    const std::optional<std::uint32_t> found = pieceOf(status.task);
    if (!found || book_[*found].phase != Phase::kLaunched) return;
    Piece& piece = book_[*found];
    if (status.state == TaskState::kRunning && rng_.chance(options_.kills)) {
        piece.kill = true;
        calls_.push_back(call::Kill{status.task, status.agent, std::nullopt});
    }
    if (!isTerminal(status.state)) return;
    if (status.state == TaskState::kFinished || (piece.kill && status.state == TaskState::kKilled)) {
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
    demand.count = static_cast<std::uint32_t>(todo_.size());
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

void Worker::wake(Time now) {
    if (!reconcile_at_ || *reconcile_at_ > now) return;
    reconcile();
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
