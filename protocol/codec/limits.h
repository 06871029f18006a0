// The bounds of what a message may hold, each with what gives when it is passed: the message is refused with a reason
// that names the bound, whoever sent it. They stand at the door so that nothing behind it has to think of size.
// Constants only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa {

// A whole message, binary or JSON. An agent that registers with 10,000 tasks of 1 kB fits.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{16} << 20;
// Ids become parts of paths, URLs and registry keys.
inline constexpr std::size_t kMaxIdBytes = 255;
// Names, hosts, roles, users: what stands in one column of a table.
inline constexpr std::size_t kMaxNameBytes = 1024;
// A message meant for people, an URL, a label's value.
inline constexpr std::size_t kMaxTextBytes = std::size_t{64} << 10;
// An opaque payload of a framework or executor.
inline constexpr std::size_t kMaxDataBytes = std::size_t{1} << 20;
// What a task carries along unread.
inline constexpr std::size_t kMaxTaskBodyBytes = std::size_t{1} << 20;
// Kinds of resources of one bundle, attributes of an agent, labels, roles of a framework, demands, constraints.
inline constexpr std::size_t kMaxListLength = 4096;
// Structs in structs, in binary and in JSON; the deepest message we know has 12.
inline constexpr int kMaxNesting = 32;

} // namespace stoa
