#include "frameworks/cli/command_framework.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <utility>

namespace stoa::cli {

namespace {

constexpr auto kSameInterrupt = std::chrono::milliseconds(200);

UniqueFd blockedSignals(bool of_children) {
    sigset_t signals;
    sigemptyset(&signals);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
    if (of_children) sigaddset(&signals, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    return UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

} // namespace

absl::StatusOr<std::unique_ptr<sdk::SchedulerDriver>> startFramework(const MasterClient& master,
                                                                     const std::string& wire, const std::string& name,
                                                                     const std::string& user, Duration outlives,
                                                                     sdk::Scheduler& scheduler) {
    sdk::DriverOptions options;
    options.master = wire;
    options.credential = master.credentialFile();
    options.name = name;
    options.user = user;
    options.failover_timeout = outlives;
    options.linger = std::chrono::milliseconds(500);
    return sdk::SchedulerDriver::start(std::move(options), scheduler);
}

Interrupts::Interrupts(bool of_children) : fd_(blockedSignals(of_children)) {}

int Interrupts::next() {
    signalfd_siginfo info{};
    while (::read(fd_.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD) continue;
        const auto now = std::chrono::steady_clock::now();
        if (first_ && now - *first_ < kSameInterrupt) continue;
        if (!first_) first_ = now;
        return static_cast<int>(info.ssi_signo);
    }
    return 0;
}

} // namespace stoa::cli
