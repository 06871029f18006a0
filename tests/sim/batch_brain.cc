#include "tests/sim/batch_brain.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace stoa::sim {

namespace {

WallTime wallOf(Time now) { return {now.time_since_epoch().count()}; }

} // namespace

BatchBrain::BatchBrain(Options options, EventQueue& queue, NodeId node, std::function<void()> poke, Checker& checker,
                       Rng& rng, FaultCounts& counts, FaultPlan faults)
    : options_(std::move(options)), node_(node), poke_(std::move(poke)), checker_(checker),
      disk_(queue, rng, counts, faults) {}

void BatchBrain::begin(Time) {
    process_ = std::make_unique<Process>(batch::Recovered{disk_.records()});
    // A submitter whose answer died with the process asks what became of it; here the ones who have no number ask anew.
    asking_ = false;
    for (batch::JobNumber job : answered_) {
        checker_.require(job == 0 || process_->queue.view(job).has_value(),
                         absl::StrCat("batch forgot job ", job, " after a crash"));
    }
}

void BatchBrain::end() {
    process_.reset();
    disk_.crash();
}

FrameworkInfo BatchBrain::info() const {
    FrameworkInfo info;
    info.name = options_.name;
    info.id = process_->queue.frameworkId();
    info.failover_timeout = std::chrono::hours(24);
    info.checkpoint = true;
    return info;
}

void BatchBrain::told(const sdk::Told& told, Time now) { step(told, now); }

void BatchBrain::wake(Time now) {
    if (!asking_ && !allSaid()) ask(now);
    step(batch::Wake{}, now);
}

void BatchBrain::ask(Time now) {
    asking_ = true;
    if (answered_.size() < options_.jobs.size()) {
        batch::Submit submit;
        submit.request = next_request_++;
        submit.spec = options_.jobs[answered_.size()];
        if (const auto later = options_.later.find(answered_.size()); later != options_.later.end()) {
            submit.spec.begin = wallOf(now + later->second);
        }
        for (batch::Dependency& after : submit.spec.after) after.job = answered_[after.job];
        std::erase_if(submit.spec.after, [](const batch::Dependency& after) { return after.job == 0; });
        return step(submit, now);
    }
    const LaterChange& change = changes_[done_changes_];
    const batch::Asker by{"root", true};
    const batch::JobNumber job = answered_[change.place];
    if (change.release) return step(batch::Change{next_request_++, job, by, false, 5}, now);
    batch::Cancel cancel{next_request_++, job, by};
    const batch::JobSpec& spec = options_.jobs[change.place];
    cancel.tasks = batch::IndexSet::parse(absl::StrCat(spec.indexAt(spec.count - 1))).value();
    step(cancel, now);
}

void BatchBrain::notSaid(const Call& call, Time now) { step(batch::NotSaid{call}, now); }

std::vector<Call> BatchBrain::takeCalls() {
    for (batch::Effect& effect : process_->commit.take()) {
        if (auto* say = std::get_if<batch::Say>(&effect)) {
            process_->calls.push_back(std::move(say->call));
        } else {
            onAnswer(std::get<batch::Answer>(effect));
        }
    }
    return std::exchange(process_->calls, {});
}

void BatchBrain::onAnswer(const batch::Answer& answer) {
    asking_ = false;
    const auto* refused = std::get_if<batch::answer::Refused>(&answer.content);
    // What it would wait for can't happen any more, or what is to be changed has ended: that much is right.
    checker_.require(refused == nullptr || absl::IsFailedPrecondition(refused->why) || absl::IsNotFound(refused->why),
                     "batch refused a job of the simulator's");
    if (refused != nullptr) ++seen_["refused the impossible"];
    if (answered_.size() < options_.jobs.size()) {
        const auto* submitted = std::get_if<batch::answer::Submitted>(&answer.content);
        answered_.push_back(submitted == nullptr ? 0 : submitted->job);
        const std::size_t place = answered_.size() - 1;
        if (submitted != nullptr && options_.jobs[place].held) changes_.push_back({place, true});
        const auto& cancelled = options_.cancelled;
        if (submitted != nullptr && std::find(cancelled.begin(), cancelled.end(), place) != cancelled.end()) {
            changes_.push_back({place, false});
        }
    } else {
        if (refused == nullptr) ++seen_[changes_[done_changes_].release ? "released a job" : "cancelled a task"];
        ++done_changes_;
    }
    if (!allSaid()) poke_();
}

