#include "tests/sim/report.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <utility>

namespace stoa::sim {

namespace {

std::string tables(const FaultCounts& faults, const Checker::Transitions& transitions) {
    std::string text = "  faults\n";
    for (std::size_t i = 0; i < kFaults; ++i) {
        absl::StrAppendFormat(&text, "    %-18s %10d\n", std::string(kFaultNames[i]), faults[i]);
    }
    absl::StrAppend(&text, "  transitions seen by frameworks\n");
    for (std::size_t from = 0; from < kTaskStates; ++from) {
        for (std::size_t to = 0; to < kTaskStates; ++to) {
            if (transitions[from][to] == 0) continue;
            absl::StrAppendFormat(&text, "    %-18s -> %-18s %10d\n", std::string(name(static_cast<TaskState>(from))),
                                  std::string(name(static_cast<TaskState>(to))), transitions[from][to]);
        }
    }
    return text;
}

std::string table(const char* name, const std::map<std::string, std::uint64_t>& counts) {
    std::string text = absl::StrCat("  ", name, "\n");
    for (const auto& [what, count] : counts) absl::StrAppendFormat(&text, "    %-26s %10d\n", what, count);
    return text;
}

std::string elections(std::uint64_t worlds, std::uint64_t failovers, std::uint64_t refused, std::uint64_t expired,
                      std::uint64_t zombies) {
    return absl::StrFormat(
        "  %d with elected masters: %d fail-overs seen, %d stale epochs refused, %d sessions expired, "
        "%d came back late\n",
        worlds, failovers, refused, expired, zombies);
}

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

} // namespace

std::string describe(const WorldOptions& options, const Report& report) {
    std::string text =
        absl::StrFormat("seed %d: %d agents, %d tasks, %.1f s of virtual time, %d events, %d frames\n", options.seed,
                        options.agents, options.tasks, seconds(report.virtual_time), report.events, report.frames);
    if (report.masters > 1) {
        absl::StrAppend(&text, elections(1, report.failovers, report.refused_epochs, report.sessions_expired,
                                         report.zombie_sessions));
    }
    absl::StrAppend(&text, tables(report.faults, report.transitions));
    absl::StrAppendFormat(&text, "  digest %016x\n", report.digest);
    if (!report.violation.empty()) {
        absl::StrAppendFormat(&text, "  VIOLATION at %.6f s: %s\n", seconds(report.violated_at.time_since_epoch()),
                              report.violation);
    }
    return text;
}

void Totals::add(const WorldOptions& options, const Report& report) {
    for (std::size_t i = 0; i < kFaults; ++i) {
        faults[i] += report.faults[i];
        enabled[i] += options.faults.rate[i] > 0 ? 1 : 0;
    }
    for (std::size_t from = 0; from < kTaskStates; ++from) {
        for (std::size_t to = 0; to < kTaskStates; ++to) transitions[from][to] += report.transitions[from][to];
    }
    events += report.events;
    if (report.masters > 1) {
        ++elected;
        refused_epochs += report.refused_epochs;
        failovers += report.failovers;
        sessions_expired += report.sessions_expired;
        zombie_sessions += report.zombie_sessions;
    }
    gangs += report.gangs;
    for (const auto& [what, count] : report.executors) executors[what] += count;
    for (const auto& [what, count] : report.batch) batch[what] += count;
    for (const auto& [what, count] : report.absences) absences[what] += count;
    virtual_time += report.virtual_time;
}

std::string describe(const Totals& totals) {
    return absl::StrFormat("%.0f s of virtual time, %d events, %d gangs offered\n", seconds(totals.virtual_time),
                           totals.events, totals.gangs) +
           elections(totals.elected, totals.failovers, totals.refused_epochs, totals.sessions_expired,
                     totals.zombie_sessions) +
           tables(totals.faults, totals.transitions) + table("executors", totals.executors) +
           table("batch", totals.batch) + table("absences", totals.absences);
}

std::vector<std::string> unreached(const Totals& totals) {
    std::vector<std::string> missing;
    if (totals.elected > 0) {
        if (totals.failovers == 0) missing.push_back("nobody ever saw a fail-over between masters");
        if (totals.refused_epochs == 0) missing.push_back("no stale epoch was ever refused");
        if (totals.sessions_expired == 0) missing.push_back("no session with ZooKeeper ever expired");
        if (totals.zombie_sessions == 0) missing.push_back("no session with ZooKeeper ever came back after its time");
    }
    for (const auto& [what, count] : totals.executors) {
        if (count == 0) missing.push_back(absl::StrCat("no executor was ever counted as ", what));
    }
    for (const auto& [what, count] : totals.batch) {
        if (count == 0) missing.push_back(absl::StrCat("batch: never ", what));
    }
    for (const auto& [what, count] : totals.absences) {
        if (count == 0) missing.push_back(absl::StrCat("no agent was ever ", what));
    }
    if (totals.gangs == 0) missing.push_back("no gang was ever offered");
    for (std::size_t i = 0; i < kFaults; ++i) {
        if (totals.enabled[i] > 0 && totals.faults[i] == 0) {
            missing.push_back(absl::StrCat("fault ", std::string(kFaultNames[i]), " was enabled and never happened"));
        }
    }
    // Every state that this version's cluster can be in, by the ways that lead there.
    using enum TaskState;
    for (const auto& [from, to] : std::vector<std::pair<TaskState, TaskState>>{{kStaging, kStarting},
                                                                               {kStaging, kUnreachable},
                                                                               {kStaging, kDropped},
                                                                               {kStaging, kGone},
                                                                               {kStarting, kRunning},
                                                                               {kStarting, kFailed},
                                                                               {kRunning, kRunning},
                                                                               {kRunning, kFinished},
                                                                               {kRunning, kFailed},
                                                                               {kRunning, kKilled},
                                                                               {kRunning, kKilling},
                                                                               {kKilling, kKilled},
                                                                               {kKilling, kUnreachable},
                                                                               {kRunning, kUnreachable},
                                                                               {kRunning, kLost},
                                                                               {kUnreachable, kRunning},
                                                                               {kUnreachable, kLost},
                                                                               {kUnreachable, kFinished}}) {
        if (totals.transitions[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)] == 0) {
            missing.push_back(absl::StrCat("transition ", std::string(name(from)), " -> ", std::string(name(to)),
                                           " was never seen by a framework"));
        }
    }
    return missing;
}

} // namespace stoa::sim
