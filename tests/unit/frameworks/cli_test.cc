#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/cluster.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/processes.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/table.h"
#include "frameworks/sdk/agent_doors.h"
#include "protocol/http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace stoa::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Table, AlignsColumnsAndPutsNumbersToTheRight) {
    Table table({"ID", "CPUS", "NOTE"});
    table.row({"a", "4", "×"});
    table.row({"long-id", "16", ""});
    EXPECT_EQ(table.text(), "ID       CPUS  NOTE\n"
                            "a           4  ×\n"
                            "long-id    16\n");
}

TEST(Table, AmountsHaveNoNeedlessZeros) {
    EXPECT_EQ(amount(4), "4");
    EXPECT_EQ(amount(0.5), "0.5");
    EXPECT_EQ(amount(0.666), "0.666");
    EXPECT_EQ(amount(0), "0");
}

TEST(CommandLine, MemoryIsReadWithItsUnit) {
    EXPECT_EQ(*parseMegabytes("512"), 512);
    EXPECT_EQ(*parseMegabytes("512M"), 512);
    EXPECT_EQ(*parseMegabytes("2G"), 2048);
    EXPECT_EQ(*parseMegabytes("1.5g"), 1536);
    for (const char* wrong : {"", "G", "-1", "0", "1X", "nan", "inf", "1e300"}) {
        EXPECT_THAT(std::string(parseMegabytes(wrong).status().message()), HasSubstr("no amount of memory")) << wrong;
    }
}

TEST(CommandLine, EnvironmentIsGivenOrPassedOn) {
    ::setenv("STOA_TEST_PASSED", "on", 1);
    std::map<std::string, std::string> environment;
    EXPECT_TRUE(addEnvironment({"A=1", "B=", "C=x=y", "STOA_TEST_PASSED"}, environment).ok());
    EXPECT_EQ(environment,
              (std::map<std::string, std::string>{{"A", "1"}, {"B", ""}, {"C", "x=y"}, {"STOA_TEST_PASSED", "on"}}));
    EXPECT_THAT(std::string(addEnvironment({"STOA_TEST_ABSENT"}, environment).message()), HasSubstr("is not set here"));
    EXPECT_FALSE(addEnvironment({"=x"}, environment).ok());
}

TEST(CommandLine, JobsAndTheirTasksAreReadAsNumbers) {
    EXPECT_EQ(parseJobOrTask("12/3")->task, 3u);
    EXPECT_EQ(parseJobOrTask("12")->task, std::nullopt);
    for (const char* wrong : {"", "0", "x", "-1", "12/", "12/x"}) EXPECT_FALSE(parseJobOrTask(wrong).ok()) << wrong;
}

class ClusterFile : public testing::Test {
public:
    ClusterFile() {
        std::string name = (std::filesystem::temp_directory_path() / "stoa-cluster.XXXXXX").string();
        directory_ = ::mkdtemp(name.data());
        ::unsetenv("STOA_MASTER");
        ::unsetenv("STOA_DIR");
    }
    ~ClusterFile() override { std::filesystem::remove_all(directory_); }

protected:
    std::string directory_;
};

TEST_F(ClusterFile, IsReadBackAsItWasWritten) {
    Cluster cluster;
    cluster.directory = directory_;
    cluster.http_port = 5050;
    cluster.wire_port = 5052;
    cluster.batch_socket = "/x/door";
    cluster.agent_cpus = 0.666;
    cluster.processes = {{"master", {12, 34}, {"stoa-master", "--work_dir=a \"b\""}, "/x/log"}};
    ASSERT_TRUE(writeCluster(cluster).ok());
    absl::StatusOr<Cluster> read = readCluster(directory_);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(read->processes.at(0).process, (ProcessId{12, 34}));
    EXPECT_EQ(read->processes.at(0).argv, cluster.processes[0].argv);
    absl::StatusOr<MasterAddress> address = findMaster("", directory_);
    EXPECT_EQ(address->http, "http://127.0.0.1:5050");
    EXPECT_EQ(address->wire, "127.0.0.1:5052");
    EXPECT_EQ(address->agent_cpus, 0.666);
}

TEST_F(ClusterFile, OfAClusterWithSeveralMastersZooKeeperKnowsTheLeader) {
    Cluster cluster;
    cluster.directory = directory_;
    cluster.zookeeper = "zk://127.0.0.1:2181/stoa";
    ASSERT_TRUE(writeCluster(cluster).ok());
    absl::StatusOr<MasterAddress> address = findMaster("", directory_);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->zookeeper, "zk://127.0.0.1:2181/stoa");
    EXPECT_EQ(address->wire, "zk://127.0.0.1:2181/stoa") << "a driver follows the leader, too";
    EXPECT_EQ(address->http, "");
    EXPECT_EQ(findMaster("zk://a:1,b:2/x", directory_)->zookeeper, "zk://a:1,b:2/x");
    EXPECT_TRUE(absl::IsInvalidArgument(findMaster("zk://a:1", directory_).status())) << "no path";
}

TEST(MasterClient, GoesOnToTheLeaderThatAStandbyNames) {
    http::Router leading;
    leading.get("/state", [](const http::Request&) { return http::textResponse(200, R"({"wire_port": 7})"); });
    auto leader = http::Server::start({}, std::move(leading));
    ASSERT_TRUE(leader.ok()) << leader.status();
    const std::string address = "127.0.0.1:" + std::to_string((*leader)->port());
    http::Router standing;
    standing.get("/state", [&](const http::Request&) {
        http::Response response = http::textResponse(307, "");
        response.headers.emplace_back("Location", "//" + address + "/state");
        return response;
    });
    auto standby = http::Server::start({}, std::move(standing));
    ASSERT_TRUE(standby.ok()) << standby.status();
    Context context;
    context.master = "127.0.0.1:" + std::to_string((*standby)->port());
    absl::StatusOr<MasterClient> client = MasterClient::find(context);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_EQ(client->wireAddress().value(), "127.0.0.1:7");
    EXPECT_EQ(client->address().http, "http://" + address);
}

