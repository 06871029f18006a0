// `squeue`: the queue as Slurm's users read it. An array's waiting tasks are one line, those that run one each.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/slurm.h"
#include "frameworks/cli/slurm_words.h"
#include "protocol/resources/resources.h"
#include "protocol/strings.h"

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <iostream>
#include <set>

namespace stoa::cli {

namespace {

constexpr SlurmOption kOptions[] = {
    {"array", 'r', false}, {"format", 'o', true},    {"jobs", 'j', true}, {"long", 'l', false},  {"me", 0, false},
    {"name", 'n', true},   {"noheader", 'h', false}, {"sort", 'S', true}, {"states", 't', true}, {"user", 'u', true},
};
constexpr const char* kUsual = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";
constexpr const char* kLong = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R";

struct Wanted {
    std::set<std::uint64_t> jobs; // empty: all
    std::set<std::string> users;
    std::set<std::string> names;
    std::set<std::string> states; // codes; empty: those that have not ended
    bool all_states = false;
    bool header = true;
    std::string format = kUsual;
};

// One line: a job, the waiting part of an array, or one of its tasks.
struct Line {
    const Json& job;
    std::string id;
    std::string index; // of an array: "3", "[4-9]"
    std::string state; // ours
    std::string host;
    double started = 0; // seconds since 1970
    double ended = 0;
};

absl::StatusOr<Wanted> readOptions(const std::vector<std::string>& words) {
    Wanted wanted;
    SlurmWords line(words, kOptions);
    while (std::optional<SlurmWords::Option> option = line.next()) {
        if (!option->problem.empty()) return invalid(option->as_written, " ", option->problem);
        const std::string& value = option->value;
        if (option->name == "noheader") wanted.header = false;
        if (option->name == "long") wanted.format = kLong;
        if (option->name == "format") wanted.format = value;
        if (option->name == "me") wanted.users.insert(ownUserName());
        if (option->name == "array" || option->name == "sort") {
            std::cerr << "squeue: " << option->as_written << " has no effect here\n";
        }
        for (const std::string_view part : split(value, ',')) {
            if (option->name == "user") wanted.users.emplace(part);
            if (option->name == "name") wanted.names.emplace(part);
            if (option->name == "jobs") {
                const std::optional<SlurmJobId> id = parseSlurmJobId(std::string(part));
                if (!id) return invalid(option->as_written, ": \"", part, "\" is no job's number");
                wanted.jobs.insert(id->job);
            }
            if (option->name != "states") continue;
            if (absl::AsciiStrToLower(toAbsl(part)) == "all") {
                wanted.all_states = true;
            } else if (std::string code = slurmStateCode(std::string(part)); !code.empty()) {
                wanted.states.insert(std::move(code));
            } else {
                return invalid(option->as_written, ": \"", part, "\" is no state; PD, R, CG, CD, F, CA and all are");
            }
        }
    }
    if (!line.rest().empty()) return invalid("\"", line.rest().front(), "\" is no option of squeue");
    return wanted;
}

std::string duration(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::max(0.0, seconds));
    const std::int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
    if (days > 0) return absl::StrFormat("%d-%02d:%02d:%02d", days, hours, minutes, whole % 60);
    if (hours > 0) return absl::StrFormat("%d:%02d:%02d", hours, minutes, whole % 60);
    return absl::StrFormat("%d:%02d", minutes, whole % 60);
}

std::string date(double seconds) {
    if (seconds == 0) return "N/A";
    const auto time = static_cast<std::time_t>(seconds);
    std::tm local{};
    ::localtime_r(&time, &local);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &local);
    return text;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

double beginOf(const Line& line) { return static_cast<double>(integerAt(line.job, "begin_ns")) / 1e9; }

std::string reasonOf(const Line& line) {
    if (slurmState(line.state).code != std::string("PD")) return line.host;
    if (truthAt(line.job, "held")) return "(JobHeldUser)";
    if (textAt(line.job, "state") == "held") {
        return listAt(line.job, "dependencies").Empty() || beginOf(line) > now() ? "(BeginTime)" : "(Dependency)";
    }
    const std::int64_t most = integerAt(line.job, "at_most");
    const Json& in = at(line.job, "tasks_in");
    if (most > 0 && integerAt(in, "running") + integerAt(in, "launched") >= most) return "(JobArrayTaskLimit)";
    return "(Resources)";
}

std::string field(char letter, const Line& line) {
    const Json& job = line.job;
    const Resources shape = Resources::parse(textAt(job, "resources")).value_or(Resources());
    switch (letter) {
    case 'i': return line.id;
    case 'A':
    case 'F': return concat(integerAt(job, "job"));
    case 'K': return line.index.empty() ? "N/A" : line.index;
    case 'j': return textAt(job, "name");
    case 'u': return textAt(job, "user");
    case 't': return slurmState(line.state).code;
    case 'T': return slurmState(line.state).name;
    case 'M': return line.started == 0 ? "0:00" : duration((line.ended > 0 ? line.ended : now()) - line.started);
    case 'l': {
        const std::int64_t limit = integerAt(job, "time_limit_ns");
        return limit > 0 ? duration(static_cast<double>(limit) / 1e9) : "UNLIMITED";
    }
    case 'D': return "1";
    case 'P': return "stoa";
    case 'C': return absl::StrFormat("%g", static_cast<double>(shape.scalar(Resources::kCpus).count) / 1000);
    case 'm': return absl::StrFormat("%gM", static_cast<double>(shape.scalar(Resources::kMem).count) / 1000);
    case 'N': return line.host;
    case 'R': return reasonOf(line);
    case 'r': {
        const std::string reason = reasonOf(line);
        return reason.empty() || reason.front() != '(' ? "None" : reason.substr(1, reason.size() - 2);
    }
    case 'p':
    case 'Q': return concat(integerAt(job, "priority"));
    case 'V': return date(static_cast<double>(integerAt(job, "submitted_ns")) / 1e9);
    case 'S': return date(line.started == 0 && beginOf(line) > now() ? beginOf(line) : line.started);
    case 'e': return date(line.ended);
    default: return "";
    }
}

std::string headOf(char letter) {
    switch (letter) {
    case 'i':
    case 'A': return "JOBID";
    case 'F': return "ARRAY_JOB_ID";
    case 'K': return "ARRAY_TASK_ID";
    case 'j': return "NAME";
    case 'u': return "USER";
    case 't': return "ST";
    case 'T': return "STATE";
    case 'M': return "TIME";
    case 'l': return "TIME_LIMIT";
    case 'D': return "NODES";
    case 'P': return "PARTITION";
    case 'C': return "CPUS";
    case 'm': return "MIN_MEMORY";
    case 'N': return "NODELIST";
    case 'R': return "NODELIST(REASON)";
    case 'r': return "REASON";
    case 'p':
    case 'Q': return "PRIORITY";
    case 'V': return "SUBMIT_TIME";
    case 'S': return "START_TIME";
    case 'e': return "END_TIME";
    default: return "";
    }
}

// "%.8j": at most and at least eight, to the right; "%8j" to the left. Null: the line of heads.
std::string formatted(const std::string& format, const Line* line) {
    std::string text;
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            text += format[i];
            continue;
        }
        bool right = false;
        std::size_t width = 0;
        for (++i; i < format.size() && (format[i] == '.' || absl::ascii_isdigit(static_cast<unsigned char>(format[i])));
             ++i) {
            if (format[i] == '.')
                right = true;
            else
                width = std::min<std::size_t>(width * 10 + static_cast<std::size_t>(format[i] - '0'), 1000);
        }
        if (i == format.size()) break;
        std::string cell = line ? field(format[i], *line) : headOf(format[i]);
        if (width > 0) {
            cell = cell.substr(0, width);
            const std::string fill(width - cell.size(), ' ');
            cell.insert(right ? 0 : cell.size(), fill);
        }
        text += cell;
    }
    return text;
}

