// Where masters are found: addresses as people write them, what a master says of itself, the fixed detector. The
// detector that asks ZooKeeper is tested with real servers (tests/integration/failover_test.sh).
#include "protocol/leader/candidates.h"
#include "protocol/leader/detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <poll.h>

namespace stoa {
namespace {

bool readable(int fd) {
    pollfd waited{fd, POLLIN, 0};
    return ::poll(&waited, 1, 0) == 1;
}

TEST(ZooKeeperAddress, HostsPortsAndPathAreTakenApart) {
    const auto address = parseZooKeeperAddress("zk://h1:2181,10.0.0.2:2182,[::1]:2183/stoa/east");
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->hosts, "h1:2181,10.0.0.2:2182,[::1]:2183");
    EXPECT_EQ(address->path, "/stoa/east");
    EXPECT_EQ(address->toString(), "zk://h1:2181,10.0.0.2:2182,[::1]:2183/stoa/east");
}

TEST(ZooKeeperAddress, APortLeftOutIsZooKeepersOwn) {
    EXPECT_EQ(parseZooKeeperAddress("zk://h1,[::1]/s")->hosts, "h1:2181,[::1]:2181");
}

TEST(ZooKeeperAddress, AnErrorNamesWhatIsWrongAndTheForm) {
    const std::pair<const char*, const char*> wrong[] = {
        {"h1:2181/stoa", "does not begin with zk://"}, {"zk://h1:2181", "the path is missing"},
        {"zk://h1:2181/", "the path is missing"},      {"zk:///stoa", "names no host"},
        {"zk://h1,,h2/stoa", "names no host"},         {"zk://h1:x/stoa", "\"x\" is not a port"},
        {"zk://h1:0/stoa", "\"0\" is not a port"},     {"zk://h1:70000/stoa", "\"70000\" is not a port"},
        {"zk://h1/stoa/", "ends with a slash"},        {"zk://h1/a//b", "an empty part"},
        {"zk://h1/a/../b", "may not climb"},           {"zk://h1/zookeeper", "ZooKeeper's own"},
        {"zk://user:pw@h1/stoa", "user names"},        {"zk://h1/a b", "white space"},
        {"zk://[::1/stoa", "names no host"},
    };
    for (const auto& [text, why] : wrong) {
        const auto address = parseZooKeeperAddress(text);
        ASSERT_FALSE(address.ok()) << text;
        EXPECT_TRUE(absl::IsInvalidArgument(address.status()));
        EXPECT_THAT(std::string(address.status().message()), testing::HasSubstr(why)) << text;
        EXPECT_THAT(std::string(address.status().message()), testing::HasSubstr("zk://host:port,host:port/path"));
    }
}

RC_GTEST_PROP(ZooKeeperAddress, AnyTextIsAnAddressOrAnError, ()) {
    const auto text = "zk://" + *rc::gen::container<std::string>(rc::gen::elementOf(std::string("a1:,/.[]@ 0")));
    const auto address = parseZooKeeperAddress(text);
    if (address.ok()) RC_ASSERT(parseZooKeeperAddress(address->toString())->toString() == address->toString());
}

MasterInfo someMaster() {
    return {.id = "0011",
            .hostname = "host-1",
            .host = "127.0.0.1",
            .http_port = 5050,
            .wire_port = 5052,
            .epoch = 7,
            .version = "0.1.0"};
}

TEST(MasterInfo, IsWrittenInTheFormThatMesossClientsRead) {
    EXPECT_EQ(toJson(someMaster()),
              R"({"address":{"hostname":"host-1","ip":"127.0.0.1","port":5050},"hostname":"host-1","id":"0011",)"
              R"("ip":16777343,"pid":"master@127.0.0.1:5050","port":5050,"stoa":{"epoch":7,"wire_port":5052},)"
              R"("version":"0.1.0"})");
}

TEST(MasterInfo, IsReadAsItWasWritten) { EXPECT_EQ(*masterInfoFromJson(toJson(someMaster())), someMaster()); }

TEST(MasterInfo, AForeignMasterIsReadWithoutOurFields) {
    const auto master = masterInfoFromJson(
        R"({"hostname":"h","id":"x","ip":16777343,"pid":"master@127.0.0.1:5050","port":5050,"capabilities":[{}]})");
    ASSERT_TRUE(master.ok()) << master.status();
    EXPECT_EQ(master->httpAddress(), "h:5050");
    EXPECT_EQ(master->wireAddress(), "");
    EXPECT_EQ(master->epoch, 0u);
}

TEST(MasterInfo, WhatSaysNoAddressIsAnError) {
    for (const char* text : {"", "[]", "{", "{}", R"({"hostname":5,"port":"x"})", R"({"hostname":"h","port":70000})"}) {
        EXPECT_FALSE(masterInfoFromJson(text).ok()) << text;
    }
}

TEST(MasterInfo, AnIpv6AddressIsBracketed) {
    MasterInfo master = someMaster();
    master.host = "::1";
    EXPECT_EQ(master.httpAddress(), "[::1]:5050");
    EXPECT_EQ(*masterInfoFromJson(toJson(master)), master);
}

TEST(Candidates, TheLowestNumberLeadsAndOtherNodesAreNone) {
    EXPECT_THAT(candidatesOf({"json.info_0000000012", "registry", "json.info_0000000003", "json.info_x",
                              "info_0000000001", "json.info_00000000030"}),
                testing::ElementsAre("json.info_0000000003", "json.info_0000000012"));
}

TEST(FixedDetector, TellsItsMasterOnce) {
    auto detector = makeDetector("10.0.0.1:5052");
    ASSERT_TRUE(detector.ok()) << detector.status();
    EXPECT_TRUE(readable((*detector)->eventFd()));
    const auto view = (*detector)->take();
    ASSERT_TRUE(view && view->leader());
    EXPECT_EQ(view->leader()->wireAddress(), "10.0.0.1:5052");
    EXPECT_EQ(view->leader()->httpAddress(), "");
    EXPECT_FALSE(readable((*detector)->eventFd()));
    EXPECT_FALSE((*detector)->take());
}

TEST(FixedDetector, ThePortIsTheHttpDoorsWhereOneSaysSo) {
    const auto leader = detectLeader("10.0.0.1:5050", Duration{0}, {.fixed_port = FixedPort::kHttp});
    ASSERT_TRUE(leader.ok()) << leader.status();
    EXPECT_EQ(leader->httpAddress(), "10.0.0.1:5050");
}

TEST(Detector, WhatIsNoAddressIsRefusedWithTheForm) {
    for (const char* text : {"", "host", "host:", ":5052", "host:0", "host:99999", "zk://", "zk://host:2181"}) {
        const auto detector = makeDetector(text);
        ASSERT_FALSE(detector.ok()) << text;
        EXPECT_TRUE(absl::IsInvalidArgument(detector.status())) << text;
    }
}

TEST(Detector, AZooKeeperThatDoesNotAnswerIsWaitedForAndThenSaid) {
    const auto leader = detectLeader("zk://127.0.0.1:1/stoa", std::chrono::milliseconds(50));
    ASSERT_TRUE(absl::IsUnavailable(leader.status())) << leader.status();
    EXPECT_THAT(std::string(leader.status().message()), testing::HasSubstr("ZooKeeper at zk://127.0.0.1:1/stoa"));
}

} // namespace
} // namespace stoa
