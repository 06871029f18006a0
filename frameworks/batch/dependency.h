// What a job waits for before it may start: another job's start, success, failure or end. Written as
// "afterok:12:13,afterany:7". A plain value and pure functions, usable from any thread.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::batch {

using JobNumber = std::uint64_t; // from 1, never used again

struct Dependency {
    enum class Kind : std::uint8_t {
        kAfter,      // it has started, or was cancelled before
        kAfterOk,    // it has succeeded
        kAfterNotOk, // it has failed, or was cancelled
        kAfterAny,   // it has ended
    };
    Dependency() = default;
    // NOLINTNEXTLINE(google-explicit-constructor): a number alone is what is usual
    Dependency(JobNumber the_job, Kind the_kind = Kind::kAfterOk) : job(the_job), kind(the_kind) {}

    JobNumber job = 0;
    Kind kind = Kind::kAfterOk;
    friend auto operator<=>(const Dependency&, const Dependency&) = default;
};

std::string_view name(Dependency::Kind kind);       // "afterok"
std::string toString(const Dependency& dependency); // "afterok:12"
// The error names the part that is wrong.
absl::StatusOr<std::vector<Dependency>> parseDependencies(std::string_view text);

} // namespace stoa::batch
