// The framework that `stoa run` is while it lasts: asks for room for one task, launches it, and tells what becomes of
// it. The driver's thread calls it; the main thread waits on eventFd() and takes what happened. It does not print.
#pragma once

#include "frameworks/sdk/driver.h"
#include "protocol/codec/task_body.h"
#include "protocol/unique_fd.h"

#include <deque>
#include <mutex>
#include <optional>
#include <string>
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

    explicit RunScheduler(Task task);

    int eventFd() const { return wake_.get(); }
    std::vector<News> take();

    // From any thread: the demand that the driver restates at each subscription.
    void ask(sdk::Driver& driver);
    void kill(sdk::Driver& driver);

private:
    void subscribed(sdk::Driver& driver, const event::Subscribed& info) override;
    void disconnected(sdk::Driver& driver, const std::string& why) override;
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override;
    void update(sdk::Driver& driver, const TaskStatus& status) override;
    void error(sdk::Driver& driver, const std::string& message) override;
    void tell(News news);

    const Task task_;
    UniqueFd wake_;
    std::mutex mutex_; // guards what follows
    std::deque<News> news_;
    std::optional<Placed> placed_; // the last attempt, until it is known to be lost before it ran
    std::uint32_t attempts_ = 0;
    bool running_ = false;
};

} // namespace stoa::cli
