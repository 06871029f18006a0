#include "agent/fetcher.h"
#include "protocol/http/server.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

InputSpec input(std::string uri, std::string output_file = "") {
    InputSpec spec;
    spec.uri = std::move(uri);
    spec.output_file = std::move(output_file);
    return spec;
}

InputSpec executable(InputSpec spec) {
    spec.executable = true;
    return spec;
}

class FetcherTest : public ::testing::Test {
protected:
    FetcherTest() {
        fs::create_directory(sandbox);
        std::ofstream(dir.path() / "source") << "words";
        fs::permissions(dir.path(), fs::perms(0755));
        fs::permissions(dir.path() / "source", fs::perms(0644));
        if (::geteuid() == 0 && ::chown(sandbox.c_str(), uid, gid) != 0) throw std::runtime_error("chown");
    }
    static std::string contents(const fs::path& file) {
        std::ostringstream text;
        text << std::ifstream(file).rdbuf();
        return text.str();
    }
    absl::Status wait() {
        pollfd ready{fetcher.eventFd(), POLLIN, 0};
        EXPECT_EQ(::poll(&ready, 1, 20'000), 1);
        auto results = fetcher.take();
        EXPECT_EQ(results.size(), 1u);
        return results.empty() ? absl::InternalError("no result") : results[0].status;
    }
    absl::Status run(std::vector<InputSpec> inputs) {
        fetcher.submit({{FrameworkId("f"), TaskId("t")}, std::move(inputs), sandbox, uid, gid});
        return wait();
    }

    ScratchDir dir;
    fs::path sandbox = dir.path() / "sandbox";
    uid_t uid = ::geteuid() == 0 ? 65534 : ::geteuid();
    gid_t gid = ::geteuid() == 0 ? 65534 : ::getegid();
    Fetcher fetcher{{.threads = 1}};
};

TEST_F(FetcherTest, AFileOfTheHostIsCopiedAndBelongsToTheTasksUser) {
    const absl::Status status = run({input("file://" + (dir.path() / "source").string(), "in/words")});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(contents(sandbox / "in/words"), "words");
    struct stat info {};
    ASSERT_EQ(::stat((sandbox / "in/words").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, uid);
}

TEST_F(FetcherTest, AFileThatTheTasksUserMayNotReadIsNotFetched) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    fs::permissions(dir.path() / "source", fs::perms(0600));
    const absl::Status status = run({input("file://" + (dir.path() / "source").string())});
    EXPECT_THAT(std::string(status.message()), HasSubstr("Permission denied"));
}

TEST_F(FetcherTest, AFileBehindAnHttpDoorIsFetched) {
    http::Router router;
    router.get("/files", [](const http::Request&) { return http::textResponse(200, "over http"); });
    auto server = http::Server::start({}, std::move(router));
    ASSERT_TRUE(server.ok()) << server.status();
    const absl::Status status = run({executable(input("http://" + (*server)->address() + "/files?x=1"))});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(contents(sandbox / "files"), "over http");
    EXPECT_NE(fs::status(sandbox / "files").permissions() & fs::perms::owner_exec, fs::perms::none);
}

TEST_F(FetcherTest, WhatAnHttpDoorRefusesIsToldWithTheUri) {
    auto server = http::Server::start({}, http::Router());
    ASSERT_TRUE(server.ok()) << server.status();
    const std::string uri = "http://" + (*server)->address() + "/missing";
    const absl::Status status = run({input(uri)});
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(uri));
}

TEST_F(FetcherTest, AFileThatIsMissingIsToldWithItsUri) {
    const absl::Status status = run({input("file:///no/such/file")});
    EXPECT_THAT(std::string(status.message()), HasSubstr("file:///no/such/file"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("No such file"));
}

TEST_F(FetcherTest, AnotherSchemeIsRefused) {
    EXPECT_THAT(std::string(run({input("ftp://x/y")}).message()), HasSubstr("neither http:// nor file://"));
}

TEST_F(FetcherTest, NothingIsWrittenOutsideTheSandbox) {
    fs::create_symlink(dir.path(), sandbox / "out");
    const absl::Status status = run({input("file://" + (dir.path() / "source").string(), "out/stolen")});
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(fs::exists(dir.path() / "stolen"));
}

TEST_F(FetcherTest, ACancelledJobEndsAsCancelledThoughTheDoorIsSilent) {
    std::vector<http::Responder> kept;
    std::mutex mutex;
    std::condition_variable arrived;
    http::Router router;
    router.defer("GET", "/silent", [&](const http::Request&, http::Responder responder) {
        const std::lock_guard lock(mutex);
        kept.push_back(std::move(responder));
        arrived.notify_one();
    });
    auto server = http::Server::start({}, std::move(router));
    ASSERT_TRUE(server.ok()) << server.status();
    const TaskKey key{FrameworkId("f"), TaskId("t")};
    fetcher.submit({key, {input("http://" + (*server)->address() + "/silent")}, sandbox, uid, gid});
    {
        std::unique_lock lock(mutex);
        arrived.wait(lock, [&] { return !kept.empty(); });
    }
    fetcher.cancel(key);
    EXPECT_EQ(wait().code(), absl::StatusCode::kCancelled);
    const std::lock_guard lock(mutex);
    kept.clear();
}

TEST(FetchTarget, IsTheLastPartOfTheUriUnlessNamed) {
    EXPECT_EQ(targetOf(input("http://h:1/a/b%20c?x=/y")), "b c");
    EXPECT_EQ(targetOf(input("file:///a/b", "d/e")), "d/e");
}

} // namespace
} // namespace stoa::agent
