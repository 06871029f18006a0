#include "tests/unit/frameworks/batch_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace stoa::batch {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

template <class T>
const T& answerOf(const BatchWorld& world, RequestId request) {
    return std::get<T>(world.answers().at(request));
}

TEST(Queue, AnswersASubmissionOnlyWhenTheJobIsDurable) {
    BatchWorld world(1);
    const RequestId request = world.submit(jobOf());
    EXPECT_THAT(world.answers(), IsEmpty());
    world.sync();
    EXPECT_EQ(answerOf<answer::Submitted>(world, request).job, 1u);
}

TEST(Queue, AThousandTasksOfOneArrayAreOneDemand) {
    BatchWorld world(1);
    world.connect();
    world.submitted(jobOf(1000));
    while (world.demands().empty()) world.masterTakes();
    ASSERT_EQ(world.demands().size(), 1u);
    EXPECT_EQ(world.demands()[0].count, 1000u);
}

TEST(Queue, JobsOfEqualShapeShareADemandAndOthersDoNot) {
    BatchWorld world(1);
    world.connect();
    world.submitted(jobOf(3));
    world.submitted(jobOf(4));
    JobSpec large = jobOf(2);
    large.shape = Resources::cpusMem(2, 128);
    world.submitted(large);
    for (int i = 0; i < 20; ++i) world.masterTakes();
    ASSERT_EQ(world.demands().size(), 2u);
    EXPECT_EQ(world.demands()[0].count, 7u);
    EXPECT_EQ(world.demands()[1].count, 2u);
}

TEST(Queue, RunsAnArrayToItsEnd) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobOf(30));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
    EXPECT_EQ(world.launched().size(), 30u);
    EXPECT_EQ(world.queue().liveTasks(), 0u);
    EXPECT_THAT(world.demands(), IsEmpty());
    // As many as fit were launched from each offer: 4 on an agent.
    EXPECT_LE(world.acceptsSeen(), 12u);
}

TEST(Queue, ADependentJobWaitsForSuccess) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf(5));
    JobSpec after = jobOf();
    after.after = {first};
    const JobNumber second = world.submitted(after);
    EXPECT_EQ(world.state(second), JobState::kHeld);
    world.before_launch = [&](TaskRef ref) {
        EXPECT_TRUE(ref.job == first || world.state(first) == JobState::kSucceeded);
    };
    world.settle();
    EXPECT_EQ(world.state(second), JobState::kSucceeded);
}

TEST(Queue, AFailedDependencyCancelsThoseThatWaitForItWithTheReason) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf());
    JobSpec after = jobOf();
    after.after = {first};
    const JobNumber second = world.submitted(after);
    after.after = {second};
    const JobNumber third = world.submitted(after);
    world.cancel(first);
    world.settle();
    EXPECT_EQ(world.state(second), JobState::kCancelled);
    EXPECT_EQ(world.view(second).why, "job 1 did not succeed");
    EXPECT_EQ(world.view(third).why, "job 2 did not succeed");
    EXPECT_THAT(world.launched(), IsEmpty());
}

TEST(Queue, AnUnknownOrFailedDependencyIsRefused) {
    BatchWorld world(1);
    JobSpec spec = jobOf();
    spec.after = {7};
    const RequestId unknown = world.submit(spec);
    const JobNumber first = world.submitted(jobOf());
    world.cancel(first);
    spec.after = {first};
    const RequestId failed = world.submit(spec);
    world.sync();
    EXPECT_THAT(std::string(answerOf<answer::Refused>(world, unknown).why.message()), HasSubstr("there is no job 7"));
    EXPECT_THAT(std::string(answerOf<answer::Refused>(world, failed).why.message()), HasSubstr("would never start"));
}

// Lets the one live task run and end with an exit code.
void endWith(BatchWorld& world, int code) {
    world.sync();
    for (int i = 0; i < 10 && world.liveTasks().empty(); ++i) {
        for (int j = 0; j < 10; ++j) world.masterTakes();
        world.masterOffers();
        for (int j = 0; j < 10; ++j) world.deliver();
        world.sync();
        for (int j = 0; j < 10; ++j) world.masterTakes();
    }
    const std::string id = world.liveTasks().at(0);
    world.progress(id, code == 0 ? TaskState::kFinished : TaskState::kFailed, code << 8);
    world.deliver();
    world.sync();
    world.masterTakes();
}

