// What `stoa simulate` reads: cluster files, traces, streams, a master's /state; and what it says of what is wrong there.
#include "tests/sim/whatif/cluster.h"
#include "tests/sim/whatif/live.h"
#include "tests/sim/whatif/spans.h"
#include "tests/sim/whatif/streams.h"
#include "tests/sim/whatif/workload.h"

namespace stoa::sim {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string said(const absl::Status& status) { return std::string(status.message()); }

std::string traceError(std::string_view text) {
    Workload workload;
    return said(parseTrace("trace.csv", text, workload));
}

TEST(Spans, AreReadAsPeopleAndSlurmWriteThem) {
    EXPECT_EQ(*parseSpan("90"), 90s);
    EXPECT_EQ(*parseSpan("1.5"), 1500ms);
    EXPECT_EQ(*parseSpan("250ms"), 250ms);
    EXPECT_EQ(*parseSpan("1h30m"), 90min);
    EXPECT_EQ(*parseSpan("2d"), 48h);
    EXPECT_EQ(*parseSpan("01:30:05"), 90min + 5s);
    EXPECT_EQ(*parseSpan("2-00:00:01"), 48h + 1s);
    EXPECT_EQ(*parseSpan("forever", true), kForever);
}

TEST(Spans, WhatIsNoneIsRefused) {
    for (const char* text : {"", "x", "-5", "1h30", "5 minutes", "1:2", "inf", "1e5", "forever", "200000w"}) {
        EXPECT_FALSE(parseSpan(text).ok()) << text;
    }
}

TEST(Spans, ADateIsAMoment) {
    EXPECT_EQ(*parseMoment("1970-01-02T00:00:01"), 24h + 1s);
    EXPECT_EQ(*parseMoment("1970-01-02 00:00:01Z"), 24h + 1s);
    EXPECT_FALSE(parseMoment("2026-02-30T00:00:00").ok());
    EXPECT_FALSE(parseMoment("2026-02-03T25:00:00").ok());
}

TEST(Spans, AreShownInTwoUnitsAtMost) {
    EXPECT_EQ(showSpan(0s), "0s");
    EXPECT_EQ(showSpan(1500ms), "1.5s");
    EXPECT_EQ(showSpan(200s), "3m20s");
    EXPECT_EQ(showSpan(5h + 7min), "5h07m");
    EXPECT_EQ(showSpan(-200s), "-3m20s");
}

TEST(ClusterFile, HasAClassALine) {
    const absl::StatusOr<Cluster> cluster = parseCluster("c.csv", "# machines\n"
                                                                  "class, count, resources,            attributes\n"
                                                                  "small, 2,     cpus:4;mem:1024,      rack:a\n"
                                                                  "\n"
                                                                  "big,   1,     \"cpus:8;ports:[1-2,5-6]\", \n");
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    ASSERT_EQ(cluster->machines.size(), 3);
    EXPECT_EQ(cluster->machines[1].name, "small-2");
    EXPECT_EQ(cluster->machines[2].resources, *Resources::parse("cpus:8;ports:[1-2,5-6]"));
    EXPECT_EQ(cluster->total()[Resources::kCpus], 16'000);
}

TEST(ClusterFile, MayBeJsonLines) {
    const absl::StatusOr<Cluster> cluster = parseCluster(
        "c.json", R"({"class": "a", "count": 2, "resources": {"cpus": 4, "mem": 512}, "attributes": "ssd:true"})");
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    ASSERT_EQ(cluster->machines.size(), 2);
    EXPECT_EQ(cluster->machines[0].resources, Resources::cpusMem(4, 512));
}

TEST(ClusterFile, SaysWhereAndWhatIsWrong) {
    const auto error = [](std::string_view text) { return said(parseCluster("c.csv", text).status()); };
    EXPECT_THAT(error("class,count\n"), HasSubstr("c.csv:1: there is no column \"resources\""));
    EXPECT_THAT(error("class,cout,resources\n"), HasSubstr("c.csv:1: \"cout\" is no column"));
    EXPECT_THAT(error("class,resources\na,cpus:x\n"),
                HasSubstr("c.csv:2: resources: \"cpus:x\": \"x\" is not a number"));
    EXPECT_THAT(error("class,count,resources\n\na,0,cpus:1\n"),
                HasSubstr("c.csv:3: count: \"0\" is no number of agents"));
    EXPECT_THAT(error("class,resources\na,cpus:1\na,cpus:2\n"), HasSubstr("c.csv:3: class: \"a\" stands there twice"));
    EXPECT_THAT(error("class,resources\na,cpus:1,2\n"), HasSubstr("c.csv:2: has 3 cells"));
    EXPECT_THAT(error("class,resources\na,\"cpus:1\n"), HasSubstr("c.csv:2: a double quote is not closed"));
    EXPECT_THAT(error("class,resources\n"), HasSubstr("there is no row in it"));
    EXPECT_THAT(error(""), HasSubstr("c.csv:1: there is no row in it"));
    EXPECT_THAT(error("{\"class\": \"a\"}\n"), HasSubstr("c.csv:1: resources: is missing"));
    EXPECT_THAT(error("{\"class\": \"a\"\n"), HasSubstr("c.csv:1: is no JSON"));
    EXPECT_THAT(error("{\"class\": [1], \"resources\": \"cpus:1\"}"), HasSubstr("c.csv:1: class: is neither"));
    EXPECT_THAT(error("class,count,resources\na,200001,cpus:1\n"), HasSubstr("more than 200000 agents"));
}

TEST(ClusterChanges, AddByClassByNameAndByResources) {
    Cluster cluster = *parseCluster("c", "class,resources,attributes\nsmall,cpus:4,rack:a\n");
    EXPECT_EQ(*cluster.add("2xsmall"), 2U);
    EXPECT_EQ(*cluster.add("1xsmall-1"), 1U);
    EXPECT_EQ(*cluster.add("1xcpus:64;mem:1"), 1U);
    EXPECT_EQ(cluster.machines.size(), 5);
    EXPECT_EQ(cluster.machines[3].attributes, cluster.machines[0].attributes);
    EXPECT_THAT(said(cluster.add("3xbig").status()),
                HasSubstr("there is no class \"big\"; there are cpus:64;mem:1, small"));
    EXPECT_THAT(said(cluster.add("small").status()), HasSubstr("is not COUNTxCLASS"));
    EXPECT_FALSE(cluster.add("0xsmall").ok());
}

TEST(ClusterChanges, NamesStayUnique) {
    Cluster cluster = *parseCluster("c", "class,resources\nsmall,cpus:4\n");
    ASSERT_TRUE(cluster.add("2xsmall").ok());
    ASSERT_TRUE(cluster.add("2xsmall").ok());
    std::set<std::string> names;
    for (const Machine& machine : cluster.machines) names.insert(machine.name);
    EXPECT_EQ(names.size(), 5);
}

TEST(ClusterChanges, TakeAwayByAttributeClassAndHost) {
    const Cluster whole =
        *parseCluster("c", "class,count,resources,attributes\na,2,cpus:4,rack:a\nb,3,cpus:4,rack:b;ssd:true\n");
    const auto left = [&](std::string_view which) {
        Cluster cluster = whole;
        EXPECT_TRUE(cluster.remove(which).ok()) << which;
        return cluster.machines.size();
    };
    EXPECT_EQ(left("rack=a"), 3);
    EXPECT_EQ(left("!ssd"), 3);
    EXPECT_EQ(left("rack!=a"), 2);
    EXPECT_EQ(left("class=b"), 2);
    EXPECT_EQ(left("host=b-2"), 4);
    Cluster cluster = whole;
    EXPECT_THAT(said(cluster.remove("rack=z").status()),
                HasSubstr("there are class=a, class=b, rack=a, rack=b, ssd=true"));
    EXPECT_THAT(said(cluster.remove("class!=z").status()), HasSubstr("takes every agent away"));
}

TEST(Trace, IsCsvWithWhatIsNotSaidTakenFromDefaults) {
    Workload workload;
    ASSERT_TRUE(parseTrace("t",
                           "submit,role,shape,count,duration,where\n"
                           "2026-03-01T08:00:10,etl,cpus:2;mem:64,3,10m,rack=a !ssd\n"
                           "2026-03-01T08:00:00,,cpus:1,,forever,\n",
                           workload)
                    .ok());
    workload.settle();
    ASSERT_EQ(workload.jobs().size(), 2);
    EXPECT_EQ(workload.jobs()[0].submitted, 0s); // the earliest is the beginning
    EXPECT_EQ(workload.jobs()[0].runtime, kForever);
    EXPECT_EQ(workload.jobs()[1].submitted, 10s);
    EXPECT_EQ(workload.jobs()[1].count, 3U);
    EXPECT_EQ(workload.tasks(), 4U);
    EXPECT_EQ(workload.kinds()[0].role, "etl");
    EXPECT_EQ(workload.kinds()[0].framework, "etl");
    EXPECT_EQ(workload.kinds()[0].where.size(), 2);
    EXPECT_EQ(workload.kinds()[1].role, "*");
}

TEST(Trace, MayBeJsonLines) {
    Workload workload;
    ASSERT_TRUE(
        parseTrace("t",
                   R"({"submit": 1.5, "role": "a", "shape": {"cpus": 0.5}, "count": 2, "duration": 60, "gang": true})",
                   workload)
            .ok());
    EXPECT_EQ(workload.jobs()[0].submitted, 1500ms);
    EXPECT_EQ(workload.jobs()[0].runtime, 60s);
    EXPECT_TRUE(workload.jobs()[0].gang);
    EXPECT_EQ(workload.kinds()[0].shape.scalars()[Resources::kCpus], 500);
}

TEST(Trace, KeepsWhatJobsHaveInCommonOnce) {
    Workload workload;
    ASSERT_TRUE(parseTrace("t", "submit,shape,duration\n0,cpus:1,1\n1,cpus:1,2\n2,cpus:2,3\n", workload).ok());
    EXPECT_EQ(workload.kinds().size(), 2);
    EXPECT_EQ(workload.jobs()[0].kind, workload.jobs()[1].kind);
}

TEST(Trace, SaysWhereAndWhatIsWrong) {
    const std::string head = "submit,role,shape,count,duration,gang,where\n";
    EXPECT_THAT(traceError(head + "x,a,cpus:1,1,1,,\n"),
                HasSubstr("trace.csv:2: submit: \"x\" is no time; write seconds"));
    EXPECT_THAT(traceError(head + "0,a,cpus:1,1,soon,,\n"), HasSubstr("trace.csv:2: duration: \"soon\" is no time"));
    EXPECT_THAT(traceError(head + "0,/a,cpus:1,1,1,,\n"),
                HasSubstr("trace.csv:2: role: role \"/a\" has an empty part"));
    EXPECT_THAT(traceError(head + "0,a,cpu,1,1,,\n"), HasSubstr("trace.csv:2: shape: "));
    EXPECT_THAT(traceError(head + "0,a,cpus:1,-1,1,,\n"),
                HasSubstr("trace.csv:2: count: \"-1\" is no number of tasks"));
    EXPECT_THAT(traceError(head + "0,a,cpus:1,1,1,maybe,\n"),
                HasSubstr("trace.csv:2: gang: \"maybe\" is neither yes nor no"));
    EXPECT_THAT(traceError(head + "0,a,cpus:1,1,1,,=x\n"), HasSubstr("trace.csv:2: where: "));
    EXPECT_THAT(traceError(head + "0,a,,1,1,,\n"), HasSubstr("trace.csv:2: shape: is missing"));
}

TEST(Workload, LoadIsTimeBetweenJobs) {
    Workload workload;
    ASSERT_TRUE(parseTrace("t", "submit,shape,duration\n0,cpus:1,7\n10,cpus:1,7\n", workload).ok());
    workload.settle();
    ASSERT_TRUE(workload.hurry(2).ok());
    EXPECT_EQ(workload.jobs()[1].submitted, 5s);
    EXPECT_EQ(workload.jobs()[1].runtime, 7s);
    EXPECT_FALSE(workload.hurry(1e-9).ok());
}

TEST(Streams, DrawTheSameFromTheSameSeed) {
    const absl::StatusOr<Stream> stream =
        parseStream("role=etl every=30s shape=cpus:2;mem:4096 duration=5m..20m count=1..20 where=rack=a where=!ssd");
    ASSERT_TRUE(stream.ok()) << stream.status();
    const auto draw = [&](std::uint64_t seed) {
        Workload workload;
        Rng rng(seed);
        EXPECT_TRUE(drawJobs(*stream, 100h, rng, workload).ok());
        return workload;
    };
    const Workload first = draw(1);
    const Workload again = draw(1);
    ASSERT_EQ(first.jobs().size(), again.jobs().size());
    EXPECT_EQ(first.tasks(), again.tasks());
    EXPECT_NE(first.tasks(), draw(2).tasks());
    // 12,000 are expected, give or take 110 (one standard deviation).
    EXPECT_NEAR(static_cast<double>(first.jobs().size()), 12'000, 600);
    for (const Job& job : first.jobs()) {
        ASSERT_GE(job.runtime, 5min);
        ASSERT_LE(job.runtime, 20min);
        ASSERT_GE(job.count, 1U);
        ASSERT_LE(job.count, 20U);
    }
    EXPECT_EQ(first.kinds()[0].where.size(), 2);
}

TEST(Streams, ExponentialDurationsHaveTheirMean) {
    Workload workload;
    Rng rng(7);
    ASSERT_TRUE(drawJobs(*parseStream("every=1s shape=cpus:1 duration=~10m"), 10h, rng, workload).ok());
    double sum = 0;
    for (const Job& job : workload.jobs()) sum += secondsOf(job.runtime);
    EXPECT_NEAR(sum / static_cast<double>(workload.jobs().size()), 600, 20);
}

TEST(Streams, SayWhatIsWrong) {
    const auto error = [](std::string_view text) { return said(parseStream(text).status()); };
    EXPECT_THAT(error("shape=cpus:1 duration=1m"), HasSubstr("every is missing"));
    EXPECT_THAT(error("every=1s duration=1m"), HasSubstr("shape is missing"));
    EXPECT_THAT(error("every=1s shape=cpus:1"), HasSubstr("duration is missing"));
    EXPECT_THAT(error("evry=1s"), HasSubstr("evry: there is no such setting"));
    EXPECT_THAT(error("every"), HasSubstr("\"every\" is not NAME=VALUE"));
    EXPECT_THAT(error("every=0 shape=cpus:1 duration=1m"), HasSubstr("every: must be more than 0"));
    EXPECT_THAT(error("every=1s shape=cpus:1 duration=2m..1m"), HasSubstr("ends before it begins"));
    EXPECT_THAT(error("every=1s shape=cpus:1 duration=1m count=5..2"), HasSubstr("count: \"5..2\" is no number"));
    EXPECT_THAT(error("every=1s shape=cpus:x duration=1m"), HasSubstr("shape: "));
}

constexpr std::string_view kState = R"({
  "flags": {"allocator": "spread"},
  "slaves": [
    {"id": "S1", "hostname": "h1", "active": true, "deactivated": false, "registered_time": 1000,
     "resources": {"cpus": 4.0, "mem": 1024.0, "disk": 0.0, "gpus": 0.0, "ports": "[31000-31009]"},
     "attributes": {"rack": "a", "speed": 2.5}},
    {"id": "S2", "hostname": "h2", "active": false, "resources": {"cpus": 4.0}, "attributes": {}}],
  "frameworks": [{"name": "etl", "tasks": [
      {"id": "t1", "framework_id": "F1", "slave_id": "S1", "state": "TASK_RUNNING", "role": "batch",
       "resources": {"cpus": 1.5, "mem": 128.0, "disk": 0.0, "gpus": 0.0},
       "statuses": [{"state": "TASK_STARTING", "timestamp": 1100}, {"state": "TASK_RUNNING", "timestamp": 1160}]},
      {"id": "t2", "framework_id": "F1", "slave_id": "S1", "state": "TASK_FINISHED", "role": "batch",
       "resources": {"cpus": 1.0}, "statuses": []},
      {"id": "t3", "framework_id": "F1", "slave_id": "S2", "state": "TASK_RUNNING", "role": "batch",
       "resources": {"cpus": 1.0}, "statuses": []}],
    "executors": [{"executor_id": "e", "framework_id": "F1", "slave_id": "S1", "role": "batch",
                   "resources": {"cpus": 0.1}}]}]
})";

TEST(LiveCluster, IsWhatIsActiveAndWhatRunsThere) {
    Workload workload;
    const absl::StatusOr<Live> live = parseState("state", kState, 1400, std::nullopt, workload);
    ASSERT_TRUE(live.ok()) << live.status();
    EXPECT_EQ(live->allocator, "spread");
    EXPECT_EQ(live->agents_left_out, 1);
    ASSERT_EQ(live->cluster.machines.size(), 1);
    EXPECT_EQ(live->cluster.machines[0].model, "h1");
    EXPECT_EQ(live->cluster.machines[0].resources, *Resources::parse("cpus:4;mem:1024;ports:[31000-31009]"));
    EXPECT_EQ(live->cluster.machines[0].attributes, *parseAttributes("rack:a;speed:2.5"));
    ASSERT_EQ(live->running.size(), 2); // the task, and the executor that lives as long
    EXPECT_EQ(live->running[0].left, 240s);
    EXPECT_EQ(live->running[0].whole, 480s);
    EXPECT_EQ(live->running[1].left, 240s);
    EXPECT_EQ(workload.kinds()[0].role, "batch");
    EXPECT_EQ(workload.kinds()[0].framework, "etl");
    EXPECT_EQ(workload.kinds()[0].shape, Resources::cpusMem(1.5, 128));
}

TEST(LiveCluster, WhatIsLeftCanBeSaid) {
    Workload workload;
    EXPECT_EQ(parseState("state", kState, 1400, 30s, workload)->running[0].left, 30s);
    EXPECT_EQ(parseState("state", kState, 1400, kForever, workload)->running[0].whole, kForever);
    // Without a clock, the newest moment that the state knows of is now.
    EXPECT_EQ(parseState("state", kState, std::nullopt, std::nullopt, workload)->running[0].left, 0s);
}

TEST(LiveCluster, WhatIsNoStateIsRefused) {
    Workload workload;
    EXPECT_THAT(said(parseState("http://h/state", "<html>", 0, {}, workload).status()),
                HasSubstr("http://h/state: is no JSON"));
    EXPECT_THAT(said(parseState("f", "{}", 0, {}, workload).status()),
                HasSubstr("is not what a master answers to /state"));
    EXPECT_THAT(said(parseState("f", R"({"slaves": []})", 0, {}, workload).status()), HasSubstr("no agent is active"));
}

TEST(LiveCluster, WeightsAreRead) {
    const auto weights = parseWeights("w", R"([{"role": "a", "weight": 2.5}])");
    ASSERT_TRUE(weights.ok());
    EXPECT_EQ(weights->at("a"), 2.5);
    EXPECT_FALSE(parseWeights("w", "{}").ok());
}

} // namespace
} // namespace stoa::sim
