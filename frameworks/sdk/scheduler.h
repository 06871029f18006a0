// What a framework writer meets: a Scheduler is what you write, a Driver is what you are given to speak with. The
// driver tells the scheduler what happens, one callback at a time and on one thread; from within a callback (or any
// other thread) the scheduler answers through the driver.
//
//   class Hello : public stoa::sdk::Scheduler {
//       void subscribed(Driver& driver, const event::Subscribed&) override { driver.setDemands({…}); }
//       void offers(Driver& driver, const std::vector<Offer>& offers) override { driver.accept({…}); }
//       void update(Driver& driver, const TaskStatus& status) override { if (isTerminal(status.state)) driver.stop(); }
//   };
//
// Nothing said to the driver is queued for a better day: a call made while no master is subscribed to returns
// Unavailable and is gone, because its premises (these offers, this list of tasks) may be gone too. When subscribed()
// comes again, every earlier offer is void and the scheduler should reconcile its tasks. The one exception is
// setDemands, which states a wish and not an action: the driver keeps the last list and restates it.
//
// The scheduler outlives its driver and is owned by whoever made it; the driver never throws and never blocks.
#pragma once

#include "protocol/message/framework.h"

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <vector>

namespace stoa::sdk {

class Driver {
public:
    virtual ~Driver() = default;

    // Launches tasks on what these offers hold; they must all be on one agent. What isn't used returns to the pool
    // and is not offered again for `filters.refuse`. NotFound: an offer was rescinded, used, or is of an earlier
    // session; nothing was said then.
    // A gang's offers (Offer::gang, from one call of offers()) are accepted in one call that names all of them; all of
    // its tasks are launched or, when one can't be, none. To decline one of them declines all.
    virtual absl::Status accept(call::Accept accept) = 0;
    virtual absl::Status decline(call::Decline decline) = 0;

    // What the framework wants, all of it: replaces what it said before. Always succeeds; see above.
    virtual absl::Status setDemands(std::vector<Demand> demands) = 0;
    // No offers for these roles (all, when empty) until revive().
    virtual absl::Status suppress(std::vector<std::string> roles) = 0;
    // Offers again, and forgets refusals.
    virtual absl::Status revive(std::vector<std::string> roles) = 0;

    virtual absl::Status kill(call::Kill kill) = 0;
    // Only under explicit acknowledgements, and then for every status with a uuid: it comes again until it is
    // acknowledged.
    virtual absl::Status acknowledge(const TaskStatus& status) = 0;
    // Asks for the state of these tasks, or, when empty, of all that the master knows of. Answers come as update().
    virtual absl::Status reconcile(std::vector<call::Reconcile::Task> tasks) = 0;
    virtual absl::Status message(call::Message message) = 0;
    virtual absl::Status shutdown(call::Shutdown shutdown) = 0;

    // Ends every task of the framework and the framework itself, then stops.
    virtual absl::Status teardown() = 0;
    // Ends the driver alone: tasks go on for the framework's failover_timeout, within which a driver with the same
    // framework id may take over.
    virtual void stop() = 0;

    // Empty before the first subscription. A framework that wants to find its tasks again after a restart keeps it.
    virtual FrameworkId frameworkId() const = 0;
    // Asks for one woken() at this time (the last call counts).
    virtual void wakeAt(Time when) = 0;
    // The clock of wakeAt() and woken(). In a test kit time is virtual: a scheduler asks here and nowhere else.
    virtual Time now() const = 0;
};

class Scheduler {
public:
    virtual ~Scheduler() = default;

    // At first, and after each reconnection; `info.framework` is the id to keep.
    virtual void subscribed(Driver& driver, const event::Subscribed& info) = 0;
    // The master is gone; all offers are void. The driver goes on trying.
    virtual void disconnected(Driver&, const std::string& /*why*/) {}
    virtual void offers(Driver& driver, const std::vector<Offer>& offers) = 0;
    virtual void rescinded(Driver&, const OfferId&) {}
    // May come more than once. Acknowledged when this returns, unless acknowledgements are explicit.
    virtual void update(Driver& driver, const TaskStatus& status) = 0;
    virtual void message(Driver&, const event::Message&) {}
    // An agent or an executor was lost; its tasks' updates come by themselves.
    virtual void failure(Driver&, const event::Failure&) {}
    // The master won't have this framework (refused, torn down, or replaced by another scheduler with the same id).
    // The driver has stopped.
    virtual void error(Driver& driver, const std::string& message) = 0;
    // The time given to wakeAt() has come.
    virtual void woken(Driver&, Time /*now*/) {}
    // DriverOptions::watched_fd can be read; it is watched again after this returns.
    virtual void readable(Driver&) {}
};

} // namespace stoa::sdk
