// What travels between two ends of a session (session.h): a small header and, for some kinds, an opaque body. On the
// wire the header is a fixed number of little-endian bytes and the body a part of its own behind it, so that neither
// end copies a body to find its place. Decoding checks everything that can be checked without the session; what is
// wrong has a name, and the caller counts it and drops the frame.
// Pure; plain values and functions, usable from any thread.
#pragma once

#include "protocol/body.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

namespace stoa {

enum class FrameKind : std::uint8_t {
    kOpen = 1,  // the first of a session, always number 1, from the dialer; no body
    kData = 2,  // carries a message
    kAck = 3,   // carries nothing but its header: an acknowledgement, or a sign of life
    kReset = 4, // "I don't know that session": the receiver's end of it is over
    kClose = 5, // goodbye, in order behind everything said before; the body says why
};

struct Frame {
    std::uint64_t session = 0; // chosen by the dialer, greater for each new one of a connection and channel
    // Of the acceptor: the leader's epoch, or 0 of a standby. From a dialer: the one it is connected to, so that a new
    // leader never takes what was meant for the last one; 0 in kOpen and in resets, where it doesn't know, and to a standby.
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;     // 1 … for kOpen, kData and kClose; 0 for the others
    std::uint64_t ack = 0;     // everything up to here has arrived
    std::uint32_t channel = 0; // many sessions may share a connection
    FrameKind kind = FrameKind::kAck;
    Body body; // null but for kData and kClose

    std::size_t bodySize() const { return body ? body->size() : 0; }
};

inline constexpr std::size_t kFrameHeaderSize = 48;
using FrameHeader = std::array<char, kFrameHeaderSize>;

// A registration with 30,000 tasks is 30 MB; nothing else comes near.
inline constexpr std::size_t kLargestBody = std::size_t{64} << 20;
// A reason that a person reads.
inline constexpr std::size_t kLongestGoodbye = 1024;

enum class FrameError : std::uint8_t {
    kHeaderSize, // truncated, or too long
    kMagic,      // not ours at all
    kVersion,    // ours, but of a version that this one doesn't speak
    kKind,       // unknown
    kBodySize,   // not what the header says, or larger than allowed
    kPartCount,  // a body missing, or more parts than a frame has
    kFields,     // a kind whose numbers don't fit it
};
inline constexpr int kFrameErrors = 7;
std::string_view name(FrameError error); // "header size"

FrameHeader encodeHeader(const Frame& frame);

// The header alone; the body, which the caller attaches, must have `body_size` bytes, or be absent when `has_body` is
// false. Frame::body is left null.
std::variant<Frame, FrameError> decodeHeader(std::string_view header, bool has_body, std::size_t body_size);

} // namespace stoa