TEST(Queue, RetriesAFailedTaskAsOftenAsAskedAndCountsTheReasons) {
    BatchWorld world(1);
    world.connect();
    JobSpec spec = jobOf();
    spec.retries = 2;
    const JobNumber job = world.submitted(spec);
    for (int code : {7, 7, 9}) {
        endWith(world, code);
        world.wait(std::chrono::minutes(1));
    }
    EXPECT_EQ(world.state(job), JobState::kFailed);
    EXPECT_THAT(world.launched(), ElementsAre("1.0.1", "1.0.2", "1.0.3"));
    EXPECT_THAT(world.view(job).reasons, ElementsAre(std::pair("exit 7", 2u), std::pair("exit 9", 1u)));
    EXPECT_EQ(world.view(job, 1).tasks.at(0).last.why, "exit 9");
}

TEST(Queue, ALostAttemptDoesNotCountAgainstTheRetries) {
    BatchWorld world(1);
    world.connect();
    const JobNumber job = world.submitted(jobOf());
    for (int i = 0; i < 10 && world.liveTasks().empty(); ++i) {
        for (int j = 0; j < 5; ++j) world.masterTakes();
        world.masterOffers();
        world.deliver();
        world.sync();
    }
    world.progress("1.0.1", TaskState::kLost);
    world.deliver();
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
    EXPECT_EQ(world.view(job).reasons.at("lost"), 1u);
    EXPECT_TRUE(world.launched().contains("1.0.2"));
}

TEST(Queue, CancellingKillsWhatRunsAndLaunchesNothingMore) {
    BatchWorld world(1);
    world.connect();
    const JobNumber job = world.submitted(jobOf(100));
    for (int i = 0; i < 20; ++i) {
        world.masterTakes();
        world.masterOffers();
        world.deliver();
        world.sync();
    }
    const std::size_t launched = world.launched().size();
    ASSERT_GT(launched, 0u);
    world.cancel(job);
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kCancelled);
    EXPECT_EQ(world.launched().size(), launched);
    EXPECT_EQ(world.count(job, TaskPhase::kCancelled), 100u);
}

TEST(Queue, AWatcherIsAnsweredWhenTheJobChanges) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobOf());
    Queue queue({}, {world.durable()});
    Output output;
    queue.step(ShowJob{5, job, queue.view(job)->version, 0, 0}, Time{}, WallTime{}, output);
    EXPECT_TRUE(std::none_of(output.effects.begin(), output.effects.end(),
                             [](const auto& said) { return std::holds_alternative<Answer>(said.effect); }));
    output = {};
    queue.step(Cancel{6, job, {"root", true}}, Time{}, WallTime{}, output);
    std::set<RequestId> answered;
    for (const auto& said : output.effects) {
        if (const auto* answer = std::get_if<Answer>(&said.effect)) answered.insert(answer->request);
    }
    EXPECT_THAT(answered, ElementsAre(5, 6));
}

TEST(Queue, InputsNameThePredecessorsOutputsWhereTheyLie) {
    BatchWorld world(1);
    const JobNumber maps = world.submitted(jobOf(3));
    JobSpec reduce = jobOf();
    reduce.inputs = {{"job:1/*/counts", "part", false, false}, {"http://h:1/u/list-%i", "", false, false}};
    const JobNumber second = world.submitted(reduce);
    EXPECT_THAT(world.view(second).after, ElementsAre(Dependency(maps)));
    world.settle();
    absl::StatusOr<TaskSpec> spec = readTaskBody(world.info("2.0.1").body);
    ASSERT_TRUE(spec.ok()) << spec.status();
    ASSERT_EQ(spec->inputs.size(), 4u);
    EXPECT_EQ(spec->inputs[1].output_file, "part.1");
    EXPECT_THAT(spec->inputs[1].uri, HasSubstr("1.1.1"));
    EXPECT_EQ(spec->inputs[3].uri, "http://h:1/u/list-0");
    EXPECT_EQ(spec->inputs[3].output_file, "list-0");
}

