#include "tests/unit/protocol/http_fixture.h"

#include <sys/eventfd.h>

#include <thread>

namespace stoa::http {
namespace {

// A server with one stream, handed to the test.
class StreamServer {
public:
    explicit StreamServer(ServerOptions options = {}) {
        Router router;
        router.defer("GET", "/events", [this](const Request&, Responder reply) {
            Response head;
            head.content_type = "application/json";
            head.headers.emplace_back("Mesos-Stream-Id", "s1");
            promised_.give(reply.stream(std::move(head)));
        });
        server_ = serve(std::move(router), std::move(options));
    }
    Server& server() { return *server_; }
    Stream stream() { return std::move(promised_.take()).value_or(Stream()); }

private:
    Promised<Stream> promised_;
    std::unique_ptr<Server> server_;
};

TEST(HttpStream, MakesOneChunkOfEachWrite) {
    StreamServer streams;
    const RawClient client(streams.server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    Stream stream = streams.stream();
    EXPECT_TRUE(stream.write("12\n{\"type\":\"A\"}"));
    EXPECT_TRUE(stream.write("bc"));
    stream.end();
    EXPECT_FALSE(stream.write("too late"));
    const std::string got = client.hear();
    EXPECT_NE(got.find("Mesos-Stream-Id: s1\r\n"), std::string::npos);
    EXPECT_TRUE(got.ends_with("\r\n\r\nf\r\n12\n{\"type\":\"A\"}\r\n2\r\nbc\r\n0\r\n\r\n")) << got;
}

TEST(HttpStream, ReachesTheClientWhileItGoesOn) {
    StreamServer streams;
    std::string got;
    ClientRequest request;
    request.url = urlOf(streams.server(), "/events");
    Promised<bool> first;
    request.on_data = [&](std::string_view piece) {
        got += piece;
        if (got == "one") first.give(true);
        return true;
    };
    std::thread reader([&] { EXPECT_TRUE(fetch(request).ok()); });
    Stream stream = streams.stream();
    stream.write("one");
    EXPECT_TRUE(first.take());
    stream.write("two");
    stream.end();
    reader.join();
    EXPECT_EQ(got, "onetwo");
}

TEST(HttpStream, NoticesAClientThatIsGone) {
    StreamServer streams;
    RawClient client(streams.server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    Stream stream = streams.stream();
    Promised<std::string> ended;
    stream.onEnd([&](std::string why) { ended.give(std::move(why)); });
    client.leave();
    EXPECT_EQ(ended.take(), "client gone");
    EXPECT_FALSE(stream.write("x"));
    EXPECT_EQ(stream.ended(), "client gone");
    std::string again;
    stream.onEnd([&](std::string why) { again = std::move(why); });
    EXPECT_EQ(again, "client gone");
}

TEST(HttpStream, EndsForAReaderThatStalls) {
    ServerOptions options;
    options.stream_queue_bytes = 1 << 20;
    StreamServer streams(options);
    const RawClient client(streams.server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    Stream stream = streams.stream();
    Promised<std::string> ended;
    stream.onEnd([&](std::string why) { ended.give(std::move(why)); });
    const std::string chunk(64 << 10, 'x');
    int accepted = 0;
    while (accepted < 10'000 && stream.write(chunk)) ++accepted;
    EXPECT_LT(accepted, 10'000); // some went into the kernel's buffers
    EXPECT_EQ(ended.take(), "client too slow");
    EXPECT_EQ(stream.ended(), "client too slow");
}

TEST(HttpStream, EndsForAReaderThatTakesNothingForTheWriteTimeout) {
    ServerOptions options;
    options.write_timeout = std::chrono::milliseconds(300);
    options.stream_queue_bytes = 64 << 20;
    StreamServer streams(options);
    const RawClient client(streams.server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    Stream stream = streams.stream();
    Promised<std::string> ended;
    stream.onEnd([&](std::string why) { ended.give(std::move(why)); });
    stream.write(std::string(32 << 20, 'x'));
    EXPECT_EQ(ended.take(), "client too slow");
}

TEST(HttpStream, TakesOneChunkThatIsLargerThanTheQueue) {
    ServerOptions options;
    options.stream_queue_bytes = 1000;
    StreamServer streams(options);
    ClientRequest request;
    request.url = urlOf(streams.server(), "/events");
    std::size_t got = 0;
    request.on_data = [&](std::string_view piece) {
        got += piece.size();
        return true;
    };
    std::thread reader([&] { EXPECT_TRUE(fetch(request).ok()); });
    Stream stream = streams.stream();
    EXPECT_TRUE(stream.write(std::string(3'000'000, 'x')));
    stream.end();
    reader.join();
    EXPECT_EQ(got, 3'000'000u);
}

TEST(HttpStream, EndsWithItsLastHolder) {
    StreamServer streams;
    const RawClient client(streams.server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    {
        Stream stream = streams.stream();
        const Stream copy = stream;
        stream.write("x");
    }
    EXPECT_TRUE(client.hear().ends_with("1\r\nx\r\n0\r\n\r\n"));
}

TEST(HttpStream, HasNoChunksForHttp10) {
    StreamServer streams;
    const RawClient client(streams.server());
    client.say("GET /events HTTP/1.0\r\n\r\n");
    Stream stream = streams.stream();
    stream.write("abc");
    stream.end();
    EXPECT_TRUE(client.hear().ends_with("\r\n\r\nabc"));
}

TEST(HttpStream, EndsWithItsServer) {
    auto streams = std::make_unique<StreamServer>();
    const RawClient client(streams->server());
    client.say("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    Stream stream = streams->stream();
    streams.reset();
    EXPECT_EQ(stream.ended(), "server stopped");
    EXPECT_FALSE(stream.write("x"));
}

TEST(HttpClient, StopsWhenItsReaderHasHadEnough) {
    StreamServer streams;
    ClientRequest request;
    request.url = urlOf(streams.server(), "/events");
    request.on_data = [](std::string_view) { return false; };
    std::thread writer([&] { streams.stream().write("x"); });
    EXPECT_TRUE(fetch(request).ok());
    writer.join();
}

TEST(HttpClient, GivesUpWhenToldTo) {
    StreamServer streams;
    const UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
    ClientRequest request;
    request.url = urlOf(streams.server(), "/events");
    request.cancel_fd = cancel.get();
    request.on_head = [&](int status, const Headers& headers) {
        EXPECT_EQ(status, 200);
        EXPECT_EQ(find(headers, "mesos-stream-id"), "s1");
        eventfd_write(cancel.get(), 1);
        return true;
    };
    request.on_data = [](std::string_view) { return true; };
    EXPECT_TRUE(absl::IsCancelled(fetch(request).status()));
}

TEST(HttpClient, SaysWhatIsWrongWithAnAnswerThatDoesNotCome) {
    StreamServer streams;
    ClientRequest request;
    request.url = urlOf(streams.server(), "/events");
    request.timeout = std::chrono::milliseconds(100);
    // Without on_data the whole answer has to come in time.
    EXPECT_TRUE(absl::IsDeadlineExceeded(fetch(request).status()));
    request.timeout = std::chrono::seconds(10);
    request.idle_timeout = std::chrono::milliseconds(100);
    request.on_data = [](std::string_view) { return true; };
    EXPECT_TRUE(absl::IsDeadlineExceeded(fetch(request).status()));
    const std::uint16_t port = streams.server().port();
    EXPECT_TRUE(absl::IsInvalidArgument(get("ftp://x/").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(get("http://x:99999/").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(get("http://u@x/").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(get("http://x/a b").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(get(concat("http:///", port)).status()));
}

TEST(HttpClient, SaysThatNobodyListens) {
    std::uint16_t port = 0;
    {
        const auto server = serve(Router());
        port = server->port();
    }
    const auto reply = get(concat("http://127.0.0.1:", port, "/"));
    EXPECT_TRUE(absl::IsUnavailable(reply.status()));
    EXPECT_EQ(reply.status().message(), concat("127.0.0.1:", port, ": Connection refused"));
}

TEST(HttpClient, TakesUrlsApart) {
    const auto v6 = parseUrl("http://[::1]:5050/a?b#c");
    ASSERT_TRUE(v6.ok());
    EXPECT_EQ(v6->host, "::1");
    EXPECT_EQ(v6->port, 5050);
    EXPECT_EQ(v6->target, "/a?b");
    const auto bare = parseUrl("HTTP://host?x");
    ASSERT_TRUE(bare.ok());
    EXPECT_EQ(bare->port, 80);
    EXPECT_EQ(bare->target, "/?x");
}

} // namespace
} // namespace stoa::http
