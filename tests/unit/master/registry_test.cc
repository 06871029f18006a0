// The registry against a real file: what the core appended is what the next leader recovers, and no more than that.
#include "master/registry/registry.h"

#include "tests/unit/master/core_world.h"

#include <filesystem>
#include <fstream>

namespace stoa::master {
namespace {

class RegistryTest : public testing::Test {
public:
    RegistryTest() {
        std::string name = std::filesystem::temp_directory_path() / "stoa-registry-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~RegistryTest() override { std::filesystem::remove_all(folder_); }

protected:
    std::filesystem::path file() const { return folder_ / "registry.db"; }
    std::unique_ptr<Registry> open() const {
        absl::StatusOr<std::unique_ptr<Registry>> registry = Registry::open(file());
        EXPECT_TRUE(registry.ok()) << registry.status();
        return registry.ok() ? *std::move(registry) : nullptr;
    }

    std::filesystem::path folder_;
};

AgentAdmitted admitted(const std::string& id) {
    AgentAdmitted record;
    record.info.id = AgentId(id);
    record.info.hostname = "host-" + id;
    record.info.resources = Resources::cpusMem(4, 1024);
    record.incarnation = {"boot", "work"};
    return record;
}

FrameworkStored stored(const std::string& id) {
    FrameworkStored record;
    record.info.id = FrameworkId(id);
    record.info.name = "name-" + id;
    record.info.failover_timeout = std::chrono::minutes(5);
    return record;
}

TEST_F(RegistryTest, TheIdStaysAndTheEpochRisesWithEachLeader) {
    std::string id;
    {
        auto registry = open();
        id = registry->masterId();
        EXPECT_EQ(id.size(), 12u);
        EXPECT_EQ(registry->epoch(), 1u);
    }
    EXPECT_EQ(open()->epoch(), 2u);
    auto third = open();
    EXPECT_EQ(third->epoch(), 3u);
    EXPECT_EQ(third->masterId(), id);
}

TEST_F(RegistryTest, WhatWasAppendedIsRecovered) {
    {
        auto registry = open();
        registry->append({admitted("a1"), admitted("a2"), stored("f1"), WeightSet{"batch", 2.5}}, 4);
        registry->append(
            {AgentUnreachable{AgentId("a2")}, FrameworkDeadline{FrameworkId("f1"), std::chrono::seconds(9)}}, 6);
        ASSERT_TRUE(registry->flush().ok());
        EXPECT_EQ(registry->durable(), 6u);
    }
    const Recovered recovered = open()->takeRecovered();
    ASSERT_EQ(recovered.records.size(), 6u);
    const auto* agent = std::get_if<AgentAdmitted>(&recovered.records[0]);
    ASSERT_NE(agent, nullptr);
    EXPECT_EQ(agent->info, admitted("a1").info);
    EXPECT_EQ(agent->incarnation, admitted("a1").incarnation);
    EXPECT_EQ(std::get<AgentUnreachable>(recovered.records[2]).agent, AgentId("a2"));
    EXPECT_EQ(std::get<FrameworkStored>(recovered.records[3]).info, stored("f1").info);
    EXPECT_EQ(std::get<FrameworkDeadline>(recovered.records[4]).remaining, std::chrono::seconds(9));
    EXPECT_EQ(std::get<WeightSet>(recovered.records[5]).weight, 2.5);
}

TEST_F(RegistryTest, ItHoldsWhatIsAndNotWhatWas) {
    {
        auto registry = open();
        for (RecordNumber i = 1; i <= 100; ++i) registry->append({admitted("a1")}, i);
        registry->append({AgentUnreachable{AgentId("a1")}, admitted("a1")}, 102);
        registry->append({admitted("a2"), AgentUnreachable{AgentId("a2")}, AgentRemoved{AgentId("a2")}}, 105);
        registry->append({stored("f1"), FrameworkDeadline{FrameworkId("f1"), std::chrono::seconds(9)}, stored("f1")},
                         108);
        registry->append({stored("f2"), FrameworkRemoved{FrameworkId("f2")}}, 110);
        ASSERT_TRUE(registry->flush().ok());
    }
    const Recovered recovered = open()->takeRecovered();
    ASSERT_EQ(recovered.records.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<AgentAdmitted>(recovered.records[0]));
    EXPECT_TRUE(std::holds_alternative<FrameworkStored>(recovered.records[1]));
}

TEST_F(RegistryTest, ADamagedFileIsRefusedWithItsName) {
    std::ofstream(file()) << std::string(8192, 'x');
    absl::Status refused = Registry::open(file()).status();
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
    EXPECT_NE(std::string(refused.message()).find("master registry " + file().native()), std::string::npos) << refused;
    EXPECT_NE(std::string(refused.message()).find("left as it is"), std::string::npos) << refused;
}

} // namespace
} // namespace stoa::master
