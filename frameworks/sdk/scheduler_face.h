// How a scheduler is met, by the driver of a daemon as by a test kit's: what a master hears of its framework, and which
// of its callbacks tells which news. Functions without state.
#pragma once

#include "frameworks/sdk/driver.h"
#include "frameworks/sdk/driver_core.h"
#include "frameworks/sdk/scheduler.h"

namespace stoa::sdk {

FrameworkInfo frameworkInfo(const DriverOptions& options);

void tellScheduler(Scheduler& scheduler, Driver& driver, const Told& told);

} // namespace stoa::sdk
