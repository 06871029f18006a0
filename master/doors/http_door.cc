#include "master/doors/http_door.h"

#include "master/doors/answers.h"
#include "protocol/strings.h"

#include <condition_variable>
#include <limits>
#include <mutex>
#include <utility>

namespace stoa::master {

// The server's thread owns model and identity; the rest is shared with the state thread.
struct HttpDoor::Shared {
    ReadModel model;
    Identity identity;

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

constexpr std::string_view kIndex = "Stoa master\n\n"
                                    "/state /slaves /tasks /frameworks    the cluster, as JSON\n"
                                    "/metrics                             for Prometheus\n"
                                    "/health /version /flags\n"
                                    "/api/stoa/explain?framework=ID       why it waits\n";

std::string_view parameter(const Request& request, std::string_view name) {
    return request.parameter(name).value_or(std::string_view());
}

Response tasks(const ReadModel& model, const Request& request) {
    TaskQuery query;
    auto bound = [&](std::string_view name, std::size_t& value) -> absl::Status {
        if (!request.parameter(name)) return absl::OkStatus();
        const std::optional<std::int64_t> given = request.number(name);
        if (!given || *given < (name == "limit" ? -1 : 0)) {
            return invalid(name, ": \"", parameter(request, name), "\" is not a number of tasks");
        }
        value = *given < 0 ? std::numeric_limits<std::size_t>::max() : static_cast<std::size_t>(*given);
        return absl::OkStatus();
    };
    for (absl::Status given : {bound("limit", query.limit), bound("offset", query.offset)}) {
        if (!given.ok()) return textResponse(400, std::string(given.message()));
    }
    const std::string_view order = parameter(request, "order");
    if (!order.empty() && order != "asc" && order != "des") {
        return textResponse(400, concat("order: \"", order, "\" is neither asc nor des"));
    }
    query.ascending = order == "asc";
    query.framework = std::string(parameter(request, "framework_id"));
    query.task = std::string(parameter(request, "task_id"));
    return jsonResponse(tasksJson(model, query));
}

// A Responder can't be copied, and a Question must be.
void put(Questions& questions, Responder reply, std::function<Response(const Glance&)> answer) {
    auto shared = std::make_shared<Responder>(std::move(reply));
    const bool asked =
        questions.ask([shared, answer = std::move(answer)](const Glance& glance) { shared->respond(answer(glance)); });
    if (!asked) shared->respond(textResponse(503, "too many questions wait for the state thread; ask again later"));
}

int statusOf(const absl::Status& status) { return absl::IsNotFound(status) ? 404 : 400; }

} // namespace

absl::StatusOr<std::unique_ptr<HttpDoor>> HttpDoor::start(http::ServerOptions options, Identity identity,
                                                          Questions& questions) {
    auto shared = std::make_shared<Shared>();
    shared->identity = std::move(identity);
    http::Router router;
    router.strip("/master");
    router.get("/", [](const Request&) { return textResponse(200, std::string(kIndex)); });
    router.get("/health", [](const Request&) { return textResponse(200, ""); });
    router.get("/version", [shared](const Request&) { return jsonResponse(versionJson(shared->identity)); });
    router.get("/flags", [shared](const Request&) { return jsonResponse(flagsJson(shared->identity)); });
    router.get("/state", [shared](const Request&) { return jsonResponse(stateJson(shared->model, shared->identity)); });
    router.get("/slaves", [shared](const Request& request) {
        return jsonResponse(agentsJson(shared->model, parameter(request, "slave_id")));
    });
    router.get("/frameworks", [shared](const Request& request) {
        return jsonResponse(frameworksJson(shared->model, parameter(request, "framework_id")));
    });
    router.get("/tasks", [shared](const Request& request) { return tasks(shared->model, request); });
    router.defer("GET", "/metrics", [&questions](Request, Responder reply) {
        put(questions, std::move(reply), [](const Glance& glance) {
            Response response = textResponse(200, metricsText(glance));
            response.content_type = "text/plain; version=0.0.4; charset=utf-8";
            return response;
        });
    });
    router.defer("GET", "/api/stoa/explain", [&questions](Request request, Responder reply) {
        put(questions, std::move(reply),
            [framework = FrameworkId(std::string(parameter(request, "framework"))),
             resources = std::string(parameter(request, "resources"))](const Glance& glance) {
                absl::StatusOr<std::string> why = explanationJson(glance, framework, resources);
                if (!why.ok()) return textResponse(statusOf(why.status()), std::string(why.status().message()));
                return jsonResponse(*std::move(why));
            });
    });
    absl::StatusOr<std::unique_ptr<http::Server>> server = http::Server::start(std::move(options), std::move(router));
    if (!server.ok()) return server.status();
    (*server)->post([shared, port = (*server)->port()] { shared->identity.address.port = port; });
    return std::unique_ptr<HttpDoor>(new HttpDoor(std::move(shared), *std::move(server)));
}

HttpDoor::HttpDoor(std::shared_ptr<Shared> shared, std::unique_ptr<http::Server> server)
    : shared_(std::move(shared)), server_(std::move(server)) {}
HttpDoor::~HttpDoor() = default;

std::uint16_t HttpDoor::port() const { return server_->port(); }
http::Server::Counts HttpDoor::counts() const { return server_->counts(); }

void HttpDoor::setWirePort(std::uint16_t port) {
    server_->post([shared = shared_, port] { shared->identity.wire_port = port; });
}

void HttpDoor::show(std::vector<Delta> deltas) {
    if (deltas.empty()) return;
    {
        std::unique_lock lock(shared_->mutex);
        shared_->applied.wait(lock, [&] { return shared_->waiting < kMostDeltasWaiting; });
        shared_->waiting += deltas.size();
    }
    server_->post([shared = shared_, deltas = std::move(deltas)] {
        for (const Delta& delta : deltas) shared->model.apply(delta);
        {
            std::lock_guard lock(shared->mutex);
            shared->waiting -= deltas.size();
        }
        shared->applied.notify_one();
    });
}

} // namespace stoa::master
