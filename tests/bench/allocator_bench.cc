// The allocator's figures: time a grant, a wake in which everything is refused, bytes a refusal, and how full a cluster
// is when the first piece that could be placed is not.
//
//     build/bench/allocator_bench [--agents=10000] [--frameworks=1000] [--seed=1]
#include "allocator/allocator.h"
#include "allocator/module_face.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::allocator {
namespace {

struct Sizes {
    std::uint64_t agents = 10'000;
    std::uint64_t frameworks = 1'000;
    std::uint64_t seed = 1;
};

// This thread's processor time: what others do on the machine doesn't count.
std::int64_t cpuNanos() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

double nanosSince(std::int64_t start) { return static_cast<double>(cpuNanos() - start); }

double percentile(std::vector<double>& samples, double part) {
    std::sort(samples.begin(), samples.end());
    return samples[std::min(samples.size() - 1, static_cast<std::size_t>(part * static_cast<double>(samples.size())))];
}

void require(const absl::Status& status) {
    if (status.ok()) return;
    std::fprintf(stderr, "allocator_bench: %s\n", std::string(status.message()).c_str());
    std::exit(1);
}

AgentId agentNamed(std::uint64_t number) { return AgentId("agent-" + std::to_string(number)); }
FrameworkId frameworkNamed(std::uint64_t number) { return FrameworkId("framework-" + std::to_string(number)); }

Allocator cluster(const Sizes& sizes, const char* module, const Resources& each) {
    Allocator allocator = *Allocator::create({.module = builtInModule(module), .parameters = {}});
    for (std::uint64_t i = 0; i < sizes.agents; ++i) require(allocator.addAgent(agentNamed(i), each, {}));
    for (std::uint64_t i = 0; i < sizes.frameworks; ++i) {
        require(allocator.addFramework(frameworkNamed(i), {"role-" + std::to_string(i % 10)}));
    }
    return allocator;
}

Time at(std::int64_t millis) { return Time(std::chrono::milliseconds(millis)); }

void remaindersAndRefusals(const Sizes& sizes, const char* module) {
    Rng rng(sizes.seed);
    Allocator allocator = cluster(sizes, module, Resources::cpusMem(16, 65536));
    std::int64_t start = cpuNanos();
    std::vector<Grant> grants = allocator.allocate(at(0), rng);
    const double filled = nanosSince(start);
    std::vector<double> again;
    for (std::int64_t round = 1; round <= 20; ++round) {
        for (const Grant& grant : grants) require(allocator.rescind(grant.offer));
        start = cpuNanos();
        grants = allocator.allocate(at(0), rng);
        again.push_back(nanosSince(start) / static_cast<double>(grants.size()));
    }
    std::printf("%-7s remainders: %zu grants in one turn, %.0f ns each at first, then %.0f, worst turn %.0f\n", module,
                grants.size(), filled / static_cast<double>(grants.size()), percentile(again, 0.5),
                percentile(again, 1));

    // Each framework declines whatever it gets for an hour, until nobody takes anything any more.
    start = cpuNanos();
    std::uint64_t declined = 0;
    for (std::int64_t round = 1; !grants.empty(); ++round) {
        for (const Grant& grant : grants) {
            require(allocator.decline(grant.framework, {grant.offer}, std::chrono::hours(1), at(round)));
        }
        declined += grants.size();
        grants = allocator.allocate(at(round), rng);
    }
    std::printf("%-7s declined: %lu offers, %.0f ns each with grant and refusal\n", module,
                static_cast<unsigned long>(declined), nanosSince(start) / static_cast<double>(declined));
    const Counters before = allocator.counters();
    std::printf("%-7s refusals: %lu standing, %.1f bytes each with their bitmaps\n", module,
                static_cast<unsigned long>(before.refusals),
                static_cast<double>(before.refusal_bytes) / static_cast<double>(before.refusals));

    // Every agent changes, and every pair is still refused.
    std::vector<double> wakes;
    for (std::int64_t round = 0; round < 50; ++round) {
        for (std::uint64_t i = 0; i < sizes.agents; ++i) require(allocator.setOfferable(agentNamed(i), true));
        start = cpuNanos();
        grants = allocator.allocate(at(1'000'000), rng);
        wakes.push_back(nanosSince(start));
    }
    const Counters after = allocator.counters();
    std::printf("%-7s refused wake: median %.3f ms, worst %.3f ms, %lu pairs looked at one by one\n", module,
                percentile(wakes, 0.5) / 1e6, percentile(wakes, 1) / 1e6,
                static_cast<unsigned long>((after.pairs_looked_at - before.pairs_looked_at) / wakes.size()));
}

// Frameworks that say what they want; each turn ends some tasks and asks for as many more.
void demands(const Sizes& sizes, const char* module) {
    Rng rng(sizes.seed);
    Allocator allocator = cluster(sizes, module, Resources::cpusMem(16, 65536));
    std::vector<Demand> shapes(sizes.frameworks);
    for (std::uint64_t i = 0; i < sizes.frameworks; ++i) {
        shapes[i].name = "work";
        shapes[i].role = "role-" + std::to_string(i % 10);
        shapes[i].shape =
            Resources::cpusMem(static_cast<double>(1 + rng.below(4)), static_cast<double>(1024 * (1 + rng.below(12))));
        shapes[i].count = static_cast<std::uint32_t>(5 * sizes.agents / sizes.frameworks + 1);
        require(allocator.setDemands(frameworkNamed(i), {shapes[i]}));
    }
    std::vector<TaskKey> running;
    std::uint64_t tasks = 0;
    const auto launch = [&](const std::vector<Grant>& grants) {
        for (const Grant& grant : grants) {
            const std::uint64_t framework = std::stoull(grant.framework.value().substr(10));
            std::vector<Launch> launches;
            for (std::uint32_t piece = 0; piece < grant.count; ++piece) {
                running.push_back({grant.framework, TaskId(std::to_string(++tasks))});
                launches.push_back({running.back(), shapes[framework].shape});
            }
            require(allocator.accept({grant.offer}, launches, Duration(0), at(0)));
        }
    };
    std::int64_t start = cpuNanos();
    std::vector<Grant> grants = allocator.allocate(at(0), rng);
    double spent = nanosSince(start);
    std::uint64_t pieces = 0;
    for (const Grant& grant : grants) pieces += grant.count;
    std::printf("%-7s demands, empty cluster: %zu offers of %lu pieces, %.0f ns an offer\n", module, grants.size(),
                static_cast<unsigned long>(pieces), spent / static_cast<double>(grants.size()));
    launch(grants);

    std::vector<double> each;
    std::uint64_t offers = 0;
    double total = 0;
    for (std::int64_t round = 1; round <= 300; ++round) {
        for (int i = 0; i < 100; ++i) {
            std::swap(running[rng.below(running.size())], running.back());
            const TaskKey ended = running.back();
            running.pop_back();
            require(allocator.taskEnded(ended));
            const std::uint64_t framework = std::stoull(ended.framework.value().substr(10));
            Demand more = shapes[framework];
            const std::vector<Demand> wanted = allocator.demands(ended.framework);
            more.count = (wanted.empty() ? 0 : wanted[0].count) + 1;
            require(allocator.setDemands(ended.framework, {more}));
        }
        start = cpuNanos();
        grants = allocator.allocate(at(round), rng);
        spent = nanosSince(start);
        if (!grants.empty()) each.push_back(spent / static_cast<double>(grants.size()));
        offers += grants.size();
        total += spent;
        launch(grants);
    }
    std::printf(
        "%-7s demands, churn of 100 tasks a turn: %lu offers, %.0f ns an offer; by turn median %.0f, p99 %.0f\n",
        module, static_cast<unsigned long>(offers), total / static_cast<double>(offers), percentile(each, 0.5),
        percentile(each, 0.99));
}

// One stream of pieces onto a cluster of mixed machines, until the first that some agent could have held when empty
// finds no place; the part in use of the scarcest resource then. `choose` is the allocator, or exhaustive best fit.
struct Piece {
    std::int64_t cpus;
    std::int64_t mem;
};
struct Machine {
    std::int64_t cpus;
    std::int64_t mem;
};

std::vector<Machine> machines(const Sizes& sizes, Rng& rng) {
    std::vector<Machine> made;
    for (std::uint64_t i = 0; i < std::max<std::uint64_t>(sizes.agents / 10, 1); ++i) {
        const std::int64_t cpus = std::int64_t{8} << rng.below(3);
        made.push_back({cpus, cpus * (std::int64_t{2048} << rng.below(3))});
    }
    return made;
}
Piece piece(Rng& rng) {
    const std::int64_t cpus = 1 + static_cast<std::int64_t>(rng.below(4));
    return {cpus, cpus * (std::int64_t{1024} << rng.below(4))};
}

double scarcest(const std::vector<Machine>& all, std::int64_t cpus, std::int64_t mem) {
    std::int64_t has_cpus = 0;
    std::int64_t has_mem = 0;
    for (const Machine& machine : all) {
        has_cpus += machine.cpus;
        has_mem += machine.mem;
    }
    return 100 * std::max(static_cast<double>(cpus) / static_cast<double>(has_cpus),
                          static_cast<double>(mem) / static_cast<double>(has_mem));
}

double placedByAllocator(const Sizes& sizes, const char* module) {
    Rng stream(sizes.seed);
    const std::vector<Machine> all = machines(sizes, stream);
    Rng rng(sizes.seed + 1);
    Allocator allocator = *Allocator::create({.module = builtInModule(module), .parameters = {}});
    for (std::size_t i = 0; i < all.size(); ++i) {
        require(allocator.addAgent(
            agentNamed(i), Resources::cpusMem(static_cast<double>(all[i].cpus), static_cast<double>(all[i].mem)), {}));
    }
    const FrameworkId framework = frameworkNamed(0);
    require(allocator.addFramework(framework, {"*"}));
    std::int64_t cpus = 0;
    std::int64_t mem = 0;
    for (std::uint64_t number = 0;; ++number) {
        const Piece next = piece(stream);
        Demand demand;
        demand.name = "p" + std::to_string(number);
        demand.shape = Resources::cpusMem(static_cast<double>(next.cpus), static_cast<double>(next.mem));
        demand.count = 1;
        require(allocator.setDemands(framework, {demand}));
        const std::vector<Grant> grants = allocator.allocate(at(0), rng);
        if (grants.empty()) return scarcest(all, cpus, mem);
        require(allocator.accept({grants[0].offer}, {{{framework, TaskId(demand.name)}, demand.shape}}, Duration(0),
                                 at(0)));
        cpus += next.cpus;
        mem += next.mem;
    }
}

double placedByBestFit(const Sizes& sizes) {
    Rng stream(sizes.seed);
    const std::vector<Machine> all = machines(sizes, stream);
    std::vector<Machine> free = all;
    std::int64_t cpus = 0;
    std::int64_t mem = 0;
    for (;;) {
        const Piece next = piece(stream);
        Machine* best = nullptr;
        double least_left = 0;
        for (std::size_t i = 0; i < free.size(); ++i) {
            if (free[i].cpus < next.cpus || free[i].mem < next.mem) continue;
            const double left = static_cast<double>(free[i].cpus - next.cpus) / 16 +
                                static_cast<double>(free[i].mem - next.mem) / 65536;
            if (best != nullptr && left >= least_left) continue;
            best = &free[i];
            least_left = left;
        }
        if (best == nullptr) return scarcest(all, cpus, mem);
        best->cpus -= next.cpus;
        best->mem -= next.mem;
        cpus += next.cpus;
        mem += next.mem;
    }
}

bool parse(std::string_view argument, std::string_view name, std::uint64_t& value) {
    if (!argument.starts_with(name)) return false;
    argument.remove_prefix(name.size());
    const auto [end, error] = std::from_chars(argument.data(), argument.data() + argument.size(), value);
    return error == std::errc() && end == argument.data() + argument.size() && value > 0;
}

int run(int argc, char** argv) {
    Sizes sizes;
    for (int i = 1; i < argc; ++i) {
        if (parse(argv[i], "--agents=", sizes.agents) || parse(argv[i], "--frameworks=", sizes.frameworks) ||
            parse(argv[i], "--seed=", sizes.seed)) {
            continue;
        }
        std::fprintf(stderr, "usage: %s [--agents=N] [--frameworks=N] [--seed=N], each at least 1\n", argv[0]);
        return 2;
    }
    std::printf("%lu agents, %lu frameworks, seed %lu\n", static_cast<unsigned long>(sizes.agents),
                static_cast<unsigned long>(sizes.frameworks), static_cast<unsigned long>(sizes.seed));
    for (const char* module : {"drf", "spread"}) {
        remaindersAndRefusals(sizes, module);
        demands(sizes, module);
        std::printf("%-7s placement: %.1f %% of the scarcest resource in use at the first failure\n", module,
                    placedByAllocator(sizes, module));
    }
    std::printf("%-7s placement: %.1f %%\n", "best fit", placedByBestFit(sizes));
    return 0;
}

} // namespace
} // namespace stoa::allocator

int main(int argc, char** argv) { return stoa::allocator::run(argc, argv); }
