// The read model as JSON, in the shape that tools know from Mesos's GETs (agents are "slaves" there): /state, /slaves,
// /tasks, /frameworks, /roles, /state-summary. Stoa's own keys stand beside the known ones: an agent's "isolation" and "state", a status's "pid",
// "start_time", "isolation", "message", "reason" and what was used.
// Pure functions, usable by whoever owns the model.
#pragma once

#include "master/read_model/read_model.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::master {

// Who this master is, as /state and /version tell it.
struct Identity {
    std::string id;
    std::uint64_t epoch = 0;
    Address address; // of the HTTP door
    std::uint16_t wire_port = 0;
    std::string version;
    WallTime started;
    std::vector<std::pair<std::string, std::string>> flags;
    std::map<std::string, double> weights{}; // of roles; others have 1
};

struct TaskQuery {
    std::size_t limit = 100; // as many as there are: the largest number
    std::size_t offset = 0;
    bool ascending = false; // by the time of the first status; the latest first, unless so
    std::string framework;  // empty: any
    std::string task;
};

std::string stateJson(const ReadModel& model, const Identity& identity);
std::string agentsJson(const ReadModel& model, std::string_view only_agent);
std::string frameworksJson(const ReadModel& model, std::string_view only_framework);
// Ended ones included.
std::string tasksJson(const ReadModel& model, const TaskQuery& query);
// Every role that a framework has or holds something under, and the roles above it.
struct RoleView {
    std::vector<FrameworkId> frameworks; // in the order of ids; those of roles below count too
    Resources allocated;
    Resources offered;
};
std::map<std::string, RoleView> rolesOf(const ReadModel& model);
double weightOf(const Identity& identity, const std::string& role);
std::string weightsJson(const Identity& identity);
std::string rolesJson(const ReadModel& model, const Identity& identity);
// /state without single tasks: how many there are of each state, by agent and by framework.
std::string summaryJson(const ReadModel& model, const Identity& identity);
std::string versionJson(const Identity& identity);
std::string flagsJson(const Identity& identity);

} // namespace stoa::master
