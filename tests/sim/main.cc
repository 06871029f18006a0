// stoa-sim: runs a whole cluster in virtual time from a seed, or from many, and says whether every invariant held. A
// range of seeds ends with the line "N passed, N failed", one test a seed and one for what was to be reached in all.

#include "tests/sim/report.h"
#include "tests/sim/whatif/simulate.h"
#include "tests/sim/world.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace stoa::sim {
namespace {

struct Flags {
    std::uint64_t seed = 1;
    std::string seeds;
    std::uint32_t agents = 0;
    std::uint32_t masters = 0;
    std::uint32_t tasks = 0;
    std::string faults;
    double fault_seconds = 0;
    unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
    bool no_turn_checks = false;
    bool coverage = false;
    bool trace = false;
};

// What the seed draws, and over it what the flags say.
WorldOptions optionsOf(std::uint64_t seed, const Flags& flags, const FaultPlan& faults) {
    WorldOptions options = WorldOptions::ofSeed(seed);
    if (flags.agents > 0) options.agents = flags.agents;
    if (flags.masters > 0) options.masters = flags.masters;
    if (flags.tasks > 0) options.tasks = flags.tasks;
    if (!flags.faults.empty()) options.faults = faults;
    if (flags.fault_seconds > 0) {
        options.fault_time = std::chrono::milliseconds(static_cast<std::int64_t>(flags.fault_seconds * 1000));
    }
    options.check_each_turn = !flags.no_turn_checks;
    return options;
}

int runOne(const Flags& flags, const FaultPlan& faults) {
    WorldOptions options = optionsOf(flags.seed, flags, faults);
    if (flags.trace) options.trace = stderr;
    const auto started = std::chrono::steady_clock::now();
    const Report report = World(options).run();
    const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    std::fputs(describe(options, report).c_str(), stdout);
    std::fprintf(stderr, "%.2f s of real time, %.0f times as fast\n", took,
                 std::chrono::duration<double>(report.virtual_time).count() / took);
    return report.violation.empty() ? 0 : 1;
}

int runMany(const Flags& flags, const FaultPlan& faults, const std::vector<std::uint64_t>& seeds) {
    std::mutex mutex; // guards what follows
    Totals totals;
    std::size_t passed = 0;
    std::vector<std::string> failed;
    std::atomic<std::size_t> next{0};
    auto work = [&] {
        for (std::size_t i = next++; i < seeds.size(); i = next++) {
            const WorldOptions options = optionsOf(seeds[i], flags, faults);
            const Report report = World(options).run();
            const std::lock_guard lock(mutex);
            totals.add(options, report);
            if (report.violation.empty()) {
                ++passed;
            } else {
                failed.push_back("seed " + std::to_string(seeds[i]) + ": " + report.violation);
                std::printf("%s\n", failed.back().c_str());
                std::fflush(stdout);
            }
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < flags.jobs; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();

    std::fputs(describe(totals).c_str(), stdout);
    if (flags.coverage) {
        const std::vector<std::string> missing = unreached(totals);
        for (const std::string& line : missing) std::printf("not reached: %s\n", line.c_str());
        if (missing.empty()) {
            ++passed;
        } else {
            failed.push_back("coverage");
        }
    }
    std::printf("%zu passed, %zu failed\n", passed, failed.size());
    return failed.empty() ? 0 : 1;
}

// "1-50", "7", "3,9,20-30", or "@FILE" with one such list a line and comments behind '#'.
bool parseSeeds(const std::string& text, std::vector<std::uint64_t>& seeds) {
    if (text.rfind('@', 0) == 0) {
        std::ifstream file(text.substr(1));
        for (std::string line; std::getline(file, line);) {
            const std::string list = CLI::detail::trim_copy(line.substr(0, line.find('#')));
            if (!list.empty() && !parseSeeds(list, seeds)) return false;
        }
        return !seeds.empty();
    }
    for (const std::string& part : CLI::detail::split(text, ',')) {
        std::uint64_t first = 0;
        std::uint64_t last = 0;
        char rest = 0;
        const int read = std::sscanf(part.c_str(), "%lu-%lu%c", &first, &last, &rest);
        if (read == 1 && part.find('-') == std::string::npos) last = first;
        if (read < 1 || read > 2 || last < first || last - first > 10'000'000) return false;
        for (std::uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
    }
    return !seeds.empty();
}

int run(int argc, char** argv) {
    // An operator's question, without faults: `stoa simulate`.
    if (argc > 1 && std::string_view(argv[1]) == "simulate") return simulate(argc - 1, argv + 1);
    Flags flags;
    CLI::App app("Runs a whole Stoa cluster in virtual time, with faults, from a seed, and checks every invariant.\n"
                 "Example: stoa-sim --seed=7 --agents=3 --tasks=20 --faults=drop,pause");
    app.add_option("--seed", flags.seed, "The seed to run, with all counters and the digest printed")
        ->capture_default_str();
    app.add_option("--seeds", flags.seeds,
                   "Several seeds instead, each a test: 1-50, or 3,9,20-30, or @FILE of such lists");
    app.add_option("--masters", flags.masters,
                   "How many masters; several elect a leader by ZooKeeper (default: drawn from the seed, 1 or 3)");
    app.add_option("--agents", flags.agents, "How many agents (default: drawn from the seed)");
    app.add_option("--tasks", flags.tasks, "How many tasks over all frameworks (default: drawn from the seed)");
    app.add_option("--faults", flags.faults, "all, none, or names with commas (default: drawn from the seed)");
    app.add_option("--fault_seconds", flags.fault_seconds, "Virtual seconds until faults stop (default: 120)");
    app.add_option("--jobs", flags.jobs, "Seeds run side by side")->capture_default_str();
    app.add_flag("--no_turn_checks", flags.no_turn_checks, "Skip the checks that look at everything after each turn");
    app.add_flag("--coverage", flags.coverage, "With --seeds: fail when a fault or transition was never reached");
    app.add_flag("--trace", flags.trace, "With --seed: say on standard error what every process hears and does");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    absl::StatusOr<FaultPlan> faults = FaultPlan::parse(flags.faults.empty() ? "none" : flags.faults);
    if (!faults.ok()) {
        std::fprintf(stderr, "--faults: %s\n", std::string(faults.status().message()).c_str());
        return 2;
    }
    if (flags.seeds.empty()) return runOne(flags, *faults);
    std::vector<std::uint64_t> seeds;
    if (!parseSeeds(flags.seeds, seeds)) {
        std::fprintf(stderr, "--seeds: \"%s\" is no list of seeds such as 1-50 or 3,9,20-30, nor a file of them\n",
                     flags.seeds.c_str());
        return 2;
    }
    return runMany(flags, *faults, seeds);
}

} // namespace
} // namespace stoa::sim

int main(int argc, char** argv) { return stoa::sim::run(argc, argv); }
