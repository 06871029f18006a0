// A simulated framework that has a number of pieces of work to run, each until it succeeds once. Its characters: one
// that states demands, one that takes whole remainders as Mesos's frameworks do, one that declines much, one that kills
// some of its tasks, one that runs gangs, one that never has enough. What it must not forget (its id, each piece's attempt) it writes down before it says anything.
//
// Owned by a FrameworkNode; single-threaded.
#pragma once

#include "protocol/rng.h"
#include "tests/sim/brain.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace stoa::sim {

class Worker : public Brain {
public:
    struct Options {
        std::string name;
        std::vector<std::string> roles = {"*"};
        std::uint32_t pieces = 10;
        Resources shape;
        bool states_demands = true;
        std::uint32_t declines = 0; // chances in a million
        std::uint32_t kills = 0;    // of a running task
        std::uint32_t gang = 0;     // pieces that it runs at once or not at all; 0: as they come
        // Executors that its tasks run in, on each agent so many as are needed; 0: its tasks are commands.
        std::uint32_t executors = 0;
        Resources executor_shape;
        bool endless = false; // does all of its work again, until it is told to finish
        // Tears itself down when so many pieces are done, with tasks still running; 0: never.
        std::uint32_t teardown_after = 0;
        Duration failover_timeout = std::chrono::hours(1);
        bool checkpoint = true; // else its tasks are lost with their agent's session
        // What its scheduler understands; without PARTITION_AWARE a task whose agent is away is lost to it.
        Capabilities capabilities = Capabilities::native();
        std::uint32_t updates = 0; // chances in a million, as often as it asks, that it takes or leaves a role
    };

    Worker(Options options, Rng& rng) : options_(std::move(options)), rng_(rng), book_(options_.pieces) {
        for (std::uint32_t piece = 0; piece < options_.pieces; ++piece) todo_.insert(piece);
    }

    void begin(Time now) override;
    void end() override {}
    FrameworkInfo info() const override;
    void told(const sdk::Told& told, Time now) override;
    void wake(Time now) override;
    std::optional<Time> nextDeadline() const override;
    std::vector<Call> takeCalls() override { return std::exchange(calls_, {}); }
    void notSaid(const Call& call, Time now) override;
    void stopFaults() override { options_.declines = 0; }
    void finish() { options_.endless = false; }
    bool endless() const { return options_.endless; }
    bool runsGangs() const { return options_.gang > 0; }
    bool over() const override { return options_.teardown_after > 0 && done_ >= options_.teardown_after; }
    bool done() const override { return over() || (done_ == options_.pieces && !options_.endless); }
    const std::string& name() const override { return options_.name; }
    std::string describe() const override;

private:
    enum class Phase : std::uint8_t { kTodo, kLaunched, kDone };
    struct Piece { // on its disk
        Phase phase = Phase::kTodo;
        std::uint32_t attempt = 1;
        bool kill = false;
    };

    void onOffer(const Offer& offer);
    void onGang(const std::vector<Offer>& offers);
    TaskInfo launch(const AgentId& agent);
    ExecutorId executorFor(std::uint32_t piece) const;
    // Tasks for the executors that live on the offer's agent, and for those that the offer has room for.
    std::vector<TaskInfo> launchInExecutors(const Offer& offer);
    void bother(const TaskStatus& status);
    void onStatus(const TaskStatus& status);
    void stateDemands();
    void changeRoles();
    TaskId taskId(std::uint32_t piece) const;
    // Absent for an attempt that isn't the latest.
    std::optional<std::uint32_t> pieceOf(const TaskId& task) const;
    void reconcile();

    Options options_;
    Rng& rng_;
    // On its disk.
    FrameworkId framework_;
    std::vector<Piece> book_;
    std::set<std::uint32_t> todo_;
    std::uint32_t done_ = 0;
    // In its memory.
    bool subscribed_ = false;
    std::optional<Time> reconcile_at_;
    std::vector<Call> calls_;
};

} // namespace stoa::sim