bool BatchBrain::hasHappened(const batch::Dependency& dependency) const {
    const std::optional<batch::JobView> view = process_->queue.view(dependency.job);
    if (!view) return false;
    switch (dependency.kind) {
    case batch::Dependency::Kind::kAfter: return view->started.nanos != 0 || batch::isFinal(view->state);
    case batch::Dependency::Kind::kAfterAny: return batch::isFinal(view->state);
    case batch::Dependency::Kind::kAfterOk: return view->state == batch::JobState::kSucceeded;
    case batch::Dependency::Kind::kAfterNotOk:
        return batch::isFinal(view->state) && view->state != batch::JobState::kSucceeded;
    }
    return false;
}

void BatchBrain::checkLaunches(const batch::Output& output, Time now) {
    for (const batch::Output::Said& said : output.effects) {
        const auto* say = std::get_if<batch::Say>(&said.effect);
        const auto* accept = say == nullptr ? nullptr : std::get_if<call::Accept>(&say->call);
        if (accept == nullptr) continue;
        for (const TaskInfo& task : accept->launches) {
            const std::optional<batch::AttemptRef> ref = batch::parseTaskId(task.id.value());
            const std::optional<batch::JobView> view = ref ? process_->queue.view(ref->task.job) : std::nullopt;
            checker_.require(view.has_value(), "batch launches a task of no job: " + task.id.value());
            if (!view) continue;
            auto in = [&](batch::TaskPhase phase) { return view->phases[static_cast<std::size_t>(phase)]; };
            const std::uint32_t live =
                in(batch::TaskPhase::kLaunched) + in(batch::TaskPhase::kRunning) + in(batch::TaskPhase::kUnreachable);
            checker_.require(
                view->at_most == 0 || live <= view->at_most,
                absl::StrCat("of job ", view->job, " ", live, " tasks run at the same time, not ", view->at_most));
            if (view->at_most > 0 && live == view->at_most) ++seen_["launched at its limit"];
            if (view->priority != 0) ++seen_["launched with a priority"];
            if (view->begin.nanos != 0) ++seen_["launched when its time came"];
            checker_.require(view->begin <= wallOf(now), absl::StrCat("job ", view->job, " starts before its time"));
            checker_.require(!view->held, absl::StrCat("job ", view->job, " is held, and starts a task"));
            for (const batch::Dependency& after : view->after) {
                ++seen_[absl::StrCat("launched behind ", std::string(batch::name(after.kind)))];
                checker_.require(hasHappened(after), absl::StrCat("job ", view->job, " starts a task, though not ",
                                                                  batch::toString(after)));
            }
        }
    }
}

void BatchBrain::step(const batch::Input& input, Time now) {
    batch::Output output;
    process_->queue.step(input, now, wallOf(now), output);
    checkLaunches(output, now);
    if (!output.records.empty()) {
        disk_.append(node_, std::move(output.records), [this](RecordNumber number) {
            process_->commit.durable(number);
            poke_();
        });
    }
    for (batch::Output::Said& said : output.effects) {
        const Destination to = batch::destinationOf(said.effect);
        process_->commit.add(to, std::move(said.effect), said.waits_for);
    }
}

bool BatchBrain::done() const {
    if (!allSaid()) return false;
    return process_ && std::all_of(answered_.begin(), answered_.end(), [this](batch::JobNumber job) {
               const std::optional<batch::JobView> view = process_->queue.view(job);
               return job == 0 || (view && batch::isFinal(view->state));
           });
}

std::string BatchBrain::describe() const {
    std::string text = absl::StrCat(options_.name, ": ", answered_.size(), " of ", options_.jobs.size(), " submitted;");
    if (!process_) return text;
    for (batch::JobNumber job : answered_) {
        const std::optional<batch::JobView> view = process_->queue.view(job);
        if (view && !batch::isFinal(view->state)) {
            absl::StrAppend(&text, " job ", job, " ", std::string(batch::name(view->state)), " (", view->why, ")");
        }
    }
    return text;
}

} // namespace stoa::sim
