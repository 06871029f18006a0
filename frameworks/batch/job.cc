#include "frameworks/batch/job.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <absl/strings/str_split.h>

#include <algorithm>
#include <array>

namespace stoa::batch {

namespace {

constexpr std::size_t kWidestNumber = 10;
constexpr std::uint32_t kMostRetries = 1'000;
// The kernel takes no argument of 128 KiB (MAX_ARG_STRLEN), and a script is one.
constexpr std::size_t kLargestScript = 120 << 10;
constexpr Duration kLongestLimit = std::chrono::hours(24 * 366);
constexpr std::array<std::string_view, kTaskPhases> kPhaseNames = {"waiting",   "launched", "running",  "unreachable",
                                                                   "succeeded", "failed",   "cancelled"};

absl::Status validateSurroundings(const JobSpec& spec) {
    if (spec.script.size() > kLargestScript) {
        return invalid("script: ", spec.script.size(), " bytes are more than ", kLargestScript,
                       "; put the bulk of it into a file that it runs");
    }
    if (!spec.script.empty() && spec.command.argv.empty()) return invalid("script: argv should start with its name");
    if (spec.script.find('\0') != std::string::npos) return invalid("script: holds a NUL byte: it is no text");
    if (spec.time_limit && (*spec.time_limit <= Duration::zero() || *spec.time_limit > kLongestLimit)) {
        return invalid("time_limit: should be above 0 and at most 366 days");
    }
    if (spec.limit_warning && !spec.time_limit) {
        return invalid("signal: there is no time limit before which it could be sent; give one, too");
    }
    if (spec.begin.nanos < 0) return invalid("begin: ", spec.begin.nanos, " is before 1970");
    if (!spec.work_directory.empty() && spec.work_directory.front() != '/') {
        return invalid("work_directory: \"", spec.work_directory, "\" is not absolute");
    }
    for (const std::string* pattern : {&spec.stdout_file, &spec.stderr_file, &spec.stdin_file}) {
        if (absl::Status status = validateOutputFile(*pattern); !status.ok()) return status;
    }
    return absl::OkStatus();
}

bool leavesSandbox(std::string_view path) {
    if (path.empty() || path.front() == '/') return true;
    for (absl::string_view part : absl::StrSplit(toAbsl(path), '/')) {
        if (part == "..") return true;
    }
    return false;
}

} // namespace

TaskId taskId(const AttemptRef& attempt) {
    return TaskId(concat(attempt.task.job, ".", attempt.task.index, ".", attempt.attempt));
}

std::optional<AttemptRef> parseTaskId(std::string_view id) {
    const std::vector<absl::string_view> parts = absl::StrSplit(toAbsl(id), '.');
    AttemptRef ref;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &ref.task.job) ||
        !absl::SimpleAtoi(parts[1], &ref.task.index) || !absl::SimpleAtoi(parts[2], &ref.attempt) ||
        taskId(ref).value() != id) {
        return std::nullopt;
    }
    return ref;
}

std::string_view name(JobState state) {
    switch (state) {
    case JobState::kHeld: return "held";
    case JobState::kQueued: return "queued";
    case JobState::kRunning: return "running";
    case JobState::kCancelling: return "cancelling";
    case JobState::kSucceeded: return "succeeded";
    case JobState::kFailed: return "failed";
    case JobState::kCancelled: return "cancelled";
    }
    return "";
}

std::string_view name(TaskPhase phase) { return kPhaseNames[static_cast<std::size_t>(phase)]; }

std::optional<TaskPhase> taskPhaseNamed(std::string_view name) {
    for (std::size_t i = 0; i < kTaskPhases; ++i) {
        if (kPhaseNames[i] == name) return static_cast<TaskPhase>(i);
    }
    return std::nullopt;
}

