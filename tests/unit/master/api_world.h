// A core with its HTTP door open: the test's thread is the state thread, and speaks HTTP over raw sockets between turns.
//
//     ApiWorld api;
//     TestAgent agent = api.world.agent(4, 1024);
//     ApiStream stream = api.subscribe(R"({"user": "u", "name": "f"})");
//     EXPECT_EQ(api.call(stream, "DECLINE", R"("decline": {…})").status, 202);
//     stream.next()["offers"] …
#pragma once

#include "master/doors/http_door.h"
#include "master/doors/scheduler_door.h"
#include "tests/unit/master/core_world.h"
#include "tests/unit/protocol/http_fixture.h"

#include <rapidjson/document.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

namespace stoa::master {

struct ApiResponse {
    int status = 0;
    std::string head;
    std::string body;
    std::string header(std::string_view name) const {
        const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
        if (at == std::string::npos) return {};
        const std::size_t begin = at + 2 + name.size() + 2;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

class ApiWorld;

// A stream of records, as its client has it: each chunk must be one record.
class ApiStream {
public:
    ApiStream(ApiWorld& api, http::RawClient client, ApiResponse response, std::string rest)
        : api_(api), client_(std::move(client)), response_(std::move(response)), buffer_(std::move(rest)) {}

    const ApiResponse& response() const { return response_; }
    std::string id() const { return response_.header("Mesos-Stream-Id"); }
    // The next record; an object without members when the stream has ended or nothing comes.
    rapidjson::Document next();
    // The next of that type.
    rapidjson::Document next(std::string_view type);
    bool ended() { return next().ObjectEmpty(); }
    void leave() { client_.leave(); }
    std::string framework; // once told

private:
    std::optional<std::string> chunk();

    ApiWorld& api_;
    http::RawClient client_;
    ApiResponse response_;
    std::string buffer_;
};

class ApiWorld {
public:
    explicit ApiWorld(http::ServerOptions serving = {}, SharedCredentials credentials = nullptr) {
        door_ = *HttpDoor::start(std::move(serving), Identity{"m", 1, {"127.0.0.1", 0}, 5052, "0.1.0", {}, {}, {}},
                                 questions_, calls_, std::move(credentials));
        world.tap = [this](const Effect& effect) { hear(effect); };
    }

    World world{addressed()};
    HttpDoor& door() { return *door_; }
    std::uint16_t port() const { return door_->port(); }

    // One request on a connection of its own; the state thread works meanwhile.
    ApiResponse request(std::string_view method, std::string_view target, const std::string& headers = {},
                        const std::string& body = {}) {
        http::RawClient client(port());
        client.say(concat(method, " ", target, " HTTP/1.1\r\nHost: m\r\nConnection: close\r\n", headers,
                          body.empty() ? "" : concat("Content-Length: ", body.size(), "\r\n"), "\r\n", body));
        return parsed(hearAll(client));
    }
    ApiResponse post(std::string_view target, const std::string& body, const std::string& headers = {}) {
        return request("POST", target, "Content-Type: application/json\r\n" + headers, body);
    }
    // Any request whose answer is a stream.
    ApiStream open(std::string_view target, const std::string& body, const std::string& headers = {}) {
        http::RawClient client(port());
        client.say(concat("POST ", target, " HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n", headers,
                          "Content-Length: ", body.size(), "\r\n\r\n", body));
        std::string got;
        while (got.find("\r\n\r\n") == std::string::npos && more(client, got)) {}
        const std::size_t end = got.find("\r\n\r\n");
        ApiResponse response = parsed(got.substr(0, end == std::string::npos ? end : end + 4));
        return ApiStream(*this, std::move(client), std::move(response),
                         end == std::string::npos ? std::string() : got.substr(end + 4));
    }
    ApiStream subscribe(const std::string& info, const std::string& framework = {}) {
        const std::string id =
            framework.empty() ? std::string() : concat(R"("framework_id":{"value":")", framework, R"("},)");
        ApiStream stream = open("/api/v1/scheduler",
                                concat(R"({"type":"SUBSCRIBE",)", id, R"("subscribe":{"framework_info":)", info, "}}"));
        const rapidjson::Document told = stream.next();
        if (told.HasMember("subscribed")) stream.framework = told["subscribed"]["framework_id"]["value"].GetString();
        return stream;
    }
    // `more` are the call's other members.
    ApiResponse call(const ApiStream& stream, std::string_view type, const std::string& more = {}) {
        return post("/api/v1/scheduler",
                    concat(R"({"framework_id":{"value":")", stream.framework, R"("},"type":")", type, "\"",
                           more.empty() ? "" : ",", more, "}"),
                    concat("Mesos-Stream-Id: ", stream.id(), "\r\n"));
    }

    // What waits for the state thread is done.
    void work() {
        for (HttpArrival& arrival : calls_.take()) {
            if (std::optional<Input> input = schedulers_.read(arrival, world.master())) world.input(*input);
        }
        if (questions_.any()) {
            questions_.answerAll({world.master(), world.now(), {}, door_->counts(), 7, 0, 0, 0, {}});
        }
    }
    // Reads on; false when the other side has closed or nothing comes for ten seconds.
    bool more(const http::RawClient& client, std::string& got) {
        for (;;) {
            pollfd ready[] = {
                {client.fd(), POLLIN, 0}, {calls_.eventFd(), POLLIN, 0}, {questions_.eventFd(), POLLIN, 0}};
            if (::poll(ready, 3, 10'000) <= 0) return false;
            if (ready[1].revents != 0 || ready[2].revents != 0) work();
            if (ready[0].revents == 0) continue;
            char piece[65536];
            const ssize_t count = ::recv(client.fd(), piece, sizeof piece, 0);
            if (count <= 0) return false;
            got.append(piece, static_cast<std::size_t>(count));
            return true;
        }
    }
    // Until the state thread has heard of something: the end of a stream.
    void workOnce() {
        pollfd ready{calls_.eventFd(), POLLIN, 0};
        ASSERT_EQ(::poll(&ready, 1, 10'000), 1);
        work();
    }
    std::size_t streams() const { return schedulers_.streams(); }

private:
    static Options addressed() {
        Options options;
        options.address = {"127.0.0.1", 5050};
        return options;
    }
    static ApiResponse parsed(const std::string& text) {
        ApiResponse response;
        const std::size_t end = text.find("\r\n\r\n");
        if (end == std::string::npos) return response;
        response.head = text.substr(0, end + 2);
        response.body = text.substr(end + 4);
        response.status = std::atoi(text.c_str() + std::string_view("HTTP/1.1 ").size());
        return response;
    }
    std::string hearAll(const http::RawClient& client) {
        std::string got;
        while (more(client, got)) {}
        return got;
    }
    void hear(const Effect& effect) {
        if (const auto* said = std::get_if<ToFrameworkPeer>(&effect)) {
            if (SchedulerDoor::isHttp(said->peer)) schedulers_.say(*said);
        } else if (const auto* close = std::get_if<ClosePeer>(&effect)) {
            if (SchedulerDoor::isHttp(close->peer)) schedulers_.say(*close);
        } else if (const auto* answer = std::get_if<CallAnswered>(&effect)) {
            schedulers_.say(*answer);
        } else if (const auto* delta = std::get_if<Delta>(&effect)) {
            door_->show({*delta});
        }
    }

    Questions questions_;
    HttpCalls calls_;
    SchedulerDoor schedulers_;
    std::unique_ptr<HttpDoor> door_;
};

inline std::optional<std::string> ApiStream::chunk() {
    for (;;) {
        const std::size_t line = buffer_.find("\r\n");
        if (line != std::string::npos) {
            const std::size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
            if (buffer_.size() >= line + 2 + size + 2) {
                std::string content = buffer_.substr(line + 2, size);
                buffer_.erase(0, line + 2 + size + 2);
                if (size == 0) return std::nullopt;
                return content;
            }
        }
        if (!api_.more(client_, buffer_)) return std::nullopt;
    }
}

inline rapidjson::Document ApiStream::next() {
    rapidjson::Document document;
    document.SetObject();
    const std::optional<std::string> record = chunk();
    if (!record) return document;
    char* rest = nullptr;
    const std::size_t length = std::strtoul(record->c_str(), &rest, 10);
    EXPECT_EQ(*rest, '\n') << *record;
    const std::string json(rest + 1);
    EXPECT_EQ(json.size(), length) << *record;
    document.Parse(json.c_str(), json.size());
    EXPECT_FALSE(document.HasParseError()) << json;
    return document;
}

inline rapidjson::Document ApiStream::next(std::string_view type) {
    for (;;) {
        rapidjson::Document record = next();
        if (record.ObjectEmpty() || record["type"].GetString() == type) return record;
    }
}

} // namespace stoa::master
