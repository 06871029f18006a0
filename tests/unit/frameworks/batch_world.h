// A cluster small enough to see through, around one batch queue: a master that offers what is demanded, agents that
// run what is launched, a disk that is late, a network that breaks, a queue that crashes and is made anew from what
// the disk holds. Owned by one test; the world checks on the way what must hold at every moment.
#pragma once

#include "frameworks/batch/queue.h"
#include "protocol/rng.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stoa::batch {

inline JobSpec jobOf(std::uint32_t count = 1) {
    JobSpec spec;
    spec.name = "test";
    spec.command.argv = {"true"};
    spec.shape = Resources::cpusMem(1, 128);
    spec.count = count;
    spec.array = count > 1;
    return spec;
}

class BatchWorld {
public:
    explicit BatchWorld(std::uint64_t seed, Queue::Options options = {}) : rng_(seed), options_(std::move(options)) {
        start();
    }

    // ---- What the test does ----------------------------------------------------------------------------------

    RequestId submit(JobSpec spec) {
        step(Submit{++last_request_, std::move(spec)});
        return last_request_;
    }
    // Submits and lets the disk catch up; the job's number.
    JobNumber submitted(JobSpec spec) {
        const RequestId request = submit(std::move(spec));
        sync();
        return std::get<answer::Submitted>(answers_.at(request)).job;
    }
    RequestId cancel(JobNumber job) {
        step(Cancel{++last_request_, job, {"root", true}});
        return last_request_;
    }
    RequestId change(JobNumber job, std::optional<bool> held, std::optional<std::int32_t> priority) {
        step(Change{++last_request_, job, {"root", true}, held, priority});
        return last_request_;
    }
    // An input of the test's own making; its request's number is the test's, too, and above 900.
    template <class Request>
    RequestId ask(const Request& request) {
        step(request);
        return request.request;
    }
    void connect() {
        if (connected_) return;
        connected_ = true;
        event::Subscribed subscribed;
        subscribed.framework = FrameworkId("f1");
        told(subscribed);
        // An agent repeats what was not acknowledged.
        for (auto& [id, task] : tasks_) {
            if (task.unacknowledged) inbox_.push_back(event::Update{*task.unacknowledged});
        }
    }
    void disconnect() {
        if (!connected_) return;
        connected_ = false;
        inbox_.clear();
        calls_.clear();
        offers_.clear();
        told(sdk::Disconnected{"cut"});
    }
    void crash() {
        connected_ = false;
        inbox_.clear();
        calls_.clear();
        offers_.clear();
        undurable_.clear();
        start();
    }
    void sync() {
        do { // what is carried out may lead to new records
            for (Record& record : undurable_) durable_.push_back(std::move(record));
            undurable_.clear();
            commit_.durable(queue_->recordsAppended());
            carryOut();
        } while (!undurable_.empty());
    }
    // Only the oldest record reaches the disk.
    void syncOne() {
        if (undurable_.empty()) return;
        durable_.push_back(std::move(undurable_.front()));
        undurable_.pop_front();
        commit_.durable(queue_->recordsAppended() - undurable_.size());
        carryOut();
    }
    void deliver() { // one event to the queue
        if (inbox_.empty()) return;
        Event event = std::move(inbox_.front());
        inbox_.pop_front();
        std::visit(
            [&](auto& what) {
                using What = std::decay_t<decltype(what)>;
                if constexpr (std::is_same_v<What, event::Offers> || std::is_same_v<What, event::Update>) told(what);
            },
            event);
    }
    void masterTakes() { // one call
        if (calls_.empty()) return;
        Call call = std::move(calls_.front());
        calls_.pop_front();
        std::visit([&](auto& what) { take(what); }, call);
    }
    void masterOffers() {
        if (!connected_ || suppressed_) return;
        for (const Demand& demand : demands_) {
            std::uint32_t offered = 0;
            for (const auto& [id, offer] : offers_) offered += offer.demand == demand.name ? offer.count : 0;
            if (offered >= demand.count) continue;
            const std::string agent = "a" + std::to_string(rng_.below(3));
            const std::uint32_t free = freeSlots(agent);
            const std::uint32_t count = std::min(demand.count - offered, free);
            if (count == 0) continue;
            Offer offer;
            offer.id = OfferId("o" + std::to_string(++last_offer_));
            offer.agent = AgentId(agent);
            offer.address = {"127.0.0.1", 5051};
            offer.demand = demand.name;
            offer.count = count;
            offer.resources = demand.shape.times(count);
            offers_[offer.id] = offer;
            inbox_.push_back(event::Offers{{offer}});
        }
    }
    // A task of the cluster moves on; `state` is its next.
    void progress(const std::string& id, TaskState state, int wait_status = 0) {
        RunningTask& task = tasks_.at(id);
        if (isTerminal(task.state) || task.unacknowledged) return;
        task.state = state;
        TaskStatus status = statusOf(id, state);
        if (state == TaskState::kFinished || state == TaskState::kFailed) status.outcome.wait_status = wait_status;
        status.uuid = Uuid{static_cast<std::uint8_t>(++last_uuid_), static_cast<std::uint8_t>(last_uuid_ >> 8)};
        task.unacknowledged = status;
        if (connected_) inbox_.push_back(event::Update{status});
    }
    // What the master itself says of a task, without asking for an acknowledgement.
    void report(const std::string& id, TaskState state) { told(event::Update{statusOf(id, state)}); }
    void pass(Duration time) { now_ += time; } // and the queue is busy meanwhile
    void wait(Duration time) {
        pass(time);
        step(Wake{});
    }
    // Everything happens that can, until nothing more does; tasks run and succeed.
    void settle() {
        connect();
        for (int quiet = 0; quiet < 3;) {
            const std::size_t before = moves_;
            sync();
            while (!calls_.empty()) masterTakes();
            masterOffers();
            while (!inbox_.empty()) deliver();
            sync();
            for (const std::string& id : liveTasks()) {
                progress(id, tasks_.at(id).state == TaskState::kStaging ? TaskState::kRunning : TaskState::kFinished);
            }
            while (!inbox_.empty()) deliver();
            if (moves_ != before) {
                quiet = 0;
                continue;
            }
            ++quiet;
            wait(std::chrono::minutes(11));
        }
    }
    // One random thing.
    void chance() {
        const std::vector<std::string> live = liveTasks();
        switch (rng_.below(14)) {
        case 0: connect(); break;
        case 1:
            if (rng_.below(4) == 0) disconnect();
            break;
        case 2:
            if (rng_.below(4) == 0) crash();
            break;
        case 3: sync(); break;
        case 4:
        case 5: syncOne(); break;
        case 6:
        case 7: deliver(); break;
        case 8:
        case 9: masterTakes(); break;
        case 10: masterOffers(); break;
        case 11: wait(std::chrono::milliseconds(static_cast<std::int64_t>(rng_.below(20'000)))); break;
        default:
            if (live.empty()) break;
            const std::string& id = live[rng_.below(live.size())];
            if (tasks_.at(id).state == TaskState::kStaging) {
                progress(id, rng_.below(5) == 0 ? TaskState::kLost : TaskState::kRunning);
            } else if (rng_.below(3) == 0) {
                progress(id, TaskState::kFailed, 7 << 8);
            } else {
                progress(id, TaskState::kFinished);
            }
        }
    }

    // ---- What the test sees ----------------------------------------------------------------------------------

    const Queue& queue() const { return *queue_; }
    JobView view(JobNumber job, std::uint32_t tasks = 0) const { return queue_->view(job, 0, tasks).value(); }
    JobState state(JobNumber job) const { return view(job).state; }
    std::uint32_t count(JobNumber job, TaskPhase phase) const {
        return view(job).phases[static_cast<std::size_t>(phase)];
    }
    const auto& answers() const { return answers_; }
    const std::vector<Demand>& demands() const { return demands_; }
    const std::vector<Record>& durable() const { return durable_; }
    const std::set<std::string>& launched() const { return launched_; }
    const std::string& violation() const { return violation_; }
    const TaskInfo& info(const std::string& id) const { return tasks_.at(id).info; }
    std::vector<std::string> liveTasks() const {
        std::vector<std::string> live;
        for (const auto& [id, task] : tasks_) {
            if (!isTerminal(task.state)) live.push_back(id);
        }
        return live;
    }
    Rng& rng() { return rng_; }
    std::size_t acceptsSeen() const { return accepts_; }

private:
    static constexpr std::uint32_t kSlots = 4; // tasks that an agent holds

    struct RunningTask {
        TaskInfo info;
        TaskState state = TaskState::kStaging;
        std::optional<TaskStatus> unacknowledged;
    };

    void start() {
        queue_ = std::make_unique<Queue>(options_, Recovered{durable_});
        commit_ = {};
        stated_ = {};
    }
    void step(const Input& input) {
        Output output;
        const RecordNumber before = queue_->recordsAppended();
        queue_->step(input, now_, wall(), output);
        if (queue_->recordsAppended() != before + output.records.size()) violation_ = "records are miscounted";
        for (Record& record : output.records) undurable_.push_back(std::move(record));
        for (Output::Said& said : output.effects) {
            const Destination to = destinationOf(said.effect);
            commit_.add(to, std::move(said.effect), said.waits_for);
        }
        carryOut();
    }
    void told(sdk::Told what) {
        ++moves_;
        if (const auto* subscribed = std::get_if<event::Subscribed>(&what)) {
            // As the driver does: the last demands are restated.
            if (stated_) calls_.push_back(*stated_);
            static_cast<void>(subscribed);
        }
        step(std::move(what));
    }
    void carryOut() {
        for (Effect& effect : commit_.take()) {
            if (auto* answer = std::get_if<Answer>(&effect)) {
                answers_[answer->request] = std::move(answer->content);
                continue;
            }
            Call& call = std::get<Say>(effect).call;
            if (const auto* demands = std::get_if<call::SetDemands>(&call)) {
                stated_ = *demands;
                if (!connected_) continue;
            }
            const auto* accept = std::get_if<call::Accept>(&call);
            const bool stale = accept && !offers_.contains(accept->offers.front());
            if (!connected_ || stale) {
                step(NotSaid{call});
                continue;
            }
            if (accept) checkDurable(*accept);
            calls_.push_back(std::move(call));
        }
    }
    void checkDurable(const call::Accept& accept) {
        for (const TaskInfo& task : accept.launches) {
            const AttemptRef ref = parseTaskId(task.id.value()).value();
            bool found = false;
            for (const Record& record : durable_) {
                const auto* stored = std::get_if<TaskRecord>(&record);
                found |= stored && stored->task == ref.task && stored->last.number == ref.attempt;
            }
            if (!found) violation_ = "launched before it was durable: " + task.id.value();
        }
    }

    TaskStatus statusOf(const std::string& id, TaskState state) {
        TaskStatus status;
        status.task = TaskId(id);
        if (auto task = tasks_.find(id); task != tasks_.end()) status.agent = task->second.info.agent;
        status.state = state;
        status.timestamp = wall();
        return status;
    }
    std::uint32_t freeSlots(const std::string& agent) const {
        std::uint32_t used = 0;
        for (const auto& [id, task] : tasks_) used += task.info.agent.value() == agent && !isTerminal(task.state);
        for (const auto& [id, offer] : offers_) used += offer.agent.value() == agent ? offer.count : 0;
        return used < kSlots ? kSlots - used : 0;
    }

    void take(call::Accept& accept) {
        ++accepts_;
        auto offer = offers_.find(accept.offers.front());
        const bool stands = offer != offers_.end();
        if (stands && accept.launches.size() > offer->second.count) violation_ = "more tasks than the offer holds";
        // What was demanded has been granted.
        for (Demand& demand : demands_) {
            const bool its = stands && demand.name == offer->second.demand;
            if (its) demand.count -= std::min(demand.count, static_cast<std::uint32_t>(accept.launches.size()));
        }
        for (TaskInfo& info : accept.launches) {
            const std::string id = info.id.value();
            if (!stands) {
                TaskStatus lost = statusOf(id, TaskState::kLost);
                lost.reason = Reason::kInvalidOffers;
                inbox_.push_back(event::Update{lost});
                continue;
            }
            const TaskRef ref = parseTaskId(id)->task;
            for (const auto& [other, task] : tasks_) {
                if (!isTerminal(task.state) && parseTaskId(other)->task == ref)
                    violation_ = "two instances live: " + id;
            }
            if (!launched_.insert(id).second) violation_ = "an id was used twice: " + id;
            if (before_launch) before_launch(ref);
            tasks_[id] = {std::move(info), TaskState::kStaging, std::nullopt};
        }
        if (stands) offers_.erase(offer);
    }
    void take(call::Decline& decline) {
        for (const OfferId& offer : decline.offers) offers_.erase(offer);
    }
    void take(call::SetDemands& demands) { demands_ = demands.demands; }
    void take(call::Suppress&) { suppressed_ = true; }
    void take(call::Revive&) { suppressed_ = false; }
    void take(call::Kill& kill) {
        auto task = tasks_.find(kill.task.value());
        if (task == tasks_.end()) {
            inbox_.push_back(event::Update{statusOf(kill.task.value(), TaskState::kLost)});
        } else {
            progress(kill.task.value(), TaskState::kKilled);
        }
    }
    void take(call::Acknowledge& acknowledge) {
        auto task = tasks_.find(acknowledge.task.value());
        if (task == tasks_.end()) return;
        if (task->second.unacknowledged && task->second.unacknowledged->uuid == acknowledge.uuid) {
            task->second.unacknowledged.reset();
        }
    }
    void take(call::Reconcile& reconcile) {
        if (reconcile.tasks.empty()) {
            for (const auto& [id, task] : tasks_) {
                if (!isTerminal(task.state)) inbox_.push_back(event::Update{statusOf(id, task.state)});
            }
        }
        for (const auto& asked : reconcile.tasks) {
            auto task = tasks_.find(asked.task.value());
            // A task whose end was acknowledged is forgotten by its agent.
            const bool known = task != tasks_.end() && (!isTerminal(task->second.state) || task->second.unacknowledged);
            inbox_.push_back(
                event::Update{statusOf(asked.task.value(), known ? task->second.state : TaskState::kLost)});
        }
    }
    template <class Other>
    void take(Other&) {}

    WallTime wall() const { return {now_.time_since_epoch().count() + 1}; }

public:
    std::function<void(TaskRef)> before_launch;

private:
    Rng rng_;
    Queue::Options options_;
    std::unique_ptr<Queue> queue_;
    OutputCommit<Effect> commit_;
    std::vector<Record> durable_;
    std::deque<Record> undurable_;
    std::map<RequestId, decltype(Answer::content)> answers_;
    RequestId last_request_ = 0;
    Time now_{};

    bool connected_ = false;
    std::optional<call::SetDemands> stated_;
    std::deque<Event> inbox_; // on their way to the queue
    std::deque<Call> calls_;  // on their way to the master
    std::vector<Demand> demands_;
    bool suppressed_ = false;
    std::map<OfferId, Offer> offers_;
    std::map<std::string, RunningTask> tasks_;
    std::set<std::string> launched_;
    std::uint64_t last_offer_ = 0;
    std::uint32_t last_uuid_ = 0;
    std::size_t accepts_ = 0;
    std::size_t moves_ = 0;
    std::string violation_;
};

} // namespace stoa::batch
