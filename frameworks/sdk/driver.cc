#include "frameworks/sdk/driver.h"

#include "frameworks/sdk/scheduler_face.h"
#include "protocol/boot_clock.h"
#include "protocol/credentials/credentials.h"
#include "protocol/credentials/own_credential_file.h"
#include "protocol/leader/master_links.h"
#include "protocol/unique_fd.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace stoa::sdk {

namespace {

DriverCore::Options coreOptions(const DriverOptions& options) {
    DriverCore::Options core;
    core.framework = frameworkInfo(options);
    core.suppressed_roles = options.suppressed_roles;
    core.explicit_acknowledgements = options.explicit_acknowledgements;
    return core;
}

} // namespace

Time now() { return bootTime(); }

struct SchedulerDriver::State {
    State(DriverOptions given, Scheduler& told)
        : options(std::move(given)), scheduler(told), core(coreOptions(options)) {}

    const DriverOptions options;
    Scheduler& scheduler;
    UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

    // Guards what follows. Never held during a callback.
    mutable std::mutex mutex;
    DriverCore core;
    std::unique_ptr<MasterLinks> masters;
    std::deque<std::function<void()>> posted;
    std::optional<Time> wake_at;
    bool stopping = false;
    bool torn_down = false;
    absl::Status end;
    DriverCounters last_counters; // when the links are gone

    std::thread thread;

    // With the mutex held: sends what the core wants sent.
    void send(DriverOutput& output) {
        for (const AddressedCall& call : output.calls) masters->send(encode(call));
        output.calls.clear();
        if (output.drop_session.empty()) return;
        std::vector<DialerArrival> gone; // the core knows
        masters->drop(masters->session(), gone);
    }
    void ring() const {
        const std::uint64_t one = 1;
        // A full counter is readable, too, which is all that is wanted.
        [[maybe_unused]] const ssize_t written = ::write(wake.get(), &one, sizeof one);
    }
};

SchedulerDriver::SchedulerDriver(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<SchedulerDriver>> SchedulerDriver::start(DriverOptions options, Scheduler& scheduler) {
    auto state = std::make_unique<State>(std::move(options), scheduler);
    // A master takes what can't be read for the end of the session, and the driver would dial for ever.
    const DriverCore::Options core = coreOptions(state->options);
    const absl::StatusOr<AddressedCall> readable =
        decodeCall(encode({core.framework.id, call::Subscribe{core.framework, core.suppressed_roles}}));
    if (!readable.ok()) return readable.status();
    MasterLinksOptions dialing;
    dialing.master = state->options.master;
    if (const std::string credential = ownCredentialFile(state->options.credential); !credential.empty()) {
        absl::StatusOr<SharedCredentials> read = readCredentials(credential, CredentialsOf::kClient);
        if (!read.ok()) return read.status();
        dialing.credentials = *std::move(read);
    }
    dialing.linger = state->options.linger;
    absl::StatusOr<std::unique_ptr<MasterLinks>> masters = MasterLinks::create(std::move(dialing));
    if (!masters.ok()) return masters.status();
    state->masters = *std::move(masters);
    std::unique_ptr<SchedulerDriver> driver(new SchedulerDriver(std::move(state)));
    driver->state_->thread = std::thread([driver = driver.get()] { driver->run(); });
    return driver;
}

SchedulerDriver::~SchedulerDriver() {
    SchedulerDriver::stop();
    join().IgnoreError();
}

absl::Status SchedulerDriver::join() {
    if (state_->thread.joinable()) state_->thread.join();
    return state_->end;
}

void SchedulerDriver::run() {
    State& state = *state_;
    for (;;) {
        std::vector<Told> told;
        std::deque<std::function<void()>> posted;
        bool woken = false;
        int masters_fd = -1;
        std::optional<Time> deadline;
        absl::Status refused;
        {
            std::lock_guard lock(state.mutex);
            if (state.stopping) break;
            DriverOutput output;
            for (DialerArrival& arrival : state.masters->take()) {
                DriverInput input = std::visit(
                    [](auto& what) -> DriverInput {
                        using What = std::decay_t<decltype(what)>;
                        if constexpr (std::is_same_v<What, dialed::Connected>) {
                            return Connected{what.epoch};
                        } else if constexpr (std::is_same_v<What, dialed::Gone>) {
                            return Gone{what.why};
                        } else {
                            absl::StatusOr<Event> event = decodeEvent(*what.body);
                            // Only a master of another make sends what can't be read; it is as good as gone.
                            if (!event.ok()) return Received{event::Error{std::string(event.status().message())}};
                            return Received{*std::move(event)};
                        }
                    },
                    arrival);
                state.core.step(input, now(), output);
                state.send(output);
                if (!output.drop_session.empty()) break; // the arrivals are those of a session that is no more
            }
            refused = state.masters->refused();
            told = std::move(output.told);
            posted = std::exchange(state.posted, {});
            if (state.wake_at && *state.wake_at <= now()) {
                woken = true;
                state.wake_at.reset();
            }
            masters_fd = state.masters->eventFd();
            deadline = state.wake_at;
        }
        if (!refused.ok()) {
            state.scheduler.error(*this, std::string(refused.message()));
            abort(refused);
            continue;
        }
        for (const Told& what : told) tell(what);
        for (std::function<void()>& work : posted) work();
        if (woken) state.scheduler.woken(*this, now());
        // A callback may have changed what to wait for, and asked to be woken: look again before sleeping.
        const bool worked = !told.empty() || !posted.empty() || woken;
        pollfd fds[] = {{state.wake.get(), POLLIN, 0}, {masters_fd, POLLIN, 0}, {state.options.watched_fd, POLLIN, 0}};
        int timeout = -1;
        if (worked) {
            timeout = 0;
        } else if (deadline) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now()).count();
            timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
        }
        ::poll(fds, 3, timeout);
        if (fds[0].revents != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] const ssize_t got = ::read(state.wake.get(), &count, sizeof count);
        }
        if (fds[2].revents != 0) state.scheduler.readable(*this);
    }
    std::unique_ptr<MasterLinks> last;
    {
        std::lock_guard lock(state.mutex);
        const MasterLinks::Counters counted = state.masters->counters();
        state.last_counters = {counted.failovers, counted.refused_epochs};
        last = std::move(state.masters);
        state.posted.clear();
    }
    last.reset(); // says goodbye, and waits for the last calls to arrive
}

