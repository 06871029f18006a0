#include "master/page/events.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace stoa::master::page {

namespace {

constexpr std::size_t kPiece = 64; // entities rendered at a time

double secondsNow() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

Events::Events(const ReadModel& model, Hello hello) : model_(model), hello_(std::move(hello)) {}

void Events::start(Later later) {
    later_ = std::move(later);
    sample();
    later_(kBeat, [this] { beat(); });
}

void Events::open(http::Stream stream) {
    if (!stream.write(hello_(history_))) return;
    watchers_.push_back({std::move(stream), Snapshot{}});
    if (!advance(watchers_.back())) {
        watchers_.pop_back();
    } else if (watchers_.back().snapshot && !std::exchange(pacing_, true)) {
        later_(kPace, [this] { pace(); });
    }
}

// ---- What changed ------------------------------------------------------------------------------------------------

void Events::touch(const TaskKey& task, const AgentId& agent) {
    tasks_.insert(task);
    agents_.insert(agent); // its amounts change with the task
    frameworks_.insert(task.framework);
}

void Events::before(const Delta& delta) {
    if (watchers_.empty()) return; // whoever comes gets a snapshot
    if (const auto* agent = std::get_if<AgentChanged>(&delta)) {
        agents_.insert(agent->info.id);
    } else if (const auto* forgotten = std::get_if<AgentForgotten>(&delta)) {
        agents_gone_.insert(forgotten->agent);
    } else if (const auto* framework = std::get_if<FrameworkChanged>(&delta)) {
        frameworks_.insert(framework->info.id);
    } else if (const auto* removed = std::get_if<FrameworkForgotten>(&delta)) {
        frameworks_.insert(removed->framework);
    } else if (const auto* task = std::get_if<TaskChanged>(&delta)) {
        touch({task->framework, task->info.id}, task->info.agent);
    } else if (const auto* made = std::get_if<OfferMade>(&delta)) {
        agents_.insert(made->offer.agent);
        frameworks_.insert(made->offer.framework);
    } else if (const auto* gone = std::get_if<OfferGone>(&delta)) {
        if (auto offer = model_.offers().find(gone->offer); offer != model_.offers().end()) {
            agents_.insert(offer->second.agent);
            frameworks_.insert(offer->second.framework);
        }
    }
}

std::string Events::changes() {
    std::string lines;
    for (const AgentId& id : std::exchange(agents_gone_, {})) {
        if (!model_.agents().contains(id)) lines += agentGoneLine(id);
    }
    for (const AgentId& id : std::exchange(agents_, {})) {
        if (auto agent = model_.agents().find(id); agent != model_.agents().end()) lines += agentLine(agent->second);
    }
    for (const FrameworkId& id : std::exchange(frameworks_, {})) {
        if (const FrameworkView* framework = model_.find(id)) lines += frameworkLine(*framework);
    }
    for (const TaskKey& key : std::exchange(tasks_, {})) {
        if (const TaskView* task = model_.find(key)) lines += taskLine(*task);
    }
    return lines;
}

void Events::beat() {
    later_(kBeat, [this] { beat(); });
    if (watchers_.empty()) return;
    std::string lines = changes();
    since_said_ += kBeat;
    if (lines.empty() && since_said_ >= kQuiet) lines = "{\"type\":\"beat\"}\n";
    if (!lines.empty()) since_said_ = Duration{0};
    watchers_.remove_if([&](Watcher& watcher) {
        return lines.empty() ? !watcher.stream.ended().empty() : !watcher.stream.write(lines);
    });
}

void Events::sample() {
    later_(kSamples, [this] { sample(); });
    Sample now{secondsNow()};
    for (const auto& [id, agent] : model_.agents()) {
        if (agent.state != AgentChanged::State::kActive && agent.state != AgentChanged::State::kDisconnected) continue;
        for (std::size_t i = 0; i < 2; ++i) { // cpus and mem
            now[1 + 2 * i] += static_cast<double>(agent.info.resources.scalars()[i]) / 1000;
            now[2 + 2 * i] += static_cast<double>(agent.used.scalars()[i]) / 1000;
        }
        now[5] += static_cast<double>(agent.tasks);
    }
    if (now[1] == 0) return; // a standby's, or before the first agent came back
    history_.push_back(now);
    if (history_.size() > kKept) history_.pop_front();
    const std::string line = sampleLine(now);
    watchers_.remove_if([&](Watcher& watcher) { return !watcher.stream.write(line); });
}

// ---- Snapshots ---------------------------------------------------------------------------------------------------

void Events::pace() {
    watchers_.remove_if([this](Watcher& watcher) { return !advance(watcher); });
    pacing_ =
        std::any_of(watchers_.begin(), watchers_.end(), [](const Watcher& one) { return one.snapshot.has_value(); });
    if (pacing_) later_(kPace, [this] { pace(); });
}

bool Events::advance(Watcher& watcher) {
    while (watcher.snapshot) {
        if (watcher.stream.queued() > kAhead) return true; // goes on in pace()
        if (watcher.snapshot->part == Snapshot::Part::kLive) {
            watcher.snapshot.reset();
            return watcher.stream.write("{\"type\":\"live\"}\n");
        }
        if (std::string lines = piece(*watcher.snapshot); !lines.empty() && !watcher.stream.write(std::move(lines))) {
            return false;
        }
    }
    return watcher.stream.ended().empty();
}

// By ids rather than by iterators: what is listed changes between two pieces.
std::string Events::piece(Snapshot& at) const {
    std::string lines;
    auto list = [&](const auto& all, auto& last, Snapshot::Part next, auto line, std::size_t many = kPiece) {
        auto one = all.upper_bound(last);
        for (std::size_t i = 0; i < many && one != all.end(); ++i, ++one) {
            line(one->second);
            last = one->first;
        }
        if (one == all.end()) at.part = next;
    };
    switch (at.part) {
    case Snapshot::Part::kAgents:
        list(model_.agents(), at.agent, Snapshot::Part::kFrameworks,
             [&](const AgentView& agent) { lines += agentLine(agent); });
        break;
    case Snapshot::Part::kFrameworks:
        list(model_.frameworks(), at.framework, Snapshot::Part::kRemoved,
             [&](const FrameworkView& framework) { lines += frameworkLine(framework); });
        break;
    case Snapshot::Part::kRemoved: lines = nextRemoved(at); break;
    case Snapshot::Part::kEnded:
        list(
            model_.frameworks(), at.ended_of, Snapshot::Part::kTasks,
            [&](const FrameworkView& framework) {
                for (const TaskView& task : framework.completed) lines += taskLine(task);
            },
            1);
        break;
    case Snapshot::Part::kTasks:
        list(model_.tasks(), at.task, Snapshot::Part::kLive, [&](const TaskView& task) { lines += taskLine(task); });
        break;
    case Snapshot::Part::kLive: break;
    }
    return lines;
}

// One removed framework with its tasks; they leave the model from the front, so that when the last one sent is no longer
// there, those after it begin at the front.
std::string Events::nextRemoved(Snapshot& at) const {
    const std::deque<FrameworkView>& all = model_.completedFrameworks();
    auto one = std::find_if(all.begin(), all.end(),
                            [&](const FrameworkView& framework) { return framework.info.id == at.removed; });
    one = one == all.end() ? all.begin() : std::next(one);
    if (one == all.end()) {
        at.part = Snapshot::Part::kEnded;
        return "";
    }
    at.removed = one->info.id;
    std::string lines = frameworkLine(*one);
    for (const TaskView& task : one->completed) lines += taskLine(task);
    return lines;
}

} // namespace stoa::master::page
