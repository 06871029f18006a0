#include "protocol/crc32.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <string_view>

namespace stoa {
namespace {

std::uint32_t crcOf(std::string_view bytes) {
    Crc32 crc;
    crc.add(bytes.data(), bytes.size());
    return crc.value();
}

TEST(Crc32, GivesTheValuesThatOthersGive) {
    EXPECT_EQ(crcOf(""), 0u);
    EXPECT_EQ(crcOf("a"), 0xe8b7be43u);
    EXPECT_EQ(crcOf("123456789"), 0xcbf43926u); // the check value of catalogues
    EXPECT_EQ(crcOf("The quick brown fox jumps over the lazy dog"), 0x414fa339u);
}

TEST(Crc32, IsTheSameHoweverTheBytesAreDivided) {
    std::string bytes(100, '\0');
    std::iota(bytes.begin(), bytes.end(), '\x70');
    const std::uint32_t whole = crcOf(bytes);
    for (std::size_t first = 0; first <= bytes.size(); ++first) {
        Crc32 crc;
        crc.add(bytes.data(), first);
        crc.add(bytes.data() + first, bytes.size() - first);
        ASSERT_EQ(crc.value(), whole) << first;
    }
}

} // namespace
} // namespace stoa
