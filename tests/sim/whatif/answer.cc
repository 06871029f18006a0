#include "tests/sim/whatif/answer.h"

#include "protocol/strings.h"

#include <absl/strings/str_format.h>
#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <algorithm>
#include <cmath>

namespace stoa::sim {

namespace {

// ---- Tables ----------------------------------------------------------------------------------------------------

// As a terminal counts: bytes that continue a UTF-8 character take no room.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// The first column to the left, figures to the right.
std::string laidOut(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows) {
        for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width(row[c]));
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t c = 0; c < row.size(); ++c) {
            const std::string padding(widths[c] - width(row[c]), ' ');
            if (c > 0) line += "   ";
            line += c == 0 ? row[c] + padding : padding + row[c];
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string percent(double fraction) { return absl::StrFormat("%.1f %%", fraction * 100); }

// "1,234,567"
std::string grouped(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
    return text;
}

std::string signedNumber(double value, int decimals) {
    std::string text = absl::StrFormat("%+.*f", decimals, value);
    return text.find_first_of("123456789") == std::string::npos ? "=" : text;
}
std::string spanChange(Duration change) {
    return change == Duration::zero() ? "=" : concat(change > Duration::zero() ? "+" : "", showSpan(change));
}

// The height of each of 40 pieces of time.
std::string sparkline(const std::vector<RolePoint>& points) {
    static constexpr const char* kBars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static constexpr std::size_t kPieces = 40;
    std::string text;
    const std::size_t pieces = std::min(kPieces, points.size());
    for (std::size_t p = 0; p < pieces; ++p) {
        double sum = 0;
        const std::size_t from = p * points.size() / pieces;
        const std::size_t to = (p + 1) * points.size() / pieces;
        for (std::size_t i = from; i < to; ++i) sum += points[i].share;
        const double share = sum / static_cast<double>(to - from);
        text += kBars[share <= 0 ? 0 : std::clamp(static_cast<int>(std::ceil(share * 8 - 1e-9)), 1, 8)];
    }
    return text;
}

std::string cluster(const Figures& run) {
    std::string text = concat(grouped(run.agents), run.agents == 1 ? " agent" : " agents");
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (run.total[i] == 0) continue;
        text += concat(", ", grouped(static_cast<std::uint64_t>(run.total[i]) / 1000), " ", Resources::kScalarNames[i]);
    }
    return text;
}

void summaryRow(std::vector<std::vector<std::string>>& rows, const Answer& answer, std::string name, auto shown,
                auto changed) {
    std::vector<std::string> row{std::move(name)};
    for (const Figures& run : answer.runs) row.push_back(shown(run));
    if (answer.runs.size() == 2) row.push_back(changed(answer.runs[0], answer.runs[1]));
    rows.push_back(std::move(row));
}

std::string summary(const Answer& answer) {
    std::vector<std::vector<std::string>> rows;
    if (answer.runs.size() == 2) rows.push_back({"", "BEFORE", "AFTER", "CHANGE"});
    const auto number = [&](const std::string& name, auto member) {
        summaryRow(
            rows, answer, name, [&](const Figures& run) { return grouped(run.*member); },
            [&](const Figures& a, const Figures& b) {
                return signedNumber(static_cast<double>(b.*member) - static_cast<double>(a.*member), 0);
            });
    };
    const auto span = [&](const std::string& name, auto of) {
        summaryRow(
            rows, answer, name, [&](const Figures& run) { return showSpan(of(run)); },
            [&](const Figures& a, const Figures& b) { return spanChange(of(b) - of(a)); });
    };
    number("agents", &Figures::agents);
    span("took", [](const Figures& run) { return run.span; });
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (std::all_of(answer.runs.begin(), answer.runs.end(),
                        [&](const Figures& run) { return run.total[i] == 0; })) {
            continue;
        }
        summaryRow(
            rows, answer, concat(Resources::kScalarNames[i], " in use"),
            [&](const Figures& run) { return percent(run.use[i]); },
            [&](const Figures& a, const Figures& b) { return signedNumber((b.use[i] - a.use[i]) * 100, 1); });
    }
    number("tasks", &Figures::tasks);
    number("ended", &Figures::ended);
    number("still running", &Figures::running);
    number("still waiting", &Figures::waiting);
    span("wait p50", [](const Figures& run) { return run.waits.p50; });
    span("wait p90", [](const Figures& run) { return run.waits.p90; });
    span("wait p99", [](const Figures& run) { return run.waits.p99; });
    return laidOut(rows);
}

