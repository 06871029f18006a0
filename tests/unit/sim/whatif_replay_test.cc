// The figures of `stoa simulate`, in cases small enough to be worked out by hand.
#include "allocator/allocator.h"
#include "tests/sim/whatif/answer.h"
#include "tests/sim/whatif/picture.h"
#include "tests/sim/whatif/replay.h"

namespace stoa::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Scenario clusterOf(std::string_view rows) {
    Scenario scenario;
    scenario.cluster = *parseCluster("cluster", "class,count,resources,attributes\n" + std::string(rows));
    return scenario;
}

Workload workOf(std::string_view rows) {
    Workload workload;
    const absl::Status parsed =
        parseTrace("trace", "submit,role,shape,count,duration,gang,where\n" + std::string(rows), workload);
    EXPECT_TRUE(parsed.ok()) << parsed;
    workload.settle();
    return workload;
}

Figures play(const Scenario& scenario, const Workload& workload, ReplayOptions options = {}) {
    absl::StatusOr<Figures> figures = replay(scenario, workload, options);
    EXPECT_TRUE(figures.ok()) << figures.status();
    return *std::move(figures);
}

TEST(Replay, UseAndWaitsAreThoseWorkedOutByHand) {
    // One agent with 4 cpus. a: 0 to 100, all 4. b comes at 10, wants all 4: 100 to 150. c comes at 120 with two tasks of
    // 2 cpus: 150 to 180. Nothing until d at 200: 1 cpu until 220.
    const Figures figures = play(clusterOf("m,1,cpus:4;mem:1000,\n"), workOf("0,a,cpus:4;mem:100,1,100,,\n"
                                                                             "10,b,cpus:4,1,50,,\n"
                                                                             "120,c,cpus:2,2,30,,\n"
                                                                             "200,d,cpus:1,1,20,,\n"));
    EXPECT_EQ(figures.span, 220s);
    EXPECT_DOUBLE_EQ(figures.use[Resources::kCpus], (400.0 + 200 + 120 + 20) / (4 * 220));
    EXPECT_DOUBLE_EQ(figures.use[Resources::kMem], 100.0 * 100 / (1000 * 220));
    EXPECT_EQ(figures.tasks, 5U);
    EXPECT_EQ(figures.started, 5U);
    EXPECT_EQ(figures.ended, 5U);
    EXPECT_EQ(figures.waiting, 0U);
    EXPECT_EQ(figures.running, 0U);
    ASSERT_EQ(figures.roles.size(), 4);
    EXPECT_EQ(figures.roles[0].waits.most, 0s);
    EXPECT_EQ(figures.roles[1].waits.p50, 90s);
    EXPECT_EQ(figures.roles[2].waits.p99, 30s);
    EXPECT_EQ(figures.roles[3].waits.most, 0s);
    // Of 0, 0, 30, 30, 90.
    EXPECT_EQ(figures.waits.p50, 30s);
    EXPECT_EQ(figures.waits.p90, 90s);
    EXPECT_EQ(figures.waits.mean, 30s);
    EXPECT_DOUBLE_EQ(figures.roles[0].mean_share, 400.0 / 880);
    EXPECT_DOUBLE_EQ(figures.roles[0].most_share, 1);
    EXPECT_DOUBLE_EQ(figures.roles[3].most_share, 0.25);
    // Steps of one second: the 100th second is a's, the 101st b's.
    EXPECT_EQ(figures.step, 1s);
    ASSERT_EQ(figures.points[0].size(), 220);
    EXPECT_DOUBLE_EQ(figures.points[0][99].share, 1);
    EXPECT_DOUBLE_EQ(figures.points[0][100].share, 0);
    EXPECT_DOUBLE_EQ(figures.points[1][100].share, 1);
    EXPECT_DOUBLE_EQ(figures.points[1][50].waiting, 1);
    EXPECT_DOUBLE_EQ(figures.points[2][149].waiting, 2);
}

