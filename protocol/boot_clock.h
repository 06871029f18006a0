// The daemons' reading of the cores' clock (units.h): time since the machine's boot, suspension included, which nobody can
// set. Only daemons and the wire read it; pure code is told the time. Usable from any thread.
#pragma once

#include "protocol/units.h"

#include <ctime>

namespace stoa {

inline Time bootTime() {
    std::timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return Time(std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec));
}

} // namespace stoa
