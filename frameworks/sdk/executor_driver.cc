#include "frameworks/sdk/executor_driver.h"

#include "frameworks/sdk/driver.h"
#include "protocol/boot_clock.h"
#include "protocol/codec/executor_messages.h"
#include "protocol/http/client.h"
#include "protocol/http/records.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <absl/strings/numbers.h>

#include <sys/eventfd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

namespace stoa::sdk {
namespace {

// "15mins", as Mesos writes durations.
absl::StatusOr<Duration> parseDuration(std::string_view text) {
    static constexpr std::pair<std::string_view, Duration> kUnits[] = {
        {"ns", std::chrono::nanoseconds(1)}, {"us", std::chrono::microseconds(1)}, {"ms", std::chrono::milliseconds(1)},
        {"secs", std::chrono::seconds(1)},   {"mins", std::chrono::minutes(1)},    {"hrs", std::chrono::hours(1)},
        {"days", std::chrono::hours(24)},    {"weeks", std::chrono::hours(24 * 7)}};
    for (const auto& [unit, length] : kUnits) {
        double count = 0;
        if (!text.ends_with(unit)) continue;
        if (!absl::SimpleAtod(toAbsl(text.substr(0, text.size() - unit.size())), &count) || count < 0) continue;
        return Duration(static_cast<std::int64_t>(count * static_cast<double>(length.count())));
    }
    return absl::InvalidArgumentError(concat("\"", text, "\" is no duration, such as 15mins"));
}

absl::Status readDuration(const char* name, Duration& into) {
    const char* text = std::getenv(name);
    if (text == nullptr) return absl::OkStatus();
    const absl::StatusOr<Duration> duration = parseDuration(text);
    if (!duration.ok()) return absl::InvalidArgumentError(concat(name, ": ", toStd(duration.status().message())));
    into = *duration;
    return absl::OkStatus();
}

} // namespace

absl::StatusOr<ExecutorDriverOptions> ExecutorDriverOptions::fromEnvironment() {
    ExecutorDriverOptions options;
    std::string framework;
    std::string executor;
    for (const auto& [name, into] : {std::pair<const char*, std::string*>{"MESOS_FRAMEWORK_ID", &framework},
                                     {"MESOS_EXECUTOR_ID", &executor},
                                     {"MESOS_AGENT_ENDPOINT", &options.agent},
                                     {"MESOS_EXECUTOR_AUTHENTICATION_TOKEN", &options.token}}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') {
            return absl::FailedPreconditionError(
                concat("the environment has no ", name, ": an executor is started by an agent, for a task"));
        }
        *into = value;
    }
    options.core.framework = FrameworkId(framework);
    options.core.executor = ExecutorId(executor);
    if (absl::Status read = readDuration("MESOS_RECOVERY_TIMEOUT", options.core.recovery_timeout); !read.ok()) {
        return read;
    }
    if (absl::Status read = readDuration("MESOS_SUBSCRIPTION_BACKOFF_MAX", options.core.backoff_most); !read.ok()) {
        return read;
    }
    Duration grace = std::chrono::seconds(5);
    if (absl::Status read = readDuration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", grace); !read.ok()) return read;
    options.core.linger = grace * 4 / 5; // by then it has to be over
    return options;
}

struct HttpExecutorDriver::State {
    State(ExecutorDriverOptions given, Executor& told)
        : options(std::move(given)), executor(told),
          rng(std::uint64_t{std::random_device()()} << 32 | std::random_device()()), core(options.core, rng, now()) {}

    const ExecutorDriverOptions options;
    Executor& executor;
    bool registered = false; // the driver's thread's

    // Guards what follows. Never held during a callback.
    std::mutex mutex;
    std::condition_variable changed;
    Rng rng;
    ExecutorCore core;
    std::deque<ExecutorInput> arrived;
    std::deque<ExecutorTold> to_tell;
    std::deque<std::function<void()>> posted;
    std::optional<ExecutorCall> to_subscribe; // for the stream's thread
    std::deque<ExecutorCall> to_post;         // for the other one
    bool ending = false; // the core has ended: what is to be told is told, what is to be posted is posted
    bool over = false;   // the other threads must end
    absl::Status end;