TEST(Replay, WeightsDivideWhatTwoWant) {
    Scenario scenario = clusterOf("m,3,cpus:4,\n");
    const Workload work = workOf("0,a,cpus:1,400,10,,\n0,b,cpus:1,400,10,,\n");
    const Figures even = play(scenario, work, {.until = 100s});
    EXPECT_DOUBLE_EQ(even.roles[0].mean_share, 0.5);
    EXPECT_DOUBLE_EQ(even.roles[1].mean_share, 0.5);
    scenario.weights = {{"a", 2}};
    const Figures uneven = play(scenario, work, {.until = 100s});
    EXPECT_DOUBLE_EQ(uneven.roles[0].mean_share, 8.0 / 12);
    EXPECT_DOUBLE_EQ(uneven.roles[1].mean_share, 4.0 / 12);
    EXPECT_EQ(uneven.roles[0].weight, 2);
}

TEST(Replay, OfOneKindTheOldestJobComesFirst) {
    const Figures figures =
        play(clusterOf("m,1,cpus:1,\n"), workOf("0,a,cpus:1,1,10,,\n1,a,cpus:1,2,10,,\n2,a,cpus:1,1,10,,\n"));
    // At 0; at 10 and 20 (from 1); at 30 (from 2).
    EXPECT_EQ(figures.waits.p50, 9s);
    EXPECT_EQ(figures.waits.most, 28s);
    EXPECT_EQ(figures.waits.mean, (0s + 9s + 19s + 28s) / 4);
}

TEST(Replay, AGangStartsAtOnceOrNotAtAll) {
    const Figures figures = play(clusterOf("m,2,cpus:2,\n"), workOf("0,small,cpus:1,1,10,,\n1,gang,cpus:1,4,5,yes,\n"));
    EXPECT_EQ(figures.roles[0].role, "gang");
    EXPECT_EQ(figures.roles[0].started, 4U);
    EXPECT_EQ(figures.roles[0].waits.p50, 9s);
    EXPECT_EQ(figures.roles[0].waits.most, 9s);
}

TEST(Replay, AttributesBindWhereTheyAreAskedFor) {
    const Figures figures =
        play(clusterOf("m,1,cpus:1,rack:a\nn,9,cpus:1,rack:b\n"), workOf("0,x,cpus:1,2,10,,rack=a\n"));
    EXPECT_EQ(figures.waits.most, 10s);
}

TEST(Replay, WhatNeverFitsIsNamedWithWhatItLacks) {
    const Figures figures =
        play(clusterOf("m,2,cpus:4,\n"), workOf("0,x,cpus:64,3,10,,\n0,y,cpus:1,1,10,,\n0,z,cpus:3,5,9,yes,\n"));
    EXPECT_EQ(figures.waiting, 8U);
    EXPECT_EQ(figures.ended, 1U);
    EXPECT_EQ(figures.span, 10s);
    ASSERT_EQ(figures.never_placed.size(), 2);
    EXPECT_EQ(figures.never_placed[0].role, "x");
    EXPECT_EQ(figures.never_placed[0].tasks, 3U);
    EXPECT_THAT(figures.never_placed[0].why, HasSubstr("needs cpus 64, has 4 at all (2 agents)"));
    EXPECT_THAT(figures.never_placed[1].why, HasSubstr("of 5 pieces 2 would fit if all agents were empty"));
}

TEST(Replay, WhatDoesNotEndStays) {
    const Figures figures = play(clusterOf("m,1,cpus:4,\n"), workOf("0,svc,cpus:1,3,forever,,\n1,job,cpus:1,2,10,,\n"));
    EXPECT_EQ(figures.running, 3U);
    EXPECT_EQ(figures.span, 21s);
    EXPECT_DOUBLE_EQ(figures.roles[1].mean_share, 0.75);
}

TEST(Replay, TimeDoesNotRunOut) {
    const Scenario scenario = clusterOf("m,1,cpus:1,\n");
    const Workload work = workOf("0,a,cpus:1,9,99d,,\n0,a,cpus:1,9,30000d,,\n");
    EXPECT_THAT(std::string(replay(scenario, work, {}).status().message()), HasSubstr("more than 150 years"));
    EXPECT_EQ(play(scenario, work, {.until = 24h}).running, 1U);
}

