// Chance as an argument: the pure cores and policies take a seeded Rng&, so that a whole cluster replays from one
// number. The engine is the standard library's, whose sequence is the same on every platform; its distributions'
// are not, so draw with below() and chance(). Owned by whoever seeds it; not thread-safe.
#pragma once

#include <cstdint>
#include <random>

namespace stoa {

class Rng {
public:
    explicit Rng(std::uint64_t seed) : engine_(seed) {}

    std::uint64_t next() { return engine_(); }
    // Uniform in [0, bound) for bound > 0, to within 2^-64·bound (Lemire's multiplication, without the rejection).
    std::uint64_t below(std::uint64_t bound) {
        return static_cast<std::uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
    }
    bool chance(std::uint32_t in_a_million) { return below(1'000'000) < in_a_million; }

private:
    std::mt19937_64 engine_;
};

} // namespace stoa
