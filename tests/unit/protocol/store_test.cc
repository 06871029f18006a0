// The store against real files: what is durable comes back, damage and strangers are refused with a reason.
#include "protocol/store/store.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace stoa {
namespace {

class StoreTest : public testing::Test {
public:
    StoreTest() {
        std::string name = std::filesystem::temp_directory_path() / "stoa-store-XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~StoreTest() override { std::filesystem::remove_all(folder_); }

protected:
    Store::Options options() const {
        return {
            .path = folder_ / "test.db", .kind = "test state", .version = 3, .lock_wait = std::chrono::milliseconds(0)};
    }
    std::unique_ptr<Store> open() const {
        absl::StatusOr<std::unique_ptr<Store>> store = Store::open(options());
        EXPECT_TRUE(store.ok()) << store.status();
        return store.ok() ? *std::move(store) : nullptr;
    }
    absl::Status openFails(const Store::Options& options) const { return Store::open(options).status(); }

    std::filesystem::path folder_;
};

std::vector<std::string> keys(const std::vector<Store::Row>& rows) {
    std::vector<std::string> all;
    all.reserve(rows.size());
    for (const Store::Row& row : rows) all.push_back(row.key + "=" + row.blob);
    return all;
}

using Keys = std::vector<std::string>;

TEST_F(StoreTest, RowsComeBackInTheOrderOfTheirFirstWriting) {
    {
        auto store = open();
        store->write({Store::put(1, "b", "1"), Store::put(1, "a", "2"), Store::put(2, "a", "3")}, 1);
        store->write({Store::put(1, "b", "4")}, 2);
        ASSERT_TRUE(store->flush().ok());
    }
    EXPECT_EQ(keys(open()->takeRows()), (Keys{"b=4", "a=2", "a=3"}));
}

TEST_F(StoreTest, AnErasedRowIsGoneAndOnePutAgainGoesToTheEnd) {
    {
        auto store = open();
        store->write({Store::put(1, "a", "1"), Store::put(1, "b", "1"), Store::put(1, "c", "1")}, 1);
        store->write({Store::erase(1, "a"), Store::erase(1, "b"), Store::put(1, "a", "2")}, 2);
        ASSERT_TRUE(store->flush().ok());
    }
    EXPECT_EQ(keys(open()->takeRows()), (Keys{"c=1", "a=2"}));
}

TEST_F(StoreTest, AWriteForLaterGoesWithTheNextThatIsUrgent) {
    auto store = open();
    ASSERT_TRUE(store->flush().ok());
    const std::uint64_t before = store->commits();
    store->write({Store::put(1, "a", "1")}, 1, Store::When::kLater);
    store->write({Store::put(1, "b", "1")}, 2);
    ASSERT_TRUE(store->flush().ok());
    EXPECT_EQ(store->durableUpTo(), 2u);
    EXPECT_EQ(store->commits() - before, 1u);
}

TEST_F(StoreTest, AWriteForLaterBecomesDurableByItself) {
    auto store = open();
    store->write({Store::put(1, "a", "1")}, 1, Store::When::kLater);
    while (store->durableUpTo() < 1) {
        pollfd ready{store->eventFd(), POLLIN, 0};
        ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
        store->drain();
    }
}

TEST_F(StoreTest, AWriteForLaterIsWrittenAtTheEnd) {
    open()->write({Store::put(1, "a", "1")}, 1, Store::When::kLater);
    EXPECT_EQ(keys(open()->takeRows()), (Keys{"a=1"}));
}

TEST_F(StoreTest, KeysAndBlobsMayHoldAnyBytesAndNone) {
    const std::string odd("\0\xff'", 3);
    {
        auto store = open();
        store->write({Store::put(0, "", ""), Store::put(0, odd, odd)}, 1);
        ASSERT_TRUE(store->flush().ok());
    }
    std::vector<Store::Row> rows = open()->takeRows();
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].key + rows[0].blob, "");
    EXPECT_EQ(rows[1].key, odd);
    EXPECT_EQ(rows[1].blob, odd);
}

