// A master process in virtual time: the shipped core, the shipped session table and output commit, over a simulated
// network and disk. It does what master/main.cc's loop does, and checks what leaves it.
//
// Owned by the World; single-threaded.
#pragma once

#include "master/core/master.h"
#include "protocol/output_commit.h"
#include "protocol/session.h"
#include "tests/sim/checker.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/trace.h"

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <memory>
#include <vector>

namespace stoa::sim {

class MasterNode : public Node {
public:
    enum class Kind : std::uint8_t { kAgent, kFramework };
    // Which door a node comes in by.
    using KindOf = std::function<Kind(NodeId)>;

    struct Parts {
        EventQueue& queue;
        Network& network;
        Checker& checker;
        Rng& rng;
        FaultCounts& counts;
        FaultPlan faults;
        const Trace& trace;
        KindOf kind_of;
        bool check_each_turn = true; // O(everything) per turn: for small worlds
    };

    MasterNode(const Parts& parts, master::Options options);

    const master::Master* core() const { return process_ ? &process_->core : nullptr; }
    std::uint64_t epoch() const { return epoch_; }
    void stopFaults() { disk_.stopFaults(); }

protected:
    void begin() override;
    void end() override;
    void run() override;

private:
    struct Process {
        Process(std::uint64_t epoch, master::Options options, master::Recovered recovered, Time now);
        SessionTable sessions;
        master::Master core;
        OutputCommit<master::Effect> commit;
        absl::flat_hash_map<Peer, Kind> kinds;
        std::vector<std::pair<Connection, Frame>> inbox;
    };

    void onArrival(Arrival arrival, master::Output& output);
    void onMessage(Peer peer, const Body& body, master::Output& output);
    void carryOut(master::Output output);
    void perform(master::Effect effect);
    void checkDurable(const ToAgent& message) const;
    void checkDurable(const Event& event) const;
    template <class R>
    bool onDisk(const std::function<bool(const R&)>& is) const;

    Parts parts_;
    master::Options options_;
    Disk<master::Record> disk_;
    std::uint64_t epoch_ = 0; // on disk, raised durably before a process starts
    std::unique_ptr<Process> process_;
    SessionTable::Output out_;
};

} // namespace stoa::sim
