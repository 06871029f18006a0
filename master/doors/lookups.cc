#include "master/doors/lookups.h"

#include "protocol/strings.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace stoa::master {

namespace {

using http::jsonResponse;
using http::Request;
using http::Response;
using http::textResponse;

std::string_view parameter(const Request& request, std::string_view name) {
    return request.parameter(name).value_or(std::string_view());
}

// "/slaves/S1" asks for the agent S1, as "/slaves?slave_id=S1" does.
std::string_view asked(const Request& request, std::string_view name) {
    const std::string_view given = parameter(request, name);
    return given.empty() ? std::string_view(request.rest) : given;
}

// Only what can be no more than a function's name is put before the parenthesis.
bool isName(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
               c == '.';
    });
}

Response json(const Request& request, std::string body) {
    const std::string_view callback = parameter(request, "jsonp");
    if (callback.empty()) return jsonResponse(std::move(body));
    if (!isName(callback)) return textResponse(400, concat("jsonp: \"", callback, "\" is no function's name\n"));
    Response response = textResponse(200, concat(callback, "(", body, ");"));
    response.content_type = "text/javascript";
    return response;
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
    for (const absl::Status& given : {bound("limit", query.limit), bound("offset", query.offset)}) {
        if (!given.ok()) return textResponse(400, std::string(given.message()));
    }
    const std::string_view order = parameter(request, "order");
    if (!order.empty() && order != "asc" && order != "des") {
        return textResponse(400, concat("order: \"", order, "\" is neither asc nor des"));
    }
    query.ascending = order == "asc";
    query.framework = std::string(parameter(request, "framework_id"));
    query.task = std::string(asked(request, "task_id"));
    return json(request, tasksJson(model, query));
}

// Whether some agent that is here could hold this if it were empty: what who submits one small job after the other asks,
// without all agents' being written down for each.
Response fits(const ReadModel& model, const Request& request) {
    const absl::StatusOr<Resources> shape = Resources::parse(parameter(request, "resources"));
    if (!shape.ok()) return textResponse(400, concat("resources: ", shape.status().message(), "\n"));
    const bool some = std::any_of(model.agents().begin(), model.agents().end(), [&](const auto& agent) {
        return agent.second.state == AgentChanged::State::kActive && agent.second.info.resources.contains(*shape);
    });
    return jsonResponse(concat("{\"fits\":", some ? "true" : "false", "}"));
}

// Where the leader is: whoever answers this, leads.
Response redirect(const Identity& identity) {
    Response response = textResponse(307, "");
    response.headers.emplace_back("Location", concat("//", identity.address.host, ":", identity.address.port));
    return response;
}

} // namespace

void routeLookups(http::Router& router, const std::shared_ptr<ReadSide>& read) {
    const auto exact = [&](std::string_view path, http::Handler handler) { router.on("*", path, std::move(handler)); };
    // What is made of the model alone may be made elsewhere: not here, in a large cluster.
    const auto below = [&](std::string_view path, const http::Handler& handler) {
        router.subtree("*", path, [read = read.get(), handler](Request request, http::Responder reply) {
            const std::string what = concat(request.path, " ", request.target);
            look(*read, what, std::move(reply), [handler, request = std::move(request)] { return handler(request); });
        });
    };
    exact("/health", [](const Request&) { return textResponse(200, ""); });
    exact("/version", [read](const Request& request) { return json(request, versionJson(read->identity)); });
    exact("/flags", [read](const Request& request) { return json(request, flagsJson(read->identity)); });
    exact("/redirect", [read](const Request&) { return redirect(read->identity); });
    below("/state", [read](const Request& request) { return json(request, stateJson(read->model, read->identity)); });
    below("/state-summary",
          [read](const Request& request) { return json(request, summaryJson(read->model, read->identity)); });
    below("/roles", [read](const Request& request) { return json(request, rolesJson(read->model, read->identity)); });
    below("/slaves", [read](const Request& request) {
        return json(request, agentsJson(read->model, asked(request, "slave_id")));
    });
    below("/frameworks", [read](const Request& request) {
        return json(request, frameworksJson(read->model, asked(request, "framework_id")));
    });
    below("/tasks", [read](const Request& request) { return tasks(read->model, request); });
    exact("/api/stoa/fits", [read](const Request& request) { return fits(read->model, request); });
    exact("/weights", [read](const Request& request) { return json(request, weightsJson(read->identity)); });
    exact("/quota", [](const Request& request) { return json(request, R"({"infos":[],"configs":[]})"); });
    exact("/maintenance/schedule", [](const Request& request) { return json(request, "{}"); });
    exact("/maintenance/status", [](const Request& request) { return json(request, "{}"); });
}

} // namespace stoa::master