    UniqueFd cancel{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}; // breaks off the stream
    std::thread driver, stream, poster;

    // With the mutex held.
    void take(ExecutorOutput out) {
        for (ExecutorTold& one : out.told) to_tell.push_back(std::move(one));
        for (ExecutorCall& one : out.calls) to_post.push_back(std::move(one));
        if (out.subscribe) to_subscribe = std::move(out.subscribe);
        if (out.ended) ending = true;
        changed.notify_all();
    }
    http::ClientRequest request(const ExecutorCall& call) const {
        http::ClientRequest request;
        request.method = "POST";
        request.url = concat("http://", options.agent, "/api/v1/executor");
        request.headers = {{"Content-Type", "application/json"},
                           {"Accept", "application/json"},
                           {"Authorization", concat("Bearer ", options.token)}};
        request.body = toJson(call);
        return request;
    }
    void arrive(ExecutorInput input) {
        const std::lock_guard lock(mutex);
        arrived.push_back(std::move(input));
        changed.notify_all();
    }
    void runStream();
    void runPoster();
};

void HttpExecutorDriver::State::runStream() {
    for (;;) {
        std::optional<ExecutorCall> call;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return over || to_subscribe; });
            if (over) return;
            call = std::exchange(to_subscribe, std::nullopt);
        }
        http::ClientRequest subscribe = request(*call);
        subscribe.cancel_fd = cancel.get();
        http::RecordReader reader;
        std::string broken;
        subscribe.on_data = [&](std::string_view piece) {
            const bool whole = reader.feed(piece);
            for (const std::string& record : reader.take()) {
                absl::StatusOr<ExecutorEvent> event = executorEventFromJson(record);
                if (event.ok()) {
                    arrive(StreamEvent{*std::move(event)});
                } else if (!absl::IsUnimplemented(event.status())) {
                    broken = std::string(event.status().message());
                }
            }
            if (!whole) broken = "the agent's answer is no stream of records";
            return broken.empty();
        };
        const absl::StatusOr<http::ClientResponse> response = http::fetch(subscribe);
        StreamEnded ended;
        if (!response.ok()) {
            ended.why = std::string(response.status().message());
        } else if (!response->ok()) {
            ended.why = concat(response->status, ": ", response->body);
            ended.refused = response->status == 400 || response->status == 401 || response->status == 403;
        } else {
            ended.why = broken.empty() ? "the agent ended the stream" : broken;
        }
        arrive(std::move(ended));
    }
}

void HttpExecutorDriver::State::runPoster() {
    for (;;) {
        std::optional<ExecutorCall> call;
        {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return over || !to_post.empty(); });
            if (to_post.empty()) return;
            call = std::move(to_post.front());
            to_post.pop_front();
        }
        // What doesn't arrive is repeated when the core says so.
        http::ClientRequest post = request(*call);
        post.timeout = std::chrono::seconds(5);
        (void)http::fetch(post);
    }
}

HttpExecutorDriver::HttpExecutorDriver(std::unique_ptr<State> state) : state_(std::move(state)) {}

absl::StatusOr<std::unique_ptr<HttpExecutorDriver>> HttpExecutorDriver::start(Executor& executor) {
    absl::StatusOr<ExecutorDriverOptions> options = ExecutorDriverOptions::fromEnvironment();
    if (!options.ok()) return options.status();
    return start(*std::move(options), executor);
}

std::unique_ptr<HttpExecutorDriver> HttpExecutorDriver::start(ExecutorDriverOptions options, Executor& executor) {
    std::unique_ptr<HttpExecutorDriver> driver(
        new HttpExecutorDriver(std::make_unique<State>(std::move(options), executor)));
    State& state = *driver->state_;
    state.arrived.push_back(Tick{});
    state.stream = std::thread([&state] { state.runStream(); });
    state.poster = std::thread([&state] { state.runPoster(); });
    state.driver = std::thread([driver = driver.get()] { driver->run(); });
    return driver;
}

