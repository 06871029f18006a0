// A machine without a machine, for tests of the agent's core: a disk that makes records durable when told, a launcher
// that keeps its containers over a crash of the agent, and a master's ear. One thread, no time but the one it is given.
#pragma once

#include "agent/core/agent.h"
#include "protocol/codec/task_body.h"

#include <chrono>
#include <csignal>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace stoa::agent {

using namespace std::chrono_literals;

inline FrameworkInfo framework(std::string id = "f") {
    FrameworkInfo info;
    info.name = "test";
    info.id = FrameworkId(std::move(id));
    info.checkpoint = true;
    return info;
}

inline TaskInfo task(std::string id, double cpus = 1, double mem = 64) {
    TaskInfo info;
    info.id = TaskId(std::move(id));
    info.agent = AgentId("a1");
    info.resources = Resources::cpusMem(cpus, mem);
    info.body = emptyTaskBody();
    return info;
}

inline TaskKey key(std::string id, std::string of = "f") { return {FrameworkId(std::move(of)), TaskId(std::move(id))}; }

// As waitpid() packs them.
inline TaskOutcome exited(int code) {
    TaskOutcome outcome;
    outcome.wait_status = code << 8;
    return outcome;
}
inline TaskOutcome signalled(int signal) {
    TaskOutcome outcome;
    outcome.wait_status = signal;
    return outcome;
}

class World {
public:
    struct Container {
        bool running = false;
        std::optional<TaskOutcome> outcome;
        int launches = 0;
        bool signalled = false;      // by SIGTERM
        std::vector<int> warnings{}; // other signals
        bool destroyed = false;
    };

    explicit World(Resources resources = Resources::cpusMem(4, 1024)) : resources_(std::move(resources)) { start(); }

    // The agent's process begins, from what is durable.
    void start() {
        Agent::Options options;
        options.info.hostname = "host";
        options.info.resources = resources_;
        options.info.isolation = "fake";
        options.incarnation = {"boot", "work"};
        Recovered recovered;
        recovered.records = disk;
        for (const auto& [key, container] : containers) {
            launcher_says::KnownContainer known;
            known.key = key;
            known.running = container.running;
            known.launching = !container.running && !container.outcome;
            if (container.running) known.pid = 4711;
            if (container.outcome) known.outcome = *container.outcome;
            recovered.containers.push_back(known);
        }
        commit_ = std::make_unique<OutputCommit<Effect>>();
        pending_.clear();
        connection = 0;
        Output out;
        agent = std::make_unique<Agent>(options, recovered, rng_, now, WallTime{now.time_since_epoch().count()}, out);
        take(std::move(out));
    }
    // kill -9: what isn't durable is gone, and so is everything held back.
    void crash() {
        agent.reset();
        start();
    }
    void useResources(Resources resources) { resources_ = std::move(resources); }

    void step(const Input& input) {
        if (std::holds_alternative<MasterConnected>(input)) ++connection;
        Output out;
        agent->step(input, now, WallTime{now.time_since_epoch().count()}, out);
        take(std::move(out));
    }
    void say(ToAgent message) { step(MasterMessage{std::move(message)}); }
    void launch(TaskInfo info, FrameworkInfo of = framework()) {
        say(master_says::Launch{std::move(of), std::move(info)});
    }
    void acknowledge(const TaskStatus& status, std::string of = "f") {
        say(master_says::AcknowledgeUpdate{FrameworkId(std::move(of)), status.task, status.uuid.value()});
    }
    void connect() {
        step(MasterConnected{});
        say(master_says::Registered{AgentId("a1"), Duration{0}});
    }
    void started(const TaskKey& key) {
        containers[key].running = true;
        step(launcher_says::ContainerStarted{key, 4711, 99, ""});
    }
    void ended(const TaskKey& key, TaskOutcome outcome, std::string unknown = "") {
        containers[key].running = false;
        containers[key].outcome = outcome;
        step(launcher_says::ContainerExited{key, outcome, std::move(unknown)});
    }
    // Lets time pass and wakes the agent whenever it asked for it.
    void pass(Duration time) {
        const Time until = now + time;
        while (agent->nextDeadline() && *agent->nextDeadline() <= until) {
            now = std::max(now, *agent->nextDeadline());
            step(Wake{});
        }
        now = until;
    }
    // The disk has done the first `count` of what it was given, or all.
    void sync(std::size_t count = SIZE_MAX) {
        for (; count > 0 && !pending_.empty(); --count) {
            disk.push_back(std::move(pending_.front()));
            pending_.pop_front();
            commit_->durable(commit_->durableUpTo() + 1);
        }
        carryOut();
    }
    std::size_t pendingCount() const { return pending_.size(); }

