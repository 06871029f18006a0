#include "master/doors/http_door.h"

#include "master/doors/answers.h"
#include "master/doors/lookups.h"
#include "master/doors/operator_door.h"
#include "master/doors/scheduler_door.h"
#include "master/doors/standing.h"
#include "master/page/page.h"
#include "protocol/http/gate.h"
#include "protocol/strings.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace stoa::master {

// The server's thread owns what is read; the rest is shared with the state thread.
struct HttpDoor::Shared {
    std::shared_ptr<ReadSide> read = std::make_shared<ReadSide>();
    std::vector<std::string> masters; // HTTP addresses of all that were heard of
    page::Page page{read->model, read->identity, masters};
    Standing standing;
    http::Gate gate;

    explicit Shared(SharedCredentials credentials) : gate(std::move(credentials)) {}

    std::mutex mutex;
    std::condition_variable applied;
    std::size_t waiting = 0;
};

namespace {

using http::jsonResponse;
using http::Request;
using http::Responder;
using http::Response;
using http::textResponse;

std::string_view parameter(const Request& request, std::string_view name) {
    return request.parameter(name).value_or(std::string_view());
}

constexpr std::string_view kSchedulers = "/api/v1/scheduler";

// `path` without the prefix /master.
std::optional<Response> refuse(http::Gate& gate, const Request& request, std::string_view path) {
    if (path == "/health") return std::nullopt;
    if (path.starts_with(kSchedulers)) return gate.refuse(request, {Right::kFramework});
    if (request.method == "GET" || request.method == "HEAD") {
        return gate.refuse(request, {Right::kFramework, Right::kOperator});
    }
    return gate.refuse(request, {Right::kOperator});
}

int statusOf(const absl::Status& status) { return absl::IsNotFound(status) ? 404 : 400; }

// What only the state thread knows.
void routeQuestions(http::Router& router, const std::shared_ptr<ReadSide>& read, Questions& questions) {
    router.defer("GET", "/metrics", [&questions](const Request&, Responder reply) {
        put(questions, std::move(reply), [](const Glance& glance) {
            Response response = textResponse(200, metricsText(glance));
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            return response;
        });
    });
    router.defer("*", "/metrics/snapshot", [read, &questions](const Request&, Responder reply) {
        put(questions, std::move(reply),
            [tasks = TaskFigures{read->model.live(), read->model.used()}](const Glance& glance) {
                return jsonResponse(snapshotJson(glance, tasks));
            });
    });
    router.defer("GET", "/api/stoa/explain", [&questions](const Request& request, Responder reply) {
        put(questions, std::move(reply),
            [framework = FrameworkId(std::string(parameter(request, "framework"))),
             resources = std::string(parameter(request, "resources"))](const Glance& glance) {
                absl::StatusOr<std::string> why = explanationJson(glance, framework, resources);
                if (!why.ok()) return textResponse(statusOf(why.status()), std::string(why.status().message()));
                return jsonResponse(*std::move(why));
            });
    });
}

} // namespace

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::start(http::ServerOptions options, Identity identity,
                                                          Questions& questions, HttpCalls& calls,
                                                          SharedCredentials credentials) {
    auto shared = std::make_shared<Shared>(std::move(credentials));
    shared->standing.leads = identity.epoch > 0;
    shared->read->identity = std::move(identity);
    http::Router router;
    router.strip("/master");
    // Not the owner of what owns the server.
    router.guard([to = shared.get()](const Request& request, std::string_view path) {
        if (std::optional<Response> answer = answerStanding(to->standing, request, path)) return answer;
        return refuse(to->gate, request, path);
    });
    page::Page& page = shared->page; // neither is the page's
    page.addTo(router);
    router.get("/api/stoa/masters", [shared = shared.get()](const Request&) {
        const Address& self = shared->read->identity.address;
        return jsonResponse(page::mastersJson(
            shared->standing.leads ? concat(self.host, ":", self.port) : shared->standing.leader, shared->masters));
    });
    routeLookups(router, shared->read);
    routeQuestions(router, shared->read, questions);
    routeOperator(router, shared->read, calls, questions);
    routeScheduler(router, calls, shared->gate);
    absl::StatusOr<std::unique_ptr<http::Server>> server = http::Server::start(std::move(options), std::move(router));
    if (!server.ok()) return server.status();
    shared->read->renderer.start([to = server->get()](Renderer::Work work) { to->post(std::move(work)); });
    (*server)->post([shared, port = (*server)->port(), to = server->get()] {
        shared->read->identity.address.port = port;
        shared->page.start([to](Duration delay, std::function<void()> work) { to->postAfter(delay, std::move(work)); });
    });
    std::unique_ptr<HttpDoor> door(new HttpDoor(std::move(shared), *std::move(server)));
    door->beatLater();
    return door;
}

HttpDoor::HttpDoor(std::shared_ptr<Shared> shared, std::unique_ptr<http::Server> server)
    : shared_(std::move(shared)), server_(std::move(server)) {}
HttpDoor::~HttpDoor() {
    shared_->read->renderer.stop();
    server_.reset();
    shared_->read->renderer.clear();
}

void HttpDoor::stand(std::string leader) {
    server_->post([shared = shared_, leader = std::move(leader)] { shared->standing.leader = leader; });
}

void HttpDoor::lead(std::string master_id, std::uint64_t epoch) {
    change([master_id = std::move(master_id), epoch](Shared& shared) {
        shared.read->identity.id = master_id;
        shared.read->identity.epoch = epoch;
    });
    server_->post([shared = shared_] { shared->standing.leads = true; });
}

std::uint16_t HttpDoor::port() const { return server_->port(); }
http::Server::Counts HttpDoor::counts() const { return server_->counts(); }

void HttpDoor::setMasters(std::vector<std::string> masters) {
    server_->post([shared = shared_, masters = std::move(masters)] { shared->masters = masters; });
}

void HttpDoor::setWirePort(std::uint16_t port) {
    change([port](Shared& shared) { shared.read->identity.wire_port = port; });
}

void HttpDoor::setWeights(std::map<std::string, double> weights) {
    change([weights = std::move(weights)](Shared& shared) { shared.read->identity.weights = weights; });
}

void HttpDoor::change(std::function<void(Shared&)> work) {
    server_->post([shared = shared_.get(), work = std::move(work)]() mutable {
        shared->read->renderer.change([shared, work = std::move(work)] { work(*shared); });
    });
}

void HttpDoor::beatLater() {
    server_->postAfter(kOperatorHeartbeat, [this] {
        shared_->read->streams.beat();
        beatLater();
    });
}

void HttpDoor::show(std::vector<Delta> deltas) {
    if (deltas.empty()) return;
    {
        std::unique_lock lock(shared_->mutex);
        shared_->applied.wait(lock, [&] { return shared_->waiting < kMostDeltasWaiting; });
        shared_->waiting += deltas.size();
    }
    change([deltas = std::move(deltas)](Shared& shared) {
        for (const Delta& delta : deltas) shared.page.before(delta);
        shared.read->streams.apply(shared.read->model, deltas);
        {
            std::lock_guard lock(shared.mutex);
            shared.waiting -= deltas.size();
        }
        shared.applied.notify_one();
    });
}

} // namespace stoa::master
