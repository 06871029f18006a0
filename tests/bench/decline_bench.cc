// What a declined offer costs a real master: frameworks, each over a real driver, that decline whatever they are offered
// with refuse_seconds 0, on agents that are sessions of one connection and do nothing. The master is a process of its
// own, started by who calls this; its processor time is read from /proc, the number of declined offers from its /metrics.
//
//     build/bench/decline_bench --pid=PID --http=PORT --wire=PORT [--frameworks=50] [--agents=50] [--seconds=5]
#include "frameworks/sdk/driver.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/strings.h"
#include "protocol/wire/dialer.h"
#include "tests/bench/players.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace stoa {
namespace {

using bench::fail;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30}; // until all are registered and offers flow

struct Flags {
    int pid = 0;
    std::uint16_t http = 0;
    std::uint16_t wire = 0;
    std::uint32_t frameworks = 50;
    std::uint32_t agents = 50;
    double seconds = 5;
};

// Registers all agents, and keeps their sessions up.
class Agents {
public:
    Agents(const std::string& master, std::uint32_t count) : dialer_(bench::dial(master, count)) {
        thread_ = std::thread([this] { run(); });
    }
    ~Agents() {
        stopping_ = true;
        thread_.join();
    }

private:
    void run() {
        while (!stopping_) {
            pollfd ready{dialer_->eventFd(), POLLIN, 0};
            ::poll(&ready, 1, 100);
            for (const DialerArrival& arrival : dialer_->take()) {
                if (const auto* connected = std::get_if<dialed::Connected>(&arrival)) {
                    AgentInfo info;
                    info.hostname = concat("host", connected->channel);
                    info.address = {"127.0.0.1", 5051};
                    info.resources = Resources::cpusMem(16, 65536);
                    dialer_->send(encode(FromAgent(agent_says::Register{
                                      info, {"boot", concat("work", connected->channel)}, {}, {}})),
                                  connected->channel);
                } else if (const auto* gone = std::get_if<dialed::Gone>(&arrival)) {
                    if (!stopping_) fail(concat("an agent's session ended: ", gone->why));
                }
            }
        }
    }

    std::unique_ptr<Dialer> dialer_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

class Decliner : public sdk::Scheduler {
public:
    void subscribed(sdk::Driver&, const event::Subscribed&) override {}
    void offers(sdk::Driver& driver, const std::vector<Offer>& offers) override {
        for (const Offer& offer : offers) {
            // One that was rescinded meanwhile is gone without it.
            driver.decline({{offer.id}, Filters{Duration{0}}}).IgnoreError();
        }
    }
    void update(sdk::Driver&, const TaskStatus&) override {}
    void error(sdk::Driver&, const std::string& message) override { fail(concat("a framework hears: ", message)); }
};

double metric(const Flags& flags, std::string_view name) {
    return bench::metric(bench::metricsOf(concat("http://127.0.0.1:", flags.http)), name);
}

// utime and stime of all its threads.
double cpuSeconds(int pid) {
    std::ifstream file(concat("/proc/", pid, "/stat"));
    std::string stat;
    std::getline(file, stat);
    const std::size_t name_end = stat.rfind(')');
    unsigned long user = 0, system = 0;
    if (name_end == std::string::npos ||
        std::sscanf(stat.c_str() + name_end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system) != 2) {
        fail(concat("no process ", pid));
    }
    return static_cast<double>(user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

int run(int argc, char** argv) {
    Flags flags;
    CLI::App app("What a declined offer costs a master.");
    app.add_option("--pid", flags.pid, "the master's process")->required();
    app.add_option("--http", flags.http, "its HTTP port, on 127.0.0.1")->required();
    app.add_option("--wire", flags.wire, "its ZeroMQ port")->required();
    app.add_option("--frameworks", flags.frameworks, "who decline")->check(CLI::Range(1, 1'000))->capture_default_str();
    app.add_option("--agents", flags.agents, "whose resources are offered")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    app.add_option("--seconds", flags.seconds, "how long")->check(CLI::Range(0.1, 600.0))->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const std::string master = concat("127.0.0.1:", flags.wire);
    const Agents agents(master, flags.agents);
    std::vector<std::unique_ptr<Decliner>> decliners;
    std::vector<std::unique_ptr<sdk::SchedulerDriver>> drivers;
    for (std::uint32_t i = 0; i < flags.frameworks; ++i) {
        decliners.push_back(std::make_unique<Decliner>());
        drivers.push_back(bench::drive(master, concat("decliner", i), *decliners.back()));
    }
    const auto deadline = Clock::now() + kPatience;
    while (metric(flags, "stoa_agents{state=\"active\"}") < flags.agents ||
           metric(flags, "stoa_frameworks{state=\"active\"}") < flags.frameworks ||
           metric(flags, "stoa_offers_declined_total") < flags.agents) {
        if (Clock::now() > deadline) fail("not all agents and frameworks came, or no offers do");
        ::poll(nullptr, 0, 50);
    }

    const double declined_before = metric(flags, "stoa_offers_declined_total");
    const double cpu_before = cpuSeconds(flags.pid);
    const auto start = Clock::now();
    std::this_thread::sleep_for(std::chrono::duration<double>(flags.seconds));
    const double cpu = cpuSeconds(flags.pid) - cpu_before;
    const double declined = metric(flags, "stoa_offers_declined_total") - declined_before;
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    std::printf("%u frameworks decline everything on %u agents: %.0f offers/s, %.1f us of the master's processor time "
                "each\n",
                flags.frameworks, flags.agents, declined / seconds, cpu / declined * 1e6);
    drivers.clear();
    return declined > 0 ? 0 : 1;
}

} // namespace
} // namespace stoa

int main(int argc, char** argv) { return stoa::run(argc, argv); }
