#include "agent/doors.h"
#include "agent/sandboxes.h"
#include "protocol/http/client.h"
#include "tests/unit/agent/core_world.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <future>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

class DoorsTest : public ::testing::Test {
protected:
    DoorsTest() {
        fs::create_directory(dir.path() / "uploads");
        fs::create_directory(dir.path() / "sandboxes");
        start({});
    }
    void start(std::set<std::string> live) {
        Doors::Options options;
        options.live = std::move(live);
        options.sandboxes = dir.path() / "sandboxes";
        options.uploads = dir.path() / "uploads";
        options.upload_bytes = 100;
        options.flags = {{"master", "127.0.0.1:5052"}};
        auto started = Doors::start(std::move(options));
        if (!started.ok()) throw std::runtime_error(std::string(started.status().message()));
        doors = *std::move(started);
    }
    std::string url(const std::string& target) { return "http://127.0.0.1:" + std::to_string(doors->port()) + target; }
    http::ClientResponse get(const std::string& target) {
        auto reply = http::get(url(target));
        EXPECT_TRUE(reply.ok()) << reply.status();
        return reply.ok() ? *reply : http::ClientResponse{};
    }
    http::ClientResponse put(const std::string& target, std::string body) {
        http::ClientRequest request;
        request.method = "PUT";
        request.url = url(target);
        request.body = std::move(body);
        auto reply = http::fetch(request);
        EXPECT_TRUE(reply.ok()) << reply.status();
        return reply.ok() ? *reply : http::ClientResponse{};
    }
    fs::path sandbox(const std::string& id) {
        fs::path path = dir.path() / "sandboxes" / Sandboxes::relative(key(id));
        fs::create_directories(path);
        return path;
    }
    static void append(const fs::path& file, const std::string& text) { std::ofstream(file, std::ios::app) << text; }
    void show(const std::string& id, TaskState state) {
        TaskChanged change;
        change.framework = FrameworkId("f");
        change.info = task(id);
        change.state = state;
        change.status.state = state;
        change.status.task = TaskId(id);
        doors->show({change});
    }
    static std::string path(const std::string& id, const std::string& file) {
        return "?path=/frameworks/f/executors/" + id + "/runs/latest/" + file;
    }

    ScratchDir dir;
    std::unique_ptr<Doors> doors;
};

// What a reader of a task's growing output gets.
class FollowedOutput {
public:
    explicit FollowedOutput(std::string url) {
        request_.url = std::move(url);
        request_.on_data = [this](std::string_view piece) {
            got_ += piece;
            arrived_ = got_.size();
            arrived_.notify_all();
            return true;
        };
        reply_ = std::async(std::launch::async, [this] {
            auto reply = http::fetch(request_);
            arrived_ = kOver;
            arrived_.notify_all();
            return reply;
        });
    }
    void waitForMoreThan(std::size_t bytes) {
        for (std::size_t have = arrived_; have <= bytes; have = arrived_) arrived_.wait(have);
    }
    std::string whole() {
        EXPECT_EQ(reply_.wait_for(20s), std::future_status::ready);
        EXPECT_TRUE(reply_.get().ok());
        return got_;
    }

private:
    static constexpr std::size_t kOver = -1;
    http::ClientRequest request_;
    std::string got_;
    std::atomic<std::size_t> arrived_ = 0;
    std::future<absl::StatusOr<http::ClientResponse>> reply_;
};

TEST_F(DoorsTest, HealthIsAnEmptyAnswer) {
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(get("/health").body, "");
}

TEST_F(DoorsTest, StateShowsTasksAndWhatHasEnded) {
    show("live", TaskState::kRunning);
    show("over", TaskState::kFinished);
    const std::string body = get("/state").body;
    EXPECT_THAT(body, HasSubstr("\"TASK_RUNNING\""));
    const std::size_t completed = body.find("completed_tasks");
    EXPECT_THAT(body.substr(completed), HasSubstr("\"over\""));
    EXPECT_THAT(body.substr(completed), Not(HasSubstr("\"live\"")));
}

TEST_F(DoorsTest, MetricsCountTasksByState) {
    show("t", TaskState::kRunning);
    EXPECT_THAT(get("/metrics").body, HasSubstr("stoa_agent_tasks{state=\"TASK_RUNNING\"} 1"));
}

TEST_F(DoorsTest, FlagsAreShown) { EXPECT_EQ(get("/flags").body, "{\"flags\":{\"master\":\"127.0.0.1:5052\"}}"); }

TEST_F(DoorsTest, ASandboxsFileIsDownloadedWhole) {
    append(sandbox("t") / "out.txt", "result");
    EXPECT_EQ(get("/files/download" + path("t", "out.txt")).body, "result");
}

TEST_F(DoorsTest, NothingOutsideTheSandboxesIsServed) {
    append(dir.path() / "secret", "s");
    fs::create_symlink(dir.path() / "secret", sandbox("t") / "link");
    EXPECT_EQ(get("/files/download" + path("t", "link")).status / 100, 4);
    EXPECT_EQ(get("/files/download" + path("t", "../../../secret")).status / 100, 4);
    EXPECT_EQ(get("/files/download?path=/etc/passwd").status, 404);
    EXPECT_EQ(get("/files/download").status, 400);
}

