#include "frameworks/mpi/job_scheduler.h"

#include "protocol/strings.h"

#include <algorithm>
#include <utility>

namespace stoa::mpi {

namespace {

constexpr Filters kNoFilter{Duration{0}};
// Launches on gangs that turned out not to stand, before something is clearly wrong.
constexpr std::uint32_t kMostAttempts = 20;

} // namespace

TaskId JobScheduler::taskId(std::size_t place) const { return TaskId(concat("mpi.", place, ".", attempts_)); }

void JobScheduler::ask(sdk::Driver& driver) {
    Demand demand;
    demand.name = "ranks";
    demand.shape = options_.shape;
    demand.count = options_.ranks;
    demand.constraints = options_.constraints;
    demand.gang = Gang{options_.most_per_agent};
    driver.setDemands({demand}).IgnoreError(); // kept until there is a master
}

absl::Status JobScheduler::launch(sdk::Driver& driver, const std::vector<TaskSpec>& proxies) {
    std::lock_guard lock(mutex_);
    if (phase_ != Phase::kGranted) return absl::NotFoundError("the gang's offers were taken back");
    ++attempts_;
    call::Accept accept;
    accept.filters = kNoFilter;
    for (std::size_t place = 0; place < granted_.size(); ++place) {
        const Offer& offer = granted_[place];
        accept.offers.push_back(offer.id);
        TaskInfo info;
        info.id = taskId(place);
        info.name = options_.name;
        info.agent = offer.agent;
        info.resources = offer.resources;
        TaskSpec spec = proxies[place];
        spec.attempt = attempts_;
        info.body = makeTaskBody(spec);
        accept.launches.push_back(std::move(info));
    }
    // A driver whose session has just ended takes nothing; the disconnection's news are on their way.
    if (absl::Status said = driver.accept(std::move(accept)); !said.ok()) return said;
    phase_ = Phase::kLaunched;
    driver.setDemands({}).IgnoreError();
    driver.suppress({}).IgnoreError();
    return absl::OkStatus();
}

void JobScheduler::subscribed(sdk::Driver& driver, const event::Subscribed& info) {
    {
        std::lock_guard lock(mutex_);
        // What was said of them while we were away, if anything, is asked for.
        std::vector<call::Reconcile::Task> ours;
        for (std::size_t place = 0; phase_ == Phase::kLaunched && place < granted_.size(); ++place) {
            ours.push_back({taskId(place), granted_[place].agent});
        }
        if (!ours.empty()) driver.reconcile(std::move(ours)).IgnoreError();
    }
    tell(Subscribed{info.framework});
}

void JobScheduler::disconnected(sdk::Driver&, const std::string& why) {
    bool back = false;
    {
        std::lock_guard lock(mutex_);
        back = phase_ == Phase::kGranted;
        if (back) phase_ = Phase::kAsking;
    }
    if (back) tell(TakenBack{});
    tell(MasterLost{why});
}

void JobScheduler::offers(sdk::Driver& driver, const std::vector<Offer>& offers) {
    std::vector<Offer> gang;
    for (const Offer& offer : offers) {
        if (!offer.gang.empty() && (gang.empty() || gang.front().gang == offer.gang)) {
            gang.push_back(offer);
        } else {
            driver.decline({{offer.id}, kNoFilter}).IgnoreError(); // made before our demand was heard
        }
    }
    if (gang.empty()) return;
    bool wanted = false;
    {
        std::lock_guard lock(mutex_);
        wanted = phase_ == Phase::kAsking;
        if (wanted) {
            phase_ = Phase::kGranted;
            granted_ = gang;
        }
    }
    if (wanted) {
        tell(Granted{std::move(gang)});
    } else {
        driver.decline({{gang.front().id}, kNoFilter}).IgnoreError();
    }
}

void JobScheduler::rescinded(sdk::Driver&, const OfferId& offer) {
    {
        std::lock_guard lock(mutex_);
        if (phase_ != Phase::kGranted || granted_.front().gang != offer) return; // told for each; one is enough
        phase_ = Phase::kAsking;
    }
    tell(TakenBack{});
}

void JobScheduler::update(sdk::Driver& driver, const TaskStatus& status) {
    std::size_t place = 0;
    bool again = false;
    {
        std::lock_guard lock(mutex_);
        if (phase_ != Phase::kLaunched) return;
        while (place < granted_.size() && taskId(place) != status.task) ++place;
        if (place == granted_.size()) return;
        ran_ |= status.state == TaskState::kRunning;
        // None of them reached an agent: the gang was rescinded on our accept's way, or the accept was lost with a session.
        again = !ran_ && isTerminal(status.state) && status.source == StatusSource::kMaster &&
                (status.reason == Reason::kInvalidOffers || status.reason == Reason::kReconciliation) &&
                attempts_ < kMostAttempts;
        if (again) phase_ = Phase::kAsking;
    }
    if (again) {
        tell(TakenBack{});
        driver.revive({}).IgnoreError();
        ask(driver);
    } else {
        tell(Updated{place, status});
    }
}

void JobScheduler::error(sdk::Driver&, const std::string& message) { tell(Refused{message}); }

} // namespace stoa::mpi
