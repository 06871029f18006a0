#include "master/doors/renderer.h"

#include "master/doors/http_door.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace stoa::master {
namespace {

// The server's thread is the test's: it does what is posted when it is told to.
class RendererTest : public testing::Test {
public:
    RendererTest() {
        renderer.start([this](Renderer::Work work) {
            const std::lock_guard lock(mutex_);
            posted_.push_back(std::move(work));
            changed_.notify_all();
        });
    }
    ~RendererTest() override {
        open();
        renderer.stop();
    }

protected:
    // An answer whose making waits until open().
    Renderer::Make slow(std::string text) {
        return [this, text = std::move(text)] {
            std::unique_lock lock(mutex_);
            ++begun_;
            changed_.notify_all();
            changed_.wait(lock, [this] { return open_; });
            return http::textResponse(200, text + std::to_string(model_));
        };
    }
    Renderer::Reply heard() {
        return [this](http::Response response) {
            bodies.push_back(response.shared_body != nullptr ? *response.shared_body : response.body);
            shared.push_back(response.shared_body);
        };
    }
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        changed_.notify_all();
    }
    void waitUntilBegun() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return begun_ > 0; });
    }
    // Does the next that is posted.
    void turn() {
        Renderer::Work work;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return !posted_.empty(); });
            work = std::move(posted_.front());
            posted_.pop_front();
        }
        work();
    }

    int model_ = 1; // changed by what is given to change() alone
    std::vector<std::string> bodies;
    std::vector<Body> shared;
    Renderer renderer;

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Renderer::Work> posted_;
    int begun_ = 0;
    bool open_ = false;
};

TEST_F(RendererTest, WhatChangesTheModelWaitsUntilTheAnswerIsMade) {
    renderer.answer("state", heard(), slow("v"));
    waitUntilBegun();
    renderer.change([this] { model_ = 2; });
    renderer.change([this] { model_ *= 10; });
    EXPECT_EQ(model_, 1);
    open();
    turn();
    EXPECT_EQ(bodies, std::vector<std::string>{"v1"});
    EXPECT_EQ(model_, 20);
    renderer.change([this] { model_ = 3; });
    EXPECT_EQ(model_, 3) << "nothing is made, and nothing need wait";
}

TEST_F(RendererTest, WhoAsksMeanwhileSharesTheNextAnswerAndFindsAllThatWasKnownWhenHeAsked) {
    renderer.answer("state", heard(), slow("first"));
    waitUntilBegun();
    renderer.change([this] { model_ = 2; });
    for (int i = 0; i < 3; ++i) renderer.answer("state", heard(), slow("next"));
    renderer.answer("tasks", heard(), slow("tasks"));
    open();
    for (int i = 0; i < 3; ++i) turn();
    EXPECT_EQ(bodies, (std::vector<std::string>{"first1", "next2", "next2", "next2", "tasks2"}));
    EXPECT_NE(shared[1], nullptr);
    EXPECT_EQ(shared[1], shared[2]) << "in memory once";
    EXPECT_EQ(shared[1], shared[3]);
}

TEST_F(RendererTest, OnceStoppedItAnswersAtOnce) {
    renderer.stop();
    open();
    renderer.answer("state", heard(), slow("v"));
    EXPECT_EQ(bodies, std::vector<std::string>{"v1"});
}

TEST_F(RendererTest, AnAnswerThatIsBeingMadeWhenItStopsGoesNowhere) {
    renderer.answer("state", heard(), slow("v"));
    waitUntilBegun();
    open();
    renderer.stop();
    renderer.clear();
    EXPECT_TRUE(bodies.empty());
}

TaskChanged runningTask(int number) {
    TaskChanged task;
    task.framework = FrameworkId("F1");
    task.info.id = TaskId(concat("t", number, "."));
    task.info.agent = AgentId("S1");
    task.info.resources = Resources::cpusMem(1, 32);
    task.info.body = makeBody("");
    task.state = task.status.state = TaskState::kRunning;
    return task;
}

TEST(HttpDoorAtScale, ReadersOfTheWholeStateFindAllThatWasShownBefore) {
    constexpr int kTasks = 2000;
    constexpr int kMore = 200;
    Questions questions;
    HttpCalls calls;
    Identity identity;
    identity.epoch = 1;
    identity.address.host = "127.0.0.1";
    const auto door = *HttpDoor::start({}, identity, questions, calls);
    std::vector<Delta> deltas;
    FrameworkChanged framework;
    framework.info.id = FrameworkId("F1");
    framework.active = true;
    deltas.emplace_back(framework);
    for (int i = 0; i < kTasks; ++i) deltas.emplace_back(runningTask(i));
    door->show(std::move(deltas));
    const std::string url = concat("http://127.0.0.1:", door->port());

    const auto read = [&](const std::string& what) {
        auto answer = what == "v1" ? http::post(url + "/api/v1", "application/json", R"({"type":"GET_TASKS"})")
                                   : http::get(url + what);
        return answer.ok() ? answer->body : std::string(answer.status().message());
    };
    std::vector<std::thread> readers;
    for (const std::string what : {"/state", "/state", "/state", "/tasks?limit=-1", "v1"}) {
        readers.emplace_back([&, what] {
            for (int i = 0; i < 5; ++i) {
                const std::string body = read(what);
                EXPECT_NE(body.find("\"t0.\""), std::string::npos) << what << body.substr(0, 200);
                EXPECT_NE(body.find(concat("\"t", kTasks - 1, ".\"")), std::string::npos) << what;
            }
        });
    }
    for (int i = 0; i < kMore; ++i) {
        door->show({runningTask(kTasks + i)});
        if (i % 20 != 0) continue;
        EXPECT_NE(read("/state").find(concat("\"t", kTasks + i, ".\"")), std::string::npos)
            << "who was told of a task finds it";
    }
    for (std::thread& reader : readers) reader.join();
}

} // namespace
} // namespace stoa::master
