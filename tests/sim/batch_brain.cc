#include "tests/sim/batch_brain.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace stoa::sim {

BatchBrain::BatchBrain(Options options, EventQueue& queue, NodeId node, std::function<void()> poke, Checker& checker,
                       Rng& rng, FaultCounts& counts, FaultPlan faults)
    : options_(std::move(options)), node_(node), poke_(std::move(poke)), checker_(checker),
      disk_(queue, rng, counts, faults) {}

void BatchBrain::begin(Time) {
    process_ = std::make_unique<Process>(batch::Recovered{disk_.records()});
    // A submitter whose answer died with the process asks what became of it; here the ones who have no number ask anew.
    asking_ = false;
    for (batch::JobNumber job : answered_) {
        checker_.require(process_->queue.view(job).has_value(),
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
    if (!asking_ && answered_.size() < options_.jobs.size()) {
        asking_ = true;
        batch::Submit submit;
        submit.request = next_request_++;
        submit.spec = options_.jobs[answered_.size()];
        // Jobs name those they wait for by their place in the list.
        for (batch::JobNumber& after : submit.spec.after) after = answered_[after];
        submit.when = WallTime{now.time_since_epoch().count()};
        step(submit, now);
    }
    step(batch::Wake{}, now);
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
    const auto* submitted = std::get_if<batch::answer::Submitted>(&answer.content);
    checker_.require(submitted != nullptr, "batch refused a job of the simulator's");
    if (submitted == nullptr) return;
    answered_.push_back(submitted->job);
    if (answered_.size() < options_.jobs.size()) poke_();
}

void BatchBrain::step(const batch::Input& input, Time now) {
    batch::Output output;
    process_->queue.step(input, now, output);
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
    if (answered_.size() < options_.jobs.size()) return false;
    return process_ && std::all_of(answered_.begin(), answered_.end(), [this](batch::JobNumber job) {
               const std::optional<batch::JobView> view = process_->queue.view(job);
               return view && batch::isFinal(view->state);
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
