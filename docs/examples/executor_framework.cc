// A framework that runs its tasks in an executor of its own: each argument is a task, a shell command that the executor
// runs; one that begins with "kill:" is killed as soon as it runs.
//
//   build/examples/executor_framework 127.0.0.1:5052 $PWD/build/examples/shell_executor 'echo one' 'echo two'
#include "frameworks/sdk/driver.h"
#include "protocol/codec/executor_info.h"

#include <iostream>

namespace call = stoa::call;
namespace event = stoa::event;
namespace sdk = stoa::sdk;
using stoa::Demand;
using stoa::ExecutorId;
using stoa::ExecutorSpec;
using stoa::Offer;
using stoa::Resources;
using stoa::TaskId;
using stoa::TaskInfo;
using stoa::TaskSpec;
using stoa::TaskState;
using stoa::TaskStatus;

class Crowd : public sdk::Scheduler {
public:
    Crowd(std::string program, std::vector<std::string> commands) : commands_(std::move(commands)) {
        executor_.id = ExecutorId("shells");
        executor_.name = "shells of an example";
        executor_.command.argv = {std::move(program)};
        executor_.resources = Resources::cpusMem(0.1, 64); // held once an agent, beside its tasks'
    }

    void subscribed(sdk::Driver& driver, const event::Subscribed&) override {
        Demand demand; // one piece for all: the executor and every task
        demand.name = "crowd";
        demand.shape = executor_.resources;
        for (std::size_t i = 0; i < commands_.size(); ++i) demand.shape += task_;
        demand.count = launched_ ? 0 : 1;
        driver.setDemands({demand}).IgnoreError();
    }

    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        call::Accept accept;
        accept.offers = {offers.front().id};
        for (std::size_t i = 0; i < commands_.size() && !launched_; ++i) {
            TaskInfo task;
            task.id = TaskId("task-" + std::to_string(i));
            task.name = "task " + std::to_string(i);
            task.agent = offers.front().agent;
            task.executor = executor_.id;
            task.resources = task_;
            TaskSpec spec;
            spec.data = killed(i) ? commands_[i].substr(5) : commands_[i];
            task.body = makeTaskBody(spec, executor_);
            accept.launches.push_back(std::move(task));
        }
        launched_ = true;
        driver.accept(std::move(accept)).IgnoreError();
    }

    void update(sdk::Driver& driver, const TaskStatus& status) override {
        std::cout << status.task << " " << name(status.state) << " " << name(status.reason) << " " << status.message
                  << std::endl;
        const std::size_t index = std::stoul(status.task.value().substr(5));
        if (status.state == TaskState::kRunning && killed(index))
            driver.kill({status.task, status.agent, {}}).IgnoreError();
        if (status.state == TaskState::kRunning && index == 0) {
            driver.message({status.agent, executor_.id, "hello"}).IgnoreError();
        }
        if (isTerminal(status.state) && ++ended_ == commands_.size()) driver.teardown().IgnoreError();
    }

    void message(sdk::Driver&, const event::Message& message) override {
        std::cout << "message of " << message.executor << ": " << message.data << std::endl;
    }
    void failure(sdk::Driver&, const event::Failure& failure) override {
        std::cout << "executor " << failure.executor << " ended" << std::endl;
    }
    void error(sdk::Driver&, const std::string& message) override { std::cerr << message << std::endl; }

private:
    bool killed(std::size_t index) const { return commands_[index].compare(0, 5, "kill:") == 0; }

    const std::vector<std::string> commands_;
    const Resources task_ = Resources::cpusMem(0.1, 32);
    ExecutorSpec executor_;
    bool launched_ = false;
    std::size_t ended_ = 0;
};

int main(int argc, char** argv) {
    if (argc < 4) {
        std::cerr << "usage: executor_framework MASTER EXECUTOR COMMAND..." << std::endl;
        return 2;
    }
    Crowd crowd(argv[2], std::vector<std::string>(argv + 3, argv + argc));
    sdk::DriverOptions options;
    options.master = argv[1];
    options.name = "crowd";
    auto driver = sdk::SchedulerDriver::start(options, crowd);
    if (!driver.ok()) {
        std::cerr << driver.status() << std::endl;
        return 2;
    }
    return (*driver)->join().ok() ? 0 : 1;
}
