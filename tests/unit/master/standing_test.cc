// What a standby answers over HTTP: where the leader is, before it looks at anything else of a request.
#include "master/doors/standing.h"

#include "master/core/validation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::master {
namespace {

http::Request request(const std::string& method, const std::string& target, const std::string& path) {
    http::Request request;
    request.method = method;
    request.target = target;
    request.path = path;
    return request;
}

std::string locationOf(const http::Response& response) { return std::string(http::find(response.headers, "Location")); }

TEST(Standing, ALeaderAnswersByItself) {
    EXPECT_FALSE(answerStanding({.leads = true, .leader = ""}, request("GET", "/state", "/state"), "/state"));
}

TEST(Standing, EverybodyIsSentToTheLeaderWhateverTheMethod) {
    const Standing standby{.leads = false, .leader = "10.0.0.1:5050"};
    for (const char* method : {"GET", "POST", "DELETE"}) {
        const auto answer = answerStanding(standby, request(method, "/tasks?limit=1", "/tasks"), "/tasks");
        ASSERT_TRUE(answer);
        EXPECT_EQ(answer->status, 307);
        EXPECT_EQ(locationOf(*answer), "//10.0.0.1:5050/master/tasks?limit=1");
    }
}

TEST(Standing, ThePrefixIsNotDoubled) {
    const Standing standby{.leads = false, .leader = "h:1"};
    EXPECT_EQ(locationOf(*answerStanding(standby, request("GET", "/master/state", "/master/state"), "/state")),
              "//h:1/master/state");
    EXPECT_EQ(locationOf(*answerStanding(standby, request("GET", "/mastery", "/mastery"), "/mastery")),
              "//h:1/master/mastery");
}

TEST(Standing, WhoAsksWhereTheLeaderIsHearsIt) {
    const Standing standby{.leads = false, .leader = "h:1"};
    EXPECT_EQ(locationOf(*answerStanding(standby, request("GET", "/redirect", "/redirect"), "/redirect")), "//h:1");
    EXPECT_EQ(answerStanding(standby, request("GET", "/redirect/x", "/redirect/x"), "/redirect/x")->status, 404);
}

TEST(Standing, WithoutALeaderItSaysSo) {
    EXPECT_EQ(answerStanding({.leads = false, .leader = ""}, request("GET", "/state", "/state"), "/state")->status,
              503);
}

TEST(Standing, OfItselfItAnswersItself) {
    for (const char* path : {"/health", "/version", "/flags", "/metrics", "/metrics/snapshot"}) {
        EXPECT_FALSE(answerStanding({.leads = false, .leader = ""}, request("GET", path, path), path)) << path;
    }
}

TEST(Validation, ADescriptionTooLargeForTheRegistryIsRefused) {
    FrameworkInfo framework;
    framework.name = "f";
    EXPECT_TRUE(validate(framework).ok());
    for (int i = 0; i < 100; ++i) framework.labels["key" + std::to_string(i)] = std::string(1000, 'x');
    EXPECT_THAT(std::string(validate(framework).message()), testing::HasSubstr("at most 65536 are kept"));
    AgentInfo agent;
    agent.hostname = "h";
    agent.resources = Resources::cpusMem(1, 1);
    EXPECT_TRUE(validate(agent).ok());
    agent.attributes = {{"rack", std::string(60'000, 'x')}};
    EXPECT_THAT(std::string(validate(agent).message()), testing::HasSubstr("at most 65536 are kept"));
}

} // namespace
} // namespace stoa::master
