#include "protocol/resources/resources.h"

#include "protocol/resources/amount.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

namespace stoa {
namespace {

Resources parsed(std::string_view text) {
    absl::StatusOr<Resources> resources = Resources::parse(text);
    EXPECT_TRUE(resources.ok()) << resources.status();
    return resources.ok() ? *resources : Resources();
}

std::string errorOf(std::string_view text) {
    absl::StatusOr<Resources> resources = Resources::parse(text);
    return resources.ok() ? "no error: " + resources->toString() : std::string(resources.status().message());
}

// ---- Generators ----------------------------------------------------------------------------------------------

rc::Gen<Ranges> anyRanges() {
    return rc::gen::map(rc::gen::container<std::vector<std::pair<std::uint64_t, std::uint64_t>>>(rc::gen::pair(
                            rc::gen::inRange<std::uint64_t>(0, 60), rc::gen::inRange<std::uint64_t>(0, 8))),
                        [](const std::vector<std::pair<std::uint64_t, std::uint64_t>>& pairs) {
                            std::vector<Ranges::Interval> intervals;
                            intervals.reserve(pairs.size());
                            for (auto [first, length] : pairs) intervals.push_back({first, first + length});
                            return Ranges::of(std::move(intervals)).value();
                        });
}

// Small amounts, so that bundles often contain each other.
rc::Gen<Resources> anyResources() {
    return rc::gen::map(
        rc::gen::tuple(rc::gen::container<std::vector<std::int64_t>>(4, rc::gen::inRange<std::int64_t>(0, 5000)),
                       rc::gen::inRange<std::int64_t>(0, 3000), anyRanges(), rc::gen::inRange(0, 64)),
        [](const auto& parts) {
            const auto& [scalars, licences, ports, disks] = parts;
            Resources resources(Resources::Scalars{scalars[0], scalars[1], scalars[2], scalars[3]});
            EXPECT_TRUE(resources.add({"licences", Milli{licences}}).ok());
            EXPECT_TRUE(resources.add({"ports", ports}).ok());
            NameSet names;
            for (int disk = 0; disk < 6; ++disk) {
                if (disks & (1 << disk)) names.push_back("disk" + std::to_string(disk));
            }
            EXPECT_TRUE(resources.add({"disks", names}).ok());
            return resources;
        });
}

// The numbers of ranges one by one: what Ranges must agree with.
std::set<std::uint64_t> numbers(const Ranges& ranges) {
    std::set<std::uint64_t> all;
    for (const Ranges::Interval& interval : ranges.intervals()) {
        for (std::uint64_t n = interval.first; n <= interval.last; ++n) all.insert(n);
    }
    return all;
}

Resources sum(Resources a, const Resources& b) {
    a += b;
    return a;
}

// Shares no port and no disk with `other`, so that addition is of amounts that are apart, as in a ledger.
Resources apart(const Resources& resources, const Resources& other) {
    Resources result(resources.scalars());
    for (const Resources::Other& mine : resources.others()) {
        Resources::Other left = mine;
        const Resources::Other* theirs = other.find(mine.name);
        if (auto* ranges = std::get_if<Ranges>(&left.value); ranges != nullptr && theirs != nullptr) {
            ranges->subtract(std::get<Ranges>(theirs->value));
        } else if (auto* names = std::get_if<NameSet>(&left.value); names != nullptr && theirs != nullptr) {
            const NameSet& taken = std::get<NameSet>(theirs->value);
            std::erase_if(*names, [&](const std::string& name) {
                return std::find(taken.begin(), taken.end(), name) != taken.end();
            });
        }
        EXPECT_TRUE(result.add(left).ok());
    }
    return result;
}

// ---- Ranges --------------------------------------------------------------------------------------------------

RC_GTEST_PROP(Ranges, AgreeWithSetsOfNumbers, ()) {
    const Ranges a = *anyRanges();
    const Ranges b = *anyRanges();
    const std::set<std::uint64_t> in_a = numbers(a);
    const std::set<std::uint64_t> in_b = numbers(b);

    std::set<std::uint64_t> both = in_a;
    both.insert(in_b.begin(), in_b.end());
    std::set<std::uint64_t> left;
    std::set_difference(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), std::inserter(left, left.end()));

