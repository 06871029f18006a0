#include "frameworks/batch/job_json.h"
#include "frameworks/batch/job_store.h"
#include "tests/unit/frameworks/batch_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <string>

namespace stoa::batch {
namespace {

using testing::HasSubstr;

// Any bytes that JSON text can hold.
std::string anyText() {
    return *rc::gen::container<std::string>(
        rc::gen::oneOf(rc::gen::inRange<char>(' ', '~'), rc::gen::element('"', '\\', '\n', '\t')));
}

JobSpec anySpec() {
    JobSpec spec;
    spec.name = anyText();
    if (*rc::gen::arbitrary<bool>()) {
        spec.command.shell = anyText();
    } else {
        spec.command.argv = {anyText(), anyText()};
    }
    spec.command.environment["NAME"] = anyText();
    spec.command.user = anyText();
    spec.shape.setScalar(Resources::kCpus, {*rc::gen::inRange<std::int64_t>(0, 1'000'000)});
    spec.shape.setScalar(Resources::kMem, {*rc::gen::inRange<std::int64_t>(0, 1'000'000'000)});
    spec.count = *rc::gen::inRange<std::uint32_t>(1, 1'000'000);
    spec.array = *rc::gen::arbitrary<bool>();
    spec.indices = *IndexSet::parse("1,4-20:4,99");
    spec.at_most = *rc::gen::arbitrary<std::uint32_t>();
    for (int i = 0; i < 3; ++i) {
        spec.after.emplace_back(*rc::gen::inRange<JobNumber>(1, 1'000'000),
                                *rc::gen::element(Dependency::Kind::kAfter, Dependency::Kind::kAfterNotOk));
    }
    spec.script = anyText();
    spec.requeue = *rc::gen::arbitrary<bool>();
    spec.priority = *rc::gen::arbitrary<std::int32_t>();
    spec.held = *rc::gen::arbitrary<bool>();
    spec.begin = {*rc::gen::arbitrary<std::int64_t>()};
    spec.work_directory = anyText();
    spec.stdout_file = anyText();
    spec.stderr_file = anyText();
    spec.stdin_file = anyText();
    spec.append = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) {
        spec.time_limit = Duration(*rc::gen::inRange<std::int64_t>(1, 1'000'000'000'000));
        spec.limit_warning = LimitWarning{*rc::gen::inRange(1, 65), std::chrono::seconds(3)};
    }
    spec.slots = *rc::gen::arbitrary<std::uint32_t>();
    spec.slurm_environment = *rc::gen::arbitrary<bool>();
    spec.retries = *rc::gen::arbitrary<std::uint32_t>();
    spec.inputs = {{anyText(), anyText(), *rc::gen::arbitrary<bool>(), *rc::gen::arbitrary<bool>()}};
    spec.outputs = {anyText()};
    spec.constraints = {{"rack", Constraint::Operator::kNotEquals, "a"}, {"ssd", Constraint::Operator::kExists, ""}};
    spec.writable_paths = {anyText()};
    if (*rc::gen::arbitrary<bool>()) spec.kill_grace = Duration(*rc::gen::inRange<std::int64_t>(0, 1'000'000'000'000));
    return spec;
}

Attempt anyAttempt() {
    Attempt attempt;
    attempt.number = *rc::gen::arbitrary<std::uint32_t>();
    if (*rc::gen::arbitrary<bool>()) {
        attempt.agent = AgentId("a" + anyText());
        attempt.address = {anyText(), *rc::gen::arbitrary<std::uint16_t>()};
    }
    attempt.launched = {*rc::gen::arbitrary<std::int64_t>()};
    attempt.started = {*rc::gen::arbitrary<std::int64_t>()};
    attempt.ended = {*rc::gen::arbitrary<std::int64_t>()};
    if (*rc::gen::arbitrary<bool>()) attempt.wait_status = *rc::gen::arbitrary<int>();
    attempt.cpu_nanos = *rc::gen::arbitrary<std::int64_t>();
    attempt.max_memory = {*rc::gen::arbitrary<std::int64_t>()};
    attempt.why = anyText();
    return attempt;
}

RC_GTEST_PROP(JobJson, ASpecIsReadBackAsItWasWritten, ()) {
    const JobSpec spec = anySpec();
    absl::StatusOr<JobSpec> read = jobSpecFromJson(toJson(spec));
    RC_ASSERT(read.ok());
    RC_ASSERT(*read == spec);
}

RC_GTEST_PROP(JobJson, RecordsAreReadBackAsTheyWereWritten, ()) {
    JobRecord job{*rc::gen::arbitrary<JobNumber>(),      anySpec(), {17}, {*rc::gen::arbitrary<std::int64_t>()},
                  {*rc::gen::arbitrary<std::int64_t>()}, anyText()};
    absl::StatusOr<JobRecord> read_job = jobRecordFromJson(toJson(job));
    RC_ASSERT(read_job.ok());
    RC_ASSERT(*read_job == job);

    TaskRecord task;
    task.task = {*rc::gen::arbitrary<JobNumber>(), *rc::gen::arbitrary<std::uint32_t>()};
    task.phase = *rc::gen::element(TaskPhase::kWaiting, TaskPhase::kLaunched, TaskPhase::kFailed);
    task.cancelled = *rc::gen::arbitrary<bool>();
    task.failures = *rc::gen::arbitrary<std::uint32_t>();
    task.losses = *rc::gen::arbitrary<std::uint32_t>();
    task.last = anyAttempt();
    task.earlier = {anyAttempt(), anyAttempt()};
    task.reasons[anyText()] = *rc::gen::arbitrary<std::uint32_t>();
    absl::StatusOr<TaskRecord> read_task = taskRecordFromJson(toJson(task));
    RC_ASSERT(read_task.ok());
    RC_ASSERT(*read_task == task);
}

TEST(JobJson, WrongFieldsAreNamed) {
    auto refusal = [](const char* text) { return std::string(jobSpecFromJson(text).status().message()); };
    EXPECT_THAT(refusal("[]"), HasSubstr("a JSON object was expected"));
    EXPECT_THAT(refusal("{"), HasSubstr("a JSON object was expected"));
    EXPECT_THAT(refusal(R"({"resources": "cpus:x"})"), HasSubstr("resources"));
    EXPECT_THAT(refusal(R"({"resources": "cpus:1", "count": -1})"), HasSubstr("count"));
    EXPECT_THAT(refusal(R"({"resources": "cpus:1", "after": ["x"]})"), HasSubstr("after"));
    EXPECT_THAT(refusal(R"({"resources": "cpus:1", "command": {"argv": "ls"}})"), HasSubstr("argv"));
}

TEST(JobJson, UnknownKeysAreIgnored) {
    EXPECT_TRUE(jobSpecFromJson(R"({"resources": "cpus:1", "command": {"shell": "x"}, "later": [1]})").ok());
}

// What the store's rows hold at any point gives the same queue as the records themselves.
TEST(JobStore, ItsRowsGiveTheQueueThatTheRecordsGive) {
    Queue::Options options;
    options.kept_jobs = 5;
    BatchWorld world(7, options);
    for (std::uint32_t i = 1; i <= 12; ++i) {
        JobSpec spec = jobOf(i);
        spec.retries = 2;
        world.submitted(spec);
        for (int j = 0; j < 50; ++j) world.chance();
    }
    world.settle();

    std::map<std::pair<Store::Table, std::string>, std::string> rows;
    for (const Record& record : world.durable()) {
        for (const Store::Change& change : changesOf({record})) {
            if (change.blob) {
                rows[{change.table, change.key}] = *change.blob;
            } else {
                rows.erase({change.table, change.key});
            }
        }
    }
    std::vector<Store::Row> stored;
    stored.reserve(rows.size());
    for (const auto& [key, blob] : rows) stored.push_back({key.first, key.second, blob});
    absl::StatusOr<Recovered> recovered = recoveredFrom(stored);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    const Queue from_rows(options, *recovered);
    const Queue from_records(options, {world.durable()});
    EXPECT_EQ(from_rows.jobCount(), from_records.jobCount());
    EXPECT_LE(from_rows.jobCount(), 7u);
    for (JobNumber job = 1; job <= 12; ++job) {
        EXPECT_EQ(from_rows.view(job, 0, 20), from_records.view(job, 0, 20)) << job;
    }
}

TEST(JobStore, ARowThatCannotBeReadIsNamed) {
    absl::StatusOr<Recovered> recovered = recoveredFrom({{2, "00000000000000000007", "{\"job\": \"x\"}"}});
    EXPECT_EQ(recovered.status().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(recovered.status().message()), HasSubstr("00000000000000000007"));
}

} // namespace
} // namespace stoa::batch
