// What a submitter may ask of the queue beyond running a command: limits of arrays, dependencies of each kind,
// priorities, holding, the cancelling of single tasks, and what he is shown of it.
#include "frameworks/batch/job_command.h"
#include "tests/unit/frameworks/batch_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace stoa::batch {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = Dependency::Kind;

template <class T>
const T& answerOf(const BatchWorld& world, RequestId request) {
    return std::get<T>(world.answers().at(request));
}
std::string refusalOf(const BatchWorld& world, RequestId request) {
    return std::string(answerOf<answer::Refused>(world, request).why.message());
}

// Offers and launches happen; tasks stay as they are.
void launchAll(BatchWorld& world) {
    world.connect();
    for (int i = 0; i < 20; ++i) {
        world.sync();
        for (int j = 0; j < 10; ++j) world.masterTakes();
        world.masterOffers();
        for (int j = 0; j < 10; ++j) world.deliver();
    }
    world.sync();
    for (int j = 0; j < 50; ++j) world.masterTakes();
}
void end(BatchWorld& world, const std::string& id, int code) {
    world.progress(id, code == 0 ? TaskState::kFinished : TaskState::kFailed, code << 8);
    launchAll(world);
}

TEST(QueueArrays, NoMoreTasksRunThanTheArrayAllows) {
    BatchWorld world(1);
    JobSpec spec = jobOf(9);
    spec.at_most = 2;
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    EXPECT_EQ(world.liveTasks().size(), 2u);
    EXPECT_EQ(world.view(job).why, "as many of its tasks run as its array allows, 2");
    end(world, "1.0.1", 0);
    EXPECT_THAT(world.liveTasks(), ElementsAre("1.1.1", "1.2.1"));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
}

TEST(QueueArrays, TasksAreCalledByTheirIndices) {
    BatchWorld world(1);
    JobSpec spec = jobOf(3);
    spec.indices = *IndexSet::parse("5,10-20:10");
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    EXPECT_THAT(world.liveTasks(), ElementsAre("1.10.1", "1.20.1", "1.5.1"));
    EXPECT_EQ(readTaskBody(world.info("1.20.1").body)->command.environment.at("STOA_TASK_INDEX"), "20");
    EXPECT_EQ(world.view(job, 3).tasks.at(2).index, 20u);
    EXPECT_EQ(world.view(job).indices, "5,10,20");
    world.crash();
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
    EXPECT_EQ(world.launched().size(), 3u);
}

TEST(QueueDependencies, AfterWaitsForAStart) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf());
    JobSpec spec = jobOf();
    spec.after = {{first, Kind::kAfter}};
    const JobNumber second = world.submitted(spec);
    launchAll(world);
    EXPECT_EQ(world.state(second), JobState::kHeld);
    world.progress("1.0.1", TaskState::kRunning);
    launchAll(world);
    EXPECT_THAT(world.liveTasks(), ElementsAre("1.0.1", "2.0.1"));
    // A queue that starts anew knows of the start.
    EXPECT_NE(Queue({}, {world.durable()}).view(first)->started.nanos, 0);
}

TEST(QueueDependencies, AfterNotOkRunsOnlyBehindAFailure) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf());
    JobSpec spec = jobOf();
    spec.after = {{first, Kind::kAfterNotOk}};
    const JobNumber mends = world.submitted(spec);
    launchAll(world);
    end(world, "1.0.1", 3);
    EXPECT_THAT(world.liveTasks(), ElementsAre("2.0.1"));

    const JobNumber good = world.submitted(jobOf());
    spec.after = {{good, Kind::kAfterNotOk}};
    const JobNumber needless = world.submitted(spec);
    world.settle();
    EXPECT_EQ(world.state(mends), JobState::kSucceeded);
    EXPECT_EQ(world.state(needless), JobState::kCancelled);
    EXPECT_EQ(world.view(needless).why, "job 3 did not fail");
}

