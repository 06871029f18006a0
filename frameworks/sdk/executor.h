// What the writer of an executor meets: an Executor is what you write, an ExecutorDriver is what you are given to speak
// with. An executor is a program of the framework's own that an agent starts once and gives many tasks; what a task is,
// and how it runs (a thread, a child process, a request to something that is warm already), is the executor's affair.
//
//   class Shells : public stoa::sdk::Executor {
//       void launchTask(ExecutorDriver& driver, const TaskInfo& task) override { …; driver.update({…kRunning}); }
//       void killTask(ExecutorDriver& driver, const TaskId& task, std::optional<Duration>) override { … }
//   };
//
// The driver tells one thing at a time, on one thread. What is said to it may come from any thread; update() is kept and
// repeated until the agent has stored it, over any restart of the agent, so an executor says each status once.
//
// The executor outlives its driver and is owned by whoever made it; the driver never throws and never blocks.
#pragma once

#include "protocol/message/executor.h"

#include <absl/status/status.h>

#include <optional>
#include <string>

namespace stoa::sdk {

class ExecutorDriver {
public:
    virtual ~ExecutorDriver() = default;

    // Needs task and state; message, data and reason as it pleases. uuid, time and who says it are the driver's. NotFound
    // for a task that was not launched here or whose end was said already.
    virtual absl::Status update(TaskStatus status) = 0;
    // To the framework's scheduler; lost when the way there is broken. Unavailable while the agent is away.
    virtual absl::Status message(std::string data) = 0;
    // The driver ends when every update was stored; tasks that live are then told as failed.
    virtual void stop() = 0;
};

class Executor {
public:
    virtual ~Executor() = default;

    // At first; `info` has the executor's description with its data, the framework and the agent.
    virtual void registered(ExecutorDriver&, const executor_event::Subscribed& /*info*/) {}
    // After a restart of the agent. Tasks went on; nothing has to be said again.
    virtual void reregistered(ExecutorDriver&, const executor_event::Subscribed& /*info*/) {}
    // The agent is away. The driver goes on trying for the recovery timeout, then it tells shutdown().
    virtual void disconnected(ExecutorDriver&) {}

    // Each task once.
    virtual void launchTask(ExecutorDriver& driver, const TaskInfo& task) = 0;
    // Asked for, maybe more than once; the task's end is told by update() as any other.
    virtual void killTask(ExecutorDriver& driver, const TaskId& task, std::optional<Duration> grace) = 0;
    virtual void frameworkMessage(ExecutorDriver&, const std::string& /*data*/) {}
    // End all tasks and tell so. When this has returned, the driver ends as by stop(); after the grace all is killed.
    virtual void shutdown(ExecutorDriver&) {}
    // The agent won't have this executor. The driver ends.
    virtual void error(ExecutorDriver&, const std::string& /*message*/) {}
};

} // namespace stoa::sdk
