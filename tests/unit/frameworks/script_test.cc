#include "frameworks/cli/begin_time.h"
#include "frameworks/cli/sbatch_options.h"
#include "frameworks/cli/script.h"
#include "frameworks/cli/slurm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>

namespace stoa::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Scripts, OptionsStandInTheCommentsAtTheBeginning) {
    const auto directives = directivesOf("#!/bin/bash\n"
                                         "# a word about it\n"
                                         "#SBATCH -c 4 --mem=2G # as measured\n"
                                         "\n"
                                         "#STOA --name='my job'\n"
                                         "#STOAX --no\n"
                                         "echo\n"
                                         "#STOA --too-late\n");
    ASSERT_TRUE(directives.ok()) << directives.status();
    ASSERT_EQ(directives->size(), 2u);
    EXPECT_EQ((*directives)[0].line, 3);
    EXPECT_EQ((*directives)[0].dialect, Directive::Dialect::kSlurm);
    EXPECT_THAT((*directives)[0].words, ElementsAre("-c", "4", "--mem=2G"));
    EXPECT_EQ((*directives)[1].line, 5);
    EXPECT_THAT((*directives)[1].words, ElementsAre("--name=my job"));
}

TEST(Scripts, WindowsLineEndsAreForgiven) {
    const auto directives = directivesOf("#!/bin/sh\r\n#STOA --cpus=2\r\n");
    ASSERT_TRUE(directives.ok());
    EXPECT_THAT(directives->at(0).words, ElementsAre("--cpus=2"));
}

TEST(Scripts, AnOpenQuotationMarkIsNamedWithItsLine) {
    const auto directives = directivesOf("#!/bin/sh\n#STOA --name='x\n");
    EXPECT_THAT(std::string(directives.status().message()), HasSubstr("line 2: a quotation mark (') is not closed"));
}

TEST(TimeLimits, AreReadAsSlurmReadsThem) {
    EXPECT_EQ(*parseTimeLimit("30"), 1800);
    EXPECT_EQ(*parseTimeLimit("1:30"), 90);
    EXPECT_EQ(*parseTimeLimit("1:00:00"), 3600);
    EXPECT_EQ(*parseTimeLimit("2-12"), 2 * 86400 + 12 * 3600);
    EXPECT_EQ(*parseTimeLimit("1-0:30"), 86400 + 1800);
    EXPECT_EQ(*parseTimeLimit("1-1:01:01"), 86400 + 3661);
    EXPECT_EQ(*parseTimeLimit("90s"), 90);
    EXPECT_EQ(*parseTimeLimit("1.5h"), 5400);
    EXPECT_EQ(*parseTimeLimit("UNLIMITED"), 0);
    for (const char* wrong : {"", "x", "1:2:3:4", "-5", "1h30", "1:", "s"}) {
        EXPECT_THAT(std::string(parseTimeLimit(wrong).status().message()), HasSubstr("is no time")) << wrong;
    }
}

TEST(Warnings, NameASignalAndASpan) {
    EXPECT_EQ(parseWarning("B:USR1@300")->signal, SIGUSR1);
    EXPECT_EQ(parseWarning("B:USR1@300")->seconds, 300);
    EXPECT_EQ(parseWarning("SIGTERM")->seconds, 60);
    EXPECT_EQ(parseWarning("10")->signal, 10);
    EXPECT_THAT(std::string(parseWarning("NOSUCH@3").status().message()), HasSubstr("\"NOSUCH\" is no signal"));
    EXPECT_THAT(std::string(parseWarning("USR1@x").status().message()), HasSubstr("no number of seconds"));
}

// Seconds since 1970, of a day without a change of clocks.
std::time_t local(int year, int month, int day, int hour, int minute, int second = 0) {
    std::tm time{};
    time.tm_year = year - 1900;
    time.tm_mon = month - 1;
    time.tm_mday = day;
    time.tm_hour = hour;
    time.tm_min = minute;
    time.tm_sec = second;
    time.tm_isdst = -1;
    return std::mktime(&time);
}

TEST(BeginTimes, AreAsSlurmReadsThem) {
    const std::time_t now = local(2026, 11, 30, 15, 4, 5);
    EXPECT_EQ(*parseBeginTime("now", now), now);
    EXPECT_EQ(*parseBeginTime("now+90", now), now + 90);
    EXPECT_EQ(*parseBeginTime("now+1hour", now), now + 3600);
    EXPECT_EQ(*parseBeginTime("now+2Days", now), now + 2 * 86400);
    EXPECT_EQ(*parseBeginTime("now+5min", now), now + 300);
    EXPECT_EQ(*parseBeginTime("16:00", now), local(2026, 11, 30, 16, 0));
    EXPECT_EQ(*parseBeginTime("15:04:06", now), now + 1);
    EXPECT_EQ(*parseBeginTime("15:04", now), local(2026, 12, 1, 15, 4)) << "the next one";
    EXPECT_EQ(*parseBeginTime("noon", now), local(2026, 12, 1, 12, 0));
    EXPECT_EQ(*parseBeginTime("midnight", now), local(2026, 12, 1, 0, 0));
    EXPECT_EQ(*parseBeginTime("tomorrow", now), local(2026, 12, 1, 0, 0));
    EXPECT_EQ(*parseBeginTime("2027-01-31T08:00", now), local(2027, 1, 31, 8, 0));
    EXPECT_EQ(*parseBeginTime("2027-01-31T08:00:30", now), local(2027, 1, 31, 8, 0, 30));
    EXPECT_EQ(*parseBeginTime("2028-02-29", now), local(2028, 2, 29, 0, 0));
    EXPECT_EQ(*parseBeginTime("2020-01-01", now), local(2020, 1, 1, 0, 0)) << "long past is at once";
}

