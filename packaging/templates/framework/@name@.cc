#include "@name@.h"

#include "frameworks/sdk/plugin_face.h"
#include "protocol/codec/task_body.h"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <stdexcept>

using namespace stoa;

@Name@::@Name@(const Options& options, sdk::FrameworkState& state)
    : options_(options), shape_(Resources::cpusMem(options.cpus, options.mem)), state_(state) {
    if (options.tasks < 1 || options.attempts < 1) throw std::invalid_argument("--tasks and --attempts must be at least 1");
    pieces_.resize(options.tasks);
    // What the last run has written down.
    for (int piece = 0; piece < options.tasks; ++piece) {
        const auto kept = state_.get("piece/" + std::to_string(piece));
        int phase = 0;
        if (kept && std::sscanf(kept->c_str(), "%d %d", &phase, &pieces_[piece].attempt) == 2) {
            pieces_[piece].phase = static_cast<Phase>(phase);
        }
    }
}

void @Name@::subscribed(sdk::Driver& driver, const event::Subscribed& info) {
    std::cout << "subscribed as " << info.framework << std::endl;
    // How are the tasks that we believe live? Each comes as an update(), TASK_LOST for one that was never launched.
    std::vector<call::Reconcile::Task> launched;
    for (int piece = 0; piece < options_.tasks; ++piece) {
        if (pieces_[piece].phase == Phase::kLaunched) launched.push_back({taskOf(piece), {}});
    }
    if (!launched.empty()) driver.reconcile(launched).IgnoreError();
    askOrEnd(driver);
}

void @Name@::offers(sdk::Driver& driver, const std::vector<Offer>& offers) {
    for (const Offer& offer : offers) {
        call::Accept accept;
        accept.offers = {offer.id};
        accept.filters.refuse = Duration(0);
        std::vector<int> launched;
        auto fit = offer.resources.timesContained(shape_, static_cast<std::uint32_t>(count(Phase::kWaiting)));
        for (int piece = 0; piece < options_.tasks && fit > 0; ++piece) {
            if (pieces_[piece].phase != Phase::kWaiting) continue;
            --fit;
            pieces_[piece].phase = Phase::kLaunched;
            launched.push_back(piece);
            TaskInfo task;
            task.id = taskOf(piece);
            task.name = "@name@";
            task.agent = offer.agent;
            task.resources = shape_;
            TaskSpec spec;
            spec.command.shell = options_.command;
            task.body = makeTaskBody(spec);
            accept.launches.push_back(std::move(task));
        }
        // Write down first, then say. An accept of nothing gives the offer back.
        if (!keep(launched).ok()) return;
        if (driver.accept(std::move(accept)).ok()) continue;
        // The offer was rescinded meanwhile: nothing was launched, and another offer will come.
        for (int piece : launched) pieces_[piece].phase = Phase::kWaiting;
        if (!keep(launched).ok()) return;
    }
    askOrEnd(driver);
}

// Acknowledged when this returns: what must not be forgotten is written down by then.
void @Name@::update(sdk::Driver& driver, const TaskStatus& status) {
    for (int piece = 0; piece < options_.tasks; ++piece) {
        if (pieces_[piece].phase != Phase::kLaunched || taskOf(piece) != status.task) continue;
        std::cout << status.task << " " << name(status.state) << " " << status.message << std::endl;
        if (!isTerminal(status.state)) return;
        if (status.state == TaskState::kFinished) {
            pieces_[piece].phase = Phase::kFinished;
        } else if (pieces_[piece].attempt == options_.attempts) {
            pieces_[piece].phase = Phase::kFailed;
        } else {
            ++pieces_[piece].attempt;
            pieces_[piece].phase = Phase::kWaiting;
        }
        if (keep({piece}).ok()) askOrEnd(driver);
        return;
    }
}

// The master won't have this framework; the driver has stopped.
void @Name@::error(sdk::Driver&, const std::string& message) { std::cerr << "@name@: " << message << std::endl; }

int @Name@::count(Phase phase) const {
    return static_cast<int>(
        std::count_if(pieces_.begin(), pieces_.end(), [&](const Piece& piece) { return piece.phase == phase; }));
}

TaskId @Name@::taskOf(int piece) const {
    return TaskId("@name@-" + std::to_string(piece) + "." + std::to_string(pieces_[piece].attempt));
}

// Durable when it returns. Not OK: the disk refused; the driver ends by itself.
absl::Status @Name@::keep(const std::vector<int>& pieces) {
    std::vector<sdk::FrameworkState::Change> changes;
    for (int piece : pieces) {
        changes.push_back({"piece/" + std::to_string(piece), std::to_string(static_cast<int>(pieces_[piece].phase)) + " " +
                                                                 std::to_string(pieces_[piece].attempt)});
    }
    return state_.write(std::move(changes));
}

void @Name@::askOrEnd(sdk::Driver& driver) {
    if (finished() + failed() == options_.tasks) {
        std::cout << finished() << " finished, " << failed() << " failed" << std::endl;
        driver.teardown().IgnoreError(); // without a master at the moment: again when we are subscribed
        return;
    }
    Demand demand;
    demand.name = "@name@";
    demand.shape = shape_;
    demand.count = static_cast<std::uint32_t>(count(Phase::kWaiting));
    driver.setDemands({demand}).IgnoreError(); // kept, and restated after a reconnection
}

STOA_FRAMEWORK(@Name@, "@name@", "runs a number of tasks, each until it ends well")
