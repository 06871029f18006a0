// CRC-32 (IEEE 802.3), as zlib and Ethernet have it, eight bytes a step ("slicing by 8", Kounavis and Berry 2005): some
// eight times as fast as a byte at a time, for 8 KiB of table that a program's processes share. What is stored is sealed
// with it.
//
//     Crc32 crc;
//     crc.add(key.data(), key.size());
//     crc.add(blob.data(), blob.size());
//     seal(crc.value());
//
// Needs nothing but the language, so that the shim may have it as well. A plain value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace stoa {

class Crc32 {
public:
    void add(const void* data, std::size_t size) {
        const auto* at = static_cast<const unsigned char*>(data);
        std::uint32_t crc = crc_;
        for (; size >= 8; at += 8, size -= 8) {
            const std::uint32_t low = word(at) ^ crc, high = word(at + 4);
            crc = kTables[7][low & 255] ^ kTables[6][(low >> 8) & 255] ^ kTables[5][(low >> 16) & 255] ^
                  kTables[4][low >> 24] ^ kTables[3][high & 255] ^ kTables[2][(high >> 8) & 255] ^
                  kTables[1][(high >> 16) & 255] ^ kTables[0][high >> 24];
        }
        for (; size > 0; ++at, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *at) & 255];
        crc_ = crc;
    }

    std::uint32_t value() const { return ~crc_; }

private:
    using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

    static constexpr std::uint32_t word(const unsigned char* at) {
        return at[0] | std::uint32_t{at[1]} << 8 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[3]} << 24;
    }

    static constexpr Tables makeTables() {
        constexpr std::uint32_t kReversedPolynomial = 0xedb88320;
        Tables tables{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t crc = byte;
            for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
            tables[0][byte] = crc;
        }
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            for (std::size_t later = 1; later < 8; ++later) {
                const std::uint32_t crc = tables[later - 1][byte];
                tables[later][byte] = (crc >> 8) ^ tables[0][crc & 255];
            }
        }
        return tables;
    }

    static const Tables kTables;

    std::uint32_t crc_ = ~std::uint32_t{0};
};

inline constexpr Crc32::Tables Crc32::kTables = Crc32::makeTables();

} // namespace stoa