    Ranges added = a;
    added.add(b);
    Ranges subtracted = a;
    subtracted.subtract(b);
    RC_ASSERT(numbers(added) == both);
    RC_ASSERT(numbers(subtracted) == left);
    RC_ASSERT(a.contains(b) == std::includes(in_a.begin(), in_a.end(), in_b.begin(), in_b.end()));
    RC_ASSERT(a.overlaps(b) == (left.size() != in_a.size()));
    RC_ASSERT(a.size() == in_a.size());
}

RC_GTEST_PROP(Ranges, AreDisjointAscendingAndNotAdjacent, ()) {
    Ranges ranges = *anyRanges();
    ranges.add(*anyRanges());
    ranges.subtract(*anyRanges());
    const std::vector<Ranges::Interval>& list = ranges.intervals();
    for (std::size_t i = 0; i < list.size(); ++i) {
        RC_ASSERT(list[i].first <= list[i].last);
        if (i > 0) RC_ASSERT(list[i].first > list[i - 1].last + 1);
    }
}

RC_GTEST_PROP(Ranges, LowestTakesThatManyFromTheBottom, ()) {
    const Ranges ranges = *anyRanges();
    const auto count = *rc::gen::inRange<std::uint64_t>(0, 40);
    const Ranges part = ranges.lowest(count);
    RC_ASSERT(part.size() == std::min(count, ranges.size()));
    RC_ASSERT(ranges.contains(part));
    Ranges rest = ranges;
    rest.subtract(part);
    if (!rest.empty() && !part.empty()) RC_ASSERT(part.intervals().back().last < rest.intervals().front().first);
}

TEST(Ranges, ReachTheLargestNumberWithoutOverflow) {
    const std::uint64_t most = ~std::uint64_t{0};
    Ranges all = Ranges::of({{0, most}}).value();
    EXPECT_EQ(all.size(), most);
    all.add(Ranges::of({{most, most}}).value());
    EXPECT_EQ(all.intervals().size(), 1u);
    all.subtract(Ranges::of({{most, most}}).value());
    EXPECT_EQ(all, Ranges::of({{0, most - 1}}).value());
}

TEST(Ranges, RefuseAnEndBeforeTheBeginning) {
    EXPECT_EQ(Ranges::of({{5, 4}}).status().message(), "\"5-4\" is not a range: it ends before it begins");
}

// ---- The algebra ---------------------------------------------------------------------------------------------

RC_GTEST_PROP(Resources, AdditionIsCommutativeAndAssociative, ()) {
    const Resources a = *anyResources();
    const Resources b = *anyResources();
    const Resources c = *anyResources();
    RC_ASSERT(sum(a, b) == sum(b, a));
    RC_ASSERT(sum(sum(a, b), c) == sum(a, sum(b, c)));
    RC_ASSERT(sum(a, Resources()) == a);
}

RC_GTEST_PROP(Resources, SubtractionUndoesAddition, ()) {
    const Resources b = *anyResources();
    const Resources a = apart(*anyResources(), b);
    Resources both = sum(a, b);
    RC_ASSERT(both.subtract(b).ok());
    RC_ASSERT(both == a);
}

RC_GTEST_PROP(Resources, ContainmentIsAPartialOrder, ()) {
    const Resources a = *anyResources();
    const Resources b = sum(a, *anyResources());
    const Resources c = sum(b, *anyResources());
    const Resources other = *anyResources();
    RC_ASSERT(a.contains(a));
    RC_ASSERT(b.contains(a));
    RC_ASSERT(c.contains(a));
    if (a.contains(other) && other.contains(a)) RC_ASSERT(a == other);
}

RC_GTEST_PROP(Resources, WhatIsContainedCanBeTakenAndGivenBack, ()) {
    const Resources whole = *anyResources();
    const Resources part = *anyResources();
    Resources left = whole;
    const absl::Status taken = left.subtract(part);
    RC_ASSERT(taken.ok() == whole.contains(part));
    if (!taken.ok()) {
        RC_ASSERT(left == whole);
        return;
    }
    RC_ASSERT(whole.contains(left));
    RC_ASSERT(sum(left, part) == whole);
}

RC_GTEST_PROP(Resources, AShortfallIsSaidExactlyWhenSomethingIsShort, ()) {
    const Resources whole = *anyResources();
    const Resources part = *anyResources();
    RC_ASSERT(whole.shortfall(part).empty() == whole.contains(part));
}

RC_GTEST_PROP(Resources, TimesContainedAgreesWithRepeatedSubtraction, ()) {
    Resources whole = *anyResources();
    Resources shape(
        Resources::Scalars{*rc::gen::inRange<std::int64_t>(0, 900), *rc::gen::inRange<std::int64_t>(0, 900), 0, 0});
    if (*rc::gen::arbitrary<bool>())
        RC_ASSERT(shape.add({"licences", Milli{*rc::gen::inRange<std::int64_t>(0, 900)}}).ok());
    if (*rc::gen::arbitrary<bool>()) RC_ASSERT(shape.add({"ports", *anyRanges()}).ok());
    const std::uint32_t limit = 20;
    const std::uint32_t times = whole.timesContained(shape, limit);
    std::uint32_t taken = 0;
    while (taken < limit && whole.subtract(shape).ok()) ++taken;
    RC_ASSERT(times == taken);
}

RC_GTEST_PROP(Resources, WhatIsPrintedIsReadBack, ()) {
    const Resources resources = *anyResources();
    RC_ASSERT(parsed(resources.toString()) == resources);
}

RC_GTEST_PROP(Resources, TimesIsRepeatedAddition, ()) {
    const Resources shape(Resources::Scalars{*rc::gen::inRange<std::int64_t>(0, 5000), 7, 0, 1});
    const auto count = *rc::gen::inRange<std::uint32_t>(0, 10);
    Resources added;
    for (std::uint32_t i = 0; i < count; ++i) added += shape;
    RC_ASSERT(shape.times(count) == added);
}

TEST(Resources, SumsBeyondAllMeasureStayAtTheTop) {
    Resources huge(Resources::Scalars{kLargestAmount.count, 0, 0, 0});
    Resources total = huge.times(4'000'000'000);
    total += total;
    EXPECT_GT(total.scalar(Resources::kCpus), kLargestAmount);
}

TEST(Resources, DifferentMachinesMayUseOneNameForTwoTypes) {
    Resources total = parsed("slots:4");
    total += parsed("slots:{a,b}");
    EXPECT_TRUE(total.contains(parsed("slots:4")));
    EXPECT_TRUE(total.contains(parsed("slots:{b}")));
    EXPECT_FALSE(total.contains(parsed("slots:5")));
    ASSERT_TRUE(total.subtract(parsed("slots:4")).ok());
    EXPECT_EQ(total, parsed("slots:{a,b}"));
}

TEST(Resources, AShortfallNamesEachThingThatIsShort) {
    const Resources agent = parsed("cpus:2;mem:2048;ports:[10-20]");
    EXPECT_EQ(agent.shortfall(parsed("cpus:2;mem:4096")), "needs mem 4096, has 2048");
    EXPECT_EQ(agent.shortfall(parsed("cpus:2.5;ports:[9-10];ssd:{a}")),
              "needs cpus 2.5, has 2; needs ports [9-10], has [10-20]; needs ssd {a}, has none");
}

// ---- Text ----------------------------------------------------------------------------------------------------

TEST(ResourcesText, IsThatOfMesos) {
    const Resources resources =
        parsed(" cpus:1.5; mem(*):2048 ;ports:[32005-32005, 31000-32000,31999-32001];disks:{b, a,b};");
    EXPECT_EQ(resources.toString(), "cpus:1.5;mem:2048;disks:{a,b};ports:[31000-32001,32005-32005]");
    EXPECT_EQ(parsed("").toString(), "");
    EXPECT_EQ(parsed("cpus:0;ports:[];x:0;y:{}"), Resources());
    EXPECT_EQ(parsed("cpus:1;cpus:2"), parsed("cpus:3"));
}

TEST(ResourcesText, KeepsThreeDecimals) {
    EXPECT_EQ(parsed("cpus:0.0005").toString(), "cpus:0.001");
    EXPECT_EQ(parsed("cpus:0.0004").toString(), "");
    EXPECT_EQ(parsed("cpus:1.0009999").toString(), "cpus:1.001");
    EXPECT_EQ(parsed("cpus:.5").toString(), "cpus:0.5");
    EXPECT_EQ(parsed("cpus:1e3").toString(), "cpus:1000");
    EXPECT_EQ(parsed("cpus:0.1").scalar(Resources::kCpus), Milli{100});
    EXPECT_EQ(parsed("mem:4503599627370.496").scalar(Resources::kMem), kLargestAmount);
}

TEST(ResourcesText, ErrorsQuoteThePieceThatIsWrong) {
    EXPECT_EQ(errorOf("cpus:abc"), R"("cpus:abc": "abc" is not a number)");
    EXPECT_EQ(errorOf("mem:1;cpus"), R"("cpus": there is no colon; write name:value, as in cpus:4)");
    EXPECT_EQ(errorOf("cpus:"), R"("cpus:": there is nothing after the colon)");
    EXPECT_EQ(errorOf("cpus:-1"), R"("cpus:-1": "-1" is negative)");
    EXPECT_EQ(errorOf("cpus:nan"), R"("cpus:nan": "nan" is not a number)");
    EXPECT_EQ(errorOf("cpus:inf"), R"("cpus:inf": "inf" is not a number)");
    EXPECT_EQ(errorOf("mem:4503599627370.497"),
              R"("mem:4503599627370.497": "4503599627370.497" is too large: the most is 4503599627370.496)");
    EXPECT_EQ(errorOf("mem:1e300"), R"("mem:1e300": "1e300" is too large: the most is 4503599627370.496)");
    EXPECT_EQ(errorOf("mem:1e999"), R"("mem:1e999": "1e999" is too large: the most is 4503599627370.496)");
    EXPECT_EQ(errorOf("mem:4503599627370;mem:1"), R"("mem:1": mem adds up to too much: the most is 4503599627370.496)");
    EXPECT_EQ(errorOf("ports:[5-1]"), R"("ports:[5-1]": "5-1" is not a range: it ends before it begins)");
    EXPECT_EQ(errorOf("ports:[5]"), R"("ports:[5]": "5" is not a range; write first-last, as in 31000-32000)");
    EXPECT_EQ(errorOf("ports:8"), R"("ports:8": ports is a list of ranges, as in ports:[31000-32000], not an amount)");
    EXPECT_EQ(errorOf("cpus:{a}"), R"("cpus:{a}": cpus is an amount, as in cpus:4, not a set of names)");
    EXPECT_EQ(errorOf("x:1;x:{a}"), R"("x:{a}": "x" is an amount and a set of names at the same time)");
    EXPECT_EQ(errorOf("cpus(prod):1"),
              R"x("cpus(prod):1": a reservation for role "prod" can't be made here; leave "(prod)" out)x");
    EXPECT_EQ(errorOf(":1"), R"(":1": the name is empty)");
    EXPECT_EQ(errorOf("x:{a,,b}"), R"("x:{a,,b}": a name in the set is empty)");
}

RC_GTEST_PROP(ResourcesText, NoTextIsTooOddToBeReadOrRefused, ()) {
    const auto text =
        *rc::gen::container<std::string>(rc::gen::elementOf(std::string("cpusmem:;[]{}()-.,0123456789e \"\t")));
    absl::StatusOr<Resources> resources = Resources::parse(text);
    if (resources.ok()) RC_ASSERT(parsed(resources->toString()) == *resources);
}

// ---- JSON ----------------------------------------------------------------------------------------------------

TEST(ResourcesJson, SaysTheSameAsText) {
    EXPECT_EQ(parsed(R"([
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1.5}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": 2048}, "role": "*"},
        {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 31000, "end": 32000}]}},
        {"name": "disks", "type": "SET", "set": {"item": ["b", "a"]}}])"),
              parsed("cpus:1.5;mem:2048;ports:[31000-32000];disks:{a,b}"));
    EXPECT_EQ(parsed("[]"), Resources());
}

