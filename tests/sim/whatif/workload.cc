#include "tests/sim/whatif/workload.h"

#include "master/core/validation.h"
#include "protocol/strings.h"
#include "tests/sim/whatif/rows.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stoa::sim {

namespace {

absl::StatusOr<std::vector<Constraint>> parseWhere(std::string_view text) {
    std::vector<Constraint> where;
    for (const std::string_view piece : split(text, ' ')) {
        if (piece.empty()) continue;
        absl::StatusOr<Constraint> constraint = parseConstraint(piece);
        if (!constraint.ok()) return constraint.status();
        where.push_back(*std::move(constraint));
    }
    return where;
}

absl::Status named(std::string_view column, const absl::Status& status) {
    return invalid(column, ": ", toStd(status.message()));
}

} // namespace

absl::StatusOr<std::uint32_t> Workload::kind(const KindWords& words) {
    const std::string key = concat(words.framework, "\n", words.role, "\n", words.shape, "\n", words.where);
    if (const auto known = by_words_.find(key); known != by_words_.end()) return known->second;
    Kind kind;
    kind.role = words.role.empty() ? "*" : std::string(words.role);
    if (absl::Status role = master::validateRole(kind.role); !role.ok()) return named("role", role);
    kind.framework = words.framework.empty() ? kind.role : std::string(words.framework);
    if (kind.framework.size() > master::kLongestName) return invalid("framework: the name is too long");
    absl::StatusOr<Resources> shape = Resources::parse(words.shape);
    absl::Status checked = shape.status();
    if (checked.ok()) checked = master::validateAmounts("a task's shape", *shape);
    if (checked.ok() && shape->empty()) checked = invalid("a task needs something; write cpus:1;mem:512");
    if (!checked.ok()) return named("shape", checked);
    kind.shape = *std::move(shape);
    absl::StatusOr<std::vector<Constraint>> where = parseWhere(words.where);
    if (!where.ok()) return named("where", where.status());
    kind.where = *std::move(where);
    const auto number = static_cast<std::uint32_t>(kinds_.size());
    kinds_.push_back(std::move(kind));
    by_words_.emplace(key, number);
    return number;
}

void Workload::add(const Job& job) {
    jobs_.push_back(job);
    tasks_ += job.count;
}

void Workload::settle() {
    std::stable_sort(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) { return a.submitted < b.submitted; });
    if (jobs_.empty()) return;
    const Duration first = jobs_.front().submitted;
    for (Job& job : jobs_) job.submitted -= first;
}

absl::Status Workload::hurry(double factor) {
    if (!jobs_.empty() && secondsOf(jobs_.back().submitted) / factor > secondsOf(kLongestSpan)) {
        return invalid("the last job would come after more than 100 years");
    }
    for (Job& job : jobs_) {
        const double micros = static_cast<double>(job.submitted / std::chrono::microseconds(1)) / factor;
        job.submitted = std::chrono::microseconds(static_cast<std::int64_t>(std::llround(micros)));
    }
    return absl::OkStatus();
}

absl::Status parseTrace(std::string_view file, std::string_view text, Workload& workload) {
    static const Columns kColumns{{"submit", "shape", "duration"}, {"role", "count", "framework", "gang", "where"}};
    return readRows(file, text, kColumns, [&](const Row& row) {
        Job job;
        const absl::StatusOr<Duration> submitted = parseMoment(row.at("submit"));
        if (!submitted.ok()) return row.wrong("submit", toStd(submitted.status().message()));
        job.submitted = *submitted;
        const absl::StatusOr<Duration> runtime = parseSpan(row.at("duration"), true);
        if (!runtime.ok()) return row.wrong("duration", toStd(runtime.status().message()));
        job.runtime = *runtime;
        if (const std::string& cell = row.at("count");
            !cell.empty() && (!absl::SimpleAtoi(cell, &job.count) || job.count == 0 || job.count > kMostTasksOfAJob)) {
            return row.wrong("count", concat("\"", cell, "\" is no number of tasks; write 1 to ", kMostTasksOfAJob));
        }
        if (const std::string& cell = row.at("gang"); !cell.empty()) {
            if (!absl::SimpleAtob(cell, &job.gang))
                return row.wrong("gang", concat("\"", cell, "\" is neither yes nor no"));
        }
        const absl::StatusOr<std::uint32_t> kind =
            workload.kind({row.at("framework"), row.at("role"), row.at("shape"), row.at("where")});
        if (!kind.ok()) return row.wrong(toStd(kind.status().message()));
        job.kind = *kind;
        workload.add(job);
        if (workload.tasks() > kMostTasks) return row.wrong(concat("these are more than ", kMostTasks, " tasks"));
        return absl::OkStatus();
    });
}

} // namespace stoa::sim