TEST_F(StoreTest, TheDescriptorTellsWhenAWriteIsDurable) {
    auto store = open();
    store->write({Store::put(1, "a", "1")}, 7);
    while (store->durableUpTo() < 7) {
        pollfd wait{store->eventFd(), POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
        store->drain();
    }
    EXPECT_EQ(store->durableUpTo(), 7u);
    EXPECT_TRUE(store->failure().ok());
}

TEST_F(StoreTest, WritesThatComeTogetherShareACommit) {
    auto store = open();
    for (std::uint64_t i = 1; i <= 2000; ++i) store->write({Store::put(1, std::to_string(i), "x")}, i);
    ASSERT_TRUE(store->flush().ok());
    EXPECT_EQ(store->durableUpTo(), 2000u);
    EXPECT_LT(store->commits(), 1000u);
}

TEST_F(StoreTest, ASecondProcessIsRefused) {
    auto store = open();
    // SQLite's locks are a process's own, so the second opener must be another.
    const pid_t child = ::fork();
    if (child == 0) {
        absl::Status refused = openFails(options());
        bool said = absl::IsFailedPrecondition(refused) &&
                    std::string(refused.message()).find("in use by another process") != std::string::npos;
        ::_exit(said ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(StoreTest, AFileOfAnotherKindIsRefused) {
    open();
    Store::Options other = options();
    other.kind = "master registry";
    absl::Status refused = openFails(other);
    EXPECT_TRUE(absl::IsFailedPrecondition(refused));
    EXPECT_NE(std::string(refused.message()).find("is not a master registry but a test state"), std::string::npos)
        << refused;
}

TEST_F(StoreTest, ANewerFileIsRefusedAndAnOlderOneSaysItsVersion) {
    open();
    Store::Options older = options(), newer = options();
    older.version = 2;
    EXPECT_NE(std::string(openFails(older).message()).find("newer Stoa"), std::string::npos);
    newer.version = 4;
    absl::StatusOr<std::unique_ptr<Store>> store = Store::open(newer);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_EQ((*store)->foundVersion(), 3u);
}

TEST_F(StoreTest, AFlippedByteInARowIsSaidAndTheFileStaysAsItIs) {
    {
        auto store = open();
        store->write({Store::put(1, "a", "untouched"), Store::put(1, "b", "precious")}, 1);
        ASSERT_TRUE(store->flush().ok());
    }
    std::string path = options().path, bytes;
    {
        std::ifstream file(path, std::ios::binary);
        bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
    const std::size_t at = bytes.find("precious");
    ASSERT_NE(at, std::string::npos);
    bytes[at] = 'P';
    std::ofstream(path, std::ios::binary) << bytes;
    absl::Status refused = openFails(options());
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
    EXPECT_NE(std::string(refused.message()).find("row 2 (table 1) fails its checksum"), std::string::npos) << refused;
    std::ifstream file(path, std::ios::binary);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), bytes);
}

TEST_F(StoreTest, WhatIsNoDatabaseIsSaidToBeDamaged) {
    std::ofstream(options().path) << "this was never a database, and it is longer than a header of one is, by far, "
                                     "so that nobody takes it for an empty one";
    absl::Status refused = openFails(options());
    EXPECT_TRUE(absl::IsDataLoss(refused)) << refused;
}

TEST_F(StoreTest, AMissingFolderIsSaid) {
    Store::Options nowhere = options();
    nowhere.path = folder_ / "no" / "such" / "test.db";
    absl::Status refused = openFails(nowhere);
    EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
    EXPECT_NE(std::string(refused.message()).find("can't be opened"), std::string::npos) << refused;
}

// A limit on the size of files stands for the full disk: SQLite meets both as a failed write.
TEST_F(StoreTest, AFailedWriteIsReportedAndNothingLaterBecomesDurable) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGXFSZ, SIG_IGN);
        auto store = open();
        store->write({Store::put(1, "a", "small")}, 1);
        bool ok = store->flush().ok();
        rlimit limit{1 << 20, 1 << 20};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        store->write({Store::put(1, "b", std::string(4 << 20, 'x'))}, 2);
        ok = ok && !store->flush().ok() && !store->failure().ok();
        store->write({Store::put(1, "c", "small")}, 3);
        ok = ok && !store->flush().ok() && store->durableUpTo() == 1;
        store.reset();
        ::_exit(ok ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(keys(open()->takeRows()), (Keys{"a=small"}));
}

} // namespace
} // namespace stoa
