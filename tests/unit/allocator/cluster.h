// A cluster for the allocator's tests: an Allocator with a clock and chance of its own, built in a line, whose calls
// must succeed unless the test says otherwise and whose invariants are checked after each. For tests only.
#pragma once

#include "allocator/allocator.h"
#include "protocol/ids.h"
#include "protocol/message/framework.h"
#include "protocol/resources/resources.h"
#include "protocol/rng.h"
#include "protocol/units.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace stoa::allocator {

inline Resources cpusMem(double cpus, double mem) { return Resources::cpusMem(cpus, mem); }

inline Demand demand(const std::string& name, const Resources& shape, std::uint32_t count,
                     const std::string& role = "*") {
    Demand wanted;
    wanted.name = name;
    wanted.role = role;
    wanted.shape = shape;
    wanted.count = count;
    return wanted;
}

class Cluster {
public:
    explicit Cluster(Options options = {}, std::uint64_t seed = 1)
        : core(*Allocator::create(std::move(options))), rng(seed) {}
    static Cluster with(std::string_view module, std::uint64_t seed = 1) {
        return Cluster({.module = builtInModule(module), .parameters = {}}, seed);
    }

    Cluster& agent(const std::string& name, const Resources& total, const std::string& attributes = "") {
        ok(core.addAgent(AgentId(name), total, *parseAttributes(attributes)));
        return *this;
    }
    Cluster& framework(const std::string& name, const std::vector<std::string>& roles = {"*"}) {
        ok(core.addFramework(FrameworkId(name), roles));
        return *this;
    }
    Cluster& wants(const std::string& framework, const std::vector<Demand>& demands) {
        ok(core.setDemands(FrameworkId(framework), demands));
        return *this;
    }

    std::vector<Grant> allocate() {
        std::vector<Grant> grants = core.allocate(now, rng);
        sound();
        return grants;
    }
    // The one offer that is made now.
    Grant onlyGrant() {
        std::vector<Grant> grants = allocate();
        EXPECT_EQ(grants.size(), 1U);
        return grants.empty() ? Grant() : grants.front();
    }
    // One task for each piece, of the demand's shape; for a remainder one of all of it.
    std::vector<TaskKey> launch(const Grant& grant, Duration refuse = Duration(0)) {
        const std::uint32_t pieces = std::max(grant.count, 1U);
        Resources::Scalars each = grant.resources.scalars();
        for (std::int64_t& scalar : each) scalar /= pieces;
        std::vector<Launch> launches;
        std::vector<TaskKey> keys;
        for (std::uint32_t i = 0; i < pieces; ++i) {
            keys.push_back({grant.framework, TaskId("t" + std::to_string(++tasks))});
            launches.push_back({keys.back(), pieces == 1 ? grant.resources : Resources(each)});
        }
        ok(core.accept({grant.offer}, launches, refuse, now));
        return keys;
    }
    void decline(const Grant& grant, Duration refuse) { ok(core.decline(grant.framework, {grant.offer}, refuse, now)); }
    void pass(Duration time) { now += time; }

    Resources free(const std::string& agent) { return core.agent(AgentId(agent))->free; }
    std::uint32_t tasksOf(const std::string& framework) { return core.framework(FrameworkId(framework))->tasks; }

    void ok(const absl::Status& status) {
        EXPECT_TRUE(status.ok()) << status;
        sound();
    }
    void sound() {
        const absl::Status sound = core.check();
        EXPECT_TRUE(sound.ok()) << sound;
    }

    Allocator core;
    Rng rng;
    Time now = Time(std::chrono::seconds(100));
    std::uint64_t tasks = 0;
};

} // namespace stoa::allocator