TEST(QueueDependencies, AfterAnyTakesEveryEnd) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf());
    JobSpec spec = jobOf();
    spec.after = {{first, Kind::kAfterAny}};
    const JobNumber second = world.submitted(spec);
    world.cancel(first);
    world.settle();
    EXPECT_EQ(world.state(second), JobState::kSucceeded);
}

TEST(QueueDependencies, WhatCanNeverBeMetIsRefusedAndNothingWaitsForItself) {
    BatchWorld world(1);
    const JobNumber first = world.submitted(jobOf());
    world.settle();
    JobSpec spec = jobOf();
    spec.after = {{first, Kind::kAfterNotOk}};
    const RequestId never = world.submit(spec);
    spec.after = {{first + 1, Kind::kAfterOk}}; // the number that it would have itself
    const RequestId itself = world.submit(spec);
    world.sync();
    EXPECT_THAT(refusalOf(world, never), HasSubstr("afternotok:1: job 1 is succeeded, so this one would never start"));
    EXPECT_THAT(refusalOf(world, itself), HasSubstr("there is no job 2"));
}

TEST(QueuePriorities, TheJobOfTheHighestPriorityComesFirst) {
    BatchWorld world(1);
    world.submitted(jobOf(12)); // fills the cluster
    launchAll(world);
    world.submitted(jobOf());
    JobSpec urgent = jobOf();
    urgent.priority = 10;
    world.submitted(urgent);
    end(world, "1.0.1", 0);
    EXPECT_TRUE(world.launched().contains("3.0.1"));
    EXPECT_FALSE(world.launched().contains("2.0.1"));
}

TEST(QueuePriorities, CanBeChangedWhileAJobWaits) {
    BatchWorld world(1);
    world.submitted(jobOf(12));
    launchAll(world);
    world.submitted(jobOf());
    const JobNumber third = world.submitted(jobOf());
    const RequestId request = world.change(third, std::nullopt, 5);
    world.sync();
    EXPECT_TRUE(std::holds_alternative<answer::Changed>(world.answers().at(request)));
    EXPECT_EQ(Queue({}, {world.durable()}).view(third)->priority, 5);
    end(world, "1.0.1", 0);
    EXPECT_TRUE(world.launched().contains("3.0.1"));
}

TEST(QueueHolding, AHeldJobWaitsUntilItIsReleased) {
    BatchWorld world(1);
    JobSpec spec = jobOf();
    spec.held = true;
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    EXPECT_THAT(world.launched(), IsEmpty());
    EXPECT_EQ(world.state(job), JobState::kHeld);
    EXPECT_THAT(world.view(job).why, HasSubstr("held"));
    world.change(job, false, std::nullopt);
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
}

JobSpec jobAt(Duration since_1970) {
    JobSpec spec = jobOf();
    spec.begin = {since_1970.count()};
    return spec;
}

TEST(QueueBegins, AJobWaitsForItsTime) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobAt(std::chrono::seconds(90)));
    launchAll(world);
    EXPECT_EQ(world.state(job), JobState::kHeld);
    EXPECT_EQ(world.view(job).why, "begins at 1970-01-01 00:01:30 UTC");
    world.wait(std::chrono::seconds(89));
    launchAll(world);
    EXPECT_THAT(world.launched(), IsEmpty());
    world.wait(std::chrono::seconds(1));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
    EXPECT_EQ(world.view(job).why, "");
}

TEST(QueueBegins, ATimeThatHasPassedIsNow) {
    BatchWorld world(1);
    world.wait(std::chrono::hours(1));
    const JobNumber job = world.submitted(jobAt(std::chrono::minutes(59)));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
}

TEST(QueueBegins, TheTimeSurvivesACrash) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobAt(std::chrono::seconds(90)));
    world.crash();
    world.wait(std::chrono::seconds(60));
    launchAll(world);
    EXPECT_EQ(world.state(job), JobState::kHeld);
    world.crash();
    world.wait(std::chrono::seconds(60));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kSucceeded);
}

TEST(QueueBegins, OneThatIsCancelledIsNotWaitedFor) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobAt(std::chrono::seconds(90)));
    world.cancel(job);
    world.sync();
    EXPECT_EQ(world.state(job), JobState::kCancelled);
    world.wait(std::chrono::seconds(100));
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kCancelled);
    EXPECT_THAT(world.launched(), IsEmpty());
}