absl::StatusOr<std::string> checkedFormat(const std::string& format) {
    for (std::size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%') continue;
        for (++i; i < format.size() && (format[i] == '.' || absl::ascii_isdigit(static_cast<unsigned char>(format[i])));
             ++i) {}
        if (i == format.size() || headOf(format[i]).empty()) {
            return invalid("-o: \"%", format.substr(std::min(i, format.size()), 1), "\" stands for nothing here");
        }
    }
    return format;
}

class Listing {
public:
    Listing(const BatchClient& batch, const Wanted& wanted) : batch_(batch), wanted_(wanted) {}

    absl::Status add(const Json& job) {
        const auto number = static_cast<batch::JobNumber>(integerAt(job, "job"));
        if (!wanted_.jobs.empty() && !wanted_.jobs.contains(number)) return absl::OkStatus();
        if (!wanted_.users.empty() && !wanted_.users.contains(textAt(job, "user"))) return absl::OkStatus();
        if (!wanted_.names.empty() && !wanted_.names.contains(textAt(job, "name"))) return absl::OkStatus();
        const Json& in = at(job, "tasks_in");
        const bool live = integerAt(in, "running") + integerAt(in, "launched") + integerAt(in, "unreachable") > 0;
        if (integerAt(in, "waiting") > 0 || isFinal(job) || !live) {
            std::string state = textAt(job, "state");
            if (state == "running") state = "waiting"; // the part of it that waits
            if (isFinal(job) && at(at(job, "reasons"), "time limit").IsInt()) state = "timed out";
            const bool array = truthAt(job, "array");
            std::string index = array ? concat("[", textAt(job, "indices"), "]") : "";
            if (array && integerAt(job, "at_most") > 0) {
                index.insert(index.size() - 1, concat("%", integerAt(job, "at_most")));
            }
            put({job, array && !isFinal(job) ? concat(number, "_", index) : concat(number), index, state, "",
                 static_cast<double>(integerAt(job, "started_ns")) / 1e9,
                 static_cast<double>(integerAt(job, "ended_ns")) / 1e9});
        }
        return live ? addLive(job, number) : absl::OkStatus();
    }

private:
    absl::Status addLive(const Json& job, batch::JobNumber number) {
        if (!wanted_.all_states && !wanted_.states.empty() && !wanted_.states.contains("R") &&
            !wanted_.states.contains("CF") && !wanted_.states.contains("CG")) {
            return absl::OkStatus();
        }
        absl::StatusOr<rapidjson::Document> answer = batch_.liveTasks(number);
        if (absl::IsNotFound(answer.status())) return absl::OkStatus(); // forgotten just now
        if (!answer.ok()) return answer.status();
        for (const Json& task : listAt(at(*answer, "job"), "tasks")) {
            const std::string index = truthAt(job, "array") ? concat(integerAt(task, "index")) : "";
            const bool ending = textAt(job, "state") == "cancelling";
            put({job, index.empty() ? concat(number) : concat(number, "_", index), index,
                 ending ? "cancelling" : textAt(task, "state"), textAt(task, "host"),
                 static_cast<double>(integerAt(task, "started_ns")) / 1e9, 0});
        }
        return absl::OkStatus();
    }

