// The names of candidates' nodes: json.info_ and ten digits that ZooKeeper counts up. The lowest leads.
// Pure functions, usable from any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

inline constexpr std::string_view kCandidatePrefix = "json.info_";
inline constexpr std::size_t kCandidateDigits = 10;

inline bool isCandidate(std::string_view name) {
    if (!name.starts_with(kCandidatePrefix) || name.size() != kCandidatePrefix.size() + kCandidateDigits) return false;
    const std::string_view digits = name.substr(kCandidatePrefix.size());
    return std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The candidates among a path's children, the leader first.
inline std::vector<std::string> candidatesOf(std::vector<std::string> names) {
    std::erase_if(names, [](const std::string& name) { return !isCandidate(name); });
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace stoa
