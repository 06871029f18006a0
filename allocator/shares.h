// Shares of the cluster as integers, in units of 2^-48: the dominant share of what somebody holds, divided by a weight,
// and the way back, from a share to how many pieces reach it. Division by the cluster's total is a multiplication with
// a reciprocal made once a turn, since it happens twice a grant. A plain value for modules; owned by one.
//
// Range: amounts up to 2^50 thousandths (a hundred thousand agents with a terabyte each) and weights up to 2^30.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stoa::allocator {

class Shares {
public:
    static constexpr std::size_t kScalars = 4;
    static constexpr int kBits = 48;
    static constexpr std::uint64_t kEndless = UINT64_MAX;

    void of(std::span<const std::int64_t, kScalars> total) {
        for (std::size_t i = 0; i < kScalars; ++i) {
            const auto amount = static_cast<std::uint64_t>(std::max<std::int64_t>(total[i], 0));
            total_[i] = amount;
            const int log = amount == 0 ? 0 : std::bit_width(amount) - 1;
            reciprocal_[i] = amount == 0 ? 0 : static_cast<std::uint64_t>((Wide{1} << (63 + log)) / amount);
            shift_[i] = 63 + log - kBits;
        }
    }

    // amount / total, of one resource; 0 of what the cluster doesn't have.
    std::uint64_t share(std::size_t resource, std::int64_t amount) const {
        return narrow((Wide{static_cast<std::uint64_t>(amount)} * reciprocal_[resource]) >> shift_[resource]);
    }
    std::uint64_t dominant(const std::int64_t (&held)[kScalars]) const {
        std::uint64_t most = 0;
        for (std::size_t i = 0; i < kScalars; ++i) most = std::max(most, share(i, held[i]));
        return most;
    }

    static std::uint64_t weighted(std::uint64_t share, std::int64_t weight) {
        return narrow(Wide{share} * 1000 / static_cast<std::uint64_t>(weight));
    }
    static std::uint64_t unweighted(std::uint64_t key, std::int64_t weight) {
        return key == kEndless ? kEndless : narrow(Wide{key} * static_cast<std::uint64_t>(weight) / 1000);
    }

    // How many pieces may be added to `held` one by one, each while the dominant share is at most `limit`: at least one.
    std::uint32_t piecesUpTo(const std::int64_t (&held)[kScalars], const std::int64_t (&piece)[kScalars],
                             std::uint64_t limit, std::uint32_t most) const {
        if (limit == kEndless) return most;
        std::uint64_t pieces = most;
        for (std::size_t i = 0; i < kScalars; ++i) {
            if (piece[i] <= 0) continue;
            const auto reach = static_cast<std::int64_t>(std::min<Wide>((Wide{limit} * total_[i]) >> kBits, INT64_MAX));
            pieces =
                std::min(pieces, reach < held[i] ? 1 : 1 + static_cast<std::uint64_t>((reach - held[i]) / piece[i]));
        }
        return static_cast<std::uint32_t>(pieces);
    }

private:
    using Wide = unsigned __int128;
    static std::uint64_t narrow(Wide value) {
        return value < kEndless ? static_cast<std::uint64_t>(value) : kEndless - 1;
    }

    std::array<std::uint64_t, kScalars> total_{};
    std::array<std::uint64_t, kScalars> reciprocal_{}; // 2^(63 + log2 total) / total
    std::array<int, kScalars> shift_{};
};

} // namespace stoa::allocator
