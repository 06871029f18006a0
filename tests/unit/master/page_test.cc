// The operator's page over a real HTTP server: its files and their policy, and the stream of events that it lives on.
#include "master/doors/http_door.h"
#include "master/page/files.h"
#include "protocol/http/client.h"
#include "protocol/labels.h"
#include "protocol/strings.h"

#include <gtest/gtest.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

namespace stoa::master {
namespace {

using namespace std::chrono_literals;

AgentChanged agentNamed(const std::string& id) {
    AgentChanged agent;
    agent.info.id = AgentId(id);
    agent.info.hostname = "host-" + id;
    agent.info.address = {"127.0.0.1", 1};
    agent.info.resources = *Resources::parse("cpus:4;mem:1024");
    return agent;
}

FrameworkChanged frameworkNamed(const std::string& id) {
    FrameworkChanged framework;
    framework.info.id = FrameworkId(id);
    framework.info.name = "framework " + id;
    framework.active = true;
    return framework;
}

TaskChanged taskOf(const std::string& framework, const std::string& id, TaskState state) {
    TaskChanged task;
    task.framework = FrameworkId(framework);
    task.info.id = TaskId(id);
    task.info.agent = AgentId("S1");
    task.info.resources = *Resources::parse("cpus:1;mem:128");
    task.state = task.status.state = state;
    task.status.message = "because";
    return task;
}

// Reads a stream on a thread of its own, until the test ends.
class Watcher {
public:
    explicit Watcher(const std::string& url) : thread_([this, url] { read(url); }) {}
    ~Watcher() {
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(cancel_.get(), &one, sizeof one), ssize_t{sizeof one});
        thread_.join();
    }
    // The text that came after the last call, up to and with a line that contains `mark`.
    std::string until(const std::string& mark) {
        std::unique_lock lock(mutex_);
        std::size_t at = std::string::npos;
        const bool came = came_.wait_for(lock, 20s, [&] {
            at = text_.find(mark);
            if (at != std::string::npos) at = text_.find('\n', at);
            return at != std::string::npos;
        });
        if (!came) {
            ADD_FAILURE() << mark << " did not come, but:\n" << text_;
            return {};
        }
        std::string taken = text_.substr(0, at + 1);
        text_.erase(0, at + 1);
        return taken;
    }

private:
    void read(const std::string& url) {
        http::ClientRequest request;
        request.url = url;
        request.cancel_fd = cancel_.get();
        request.on_data = [this](std::string_view piece) {
            std::lock_guard lock(mutex_);
            text_ += piece;
            came_.notify_all();
            return true;
        };
        http::fetch(request).IgnoreError();
    }

    std::mutex mutex_;
    std::condition_variable came_;
    std::string text_;
    UniqueFd cancel_{::eventfd(0, EFD_CLOEXEC)};
    std::thread thread_; // last: it uses the rest
};

class PageTest : public testing::Test {
protected:
    PageTest() {
        Identity identity;
        identity.id = "m1";
        identity.epoch = 7;
        identity.address.host = "127.0.0.1";
        door_ = *HttpDoor::start({}, identity, questions_, calls_);
        url_ = concat("http://127.0.0.1:", door_->port());
    }
    http::ClientResponse get(const std::string& path) { return *http::get(url_ + path); }

    Questions questions_;
    HttpCalls calls_;
    std::unique_ptr<HttpDoor> door_;
    std::string url_;
};

TEST_F(PageTest, IsServedWithAPolicyThatLetsItTalkToMastersAlone) {
    door_->setMasters({"10.0.0.1:5050"});
    const http::ClientResponse page = get("/");
    EXPECT_EQ(page.status, 200);
    if (pageFiles().empty()) { // built without it
        EXPECT_NE(page.body.find("without the page"), std::string::npos);
        return;
    }
    EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
    const std::string policy(page.header("Content-Security-Policy"));
    EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << policy;
    EXPECT_NE(policy.find("connect-src 'self' http://10.0.0.1:5050;"), std::string::npos) << policy;
    EXPECT_EQ(policy.find("unsafe"), std::string::npos) << policy;
    EXPECT_EQ(policy.find('*'), std::string::npos) << policy;
}

TEST_F(PageTest, NamesNoFileThatIsNotThere) {
    for (const PageFile& file : pageFiles()) {
        EXPECT_EQ(get(std::string(file.path)).body, file.content) << file.path;
        // What a script imports and a page links to.
        for (std::size_t at = 0; (at = file.content.find("\"/web/", at)) != std::string_view::npos; ++at) {
            const std::string path(file.content.substr(at + 1, file.content.find('"', at + 1) - at - 1));
            EXPECT_EQ(get(path).status, 200) << path << " in " << file.path;
        }
    }
    EXPECT_EQ(get("/web/js/absent.js").status, 404);
    EXPECT_EQ(get("/web/../master/main.cc").status, 404);
}

TEST_F(PageTest, IsSentOnceToABrowserThatKeepsIt) {
    if (pageFiles().empty()) return; // built without it
    http::ClientRequest again;
    again.url = url_ + "/web/style.css";
    again.headers = {{"If-None-Match", std::string(get("/web/style.css").header("ETag"))}};
    const http::ClientResponse answer = *http::fetch(again);
    EXPECT_EQ(answer.status, 304);
    EXPECT_TRUE(answer.body.empty());
}

TEST_F(PageTest, AStreamTellsTheWholeStateAndThenWhatChanges) {
    std::vector<Delta> deltas;
    for (int i = 1; i <= 200; ++i) deltas.emplace_back(agentNamed(concat("S", i)));
    deltas.emplace_back(frameworkNamed("F1"));
    for (int i = 0; i < 500; ++i) deltas.emplace_back(taskOf("F1", concat("t", i), TaskState::kRunning));
    deltas.emplace_back(taskOf("F1", "t499", TaskState::kFailed));
    door_->show(std::move(deltas));

    Watcher watcher(url_ + "/api/stoa/events");
    const std::string whole = watcher.until("\"live\"");
    EXPECT_NE(whole.find(R"("master":{"id":"m1")"), std::string::npos);
    auto lines = [&](const std::string& type) {
        std::size_t n = 0;
        const std::string mark = concat(R"({"type":")", type, "\"");
        for (std::size_t at = 0; (at = whole.find(mark, at)) != std::string::npos; ++at) ++n;
        return n;
    };
    EXPECT_EQ(lines("agent"), 200u);
    EXPECT_EQ(lines("framework"), 1u);
    EXPECT_EQ(lines("task"), 500u); // the ended one, too