HttpExecutorDriver::~HttpExecutorDriver() {
    {
        const std::lock_guard lock(state_->mutex);
        state_->ending = true;
        state_->changed.notify_all();
    }
    join().IgnoreError();
}

absl::Status HttpExecutorDriver::join() {
    if (state_->driver.joinable()) state_->driver.join();
    return state_->end;
}

void HttpExecutorDriver::run() {
    State& state = *state_;
    for (;;) {
        std::deque<ExecutorTold> told;
        std::deque<std::function<void()>> posted;
        {
            std::unique_lock lock(state.mutex);
            const auto ready = [&] {
                return state.ending || !state.arrived.empty() || !state.to_tell.empty() || !state.posted.empty();
            };
            const std::optional<Time> deadline = state.core.nextDeadline();
            if (!deadline) {
                state.changed.wait(lock, ready);
            } else if (*deadline > now()) {
                state.changed.wait_for(lock, *deadline - now(), ready);
            }
            for (const ExecutorInput& input : std::exchange(state.arrived, {})) {
                ExecutorOutput out;
                state.core.step(input, now(), out);
                state.take(std::move(out));
            }
            ExecutorOutput out;
            state.core.step(Tick{}, now(), out);
            state.take(std::move(out));
            told = std::exchange(state.to_tell, {});
            posted = std::exchange(state.posted, {});
            if (state.ending && told.empty()) break;
        }
        for (const ExecutorTold& one : told) tell(one);
        for (std::function<void()>& work : posted) work();
    }
    {
        const std::lock_guard lock(state.mutex);
        state.over = true; // the poster posts what there is, and then ends
        ::eventfd_write(state.cancel.get(), 1);
        state.changed.notify_all();
    }
    state.poster.join();
    state.stream.join();
}

void HttpExecutorDriver::tell(const ExecutorTold& told) {
    Executor& executor = state_->executor;
    if (const auto* subscribed = std::get_if<executor_event::Subscribed>(&told)) {
        if (!std::exchange(state_->registered, true)) {
            executor.registered(*this, *subscribed);
        } else {
            executor.reregistered(*this, *subscribed);
        }
    } else if (std::holds_alternative<Away>(told)) {
        executor.disconnected(*this);
    } else if (const auto* launch = std::get_if<executor_event::Launch>(&told)) {
        executor.launchTask(*this, launch->task);
    } else if (const auto* kill = std::get_if<executor_event::Kill>(&told)) {
        executor.killTask(*this, kill->task, kill->grace);
    } else if (const auto* message = std::get_if<executor_event::Message>(&told)) {
        executor.frameworkMessage(*this, message->data);
    } else if (std::holds_alternative<executor_event::Shutdown>(told)) {
        executor.shutdown(*this);
        stop();
    } else if (const auto* error = std::get_if<executor_event::Error>(&told)) {
        state_->end = absl::FailedPreconditionError(error->message);
        executor.error(*this, error->message);
    }
}

void HttpExecutorDriver::post(std::function<void()> work) {
    const std::lock_guard lock(state_->mutex);
    state_->posted.push_back(std::move(work));
    state_->changed.notify_all();
}

absl::Status HttpExecutorDriver::update(TaskStatus status) {
    const std::lock_guard lock(state_->mutex);
    ExecutorOutput out;
    absl::Status said = state_->core.update(std::move(status), now(), wallTime(), out);
    state_->take(std::move(out));
    return said;
}

absl::Status HttpExecutorDriver::message(std::string data) {
    const std::lock_guard lock(state_->mutex);
    ExecutorOutput out;
    absl::Status said = state_->core.message(std::move(data), out);
    state_->take(std::move(out));
    return said;
}

void HttpExecutorDriver::stop() {
    const std::lock_guard lock(state_->mutex);
    ExecutorOutput out;
    state_->core.stop(now(), out);
    state_->take(std::move(out));
}

} // namespace stoa::sdk
