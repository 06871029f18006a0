// Random values of every message, from a seed: what round trips and damage are tried on. Each field is set in some
// values and left as it was in others. For tests; a value of this class belongs to one test.
#pragma once

#include "protocol/codec/executor_info.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/codec/task_body.h"
#include "protocol/message/agent.h"
#include "protocol/rng.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace stoa {

class RandomMessages {
public:
    explicit RandomMessages(std::uint64_t seed) : rng_(seed) {}

    Rng& rng() { return rng_; }
    bool flip() { return rng_.chance(500'000); }
    std::int64_t upTo(std::uint64_t bound) { return static_cast<std::int64_t>(rng_.below(bound)); }

    std::string word() {
        static constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz0123456789-_. ";
        std::string out = "w";
        for (std::uint64_t n = rng_.below(12); n > 0; --n) out += kLetters[rng_.below(kLetters.size())];
        if (rng_.chance(100'000)) out += "é世";
        return out;
    }
    // What JSON has to escape, too.
    std::string sentence() { return flip() ? std::string() : word() + "\t\"\\/\n" + word(); }
    std::string bytes() {
        std::string out;
        for (std::uint64_t n = rng_.below(20); n > 0; --n) out += static_cast<char>(rng_.below(256));
        return out;
    }
    template <class AnyId>
    AnyId id() {
        return AnyId(word());
    }
    template <class AnyId>
    AnyId idOrNone() {
        return flip() ? AnyId() : AnyId(word());
    }
    // Whole milliseconds: JSON has seconds as doubles.
    Duration duration() { return std::chrono::milliseconds(upTo(1'000'000'000)); }
    Uuid uuid() {
        Uuid out;
        for (auto& byte : out) byte = static_cast<std::uint8_t>(rng_.below(256));
        return out;
    }
    std::vector<std::string> roles(std::uint64_t least) {
        std::vector<std::string> out;
        for (std::uint64_t n = least; n < least + rng_.below(3); ++n) out.push_back(concat("role", n));
        if (out.size() < least) out.push_back("*");
        return out;
    }
    Labels labels() {
        Labels out;
        for (std::uint64_t n = rng_.below(3); n > 0; --n) out[word()] = sentence();
        return out;
    }
    Ranges ranges() {
        std::vector<Ranges::Interval> out;
        std::uint64_t at = 0;
        for (std::uint64_t n = 1 + rng_.below(3); n > 0; --n) {
            at += 2 + rng_.below(1000);
            const std::uint64_t first = at;
            at += rng_.below(1000);
            out.push_back({first, at});
        }
        return *Ranges::of(std::move(out));
    }

    Resources resources() {
        Resources out;
        for (std::size_t i = 0; i < Resources::kScalars; ++i) {
            if (flip()) out.setScalar(static_cast<Resources::Scalar>(i), {upTo(10'000'000)});
        }
        if (flip()) {
            EXPECT_TRUE(out.add({"ports", ranges()}).ok());
        }
        if (flip()) {
            EXPECT_TRUE(out.add({"bandwidth", Milli{1 + upTo(1'000'000)}}).ok());
        }
        if (flip()) {
            EXPECT_TRUE(out.add({"disks", NameSet{"sda", "sdb"}}).ok());
        }
        return out;
    }
    Attributes attributes() {
        Attributes out;
        if (flip()) out.push_back({"rack", word()});
        if (flip()) out.push_back({"speed", Milli{upTo(100'000) - 50'000}});
        if (flip()) out.push_back({"vlan", ranges()});
        return out;
    }
    Address address() {
        return {flip() ? "127.0.0.1" : "host.example", static_cast<std::uint16_t>(rng_.below(65'536))};
    }

    FrameworkInfo frameworkInfo() {
        FrameworkInfo out;
        out.name = word();
        if (flip()) out.user = word();
        out.id = idOrNone<FrameworkId>();
        out.roles = roles(1);
        if (flip()) out.failover_timeout = duration();
        out.checkpoint = flip();
        if (flip()) out.hostname = word();
        if (flip()) out.webui_url = "http://" + word();
        if (flip()) out.principal = word();
        out.labels = labels();
        if (flip()) {
            out.capabilities = {};
            for (std::size_t i = 0; i < kCapabilities; ++i) {
                if (flip()) out.capabilities.add(static_cast<Capability>(i));
            }
            if (out.roles.size() > 1) out.capabilities.add(Capability::kMultiRole);
        }
        return out;
    }
    TaskSpec taskSpec() {
        TaskSpec out;
        if (flip()) {
            out.command.shell = "echo " + word();
        } else {
            out.command.argv = {word(), "", sentence()};
        }
        if (flip()) out.command.environment = {{"A", sentence()}, {"PATH", "/bin"}};
        if (flip()) out.command.user = word();
        if (flip())
            out.inputs = {{"http://h/" + word(), word() + "/x", flip(), flip()}, {"file:///x", "", flip(), flip()}};
        out.labels = labels();
        if (flip()) out.kill_grace = duration();
        if (flip()) out.writable_paths = {"/data", "/srv/" + word()};
        if (flip()) out.work_directory = "/home/" + word();
        if (flip()) out.time_limit = std::chrono::nanoseconds(rng_.below(1'000'000'000'000));
        if (out.time_limit && flip()) {
            out.limit_warning =
                LimitWarning{static_cast<int>(1 + rng_.below(64)), std::chrono::seconds(rng_.below(99))};
        }
        out.attempt = static_cast<std::uint32_t>(1 + rng_.below(5));
        if (flip()) out.data = bytes();
        return out;
    }
    TaskInfo taskInfo() {
        TaskInfo out;
        out.id = id<TaskId>();
        out.name = word();
        out.agent = id<AgentId>();
        out.executor = idOrNone<ExecutorId>();
        out.resources = resources();
        out.body = makeTaskBody(taskSpec());
        return out;
    }
    // As an agent would have read it out of a task.
    ExecutorInfo executorInfo() {
        ExecutorSpec spec;
        spec.id = id<ExecutorId>();
        spec.name = word();
        spec.command.shell = "true";
        spec.resources = resources();
        spec.data = bytes();
        TaskInfo task;
        task.executor = spec.id;
        task.body = makeTaskBody(TaskSpec{}, spec);
        return readTaskExecutor(id<FrameworkId>(), task).value();
    }
    TaskState state() { return static_cast<TaskState>(rng_.below(kTaskStates)); }
    TaskStatus taskStatus() {
        TaskStatus out;
        out.task = id<TaskId>();
        out.agent = idOrNone<AgentId>();
        out.executor = idOrNone<ExecutorId>();
        out.state = state();
        out.source = static_cast<StatusSource>(rng_.below(3));
        out.reason = static_cast<Reason>(rng_.below(kReasons));
        out.message = sentence();
        if (flip()) out.uuid = uuid();
        // JSON has it as a double, whose neighbours are here a quarter of a microsecond apart.
        out.timestamp.nanos = 1'700'000'000'000'000'000 + upTo(1000) * 500'000'000;
        if (flip()) out.pid = upTo(100'000);
        if (flip()) out.start_time = rng_.next();
        if (flip()) out.isolation = "oci/crun";
        if (flip())
            out.outcome = {static_cast<int>(rng_.below(70'000)), flip(), upTo(1'000'000'000'000), {upTo(1u << 30)}};
        out.data = bytes();
        return out;
    }
    AgentInfo agentInfo() {
        return {idOrNone<AgentId>(), word(), address(), resources(), attributes(), flip() ? word() : "", "0.1.0"};
    }
    Incarnation incarnation() { return {word(), word()}; }
    AgentTask agentTask() { return {id<FrameworkId>(), taskInfo(), state(), taskStatus()}; }
    template <class Make>
    auto several(Make make) {
        std::vector<decltype(make())> out;
        for (std::uint64_t n = rng_.below(4); n > 0; --n) out.push_back(make());
        return out;
    }

    FromAgent fromAgent() {
        switch (rng_.below(5)) {
        case 0:
            return agent_says::Register{agentInfo(), incarnation(), several([&] { return agentTask(); }),
                                        several([&] { return frameworkInfo(); }), several([&] {
                                            return AgentExecutor{id<FrameworkId>(), executorInfo()};
                                        })};
        case 1: return agent_says::StatusUpdate{id<FrameworkId>(), taskStatus(), state()};
        case 2: return agent_says::ToFramework{id<FrameworkId>(), id<ExecutorId>(), bytes()};
        case 3:
            return agent_says::ExecutorEnded{id<FrameworkId>(), id<ExecutorId>(),
                                             flip() ? std::optional<int>(7) : std::nullopt};
        default: return agent_says::Unregister{};
        }
    }
    ToAgent toAgent() {
        switch (rng_.below(8)) {
        case 0: return master_says::Registered{id<AgentId>(), duration()};
        case 1: return master_says::Refused{sentence()};
        case 2: return master_says::Launch{frameworkInfo(), taskInfo(), flip()};
        case 3:
            return master_says::Kill{id<FrameworkId>(), id<TaskId>(),
                                     flip() ? std::optional<Duration>(duration()) : std::nullopt};
        case 4: return master_says::AcknowledgeUpdate{id<FrameworkId>(), id<TaskId>(), uuid()};
        case 5: return master_says::ShutdownFramework{id<FrameworkId>()};
        case 6: return master_says::ToExecutor{id<FrameworkId>(), id<ExecutorId>(), bytes()};
        default: return master_says::ShutdownExecutor{id<FrameworkId>(), id<ExecutorId>()};
        }
    }

    Demand demand() {
        Demand out{word(), "*", resources(), static_cast<std::uint32_t>(rng_.below(100)), {}};
        if (flip()) out.constraints.push_back({"rack", Constraint::Operator::kNotEquals, word()});
        if (flip()) out.constraints.push_back({"ssd", Constraint::Operator::kExists, ""});
        if (flip()) out.gang = Gang{static_cast<std::uint32_t>(rng_.below(9))};
        return out;
    }
    Filters filters() { return {duration()}; }
    Call callBody() {
        const auto offers = [&] { return several([&] { return id<OfferId>(); }); };
        switch (rng_.below(13)) {
        case 0: return call::Subscribe{frameworkInfo(), roles(0)};
        case 1: return call::Accept{offers(), several([&] { return taskInfo(); }), filters()};
        case 2: return call::Decline{offers(), filters()};
        case 3: return call::Revive{roles(0)};
        case 4: return call::Suppress{roles(0)};
        case 5: return call::SetDemands{several([&] { return demand(); })};
        case 6:
            return call::Kill{id<TaskId>(), idOrNone<AgentId>(),
                              flip() ? std::optional<Duration>(duration()) : std::nullopt};
        case 7: return call::Acknowledge{id<AgentId>(), id<TaskId>(), uuid()};
        case 8:
            return call::Reconcile{several([&] { return call::Reconcile::Task{id<TaskId>(), idOrNone<AgentId>()}; })};
        case 9: return call::Message{id<AgentId>(), id<ExecutorId>(), bytes()};
        case 10: return call::Shutdown{id<AgentId>(), id<ExecutorId>()};
        case 11: return call::UpdateFramework{frameworkInfo(), roles(0)};
        default: return call::Teardown{};
        }
    }
    AddressedCall call() { return {id<FrameworkId>(), callBody()}; }

    Offer offer() {
        Offer out{id<OfferId>(), id<FrameworkId>(), id<AgentId>(), word(), address(),
                  "*",           resources(),       attributes(),  "",     0};
        if (flip()) {
            out.demand = word();
            out.count = static_cast<std::uint32_t>(1 + rng_.below(9));
            if (flip()) out.gang = id<OfferId>();
        }
        return out;
    }
    Event event() {
        switch (rng_.below(8)) {
        case 0: return event::Subscribed{id<FrameworkId>(), duration(), word(), address(), rng_.next()};
        case 1: return event::Offers{several([&] { return offer(); })};
        case 2: return event::Rescind{id<OfferId>()};
        case 3: return event::Update{taskStatus()};
        case 4: return event::Message{id<AgentId>(), id<ExecutorId>(), bytes()};
        case 5:
            return event::Failure{idOrNone<AgentId>(), idOrNone<ExecutorId>(),
                                  flip() ? std::optional<int>(1792) : std::nullopt};
        case 6: return event::Error{sentence()};
        default: return event::Heartbeat{};
        }
    }

private:
    Rng rng_;
};

} // namespace stoa