TEST(Replay, StopsWhenItIsToldTo) {
    const Figures figures = play(clusterOf("m,1,cpus:1,\n"), workOf("0,a,cpus:1,9,10,,\n"), {.until = 35s});
    EXPECT_EQ(figures.span, 35s);
    EXPECT_EQ(figures.ended, 3U);
    EXPECT_EQ(figures.running, 1U);
    EXPECT_EQ(figures.waiting, 5U);
    EXPECT_DOUBLE_EQ(figures.use[Resources::kCpus], 1);
    EXPECT_TRUE(figures.never_placed.empty());
}

TEST(Replay, BeginsWithWhatRunsOnALiveCluster) {
    Scenario scenario = clusterOf("m,2,cpus:2,\n");
    Workload work = workOf("0,a,cpus:2,1,10,,\n");
    const std::uint32_t running = *work.kind({"etl", "b", "cpus:2", ""});
    scenario.running = {{running, 0, 30s, 100s}, {running, 1, 20s, 50s}};
    const Figures figures = play(scenario, work);
    EXPECT_EQ(figures.roles[0].waits.most, 20s);
    EXPECT_EQ(figures.tasks, 3U);
    EXPECT_EQ(figures.roles[1].tasks, 2U);
    EXPECT_EQ(figures.roles[1].started, 0U); // they had been
    EXPECT_EQ(figures.span, 30s);
    EXPECT_DOUBLE_EQ(figures.use[Resources::kCpus], (60.0 + 40 + 20) / (4 * 30));
}

TEST(Scenario, WhatRanOnAMachineThatGoesStartsOver) {
    Scenario scenario = clusterOf("a,1,cpus:2,rack:a\nb,2,cpus:2,rack:b\n");
    Workload work = workOf("0,x,cpus:1,1,1,,\n");
    const std::uint32_t running = *work.kind({"etl", "b", "cpus:2", ""});
    scenario.running = {{running, 0, 30s, 100s}, {running, 2, 20s, 50s}};
    const absl::StatusOr<TakenAway> taken = takeAway("rack=a", scenario, work);
    ASSERT_TRUE(taken.ok()) << taken.status();
    EXPECT_EQ(taken->agents, 1);
    EXPECT_EQ(taken->tasks, 1);
    ASSERT_EQ(scenario.running.size(), 1);
    EXPECT_EQ(scenario.running[0].machine, 1);
    ASSERT_EQ(work.jobs().size(), 2);
    EXPECT_EQ(work.jobs()[1].runtime, 100s);
    work.settle();
    EXPECT_EQ(play(scenario, work).ended, 3U);
}

TEST(Replay, MoreKindsThanAFrameworkStatesAtOnceAllRun) {
    std::string rows;
    for (int i = 0; i < 1500; ++i) rows += "0,a,cpus:1;mem:" + std::to_string(i + 1) + ",1,10,,\n";
    const Figures figures = play(clusterOf("m,10,cpus:4;mem:10000,\n"), workOf(rows));
    EXPECT_EQ(figures.ended, 1500U);
    // 40 at a time, and nothing between.
    EXPECT_EQ(figures.span, 380s);
}

TEST(Replay, TheSameSeedGivesTheSameAnswer) {
    std::string rows;
    for (int i = 0; i < 300; ++i) {
        rows += std::to_string(i) + (i % 3 == 0 ? ",a,cpus:2;mem:300," : ",b,cpus:1;mem:700,") +
                std::to_string(i % 7 + 1) + "," + std::to_string(20 + i % 11) + "," + (i % 5 == 0 ? "yes" : "no") +
                ",\n";
    }
    const Workload work = workOf(rows);
    const Scenario scenario = clusterOf("m,20,cpus:4;mem:4000,\n");
    const auto answer = [&](std::uint64_t seed) { return jsonOf({seed, {}, {play(scenario, work, {.seed = seed})}}); };
    EXPECT_EQ(answer(3), answer(3));
}

TEST(Replay, AnotherModuleMayBeAsked) {
    Scenario scenario = clusterOf("m,2,cpus:2,\n");
    scenario.module = allocator::builtInModule("spread");
    EXPECT_EQ(play(scenario, workOf("0,a,cpus:1,4,10,,\n")).span, 10s);
}

