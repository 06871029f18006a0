// What the benchmarks share that play agents and frameworks around a real master, over real sockets. What goes wrong ends
// the program with a message (metrics.h). Functions without state.
#pragma once

#include "frameworks/sdk/driver.h"
#include "protocol/boot_clock.h"
#include "protocol/strings.h"
#include "protocol/wire/dialer.h"
#include "tests/bench/metrics.h"

#include <poll.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::bench {

// A channel an agent.
inline std::unique_ptr<Dialer> dial(const std::string& master, std::uint32_t channels) {
    auto dialer = Dialer::create({.address = master, .channels = channels, .session = {}});
    if (!dialer.ok()) fail(toStd(dialer.status().message()));
    return *std::move(dialer);
}

// So many groups of agents, about as large as each other: make(the first one's number, how many).
template <class Group, class Make>
std::vector<std::unique_ptr<Group>> inGroups(std::uint32_t agents, std::uint32_t groups, Make make) {
    std::vector<std::unique_ptr<Group>> made;
    const std::uint64_t count = std::min(groups, agents);
    const auto first = [&](std::uint64_t group) { return static_cast<std::uint32_t>(agents * group / count); };
    for (std::uint64_t i = 0; i < count; ++i) made.push_back(make(first(i), first(i + 1) - first(i)));
    return made;
}

inline std::unique_ptr<sdk::SchedulerDriver> drive(const std::string& master, std::string name,
                                                   sdk::Scheduler& scheduler,
                                                   std::vector<std::string> suppressed = {}) {
    sdk::DriverOptions options;
    options.master = master;
    options.suppressed_roles = std::move(suppressed);
    options.name = std::move(name);
    auto driver = sdk::SchedulerDriver::start(std::move(options), scheduler);
    if (!driver.ok()) fail(toStd(driver.status().message()));
    return *std::move(driver);
}

// The one demand of a framework.
inline void want(sdk::Driver& driver, std::string name, const Resources& shape, std::uint32_t count) {
    Demand demand;
    demand.name = std::move(name);
    demand.shape = shape;
    demand.count = count;
    driver.setDemands({demand}).IgnoreError();
}

// Looks again after so many milliseconds each.
template <class Done>
void waitUntil(std::string_view what, Duration patience, int every, Done done) {
    const Time end = bootTime() + patience;
    while (!done()) {
        if (bootTime() > end) fail(concat("waited in vain for ", what));
        ::poll(nullptr, 0, every);
    }
}

} // namespace stoa::bench
