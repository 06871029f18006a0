// The driver that runs: a thread that holds the connection to the master (protocol/wire) and calls the scheduler.
//
//   Hello hello;
//   DriverOptions options; options.name = "hello";
//   auto driver = SchedulerDriver::start(options, hello);
//   if (!driver.ok()) …                // the address makes no sense; a master that is not there yet is waited for
//   absl::Status end = (*driver)->join();    // until stop(), teardown() or an error from the master
//
// Callbacks come on the driver's one thread, one at a time. What a scheduler says may come from any thread; other work
// that must not meet a callback half-way is handed to post(). Everything that is decided is in driver_core.h.
#pragma once

#include "frameworks/sdk/driver_core.h"
#include "frameworks/sdk/scheduler.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stoa::sdk {

struct DriverOptions {
    // host:port of the master's ZeroMQ door; or zk://host:port,host:port/path, where masters elect a leader: the driver
    // finds it and follows it.
    std::string master = "127.0.0.1:5052";
    // The file that says who this framework is to a master that asks (`stoa credentials`); empty: that of STOA_CREDENTIAL,
    // else none.
    std::string credential;
    std::string name; // of the framework, for people
    std::string user; // tasks run as this; empty: the agents' unprivileged user
    FrameworkId id;   // of an earlier life whose tasks are to be found again
    std::vector<std::string> roles = {"*"};
    std::vector<std::string> suppressed_roles;
    std::string webui_url;
    Labels labels;
    // How long tasks outlive a vanished scheduler. Tasks always outlive a restart of their agent (checkpoint).
    Duration failover_timeout = std::chrono::hours(1);
    bool explicit_acknowledgements = false;
    // Called on the driver's thread with the framework's id, before the scheduler hears subscribed(): for whoever keeps
    // it. Not OK ends the driver with that status.
    std::function<absl::Status(const FrameworkId&)> keep_id;
    // Of the framework's own (a store, a door): when it is readable, the driver's thread calls Scheduler::readable().
    int watched_fd = -1;
    // How long the end waits for the last calls to arrive.
    Duration linger = std::chrono::seconds(1);
};

struct DriverCounters {
    std::uint64_t failovers = 0;      // from one leading master to the next
    std::uint64_t refused_epochs = 0; // what a master said that had been replaced: frames, and connections
};

class SchedulerDriver : public Driver {
public:
    // `scheduler` outlives the driver.
    static absl::StatusOr<std::unique_ptr<SchedulerDriver>> start(DriverOptions options, Scheduler& scheduler);
    // stop() and join(); not on the driver's own thread.
    ~SchedulerDriver() override;

    // Blocks until the driver has ended. Not OK: the master sent an error.
    absl::Status join();
    DriverCounters counters() const;
    // The framework has ended by teardown(), and its id with it.
    bool tornDown() const;
    // Ends the driver with this status, which is not OK, as stop() would. An update that is being told is not
    // acknowledged: it comes again in the next life.
    void abort(absl::Status why);
    // Runs on the driver's thread, between callbacks, in order of posting. False when the driver has ended; it may
    // still be dropped when it ends before its turn.
    bool post(std::function<void()> work);

    absl::Status accept(call::Accept accept) override;
    absl::Status decline(call::Decline decline) override;
    absl::Status setDemands(std::vector<Demand> demands) override;
    absl::Status suppress(std::vector<std::string> roles) override;
    absl::Status revive(std::vector<std::string> roles) override;
    absl::Status kill(call::Kill kill) override;
    absl::Status acknowledge(const TaskStatus& status) override;
    absl::Status reconcile(std::vector<call::Reconcile::Task> tasks) override;
    absl::Status message(call::Message message) override;
    absl::Status shutdown(call::Shutdown shutdown) override;
    absl::Status teardown() override;
    void stop() override;
    FrameworkId frameworkId() const override;
    void wakeAt(Time when) override;
    Time now() const override;

    // Any of the above.
    absl::Status say(Call call);

private:
    struct State;
    explicit SchedulerDriver(std::unique_ptr<State> state);
    void run();
    void tell(const Told& told);

    std::unique_ptr<State> state_;
};

// The clock of wakeAt() and woken().
Time now();

} // namespace stoa::sdk
