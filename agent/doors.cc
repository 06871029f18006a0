#include "agent/doors.h"

#include "agent/doors_view.h"
#include "agent/sandboxes.h"
#include "protocol/boot_clock.h"
#include "protocol/host_port.h"
#include "protocol/http/files.h"
#include "protocol/strings.h"

#include <algorithm>
#include <chrono>
#include <type_traits>

namespace stoa::agent {

absl::StatusOr<std::unique_ptr<Doors>> Doors::start(Options options) {
    std::unique_ptr<Doors> doors(new Doors(std::move(options)));
    http::ServerOptions server;
    server.host = doors->options_.host;
    server.port = doors->options_.port;
    auto started = http::Server::start(std::move(server), doors->routes());
    if (!started.ok()) return started.status();
    (*started)->post([to = doors.get(), port = (*started)->port()] { to->own_port_ = port; });
    doors->server_ = *std::move(started);
    return doors;
}

Doors::Doors(Options options)
    : options_(std::move(options)), gate_(options_.credentials), view_(std::make_shared<View>()),
      follower_(std::make_unique<Follower>(options_.sandboxes)) {
    view_->live = options_.live;
    view_->started = wallTime();
}

Doors::~Doors() = default;

http::Router Doors::routes() {
    http::Router router;
    router.strip("/agent(1)");
    router.strip("/slave(1)");
    router.guard([this](const http::Request& request, std::string_view path) { return refuse(request, path); });
    router.get("/health", [](const http::Request&) { return http::textResponse(200, ""); });
    router.get("/state", [this](const http::Request&) { return http::jsonResponse(view_->stateJson(options_.flags)); });
    router.get("/flags", [this](const http::Request&) {
        return http::jsonResponse(concat("{\"flags\":", flagsJson(options_.flags), "}"));
    });
    router.get("/metrics", [this](const http::Request&) {
        http::Response response = http::textResponse(200, view_->metricsText());
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        return response;
    });
    addFiles(router);
    addUploads(router);
    if (options_.executors != nullptr) options_.executors->addTo(router);
    return router;
}

std::optional<http::Response> Doors::refuse(const http::Request& request, std::string_view path) {
    if (gate_.open() || path == "/health") return std::nullopt;
    if (path == "/api/v1/executor" && options_.executors != nullptr) return std::nullopt;
    // What tasks want, another agent fetches: from the port that the request came to, by one of our names.
    if (http::fetchedByAgents(path)) {
        const std::string_view host = request.header("Host");
        for (const std::string& name : options_.names) {
            const std::string self = hostAndPort(name, own_port_);
            if (host == self && gate_.fromAgent(request, self)) return std::nullopt;
        }
    }
    return gate_.refuse(request, {Right::kFramework, Right::kOperator});
}

std::string sandboxOf(const ExecutorKey& key) {
    return Sandboxes::relative({key.framework, TaskId(key.executor.value())});
}

void Doors::show(std::vector<Change> changes) {
    if (changes.empty()) return;
    auto shared = std::make_shared<std::vector<Change>>(std::move(changes));
    server_->post([this, shared] {
        for (Change& change : *shared) {
            std::visit(
                [&](auto& one) {
                    using Kind = std::decay_t<decltype(one)>;
                    if constexpr (std::is_same_v<Kind, AgentInfo>) {
                        view_->info = std::move(one);
                    } else if constexpr (std::is_same_v<Kind, DaemonMetrics>) {
                        view_->metrics = std::move(one);
                    } else if constexpr (std::is_same_v<Kind, ExecutorChanged>) {
                        view_->apply(std::move(one));
                    } else if constexpr (std::is_same_v<Kind, ExecutorGone>) {
                        view_->apply(one);
                        follower_->ended(sandboxOf(one.key));
                    } else if constexpr (std::is_same_v<Kind, TaskChanged>) {
                        const std::string sandbox = Sandboxes::relative({one.framework, one.info.id});
                        if (view_->apply(std::move(one))) follower_->ended(sandbox);
                    } else {
                        view_->apply(one);
                        follower_->ended(Sandboxes::relative(one.key));
                    }
                },
                change);
        }
    });
}

void Doors::followOutput(const http::Request& request, http::Responder responder) {
    // <framework>/<task>/<file>, the ids as their directories are named or as they are.
    const std::size_t first = request.rest.find('/');
    const std::size_t second = first == std::string::npos ? first : request.rest.find('/', first + 1);
    if (second == std::string::npos) {
        responder.respond(http::textResponse(404, "give /api/stoa/sandbox/FRAMEWORK/TASK/FILE"));
        return;
    }
    const TaskKey key{FrameworkId(request.rest.substr(0, first)),
                      TaskId(request.rest.substr(first + 1, second - first - 1))};
    const std::string file = request.rest.substr(second + 1);
    const std::string sandbox = Sandboxes::relative(key);
    if (request.parameter("follow").value_or("0") == "0") {
        responder.respond(http::serveBelow(request, options_.sandboxes, concat(sandbox, "/", file)));
        return;
    }
    std::int64_t offset = request.number("offset").value_or(0);
    const std::int64_t tail = request.number("tail").value_or(-1);
    if (offset < 0 || (request.parameter("tail") && tail < 0)) {
        responder.respond(http::textResponse(400, "offset, tail: not a number of 0 or more"));
        return;
    }
    const bool live = view_->live.contains(sandbox);
    const auto opened = http::openBelow(options_.sandboxes, concat(sandbox, "/", file));
    if (opened.ok() && tail >= 0) offset = std::max(offset, static_cast<std::int64_t>(opened->size) - tail);
    if (!live && !opened.ok()) {
        responder.respond(
            http::textResponse(404, concat("no task \"", key.task.value(), "\" of framework \"", key.framework.value(),
                                           "\" runs here, and it left no \"", file, "\"")));
        return;
    }
    http::Response head;
    head.content_type = "application/octet-stream";
    http::Stream stream = responder.stream(std::move(head));
    if (!follower_->follow(sandbox, file, static_cast<std::uint64_t>(offset), live, stream)) stream.end();
}

} // namespace stoa::agent