TEST_F(DoorsTest, BrowseListsADirectory) {
    append(sandbox("t") / "stdout", "12345");
    const http::ClientResponse reply = get("/files/browse" + path("t", ""));
    EXPECT_THAT(reply.body, HasSubstr("stdout"));
    EXPECT_THAT(reply.body, HasSubstr("\"size\":5"));
}

TEST_F(DoorsTest, ReadGivesAPieceAndWithoutAnOffsetTheSize) {
    append(sandbox("t") / "stdout", "0123456789");
    EXPECT_EQ(get("/files/read" + path("t", "stdout") + "&offset=3&length=4").body, "{\"offset\":3,\"data\":\"3456\"}");
    EXPECT_EQ(get("/files/read" + path("t", "stdout") + "&offset=-1").body, "{\"offset\":10,\"data\":\"\"}");
}

TEST_F(DoorsTest, ReadOfBytesThatAreNoTextIsStillJson) {
    append(sandbox("t") / "stdout", "a\xff\xc3\xa9");
    EXPECT_EQ(get("/files/read" + path("t", "stdout") + "&offset=0").body,
              "{\"offset\":0,\"data\":\"a\xef\xbf\xbd\xc3\xa9\"}");
}

TEST_F(DoorsTest, OutputIsFollowedFromBeforeItsFileIsThereUntilTheTaskHasEnded) {
    show("t", TaskState::kStarting);
    FollowedOutput output(url("/api/stoa/sandbox/f/t/stdout?offset=0&follow=1"));
    append(sandbox("t") / "stdout", "one\n");
    output.waitForMoreThan(0);
    append(sandbox("t") / "stdout", "two\n");
    output.waitForMoreThan(4);
    append(sandbox("t") / "stdout", "three\n");
    show("t", TaskState::kFinished);
    EXPECT_EQ(output.whole(), "one\ntwo\nthree\n");
}

TEST_F(DoorsTest, OutputOfATaskThatRunsIsNotOverBeforeARestartedAgentHasToldOfIt) {
    append(sandbox("t") / "stdout", "one\n");
    start({Sandboxes::relative(key("t"))});
    FollowedOutput output(url("/api/stoa/sandbox/f/t/stdout?offset=0&follow=1"));
    output.waitForMoreThan(0);
    append(sandbox("t") / "stdout", "two\n");
    output.waitForMoreThan(4);
    show("t", TaskState::kFinished);
    EXPECT_EQ(output.whole(), "one\ntwo\n");
}

TEST_F(DoorsTest, MuchOutputOfAnEndedTaskArrivesWhole) {
    const std::string much(20 << 20, 'x');
    append(sandbox("t") / "stdout", much);
    std::size_t got = 0;
    http::ClientRequest request;
    request.url = url("/api/stoa/sandbox/f/t/stdout?offset=5&follow=1");
    request.on_data = [&](std::string_view piece) {
        got += piece.size();
        return true;
    };
    const auto reply = http::fetch(request);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(got, much.size() - 5);
}

TEST_F(DoorsTest, OutputOfATaskThatNobodyKnowsIsNotFound) {
    EXPECT_EQ(get("/api/stoa/sandbox/f/nobody/stdout?follow=1").status, 404);
}

TEST_F(DoorsTest, AnUploadCanBeFetchedAndDeleted) {
    EXPECT_EQ(put("/api/stoa/uploads/words-1.txt", "a b c").status, 201);
    EXPECT_EQ(get("/api/stoa/uploads/words-1.txt").body, "a b c");
    http::ClientRequest remove;
    remove.method = "DELETE";
    remove.url = url("/api/stoa/uploads/words-1.txt");
    EXPECT_EQ(http::fetch(remove)->status, 200);
    EXPECT_EQ(get("/api/stoa/uploads/words-1.txt").status, 404);
}

TEST_F(DoorsTest, AnUploadOverTheLimitIsRefusedAndNotSeen) {
    EXPECT_EQ(put("/api/stoa/uploads/big", std::string(101, 'x')).status, 413);
    EXPECT_EQ(get("/api/stoa/uploads/big").status, 404);
}

TEST_F(DoorsTest, AnUploadsNameIsOneHarmlessName) {
    EXPECT_EQ(put("/api/stoa/uploads/.hidden", "x").status, 400);
    EXPECT_EQ(put("/api/stoa/uploads/a%2Fb", "x").status, 400);
    EXPECT_EQ(put("/api/stoa/uploads/..%2Fx", "x").status / 100, 4);
    EXPECT_FALSE(fs::exists(dir.path() / "x"));
}

TEST(SandboxPath, IsMesossVirtualPathBelowTheRoot) {
    EXPECT_EQ(sandboxPath("/frameworks/f/executors/t/runs/latest/a/b"), "f/t/a/b");
    EXPECT_EQ(sandboxPath("/slaves/s/frameworks/f/executors/t/runs/latest"), "f/t");
    EXPECT_EQ(sandboxPath("/frameworks/../executors/../runs/latest/x"), "%2E./%2E./x");
    EXPECT_EQ(sandboxPath("/etc/passwd"), std::nullopt);
}

} // namespace
} // namespace stoa::agent
