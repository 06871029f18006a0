// An executor: one process that runs many tasks, each a shell command in the task's data. `executor_framework` launches
// it; by itself it has nothing to do.
#include "frameworks/sdk/executor_driver.h"
#include "protocol/codec/executor_info.h"

#include <csignal>
#include <iostream>
#include <map>
#include <mutex>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace executor_event = stoa::executor_event;
namespace sdk = stoa::sdk;
using stoa::Duration;
using stoa::TaskId;
using stoa::TaskInfo;
using stoa::TaskState;
using stoa::TaskStatus;

class Shells : public sdk::Executor {
public:
    void registered(sdk::ExecutorDriver&, const executor_event::Subscribed& info) override {
        std::cout << "registered as " << info.executor.id << " on " << info.agent.hostname << std::endl;
    }
    void reregistered(sdk::ExecutorDriver&, const executor_event::Subscribed&) override {
        std::cout << "the agent is back" << std::endl;
    }

    void launchTask(sdk::ExecutorDriver& driver, const TaskInfo& task) override {
        const std::string command = taskData(task).value_or("exit 127");
        const pid_t child = fork();
        if (child == 0) {
            setpgid(0, 0);
            execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
            _exit(127);
        }
        setpgid(child, child);
        {
            std::lock_guard lock(mutex_);
            children_[task.id] = child;
        }
        say(driver, task.id, TaskState::kRunning, "pid " + std::to_string(child));
        // A thread a task is enough for an example. Updates may be said from any thread.
        std::thread([this, &driver, id = task.id, child] {
            int status = 0;
            waitpid(child, &status, 0);
            bool killed = false;
            {
                std::lock_guard lock(mutex_);
                children_.erase(id);
                killed = killed_.erase(id) > 0;
            }
            const bool succeeded = WIFEXITED(status) && WEXITSTATUS(status) == 0;
            say(driver, id,
                killed      ? TaskState::kKilled
                : succeeded ? TaskState::kFinished
                            : TaskState::kFailed,
                "wait status " + std::to_string(status));
        }).detach();
    }

    void killTask(sdk::ExecutorDriver&, const TaskId& task, std::optional<Duration>) override {
        std::lock_guard lock(mutex_);
        if (children_.count(task) == 0) return; // its end is on the way
        killed_[task] = true;
        kill(-children_[task], SIGKILL);
    }

    void frameworkMessage(sdk::ExecutorDriver& driver, const std::string& data) override {
        driver.message("you said: " + data).IgnoreError(); // may be lost, as any message
    }

private:
    static void say(sdk::ExecutorDriver& driver, const TaskId& task, TaskState state, std::string message) {
        TaskStatus status;
        status.task = task;
        status.state = state;
        status.message = std::move(message);
        if (absl::Status said = driver.update(std::move(status)); !said.ok()) std::cerr << said << std::endl;
    }

    std::mutex mutex_;
    std::map<TaskId, pid_t> children_;
    std::map<TaskId, bool> killed_;
};

int main() {
    Shells shells;
    auto driver = sdk::HttpExecutorDriver::start(shells);
    if (!driver.ok()) {
        std::cerr << driver.status() << std::endl;
        return 2;
    }
    const absl::Status end = (*driver)->join();
    if (!end.ok()) std::cerr << end << std::endl;
    _exit(end.ok() ? 0 : 1); // with the threads of tasks that still run
}