TEST(Queue, AnUnreachableTaskIsWaitedForAndThenStartedElsewhere) {
    Queue queue({}, {});
    BatchWorld world(1);
    world.connect();
    const JobNumber job = world.submitted(jobOf());
    for (int i = 0; i < 10 && world.liveTasks().empty(); ++i) {
        for (int j = 0; j < 5; ++j) world.masterTakes();
        world.masterOffers();
        world.deliver();
        world.sync();
    }
    world.report("1.0.1", TaskState::kUnreachable);
    world.wait(std::chrono::minutes(9));
    EXPECT_EQ(world.count(job, TaskPhase::kUnreachable), 1u);
    world.wait(std::chrono::minutes(2));
    EXPECT_EQ(world.count(job, TaskPhase::kUnreachable), 0u);
    EXPECT_EQ(world.view(job).reasons.at("lost"), 1u);
}

TEST(Queue, AnAttemptThatWasGivenUpIsKilledThoughTheFirstKillWasLost) {
    for (const bool restarts : {false, true}) {
        BatchWorld world(1);
        world.connect();
        (void)world.submitted(jobOf());
        for (int i = 0; i < 50 && world.liveTasks().empty(); ++i) {
            world.masterTakes();
            world.masterOffers();
            world.deliver();
            world.sync();
        }
        ASSERT_THAT(world.liveTasks(), Contains("1.0.1"));
        world.report("1.0.1", TaskState::kUnreachable);
        world.wait(std::chrono::minutes(11));
        world.sync();
        restarts ? world.crash() : world.disconnect(); // and whatever had been said is lost
        world.connect();
        for (int i = 0; i < 50; ++i) {
            world.masterTakes();
            world.deliver();
            world.sync();
        }
        EXPECT_THAT(world.liveTasks(), Not(Contains("1.0.1"))) << restarts;
    }
}

TEST(Queue, EndedJobsAreForgottenBeyondTheBound) {
    Queue::Options options;
    options.kept_jobs = 3;
    BatchWorld world(1, options);
    for (int i = 0; i < 10; ++i) world.submitted(jobOf());
    world.settle();
    EXPECT_LE(world.queue().jobCount(), 4u);
    Queue again(options, {world.durable()});
    EXPECT_EQ(again.jobCount(), world.queue().jobCount());
    EXPECT_TRUE(again.view(10).has_value());
}

TEST(TaskIds, AreReadBackAsTheyWereWrittenAndNothingElseIs) {
    const AttemptRef ref{{12, 3}, 1};
    EXPECT_EQ(taskId(ref).value(), "12.3.1");
    EXPECT_EQ(parseTaskId("12.3.1"), ref);
    for (const char* wrong : {"", "12.3", "12.3.1.0", "a.3.1", "012.3.1", "12.-3.1", " 12.3.1"}) {
        EXPECT_EQ(parseTaskId(wrong), std::nullopt) << wrong;
    }
}

TEST(JobSpecs, AreRefusedWithTheFieldThatIsWrong) {
    auto refusal = [](auto change) {
        JobSpec spec = jobOf();
        change(spec);
        return std::string(validate(spec).message());
    };
    EXPECT_THAT(refusal([](JobSpec& s) { s.command.argv.clear(); }), HasSubstr("command"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.count = 0; }), HasSubstr("count: 0"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.shape = {}; }), HasSubstr("cpus or mem"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.inputs = {{"job:1/x/y", "", false, false}}; }), HasSubstr("job:1/x/y"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.inputs = {{"http://h/x", "../x", false, false}}; }), HasSubstr("leads out"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.outputs = {"/etc/passwd"}; }), HasSubstr("leads out"));
    EXPECT_EQ(refusal([](JobSpec&) {}), "");
}