TEST(ResourcesJson, ErrorsNameTheResource) {
    EXPECT_EQ(errorOf(R"([{"name": "cpus", "type": "SCALAR", "scalar": {"value": "x"}}])"),
              R"("cpus": "x" is not a number)");
    EXPECT_EQ(errorOf(R"([{"name": "cpus", "type": "SCALAR"}])"),
              R"("cpus": "scalar": {"value": 4} is missing, or not of that form)");
    EXPECT_EQ(errorOf(R"([{"name": "cpus", "type": "NUMBER"}])"),
              R"("cpus": type "NUMBER" is not one of SCALAR, RANGES and SET)");
    EXPECT_EQ(errorOf(R"([{"type": "SCALAR"}])"), R"(resource 1 of the list has no "name")");
    EXPECT_EQ(errorOf(R"([{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}, "reservations": []}])"),
              R"("cpus": "reservations" can't be given here)");
    EXPECT_EQ(errorOf(R"([{"name": "p", "type": "RANGES", "ranges": {"range": [{"begin": -1, "end": 2}]}}])"),
              R"("p": "-1" is not a whole number)");
    EXPECT_EQ(errorOf("[{"), "not JSON: Missing a name for object member. (at character 3)");
}

TEST(ResourcesJson, DeepNestingIsRefusedWithoutHarm) {
    EXPECT_EQ(errorOf(std::string(1'000'000, '[')), "not JSON: Invalid value. (at character 1000001)");
}

