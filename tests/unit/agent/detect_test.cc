#include "agent/detect.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace stoa::agent {
namespace {

using ::testing::HasSubstr;

Machine machine(std::int64_t cpus, std::int64_t gibibytes) { return {{cpus * 1000}, {gibibytes << 30}, {100LL << 30}}; }

void put(const std::filesystem::path& file, std::string_view text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

TEST(Detect, ThisMachineHasProcessorsMemoryAndDisk) {
    const Machine found = detectMachine("/tmp");
    EXPECT_GT(found.cpus.count, 0);
    EXPECT_GT(found.memory.count, 0);
    EXPECT_GT(found.disk.count, 0);
}

TEST(Detect, ACgroupsQuotaAndLimitOnTheWayUpBind) {
    ScratchDir dir;
    put(dir.path() / "proc/self/cgroup", "0::/outer/inner\n");
    put(dir.path() / "cg/outer/cpu.max", "50000 100000\n");
    put(dir.path() / "cg/outer/inner/cpu.max", "max 100000\n");
    put(dir.path() / "cg/outer/memory.max", "104857600\n");
    put(dir.path() / "cg/outer/inner/memory.max", "max\n");
    const Machine found = detectMachine("/tmp", dir.path() / "proc", dir.path() / "cg");
    EXPECT_EQ(found.cpus.count, 500);
    EXPECT_EQ(found.memory.count, 104857600);
}

TEST(Detect, CgroupV1LimitsBindToo) {
    ScratchDir dir;
    put(dir.path() / "proc/self/cgroup", "7:cpu,cpuacct:/a\n3:memory:/a\n0::/\n");
    put(dir.path() / "cg/cpu,cpuacct/a/cpu.cfs_quota_us", "25000\n");
    put(dir.path() / "cg/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    put(dir.path() / "cg/memory/a/memory.limit_in_bytes", "209715200\n");
    const Machine found = detectMachine("/tmp", dir.path() / "proc", dir.path() / "cg");
    EXPECT_EQ(found.cpus.count, 250);
    EXPECT_EQ(found.memory.count, 209715200);
}

TEST(Detect, OneGibibyteIsKeptBackAndOfASmallMachineHalf) {
    EXPECT_EQ(offeredOf(machine(4, 8)).scalar(Resources::kMem).count, 7 * 1024 * 1000);
    EXPECT_EQ(offeredOf(machine(4, 1)).scalar(Resources::kMem).count, 512 * 1000);
}

TEST(Detect, WhatTheOperatorSaysStandsInsteadAndTheRestIsFound) {
    const auto resources = advertised("cpus:64", machine(4, 8));
    ASSERT_TRUE(resources.ok()) << resources.status();
    EXPECT_EQ(resources->scalar(Resources::kCpus).count, 64000);
    EXPECT_EQ(resources->scalar(Resources::kMem).count, 7 * 1024 * 1000);
    ASSERT_NE(resources->find("ports"), nullptr);
    EXPECT_EQ(std::get<Ranges>(resources->find("ports")->value).size(), 1001u);
}

TEST(Detect, PortsAndDiskCanBeSaidToo) {
    const auto resources = advertised("ports:[5000-5001];disk:10", machine(4, 8));
    ASSERT_TRUE(resources.ok()) << resources.status();
    EXPECT_EQ(std::get<Ranges>(resources->find("ports")->value).size(), 2u);
    EXPECT_EQ(resources->scalar(Resources::kDisk).count, 10'000);
    EXPECT_EQ(resources->scalar(Resources::kCpus).count, 4000);
}

TEST(Detect, AMalformedFlagIsNamed) {
    const auto resources = advertised("cpus:abc", machine(4, 8));
    ASSERT_FALSE(resources.ok());
    EXPECT_THAT(std::string(resources.status().message()), HasSubstr("--resources"));
    EXPECT_THAT(std::string(resources.status().message()), HasSubstr("abc"));
}

} // namespace
} // namespace stoa::agent