// One comes, one goes: what is wanted is as much as was stated last, of which the master knows nothing any more.
TEST(QueueBegins, WhatBecomesDueAsAnOfferComesIsDemandedAnew) {
    BatchWorld world(1);
    world.connect();
    world.submitted(jobAt(std::chrono::seconds(90)));
    world.submitted(jobOf());
    for (int i = 0; i < 10; ++i) world.masterTakes();
    world.masterOffers();
    world.pass(std::chrono::seconds(90));
    world.deliver();
    world.sync();
    for (int i = 0; i < 10; ++i) world.masterTakes();
    EXPECT_THAT(world.launched(), ElementsAre("1.0.1"));
    ASSERT_EQ(world.demands().size(), 1u);
    EXPECT_EQ(world.demands()[0].count, 1u);
}

// Somebody may set the clock meanwhile, so no wait is longer than a minute; nor is it longer than the time that is left.
TEST(QueueBegins, TheClockIsLookedAtNowAndThen) {
    const WallTime wall{std::chrono::nanoseconds(std::chrono::hours(10)).count()};
    for (const auto& [begins_in, wait] : {std::pair<Duration, Duration>{std::chrono::hours(1), std::chrono::minutes(1)},
                                          {std::chrono::seconds(2), std::chrono::seconds(2)}}) {
        Queue queue({}, {});
        const Time now(std::chrono::seconds(5));
        Output output;
        queue.step(Submit{1, jobAt(std::chrono::hours(10) + begins_in)}, now, wall, output);
        EXPECT_EQ(queue.nextDeadline(), now + wait);
        queue.step(Wake{}, now, WallTime{wall.nanos + begins_in.count()}, output);
        EXPECT_EQ(queue.nextDeadline(), std::nullopt);
    }
}

TEST(QueueChanges, BelongToTheOwnerAndToRoot) {
    BatchWorld world(1);
    JobSpec spec = jobOf();
    spec.command.user = "jane";
    const JobNumber job = world.submitted(spec);
    const RequestId strange = world.ask(Cancel{901, job, {"joe", false}});
    world.sync();
    EXPECT_THAT(refusalOf(world, strange), HasSubstr("job 1 is jane's; only jane and root may change it"));
    world.ask(Cancel{902, job, {"jane", false}});
    world.sync();
    EXPECT_EQ(world.state(job), JobState::kCancelled);
    EXPECT_EQ(world.view(job).why, "cancelled by its submitter");
}

TEST(QueueCancelling, OneTaskOfAnArrayEndsAndTheOthersGoOn) {
    BatchWorld world(1);
    JobSpec spec = jobOf(20);
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    Cancel cancel{901, job, {"root", true}};
    cancel.tasks = *IndexSet::parse("0,19"); // one that runs, one that waits
    world.ask(cancel);
    world.sync();
    EXPECT_EQ(world.count(job, TaskPhase::kCancelled), 1u);
    // A queue that starts anew goes on with it.
    world.crash();
    world.settle();
    EXPECT_EQ(world.count(job, TaskPhase::kCancelled), 2u);
    EXPECT_EQ(world.count(job, TaskPhase::kSucceeded), 18u);
    EXPECT_EQ(world.state(job), JobState::kCancelled);
    EXPECT_FALSE(world.launched().contains("1.19.1"));
}

TEST(QueueCancelling, ATaskThatIsNotThereIsNamed) {
    BatchWorld world(1);
    const JobNumber job = world.submitted(jobOf(3));
    Cancel cancel{901, job, {"root", true}};
    cancel.tasks = *IndexSet::parse("2-5");
    world.ask(cancel);
    world.sync();
    EXPECT_EQ(refusalOf(world, 901), "job 1 has no task 3");
    EXPECT_EQ(world.count(job, TaskPhase::kCancelled), 0u);
}