// ---- Attributes and constraints ------------------------------------------------------------------------------

TEST(Attributes, AreTextNumbersOrRanges) {
    Attributes attributes =
        parseAttributes("rack:a; speed:2.50;zone:[1-5];offset:-3;serial:99999999999999999999").value();
    ASSERT_EQ(attributes.size(), 5u);
    EXPECT_EQ(attributes[0], (Attribute{"offset", Milli{-3000}}));
    EXPECT_EQ(attributes[1], (Attribute{"rack", std::string("a")}));
    EXPECT_EQ(attributes[2], (Attribute{"serial", std::string("99999999999999999999")}));
    EXPECT_EQ(toString(attributes[3]), "2.5");
    EXPECT_EQ(toString(attributes[4]), "[1-5]");
}

TEST(Attributes, ErrorsQuoteThePieceThatIsWrong) {
    EXPECT_EQ(parseAttributes("rack").status().message(),
              R"("rack": there is no colon; write name:value, as in rack:a)");
    EXPECT_EQ(parseAttributes("rack:a;rack:b").status().message(), R"("rack:b": rack is given twice)");
    EXPECT_EQ(parseAttributes("rack:").status().message(), R"("rack:": there is nothing after the colon)");
    EXPECT_EQ(parseAttributes("z:[2-1]").status().message(),
              R"("z:[2-1]": "2-1" is not a range: it ends before it begins)");
}

