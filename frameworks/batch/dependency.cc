#include "frameworks/batch/dependency.h"

#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <array>
#include <optional>

namespace stoa::batch {

namespace {

constexpr std::array<std::string_view, 4> kNames = {"after", "afterok", "afternotok", "afterany"};

std::optional<Dependency::Kind> kindNamed(std::string_view name) {
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) return static_cast<Dependency::Kind>(i);
    }
    return std::nullopt;
}

} // namespace

std::string_view name(Dependency::Kind kind) { return kNames[static_cast<std::size_t>(kind)]; }

std::string toString(const Dependency& dependency) { return concat(name(dependency.kind), ":", dependency.job); }

absl::StatusOr<std::vector<Dependency>> parseDependencies(std::string_view text) {
    if (text.find('?') != std::string_view::npos) {
        return invalid("\"", text, "\": alternatives (?) are not served; all parts between commas must hold");
    }
    std::vector<Dependency> dependencies;
    for (const std::string_view part : split(text, ',')) {
        const std::vector<std::string_view> words = split(part, ':');
        const std::optional<Dependency::Kind> kind = kindNamed(words.front());
        if (!kind) {
            return invalid("\"", part,
                           "\" is no dependency; write after, afterok, afternotok or afterany, and jobs: "
                           "afterok:12:13");
        }
        if (words.size() < 2) return invalid("\"", part, "\" names no job; write ", name(*kind), ":12");
        for (std::size_t i = 1; i < words.size(); ++i) {
            JobNumber job = 0;
            if (!absl::SimpleAtoi(toAbsl(words[i]), &job) || job == 0) {
                return invalid("\"", part, "\": \"", words[i], "\" is no job's number");
            }
            dependencies.emplace_back(job, *kind);
        }
    }
    return dependencies;
}

} // namespace stoa::batch
