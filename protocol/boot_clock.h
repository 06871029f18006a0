// The daemons' reading of the clocks (units.h): the cores' one, time since the machine's boot, suspension included, which
// nobody can set; and the one that people go by. Only daemons and the wire read them; pure code is told the time. Usable
// from any thread.
#pragma once

#include "protocol/units.h"

#include <ctime>

namespace stoa {

inline Time bootTime() {
    std::timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return Time(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

inline WallTime wallTime() {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count()};
}

} // namespace stoa
