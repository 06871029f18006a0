#include "master/registry/record_codec.h"

#include "tests/unit/protocol/codec_random.h"

#include <gtest/gtest.h>

namespace stoa::master {
namespace {

Record randomRecord(RandomMessages& random) {
    switch (random.rng().below(7)) {
    case 0: return AgentAdmitted{random.agentInfo(), random.incarnation(), static_cast<Disowned>(random.upTo(2))};
    case 1: return AgentUnreachable{random.id<AgentId>(), WallTime{random.upTo(1'000'000)}};
    case 2: return AgentRemoved{random.id<AgentId>()};
    case 3: return FrameworkStored{random.frameworkInfo(), random.flip() ? random.word() : ""};
    case 4: return FrameworkDeadline{random.id<FrameworkId>(), random.duration()};
    case 5: return FrameworkRemoved{random.id<FrameworkId>()};
    default: return WeightSet{"role", 0.25 + static_cast<double>(random.upTo(100))};
    }
}

struct Compare {
    const Record& other;
    template <class Kind>
    const Kind& right() const {
        return std::get<Kind>(other);
    }
    bool operator()(const AgentAdmitted& left) const {
        const auto& r = right<AgentAdmitted>();
        return left.info == r.info && left.incarnation == r.incarnation && left.disowned == r.disowned;
    }
    bool operator()(const AgentUnreachable& left) const {
        const auto& r = right<AgentUnreachable>();
        return left.agent == r.agent && left.since == r.since;
    }
    bool operator()(const AgentRemoved& left) const { return left.agent == right<AgentRemoved>().agent; }
    bool operator()(const FrameworkStored& left) const {
        const auto& r = right<FrameworkStored>();
        return left.info == r.info && left.principal == r.principal;
    }
    bool operator()(const FrameworkDeadline& left) const {
        const auto& r = right<FrameworkDeadline>();
        return left.framework == r.framework && left.remaining == r.remaining;
    }
    bool operator()(const FrameworkRemoved& left) const {
        return left.framework == right<FrameworkRemoved>().framework;
    }
    bool operator()(const WeightSet& left) const {
        const auto& r = right<WeightSet>();
        return left.role == r.role && left.weight == r.weight;
    }
};

bool same(const Record& a, const Record& b) { return a.index() == b.index() && std::visit(Compare{b}, a); }

TEST(RegistryRecords, AreWhatTheyWereAfterDecoding) {
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        RandomMessages random(seed);
        const Record record = randomRecord(random);
        const auto decoded = decodeRecord(encodeRecord(record));
        ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
        ASSERT_TRUE(same(record, *decoded)) << "seed " << seed;
    }
}

TEST(RegistryRecords, ThatAreDamagedAreRefusedOrRead) {
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

TEST(RegistryRecords, OfAWeightThatIsNoneAreRefused) {
    EXPECT_TRUE(decodeRecord(encodeRecord(WeightSet{"a", 0.5})).ok());
    EXPECT_FALSE(decodeRecord(encodeRecord(WeightSet{"a", 0})).ok());
    EXPECT_FALSE(decodeRecord(encodeRecord(WeightSet{"a", -1})).ok());
}

} // namespace
} // namespace stoa::master