// What a restart finds equals what was, but for what only the cluster knows.
JobView durablePart(JobView view) {
    view.version = 0;
    if (!isFinal(view.state)) view.started = {};
    for (TaskPhase live : {TaskPhase::kRunning, TaskPhase::kUnreachable}) {
        auto& count = view.phases[static_cast<std::size_t>(live)];
        view.phases[static_cast<std::size_t>(TaskPhase::kLaunched)] += std::exchange(count, 0);
    }
    for (TaskView& task : view.tasks) {
        if (!isFinal(task.phase) && task.phase != TaskPhase::kWaiting) task.phase = TaskPhase::kLaunched;
        task.last.address = {}; // as last heard
        if (!isFinal(task.phase)) task.last.started = {};
    }
    return view;
}

// Under crashes, broken sessions, a late disk, failures and losses: no job that was answered is lost, dependencies
// hold, no task lives twice, retries are as many as asked, all ends once the faults stop, and a queue made from the
// records says the same.
RC_GTEST_PROP(QueueProperty, LosesNothingAndKeepsItsPromisesUnderFaults, ()) {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    BatchWorld world(seed);
    struct Asked {
        RequestId request;
        JobSpec spec;
        bool cancelled = false;
    };
    std::map<JobNumber, Asked> jobs;
    std::vector<Asked> unanswered;
    world.before_launch = [&](TaskRef ref) {
        auto job = jobs.find(ref.job);
        if (job == jobs.end()) return; // its answer was lost in a crash; the job itself was not
        for (const Dependency& before : job->second.spec.after) {
            if (jobs.contains(before.job))
                RC_ASSERT(!jobs.at(before.job).cancelled || world.state(before.job) == JobState::kSucceeded);
        }
    };
    for (int i = 0; i < 400; ++i) {
        if (world.rng().below(25) == 0) {
            JobSpec spec = jobOf(static_cast<std::uint32_t>(1 + world.rng().below(6)));
            spec.retries = static_cast<std::uint32_t>(world.rng().below(3));
            if (!jobs.empty() && world.rng().below(2) == 0) spec.after = {jobs.rbegin()->first};
            unanswered.push_back({world.submit(spec), spec});
        }
        if (!jobs.empty() && world.rng().below(60) == 0) {
            auto job = jobs.begin();
            std::advance(job, static_cast<long>(world.rng().below(jobs.size())));
            job->second.cancelled = true;
            world.cancel(job->first);
        }
        world.chance();
        RC_ASSERT(world.violation() == "");
        std::erase_if(unanswered, [&](const Asked& asked) {
            auto answered = world.answers().find(asked.request);
            if (answered == world.answers().end()) return false;
            if (const auto* submitted = std::get_if<answer::Submitted>(&answered->second)) jobs[submitted->job] = asked;
            return true;
        });
        for (const auto& [number, asked] : jobs) RC_ASSERT(world.queue().view(number).has_value());
        if (i % 40 == 0) {
            world.sync();
            Queue again({}, {world.durable()});
            for (const auto& [number, asked] : jobs) {
                RC_ASSERT(durablePart(*again.view(number, 0, 10)) == durablePart(world.view(number, 10)));
            }
        }
    }
    world.settle();
    RC_ASSERT(world.violation() == "");
    RC_ASSERT(world.liveTasks().empty());
    for (const auto& [number, asked] : jobs) {
        const JobView view = world.view(number, 10);
        RC_ASSERT(isFinal(view.state));
        if (view.state == JobState::kSucceeded)
            RC_ASSERT(view.phases[static_cast<std::size_t>(TaskPhase::kSucceeded)] == view.count);
        if (view.state == JobState::kCancelled) RC_ASSERT(asked.cancelled || !asked.spec.after.empty());
        std::uint32_t failures = 0;
        for (const auto& [reason, count] : view.reasons) failures += reason == "exit 7" ? count : 0;
        RC_ASSERT(failures <= view.count * (asked.spec.retries + 1));
        if (view.state == JobState::kFailed) RC_ASSERT(failures > asked.spec.retries);
    }
}

} // namespace
} // namespace stoa::batch