TEST(BeginTimes, WhatIsNoTimeIsSaid) {
    for (const char* wrong :
         {"", "x", "now+", "now+x", "now+1moon", "now-1", "now+99999999999", "24:00", "16:60", "16", "16:00:", "-1:00",
          "2027-02-30", "2027-13-01", "2027-00-01", "27-01-01", "2027-01-01T", "2027-01-01T25:00", "9999-01-01"}) {
        EXPECT_THAT(std::string(parseBeginTime(wrong, local(2026, 11, 30, 15, 4)).status().message()),
                    HasSubstr("is no time; write"))
            << wrong;
    }
}

std::vector<std::string> translated(const std::vector<std::string>& words) {
    const auto out = translateSbatch(words, Unknown::kRefuse);
    return out.ok() ? out->words : std::vector<std::string>{std::string(out.status().message())};
}

TEST(Sbatch, ItsOptionsHaveWordsInStoa) {
    EXPECT_THAT(translated({"-J", "name", "-c4", "-n=2", "-t", "1:00:00", "--mem", "2G"}),
                ElementsAre("--name=name", "--cpus=4", "--slots=2", "--time=1:00:00", "--mem=2G"));
    EXPECT_THAT(translated({"-a", "5"}), ElementsAre("--array=5-5"));
    EXPECT_THAT(translated({"-a", "0-9%3", "-HW"}), ElementsAre("--array=0-9%3", "--hold", "--wait"));
    EXPECT_THAT(translated({"--nice=7", "--open-mode=append"}), ElementsAre("--priority=-7", "--append"));
    EXPECT_THAT(translated({"--export=A=1,B"}), ElementsAre("--env=A=1", "--env=B", "--all-env=false"));
    EXPECT_THAT(translated({"--gres=gpu:2"}), ElementsAre("--gpus=2"));
    EXPECT_THAT(translated({"-b", "now+1hour"}), ElementsAre("--begin=now+1hour"));
    EXPECT_THAT(translated({"-N1", "--requeue"}), IsEmpty());
}

TEST(Sbatch, TheScriptAndItsArgumentsEndTheOptions) {
    const auto out = translateSbatch({"-c", "2", "job.sh", "-c", "x"}, Unknown::kRefuse);
    ASSERT_TRUE(out.ok());
    EXPECT_THAT(out->command, ElementsAre("job.sh", "-c", "x"));
}

TEST(Sbatch, WhatCannotBeDoneIsSaid) {
    EXPECT_THAT(translated({"-N", "4"}), ElementsAre(HasSubstr("-N: \"4\": a job runs on one agent")));
    EXPECT_THAT(translated({"--frobnicate"}), ElementsAre("--frobnicate is no option"));
    EXPECT_THAT(translated({"-c"}), ElementsAre("-c needs a value"));
    EXPECT_THAT(translated({"--hold=3"}), ElementsAre("--hold takes no value"));
    EXPECT_THAT(translated({"--licenses=matlab"}), ElementsAre("--licenses: is not served here"));
    EXPECT_THAT(translated({"--nice=x"}), ElementsAre(HasSubstr("\"x\" is no number")));
}

TEST(Sbatch, AScriptMayHoldWhatIsNotKnownHere) {
    const auto out = translateSbatch({"--frobnicate", "x", "-c", "2", "-p", "short"}, Unknown::kWarn);
    ASSERT_TRUE(out.ok()) << out.status();
    EXPECT_THAT(out->words, ElementsAre("--cpus=2"));
    EXPECT_THAT(out->warnings,
                ElementsAre("--frobnicate is not known, and has no effect", "--partition has no effect here"));
}

TEST(SlurmJobIds, MayNameTasksOfAnArray) {
    EXPECT_EQ(parseSlurmJobId("12")->job, 12u);
    EXPECT_EQ(parseSlurmJobId("12_3")->tasks, "3");
    EXPECT_EQ(parseSlurmJobId("12_[3-5,9]")->tasks, "3-5,9");
    for (const char* wrong : {"", "x", "0", "12_", "12_x", "12_[3"}) EXPECT_FALSE(parseSlurmJobId(wrong)) << wrong;
}

TEST(SlurmStates, HaveCodesAndNames) {
    EXPECT_STREQ(slurmState("queued").code, "PD");
    EXPECT_STREQ(slurmState("succeeded").name, "COMPLETED");
    EXPECT_EQ(slurmStateCode("pending"), "PD");
    EXPECT_EQ(slurmStateCode("r"), "R");
    EXPECT_EQ(slurmStateCode("sleeping"), "");
}

} // namespace
} // namespace stoa::cli
