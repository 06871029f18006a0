// @Name@ runs a number of tasks, each until it has ended well once, and is then done. Replace what it does by what you
// want; what it shows holds for any framework:
//
//   - it states what it wants (ask()), and the master offers just that;
//   - it writes down what it is about to do before it does it, so that the next run knows what this one began;
//   - after each subscription it asks how its tasks are (reconcile), since news may have been lost meanwhile.
#pragma once

#include "frameworks/sdk/flags.h"
#include "frameworks/sdk/framework_state.h"
#include "frameworks/sdk/scheduler.h"

#include <map>
#include <string>
#include <vector>

class @Name@ : public stoa::sdk::Scheduler {
public:
    struct Options {
        int tasks = 3;
        int attempts = 3;
        double cpus = 0.1;
        double mem = 32;
        std::string command = "echo hello from $STOA_TASK_ID";

        // Becomes --tasks=N and so on.
        void add(stoa::sdk::Flags& flags) {
            flags.add("tasks", tasks, "how many tasks to run");
            flags.add("attempts", attempts, "how often to run each until it ends well");
            flags.add("cpus", cpus, "processors of each");
            flags.add("mem", mem, "megabytes of memory of each");
            flags.add("command", command, "what each runs, a line for sh");
        }
    };

    // Throws what won't do.
    @Name@(const Options& options, stoa::sdk::FrameworkState& state);

    // Callbacks come one at a time, on one thread.
    void subscribed(stoa::sdk::Driver& driver, const stoa::event::Subscribed& info) override;
    void offers(stoa::sdk::Driver& driver, const std::vector<stoa::Offer>& offers) override;
    void update(stoa::sdk::Driver& driver, const stoa::TaskStatus& status) override;
    void error(stoa::sdk::Driver& driver, const std::string& message) override;

    int finished() const { return count(Phase::kFinished); }
    int failed() const { return count(Phase::kFailed); }

private:
    enum class Phase { kWaiting, kLaunched, kFinished, kFailed };
    struct Piece {
        Phase phase = Phase::kWaiting;
        int attempt = 1;
    };

    int count(Phase phase) const;
    // An id is used once: a further attempt at a piece is another task.
    stoa::TaskId taskOf(int piece) const;
    absl::Status keep(const std::vector<int>& pieces);
    void askOrEnd(stoa::sdk::Driver& driver);

    const Options options_;
    const stoa::Resources shape_;
    stoa::sdk::FrameworkState& state_;
    std::vector<Piece> pieces_;
};
