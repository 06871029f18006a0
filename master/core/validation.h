// Checks of what agents and frameworks say, beyond the form that the codec has seen to: what can be told from the
// message alone. Each gives the reason in the words of the one who said it, and none depends on the cluster's state.
// Pure functions.
#pragma once

#include "protocol/message/agent.h"
#include "protocol/message/framework.h"

#include <absl/status/status.h>

#include <cstddef>
#include <string_view>

namespace stoa::master {

inline constexpr std::size_t kLongestId = 255;
inline constexpr std::size_t kLongestName = 1024;
// Of an agent's or a framework's description, which the registry keeps as one record: its texts and lists together.
inline constexpr std::size_t kMostDescription = std::size_t{64} << 10;
inline constexpr std::size_t kMostDemands = 1000;
inline constexpr std::uint32_t kMostOfADemand = 1'000'000;
// Thousandths, so ten thousand million units of anything: 200,000 such agents still add up within 63 bits.
inline constexpr std::int64_t kMostOfAScalar = 10'000'000'000'000;

// Becomes part of paths and of URLs: no '/', no control characters, not "." nor "..", at most kLongestId bytes.
absl::Status validateId(std::string_view what, std::string_view id);
// As in Mesos: "*", or a path of names without leading, trailing or double '/', '-' in front, ".", "..", "*", spaces.
absl::Status validateRole(std::string_view role);
absl::Status validateAmounts(std::string_view what, const Resources& resources);
absl::Status validate(const FrameworkInfo& info);
absl::Status validate(const AgentInfo& info);
absl::Status validate(const TaskInfo& task);
absl::Status validate(const std::vector<Demand>& demands, const FrameworkInfo& framework);

} // namespace stoa::master
