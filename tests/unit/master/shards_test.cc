// The registry's rows in ZooKeeper's nodes: whatever is written, and wherever a leader ends between two writes, the next one
// reads every row that was durable.
#include "master/registry/shards.h"

#include "master/registry/rows.h"
#include "master/registry/zookeeper_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>
#include <utility>

namespace stoa::master {
namespace {

using Nodes = std::map<std::string, std::string>;
using Model = std::map<std::pair<int, std::string>, std::string>;

void carryOut(const Shards::Write& write, Nodes& nodes) {
    if (!write.bytes) {
        EXPECT_EQ(nodes.erase(write.name), 1u) << write.name;
    } else {
        EXPECT_EQ(nodes.count(write.name), write.create ? 0u : 1u) << write.name;
        nodes[write.name] = *write.bytes;
    }
}

Shards loaded(const Nodes& nodes) {
    Shards shards;
    for (const auto& [name, bytes] : nodes) {
        const absl::Status status = shards.load(name, bytes);
        EXPECT_TRUE(status.ok()) << status;
    }
    shards.finish();
    return shards;
}

Model modelOf(const Shards& shards) {
    Model model;
    for (const Store::Row& row : shards.rows()) {
        EXPECT_TRUE(model.emplace(std::pair(int{row.table}, row.key), row.blob).second) << row.key << " is there twice";
    }
    return model;
}

TEST(Shards, RowsComeBackInTheOrderOfTheirFirstWriting) {
    Shards shards;
    ASSERT_TRUE(shards.apply(Store::put(kAgents, "b", "1")).ok());
    ASSERT_TRUE(shards.apply(Store::put(kAgents, "a", "2")).ok());
    ASSERT_TRUE(shards.apply(Store::put(kFrameworks, "f", "3")).ok());
    ASSERT_TRUE(shards.apply(Store::put(kAgents, "b", "4")).ok());
    Nodes nodes;
    for (const Shards::Write& write : shards.takeWrites()) carryOut(write, nodes);
    EXPECT_THAT(nodes, testing::SizeIs(2));
    std::vector<std::string> order;
    for (const Store::Row& row : loaded(nodes).rows()) order.push_back(row.key + row.blob);
    EXPECT_THAT(order, testing::ElementsAre("b4", "a2", "f3"));
    EXPECT_FALSE(shards.dirty());
}

TEST(Shards, ManyAgentsLieInFewNodesUnderTheLimit) {
    Shards shards;
    const std::string blob(400, 'x');
    for (int i = 0; i < 10'000; ++i)
        ASSERT_TRUE(shards.apply(Store::put(kAgents, "agent-" + std::to_string(i), blob)).ok());
    const std::vector<Shards::Write> writes = shards.takeWrites();
    EXPECT_LT(writes.size(), 80u);
    for (const Shards::Write& write : writes) EXPECT_LE(write.bytes->size(), 300'000u);
    ASSERT_TRUE(shards.apply(Store::put(kUnreachable, "agent-9999", "")).ok());
    EXPECT_EQ(shards.takeWrites().size(), 1u);
}

TEST(Shards, ARowBeyondTheLimitIsRefusedAndNothingChanges) {
    Shards shards;
    ASSERT_TRUE(shards.apply(Store::put(kFrameworks, "f", "small")).ok());
    const absl::Status refused = shards.apply(Store::put(kFrameworks, "f", std::string(Shards::kMostRow, 'x')));
    EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
    EXPECT_EQ(modelOf(shards), (Model{{{kFrameworks, "f"}, "small"}}));
}

TEST(Shards, ADamagedNodeIsSaid) {
    Shards shards;
    ASSERT_TRUE(shards.apply(Store::put(kAgents, "a", "blob")).ok());
    const Shards::Write write = shards.takeWrites().front();
    for (std::size_t cut = 0; cut < write.bytes->size(); ++cut) {
        EXPECT_TRUE(absl::IsDataLoss(Shards().load(write.name, write.bytes->substr(0, cut)))) << cut;
        std::string flipped = *write.bytes;
        flipped[cut] = static_cast<char>(flipped[cut] ^ 1);
        EXPECT_TRUE(absl::IsDataLoss(Shards().load(write.name, flipped))) << cut;
    }
    EXPECT_TRUE(absl::IsDataLoss(Shards().load("frameworks-0000000000", *write.bytes)));
    EXPECT_TRUE(absl::IsInvalidArgument(Shards().load("agents-1", *write.bytes)));
}

// Writes may end anywhere: rows of finished batches are there as they were, or as the unfinished batch has them; one that was
// erased meanwhile may be absent, though the batch brought it back.
RC_GTEST_PROP(Shards, WhatIsDurableSurvivesAnEndBetweenAnyTwoWrites, ()) {
    Shards shards;
    Nodes nodes;
    Model durable;
    const auto batches = *rc::gen::inRange(1, 6);
    for (int batch = 0; batch < batches; ++batch) {
        Model after = durable;
        std::set<std::pair<int, std::string>> erased;
        const auto changes = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
            rc::gen::elementOf(std::vector<int>{kAgents, kUnreachable, kWeights}), rc::gen::inRange(0, 6),
            rc::gen::elementOf(std::vector<int>{-1, 0, 10, 20'000, 60'000, 90'000})));
        for (const auto& [table, number, size] : changes) {
            const std::string key = "k" + std::to_string(number);
            const auto tag = static_cast<Store::Table>(table);
            if (size < 0) {
                RC_ASSERT(shards.apply(Store::erase(tag, key)).ok());
                after.erase({table, key});
                erased.emplace(table, key);
            } else {
                const std::string blob = std::to_string(batch) + std::string(static_cast<std::size_t>(size), 'x');
                RC_ASSERT(shards.apply(Store::put(tag, key, blob)).ok());
                after[{table, key}] = blob;
            }
        }
        const std::vector<Shards::Write> writes = shards.takeWrites();
        std::size_t until_end = writes.empty() ? 0 : *rc::gen::inRange<std::size_t>(0, writes.size());
        for (const Shards::Write& write : writes) {
            if (write.bytes) RC_ASSERT(write.bytes->size() < 300'000u);
            carryOut(write, nodes);
            if (until_end-- != 0) continue;
            const Model found = modelOf(loaded(nodes));
            for (const auto& [key, blob] : durable) {
                const auto now = after.find(key);
                const auto there = found.find(key);
                if (there == found.end())
                    RC_ASSERT(erased.contains(key));
                else
                    RC_ASSERT(there->second == blob || (now != after.end() && there->second == now->second));
            }
        }
        RC_ASSERT(modelOf(loaded(nodes)) == after);
        durable = std::move(after);
        if (*rc::gen::arbitrary<bool>()) {
            shards = loaded(nodes);
            RC_ASSERT(!shards.dirty());
        }
    }
}

TEST(Shards, AnInterruptedMoveIsTidiedUpByTheNextLeader) {
    Shards shards;
    Nodes nodes;
    const std::string large(60'000, 'x');
    for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(shards.apply(Store::put(kAgents, key, "small")).ok());
    for (const Shards::Write& write : shards.takeWrites()) carryOut(write, nodes);
    for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(shards.apply(Store::put(kAgents, key, large)).ok());
    const std::vector<Shards::Write> writes = shards.takeWrites();
    ASSERT_GE(writes.size(), 2u);
    carryOut(writes.front(), nodes); // the newer shard has the row that moved; the older still has it, too
    Shards next = loaded(nodes);
    EXPECT_TRUE(next.dirty());
    EXPECT_EQ(modelOf(next).size(), 4u);
    for (const Shards::Write& write : next.takeWrites()) carryOut(write, nodes);
    EXPECT_EQ(modelOf(loaded(nodes)), modelOf(next));
    EXPECT_FALSE(loaded(nodes).dirty());
}

TEST(RegistryIdentity, OfANewerVersionIsRefusedWithWhatToDo) {
    const auto identity =
        parseRegistryIdentity(R"({"kind":"stoa master registry","version":2,"master_id":"m"})", "/stoa/registry");
    ASSERT_TRUE(absl::IsFailedPrecondition(identity.status()));
    EXPECT_THAT(std::string(identity.status().message()), testing::HasSubstr("a newer version (2; this one knows 1)"));
}

TEST(RegistryIdentity, IsReadAsItWasWrittenAndNothingElseIsOne) {
    EXPECT_EQ(parseRegistryIdentity(registryIdentityJson({"m1"}), "/p")->master_id, "m1");
    for (const char* text : {"", "{}", "[]", R"({"kind":"else","version":1,"master_id":"m"})"}) {
        EXPECT_THAT(std::string(parseRegistryIdentity(text, "/p").status().message()),
                    testing::HasSubstr("is the path of --zk right?"))
            << text;
    }
}

} // namespace
} // namespace stoa::master
