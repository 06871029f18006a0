// What stoa-allocator-check finds: nothing in the built-in modules, and each kind of mistake in modules that make it.
#include "allocator/allocator.h"
#include "allocator/module_check.h"
#include "allocator/module_face.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace stoa::allocator {
namespace {

constexpr std::uint64_t kTraces = 10;

// Whoever is first in the span comes first.
class ByPosition : public Policy {
public:
    ByPosition(Host, std::string_view) {}
    void begin(const View&, std::span<const std::uint32_t> contenders) override {
        waiting_.assign(contenders.begin(), contenders.end());
    }
    std::uint32_t next(const View&) override { return waiting_.empty() ? kNone : waiting_.front(); }
    Placement place(const View&, const Request&, std::span<const std::uint32_t> candidates) override {
        return {candidates.front(), 1};
    }
    void charged(const View&, std::uint32_t) override {}
    void retired(const View&, std::uint32_t client) override { std::erase(waiting_, client); }

private:
    std::vector<std::uint32_t> waiting_;
};

class ByAddress final : public ByPosition {
public:
    using ByPosition::ByPosition;
    Placement place(const View&, const Request&, std::span<const std::uint32_t> candidates) override {
        std::vector<std::uint32_t> sorted(candidates.begin(), candidates.end());
        std::sort(sorted.begin(), sorted.end());
        return {sorted[reinterpret_cast<std::uintptr_t>(this) / 16 % sorted.size()], 1};
    }
};

class TooMuch final : public ByPosition {
public:
    using ByPosition::ByPosition;
    Placement place(const View&, const Request& request, std::span<const std::uint32_t> candidates) override {
        return {candidates.front(), request.wanted + 1};
    }
};

class Lazy final : public ByPosition {
public:
    using ByPosition::ByPosition;
    std::uint32_t next(const View&) override { return kNone; }
};

ModuleReport reportOf(const stoa_allocator_module_v1* module) { return *checkModule(module, "", kTraces); }

TEST(ModuleCheck, TheBuiltInModulesPass) {
    for (std::string_view name : builtInModules()) {
        const ModuleReport report = reportOf(builtInModule(name));
        EXPECT_THAT(report.problems, testing::IsEmpty()) << name;
        EXPECT_GT(report.grants, 0U);
        EXPECT_EQ(report.unserved, 0U) << name;
    }
}

TEST(ModuleCheck, NoticesADependenceOnTheOrderOfSpans) {
    EXPECT_THAT(reportOf(ModuleOf<ByPosition>::table("by-position")).problems,
                testing::Contains(testing::HasSubstr("decides otherwise")));
}

TEST(ModuleCheck, NoticesADependenceOnAddresses) {
    EXPECT_THAT(reportOf(ModuleOf<ByAddress>::table("by-address")).problems,
                testing::Contains(testing::HasSubstr("decides otherwise")));
}

TEST(ModuleCheck, CountsAnswersThatBreakARule) {
    const ModuleReport report = reportOf(ModuleOf<TooMuch>::table("too-much"));
    EXPECT_GT(report.faults, 0U);
    EXPECT_THAT(report.problems, testing::Contains(testing::HasSubstr("pieces where 1 to")));
}

TEST(ModuleCheck, CountsTurnsThatLeftSomethingWhichFits) {
    const ModuleReport report = reportOf(ModuleOf<Lazy>::table("lazy"));
    EXPECT_EQ(report.grants, 0U);
    EXPECT_GT(report.unserved, 0U);
    EXPECT_THAT(report.problems, testing::IsEmpty());
}

TEST(ModuleCheck, SaysWhyParametersAreRefused) {
    EXPECT_THAT(std::string(checkModule(builtInModule("drf"), "x", 1).status().message()), testing::HasSubstr("\"x\""));
}

} // namespace
} // namespace stoa::allocator
