#include "frameworks/batch/daemon.h"

#include "frameworks/batch/job_store.h"
#include "protocol/boot_clock.h"
#include "protocol/labels.h"
#include "protocol/strings.h"

#include <glog/logging.h>

#include <filesystem>
#include <utility>

namespace stoa::batch {

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::start(DaemonOptions options) {
    std::unique_ptr<Daemon> daemon(new Daemon(std::move(options)));
    if (absl::Status status = daemon->open(); !status.ok()) return status;
    return daemon;
}

absl::Status Daemon::open() {
    std::error_code error;
    std::filesystem::create_directories(options_.work_dir, error);
    if (error) return absl::UnavailableError(concat("cannot make ", options_.work_dir, ": ", error.message()));
    const std::string path = options_.work_dir + "/queue.db";
    absl::StatusOr<std::unique_ptr<Store>> store = openJobStore(path);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    absl::StatusOr<Recovered> recovered = recoveredFrom(store_->takeRows());
    if (!recovered.ok()) return absl::DataLossError(concat(path, ": ", toStd(recovered.status().message())));
    Queue::Options queue;
    queue.unreachable_patience = options_.unreachable_patience;
    queue.role = options_.role;
    queue_ = std::make_unique<Queue>(queue, *recovered);
    LOG(INFO) << "queue holds " << queue_->jobCount() << " jobs, " << queue_->liveTasks() << " launched tasks";

    // Submitters are heard by the driver's thread, so the door opens before it and asks after it.
    const std::string socket = std::filesystem::absolute(options_.work_dir + "/door");
    absl::StatusOr<std::unique_ptr<Door>> door =
        Door::open({options_.host, options_.port, socket, options_.credentials}, [this](Input input) {
            std::lock_guard lock(starting_);
            return driver_ && driver_->post([this, input = std::move(input)] { step(input); });
        });
    if (!door.ok()) return door.status();
    door_ = *std::move(door);

    sdk::DriverOptions driver;
    driver.master = options_.master;
    driver.credential = options_.credential;
    driver.name = options_.name;
    driver.id = queue_->frameworkId();
    driver.roles = {options_.role};
    driver.webui_url = concat("http://", door_->address());
    driver.labels = {{kBatchLabel, socket}};
    driver.failover_timeout = options_.failover_timeout;
    driver.explicit_acknowledgements = true;
    driver.watched_fd = store_->eventFd();
    std::lock_guard lock(starting_);
    absl::StatusOr<std::unique_ptr<sdk::SchedulerDriver>> started =
        sdk::SchedulerDriver::start(std::move(driver), *this);
    if (!started.ok()) return started.status();
    driver_ = *std::move(started);
    driver_->post([this] { step(Wake{}); }); // what a crash left half done
    return absl::OkStatus();
}

Daemon::~Daemon() {
    // The door's threads post to the driver, and the driver's thread answers through the door.
    if (driver_) {
        driver_->stop();
        driver_->join().IgnoreError();
    }
    door_.reset();
}

sdk::SchedulerDriver& Daemon::driver() {
    std::lock_guard lock(starting_);
    return *driver_;
}

absl::Status Daemon::run() {
    absl::Status end = driver_->join();
    return failure_.ok() ? end : failure_;
}

void Daemon::error(sdk::Driver&, const std::string& message) {
    LOG(ERROR) << "the master ends this framework: " << message;
}

void Daemon::step(const Input& input) {
    if (!failure_.ok()) return; // memory believes what the disk refused
    Output output;
    queue_->step(input, bootTime(), wallTime(), output);
    if (!output.records.empty()) store_->write(changesOf(output.records), queue_->recordsAppended());
    for (Output::Said& said : output.effects) {
        const Destination to = destinationOf(said.effect);
        commit_.add(to, std::move(said.effect), said.waits_for);
    }
    carryOut();
    if (const auto deadline = queue_->nextDeadline()) driver().wakeAt(*deadline);
}

void Daemon::carryOut() {
    for (Effect& effect : commit_.take()) {
        if (auto* answer = std::get_if<Answer>(&effect)) {
            door_->answer(std::move(*answer));
            continue;
        }
        Call& call = std::get<Say>(effect).call;
        absl::Status said = driver().say(call);
        if (said.ok()) continue;
        VLOG(1) << callName(call) << " not said: " << said;
        step(NotSaid{std::move(call)});
    }
}

void Daemon::readable(sdk::Driver& driver) {
    store_->drain();
    if (absl::Status failure = store_->failure(); !failure.ok() && failure_.ok()) {
        failure_ = failure;
        driver.stop();
        return;
    }
    commit_.durable(store_->durableUpTo());
    carryOut();
}

} // namespace stoa::batch
