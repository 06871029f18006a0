#include "agent/disk_watch.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMegabyte = 1 << 20;

void write(const fs::path& file, std::int64_t bytes) {
    std::ofstream(file) << std::string(static_cast<std::size_t>(bytes), 'x');
}

bool waitFor(DiskWatch& disk) {
    pollfd ready{disk.eventFd(), POLLIN, 0};
    return ::poll(&ready, 1, 20'000) == 1;
}

TaskKey key(const std::string& task) { return {FrameworkId("f"), TaskId(task)}; }

TEST(DiskUsage, CountsFilesInFoldersAndOnceWhatHasTwoNames) {
    const ScratchDir dir;
    write(dir.path() / "one", kMegabyte);
    fs::create_directory(dir.path() / "folder");
    write(dir.path() / "folder" / "two", kMegabyte);
    const std::int64_t used = diskUsage(dir.path()).count;
    EXPECT_GE(used, 2 * kMegabyte);
    EXPECT_LT(used, 3 * kMegabyte);
    fs::create_hard_link(dir.path() / "one", dir.path() / "again");
    EXPECT_LT(diskUsage(dir.path()).count, 3 * kMegabyte);
}

TEST(DiskUsage, DoesNotFollowLinksOutOfTheSandbox) {
    const ScratchDir elsewhere, dir;
    write(elsewhere.path() / "large", 4 * kMegabyte);
    fs::create_directory_symlink(elsewhere.path(), dir.path() / "link");
    EXPECT_LT(diskUsage(dir.path()).count, kMegabyte);
}

TEST(DiskUsage, LooksAtSoManyEntriesAndNoMore) {
    const ScratchDir dir;
    for (int i = 0; i < 20; ++i) write(dir.path() / std::to_string(i), kMegabyte);
    EXPECT_LT(diskUsage(dir.path(), 5).count, 6 * kMegabyte);
    EXPECT_EQ(diskUsage(dir.path() / "gone").count, 0);
}

TEST(DiskWatch, TellsOnceOfWhatGrewTooLarge) {
    const ScratchDir dir;
    fs::create_directory(dir.path() / "large");
    fs::create_directory(dir.path() / "small");
    DiskWatch disk(1ms);
    disk.watch(key("small"), dir.path() / "small", {kMegabyte});
    disk.watch(key("large"), dir.path() / "large", {kMegabyte});
    write(dir.path() / "large" / "file", 3 * kMegabyte);
    ASSERT_TRUE(waitFor(disk));
    const auto over = disk.take();
    ASSERT_EQ(over.size(), 1u);
    EXPECT_EQ(over[0].key, key("large"));
    EXPECT_THAT(over[0].message, HasSubstr("exceeds the limit 1.0 MB"));

    // It is told no more, and another still is.
    write(dir.path() / "small" / "file", 2 * kMegabyte);
    ASSERT_TRUE(waitFor(disk));
    const auto other = disk.take();
    ASSERT_EQ(other.size(), 1u);
    EXPECT_EQ(other[0].key, key("small"));
}

TEST(DiskWatch, SaysNothingOfWhatIsForgotten) {
    const ScratchDir dir;
    write(dir.path() / "file", 2 * kMegabyte);
    DiskWatch disk(1ms);
    disk.watch(key("t"), dir.path(), {kMegabyte});
    ASSERT_TRUE(waitFor(disk));
    disk.forget(key("t"));
    EXPECT_THAT(disk.take(), IsEmpty());
}

} // namespace
} // namespace stoa::agent