TEST(Waits, PercentilesAreValuesThatOccurred) {
    std::vector<std::int64_t> nanos;
    for (int i = 100; i >= 1; --i) nanos.push_back(i);
    const Waits waits = waitsOf(nanos);
    EXPECT_EQ(waits.p50.count(), 50);
    EXPECT_EQ(waits.p90.count(), 90);
    EXPECT_EQ(waits.p99.count(), 99);
    EXPECT_EQ(waits.most.count(), 100);
    std::vector<std::int64_t> one{7};
    EXPECT_EQ(waitsOf(one).p50.count(), 7);
    std::vector<std::int64_t> none;
    EXPECT_EQ(waitsOf(none).most, 0s);
}

TEST(Series, StepsGrowAndSumsStayExact) {
    Series series(2);
    series.change(0, 0s, 3);
    series.change(1, 1s, 1);
    series.change(1, 2s, -1); // in an early step, which becomes part of a long one
    series.change(0, 1000s, -1);
    series.finish(4000s);
    EXPECT_EQ(series.step(), 8s);
    EXPECT_EQ(series.steps(), 500);
    EXPECT_DOUBLE_EQ(series.meanOfAll(0), (3.0 * 1000 + 2.0 * 3000) / 4000);
    EXPECT_DOUBLE_EQ(series.mean(0, 0), 3);
    EXPECT_DOUBLE_EQ(series.mean(0, 499), 2);
    EXPECT_DOUBLE_EQ(series.mean(1, 0), 1.0 / 8);
    EXPECT_EQ(series.most(0), 3);
}

TEST(Series, WhatRisesAndFallsAtOneMomentWasNeverThere) {
    Series series(1);
    series.change(0, 1s, 5);
    series.change(0, 1s, -5);
    series.change(0, 1s, 2);
    series.finish(2s);
    EXPECT_EQ(series.most(0), 2);
}

class TheAnswer : public ::testing::Test {
protected:
    Answer compared() {
        Workload work = workOf("0,a&<b>,cpus:4,1,100,,\n0,c,cpus:4,1,100,,\n0,c,cpus:64,1,1,,\n");
        Scenario scenario = clusterOf("m,1,cpus:4;mem:1000,\n");
        scenario.name = "before";
        Answer answer{1, {"1 more of m"}, {play(scenario, work)}};
        EXPECT_TRUE(scenario.cluster.add("1xm").ok());
        scenario.name = "after";
        answer.runs.push_back(play(scenario, work));
        return answer;
    }
};

TEST_F(TheAnswer, ComparesBeforeAndAfter) {
    const std::string tables = tablesOf(compared());
    EXPECT_THAT(tables, HasSubstr("after: 1 more of m\n"));
    EXPECT_THAT(tables, HasSubstr("agents                1         2       +1\n"));
    EXPECT_THAT(tables, HasSubstr("took              3m20s     1m40s   -1m40s\n"));
    EXPECT_THAT(tables, HasSubstr("cpus in use     100.0 %   100.0 %        =\n"));
    EXPECT_THAT(tables, HasSubstr("NEVER PLACED (before)\n  1 task of c, cpus:64: "));
}

TEST_F(TheAnswer, IsJsonForPrograms) {
    const std::string json = jsonOf(compared());
    EXPECT_THAT(json, HasSubstr("\"utilisation\": {\n    \"cpus\": 1.0"));
    EXPECT_THAT(json, HasSubstr("\"seconds\": 200.0"));
    EXPECT_THAT(json, HasSubstr("\"name\": \"after\""));
}

TEST_F(TheAnswer, IsARowForEachStepAndRoleAsCsv) {
    const std::string csv = csvOf(compared());
    EXPECT_TRUE(csv.starts_with("run,seconds,role,share,cpus,mem,disk,gpus,waiting\n"));
    EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 200 + 2 * 100);
    EXPECT_THAT(csv, HasSubstr("\nafter,99,c,0.500000"));
}

TEST_F(TheAnswer, IsAPictureWithoutAnythingFromOutside) {
    const std::string svg = svgOf(compared());
    EXPECT_TRUE(svg.starts_with("<svg xmlns="));
    EXPECT_THAT(svg, HasSubstr("a&amp;&lt;b&gt;"));
    EXPECT_THAT(svg, HasSubstr("prefers-color-scheme: dark"));
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_EQ(svg.find("href"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_EQ(svg.find("inf"), std::string::npos);
}

} // namespace
} // namespace stoa::sim
