// The work that a question is asked about: jobs, each with a moment, a shape, how many tasks of it and how long each runs,
// from a file (a trace of what was, or a plan of what will be) or made up from streams (streams.h).
//
//     submit,   role, shape,           count, duration
//     0,        etl,  cpus:2;mem:4096, 100,   10m
//     01:30:00, web,  cpus:1;mem:512,  3,     forever
//
// Besides these a row may have: framework (default: one for each role), gang (yes: all tasks at once or none), where
// (constraints, "rack=a !ssd"). The first submission is the beginning of time. What jobs have in common is kept once, so
// that a million of them fit easily. A plain value; pure.
#pragma once

#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/units.h"
#include "tests/sim/whatif/spans.h"

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::sim {

// What the tasks of many jobs have in common.
struct Kind {
    std::string framework;
    std::string role;
    Resources shape;
    std::vector<Constraint> where;
};

struct Job {
    Duration submitted{0};
    Duration runtime{0}; // of each task; kForever: it does not end
    std::uint32_t kind = 0;
    std::uint32_t count = 1;
    bool gang = false;
};

// The words for a kind, as a file or a flag has them.
struct KindWords {
    std::string_view framework;
    std::string_view role;
    std::string_view shape;
    std::string_view where;
};

inline constexpr std::uint32_t kMostTasksOfAJob = 1'000'000;
inline constexpr std::uint64_t kMostTasks = 100'000'000;

class Workload {
public:
    const std::vector<Kind>& kinds() const { return kinds_; }
    const std::vector<Job>& jobs() const { return jobs_; } // by time, once settled
    std::uint64_t tasks() const { return tasks_; }

    // The number of that kind, made if it is new. The error begins with the word's name: `shape: "cpus:x": …`.
    absl::StatusOr<std::uint32_t> kind(const KindWords& words);
    void add(const Job& job);
    // Time begins with the first job; jobs of one moment keep their order. Call when all are added.
    void settle();
    // All jobs come so many times as fast one after the other; what each takes stays. Precondition: factor > 0.
    absl::Status hurry(double factor);

private:
    std::vector<Kind> kinds_;
    std::vector<Job> jobs_;
    std::uint64_t tasks_ = 0;
    absl::flat_hash_map<std::string, std::uint32_t> by_words_; // looked up in, never walked
};

absl::Status parseTrace(std::string_view file, std::string_view text, Workload& workload);

} // namespace stoa::sim