absl::Status validate(const JobSpec& spec) {
    using absl::InvalidArgumentError;
    if (spec.command.shell.empty() == spec.command.argv.empty()) {
        return InvalidArgumentError("command: give a program with its arguments, or a shell line");
    }
    if (!spec.command.argv.empty() && spec.command.argv.front().empty())
        return InvalidArgumentError("command: the program is empty");
    if (spec.count == 0 || spec.count > kMostTasks) {
        return InvalidArgumentError(concat("count: ", spec.count, " is not between 1 and ", kMostTasks));
    }
    if (!spec.indices.empty() && spec.indices.count() != spec.count) {
        return InvalidArgumentError(concat("indices: ", spec.indices.count(), " of them for ", spec.count, " tasks"));
    }
    if (absl::Status status = validateSurroundings(spec); !status.ok()) return status;
    if (spec.retries > kMostRetries) {
        return InvalidArgumentError(concat("retries: ", spec.retries, " is more than ", kMostRetries));
    }
    if (!spec.shape.others().empty()) {
        return InvalidArgumentError(concat("resources: ", spec.shape.others().front().name,
                                           " can't be asked for by a batch job; cpus, mem, disk and gpus can"));
    }
    if (spec.shape.scalar(Resources::kCpus).count <= 0 && spec.shape.scalar(Resources::kMem).count <= 0) {
        return InvalidArgumentError("resources: a task needs some cpus or mem");
    }
    for (const JobInput& input : spec.inputs) {
        if (input.source.empty()) return InvalidArgumentError("input: the source is empty");
        if (!input.name.empty() && leavesSandbox(input.name)) {
            return InvalidArgumentError(concat("input: the name \"", input.name, "\" leads out of the sandbox"));
        }
        if (absl::StatusOr<std::optional<OutputRef>> ref = parseOutputRef(input.source, 0); !ref.ok())
            return ref.status();
    }
    for (const std::string& output : spec.outputs) {
        if (leavesSandbox(output))
            return InvalidArgumentError(concat("output: \"", output, "\" leads out of the sandbox"));
    }
    // What no launcher could run is refused now and not by the agent later.
    TaskSpec task;
    task.command = spec.command;
    return readTaskBody(makeTaskBody(task)).status();
}

std::string outputFile(std::string_view pattern, const JobSpec& spec, JobNumber job, std::uint32_t index) {
    std::string file;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            file += pattern[i];
            continue;
        }
        std::size_t width = 0;
        while (++i < pattern.size() && absl::ascii_isdigit(static_cast<unsigned char>(pattern[i]))) {
            width = std::min<std::size_t>(width * 10 + static_cast<std::size_t>(pattern[i] - '0'), kWidestNumber);
        }
        if (i == pattern.size()) break;
        const auto padded = [&](std::uint64_t number) {
            const std::string digits = concat(number);
            return std::string(width > digits.size() ? width - digits.size() : 0, '0') + digits;
        };
        switch (pattern[i]) {
        case 'j': file += spec.array ? concat(padded(job), "_", index) : padded(job); break;
        case 'A': file += padded(job); break;
        case 'a':
        case 't': file += padded(index); break;
        case 'x': file += spec.name; break;
        case 'u': file += spec.command.user; break;
        default: file += pattern[i];
        }
    }
    return file;
}

absl::Status validateOutputFile(std::string_view pattern) {
    if (pattern.find('\0') != std::string_view::npos) return invalid("output: a file's name holds no NUL byte");
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') continue;
        while (++i < pattern.size() && absl::ascii_isdigit(static_cast<unsigned char>(pattern[i]))) {}
        if (i == pattern.size() || std::string_view("jAatxu%").find(pattern[i]) == std::string_view::npos) {
            return invalid("output: \"", pattern, "\": %", i == pattern.size() ? "" : pattern.substr(i, 1),
                           " stands for nothing here; %j, %A, %a, %t, %x, %u and %% do");
        }
    }
    return absl::OkStatus();
}

absl::StatusOr<std::optional<OutputRef>> parseOutputRef(std::string_view source, std::uint32_t own_index) {
    constexpr std::string_view kPrefix = "job:";
    if (source.substr(0, kPrefix.size()) != kPrefix) return std::nullopt;
    auto wrong = [&] {
        return absl::InvalidArgumentError(
            concat("input: \"", source, "\" is not of the form job:NUMBER/TASK/PATH, where TASK is a number, * or %i"));
    };
    const std::vector<absl::string_view> parts =
        absl::StrSplit(toAbsl(source.substr(kPrefix.size())), absl::MaxSplits('/', 2));
    OutputRef ref;
    if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &ref.job) || leavesSandbox(toStd(parts[2]))) return wrong();
    if (parts[1] == "%i") {
        ref.index = own_index;
    } else if (parts[1] != "*") {
        std::uint32_t index = 0;
        if (!absl::SimpleAtoi(parts[1], &index)) return wrong();
        ref.index = index;
    }
    ref.path = std::string(parts[2]);
    return ref;
}

} // namespace stoa::batch
