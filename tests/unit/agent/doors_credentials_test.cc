// An agent's door with credentials: who may read and write there, and how agents fetch from each other.
#include "agent/doors.h"
#include "agent/fetcher.h"
#include "protocol/http/client.h"
#include "protocol/http/gate.h"
#include "protocol/strings.h"
#include "protocol/wire/curve.h"
#include "tests/unit/agent/core_world.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DoorsCredentials : public ::testing::Test {
protected:
    DoorsCredentials() {
        for (const char* folder : {"uploads", "sandboxes", "in"}) fs::create_directory(dir.path() / folder);
        std::ofstream(dir.path() / "uploads/file") << "words";
        Doors::Options options;
        options.sandboxes = dir.path() / "sandboxes";
        options.uploads = dir.path() / "uploads";
        options.credentials = agents;
        options.names = {"127.0.0.1"};
        doors = *Doors::start(std::move(options));
    }
    std::string url(const std::string& target, const std::string& host = "127.0.0.1") const {
        return concat("http://", host, ":", doors->port(), target);
    }
    int status(const std::string& method, const std::string& target, const Credentials* who) const {
        http::ClientRequest request;
        request.method = method;
        request.url = url(target);
        request.body = method == "PUT" ? "more" : "";
        if (who != nullptr) request.headers.emplace_back("Authorization", http::basicAuthorization(*who));
        const auto reply = http::fetch(request);
        EXPECT_TRUE(reply.ok()) << reply.status();
        return reply.ok() ? reply->status : 0;
    }
    absl::Status fetch(const std::string& from, const SharedCredentials& as) const {
        Fetcher fetcher({.threads = 1, .credentials = as});
        InputSpec spec;
        spec.uri = from;
        spec.output_file = "got";
        fetcher.submit({{FrameworkId("f"), TaskId("t")}, {spec}, dir.path() / "in", ::geteuid(), ::getegid()});
        pollfd ready{fetcher.eventFd(), POLLIN, 0};
        EXPECT_EQ(::poll(&ready, 1, 20'000), 1);
        const auto results = fetcher.take();
        return results.empty() ? absl::InternalError("no result") : results[0].status;
    }

    const KeyPair agent_keys = newKeyPair();
    const KeyPair user_keys = newKeyPair();
    const Credentials user{"user", user_keys.secret, user_keys.public_key, "", {}};
    const SharedCredentials agents = std::make_shared<Credentials>(
        Credentials{"agent",
                    agent_keys.secret,
                    agent_keys.public_key,
                    newKeyPair().public_key,
                    {{"user", user_keys.public_key, static_cast<std::uint8_t>(Right::kFramework)}}});
    ScratchDir dir;
    std::unique_ptr<Doors> doors;
};

TEST_F(DoorsCredentials, OpenTheDoorToWhomTheyAdmit) {
    for (const char* target : {"/state", "/slave(1)/state", "/metrics", "/api/stoa/uploads/file"}) {
        EXPECT_EQ(status("GET", target, nullptr), 401) << target;
        EXPECT_EQ(status("GET", target, agents.get()), 401) << target; // an agent comes otherwise
        EXPECT_EQ(status("GET", target, &user), 200) << target;
    }
    EXPECT_EQ(status("PUT", "/api/stoa/uploads/new", nullptr), 401);
    EXPECT_FALSE(fs::exists(dir.path() / "uploads/new"));
    EXPECT_EQ(status("PUT", "/api/stoa/uploads/new", &user), 201);
    EXPECT_EQ(status("DELETE", "/api/stoa/uploads/new", nullptr), 401);
    EXPECT_EQ(status("GET", "/health", nullptr), 200);
}

TEST_F(DoorsCredentials, LetAgentsFetchFromEachOther) {
    const absl::Status got = fetch(url("/api/stoa/uploads/file"), agents);
    ASSERT_TRUE(got.ok()) << got;
    std::ostringstream text;
    text << std::ifstream(dir.path() / "in/got").rdbuf();
    EXPECT_EQ(text.str(), "words");
}

TEST_F(DoorsCredentials, LetNobodyElseFetch) {
    EXPECT_THAT(std::string(fetch(url("/api/stoa/uploads/file"), nullptr).message()), HasSubstr("401"));
    const SharedCredentials foreign =
        std::make_shared<Credentials>(Credentials{"agent", newKeyPair().secret, "", "", {}});
    EXPECT_THAT(std::string(fetch(url("/api/stoa/uploads/file"), foreign).message()), HasSubstr("401"));
    // By a name that this door doesn't have, the code could have been made for anybody.
    EXPECT_THAT(std::string(fetch(url("/api/stoa/uploads/file", "localhost"), agents).message()), HasSubstr("401"));
}

TEST_F(DoorsCredentials, AreNotShownToOthers) {
    std::string given = "nothing";
    http::Router router;
    router.subtree("GET", "/", [&](const http::Request& request, http::Responder reply) {
        given = request.header("Authorization");
        reply.respond(http::textResponse(200, ""));
    });
    const auto server = *http::Server::start({}, std::move(router));
    const std::string base = concat("http://127.0.0.1:", server->port());
    ASSERT_TRUE(fetch(base + "/file", agents).ok());
    EXPECT_EQ(given, "");
    // What looks like an agent's door gets a code for its own URL, and not the secret.
    ASSERT_TRUE(fetch(base + "/api/stoa/uploads/file", agents).ok());
    EXPECT_THAT(given, HasSubstr("Stoa-Agent "));
    EXPECT_THAT(given, ::testing::Not(HasSubstr(agent_keys.secret)));
}

} // namespace
} // namespace stoa::agent
