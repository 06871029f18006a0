// The shipped batch queue as a simulated framework: jobs are submitted to it, arrays and such that wait for others,
// and it keeps them on a simulated disk. It does what frameworks/batch/main.cc's loop does. A submission that was
// answered must never be forgotten; that is what done() looks at. Later some jobs are released and some tasks cancelled.
// Every launch is looked at: what the job waits for has happened, and no more of an array run than it allows.
//
// Owned by a FrameworkNode; single-threaded.
#pragma once

#include "frameworks/batch/queue.h"
#include "protocol/output_commit.h"
#include "tests/sim/brain.h"
#include "tests/sim/checker.h"
#include "tests/sim/disk.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace stoa::sim {

class BatchBrain : public Brain {
public:
    struct Options {
        std::string name = "batch";
        // Submitted one after the other, each when the one before it was answered. They name those they wait for by
        // their place here. One that would never start, as things are by then, may be refused.
        std::vector<batch::JobSpec> jobs;
        std::vector<std::size_t> cancelled;    // places: one task of each is cancelled when all are submitted
        std::map<std::size_t, Duration> later; // places: begin no sooner than so long after their submission
    };

    BatchBrain(Options options, EventQueue& queue, NodeId node, std::function<void()> poke, Checker& checker, Rng& rng,
               FaultCounts& counts, FaultPlan faults);

    void begin(Time now) override;
    void end() override;
    FrameworkInfo info() const override;
    bool explicitAcknowledgements() const override { return true; }
    void told(const sdk::Told& told, Time now) override;
    void wake(Time now) override;
    std::optional<Time> nextDeadline() const override { return process_->queue.nextDeadline(); }
    std::vector<Call> takeCalls() override;
    void notSaid(const Call& call, Time now) override;
    void stopFaults() override { disk_.stopFaults(); }
    bool done() const override;
    const std::string& name() const override { return options_.name; }
    std::string describe() const override;
    // How often each thing that the queue can do was seen; 0 for those that were not.
    const std::map<std::string, std::uint64_t>& counts() const { return seen_; }

private:
    struct Process {
        explicit Process(const batch::Recovered& recovered) : queue({}, recovered) {}
        batch::Queue queue;
        OutputCommit<batch::Effect> commit;
        std::vector<Call> calls;
    };

    void step(const batch::Input& input, Time now);
    void ask(Time now);
    void onAnswer(const batch::Answer& answer);
    void checkLaunches(const batch::Output& output, Time now);
    bool hasHappened(const batch::Dependency& dependency) const;
    bool allSaid() const { return answered_.size() == options_.jobs.size() && done_changes_ == changes_.size(); }

    Options options_;
    NodeId node_;
    std::function<void()> poke_;
    Checker& checker_;
    Disk<batch::Record> disk_;
    std::unique_ptr<Process> process_;
    // What the submitters remember.
    std::vector<batch::JobNumber> answered_; // the numbers they were told; 0: refused
    struct LaterChange {
        std::size_t place = 0;
        bool release = false; // else a task is cancelled
    };
    std::vector<LaterChange> changes_;
    std::size_t done_changes_ = 0;
    bool asking_ = false;
    std::map<std::string, std::uint64_t> seen_ = {
        {"cancelled a task", 0},         {"released a job", 0},           {"launched at its limit", 0},
        {"launched behind after", 0},    {"launched behind afterok", 0},  {"launched behind afternotok", 0},
        {"launched behind afterany", 0}, {"launched with a priority", 0}, {"launched when its time came", 0},
    };
    batch::RequestId next_request_ = 1;
};

} // namespace stoa::sim
