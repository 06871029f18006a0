// The answers to questions about the state itself: /metrics in Prometheus's text form, and why a framework waits.
// Pure functions over a Glance; called by the state thread.
#pragma once

#include "master/doors/questions.h"

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <string>

namespace stoa::master {

std::string metricsText(const Glance& glance);

// Of the tasks that have not ended, as the read model has them: the core doesn't count.
struct TaskFigures {
    std::array<std::size_t, kTaskStates> live{};
    Resources used;
};
// The numbers that tools know from Mesos, by their names there: {"master/tasks_running": 3.0, …}, and the same as the
// answer to GET_METRICS.
std::string snapshotJson(const Glance& glance, const TaskFigures& tasks);
std::string getMetricsJson(const Glance& glance, const TaskFigures& tasks);

// JSON: what keeps the framework from offers, and for each of its demands how many agents fit, what the others lack,
// and the nearest miss. With `resources` (text form) the question is about that shape instead. NotFound or
// InvalidArgument otherwise.
absl::StatusOr<std::string> explanationJson(const Glance& glance, const FrameworkId& framework,
                                            const std::string& resources);

} // namespace stoa::master