TEST_F(ClusterFile, ADirectoryThatIsNamedIsNotReplacedByAnotherCluster) {
    EXPECT_TRUE(absl::IsNotFound(findMaster("", directory_).status()));
}

TEST_F(ClusterFile, TheFlagComesBeforeTheEnvironmentAndThatBeforeTheFile) {
    ::setenv("STOA_MASTER", "other", 1);
    EXPECT_EQ(findMaster("", directory_)->http, "http://other:5050");
    EXPECT_EQ(findMaster("host:1", directory_)->http, "http://host:1");
    EXPECT_EQ(findMaster("[::1]", directory_)->http, "http://[::1]:5050");
    EXPECT_TRUE(absl::IsInvalidArgument(findMaster("a b:c", directory_).status()));
    ::unsetenv("STOA_MASTER");
}

TEST(Processes, ASignalGoesOnlyToTheProcessThatWasMeant) {
    absl::StatusOr<ProcessId> started = startDaemon({"/bin/sleep", "60"}, "/dev/null");
    ASSERT_TRUE(started.ok()) << started.status();
    EXPECT_TRUE(alive(*started));
    const ProcessId other{started->pid, started->start_time + 1}; // had its pid before
    EXPECT_FALSE(alive(other));
    EXPECT_FALSE(signalProcess(other, SIGKILL));
    EXPECT_TRUE(alive(*started));
    EXPECT_TRUE(signalProcess(*started, SIGTERM));
    EXPECT_TRUE(waitForEnd(*started, std::chrono::seconds(10)));
    EXPECT_FALSE(alive(*started));
}

TEST(Processes, AProgramThatIsNotThereIsSaidSo) {
    absl::StatusOr<ProcessId> started = startDaemon({"/no/such/program"}, "/dev/null");
    EXPECT_THAT(std::string(started.status().message()), HasSubstr("/no/such/program: No such file"));
}

TEST(Processes, AFreePortIsOneThatIsNotListenedOn) {
    const std::uint16_t port = freePort(0);
    EXPECT_NE(port, 0);
    EXPECT_TRUE(portIsFree(port));
}

TEST(AgentDoors, IdsAreEscapedInUrls) {
    const Address agent{"::1", 5051};
    EXPECT_EQ(sdk::sandboxFile(agent, FrameworkId("f 1"), "1.0.1", "a&b"),
              "http://[::1]:5051/files/download?path=/frameworks/f%201/executors/1.0.1/runs/latest/a%26b");
    EXPECT_THAT(sdk::outputStream({"h", 1}, FrameworkId("f"), "t", "stdout", 7, true),
                StartsWith("http://h:1/api/stoa/sandbox/f/t/stdout?offset=7&follow=1"));
}

constexpr const char* kAgents = R"({"slaves": [
    {"id": "A", "hostname": "h", "port": 1, "active": true, "attributes": {"rack": "a"},
     "resources": {"cpus": 4, "mem": 1024}, "used_resources": {"cpus": 3, "mem": 0}, "offered_resources": {}},
    {"id": "B", "hostname": "h", "port": 2, "active": true, "attributes": {"rack": "b"},
     "resources": {"cpus": 2, "mem": 4096}, "used_resources": {}, "offered_resources": {}},
    {"id": "C", "hostname": "h", "port": 3, "active": false, "state": "unreachable", "resources": {"cpus": 64, "mem": 65536}}]})";

TEST(Room, WhatNoAgentCouldHoldIsImpossibleWithTheNearestMiss) {
    const auto agents = parseJson(kAgents, "");
    const Room room = roomFor(*agents, Resources::cpusMem(5, 512), {});
    EXPECT_FALSE(room.possible);
    EXPECT_THAT(room.words, HasSubstr("no agent is large enough"));
    EXPECT_THAT(room.words, HasSubstr("nearest miss: h:1"));
    EXPECT_THAT(room.words, HasSubstr("it is unreachable"));
}

TEST(Room, WhatFitsAnEmptyAgentIsPossibleThoughItIsBusy) {
    const auto agents = parseJson(kAgents, "");
    const Room room = roomFor(*agents, Resources::cpusMem(3, 512), {});
    EXPECT_TRUE(room.possible);
    EXPECT_THAT(room.words, HasSubstr("nearest miss: h:1 needs cpus 3, has 1 free"));
}

TEST(Room, ConstraintsLeaveAgentsOut) {
    const auto agents = parseJson(kAgents, "");
    EXPECT_FALSE(roomFor(*agents, Resources::cpusMem(3, 512), {*parseConstraint("rack=b")}).possible);
    EXPECT_TRUE(roomFor(*agents, Resources::cpusMem(2, 512), {*parseConstraint("rack!=a")}).possible);
}

TEST(Room, WithoutAgentsAnythingMayStillBecomePossible) {
    const auto agents = parseJson(R"({"slaves": []})", "");
    const Room room = roomFor(*agents, Resources::cpusMem(1, 1), {});
    EXPECT_TRUE(room.possible);
    EXPECT_EQ(room.words, "no agent is there");
}

} // namespace
} // namespace stoa::cli
