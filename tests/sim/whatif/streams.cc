#include "tests/sim/whatif/streams.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stoa::sim {

namespace {

// "5m..20m", or one value for both.
std::pair<std::string_view, std::string_view> rangeOf(std::string_view text) {
    const std::size_t dots = text.find("..");
    if (dots == std::string_view::npos) return {text, text};
    return {text.substr(0, dots), text.substr(dots + 2)};
}

absl::Status takeDuration(std::string_view text, Stream& stream) {
    stream.exponential = text.starts_with('~');
    if (stream.exponential) text.remove_prefix(1);
    const auto [from, to] = rangeOf(text);
    const absl::StatusOr<Duration> shortest = parseSpan(from, !stream.exponential && from == to);
    const absl::StatusOr<Duration> longest = parseSpan(to, !stream.exponential && from == to);
    if (!shortest.ok()) return shortest.status();
    if (!longest.ok()) return longest.status();
    if (*longest < *shortest) return invalid("\"", text, "\" ends before it begins");
    if (stream.exponential && *longest != *shortest) return invalid("\"~", text, "\" is a mean and a range; write one");
    stream.shortest = *shortest;
    stream.longest = *longest;
    return absl::OkStatus();
}

absl::Status takeCount(std::string_view text, Stream& stream) {
    const auto [from, to] = rangeOf(text);
    if (!absl::SimpleAtoi(toAbsl(from), &stream.fewest) || !absl::SimpleAtoi(toAbsl(to), &stream.most) ||
        stream.fewest == 0 || stream.most < stream.fewest || stream.most > kMostTasksOfAJob) {
        return invalid("\"", text, "\" is no number of tasks; write 5 or 1..20");
    }
    return absl::OkStatus();
}

absl::Status takeEvery(std::string_view text, Stream& stream) {
    const absl::StatusOr<Duration> every = parseSpan(text);
    if (!every.ok()) return every.status();
    if (*every == Duration::zero()) return invalid("must be more than 0");
    stream.every = *every;
    return absl::OkStatus();
}

absl::Status take(std::string_view name, std::string_view value, Stream& stream) {
    if (name == "every") return takeEvery(value, stream);
    if (name == "duration") return takeDuration(value, stream);
    if (name == "count") return takeCount(value, stream);
    if (name == "gang") {
        return absl::SimpleAtob(toAbsl(value), &stream.gang) ? absl::OkStatus()
                                                             : invalid("\"", value, "\" is neither yes nor no");
    }
    std::string* const text = name == "role"        ? &stream.role
                              : name == "shape"     ? &stream.shape
                              : name == "framework" ? &stream.framework
                              : name == "where"     ? &stream.where
                                                    : nullptr;
    if (text == nullptr) {
        return invalid(
            "there is no such setting; there are role, every, shape, duration, count, framework, gang, where");
    }
    // Several constraints are several words.
    if (!text->empty() && name == "where") *text += ' ';
    *text += value;
    return absl::OkStatus();
}

// In (0, 1]: its logarithm is finite.
double unit(Rng& rng) { return (static_cast<double>(rng.next() >> 11) + 1) * 0x1p-53; }

Duration exponential(Duration mean, Rng& rng) {
    const double micros = std::min(-std::log(unit(rng)) * static_cast<double>(mean / std::chrono::microseconds(1)),
                                   static_cast<double>(kLongestSpan / std::chrono::microseconds(1)));
    return std::chrono::microseconds(static_cast<std::int64_t>(std::llround(micros)));
}

Duration drawDuration(const Stream& stream, Rng& rng) {
    if (stream.exponential) return exponential(stream.shortest, rng);
    if (stream.longest == stream.shortest) return stream.shortest;
    const auto steps =
        static_cast<std::uint64_t>((stream.longest - stream.shortest) / std::chrono::milliseconds(1)) + 1;
    return stream.shortest + std::chrono::milliseconds(rng.below(steps));
}

} // namespace

absl::StatusOr<Stream> parseStream(std::string_view text) {
    Stream stream;
    for (const std::string_view setting : split(text, ' ')) {
        if (setting.empty()) continue;
        const std::size_t equals = setting.find('=');
        if (equals == std::string_view::npos) return invalid("\"", setting, "\" is not NAME=VALUE, as in every=30s");
        const std::string_view name = setting.substr(0, equals);
        if (absl::Status taken = take(name, setting.substr(equals + 1), stream); !taken.ok()) {
            return invalid(name, ": ", toStd(taken.message()));
        }
    }
    if (stream.every == Duration::zero())
        return invalid("every is missing: the mean time between two jobs, as in every=30s");
    if (stream.shape.empty()) return invalid("shape is missing: what a task needs, as in shape=cpus:2;mem:4096");
    if (stream.longest == Duration::zero()) return invalid("duration is missing: 10m, 5m..20m, ~10m or forever");
    Workload scratch; // to find what is wrong with its words now
    const absl::StatusOr<std::uint32_t> kind =
        scratch.kind({stream.framework, stream.role, stream.shape, stream.where});
    if (!kind.ok()) return kind.status();
    return stream;
}

absl::Status drawJobs(const Stream& stream, Duration length, Rng& rng, Workload& workload) {
    const absl::StatusOr<std::uint32_t> kind =
        workload.kind({stream.framework, stream.role, stream.shape, stream.where});
    if (!kind.ok()) return kind.status();
    for (Duration at = exponential(stream.every, rng); at < length; at += exponential(stream.every, rng)) {
        Job job;
        job.submitted = at;
        job.kind = *kind;
        job.runtime = drawDuration(stream, rng);
        job.count = stream.fewest + static_cast<std::uint32_t>(rng.below(stream.most - stream.fewest + 1));
        job.gang = stream.gang;
        workload.add(job);
        if (workload.tasks() > kMostTasks) return invalid("these streams make more than ", kMostTasks, " tasks");
    }
    return absl::OkStatus();
}

} // namespace stoa::sim