    // ---- What was seen
    std::vector<TaskStatus> updates(const std::string& id) const {
        std::vector<TaskStatus> found;
        for (const FromAgent& message : heard) {
            const auto* update = std::get_if<agent_says::StatusUpdate>(&message);
            if (update != nullptr && update->status.task.value() == id) found.push_back(update->status);
        }
        return found;
    }
    TaskStatus lastUpdate(const std::string& id) const {
        const auto all = updates(id);
        return all.empty() ? TaskStatus{} : all.back();
    }
    template <class T>
    std::vector<T> said() const {
        std::vector<T> found;
        for (const FromAgent& message : heard) {
            if (const T* one = std::get_if<T>(&message)) found.push_back(*one);
        }
        return found;
    }
    const Container* container(const std::string& id) const {
        const auto found = containers.find(key(id));
        return found == containers.end() ? nullptr : &found->second;
    }

    Time now{1s};
    bool auto_sync = true; // each step's records are durable before the next
    std::unique_ptr<Agent> agent;
    std::vector<Record> disk;
    std::map<TaskKey, Container> containers; // not forgotten
    std::map<TaskKey, int> launches;         // over all time
    std::vector<FromAgent> heard;            // by the master
    std::vector<LaunchExecutor> executors;   // launched, over all time
    std::map<TaskKey, Resources> limits;     // last set
    std::map<std::uint64_t, std::vector<ExecutorEvent>> streams;
    std::vector<Stop> stops;
    std::uint64_t connection = 0;
    std::vector<std::string> violations;

private:
    void take(Output out) {
        for (Record& record : out.records) pending_.push_back(std::move(record));
        for (Output::Said& said : out.effects) commit_->add(0, std::move(said.effect), said.waits_for);
        if (std::string broken = agent->violation(); !broken.empty()) violations.push_back(broken);
        if (auto_sync)
            sync();
        else
            carryOut();
    }
    void carryOut() {
        for (Effect& effect : commit_->take()) {
            if (auto* said = std::get_if<ToMaster>(&effect)) {
                if (said->connection == connection) heard.push_back(std::move(said->message));
            } else if (auto* launch = std::get_if<LaunchContainer>(&effect)) {
                const TaskKey key{launch->framework.id, launch->task.id};
                ++containers[key].launches;
                ++launches[key];
            } else if (auto* signal = std::get_if<SignalContainer>(&effect)) {
                if (signal->signal == SIGTERM) {
                    containers[signal->key].signalled = true;
                } else {
                    containers[signal->key].warnings.push_back(signal->signal);
                }
            } else if (auto* destroy = std::get_if<DestroyContainer>(&effect)) {
                containers[destroy->key].destroyed = true;
            } else if (auto* executor = std::get_if<LaunchExecutor>(&effect)) {
                ++containers[executor->key].launches;
                ++launches[executor->key];
                executors.push_back(*executor);
            } else if (auto* limit = std::get_if<LimitContainer>(&effect)) {
                limits[limit->key] = limit->limits;
            } else if (auto* event = std::get_if<ToExecutor>(&effect)) {
                streams[event->stream].push_back(event->event);
            } else if (auto* forget = std::get_if<ForgetContainer>(&effect)) {
                containers.erase(forget->key);
            } else if (auto* stop = std::get_if<Stop>(&effect)) {
                stops.push_back(*stop);
            }
        }
    }

    Rng rng_{7};
    Resources resources_;
    std::unique_ptr<OutputCommit<Effect>> commit_;
    std::deque<Record> pending_;
};

} // namespace stoa::agent