TEST(Constraint, IsReadAndPrinted) {
    for (std::string text : {"rack=a", "rack!=a", "ssd", "!ssd", "note=a=b"}) {
        absl::StatusOr<Constraint> constraint = parseConstraint(text);
        ASSERT_TRUE(constraint.ok()) << constraint.status();
        EXPECT_EQ(toString(*constraint), text);
    }
    EXPECT_EQ(parseConstraint("rack=").status().message(), R"("rack=": there is nothing to compare with after the =)");
    EXPECT_EQ(parseConstraint("=a").status().message(),
              R"("=a": the name is empty; a constraint is name=value, name!=value, name or !name)");
    EXPECT_FALSE(parseConstraint("").ok());
    EXPECT_FALSE(parseConstraint("!").ok());
}

TEST(Constraint, IsSatisfiedByWhatTheAgentSays) {
    const Attributes agent = parseAttributes("rack:a;speed:2.5;ssd:true").value();
    const auto holds = [&](std::string_view text) { return satisfied(parseConstraint(text).value(), agent); };
    EXPECT_TRUE(holds("rack=a"));
    EXPECT_FALSE(holds("rack=b"));
    EXPECT_FALSE(holds("rack!=a"));
    EXPECT_TRUE(holds("rack!=b"));
    EXPECT_TRUE(holds("speed=2.50"));
    EXPECT_FALSE(holds("speed!=2.500"));
    EXPECT_TRUE(holds("ssd"));
    EXPECT_FALSE(holds("!ssd"));
}

TEST(Constraint, AMissingAttributeSatisfiesOnlyNegations) {
    const auto holds = [](std::string_view text) { return satisfied(parseConstraint(text).value(), {}); };
    EXPECT_FALSE(holds("rack=a"));
    EXPECT_TRUE(holds("rack!=a"));
    EXPECT_FALSE(holds("rack"));
    EXPECT_TRUE(holds("!rack"));
}

} // namespace
} // namespace stoa
