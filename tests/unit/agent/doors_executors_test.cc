// The door for executors over real HTTP, with the core behind it on the test's thread.
#include "agent/doors_executors.h"

#include "protocol/codec/executor_info.h"
#include "protocol/codec/executor_messages.h"
#include "protocol/http/client.h"
#include "protocol/http/records.h"
#include "tests/unit/agent/core_world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>

#include <atomic>
#include <future>

namespace stoa::agent {
namespace {

using ::testing::HasSubstr;

class ExecutorDoorTest : public ::testing::Test {
protected:
    ExecutorDoorTest() {
        http::Router router;
        door.addTo(router);
        server = *http::Server::start({}, std::move(router));
        world.connect();
        ExecutorSpec spec;
        spec.id = ExecutorId("e");
        spec.command.shell = "run";
        TaskInfo info = task("t");
        info.executor = spec.id;
        info.body = makeTaskBody(TaskSpec{}, spec);
        world.say(master_says::Launch{framework(), info, true});
        world.started(world.executors.back().key);
    }

    http::ClientRequest request(std::string body) {
        http::ClientRequest request;
        request.method = "POST";
        request.url = "http://127.0.0.1:" + std::to_string(server->port()) + "/api/v1/executor";
        request.headers = {{"Content-Type", "application/json"},
                           {"Authorization", "Bearer " + world.executors.back().token}};
        request.body = std::move(body);
        return request;
    }
    static std::string call(const std::string& rest, const std::string& executor = "e") {
        return R"({"framework_id":{"value":"f"},"executor_id":{"value":")" + executor + R"("},)" + rest + "}";
    }
    // Turns the loop until the answer is there.
    int statusOf(const http::ClientRequest& request) {
        auto reply = std::async(std::launch::async, [&] { return http::fetch(request); });
        turnUntil([&] { return reply.wait_for(0s) == std::future_status::ready; });
        const auto got = reply.get();
        return got.ok() ? got->status : -1;
    }
    template <class Done>
    void turnUntil(Done done) {
        for (int i = 0; i < 2000 && !done(); ++i) {
            pollfd ready{door.eventFd(), POLLIN, 0};
            ::poll(&ready, 1, 10);
            door.handle(
                *world.agent, [this](const Input& input) { world.step(input); }, world.now);
            // What the world noted for a stream goes out by it.
            for (auto& [stream, events] : world.streams) {
                for (; sent[stream] < events.size(); ++sent[stream]) door.send({{}, stream, events[sent[stream]]});
            }
        }
        ASSERT_TRUE(done());
    }

    World world;
    ExecutorDoor door;
    std::unique_ptr<http::Server> server;
    std::map<std::uint64_t, std::size_t> sent;
};

TEST_F(ExecutorDoorTest, AnswersAsTheApiSays) {
    EXPECT_EQ(statusOf(request(call(R"("type":"HEARTBEAT")"))), 202); // also before SUBSCRIBE
    EXPECT_EQ(statusOf(request(call(R"("type":"MESSAGE","message":{"data":"aGk="})"))), 403);
    EXPECT_EQ(statusOf(request(call(R"("type":"SUBSCRIBE")"))), 400);
    EXPECT_EQ(statusOf(request(call(R"("type":"HEARTBEAT")", "unknown"))), 400);
    EXPECT_EQ(statusOf(request("{")), 400);
    http::ClientRequest wrong = request(call(R"("type":"SUBSCRIBE","subscribe":{})"));
    wrong.headers[1].second = "Bearer guessed";
    EXPECT_EQ(statusOf(wrong), 403);
    wrong = request(call(R"("type":"HEARTBEAT")"));
    wrong.headers[0].second = "application/x-protobuf";
    EXPECT_EQ(statusOf(wrong), 415);
    wrong = request(call(R"("type":"HEARTBEAT")"));
    wrong.headers.push_back({"Accept", "application/x-protobuf"});
    EXPECT_EQ(statusOf(wrong), 406);
}

TEST_F(ExecutorDoorTest, ASubscriptionIsAStreamOfRecordsAndItsEndIsHeardOf) {
    http::RecordReader reader;
    std::vector<std::string> types;
    std::atomic<std::size_t> heard = 0;
    std::atomic<bool> enough = false;
    http::ClientRequest subscribe = request(call(R"("type":"SUBSCRIBE","subscribe":{})"));
    subscribe.on_data = [&](std::string_view piece) {
        EXPECT_TRUE(reader.feed(piece));
        for (const std::string& record : reader.take()) {
            const auto event = executorEventFromJson(record);
            EXPECT_TRUE(event.ok()) << event.status();
            types.push_back(record.substr(0, record.find(',')));
            ++heard;
        }
        return !enough;
    };
    auto stream = std::async(std::launch::async, [&] { return http::fetch(subscribe); });
    turnUntil([&] { return heard == 2; }); // SUBSCRIBED, LAUNCH
    EXPECT_EQ(world.agent->executor({FrameworkId("f"), ExecutorId("e")})->stream, 1u);

    const std::string update = R"("type":"UPDATE","update":{"status":{"task_id":{"value":"t"},"state":"TASK_FINISHED",)"
                               R"("source":"SOURCE_EXECUTOR","uuid":"AAECAwQFBgcICQoLDA0ODw=="}})";
    enough = true; // with the acknowledgement
    EXPECT_EQ(statusOf(request(call(update))), 202);
    turnUntil([&] { return heard == 3; });
    EXPECT_EQ(world.lastUpdate("t").state, TaskState::kFinished);
    turnUntil([&] { return world.agent->executor({FrameworkId("f"), ExecutorId("e")})->stream == 0; });
    EXPECT_TRUE(stream.get().ok());
    EXPECT_THAT(types[0], HasSubstr("SUBSCRIBED"));
    EXPECT_THAT(types[1], HasSubstr("LAUNCH"));
    EXPECT_THAT(types[2], HasSubstr("ACKNOWLEDGED"));
}

TEST_F(ExecutorDoorTest, HeartbeatsKeepAStreamAlive) {
    std::atomic<bool> beat = false;
    http::ClientRequest subscribe = request(call(R"("type":"SUBSCRIBE","subscribe":{})"));
    subscribe.on_data = [&](std::string_view piece) {
        beat = beat || piece.find("HEARTBEAT") != std::string_view::npos;
        return !beat;
    };
    auto stream = std::async(std::launch::async, [&] { return http::fetch(subscribe); });
    turnUntil([&] { return door.nextDeadline().has_value(); });
    world.now += ExecutorDoor::kHeartbeat;
    turnUntil([&] { return beat.load(); });
    EXPECT_TRUE(stream.get().ok());
}

} // namespace
} // namespace stoa::agent