void SchedulerDriver::tell(const Told& told) {
    {
        std::lock_guard lock(state_->mutex);
        if (state_->stopping) return; // by an earlier one: not told, not acknowledged, told again in the next life
    }
    if (const auto* subscribed = std::get_if<event::Subscribed>(&told); subscribed && state_->options.keep_id) {
        if (absl::Status kept = state_->options.keep_id(subscribed->framework); !kept.ok()) return abort(kept);
    }
    tellScheduler(state_->scheduler, *this, told);
    if (const auto* error = std::get_if<event::Error>(&told)) return abort(absl::AbortedError(error->message));
    std::lock_guard lock(state_->mutex);
    if (!state_->end.ok()) return;
    DriverOutput output;
    state_->core.told(told, output);
    if (state_->masters) state_->send(output);
}

void SchedulerDriver::abort(absl::Status why) {
    {
        std::lock_guard lock(state_->mutex);
        state_->end = std::move(why);
        state_->stopping = true;
    }
    state_->ring();
}

absl::Status SchedulerDriver::say(Call call) {
    std::lock_guard lock(state_->mutex);
    if (!state_->masters) return absl::FailedPreconditionError("the driver has ended");
    DriverOutput output;
    absl::Status status = state_->core.call(std::move(call), output);
    state_->send(output);
    return status;
}

bool SchedulerDriver::post(std::function<void()> work) {
    {
        std::lock_guard lock(state_->mutex);
        if (state_->stopping) return false;
        state_->posted.push_back(std::move(work));
    }
    state_->ring();
    return true;
}

absl::Status SchedulerDriver::accept(call::Accept accept) { return say(std::move(accept)); }
absl::Status SchedulerDriver::decline(call::Decline decline) { return say(std::move(decline)); }
absl::Status SchedulerDriver::setDemands(std::vector<Demand> demands) {
    return say(call::SetDemands{std::move(demands)});
}
absl::Status SchedulerDriver::suppress(std::vector<std::string> roles) { return say(call::Suppress{std::move(roles)}); }
absl::Status SchedulerDriver::revive(std::vector<std::string> roles) { return say(call::Revive{std::move(roles)}); }
absl::Status SchedulerDriver::kill(call::Kill kill) { return say(std::move(kill)); }
absl::Status SchedulerDriver::acknowledge(const TaskStatus& status) {
    if (!status.uuid) return absl::OkStatus(); // nobody waits for it
    return say(call::Acknowledge{status.agent, status.task, *status.uuid});
}
absl::Status SchedulerDriver::reconcile(std::vector<call::Reconcile::Task> tasks) {
    return say(call::Reconcile{std::move(tasks)});
}
absl::Status SchedulerDriver::message(call::Message message) { return say(std::move(message)); }
absl::Status SchedulerDriver::shutdown(call::Shutdown shutdown) { return say(std::move(shutdown)); }
absl::Status SchedulerDriver::teardown() {
    absl::Status status = say(call::Teardown{});
    if (!status.ok()) return status;
    {
        std::lock_guard lock(state_->mutex);
        state_->torn_down = true;
    }
    stop();
    return status;
}

bool SchedulerDriver::tornDown() const {
    std::lock_guard lock(state_->mutex);
    return state_->torn_down;
}

DriverCounters SchedulerDriver::counters() const {
    std::lock_guard lock(state_->mutex);
    if (!state_->masters) return state_->last_counters;
    const MasterLinks::Counters counted = state_->masters->counters();
    return {counted.failovers, counted.refused_epochs};
}

void SchedulerDriver::stop() {
    {
        std::lock_guard lock(state_->mutex);
        state_->stopping = true;
    }
    state_->ring();
}

FrameworkId SchedulerDriver::frameworkId() const {
    std::lock_guard lock(state_->mutex);
    return state_->core.frameworkId();
}

Time SchedulerDriver::now() const { return sdk::now(); }

void SchedulerDriver::wakeAt(Time when) {
    {
        std::lock_guard lock(state_->mutex);
        state_->wake_at = when;
    }
    state_->ring();
}

} // namespace stoa::sdk
