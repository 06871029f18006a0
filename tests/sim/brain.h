// What a simulated framework thinks with: it hears what the driver tells and says calls. Two kinds are in the box: a
// worker that runs a number of tasks to their end in several characters (worker.h), and the shipped batch queue
// (batch_brain.h). Owned by a FrameworkNode; single-threaded.
#pragma once

#include "frameworks/sdk/driver_core.h"
#include "protocol/units.h"

#include <optional>
#include <string>
#include <vector>

namespace stoa::sim {

class Brain {
public:
    virtual ~Brain() = default;

    // A new life: what was in memory is gone, what was durable is not.
    virtual void begin(Time now) = 0;
    virtual void end() = 0;
    virtual FrameworkInfo info() const = 0; // with the id, once it is durable
    virtual std::vector<std::string> suppressedRoles() const { return {}; }
    virtual bool explicitAcknowledgements() const { return false; }

    virtual void told(const sdk::Told& told, Time now) = 0;
    virtual void wake(Time now) = 0;
    virtual std::optional<Time> nextDeadline() const = 0;
    // What is to be said now, in order. notSaid() follows for each that the driver refused.
    virtual std::vector<Call> takeCalls() = 0;
    virtual void notSaid(const Call& call, Time now) = 0;

    // It has torn itself down: its process has ended and does not start again.
    virtual bool over() const { return false; }

    virtual void stopFaults() = 0;
    // All of its work has ended, as far as it knows durably.
    virtual bool done() const = 0;
    virtual const std::string& name() const = 0;
    virtual std::string describe() const = 0; // its name, and what it waits for
};

} // namespace stoa::sim
