// Which indices the tasks of an array have: "0-999", "1,3,5-9", "0-20:4", as a sorted set without repetition. A task's
// place in the set is its position; most of the queue counts in positions, people and task ids in indices.
//
//   absl::StatusOr<ArraySpec> array = parseArray("0-999%50");   // {.indices = 0-999, .at_most = 50}
//
// A plain value, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::batch {

inline constexpr std::uint32_t kMostTasks = 1'000'000; // of one job

class IndexSet {
public:
    IndexSet() = default;
    static IndexSet upTo(std::uint32_t count); // 0 to count-1
    // "1,3,5-9:2". The error says which part is wrong.
    static absl::StatusOr<IndexSet> parse(std::string_view text);

    bool empty() const { return runs_.empty(); }
    std::uint32_t count() const { return runs_.empty() ? 0 : runs_.back().before + runs_.back().count; }
    std::uint32_t at(std::uint32_t position) const; // position < count()
    std::optional<std::uint32_t> positionOf(std::uint32_t index) const;
    std::uint32_t last() const { return at(count() - 1); }
    // Between one index and the next, where there is but one such number; else 1.
    std::uint32_t step() const { return runs_.size() == 1 ? runs_.front().step : 1; }
    std::string toString() const;

    friend bool operator==(const IndexSet&, const IndexSet&) = default;

private:
    struct Run {
        std::uint32_t first = 0;
        std::uint32_t step = 1;
        std::uint32_t count = 0;
        std::uint32_t before = 0; // indices in the runs before this one
        friend bool operator==(const Run&, const Run&) = default;
    };
    static IndexSet of(std::vector<std::uint32_t> sorted);

    std::vector<Run> runs_; // of rising indices
};

struct ArraySpec {
    IndexSet indices;
    std::uint32_t at_most = 0; // run at the same time; 0: as many as fit
};
absl::StatusOr<ArraySpec> parseArray(std::string_view text);

} // namespace stoa::batch
