#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "tests/unit/protocol/codec_random.h"
#include "tests/unit/protocol/codec_same.h"

#include <gtest/gtest.h>

namespace stoa {
namespace {

constexpr int kSeeds = 3000;

TEST(AgentMessages, AreWhatTheyWereAfterDecoding) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const FromAgent message = RandomMessages(seed).fromAgent();
        const auto decoded = decodeFromAgent(encode(message));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(same(message, *decoded)) << "seed " << seed;
    }
}

TEST(MasterMessages, AreWhatTheyWereAfterDecoding) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const ToAgent message = RandomMessages(seed).toAgent();
        const auto decoded = decodeToAgent(encode(message));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(same(message, *decoded)) << "seed " << seed;
    }
}

TEST(Calls, AreWhatTheyWereAfterDecoding) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const AddressedCall call = RandomMessages(seed).call();
        const auto decoded = decodeCall(encode(call));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(same(call, *decoded)) << "seed " << seed << ": " << toJson(call);
    }
}

TEST(Calls, AreWhatTheyWereAfterJson) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const AddressedCall call = RandomMessages(seed).call();
        const std::string json = toJson(call);
        const auto decoded = callFromJson(json);
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status() << "\n" << json;
        ASSERT_TRUE(same(call, *decoded)) << "seed " << seed << ": " << json;
        ASSERT_EQ(toJson(*decoded), json);
    }
}

TEST(Events, AreWhatTheyWereAfterDecoding) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const Event event = RandomMessages(seed).event();
        const auto decoded = decodeEvent(encode(event));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(same(event, *decoded)) << "seed " << seed << ": " << toJson(event);
    }
}

TEST(Events, AreWhatTheyWereAfterJson) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const Event event = RandomMessages(seed).event();
        const std::string json = toJson(event);
        ASSERT_EQ(json.find('\n'), std::string::npos) << json;
        const auto decoded = eventFromJson(json);
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status() << "\n" << json;
        ASSERT_TRUE(same(event, *decoded)) << "seed " << seed << ": " << json;
    }
}

TEST(TaskBodies, SayWhatTheyWereMadeFrom) {
    for (int seed = 0; seed < kSeeds; ++seed) {
        const TaskSpec spec = RandomMessages(seed).taskSpec();
        const auto read = readTaskBody(makeTaskBody(spec));
        ASSERT_TRUE(read.ok()) << "seed " << seed << ": " << read.status();
        ASSERT_EQ(*read, spec) << "seed " << seed;
    }
}

TEST(Messages, SurviveBytesThatStandOnNoWordsBoundary) {
    RandomMessages random(1);
    for (int i = 0; i < 200; ++i) {
        const FromAgent message = random.fromAgent();
        const std::string shifted = "x" + encode(message);
        const auto decoded = decodeFromAgent(std::string_view(shifted).substr(1));
        ASSERT_TRUE(decoded.ok()) << decoded.status();
        ASSERT_TRUE(same(message, *decoded));
    }
}

TEST(Calls, BearTheNamesThatTheirJsonHas) {
    RandomMessages random(2);
    for (int i = 0; i < 300; ++i) {
        const AddressedCall call = random.call();
        EXPECT_NE(toJson(call).find(concat("\"type\":\"", callName(call.call), "\"")), std::string::npos)
            << toJson(call);
    }
}

} // namespace
} // namespace stoa