TEST(QueueHistory, EachAttemptIsKeptWithItsReasonAgentAndTimes) {
    BatchWorld world(1);
    JobSpec spec = jobOf();
    spec.retries = 1;
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    world.progress("1.0.1", TaskState::kRunning);
    launchAll(world);
    end(world, "1.0.1", 7);
    world.wait(std::chrono::minutes(1));
    world.settle();
    const TaskView task = Queue({}, {world.durable()}).view(job, 0, 1)->tasks.at(0);
    ASSERT_EQ(task.earlier.size(), 1u);
    EXPECT_EQ(task.earlier[0].number, 1u);
    EXPECT_EQ(task.earlier[0].why, "exit 7");
    EXPECT_EQ(task.earlier[0].wait_status, 7 << 8);
    EXPECT_FALSE(task.earlier[0].agent.empty());
    EXPECT_GT(task.earlier[0].launched.nanos, 0);
    EXPECT_GT(task.earlier[0].started.nanos, 0);
    EXPECT_GT(task.earlier[0].ended.nanos, 0);
    EXPECT_EQ(task.last.number, 2u);
    EXPECT_EQ(task.last.why, "");
}

TEST(QueueEnvironments, OneIsKeptForAllThatHaveTheSame) {
    Queue::Options options;
    options.kept_jobs = 1;
    BatchWorld world(1, options);
    JobSpec spec = jobOf();
    spec.command.environment = {{"A", "1"}};
    for (int i = 0; i < 3; ++i) world.submitted(spec);
    spec.command.environment = {{"A", "2"}};
    world.submitted(spec);
    world.crash();
    world.settle();
    for (const auto& [id, value] : {std::pair("1.0.1", "1"), {"3.0.1", "1"}, {"4.0.1", "2"}}) {
        EXPECT_EQ(readTaskBody(world.info(id).body)->command.environment.at("A"), value) << id;
    }
}

TEST(QueueHistory, AJobThatIsNotToBeRequeuedFailsWhenItIsLost) {
    BatchWorld world(1);
    JobSpec spec = jobOf();
    spec.requeue = false;
    const JobNumber job = world.submitted(spec);
    launchAll(world);
    world.progress("1.0.1", TaskState::kLost);
    world.settle();
    EXPECT_EQ(world.state(job), JobState::kFailed);
    EXPECT_THAT(world.view(job, 1).tasks.at(0).last.why, HasSubstr("not to be queued again"));
}

TEST(QueuePages, JobsAreListedPageByPageAndFiltered) {
    BatchWorld world(1);
    for (int i = 0; i < 5; ++i) {
        JobSpec spec = jobOf();
        spec.command.user = i % 2 == 0 ? "jane" : "joe";
        spec.held = i == 4;
        world.submitted(spec);
    }
    world.settle();
    auto numbers = [&](const ListJobs& list) {
        world.ask(list);
        world.sync();
        std::vector<JobNumber> found;
        for (const JobView& view : answerOf<answer::Jobs>(world, list.request).jobs) found.push_back(view.job);
        return found;
    };
    ListJobs page{901};
    page.limit = 2;
    EXPECT_THAT(numbers(page), ElementsAre(4u, 5u));
    EXPECT_EQ(answerOf<answer::Jobs>(world, 901).unfinished, 1u);
    page.request = 902;
    page.before = *answerOf<answer::Jobs>(world, 901).next;
    EXPECT_THAT(numbers(page), ElementsAre(2u, 3u));
    ListJobs janes{903};
    janes.user = "jane";
    EXPECT_THAT(numbers(janes), ElementsAre(1u, 3u, 5u));
    EXPECT_FALSE(answerOf<answer::Jobs>(world, 903).next);
    ListJobs unfinished{904};
    unfinished.unfinished = true;
    EXPECT_THAT(numbers(unfinished), ElementsAre(5u));
}

