// A framework's process in virtual time: the shipped driver core and dialer session around a brain. It does what
// frameworks/sdk/driver.cc's thread does, and checks what the scheduler is told.
//
// Owned by the World; single-threaded.
#pragma once

#include "frameworks/sdk/driver_core.h"
#include "tests/sim/brain.h"
#include "tests/sim/checker.h"
#include "tests/sim/links.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace stoa::sim {

class FrameworkNode : public Node {
public:
    struct Parts {
        EventQueue& queue;
        Network& network;
        Checker& checker;
        Rng& rng;
        const Trace& trace;
        NodeId master;
        // Of several: the one that stands first for office, as a follower sees it, late.
        std::function<std::optional<NodeId>()> first_master = {};
    };
    // Makes the brain, which may poke the node (from a disk's completion) and belongs to it.
    using MakeBrain = std::function<std::unique_ptr<Brain>(NodeId, std::function<void()> poke)>;

    FrameworkNode(const Parts& parts, const MakeBrain& make_brain);

    Brain& brain() { return *brain_; }
    const Links::Counters& linksCounters() const { return links_counters_; }
    // Another master stands first.
    void lookAgain() {
        if (up()) poke();
    }
    const sdk::DriverCore* driver() const { return process_ ? &process_->driver : nullptr; }
    // For a brain that wants an answer at once, as a scheduler does of its driver; Unavailable while the process is down.
    absl::Status say(Call call);

protected:
    void begin() override;
    void end() override;
    void run() override;

private:
    struct Process {
        Process(std::uint64_t seed, sdk::DriverCore::Options options, Links::Counters& counters)
            : rng(seed), links(0, rng, counters), driver(std::move(options)) {}
        Rng rng;
        Links links;
        sdk::DriverCore driver;
        sdk::DriverOutput output; // of the driver, to be carried out in this turn
    };

    void onArrival(DialerArrival arrival);
    void tell();

    Parts parts_;
    std::unique_ptr<Brain> brain_;
    Links::Counters links_counters_; // over all lives
    std::unique_ptr<Process> process_;
};

} // namespace stoa::sim
