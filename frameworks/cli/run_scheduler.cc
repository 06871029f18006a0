#include "frameworks/cli/run_scheduler.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa::cli {

namespace {

constexpr const char* kDemand = "run";
// Launches on offers that turned out not to stand, before something is clearly wrong.
constexpr std::uint32_t kMostAttempts = 20;
constexpr Filters kNoFilter{Duration{0}};

} // namespace

void RunScheduler::ask(sdk::Driver& driver) {
    Demand demand;
    demand.name = kDemand;
    demand.shape = task_.shape;
    demand.count = 1;
    demand.constraints = task_.constraints;
    driver.setDemands({demand}).IgnoreError(); // kept until there is a master
}

void RunScheduler::kill(sdk::Driver& driver) {
    std::lock_guard lock(mutex_);
    if (placed_) driver.kill({placed_->task, placed_->agent, std::nullopt}).IgnoreError();
}

void RunScheduler::subscribed(sdk::Driver& driver, const event::Subscribed& info) {
    {
        std::lock_guard lock(mutex_);
        // What was said of it while we were away, if anything, is asked for.
        if (placed_) driver.reconcile({{placed_->task, placed_->agent}}).IgnoreError();
    }
    tell(Subscribed{info.framework});
}

void RunScheduler::disconnected(sdk::Driver&, const std::string& why) { tell(MasterLost{why}); }

void RunScheduler::offers(sdk::Driver& driver, const std::vector<Offer>& offers) {
    for (const Offer& offer : offers) {
        std::optional<Placed> launched;
        {
            std::lock_guard lock(mutex_);
            // What came before the demand was heard may be anywhere.
            const bool allowed =
                std::all_of(task_.constraints.begin(), task_.constraints.end(),
                            [&](const Constraint& constraint) { return satisfied(constraint, offer.attributes); });
            const bool wanted = !placed_ && allowed && offer.resources.contains(task_.shape);
            if (wanted) {
                TaskInfo info;
                info.id = TaskId(concat("run.0.", ++attempts_));
                info.name = task_.name;
                info.agent = offer.agent;
                info.resources = task_.shape;
                TaskSpec spec = task_.spec;
                spec.attempt = attempts_;
                info.body = makeTaskBody(spec);
                if (driver.accept({{offer.id}, {info}, kNoFilter}).ok()) {
                    placed_ = Placed{info.id, offer.agent, offer.address, offer.hostname};
                    launched = placed_;
                }
            }
        }
        if (launched) {
            driver.setDemands({}).IgnoreError();
            driver.suppress({}).IgnoreError();
            tell(*launched);
        } else {
            driver.decline({{offer.id}, kNoFilter}).IgnoreError();
        }
    }
}

void RunScheduler::update(sdk::Driver& driver, const TaskStatus& status) {
    bool again = false;
    {
        std::lock_guard lock(mutex_);
        if (!placed_ || status.task != placed_->task) return;
        running_ |= status.state == TaskState::kRunning;
        // It never reached an agent: the offer was rescinded on our accept's way, or the accept was lost with a session.
        const bool never_launched =
            !running_ && isTerminal(status.state) && status.source == StatusSource::kMaster &&
            (status.reason == Reason::kInvalidOffers || status.reason == Reason::kReconciliation);
        again = never_launched && attempts_ < kMostAttempts;
        if (again) placed_.reset();
    }
    if (again) {
        driver.revive({}).IgnoreError();
        ask(driver);
    } else {
        tell(Updated{status});
    }
}

void RunScheduler::error(sdk::Driver&, const std::string& message) { tell(Refused{message}); }

} // namespace stoa::cli
