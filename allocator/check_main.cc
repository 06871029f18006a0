// stoa-allocator-check MODULE [PARAMETERS]: tries an allocator module before a master is given it.
#include "allocator/module_check.h"
#include "master/allocator_loader.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

constexpr std::uint64_t kTraces = 100;

int usage(std::FILE* out) {
    std::fprintf(out,
                 "usage: stoa-allocator-check MODULE [PARAMETERS]\n\n"
                 "Tries an allocator module, a path or a built-in name, on %lu made-up clusters: counts answers that\n"
                 "break a rule, and decisions that depend on the order of spans or on addresses.\n"
                 "Ends with 0 when there are none, 1 when there are, 2 when it is used wrongly.\n",
                 static_cast<unsigned long>(kTraces));
    return out == stdout ? 0 : 2;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) return usage(stdout);
    if (argc < 2 || argc > 3 || argv[1][0] == '-') return usage(stderr);
    const auto module = stoa::master::findAllocatorModule(argv[1]);
    if (!module.ok()) {
        std::fprintf(stderr, "stoa-allocator-check: %s\n", std::string(module.status().message()).c_str());
        return 1;
    }
    const auto report = stoa::allocator::checkModule(*module, argc == 3 ? argv[2] : "", kTraces);
    if (!report.ok()) {
        std::fprintf(stderr, "stoa-allocator-check: %s\n", std::string(report.status().message()).c_str());
        return 1;
    }
    for (const std::string& problem : report->problems) std::printf("%s\n", problem.c_str());
    std::printf(
        "%s: %lu traces, %lu turns, %lu grants, %lu answers against a rule, %lu turns left something that fits, "
        "digest %016lx: %s\n",
        (*module)->name, static_cast<unsigned long>(report->traces), static_cast<unsigned long>(report->turns),
        static_cast<unsigned long>(report->grants), static_cast<unsigned long>(report->faults),
        static_cast<unsigned long>(report->unserved), static_cast<unsigned long>(report->digest),
        report->problems.empty() ? "passed" : "FAILED");
    return report->problems.empty() ? 0 : 1;
}
