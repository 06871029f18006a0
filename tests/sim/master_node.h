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
#include "tests/sim/office.h"
#include "tests/sim/trace.h"

#include <absl/container/flat_hash_map.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
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
        // With several masters: where they elect a leader, and what it has stored there. Null: this one leads alone, on a
        // disk of its own.
        ZooKeeperModel* zookeeper = nullptr;
        RegistryLog* registry = nullptr;
        // A leader stepped down, and its process ended.
        std::function<void(MasterNode&)> ended = {};
    };

    MasterNode(const Parts& parts, master::Options options);

    // Null while it doesn't lead.
    const master::Master* core() const { return process_ ? process_->core.get() : nullptr; }
    std::uint64_t epoch() const { return epoch_; }
    // Over all lives; of those that the report wants.
    master::Counters counters() const;
    bool leads() const { return core() != nullptr && (!process_->office || process_->office->leads(now())); }
    // Stands still in the middle of its next turn: what it says then leaves it when it goes on.
    void pauseMidway(Duration length);
    void stopFaults() {
        disk_.stopFaults();
        midway_.reset();
    }

protected:
    void begin() override;
    void end() override;
    void run() override;

private:
    struct Process {
        explicit Process(std::uint64_t epoch);
        SessionTable sessions;
        std::optional<Office> office; // of several masters
        std::unique_ptr<master::Master> core;
        OutputCommit<master::Effect> commit;
        absl::flat_hash_map<Peer, Kind> kinds;
        std::vector<std::pair<Connection, Frame>> inbox;
        std::optional<Time> gave_up; // the last agent
    };

    void trace(const std::string& what) const { parts_.trace.line(name_, what); }
    void lead(master::Recovered recovered);
    bool turnOfOffice();
    void sendFrames();
    void onArrival(Arrival arrival, master::Output& output);
    void onMessage(Peer peer, const Body& body, master::Output& output);
    void carryOut(master::Output output);
    void perform(master::Effect effect);
    void checkDurable(const ToAgent& message) const;
    void checkDurable(const Event& event) const;
    void checkDurable(const master::Delta& delta) const;
    // Those that it gives up come one by one, and those that it has given up are no more than it may keep.
    void checkGivenUp(const std::vector<master::Record>& records);
    template <class R>
    bool onDisk(const std::function<bool(const R&)>& is) const;

    Parts parts_;
    master::Options options_;
    Disk<master::Record> disk_;
    std::string name_ = "master";
    std::uint64_t epoch_ = 0; // alone: on disk, raised durably before a process starts; else that of its office
    std::optional<Duration> midway_;
    master::Counters counters_; // of earlier lives
    std::unique_ptr<Process> process_;
    SessionTable::Output out_;
};

} // namespace stoa::sim