    door_->show({taskOf("F1", "t0", TaskState::kFinished)});
    const std::string change = watcher.until(R"("id":"t0")");
    EXPECT_NE(change.find(R"("state":"TASK_FINISHED")"), std::string::npos) << change;
    EXPECT_NE(change.find("because"), std::string::npos) << change;
    // What its end set free shows at its agent and its framework.
    EXPECT_NE(change.find(R"({"type":"agent","id":"S1",)"), std::string::npos) << change;
    EXPECT_NE(change.find(R"({"type":"framework","id":"F1",)"), std::string::npos) << change;
}

TEST_F(PageTest, OffersShowAtTheirAgentAndFrameworkAndGoAgain) {
    door_->show({agentNamed("S1"), frameworkNamed("F1")});
    Watcher watcher(url_ + "/api/stoa/events");
    watcher.until("\"live\"");
    Offer offer;
    offer.id = OfferId("O1");
    offer.framework = FrameworkId("F1");
    offer.agent = AgentId("S1");
    offer.resources = *Resources::parse("cpus:3");
    door_->show({OfferMade{offer}});
    EXPECT_NE(watcher.until(R"("type":"framework")").find(R"("offered":{"cpus":3.0})"), std::string::npos);
    door_->show({OfferGone{offer.id}});
    EXPECT_NE(watcher.until(R"("type":"framework")").find(R"("offered":{})"), std::string::npos);
}

TEST_F(PageTest, AStandbysPageTellsWhoLeads) {
    Identity identity;
    identity.address.host = "127.0.0.1";
    HttpCalls calls;
    auto standby = *HttpDoor::start({}, identity, questions_, calls);
    standby->stand("10.0.0.2:5050");
    standby->setMasters({"10.0.0.2:5050", "10.0.0.3:5050"});
    const std::string url = concat("http://127.0.0.1:", standby->port());
    EXPECT_EQ(http::get(url + "/")->status, 200);
    EXPECT_EQ(http::get(url + "/web/js/main.js")->status, 200);
    EXPECT_EQ(http::get(url + "/api/stoa/events")->status, 307);
    EXPECT_EQ(http::get(url + "/api/stoa/masters")->body,
              R"({"leader":"10.0.0.2:5050","masters":["10.0.0.2:5050","10.0.0.3:5050"]})");
    EXPECT_EQ(get("/api/stoa/masters").body, concat(R"({"leader":"127.0.0.1:)", door_->port(), R"(","masters":[]})"));
}

TEST_F(PageTest, OutputIsPassedOnAsPlainBytes) {
    http::Router router;
    router.subtree("GET", "/api/stoa/sandbox", [](const http::Request& request, http::Responder reply) {
        http::Response answer = http::textResponse(200, concat("<script>", request.target));
        answer.content_type = "text/html";
        reply.respond(std::move(answer));
    });
    auto agents_door = *http::Server::start({}, std::move(router));
    AgentChanged agent = agentNamed("S1");
    agent.info.address.port = agents_door->port();
    door_->show({agent});
    const http::ClientResponse output = get("/api/stoa/sandbox/S1/F1/a%20task/stdout?follow=1");
    EXPECT_EQ(output.body, "<script>/api/stoa/sandbox/F1/a%20task/stdout?follow=1");
    EXPECT_EQ(output.header("Content-Type"), "application/octet-stream");
    EXPECT_EQ(output.header("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(output.header("Content-Security-Policy"), "sandbox");

    EXPECT_EQ(get("/api/stoa/sandbox/S9/F1/t/stdout").status, 404);
    EXPECT_EQ(get("/api/stoa/sandbox/S1").status, 404);
    door_->show({agentNamed("S2")}); // nothing listens on its port
    EXPECT_EQ(get("/api/stoa/sandbox/S2/F1/t/stdout").status, 502);
}

TEST_F(PageTest, OnlyABatchFrameworkIsAskedForJobs) {
    FrameworkChanged framework = frameworkNamed("F1");
    framework.info.webui_url = url_;
    door_->show({framework});
    EXPECT_EQ(get("/api/stoa/batch/F1/events").status, 404);
    framework.info.labels[kBatchLabel] = "/a/socket";
    door_->show({framework});
    EXPECT_EQ(get("/api/stoa/batch/F1/events").status, 404); // this master's own answer, passed on
    EXPECT_NE(get("/api/stoa/batch/F1/events").body, "no such batch framework\n");
}

} // namespace
} // namespace stoa::master
