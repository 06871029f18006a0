#include "frameworks/batch/index_set.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <algorithm>

namespace stoa::batch {

namespace {

constexpr std::uint32_t kLargestIndex = 1'000'000'000;

absl::StatusOr<std::uint32_t> number(std::string_view text, std::string_view part) {
    std::uint32_t value = 0;
    if (text.empty() || text.front() == '+' || !absl::SimpleAtoi(toAbsl(text), &value)) {
        return invalid("\"", part, "\" is no index or range of them; write 7, 0-9 or 0-20:4");
    }
    if (value > kLargestIndex) return invalid("index ", value, " is larger than ", kLargestIndex);
    return value;
}

} // namespace

IndexSet IndexSet::upTo(std::uint32_t count) {
    IndexSet set;
    if (count > 0) set.runs_.push_back({0, 1, count, 0});
    return set;
}

IndexSet IndexSet::of(std::vector<std::uint32_t> sorted) {
    IndexSet set;
    std::uint32_t before = 0;
    for (std::size_t i = 0; i < sorted.size();) {
        Run run{sorted[i], 1, 1, before};
        if (i + 1 < sorted.size()) {
            run.step = sorted[i + 1] - sorted[i];
            while (i + run.count < sorted.size() && sorted[i + run.count] == run.first + run.count * run.step) {
                ++run.count;
            }
            // Two with a gap are a run only when a third follows; "1,3,4" is 1 and 3-4.
            if (run.count == 2 && run.step != 1) run.count = 1;
        }
        if (run.count == 1) run.step = 1;
        i += run.count;
        before += run.count;
        set.runs_.push_back(run);
    }
    return set;
}

absl::StatusOr<IndexSet> IndexSet::parse(std::string_view text) {
    std::vector<std::uint32_t> all;
    for (const std::string_view part : split(text, ',')) {
        const std::size_t colon = part.find(':');
        const std::string_view range = part.substr(0, colon);
        const std::size_t dash = range.find('-');
        absl::StatusOr<std::uint32_t> first = number(range.substr(0, dash), part);
        if (!first.ok()) return first.status();
        absl::StatusOr<std::uint32_t> last = first;
        absl::StatusOr<std::uint32_t> step = 1u;
        if (dash != std::string_view::npos) last = number(range.substr(dash + 1), part);
        if (!last.ok()) return last.status();
        if (colon != std::string_view::npos) step = number(part.substr(colon + 1), part);
        if (!step.ok()) return step.status();
        if (*step == 0) return invalid("\"", part, "\": a step of 0 leads nowhere");
        if (*last < *first) return invalid("\"", part, "\" runs backwards");
        if ((*last - *first) / *step >= kMostTasks || all.size() + (*last - *first) / *step >= kMostTasks) {
            return invalid("\"", text.substr(0, 100), "\" is more than ", kMostTasks, " tasks");
        }
        for (std::uint32_t index = *first; index <= *last; index += *step) all.push_back(index);
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return of(std::move(all));
}

std::uint32_t IndexSet::at(std::uint32_t position) const {
    auto run = std::upper_bound(runs_.begin(), runs_.end(), position,
                                [](std::uint32_t wanted, const Run& one) { return wanted < one.before; });
    --run;
    return run->first + (position - run->before) * run->step;
}

std::optional<std::uint32_t> IndexSet::positionOf(std::uint32_t index) const {
    auto run = std::upper_bound(runs_.begin(), runs_.end(), index,
                                [](std::uint32_t wanted, const Run& one) { return wanted < one.first; });
    if (run == runs_.begin()) return std::nullopt;
    --run;
    const std::uint32_t distance = index - run->first;
    if (distance % run->step != 0 || distance / run->step >= run->count) return std::nullopt;
    return run->before + distance / run->step;
}

std::string IndexSet::toString() const {
    std::string text;
    for (const Run& run : runs_) {
        if (!text.empty()) text += ",";
        text += concat(run.first);
        if (run.count > 1) text += concat("-", run.first + (run.count - 1) * run.step);
        if (run.step > 1) text += concat(":", run.step);
    }
    return text;
}

absl::StatusOr<ArraySpec> parseArray(std::string_view text) {
    ArraySpec array;
    const std::size_t percent = text.find('%');
    if (percent != std::string_view::npos) {
        const std::string_view limit = text.substr(percent + 1);
        if (!absl::SimpleAtoi(toAbsl(limit), &array.at_most) || array.at_most == 0) {
            return invalid("\"", limit, "\" behind % is no number of tasks that may run at the same time");
        }
    }
    absl::StatusOr<IndexSet> indices = IndexSet::parse(text.substr(0, percent));
    if (!indices.ok()) return indices.status();
    array.indices = *std::move(indices);
    return array;
}

} // namespace stoa::batch
