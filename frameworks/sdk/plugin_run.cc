#include "frameworks/sdk/plugin_run.h"

#include "frameworks/sdk/stored_state.h"
#include "protocol/strings.h"

#include <exception>
#include <mutex>

namespace stoa::sdk {

struct PluginRun::Impl {
    std::unique_ptr<StoredState> state;
    DriverOptions options;
    std::unique_ptr<Scheduler> scheduler;

    std::mutex mutex; // guards what follows: run() makes the driver while stop() may look for it
    std::unique_ptr<SchedulerDriver> driver;
    bool stopped = false;
};

PluginRun::PluginRun(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PluginRun::~PluginRun() = default;

absl::StatusOr<std::unique_ptr<PluginRun>> PluginRun::create(const Host& host, const MakeScheduler& make) {
    auto impl = std::make_unique<Impl>();
    absl::StatusOr<std::unique_ptr<StoredState>> state = StoredState::open(host.directory);
    if (!state.ok()) return state.status();
    impl->state = *std::move(state);
    impl->options.master = host.master;
    impl->options.name = host.name;
    impl->options.user = host.user;
    impl->options.id = impl->state->id();
    try {
        impl->scheduler = make(*impl->state, impl->options);
    } catch (const std::exception& refused) {
        return invalid(std::string_view(refused.what()));
    }
    impl->options.keep_id = [state = impl->state.get()](const FrameworkId& id) { return state->keepId(id); };
    return std::unique_ptr<PluginRun>(new PluginRun(std::move(impl)));
}

absl::Status PluginRun::run() {
    {
        std::lock_guard lock(impl_->mutex);
        if (impl_->stopped) return absl::OkStatus();
        if (!impl_->state->failure().ok()) return impl_->state->failure(); // of a write by the constructor
        impl_->state->onFailure([this](const absl::Status& why) { abort(why); });
        absl::StatusOr<std::unique_ptr<SchedulerDriver>> driver =
            SchedulerDriver::start(impl_->options, *impl_->scheduler);
        if (!driver.ok()) return driver.status();
        impl_->driver = *std::move(driver);
    }
    absl::Status end = impl_->driver->join();
    if (end.ok() && impl_->driver->tornDown()) return impl_->state->forget();
    return end;
}

void PluginRun::abort(const absl::Status& why) {
    std::lock_guard lock(impl_->mutex);
    if (impl_->driver) impl_->driver->abort(why);
}

void PluginRun::stop() {
    std::lock_guard lock(impl_->mutex);
    impl_->stopped = true;
    if (impl_->driver) impl_->driver->stop();
}

} // namespace stoa::sdk
