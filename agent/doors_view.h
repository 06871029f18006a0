// The copy of an agent's tasks from which its door answers, and the answers' text. Belongs to the HTTP server's thread.
// Private to doors.cc and its neighbours.
#pragma once

#include "agent/doors.h"

#include <set>

namespace stoa::agent {

struct Doors::View {
    AgentInfo info;
    DaemonMetrics metrics;
    WallTime started;
    std::map<TaskKey, TaskChanged> tasks; // known to the core
    std::deque<TaskChanged> ended;        // forgotten by it, newest last
    std::set<std::string> live;           // sandboxes in which something may still be written
    std::map<ExecutorKey, ExecutorChanged> executors;

    // True for a task that ends with it.
    bool apply(TaskChanged change);
    void apply(const TaskGone& gone);
    void apply(ExecutorChanged change);
    void apply(const ExecutorGone& gone);

    std::string stateJson(const std::vector<std::pair<std::string, std::string>>& flags) const;
    std::string metricsText() const;
};

std::string flagsJson(const std::vector<std::pair<std::string, std::string>>& flags);

} // namespace stoa::agent