TEST(OutputFiles, PatternsAreFilledIn) {
    JobSpec spec = jobOf(3);
    spec.name = "fit";
    spec.command.user = "jane";
    EXPECT_EQ(outputFile("slurm-%j.out", spec, 12, 2), "slurm-12_2.out");
    EXPECT_EQ(outputFile("%u/%x-%A-%4a-%t.%%", spec, 12, 2), "jane/fit-12-0002-2.%");
    spec.array = false;
    EXPECT_EQ(outputFile("%j", spec, 12, 0), "12");
    EXPECT_EQ(std::string(validateOutputFile("a%z").message()),
              "output: \"a%z\": %z stands for nothing here; %j, %A, %a, %t, %x, %u and %% do");
    EXPECT_FALSE(validateOutputFile("a%").ok());
}

TEST(JobCommands, FilesAndScriptsAreTheTasksOwnDoing) {
    JobSpec spec = jobOf();
    spec.command.argv = {"run", "a b"};
    EXPECT_EQ(commandOf(spec, 7, 0).argv, spec.command.argv);
    spec.stdout_file = "out-%j";
    spec.stderr_file = "err-%j";
    EXPECT_THAT(commandOf(spec, 7, 0).argv,
                ElementsAre("/bin/sh", "-c",
                            "true >\"$1\" || exit 125; exec >\"$1\"; shift; true 2>\"$1\" || exit 125; exec 2>\"$1\"; "
                            "shift; exec \"$@\"",
                            "stoa-job", "out-7", "err-7", "run", "a b"));
    spec.script = "#!/bin/sh\necho\n";
    const std::vector<std::string> argv = commandOf(spec, 7, 0).argv;
    EXPECT_EQ(argv[argv.size() - 2], spec.script);
    EXPECT_EQ(argv.back(), "a b");
}

std::map<std::string, std::string> variablesOf(const JobSpec& spec, const WhichTask& task) {
    std::map<std::string, std::string> variables;
    addOwnVariables(spec, task, variables);
    return variables;
}

TEST(JobCommands, SlurmsNamesAreThereWhereTheyAreAskedFor) {
    JobSpec spec = jobOf(4);
    spec.indices = *IndexSet::parse("2-8:2");
    spec.shape = Resources::cpusMem(4, 512);
    spec.slots = 2;
    spec.work_directory = "/home/jane";
    EXPECT_FALSE(variablesOf(spec, {7, 4, 1, "h"}).contains("SLURM_JOB_ID"));
    spec.slurm_environment = true;
    const auto environment = variablesOf(spec, {7, 4, 2, "h"});
    EXPECT_EQ(environment.at("SLURM_JOB_ID"), "7");
    EXPECT_EQ(environment.at("SLURM_ARRAY_TASK_ID"), "4");
    EXPECT_EQ(environment.at("SLURM_ARRAY_TASK_MAX"), "8");
    EXPECT_EQ(environment.at("SLURM_ARRAY_TASK_STEP"), "2");
    EXPECT_EQ(environment.at("SLURM_CPUS_PER_TASK"), "2");
    EXPECT_EQ(environment.at("SLURM_NTASKS"), "2");
    EXPECT_EQ(environment.at("SLURM_MEM_PER_NODE"), "512");
    EXPECT_EQ(environment.at("SLURM_SUBMIT_DIR"), "/home/jane");
    EXPECT_EQ(environment.at("SLURM_RESTART_COUNT"), "1");
}

TEST(JobSpecs, WhatCannotBeRightIsRefused) {
    auto refusal = [](auto change) {
        JobSpec spec = jobOf();
        change(spec);
        return std::string(validate(spec).message());
    };
    EXPECT_THAT(refusal([](JobSpec& s) { s.limit_warning = LimitWarning{10, Duration{1}}; }), HasSubstr("time limit"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.time_limit = Duration{0}; }), HasSubstr("time_limit"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.work_directory = "here"; }), HasSubstr("not absolute"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.stdout_file = "%q"; }), HasSubstr("%q"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.script = std::string(200 << 10, 'x'); }), HasSubstr("are more than"));
    EXPECT_THAT(refusal([](JobSpec& s) { s.indices = *IndexSet::parse("1,2"); }), HasSubstr("2 of them for 1 tasks"));
}

} // namespace
} // namespace stoa::batch
