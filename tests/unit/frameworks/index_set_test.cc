#include "frameworks/batch/index_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>
#include <string>

namespace stoa::batch {
namespace {

using testing::HasSubstr;

TEST(IndexSet, IsSortedAndWithoutRepetition) {
    EXPECT_EQ(IndexSet::parse("5,1-3,2")->toString(), "1-3,5");
    EXPECT_EQ(IndexSet::parse("0-20:5")->toString(), "0-20:5");
    EXPECT_EQ(IndexSet::parse("0-21:5")->count(), 5u);
    EXPECT_EQ(IndexSet::parse("7")->toString(), "7");
    EXPECT_EQ(IndexSet::parse("0-10:2,1-11:2")->toString(), "0-11");
    EXPECT_EQ(*IndexSet::parse("0-4"), IndexSet::upTo(5));
}

TEST(IndexSet, FirstLastAndStepAreKnown) {
    const IndexSet set = *IndexSet::parse("10-40:10");
    EXPECT_EQ(set.at(0), 10u);
    EXPECT_EQ(set.last(), 40u);
    EXPECT_EQ(set.step(), 10u);
    EXPECT_EQ(IndexSet::parse("1,3,4")->step(), 1u);
}

TEST(IndexSet, WhatIsWrongIsNamed) {
    auto refusal = [](const char* text) { return std::string(IndexSet::parse(text).status().message()); };
    EXPECT_THAT(refusal("a"), HasSubstr("\"a\" is no index"));
    EXPECT_THAT(refusal(""), HasSubstr("no index"));
    EXPECT_THAT(refusal("1,,3"), HasSubstr("\"\" is no index"));
    EXPECT_THAT(refusal("9-3"), HasSubstr("\"9-3\" runs backwards"));
    EXPECT_THAT(refusal("0-9:0"), HasSubstr("step of 0"));
    EXPECT_THAT(refusal("0-1000000"), HasSubstr("more than 1000000 tasks"));
    EXPECT_THAT(refusal("4000000000"), HasSubstr("larger than"));
    EXPECT_THAT(refusal("-5"), HasSubstr("no index"));
}

TEST(ArraySpecs, MayLimitHowManyRun) {
    EXPECT_EQ(parseArray("0-999%50")->at_most, 50u);
    EXPECT_EQ(parseArray("0-999")->at_most, 0u);
    EXPECT_THAT(std::string(parseArray("0-9%0").status().message()), HasSubstr("behind %"));
    EXPECT_THAT(std::string(parseArray("0-9%x").status().message()), HasSubstr("behind %"));
}

RC_GTEST_PROP(IndexSetProperty, PositionsAndIndicesAreEachOthersInverse, ()) {
    const auto indices = *rc::gen::container<std::set<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(0, 200));
    RC_PRE(!indices.empty());
    std::string text;
    for (std::uint32_t index : indices) text += (text.empty() ? "" : ",") + std::to_string(index);
    const IndexSet set = *IndexSet::parse(text);
    RC_ASSERT(set.count() == indices.size());
    RC_ASSERT(*IndexSet::parse(set.toString()) == set);
    std::uint32_t position = 0;
    for (std::uint32_t index = 0; index < 201; ++index) {
        if (!indices.contains(index)) {
            RC_ASSERT(set.positionOf(index) == std::nullopt);
            continue;
        }
        RC_ASSERT(set.at(position) == index);
        RC_ASSERT(set.positionOf(index) == position);
        ++position;
    }
}

} // namespace
} // namespace stoa::batch
