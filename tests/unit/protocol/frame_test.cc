#include "protocol/frame.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace stoa {
namespace {

Frame sample() {
    Frame frame;
    frame.session = 0x0102030405060708;
    frame.epoch = 7;
    frame.seq = 9;
    frame.ack = 11;
    frame.channel = 0xfffffffe;
    frame.kind = FrameKind::kData;
    frame.body = makeBody("hello");
    return frame;
}

std::string headerOf(const Frame& frame) {
    const FrameHeader header = encodeHeader(frame);
    return {header.begin(), header.end()};
}

FrameError errorOf(std::string_view header, bool has_body, std::size_t body_size) {
    std::variant<Frame, FrameError> decoded = decodeHeader(header, has_body, body_size);
    EXPECT_TRUE(std::holds_alternative<FrameError>(decoded));
    return std::get<FrameError>(decoded);
}

TEST(Frame, HeadersAreReadBack) {
    const Frame frame = sample();
    const Frame back = std::get<Frame>(decodeHeader(headerOf(frame), true, 5));
    EXPECT_EQ(back.session, frame.session);
    EXPECT_EQ(back.epoch, frame.epoch);
    EXPECT_EQ(back.seq, frame.seq);
    EXPECT_EQ(back.ack, frame.ack);
    EXPECT_EQ(back.channel, frame.channel);
    EXPECT_EQ(back.kind, frame.kind);
}

// Recorded from version 1: an older peer's frames stay readable for as long as the version does.
TEST(Frame, HeadersHaveTheRecordedBytes) {
    EXPECT_EQ(headerOf(sample()), std::string("Sto\x01\x02\0\0\0\xfe\xff\xff\xff\x05\0\0\0"
                                              "\x08\x07\x06\x05\x04\x03\x02\x01\x07\0\0\0\0\0\0\0"
                                              "\x09\0\0\0\0\0\0\0\x0b\0\0\0\0\0\0\0",
                                              kFrameHeaderSize));
}

TEST(Frame, EachFlawHasAName) {
    const std::string good = headerOf(sample());
    EXPECT_EQ(errorOf("", true, 5), FrameError::kHeaderSize);
    EXPECT_EQ(errorOf(good.substr(0, 47), true, 5), FrameError::kHeaderSize);
    EXPECT_EQ(errorOf(good + "x", true, 5), FrameError::kHeaderSize);
    EXPECT_EQ(errorOf("GET / HTTP/1.1", false, 0), FrameError::kMagic);
    EXPECT_EQ(errorOf("Sto\x02", true, 5), FrameError::kVersion);
    std::string kind = good;
    kind[4] = 6;
    EXPECT_EQ(errorOf(kind, true, 5), FrameError::kKind);
    EXPECT_EQ(errorOf(good, true, 6), FrameError::kBodySize);
    EXPECT_EQ(errorOf(good, false, 0), FrameError::kPartCount);
    kind[4] = static_cast<char>(FrameKind::kAck);
    EXPECT_EQ(errorOf(kind, true, 5), FrameError::kPartCount);

    Frame frame = sample();
    frame.session = 0;
    EXPECT_EQ(errorOf(headerOf(frame), true, 5), FrameError::kFields);
    frame = sample();
    frame.seq = 0;
    EXPECT_EQ(errorOf(headerOf(frame), true, 5), FrameError::kFields);
    frame.kind = FrameKind::kOpen;
    frame.seq = 2;
    frame.body = nullptr;
    EXPECT_EQ(errorOf(headerOf(frame), false, 0), FrameError::kFields);
    frame.kind = FrameKind::kClose;
    frame.body = makeBody(std::string(kLongestGoodbye + 1, 'x'));
    EXPECT_EQ(errorOf(headerOf(frame), true, kLongestGoodbye + 1), FrameError::kBodySize);
}

RC_GTEST_PROP(Frame, DamagedHeadersAreReadOrRefusedWithoutHarm, ()) {
    std::string header = headerOf(sample());
    header[*rc::gen::inRange<std::size_t>(0, header.size())] = *rc::gen::arbitrary<char>();
    header.resize(*rc::gen::inRange<std::size_t>(0, header.size() + 1));
    std::variant<Frame, FrameError> decoded = decodeHeader(header, *rc::gen::arbitrary<bool>(), 5);
    if (const FrameError* error = std::get_if<FrameError>(&decoded)) RC_ASSERT(!name(*error).empty());
    if (header.size() < kFrameHeaderSize) RC_ASSERT(std::holds_alternative<FrameError>(decoded));
}

} // namespace
} // namespace stoa
