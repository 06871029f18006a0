#include "agent/sandboxes.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include <fstream>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

TaskKey key(std::string task) { return {FrameworkId("f"), TaskId(std::move(task))}; }

class SandboxesTest : public ::testing::Test {
protected:
    fs::path make(const std::string& task) {
        auto made = sandboxes.create(key(task), ::getuid(), ::getgid());
        EXPECT_TRUE(made.ok()) << made.status();
        return *made;
    }
    static void age(const fs::path& path, Duration by) {
        fs::last_write_time(path, fs::file_time_type::clock::now() - by);
    }

    ScratchDir dir;
    Sandboxes sandboxes{dir.path() / "sandboxes"};
};

TEST(DirectoryName, OfAnOrdinaryIdIsTheId) { EXPECT_EQ(directoryName("wordcount-map.3_1"), "wordcount-map.3_1"); }

TEST(DirectoryName, NeverLeadsAnywhereElse) {
    EXPECT_EQ(directoryName("../x"), "%2E.%2Fx");
    EXPECT_EQ(directoryName(".."), "%2E.");
    EXPECT_EQ(directoryName("."), "%2E");
    EXPECT_EQ(directoryName(""), "%");
}

TEST(DirectoryName, OfLongIdsIsShortAndTheirOwn) {
    const std::string long_id(250, 'x');
    EXPECT_LE(directoryName(long_id).size(), 200u);
    EXPECT_NE(directoryName(long_id + "a"), directoryName(long_id + "b"));
}

TEST_F(SandboxesTest, ANewOneIsEmptyAndClosedToOthers) {
    const fs::path sandbox = make("t");
    struct stat info {};
    ASSERT_EQ(::stat(sandbox.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
    EXPECT_TRUE(fs::is_empty(sandbox));
}

TEST_F(SandboxesTest, AnEarlierOneOfTheSameIdMovesAside) {
    std::ofstream(make("t") / "old") << "x";
    EXPECT_TRUE(fs::is_empty(make("t")));
    EXPECT_TRUE(fs::exists(sandboxes.of(key("t")).string() + "~1/old"));
}

TEST_F(SandboxesTest, AnOldOneIsCollectedAYoungAndALiveOneStay) {
    for (const char* task : {"old", "young", "live"}) make(task);
    age(sandboxes.of(key("old")), 10h);
    age(sandboxes.of(key("live")), 10h);
    EXPECT_EQ(collectSandboxes(sandboxes.root(), {Sandboxes::relative(key("live"))}, 1h), 1u);
    EXPECT_FALSE(fs::exists(sandboxes.of(key("old"))));
    EXPECT_TRUE(fs::exists(sandboxes.of(key("young"))));
    EXPECT_TRUE(fs::exists(sandboxes.of(key("live"))));
}

TEST_F(SandboxesTest, ALinkOutOfASandboxIsRemovedAndNotFollowed) {
    std::ofstream(dir.path() / "precious") << "x";
    const fs::path sandbox = make("t");
    fs::create_symlink(dir.path(), sandbox / "out");
    age(sandbox, 10h);
    EXPECT_EQ(collectSandboxes(sandboxes.root(), {}, 1h), 1u);
    EXPECT_TRUE(fs::exists(dir.path() / "precious"));
}

TEST(Collecting, TheAllowedAgeShrinksAsTheDiskFills) {
    const CollectPolicy policy{.age = 100h, .headroom = 0.1};
    EXPECT_EQ(allowedAge(policy, 0.0), Duration(100h));
    EXPECT_LT(allowedAge(policy, 0.5), Duration(50h));
    EXPECT_GT(allowedAge(policy, 0.5), Duration(40h));
    EXPECT_EQ(allowedAge(policy, 0.95), Duration(0));
}

} // namespace
} // namespace stoa::agent
