#include "protocol/http/files.h"

#include "tests/unit/protocol/http_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace stoa::http {
namespace {

using HttpFiles = HttpDirectory;

std::unique_ptr<Server> serveFiles(const std::filesystem::path& root) {
    Router router;
    router.subtree("GET", "/files", [root](const Request& request, Responder reply) {
        reply.respond(serveBelow(request, root, request.rest));
    });
    return serve(std::move(router));
}

TEST_F(HttpFiles, AreServedAsPlainText) {
    write("a/page.html", "<script>");
    const auto server = serveFiles(root_);
    const auto reply = get(urlOf(*server, "/files/a/page.html"));
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->body, "<script>");
    EXPECT_EQ(reply->header("Content-Type"), "text/plain; charset=utf-8");
    EXPECT_EQ(reply->header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(get(urlOf(*server, "/files/a"))->status, 404);
    EXPECT_EQ(get(urlOf(*server, "/files/b"))->status, 404);
    EXPECT_EQ(get(urlOf(*server, "/files/a/page.html/x"))->status, 404);
}

TEST_F(HttpFiles, AreServedInParts) {
    write("f", "0123456789");
    const auto server = serveFiles(root_);
    const auto part = [&](std::string range) {
        ClientRequest request;
        request.url = urlOf(*server, "/files/f");
        request.headers = {{"Range", std::move(range)}};
        const auto reply = fetch(request);
        return concat(reply->status, " ", reply->status == 416 ? "" : reply->body, " ", reply->header("Content-Range"));
    };
    EXPECT_EQ(part("bytes=2-4"), "206 234 bytes 2-4/10");
    EXPECT_EQ(part("bytes=7-"), "206 789 bytes 7-9/10");
    EXPECT_EQ(part("bytes=8-100"), "206 89 bytes 8-9/10");
    EXPECT_EQ(part("bytes=-3"), "206 789 bytes 7-9/10");
    EXPECT_EQ(part("bytes=-99"), "206 0123456789 bytes 0-9/10");
    EXPECT_EQ(part("bytes=10-"), "416  bytes */10");
    EXPECT_EQ(part("bytes=4-2"), "200 0123456789 ");
    EXPECT_EQ(part("bytes=1-2,4-5"), "200 0123456789 ");
    EXPECT_EQ(part("bytes=x"), "200 0123456789 ");
    EXPECT_EQ(get(urlOf(*server, "/files/f?offset=3&length=2"))->body, "34");
    EXPECT_EQ(get(urlOf(*server, "/files/f?offset=99"))->body, "");
    EXPECT_EQ(get(urlOf(*server, "/files/f?offset=-1"))->status, 400);
    EXPECT_EQ(get(urlOf(*server, "/files/f?length=x"))->status, 400);
}

TEST_F(HttpFiles, AreSentInPiecesWhateverTheirSize) {
    std::string content(5'000'001, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 2'654'435'761u >> 13);
    write("large", content);
    const auto server = serveFiles(root_);
    EXPECT_EQ(get(urlOf(*server, "/files/large"))->body, content);
    const UniqueFd copy(open((root_ / "copy").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ClientRequest request;
    request.url = urlOf(*server, "/files/large");
    EXPECT_EQ(*download(request, copy.get()), content.size());
    EXPECT_EQ(read("copy"), content);
    request.url = urlOf(*server, "/files/none");
    const auto missing = download(request, copy.get());
    EXPECT_NE(missing.status().message().find("answered 404"), std::string::npos) << missing.status();
}

TEST_F(HttpFiles, NeverLieOutsideOfTheRoot) {
    write("in/f", "inside");
    write("secret", "secret");
    const std::filesystem::path in = root_ / "in";
    std::filesystem::create_symlink("../secret", in / "up");
    std::filesystem::create_symlink("/etc/passwd", in / "absolute");
    std::filesystem::create_symlink("/", in / "slash");
    std::filesystem::create_symlink("f", in / "same");
    const auto server = serveFiles(in);
    EXPECT_EQ(get(urlOf(*server, "/files/f"))->body, "inside");
    EXPECT_EQ(get(urlOf(*server, "/files/same"))->body, "inside");
    for (const std::string_view bad : {"/files/up", "/files/absolute", "/files/slash/etc/passwd", "/files/../secret",
                                       "/files/%2e%2e/secret", "/files/..%2fsecret", "/files/x/../../secret"}) {
        const auto reply = get(urlOf(*server, bad));
        EXPECT_TRUE(reply->status == 403 || reply->status == 404) << bad << ": " << reply->status;
        EXPECT_EQ(reply->body.find("secret\n"), std::string::npos);
        EXPECT_NE(reply->body, "secret") << bad;
    }
    EXPECT_TRUE(absl::IsPermissionDenied(openBelow(in, "up").status()));
    EXPECT_TRUE(absl::IsPermissionDenied(openBelow(in, "../secret").status()));
    // A leading slash is the root's own.
    EXPECT_TRUE(openBelow(in, "/f").ok());
}

TEST_F(HttpFiles, DoNotHangOnAFifo) {
    ASSERT_EQ(mkfifo((root_ / "fifo").c_str(), 0600), 0);
    const auto server = serveFiles(root_);
    EXPECT_EQ(get(urlOf(*server, "/files/fifo"))->status, 403);
}

TEST_F(HttpFiles, AreListedByNameUpToALimit) {
    write("d/b", "12");
    write("d/a", "");
    write("d/c/x", "");
    const auto listing = listBelow(root_, "d");
    ASSERT_TRUE(listing.ok());
    ASSERT_EQ(listing->entries.size(), 3u);
    EXPECT_EQ(listing->entries[0].name, "a");
    EXPECT_EQ(listing->entries[1].size, 2u);
    EXPECT_TRUE(S_ISDIR(listing->entries[2].mode));
    EXPECT_FALSE(listing->truncated);
    EXPECT_TRUE(listBelow(root_, "d", 2)->truncated);
    EXPECT_TRUE(absl::IsNotFound(listBelow(root_, "d/a").status()));
}

TEST_F(HttpFiles, AreCreatedBelowTheRootOnly) {
    const std::filesystem::path in = root_ / "in";
    std::filesystem::create_directory(in);
    write("outside", "untouched");
    std::filesystem::create_symlink("..", in / "up");
    std::filesystem::create_symlink("../outside", in / "link");
    const auto made = createBelow(in, "a/b/c", 0755);
    ASSERT_TRUE(made.ok()) << made.status();
    struct stat status {};
    ASSERT_EQ(stat((in / "a/b/c").c_str(), &status), 0);
    EXPECT_NE(status.st_mode & 0100, 0u);
    EXPECT_FALSE(createBelow(in, "up/x", 0644).ok());
    EXPECT_FALSE(createBelow(in, "../x", 0644).ok());
    EXPECT_FALSE(createBelow(in, "a/../../x", 0644).ok());
    EXPECT_FALSE(createBelow(in, "link", 0644).ok());
    EXPECT_FALSE(createBelow(in, "a/b", 0644).ok());
    EXPECT_FALSE(std::filesystem::exists(root_ / "x"));
    EXPECT_EQ(read("outside"), "untouched");
}

class HttpUploads : public HttpDirectory {
protected:
    std::unique_ptr<Server> serveUploads(std::uint64_t limit, ServerOptions options = {}) {
        Router router;
        router.upload(
            "PUT", "/up",
            [this, limit](const Request& request) -> std::variant<UploadSink, Response> {
                if (request.rest == "no") return textResponse(403, "not you\n");
                auto file = createBelow(root_, request.rest, 0644);
                if (!file.ok()) return textResponse(400, std::string(file.status().message()));
                return UploadSink{*std::move(file), limit};
            },
            [](const Request& request, std::uint64_t bytes, Responder reply) {
                reply.respond(textResponse(201, concat(request.rest, " ", bytes)));
            });
        return serve(std::move(router), std::move(options));
    }
    absl::StatusOr<ClientResponse> put(const Server& server, std::string_view target, const std::string& file) const {
        const UniqueFd fd(open((root_ / file).c_str(), O_RDONLY | O_CLOEXEC));
        ClientRequest request;
        request.method = "PUT";
        request.url = urlOf(server, target);
        request.body_fd = fd.get();
        return fetch(request);
    }
};

TEST_F(HttpUploads, GoStraightToTheFile) {
    // NOLINTNEXTLINE(bugprone-string-constructor): the size is meant
    const std::string content(20'000'000, 'u');
    write("from", content);
    // Far larger than what may stand in memory.
    ServerOptions options;
    options.max_body_bytes = 1000;
    options.max_bodies_bytes = 1000;
    const auto server = serveUploads(1 << 30, options);
    const auto reply = put(*server, "/up/d/to", "from");
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->status, 201);
    EXPECT_EQ(reply->body, "d/to 20000000");
    EXPECT_EQ(read("d/to"), content);
}

TEST_F(HttpUploads, AreRefusedByTheGateAndAtTheLimit) {
    write("from", std::string(3'000'000, 'u'));
    const auto server = serveUploads(1'000'000);
    EXPECT_EQ(put(*server, "/up/no", "from")->status, 403);
    EXPECT_EQ(put(*server, "/up/../x", "from")->status, 400);
    EXPECT_EQ(put(*server, "/up/to", "from")->status, 413);
    const RawClient chunked(*server);
    chunked.say("PUT /up/to2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1e8480\r\n" +
                std::string(2'000'000, 'x'));
    EXPECT_NE(chunked.hear("\r\n\r\n").find(" 413 "), std::string::npos);
}

TEST_F(HttpUploads, AreToldToGoOnWhenTheClientAsks) {
    const auto server = serveUploads(100);
    const RawClient client(*server);
    client.say("PUT /up/f HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(client.hear("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.say("abc");
    EXPECT_NE(client.hear("f 3").find(" 201 "), std::string::npos);
    EXPECT_EQ(read("f"), "abc");
}

class HttpUnixSocket : public HttpDirectory {};

TEST_F(HttpUnixSocket, TellsWhoIsAtTheOtherEnd) {
    Router router;
    router.get("/who", [](const Request& request) {
        return textResponse(200, concat(request.peer, " ", request.credentials->pid, " ", request.credentials->uid));
    });
    ServerOptions options;
    options.unix_socket = (root_ / "door").string();
    const auto server = serve(std::move(router), options);
    EXPECT_EQ(server->address(), options.unix_socket);
    ClientRequest request;
    request.url = "http://local/who";
    request.unix_socket = options.unix_socket;
    EXPECT_EQ(fetch(request)->body, concat("unix ", getpid(), " ", getuid()));
    const auto second = Server::start(options, Router());
    EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
}

TEST_F(HttpUnixSocket, TakesTheFileOfADeadProcessOver) {
    ServerOptions options;
    options.unix_socket = (root_ / "door").string();
    {
        // Bound and closed, the file stays.
        const UniqueFd dead(socket(AF_UNIX, SOCK_STREAM, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        options.unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
        ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    }
    ASSERT_TRUE(std::filesystem::exists(options.unix_socket));
    {
        const auto server = serve(Router(), options);
        EXPECT_TRUE(std::filesystem::exists(options.unix_socket));
    }
    EXPECT_FALSE(std::filesystem::exists(options.unix_socket));
    // What is no socket is nobody's to remove.
    write("door", "a file");
    EXPECT_FALSE(Server::start(options, Router()).ok());
    EXPECT_EQ(read("door"), "a file");
}

} // namespace
} // namespace stoa::http
