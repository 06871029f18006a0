#include "agent/state/record_codec.h"

#include "tests/unit/protocol/codec_random.h"
#include "tests/unit/protocol/codec_same.h"

#include <gtest/gtest.h>

namespace stoa::agent {
namespace {

TaskKey randomKey(RandomMessages& random) { return {random.id<FrameworkId>(), random.id<TaskId>()}; }

Record randomRecord(RandomMessages& random) {
    switch (random.rng().below(9)) {
    case 0: return Identity{random.id<AgentId>()};
    case 1: return LaunchIntended{random.frameworkInfo(), random.taskInfo()};
    case 2: return StatusAppended{random.id<FrameworkId>(), random.taskStatus()};
    case 3: return StatusAcknowledged{randomKey(random), random.uuid()};
    case 4: return KillIntended{randomKey(random), random.duration()};
    case 5: return ExecutorIntended{random.frameworkInfo(), random.executorInfo(), "run-1", "token"};
    case 6: return ExecutorShutDown{{random.id<FrameworkId>(), random.id<ExecutorId>()}};
    case 7: return ExecutorForgotten{{random.id<FrameworkId>(), random.id<ExecutorId>()}};
    default: return TaskForgotten{randomKey(random)};
    }
}

struct Compare {
    const Record& other;
    template <class Kind>
    const Kind& right() const {
        return std::get<Kind>(other);
    }
    bool operator()(const Identity& left) const { return left.agent == right<Identity>().agent; }
    bool operator()(const LaunchIntended& left) const {
        const auto& r = right<LaunchIntended>();
        return left.framework == r.framework && same(left.task, r.task);
    }
    bool operator()(const StatusAppended& left) const {
        const auto& r = right<StatusAppended>();
        return left.framework == r.framework && left.status == r.status;
    }
    bool operator()(const StatusAcknowledged& left) const {
        const auto& r = right<StatusAcknowledged>();
        return left.key == r.key && left.uuid == r.uuid;
    }
    bool operator()(const KillIntended& left) const {
        const auto& r = right<KillIntended>();
        return left.key == r.key && left.grace == r.grace;
    }
    bool operator()(const ExecutorIntended& left) const {
        const auto& r = right<ExecutorIntended>();
        return left.framework == r.framework && left.info == r.info && left.info.id == r.info.id &&
               left.info.resources == r.info.resources && left.run == r.run && left.token == r.token;
    }
    bool operator()(const ExecutorShutDown& left) const { return left.key == right<ExecutorShutDown>().key; }
    bool operator()(const ExecutorForgotten& left) const { return left.key == right<ExecutorForgotten>().key; }
    bool operator()(const TaskForgotten& left) const { return left.key == right<TaskForgotten>().key; }
};

bool sameRecord(const Record& a, const Record& b) { return a.index() == b.index() && std::visit(Compare{b}, a); }

TEST(AgentRecords, AreWhatTheyWereAfterDecoding) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        RandomMessages random(seed);
        const Record record = randomRecord(random);
        const auto decoded = decodeRecord(encodeRecord(record));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(sameRecord(record, *decoded)) << "seed " << seed;
    }
}

TEST(AgentRecords, ThatAreDamagedAreRefusedOrRead) {
    int refused = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        RandomMessages random(seed);
        std::string bytes = encodeRecord(randomRecord(random));
        for (std::uint64_t n = 1 + random.rng().below(8); n > 0; --n) {
            bytes[random.rng().below(bytes.size())] ^= static_cast<char>(1 << random.rng().below(8));
        }
        const auto decoded = decodeRecord(bytes);
        if (!decoded.ok()) {
            ++refused;
        } else {
            ASSERT_TRUE(decodeRecord(encodeRecord(*decoded)).ok()) << "seed " << seed;
        }
    }
    EXPECT_GT(refused, 500);
    EXPECT_FALSE(decodeRecord("").ok());
}

} // namespace
} // namespace stoa::agent
