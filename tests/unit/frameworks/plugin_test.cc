#include "frameworks/cli/plugin_loader.h"
#include "frameworks/cli/templates.h"
#include "frameworks/sdk/flags.h"
#include "frameworks/sdk/plugin_face.h"
#include "frameworks/sdk/stored_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

namespace stoa::sdk {
namespace {

using testing::HasSubstr;

class Plugin : public testing::Test {
public:
    Plugin() {
        char name[] = "/tmp/stoa-plugin.XXXXXX";
        directory_ = ::mkdtemp(name);
    }
    ~Plugin() override { std::filesystem::remove_all(directory_); }

protected:
    std::string file(const std::string& name, const std::string& content) const {
        std::string path = directory_ + "/" + name;
        std::ofstream(path) << content;
        return path;
    }

    std::string directory_;
};

struct Values {
    int count = 3;
    std::uint32_t size = 7;
    double share = 0.5;
    bool fast = false;
    std::string name = "x";
    std::vector<std::string> tags;
    void add(Flags& flags) {
        flags.add("count", count, "how many");
        flags.add("size", size, "how large");
        flags.add("share", share, "which part");
        flags.add("fast", fast, "quickly");
        flags.add("name", name, "of it");
        flags.add("tag", tags, "more than once");
    }
};

absl::Status parse(Values& values, const std::vector<std::string>& arguments) {
    Flags flags;
    values.add(flags);
    return flags.parse(arguments);
}

TEST(Flags, AreReadInEachOfTheirForms) {
    Values values;
    ASSERT_TRUE(
        parse(values, {"--count=-5", "--size", "9", "--share=.25", "--fast", "--name=", "--tag=a", "--tag", "b"}).ok());
    EXPECT_EQ(values.count, -5);
    EXPECT_EQ(values.size, 9U);
    EXPECT_EQ(values.share, 0.25);
    EXPECT_TRUE(values.fast);
    EXPECT_EQ(values.name, "");
    EXPECT_EQ(values.tags, (std::vector<std::string>{"a", "b"}));
    ASSERT_TRUE(parse(values, {"--fast=false"}).ok());
    EXPECT_FALSE(values.fast);
}

TEST(Flags, WhatWontDoIsNamed) {
    Values values;
    auto why = [&](const std::string& argument) { return std::string(parse(values, {argument}).message()); };
    EXPECT_THAT(why("--count=many"), HasSubstr("--count: \"many\" is no whole number"));
    EXPECT_THAT(why("--count=99999999999"), HasSubstr("too large"));
    EXPECT_THAT(why("--size=-1"), HasSubstr("from 0 on"));
    EXPECT_THAT(why("--share=half"), HasSubstr("is no number"));
    EXPECT_THAT(why("--fast=perhaps"), HasSubstr("true or false"));
    EXPECT_THAT(why("--color=red"), HasSubstr("no flag --color"));
    EXPECT_THAT(why("--count"), HasSubstr("--count wants a value"));
    EXPECT_THAT(why("count"), HasSubstr("flags begin with --"));
    EXPECT_EQ(values.count, 3);
}

TEST(Flags, UsageShowsNamesAndDefaults) {
    Values values;
    values.tags = {"a", "b"};
    Flags flags;
    values.add(flags);
    EXPECT_EQ(flags.usage(), "  --count=3     how many\n"
                             "  --size=7      how large\n"
                             "  --share=0.5   which part\n"
                             "  --fast=false  quickly\n"
                             "  --name=x      of it\n"
                             "  --tag=a,b     more than once\n");
}

TEST_F(Plugin, StateAndIdAreThereInTheNextLife) {
    {
        auto state = StoredState::open(directory_);
        ASSERT_TRUE(state.ok()) << state.status();
        EXPECT_TRUE((*state)->id().empty());
        ASSERT_TRUE((*state)->keepId(FrameworkId("F1")).ok());
        ASSERT_TRUE((*state)->write({{"a/1", "one"}, {"a/2", std::string("t\0o", 3)}, {"b", ""}}).ok());
        ASSERT_TRUE((*state)->put("a/1", "uno").ok());
        ASSERT_TRUE((*state)->erase("b").ok());
    }
    auto state = StoredState::open(directory_);
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ((*state)->id(), FrameworkId("F1"));
    EXPECT_EQ((*state)->get("a/1"), "uno");
    EXPECT_EQ((*state)->get("b"), std::nullopt);
    EXPECT_EQ((*state)->list("a/"),
              (std::map<std::string, std::string>{{"a/1", "uno"}, {"a/2", std::string("t\0o", 3)}}));
    EXPECT_EQ((*state)->list().size(), 2U);
}

TEST_F(Plugin, StateIsForgottenWithTheId) {
    {
        auto state = StoredState::open(directory_);
        ASSERT_TRUE((*state)->keepId(FrameworkId("F1")).ok());
        ASSERT_TRUE((*state)->put("a", "1").ok());
        ASSERT_TRUE((*state)->forget().ok());
        EXPECT_TRUE((*state)->id().empty());
        EXPECT_TRUE((*state)->list().empty());
    }
    auto state = StoredState::open(directory_);
    EXPECT_TRUE((*state)->id().empty());
    EXPECT_TRUE((*state)->list().empty());
}

TEST_F(Plugin, OneRunHasTheState) {
    auto first = StoredState::open(directory_);
    ASSERT_TRUE(first.ok());
    auto second = StoredState::open(directory_);
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

class Picky : public Scheduler {
public:
    struct Options {
        int tasks = 3;
        void add(Flags& flags) { flags.add("tasks", tasks, "how many"); }
    };
    Picky(const Options& options, FrameworkState&) {
        if (options.tasks > 3) throw std::invalid_argument("--tasks: 3 at most");
    }
    void subscribed(Driver&, const event::Subscribed&) override {}
    void offers(Driver&, const std::vector<Offer>&) override {}
    void update(Driver&, const TaskStatus&) override {}
    void error(Driver&, const std::string&) override {}
};

TEST_F(Plugin, TheFaceTellsUsageFromFailure) {
    const stoa_framework_plugin_v1* plugin = PluginOf<Picky>::table("picky", "takes little");
    EXPECT_STREQ(plugin->usage(), "  --tasks=3  how many\n");
    auto create = [&](const std::string& directory, const char* flag, std::string& why) {
        const stoa_framework_host_v1 host = {sizeof host, STOA_FRAMEWORK_ABI, "127.0.0.1:1", "picky",
                                             "",          directory.c_str()};
        void* self = nullptr;
        std::array<char, 100> error{};
        const int code = plugin->create(&host, &flag, 1, &self, error.data(), error.size());
        why = error.data();
        if (self != nullptr) plugin->destroy(self);
        return code;
    };
    std::string why;
    EXPECT_EQ(create(directory_, "--tasks=2", why), STOA_FRAMEWORK_OK) << why;
    EXPECT_EQ(create(directory_, "--tasks=x", why), STOA_FRAMEWORK_USAGE);
    EXPECT_THAT(why, HasSubstr("no whole number"));
    EXPECT_EQ(create(directory_, "--tasks=4", why), STOA_FRAMEWORK_USAGE);
    EXPECT_EQ(why, "--tasks: 3 at most");
    EXPECT_EQ(create(directory_ + "/absent", "--tasks=2", why), STOA_FRAMEWORK_FAILED);
    EXPECT_THAT(why, HasSubstr("absent"));
}

TEST_F(Plugin, ARunThatIsStoppedBeforeItBeginsEnds) {
    auto run = PluginRun::create({"127.0.0.1:1", "picky", "", directory_}, schedulerMaker<Picky>({}));
    ASSERT_TRUE(run.ok()) << run.status();
    (*run)->stop();
    EXPECT_TRUE((*run)->run().ok());
}

TEST_F(Plugin, WhatIsNoPluginIsRefusedWithWhatItIs) {
    auto why = [](const std::string& path) { return std::string(cli::loadPlugin(path).status().message()); };
    EXPECT_THAT(why(directory_ + "/absent.so"), HasSubstr("there is no file"));
    EXPECT_THAT(why(directory_), HasSubstr("there is no file"));
    EXPECT_THAT(why(file("script.so", "#!/bin/sh\necho hello\n")), HasSubstr("it begins with \"#!/bin/sh\""));
    EXPECT_THAT(why(file("empty.so", "")), HasSubstr("it begins with \"\""));
    EXPECT_THAT(why(file("short.so", "\x7f"
                                     "ELF")),
                HasSubstr("another kind of machine"));
}

TEST_F(Plugin, ATemplatesNameBecomesAClass) {
    EXPECT_EQ(cli::className("hello"), "Hello");
    EXPECT_EQ(cli::className("word_count2"), "WordCount2");
    for (const char* name : {"", "Hello", "2nd", "a-b", "../x", "a b", "_a"}) {
        EXPECT_TRUE(absl::IsInvalidArgument(cli::writeTemplate("framework", name))) << name;
    }
}

} // namespace
} // namespace stoa::sdk