std::string runName(const Answer& answer, std::size_t run) {
    return answer.runs.size() == 1 ? "" : run == 0 ? "before" : "after";
}

// A row a role and run.
template <class Cells>
std::string byRole(const Answer& answer, std::vector<std::string> head, Cells cells) {
    std::vector<std::vector<std::string>> rows;
    if (answer.runs.size() == 2) head.insert(head.begin() + 1, "");
    rows.push_back(std::move(head));
    for (std::size_t r = 0; r < answer.runs.front().roles.size(); ++r) {
        for (std::size_t run = 0; run < answer.runs.size(); ++run) {
            std::vector<std::string> row{run == 0 ? answer.runs[run].roles[r].role : ""};
            if (answer.runs.size() == 2) row.push_back(runName(answer, run));
            for (std::string& cell : cells(answer.runs[run], r)) row.push_back(std::move(cell));
            rows.push_back(std::move(row));
        }
    }
    return laidOut(rows);
}

std::string amount(double value) { return absl::StrFormat("%g", value); }

// ---- JSON ------------------------------------------------------------------------------------------------------

using Writer = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

void key(Writer& out, std::string_view name) { out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size())); }
void text(Writer& out, std::string_view name, std::string_view value) {
    key(out, name);
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}
void count(Writer& out, std::string_view name, std::uint64_t value) {
    key(out, name);
    out.Uint64(value);
}
// Six digits are more than a figure of a simulation is worth.
double rounded(double value) { return std::round(value * 1e6) / 1e6; }
void number(Writer& out, std::string_view name, double value) {
    key(out, name);
    out.Double(rounded(value));
}

void waits(Writer& out, const Waits& waits) {
    key(out, "wait_seconds");
    out.StartObject();
    number(out, "p50", secondsOf(waits.p50));
    number(out, "p90", secondsOf(waits.p90));
    number(out, "p99", secondsOf(waits.p99));
    number(out, "mean", secondsOf(waits.mean));
    number(out, "max", secondsOf(waits.most));
    out.EndObject();
}

template <class Of>
void line(Writer& out, std::string_view name, const std::vector<RolePoint>& points, Of of) {
    key(out, name);
    out.StartArray();
    for (const RolePoint& point : points) out.Double(rounded(of(point)));
    out.EndArray();
}

void role(Writer& out, const Figures& run, std::size_t r) {
    const RoleFigures& role = run.roles[r];
    out.StartObject();
    text(out, "role", role.role);
    number(out, "weight", role.weight);
    count(out, "tasks", role.tasks);
    count(out, "started", role.started);
    count(out, "ended", role.ended);
    count(out, "waiting", role.waiting);
    waits(out, role.waits);
    key(out, "share");
    out.StartObject();
    number(out, "mean", role.mean_share);
    number(out, "max", role.most_share);
    out.EndObject();
    key(out, "series");
    out.StartObject();
    line(out, "share", run.points[r], [](const RolePoint& point) { return point.share; });
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (run.total[i] == 0) continue;
        line(out, Resources::kScalarNames[i], run.points[r], [i](const RolePoint& point) { return point.use[i]; });
    }
    line(out, "waiting", run.points[r], [](const RolePoint& point) { return point.waiting; });
    out.EndObject();
    out.EndObject();
}

void run(Writer& out, const Figures& run) {
    out.StartObject();
    text(out, "name", run.name);
    text(out, "allocator", run.allocator);
    key(out, "weights");
    out.StartObject();
    for (const auto& [role, weight] : run.weights) number(out, role, weight);
    out.EndObject();
    count(out, "agents", run.agents);
    key(out, "resources");
    out.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        number(out, Resources::kScalarNames[i], static_cast<double>(run.total[i]) / 1000);
    }
    out.EndObject();
    number(out, "seconds", secondsOf(run.span));
    count(out, "tasks", run.tasks);
    count(out, "started", run.started);
    count(out, "ended", run.ended);
    count(out, "running", run.running);
    count(out, "waiting", run.waiting);
    key(out, "utilisation");
    out.StartObject();
    for (std::size_t i = 0; i < Resources::kScalars; ++i) {
        if (run.total[i] != 0) number(out, Resources::kScalarNames[i], run.use[i]);
    }
    out.EndObject();
    waits(out, run.waits);
    number(out, "step_seconds", secondsOf(run.step));
    key(out, "roles");
    out.StartArray();
    for (std::size_t r = 0; r < run.roles.size(); ++r) role(out, run, r);
    out.EndArray();
    key(out, "never_placed");
    out.StartArray();
    for (const NeverPlaced& each : run.never_placed) {
        out.StartObject();
        text(out, "role", each.role);
        text(out, "shape", each.shape);
        count(out, "tasks", each.tasks);
        text(out, "why", each.why);
        out.EndObject();
    }
    out.EndArray();
    out.EndObject();
}

} // namespace

