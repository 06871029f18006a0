// The units that quantities bear in their types: time as the pure cores see it, bytes, and thousandths of a
// resource's unit (Mesos's fixed point of three decimals: 1500 milli of cpus is one and a half processors,
// 1500 milli of mem is one and a half megabytes). Plain values, usable from any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace stoa {

using Duration = std::chrono::nanoseconds;

// The cores' clock: CLOCK_BOOTTIME in a daemon, virtual in the simulator. It has no now(): time is an argument.
struct CoreClock {
    using rep = Duration::rep;
    using period = Duration::period;
    using duration = Duration;
    using time_point = std::chrono::time_point<CoreClock>;
    static constexpr bool is_steady = true;
};
using Time = CoreClock::time_point;

// What a person calls time: nanoseconds since 1970, for status updates and the page; nothing is decided by it but
// whether a job that a person wants to begin at some time may begin.
struct WallTime {
    std::int64_t nanos = 0;
    friend auto operator<=>(const WallTime&, const WallTime&) = default;
};

// Thousandths of a resource's unit.
struct Milli {
    std::int64_t count = 0;

    friend constexpr auto operator<=>(const Milli&, const Milli&) = default;
    friend constexpr Milli operator+(Milli a, Milli b) { return {a.count + b.count}; }
    friend constexpr Milli operator-(Milli a, Milli b) { return {a.count - b.count}; }
};

struct Bytes {
    std::int64_t count = 0;
    friend constexpr auto operator<=>(const Bytes&, const Bytes&) = default;
};

// Memory and disk are counted in megabytes of 2^20 bytes on the wire.
constexpr Bytes bytesOfMegabytes(Milli megabytes) { return {megabytes.count * (std::int64_t{1} << 20) / 1000}; }

} // namespace stoa