    void put(const Line& line) {
        if (!wanted_.all_states && !wanted_.states.empty() && !wanted_.states.contains(slurmState(line.state).code)) {
            return;
        }
        std::cout << formatted(wanted_.format, &line) << "\n";
    }

    const BatchClient& batch_;
    const Wanted& wanted_;
};

} // namespace

int squeue(const std::vector<std::string>& words, const Context& context) {
    absl::StatusOr<Wanted> wanted = readOptions(words);
    if (!wanted.ok()) return fail(wanted.status(), kUsage);
    if (absl::StatusOr<std::string> format = checkedFormat(wanted->format); !format.ok()) {
        return fail(format.status(), kUsage);
    }
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    BatchClient::Which which{0, true, "", ""};
    for (const char* ended : {"CD", "F", "CA", "TO"}) which.unfinished &= !wanted->states.contains(ended);
    which.unfinished &= !wanted->all_states;
    if (wanted->users.size() == 1) which.user = *wanted->users.begin();
    if (wanted->names.size() == 1) which.name = *wanted->names.begin();
    absl::StatusOr<BatchClient::Jobs> jobs = batch->jobs(which);
    if (!jobs.ok()) return fail(jobs.status());
    if (wanted->header) std::cout << formatted(wanted->format, nullptr) << "\n";
    Listing listing(*batch, *wanted);
    absl::Status status;
    jobs->each([&](const Json& job) { status.Update(listing.add(job)); });
    return status.ok() ? 0 : fail(status);
}

} // namespace stoa::cli
