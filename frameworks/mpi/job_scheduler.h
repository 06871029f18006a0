// The framework that `stoa mpi` is while it lasts: asks for a gang of ranks, tells where it may run, launches one proxy
// an agent in one accept, and tells what becomes of them. The driver's thread calls it; the main thread waits on
// eventFd(), takes what happened and answers with launch(). It starts no process and does not print.
#pragma once

#include "frameworks/sdk/scheduler.h"
#include "protocol/codec/task_body.h"
#include "protocol/wire/swap_queue.h"

#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::mpi {

class JobScheduler : public sdk::Scheduler {
public:
    struct Options {
        std::string name;
        Resources shape; // of one rank
        std::uint32_t ranks = 0;
        std::uint32_t most_per_agent = 0;
        std::vector<Constraint> constraints;
    };

    struct Subscribed {
        FrameworkId framework;
    };
    struct MasterLost {
        std::string why;
    };
    struct Granted { // an offer an agent
        std::vector<Offer> offers;
    };
    // What was granted is not there any more, or nothing was launched on it; the gang is asked for again.
    struct TakenBack {};
    struct Updated {
        std::size_t place = 0; // in the granted offers
        TaskStatus status;
    };
    struct Refused { // the master won't have us
        std::string why;
    };
    using News = std::variant<Subscribed, MasterLost, Granted, TakenBack, Updated, Refused>;

    explicit JobScheduler(Options options) : options_(std::move(options)) {}

    int eventFd() const { return news_.fd(); }
    std::vector<News> take() { return news_.take(); }

    // From any thread: the demand that the driver restates at each subscription.
    void ask(sdk::Driver& driver);
    // The proxies, in the order of the granted offers. An error: they were taken back, which take() tells, too.
    absl::Status launch(sdk::Driver& driver, const std::vector<TaskSpec>& proxies);

private:
    enum class Phase : std::uint8_t { kAsking, kGranted, kLaunched };

    void subscribed(sdk::Driver& driver, const event::Subscribed& info) override;
    void disconnected(sdk::Driver& driver, const std::string& why) override;
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override;
    void rescinded(sdk::Driver& driver, const OfferId& offer) override;
    void update(sdk::Driver& driver, const TaskStatus& status) override;
    void error(sdk::Driver& driver, const std::string& message) override;
    void tell(News news) { news_.push(std::move(news), 0); }
    TaskId taskId(std::size_t place) const;

    const Options options_;
    SwapQueue<News> news_;
    std::mutex mutex_; // guards what follows
    Phase phase_ = Phase::kAsking;
    std::vector<Offer> granted_;
    std::uint32_t attempts_ = 0;
    bool ran_ = false; // one of the proxies was seen to run
};

} // namespace stoa::mpi
