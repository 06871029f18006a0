// stoa-batch around its queue: the driver's thread owns queue and store, takes what the master, the submitters and the
// disk say as inputs, and carries out what the queue answers. It decides nothing.
#pragma once

#include "frameworks/batch/door.h"
#include "frameworks/batch/queue.h"
#include "frameworks/sdk/driver.h"
#include "protocol/credentials/credentials.h"
#include "protocol/store/store.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <mutex>
#include <string>

namespace stoa::batch {

struct DaemonOptions {
    std::string master = "127.0.0.1:5052";
    std::string work_dir;
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string name = "batch";
    std::string role = "*";
    // A task whose agent is unreachable for so long is started elsewhere.
    Duration unreachable_patience = std::chrono::minutes(10);
    std::string credential;        // the file that says who this framework is, for the driver
    SharedCredentials credentials; // what was read from it, for the HTTP door: whom it admits; null: everybody
    // Jobs' tasks outlive this process for so long.
    Duration failover_timeout = std::chrono::hours(24 * 7);
};

class Daemon : public sdk::Scheduler {
public:
    static absl::StatusOr<std::unique_ptr<Daemon>> start(DaemonOptions options);
    ~Daemon() override;

    // Until stop(), an error from the master or a failed write.
    absl::Status run();
    void stop() { driver_->stop(); } // from any thread; tasks go on

private:
    explicit Daemon(DaemonOptions options) : options_(std::move(options)) {}
    absl::Status open();

    void subscribed(sdk::Driver&, const event::Subscribed& info) override { step(sdk::Told(info)); }
    void disconnected(sdk::Driver&, const std::string& why) override { step(sdk::Told(sdk::Disconnected{why})); }
    void offers(sdk::Driver&, const std::vector<Offer>& offers) override { step(sdk::Told(event::Offers{offers})); }
    void rescinded(sdk::Driver&, const OfferId& offer) override { step(sdk::Told(event::Rescind{offer})); }
    void update(sdk::Driver&, const TaskStatus& status) override { step(sdk::Told(event::Update{status})); }
    void error(sdk::Driver& driver, const std::string& message) override;
    void woken(sdk::Driver&, Time) override { step(Wake{}); }
    void readable(sdk::Driver& driver) override; // the store's

    sdk::SchedulerDriver& driver();
    void step(const Input& input);
    void carryOut();

    const DaemonOptions options_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<Queue> queue_;
    OutputCommit<Effect> commit_;
    absl::Status failure_;
    std::mutex starting_; // held until driver_ is set: its thread, and the door's, may be faster than start()
    std::unique_ptr<sdk::SchedulerDriver> driver_;
    std::unique_ptr<Door> door_;
};

} // namespace stoa::batch
