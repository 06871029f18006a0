#include "protocol/frame.h"

#include <cstring>

namespace stoa {
namespace {

constexpr std::array<char, 3> kMagic = {'S', 't', 'o'};
constexpr char kVersion = 1;

// Where each field stands.
constexpr std::size_t kKindAt = 4; // three bytes of zero follow
constexpr std::size_t kChannelAt = 8;
constexpr std::size_t kBodySizeAt = 12;
constexpr std::size_t kSessionAt = 16;
constexpr std::size_t kEpochAt = 24;
constexpr std::size_t kSeqAt = 32;
constexpr std::size_t kAckAt = 40;

// Little endian whatever the machine; compilers make one move of it.
template <class Number>
void put(FrameHeader& header, std::size_t at, Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) header[at + i] = static_cast<char>(number >> (8 * i));
}

template <class Number>
Number get(std::string_view header, std::size_t at) {
    Number number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
        number |= static_cast<Number>(static_cast<unsigned char>(header[at + i])) << (8 * i);
    }
    return number;
}

bool carriesBody(FrameKind kind) { return kind == FrameKind::kData || kind == FrameKind::kClose; }

bool fieldsFit(const Frame& frame) {
    if (frame.session == 0) return false;
    switch (frame.kind) {
    case FrameKind::kOpen: return frame.seq == 1;
    case FrameKind::kData:
    case FrameKind::kClose: return frame.seq >= 1;
    case FrameKind::kAck:
    case FrameKind::kReset: return frame.seq == 0;
    }
    return false;
}

} // namespace

std::string_view name(FrameError error) {
    constexpr std::array<std::string_view, kFrameErrors> kNames = {
        "header size", "magic", "version", "kind", "body size", "part count", "fields",
    };
    return kNames[static_cast<std::size_t>(error)];
}

FrameHeader encodeHeader(const Frame& frame) {
    FrameHeader header{};
    std::memcpy(header.data(), kMagic.data(), kMagic.size());
    header[kMagic.size()] = kVersion;
    header[kKindAt] = static_cast<char>(frame.kind);
    put(header, kChannelAt, frame.channel);
    put(header, kBodySizeAt, static_cast<std::uint32_t>(frame.bodySize()));
    put(header, kSessionAt, frame.session);
    put(header, kEpochAt, frame.epoch);
    put(header, kSeqAt, frame.seq);
    put(header, kAckAt, frame.ack);
    return header;
}

std::variant<Frame, FrameError> decodeHeader(std::string_view header, bool has_body, std::size_t body_size) {
    if (header.size() >= kMagic.size() && std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) {
        return FrameError::kMagic;
    }
    if (header.size() > kMagic.size() && header[kMagic.size()] != kVersion) return FrameError::kVersion;
    if (header.size() != kFrameHeaderSize) return FrameError::kHeaderSize;

    Frame frame;
    const char kind = header[kKindAt];
    if (kind < static_cast<char>(FrameKind::kOpen) || kind > static_cast<char>(FrameKind::kClose))
        return FrameError::kKind;
    frame.kind = static_cast<FrameKind>(kind);
    if (has_body != carriesBody(frame.kind)) return FrameError::kPartCount;
    const std::size_t most = frame.kind == FrameKind::kClose ? kLongestGoodbye : kLargestBody;
    if (body_size != get<std::uint32_t>(header, kBodySizeAt) || body_size > most) return FrameError::kBodySize;

    frame.channel = get<std::uint32_t>(header, kChannelAt);
    frame.session = get<std::uint64_t>(header, kSessionAt);
    frame.epoch = get<std::uint64_t>(header, kEpochAt);
    frame.seq = get<std::uint64_t>(header, kSeqAt);
    frame.ack = get<std::uint64_t>(header, kAckAt);
    if (!fieldsFit(frame)) return FrameError::kFields;
    return frame;
}

} // namespace stoa
