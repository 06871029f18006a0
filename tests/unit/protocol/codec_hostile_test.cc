// Whatever bytes come, decoding answers with a value that passed the checks or with a reason, soon, and without a
// crash. Valid messages are damaged in the ways that matter to Cap'n Proto: flipped bits, words that are pointers to
// somewhere else, truncation, repetition. The seeds are fixed; tests/fuzz goes on from here with coverage.
#include "protocol/codec/agent_messages.h"
#include "protocol/codec/framework_messages.h"
#include "protocol/codec/limits.h"
#include "tests/unit/protocol/codec_random.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

namespace stoa {
namespace {

constexpr int kMessages = 400;
constexpr int kDamagesEach = 25;

std::string damaged(std::string bytes, Rng& rng) {
    const auto word = [&] { return rng.below(bytes.size() / 8) * 8; };
    for (std::uint64_t n = 1 + rng.below(4); n > 0; --n) {
        if (bytes.size() < 16) return bytes;
        switch (rng.below(6)) {
        case 0: // a bit
            bytes[rng.below(bytes.size())] ^= static_cast<char>(1 << rng.below(8));
            break;
        case 1: { // a word of anything
            const std::uint64_t any = rng.next();
            std::memcpy(bytes.data() + word(), &any, sizeof any);
            break;
        }
        case 2: { // one word over another: pointers that point elsewhere, often to what is above them
            const std::string copy = bytes.substr(word(), 8);
            bytes.replace(word(), 8, copy);
            break;
        }
        case 3: { // a pointer: its offset, its size or its kind
            const std::size_t at = word() + rng.below(8);
            bytes[at] = static_cast<char>(rng.below(256));
            break;
        }
        case 4: // too little
            bytes.resize(rng.below(bytes.size() + 1));
            break;
        default: // too much
            bytes += bytes.substr(word());
            break;
        }
    }
    return bytes;
}

// A value that was accepted must be one that can be sent on and will be accepted again.
template <class Message>
void tryOut(const std::function<Message(RandomMessages&)>& make,
            const std::function<std::string(const Message&)>& write,
            const std::function<absl::StatusOr<Message>(std::string_view)>& read) {
    int accepted = 0;
    int refused = 0;
    for (int seed = 0; seed < kMessages; ++seed) {
        RandomMessages random(static_cast<std::uint64_t>(seed) + 77);
        const std::string bytes = write(make(random));
        for (int i = 0; i < kDamagesEach; ++i) {
            const auto decoded = read(damaged(bytes, random.rng()));
            if (!decoded.ok()) {
                ++refused;
                EXPECT_FALSE(decoded.status().message().empty());
                continue;
            }
            ++accepted;
            const auto again = read(write(*decoded));
            ASSERT_TRUE(again.ok()) << "seed " << seed << ": " << again.status();
        }
    }
    // Both happen, or the damage is of no use.
    EXPECT_GT(accepted, kMessages);
    EXPECT_GT(refused, kMessages);
}

TEST(DamagedMessages, FromAgentsAreRefusedOrRead) {
    tryOut<FromAgent>([](RandomMessages& random) { return random.fromAgent(); },
                      [](const FromAgent& message) { return encode(message); }, decodeFromAgent);
}

TEST(DamagedMessages, ToAgentsAreRefusedOrRead) {
    tryOut<ToAgent>([](RandomMessages& random) { return random.toAgent(); },
                    [](const ToAgent& message) { return encode(message); }, decodeToAgent);
}

TEST(DamagedMessages, OfSchedulersAreRefusedOrRead) {
    tryOut<AddressedCall>([](RandomMessages& random) { return random.call(); },
                          [](const AddressedCall& call) { return encode(call); }, decodeCall);
}

TEST(DamagedMessages, ToSchedulersAreRefusedOrRead) {
    tryOut<Event>([](RandomMessages& random) { return random.event(); },
                  [](const Event& event) { return encode(event); }, decodeEvent);
}

TEST(DamagedMessages, OfJsonAreRefusedOrRead) {
    static constexpr std::string_view kSpice = "{}[]\",:\\u0123456789eE+-.ntf \xff\x80";
    int accepted = 0;
    int refused = 0;
    for (int seed = 0; seed < kMessages; ++seed) {
        RandomMessages random(static_cast<std::uint64_t>(seed) + 99);
        const std::string json = toJson(random.call());
        for (int i = 0; i < kDamagesEach; ++i) {
            std::string bad = json;
            for (std::uint64_t n = 1 + random.rng().below(3); n > 0; --n) {
                const std::size_t at = random.rng().below(bad.size());
                const char c = kSpice[random.rng().below(kSpice.size())];
                switch (random.rng().below(4)) {
                case 0: bad[at] = c; break;
                case 1: bad.insert(at, 1, c); break;
                case 2: bad.erase(at, 1); break;
                default: bad.insert(at, bad.substr(random.rng().below(bad.size()), 10)); break;
                }
            }
            const auto call = callFromJson(bad);
            if (!call.ok()) {
                ++refused;
                continue;
            }
            ++accepted;
            ASSERT_TRUE(callFromJson(toJson(*call)).ok()) << bad;
        }
    }
    EXPECT_GT(accepted, kMessages);
    EXPECT_GT(refused, kMessages);
}

TEST(DamagedMessages, OfTaskBodiesAreRefusedOrRead) {
    int accepted = 0;
    for (int seed = 0; seed < kMessages; ++seed) {
        RandomMessages random(static_cast<std::uint64_t>(seed) + 55);
        const Body body = makeTaskBody(random.taskSpec());
        for (int i = 0; i < kDamagesEach; ++i) {
            const auto spec = readTaskBody(makeBody(damaged(*body, random.rng())));
            if (!spec.ok()) continue;
            ++accepted;
            ASSERT_TRUE(readTaskBody(makeTaskBody(*spec)).ok());
        }
    }
    EXPECT_GT(accepted, kMessages);
}

TEST(DamagedMessages, EmptyAndTinyOnesAreRefused) {
    for (std::size_t size = 0; size <= 64; ++size) {
        for (const char fill : {'\0', '\x01', '\xff'}) {
            const std::string bytes(size, fill);
            EXPECT_FALSE(decodeCall(bytes).ok()) << size;
            EXPECT_FALSE(decodeEvent(bytes).ok()) << size;
            // A null root is a Register without anything.
            EXPECT_FALSE(decodeFromAgent(bytes).ok()) << size;
            EXPECT_FALSE(decodeToAgent(bytes).ok()) << size;
        }
    }
}

TEST(LargeMessages, AreRefusedByTheirSize) {
    const std::string bytes(kMaxMessageBytes + 8, '\0');
    const auto decoded = decodeFromAgent(bytes);
    EXPECT_TRUE(absl::IsResourceExhausted(decoded.status()));
    EXPECT_NE(decoded.status().message().find("16777224 bytes, more than 16777216"), absl::string_view::npos)
        << decoded.status();
}

TEST(LargeMessages, OfAnAgentWithTenThousandTasksAreRead) {
    RandomMessages random(3);
    agent_says::Register message{random.agentInfo(), random.incarnation(), {}, {}};
    for (int i = 0; i < 10'000; ++i) message.tasks.push_back(random.agentTask());
    const auto decoded = decodeFromAgent(encode(FromAgent(message)));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(std::get<agent_says::Register>(*decoded).tasks.size(), 10'000u);
}

TEST(Ids, ThatWouldBeNoNameOfAFileAreRefused) {
    const auto decode = [](std::string id) {
        return decodeFromAgent(
            encode(FromAgent(agent_says::ToFramework{FrameworkId(std::move(id)), ExecutorId("e"), ""})));
    };
    EXPECT_TRUE(decode("a b.c-d_é").ok());
    EXPECT_TRUE(decode(std::string(255, 'x')).ok());
    EXPECT_FALSE(decode(std::string(256, 'x')).ok());
    for (const std::string& bad :
         {std::string(), std::string("a/b"), std::string("a\\b"), std::string("."), std::string(".."),
          std::string("a\nb"), std::string("a\0b", 3), std::string("a\x7f"), std::string("\xff\xfe")}) {
        EXPECT_FALSE(decode(bad).ok()) << bad;
    }
}

TEST(Roles, OfTheFormsThatTheApiRefusesAreRefused) {
    const auto decode = [](std::string role) {
        return decodeCall(encode(AddressedCall{FrameworkId("F"), call::Revive{{std::move(role)}}}));
    };
    for (const std::string good : {"*", "a", "a/b", "eng/dev-1"}) EXPECT_TRUE(decode(good).ok()) << good;
    for (const std::string bad : {"", "/a", "a/", "a//b", "-a", ".", "a/..", "a/*", "a b", "a\tb", "a/-b"}) {
        EXPECT_FALSE(decode(bad).ok()) << bad;
    }
}

TEST(Amounts, ThatAreNegativeOrBeyondCountingAreRefused) {
    const auto decode = [](std::int64_t cpus) {
        agent_says::Register message;
        message.info.hostname = "h";
        message.info.resources.setScalar(Resources::kCpus, {cpus});
        return decodeFromAgent(encode(FromAgent(message)));
    };
    EXPECT_TRUE(decode(0).ok());
    EXPECT_TRUE(decode(1'000'000'000'000'000).ok());
    EXPECT_FALSE(decode(-1).ok());
    EXPECT_FALSE(decode(1'000'000'000'000'001).ok());
}

TEST(TaskBodies, ThatNobodyCouldRunAreRefusedWithAReason) {
    const auto reason = [](const TaskSpec& spec) {
        return std::string(readTaskBody(makeTaskBody(spec)).status().message());
    };
    EXPECT_EQ(std::string(readTaskBody(emptyTaskBody()).status().message()),
              "task: command: missing: there is nothing to run");
    EXPECT_EQ(std::string(readTaskBody(nullptr).status().message()), "task: command: missing: there is nothing to run");
    TaskSpec spec;
    EXPECT_EQ(reason(spec), "task: command.value: missing: there is nothing to run");
    spec.command.argv = {"sh", std::string("a\0b", 3)};
    EXPECT_EQ(reason(spec), "task: command.arguments: has a NUL");
    spec.command.argv = {"sh"};
    spec.command.environment = {{"A=B", "1"}};
    EXPECT_EQ(reason(spec), "task: command.environment: \"A=B\" is no name of a variable");
    spec.command.environment.clear();
    for (const std::string bad : {"../x", "/x", "a/../../x"}) {
        spec.inputs = {{"http://h/x", bad, false, false}};
        EXPECT_EQ(reason(spec), concat("task: output_file: \"", bad, "\" leaves the sandbox"));
    }
    spec.inputs.clear();
    spec.writable_paths = {"relative"};
    EXPECT_EQ(reason(spec), "task: writable_paths: \"relative\" is not absolute");
}

TEST(TaskBodies, ThatAskForWhatIsNotServedAreRefused) {
    const auto reason = [](std::string_view field) {
        const auto task =
            taskInfoFromJson(concat(R"({"name": "n", "task_id": {"value": "t"}, "agent_id": {"value": "a"},
            "command": {"value": "true"}, )",
                                    field, "}"));
        EXPECT_TRUE(task.ok()) << task.status();
        return std::string(readTaskBody(task->body).status().message());
    };
    EXPECT_EQ(reason(R"("container": {"type": "MESOS"})"), "");
    EXPECT_EQ(reason(R"("container": {"type": "DOCKER", "docker": {"image": "debian"}})"),
              "task: container: images are not served");
    EXPECT_EQ(reason(R"("health_check": {"type": "COMMAND"})"), "task: health_check: not served");
    EXPECT_EQ(reason(R"("max_completion_time": {"nanoseconds": 1})"), "");
}

} // namespace
} // namespace stoa