std::string tablesOf(const Answer& answer) {
    const Figures& first = answer.runs.front();
    std::string out = concat(cluster(first), "; ", grouped(first.tasks), first.tasks == 1 ? " task" : " tasks",
                             "; allocator ", first.allocator, "; seed ", answer.seed, "\n");
    for (const std::string& change : answer.changes) out += concat("after: ", change, "\n");
    out += "\n" + summary(answer);
    out +=
        "\n" + byRole(answer, {"WAITING", "TASKS", "STARTED", "p50", "p90", "p99", "MEAN", "LONGEST"},
                      [](const Figures& run, std::size_t r) -> std::vector<std::string> {
                          const RoleFigures& role = run.roles[r];
                          const Waits& waits = role.waits;
                          if (role.started == 0) {
                              return {grouped(role.tasks), "0", "-", "-", "-", "-", "-"};
                          }
                          return {grouped(role.tasks), grouped(role.started), showSpan(waits.p50), showSpan(waits.p90),
                                  showSpan(waits.p99), showSpan(waits.mean),  showSpan(waits.most)};
                      });
    out += "\n" + byRole(answer, {"SHARE", "WEIGHT", "MEAN", "MOST", "OVER TIME"},
                         [](const Figures& run, std::size_t r) -> std::vector<std::string> {
                             const RoleFigures& role = run.roles[r];
                             return {amount(role.weight), percent(role.mean_share), percent(role.most_share),
                                     sparkline(run.points[r])};
                         });
    for (std::size_t i = 0; i < answer.runs.size(); ++i) {
        const Figures& run = answer.runs[i];
        if (run.never_placed.empty()) continue;
        const std::string name = runName(answer, i);
        out += concat("\nNEVER PLACED", name.empty() ? "" : " (", name, name.empty() ? "" : ")", "\n");
        for (const NeverPlaced& each : run.never_placed) {
            out += concat("  ", grouped(each.tasks), each.tasks == 1 ? " task" : " tasks", " of ", each.role, ", ",
                          each.shape, each.why.empty() ? "" : ": ", each.why, "\n");
        }
    }
    return out;
}

std::string jsonOf(const Answer& answer) {
    rapidjson::StringBuffer buffer;
    Writer out(buffer);
    out.SetIndent(' ', 1);
    out.SetFormatOptions(rapidjson::kFormatSingleLineArray);
    out.StartObject();
    count(out, "seed", answer.seed);
    key(out, "changes");
    out.StartArray();
    for (const std::string& change : answer.changes)
        out.String(change.data(), static_cast<rapidjson::SizeType>(change.size()));
    out.EndArray();
    key(out, "runs");
    out.StartArray();
    for (const Figures& each : answer.runs) run(out, each);
    out.EndArray();
    out.EndObject();
    return std::string(buffer.GetString(), buffer.GetSize()) + "\n";
}

std::string csvOf(const Answer& answer) {
    std::string out = "run,seconds,role,share,cpus,mem,disk,gpus,waiting\n";
    for (std::size_t i = 0; i < answer.runs.size(); ++i) {
        const Figures& run = answer.runs[i];
        for (std::size_t r = 0; r < run.roles.size(); ++r) {
            for (std::size_t s = 0; s < run.points[r].size(); ++s) {
                const RolePoint& point = run.points[r][s];
                absl::StrAppendFormat(&out, "%s,%g,%s,%.6f,%.6f,%.6f,%.6f,%.6f,%.3f\n", run.name,
                                      secondsOf(run.step) * static_cast<double>(s), run.roles[r].role, point.share,
                                      point.use[0], point.use[1], point.use[2], point.use[3], point.waiting);
            }
        }
    }
    return out;
}

} // namespace stoa::sim
