// Where a piece is placed: of the candidates, on the one whose free resources point most nearly in the direction of
// what is asked, so that no resource is left over without the others. Compares squared cosines in integers.
// Source: Grandl et al., "Multi-Resource Packing for Cluster Schedulers" (Tetris), SIGCOMM 2014, section 3.2.
// Stateless, a part of modules.
#pragma once

#include "allocator/module_face.h"
#include "allocator/shares.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace stoa::allocator {

class Alignment {
public:
    // kNone when there is no candidate. A remainder has no direction: any candidate will do, so the first by number.
    static std::uint32_t best(const View& view, const Shares& shares, const Request& request,
                              std::span<const std::uint32_t> candidates) {
        if (candidates.empty()) return kNone;
        if (request.wanted == 0) return *std::min_element(candidates.begin(), candidates.end());
        if (candidates.size() == 1) return candidates[0];
        const Direction asked = direction(shares, request.shape);
        std::uint32_t best = kNone;
        Cosine best_score;
        for (std::uint32_t candidate : candidates) {
            const Cosine score = cosine(asked, direction(shares, view.agent(candidate).free));
            if (best == kNone || best_score < score || (!(score < best_score) && candidate < best)) {
                best = candidate;
                best_score = score;
            }
        }
        return best;
    }

private:
    using Direction = std::array<std::uint64_t, kScalars>; // the longest component has kDirectionBits
    static constexpr int kDirectionBits = 15;

    static Direction direction(const Shares& shares, const std::int64_t (&amounts)[kScalars]) {
        Direction towards{};
        std::uint64_t longest = 1;
        for (std::size_t i = 0; i < kScalars; ++i) {
            towards[i] = shares.share(i, amounts[i]);
            longest = std::max(longest, towards[i]);
        }
        const int shift = std::bit_width(longest) - kDirectionBits;
        for (std::uint64_t& component : towards) component = shift > 0 ? component >> shift : component << -shift;
        return towards;
    }

    // The square of the cosine, but for the asked direction's length, which is the same for all: a fraction.
    struct Cosine {
        std::uint64_t above = 0; // at most 2^64
        std::uint64_t below = 1; // at most 2^32
        bool operator<(const Cosine& other) const {
            using Wide = unsigned __int128;
            return Wide{above} * other.below < Wide{other.above} * below;
        }
    };
    static Cosine cosine(const Direction& asked, const Direction& free) {
        std::uint64_t product = 0;
        std::uint64_t length = 1;
        for (std::size_t i = 0; i < kScalars; ++i) {
            product += asked[i] * free[i];
            length += free[i] * free[i];
        }
        return {product * product, length};
    }
};

} // namespace stoa::allocator
