// A whole framework: runs a command three times on the cluster, and tells how each ended.
//
//   stoa up --detach && build/examples/hello_framework 127.0.0.1:5052
#include "frameworks/sdk/driver.h"
#include "protocol/codec/task_body.h"

#include <iostream>

namespace call = stoa::call;
namespace event = stoa::event;
namespace sdk = stoa::sdk;
using stoa::Demand;
using stoa::Duration;
using stoa::Offer;
using stoa::Resources;
using stoa::TaskId;
using stoa::TaskInfo;
using stoa::TaskSpec;
using stoa::TaskStatus;

class Hello : public sdk::Scheduler {
public:
    // What we want, not what we would take: the master offers just that, and at once.
    void subscribed(sdk::Driver& driver, const event::Subscribed& info) override {
        std::cout << "subscribed as " << info.framework << std::endl;
        std::vector<call::Reconcile::Task> launched; // after a reconnection: how are they?
        launched.reserve(static_cast<std::size_t>(launched_));
        for (int i = 0; i < launched_; ++i) launched.push_back({TaskId("hello-" + std::to_string(i)), {}});
        if (!launched.empty()) driver.reconcile(launched).IgnoreError();
        ask(driver);
    }

    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            call::Accept accept;
            accept.offers = {offer.id};
            accept.filters.refuse = Duration(0);
            std::uint32_t fit = offer.resources.timesContained(shape_, static_cast<std::uint32_t>(kTasks - launched_));
            for (; fit > 0; --fit) {
                TaskInfo task;
                task.id = TaskId("hello-" + std::to_string(launched_++));
                task.name = "hello";
                task.agent = offer.agent;
                task.resources = shape_;
                TaskSpec spec;
                spec.command.shell = "echo hello from $STOA_TASK_ID; sleep 0.1";
                task.body = makeTaskBody(spec);
                accept.launches.push_back(std::move(task));
            }
            // An offer that we have no use for goes back the same way: an accept of nothing.
            if (absl::Status said = driver.accept(std::move(accept)); !said.ok()) std::cerr << said << std::endl;
        }
        ask(driver);
    }

    // Acknowledged when this returns.
    void update(sdk::Driver& driver, const TaskStatus& status) override {
        std::cout << status.task << " " << name(status.state) << " " << status.message << std::endl;
        if (isTerminal(status.state) && ++ended_ == kTasks) driver.teardown().IgnoreError();
    }

    void error(sdk::Driver&, const std::string& message) override { std::cerr << message << std::endl; }

private:
    void ask(sdk::Driver& driver) {
        Demand demand;
        demand.name = "hello";
        demand.shape = shape_;
        demand.count = static_cast<std::uint32_t>(kTasks - launched_);
        driver.setDemands({demand}).IgnoreError(); // kept, and restated after a reconnection
    }

    static constexpr int kTasks = 3;
    const Resources shape_ = Resources::cpusMem(0.1, 32);
    int launched_ = 0;
    int ended_ = 0;
};

int main(int argc, char** argv) {
    Hello hello;
    sdk::DriverOptions options;
    if (argc > 1) options.master = argv[1];
    options.name = "hello";
    options.failover_timeout = std::chrono::minutes(1); // tasks outlive us for so long
    auto driver = sdk::SchedulerDriver::start(options, hello);
    if (!driver.ok()) {
        std::cerr << driver.status() << std::endl;
        return 2;
    }
    const absl::Status end = (*driver)->join();
    return end.ok() ? 0 : 1;
}
