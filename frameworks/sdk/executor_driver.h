// The executor's driver that runs: it speaks to the agent over HTTP, and calls the executor.
//
//   int main() {
//       Shells shells;
//       auto driver = HttpExecutorDriver::start(shells);     // who and where: from the environment, as the agent set it
//       if (!driver.ok()) …
//       return (*driver)->join().ok() ? 0 : 1;               // until shut down, stopped, or given up
//   }
//
// Callbacks come on the driver's one thread; two others wait for the stream and post calls. What an executor says may
// come from any thread; other work that must not meet a callback half-way is handed to post(). Everything that is decided
// is in executor_core.h.
#pragma once

#include "frameworks/sdk/executor.h"
#include "frameworks/sdk/executor_core.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>

namespace stoa::sdk {

struct ExecutorDriverOptions {
    ExecutorCore::Options core;
    std::string agent; // host:port of its HTTP door
    std::string token;

    // MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID, MESOS_AGENT_ENDPOINT and the like; names the one that is missing.
    static absl::StatusOr<ExecutorDriverOptions> fromEnvironment();
};

class HttpExecutorDriver : public ExecutorDriver {
public:
    // `executor` outlives the driver.
    static absl::StatusOr<std::unique_ptr<HttpExecutorDriver>> start(Executor& executor);
    static std::unique_ptr<HttpExecutorDriver> start(ExecutorDriverOptions options, Executor& executor);
    // Ends at once; not on the driver's own thread.
    ~HttpExecutorDriver() override;

    // Blocks until the driver has ended. Not OK: the agent refused this executor.
    absl::Status join();
    // Runs on the driver's thread, between callbacks, in order of posting; not any more once the driver has ended.
    void post(std::function<void()> work);

    absl::Status update(TaskStatus status) override;
    absl::Status message(std::string data) override;
    void stop() override;

private:
    struct State;
    explicit HttpExecutorDriver(std::unique_ptr<State> state);
    void run();
    void tell(const ExecutorTold& told);

    std::unique_ptr<State> state_;
};

} // namespace stoa::sdk
