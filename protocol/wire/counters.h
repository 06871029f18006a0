// What a wire endpoint has counted since its start, for metrics and for tests. A plain value.
#pragma once

#include "protocol/session_end.h"

#include <array>
#include <cstdint>

namespace stoa {

struct WireCounters {
    SessionCounters sessions;
    std::uint64_t open_sessions = 0; // now
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::array<std::uint64_t, kFrameErrors> malformed{}; // by FrameError
    std::uint64_t unsent = 0;         // frames that ZeroMQ didn't take (queue full, peer gone); sent again later
    std::uint64_t stale_sends = 0;    // messages for a session that had ended
    std::uint64_t reading_pauses = 0; // times the owner was too far behind

    std::uint64_t malformedTotal() const {
        std::uint64_t total = 0;
        for (std::uint64_t count : malformed) total += count;
        return total;
    }
};

} // namespace stoa
