#include "tests/unit/protocol/http_fixture.h"

#include <absl/strings/match.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

namespace stoa::http {
namespace {

Handler says(const std::string& text) {
    return [text](const Request&) { return textResponse(200, text); };
}

TEST(Router, PrefersTheVeryPathThenTheLongestPrefixOfWholeElements) {
    Router router;
    const auto named = [](const std::string& name) {
        return [name](const Request& request, Responder reply) {
            reply.respond(textResponse(200, name + ":" + request.rest));
        };
    };
    router.get("/state", says("state"));
    router.subtree("GET", "/files", named("files"));
    router.subtree("GET", "/files/old", named("old"));
    router.strip("/master");
    const auto server = serve(std::move(router));
    const auto body = [&](std::string_view target) { return get(urlOf(*server, target))->body; };
    EXPECT_EQ(body("/state"), "state");
    EXPECT_EQ(body("/state/"), "state");
    EXPECT_EQ(body("/master/state?x=1"), "state");
    EXPECT_EQ(body("/files"), "files:");
    EXPECT_EQ(body("/files/a/b"), "files:a/b");
    EXPECT_EQ(body("/files/old/c"), "old:c");
    EXPECT_EQ(body("/files/older"), "files:older");
    EXPECT_EQ(get(urlOf(*server, "/state/x"))->status, 404);
    EXPECT_EQ(get(urlOf(*server, "/filesystem"))->status, 404);
}

TEST(Router, NamesTheMethodsThatAPathHas) {
    Router router;
    router.get("/a", says("a"));
    router.on("PUT", "/a", says("put"));
    const auto server = serve(std::move(router));
    const auto reply = post(urlOf(*server, "/a"), "text/plain", "x");
    EXPECT_EQ(reply->status, 405);
    EXPECT_EQ(reply->header("allow"), "GET, PUT");
}

TEST(HttpServer, DecodesPathAndQuery) {
    Router router;
    router.subtree("GET", "/", [](const Request& request, Responder reply) {
        reply.respond(textResponse(200, concat(request.path, "|", request.parameter("q").value_or("-"), "|",
                                               request.number("n").value_or(-1))));
    });
    const auto server = serve(std::move(router));
    EXPECT_EQ(get(urlOf(*server, "/a%20b%2Fc?q=x%26y+z&n=12"))->body, "/a b/c|x&y z|12");
    EXPECT_EQ(get(urlOf(*server, "/a?n=12x"))->body, "/a|-|-1");
    EXPECT_EQ(get(urlOf(*server, "/a%zz"))->status, 400);
    EXPECT_EQ(get(urlOf(*server, "/a%00"))->status, 400);
}

TEST(HttpServer, AnswersManyRequestsOverOneConnection) {
    Router router;
    router.on("POST", "/echo", [](const Request& request) { return textResponse(200, request.body); });
    const auto server = serve(std::move(router));
    const RawClient client(*server);
    for (int i = 0; i < 3; ++i) {
        ASSERT_TRUE(client.say(concat("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell", i)));
        EXPECT_NE(client.hear(concat("hell", i)).find("200 OK"), std::string::npos);
    }
    EXPECT_EQ(server->counts().connections, 1u);
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
    Router router;
    Promised<Responder> late;
    router.defer("GET", "/late", [&](const Request&, Responder reply) { late.give(std::move(reply)); });
    router.get("/soon", says("soon"));
    const auto server = serve(std::move(router));
    const RawClient client(*server);
    client.say("GET /late HTTP/1.1\r\nHost: x\r\n\r\nGET /soon HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    late.take()->respond(textResponse(200, "late"));
    const std::string got = client.hear();
    EXPECT_LT(got.find("late"), got.find("soon"));
    EXPECT_NE(got.find("soon"), std::string::npos);
}

TEST(HttpServer, TakesChunkedBodies) {
    Router router;
    router.on("POST", "/echo", [](const Request& request) { return textResponse(200, "<" + request.body + ">"); });
    const auto server = serve(std::move(router));
    const RawClient client(*server);
    client.say(
        "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
    EXPECT_NE(client.hear("<abcde>").find("<abcde>"), std::string::npos);
}

TEST(HttpServer, GivesHeadTheHeadersAlone) {
    Router router;
    router.get("/a", says("12345"));
    const auto server = serve(std::move(router));
    const RawClient client(*server);
    client.say("HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string got = client.hear();
    EXPECT_NE(got.find("Content-Length: 5"), std::string::npos);
    EXPECT_EQ(got.find("12345"), std::string::npos);
}

TEST(HttpServer, GivesABodyThatManyShareToEachWhole) {
    const Body body = makeBody(std::string(5'000'000, 'x') + "end");
    Router router;
    router.get("/a", [&](const Request&) {
        Response response = textResponse(200, "");
        response.shared_body = body;
        return response;
    });
    const auto server = serve(std::move(router));
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&] { EXPECT_TRUE(get(urlOf(*server, "/a"))->body == *body); });
    }
    for (std::thread& client : clients) client.join();
    const RawClient client(*server);
    client.say("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string got = client.hear();
    EXPECT_TRUE(got.ends_with("xend"));
    EXPECT_GT(got.size(), body->size());
    EXPECT_LT(got.size(), body->size() + 1000) << "the first has the headers alone";
}

TEST(HttpServer, RefusesABodyThatIsTooLarge) {
    Router router;
    router.on("POST", "/a", says("a"));
    ServerOptions options;
    options.max_body_bytes = 1000;
    const auto server = serve(std::move(router), options);
    EXPECT_EQ(post(urlOf(*server, "/a"), "text/plain", std::string(1000, 'x'))->status, 200);
    const auto reply = post(urlOf(*server, "/a"), "text/plain", std::string(3'000'000, 'x'));
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->status, 413);
    // Chunked, its size is known only as it comes.
    const RawClient client(*server);
    client.say("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x'));
    EXPECT_NE(client.hear("\r\n\r\n").find(" 413 "), std::string::npos);
    EXPECT_EQ(server->counts().refused, 2u);
}

TEST(HttpServer, BoundsWhatAllBodiesTogetherTake) {
    Router router;
    router.on("POST", "/a", says("a"));
    ServerOptions options;
    options.max_bodies_bytes = 100'000;
    const auto server = serve(std::move(router), options);
    const RawClient first(*server);
    first.say("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 90001\r\n\r\n" + std::string(90'000, 'x'));
    // Until the first's bytes have been read, another would fit, and the first not.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (server->counts().body_bytes < 90'000 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    const RawClient second(*server);
    second.say("POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n" +
               std::string(20'000, 'x'));
    EXPECT_NE(second.hear().find(" 503 "), std::string::npos);
    first.say("x");
    EXPECT_NE(first.hear("\r\n\r\na").find(" 200 "), std::string::npos);
    EXPECT_EQ(post(urlOf(*server, "/a"), "text/plain", std::string(90'000, 'x'))->status, 200);
}

TEST(HttpServer, RefusesHeadersThatAreTooLargeAndWhatIsNoHttp) {
    Router router;
    router.get("/a", says("a"));
    const auto server = serve(std::move(router));
    const RawClient large(*server);
    large.say("GET /a HTTP/1.1\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n");
    EXPECT_NE(large.hear("\r\n").find(" 431 "), std::string::npos);
    const RawClient other(*server);
    other.say("\x16\x03\x01\x02\x00\x01 hello\r\n\r\n");
    EXPECT_NE(other.hear("\r\n").find(" 400 "), std::string::npos);
    const RawClient relative(*server);
    relative.say("GET a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_NE(relative.hear("\r\n").find(" 400 "), std::string::npos);
    EXPECT_EQ(get(urlOf(*server, "/a"))->body, "a");
}

TEST(HttpServer, TellsAClientThatIsTooSlowAndClosesOne) {
    Router router;
    router.on("POST", "/a", says("a"));
    ServerOptions options;
    options.header_timeout = std::chrono::milliseconds(300);
    options.body_timeout = std::chrono::milliseconds(300);
    options.idle_timeout = std::chrono::milliseconds(300);
    const auto server = serve(std::move(router), options);
    const RawClient header(*server);
    header.say("POST /a HT");
    EXPECT_NE(header.hear().find(" 408 "), std::string::npos);
    const RawClient body(*server);
    body.say("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
    EXPECT_NE(body.hear().find(" 408 "), std::string::npos);
    const RawClient silent(*server);
    EXPECT_EQ(silent.hear(), "");
    const RawClient idle(*server);
    idle.say("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    const std::string got = idle.hear(); // to the end that the server makes
    EXPECT_NE(got.find(" 200 "), std::string::npos);
    EXPECT_EQ(got.find("<silence>"), std::string::npos);
}

TEST(HttpServer, ServesOthersThoughHundredsOfConnectionsAreHalfOpen) {
    Router router;
    router.get("/a", says("a"));
    ServerOptions options;
    options.max_connections = 100;
    const auto server = serve(std::move(router), options);
    std::vector<RawClient> half_open;
    for (int i = 0; i < 200; ++i) {
        half_open.emplace_back(*server);
        ASSERT_TRUE(half_open.back().connected());
        if (i % 2 == 0) half_open.back().say("GET /a HTTP/1.1\r\n");
    }
    for (int i = 0; i < 20; ++i) {
        const auto reply = get(urlOf(*server, "/a"));
        ASSERT_TRUE(reply.ok()) << reply.status();
        EXPECT_EQ(reply->body, "a");
    }
    EXPECT_LE(server->counts().connections, 100u);
}

TEST(HttpServer, TellsTheNextClientWhenAllConnectionsAreAtWork) {
    Router router;
    std::mutex mutex;
    std::vector<Responder> held;
    Promised<bool> both;
    router.defer("GET", "/held", [&](const Request&, Responder reply) {
        const std::lock_guard lock(mutex);
        held.push_back(std::move(reply));
        if (held.size() == 2) both.give(true);
    });
    ServerOptions options;
    options.max_connections = 2;
    const auto server = serve(std::move(router), options);
    const RawClient first(*server);
    const RawClient second(*server);
    first.say("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    second.say("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(both.take());
    const RawClient third(*server);
    EXPECT_NE(third.hear().find(" 503 "), std::string::npos);
    const std::lock_guard lock(mutex);
    held.clear(); // dropped unanswered
    EXPECT_NE(first.hear("\r\n\r\n").find(" 500 "), std::string::npos);
}

TEST(HttpServer, IsAnsweredFromAnotherThread) {
    Router router;
    Promised<Responder> promised;
    router.defer("GET", "/later", [&](const Request&, Responder reply) { promised.give(std::move(reply)); });
    const auto server = serve(std::move(router));
    std::thread other([&] { promised.take()->respond(jsonResponse("{}")); });
    const auto reply = get(urlOf(*server, "/later"));
    other.join();
    EXPECT_EQ(reply->body, "{}");
    EXPECT_EQ(reply->header("Content-Type"), "application/json");
    EXPECT_EQ(reply->header("X-Content-Type-Options"), "nosniff");
}

TEST(HttpServer, LetsNoHeaderBeSmuggledIntoItsAnswer) {
    Router router;
    router.get("/go", [](const Request& request) {
        Response response = textResponse(307, "");
        response.headers.emplace_back("Location", std::string(*request.parameter("to")));
        return response;
    });
    const auto server = serve(std::move(router));
    const auto reply = get(urlOf(*server, "/go?to=a%0d%0aX-Evil:%201"));
    EXPECT_EQ(reply->header("Location"), "a  X-Evil: 1");
    EXPECT_EQ(reply->header("X-Evil"), "");
}

TEST(HttpServer, SaysInWhoseWayAPortIs) {
    const auto server = serve(Router());
    ServerOptions options;
    options.port = server->port();
    const auto second = Server::start(options, Router());
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().message(),
              concat("127.0.0.1:", server->port(), " is in use by another process: stop it, or choose another port"));
    options.host = "192.0.2.1";
    EXPECT_NE(Server::start(options, Router()).status().message().find("is no address of this machine"),
              std::string::npos);
}

TEST(HttpServer, RunsPostedWorkInOrderOnItsOwnThread) {
    const auto server = serve(Router());
    Promised<std::vector<int>> done;
    std::vector<int> order;
    for (int i = 0; i < 3; ++i) server->post([&order, i] { order.push_back(i); });
    server->postAfter(std::chrono::milliseconds(20), [&] {
        order.push_back(3);
        done.give(order);
    });
    EXPECT_EQ(done.take(), (std::vector<int>{0, 1, 2, 3}));
}

TEST(HttpServer, StopsWithRequestsUnanswered) {
    Promised<Responder> promised;
    Router router;
    router.defer("GET", "/later", [&](const Request&, Responder reply) { promised.give(std::move(reply)); });
    auto server = serve(std::move(router));
    const RawClient client(*server);
    client.say("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    std::optional<Responder> reply = promised.take();
    server->postAfter(std::chrono::hours(1), [] { FAIL() << "ran after the end"; });
    server.reset();
    EXPECT_EQ(client.hear(), "");
    Stream stream = reply->stream(Response());
    EXPECT_FALSE(stream.write("x"));
    EXPECT_EQ(stream.ended(), "server stopped");
}

TEST(HttpServer, StopsThoughSomethingWasToBeDoneLater) {
    auto server = serve(Router());
    const std::string owner = concat("/proc/self/task/", gettid(), "/stat");
    std::atomic<bool> ending{false};
    // Its last act before the end, which is already asked for: the owner sleeps until the server's thread has ended.
    server->post([&, to = server.get()] {
        to->postAfter(std::chrono::seconds(30), [] { FAIL() << "ran after the end"; });
        std::string stat;
        while (!ending || !absl::StrContains(stat, ") S ")) std::getline(std::ifstream(owner), stat);
    });
    const auto began = std::chrono::steady_clock::now();
    ending = true;
    server.reset();
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

} // namespace
} // namespace stoa::http
