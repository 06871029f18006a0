// The framework that `stoa run` is while it lasts: asks for room for one task, launches it, and tells what becomes of
// it. The driver's thread calls it; the main thread waits on eventFd() and takes what happened. It does not print.
#pragma once

#include "frameworks/sdk/driver.h"
#include "protocol/codec/task_body.h"
#include "protocol/wire/swap_queue.h"

#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::cli {

class RunScheduler : public sdk::Scheduler {
public:
    struct Task {
        std::string name;
        Resources shape;
        TaskSpec spec;
        std::vector<Constraint> constraints;
    };

    struct Subscribed {
        FrameworkId framework;
    };
    struct MasterLost {
        std::string why;
    };
    struct Placed { // launched on this agent
        TaskId task;
        AgentId agent;
        Address address;
        std::string hostname;
    };
    struct Updated {
        TaskStatus status;
    };
    struct Refused { // the master won't have us
        std::string why;
    };
    using News = std::variant<Subscribed, MasterLost, Placed, Updated, Refused>;

    explicit RunScheduler(Task task) : task_(std::move(task)) {}

    int eventFd() const { return news_.fd(); }
    std::vector<News> take() { return news_.take(); }

    // From any thread: the demand that the driver restates at each subscription.
    void ask(sdk::Driver& driver);
    void kill(sdk::Driver& driver);

private:
    void subscribed(sdk::Driver& driver, const event::Subscribed& info) override;
    void disconnected(sdk::Driver& driver, const std::string& why) override;
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override;
    void update(sdk::Driver& driver, const TaskStatus& status) override;
    void error(sdk::Driver& driver, const std::string& message) override;
    void tell(News news) { news_.push(std::move(news), 0); }

    const Task task_;
    SwapQueue<News> news_;
    std::mutex mutex_;             // guards what follows
    std::optional<Placed> placed_; // the last attempt, until it is known to be lost before it ran
    std::uint32_t attempts_ = 0;
    bool running_ = false;
};

} // namespace stoa::cli
