#include "master/doors/operator_door.h"

#include "master/doors/answers.h"
#include "master/doors/api_request.h"
#include "protocol/strings.h"

#include <rapidjson/document.h>
#include <rapidjson/error/en.h>

#include <array>
#include <utility>

namespace stoa::master {

namespace {

using http::jsonResponse;
using http::Request;
using http::Responder;
using http::Response;
using http::textResponse;
using Json = rapidjson::Value;

// Known to the API and not served: whoever says one is told so, not that it doesn't exist.
constexpr std::array<std::string_view, 21> kUnserved = {
    "UNKNOWN",           "SET_LOGGING_LEVEL",   "LIST_FILES",     "READ_FILE",        "UPDATE_WEIGHTS",
    "RESERVE_RESOURCES", "UNRESERVE_RESOURCES", "CREATE_VOLUMES", "DESTROY_VOLUMES",  "GROW_VOLUME",
    "SHRINK_VOLUME",     "UPDATE_QUOTA",        "SET_QUOTA",      "REMOVE_QUOTA",     "UPDATE_MAINTENANCE_SCHEDULE",
    "START_MAINTENANCE", "STOP_MAINTENANCE",    "DRAIN_AGENT",    "DEACTIVATE_AGENT", "REACTIVATE_AGENT",
    "MARK_AGENT_GONE"};

// Calls whose answer grows with the cluster.
constexpr std::array<std::string_view, 4> kLarge = {"GET_STATE", "GET_AGENTS", "GET_FRAMEWORKS", "GET_TASKS"};
// Of agents and tasks together: fewer are written down sooner than another thread is woken.
constexpr std::size_t kSmall = 1000;

// Of duplicate keys the last one counts; null is as good as absent.
const Json* member(const Json& object, std::string_view name) {
    const Json* found = nullptr;
    if (!object.IsObject()) return nullptr;
    for (const auto& each : object.GetObject()) {
        if (std::string_view(each.name.GetString(), each.name.GetStringLength()) == name) found = &each.value;
    }
    return found == nullptr || found->IsNull() ? nullptr : found;
}

std::string_view text(const Json* json) {
    if (json == nullptr || !json->IsString()) return {};
    return {json->GetString(), json->GetStringLength()};
}

// {"framework_id": {"value": "F"}}
std::string idOf(const Json* object, std::string_view name) {
    if (object == nullptr) return {};
    const Json* id = member(*object, name);
    return id == nullptr ? std::string() : std::string(text(member(*id, "value")));
}

bool flag(const Json* object, std::string_view name) {
    const Json* value = object == nullptr ? nullptr : member(*object, name);
    return value != nullptr && ((value->IsBool() && value->GetBool()) || text(value) == "true");
}

void wish(HttpCalls& calls, Wish wish, Responder reply) {
    HttpArrival arrival = HttpWish{std::move(wish), std::move(reply)};
    if (calls.put(arrival, 0)) return;
    std::get<HttpWish>(arrival).reply.respond(
        textResponse(503, "too many calls wait for the master; ask again later\n"));
}

void takeCall(ReadSide& read, HttpCalls& calls, Questions& questions, Request request, Responder reply) {
    if (auto refused = refuseContentType(request)) return reply.respond(*std::move(refused));
    rapidjson::Document json;
    // Iterative, so that no nesting can use up the stack.
    json.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(request.body.data(),
                                                                                       request.body.size());
    if (json.HasParseError()) {
        return reply.respond(
            textResponse(400, concat("not JSON: ", std::string_view(rapidjson::GetParseError_En(json.GetParseError())),
                                     " At byte ", json.GetErrorOffset(), ".\n")));
    }
    const std::string_view type = text(member(json, "type"));
    if (type.empty()) return reply.respond(textResponse(400, "type: missing\n"));
    if (auto refused = refuseAccept(request)) return reply.respond(*std::move(refused));

    if (type == "SUBSCRIBE") {
        return read.streams.subscribe(std::move(reply), flag(member(json, "subscribe"), "offers"), read.model,
                                      request.peer);
    }
    if (type == "GET_METRICS") {
        return put(questions, std::move(reply),
                   [tasks = TaskFigures{read.model.live(), read.model.used()}](const Glance& glance) {
                       return jsonResponse(getMetricsJson(glance, tasks));
                   });
    }
    if (type == "TEARDOWN" || type == "KILL_TASK") {
        const Json* what = member(json, type == "TEARDOWN" ? "teardown" : "kill_task");
        const std::string framework = idOf(what, "framework_id");
        if (framework.empty()) return reply.respond(textResponse(400, "framework_id: missing\n"));
        if (type == "TEARDOWN") return wish(calls, TearDownFramework{FrameworkId(framework)}, std::move(reply));
        const std::string task = idOf(what, "task_id");
        if (task.empty()) return reply.respond(textResponse(400, "task_id: missing\n"));
        return wish(calls, KillTask{FrameworkId(framework), TaskId(task)}, std::move(reply));
    }
    if (std::find(kLarge.begin(), kLarge.end(), type) != kLarge.end()) {
        return look(read, concat("v1 ", type), std::move(reply), [&read, type = std::string(type)] {
            return jsonResponse(operatorAnswer(type, read.model, read.identity).value_or(""));
        });
    }
    if (auto answer = operatorAnswer(type, read.model, read.identity)) {
        return reply.respond(jsonResponse(*std::move(answer)));
    }
    const bool unserved = std::find(kUnserved.begin(), kUnserved.end(), type) != kUnserved.end();
    reply.respond(
        textResponse(unserved ? 501 : 400, concat("type: \"", type, "\" is not ", unserved ? "served\n" : "known\n")));
}

} // namespace

// A Responder can't be copied, and what waits must be.
void look(ReadSide& read, const std::string& what, Responder reply, Renderer::Make make) {
    if (read.model.tasks().size() + read.model.agents().size() < kSmall) return reply.respond(make());
    auto shared = std::make_shared<Responder>(std::move(reply));
    read.renderer.answer(
        what, [shared](Response response) { shared->respond(std::move(response)); }, std::move(make));
}

// Here likewise.
void put(Questions& questions, Responder reply, std::function<Response(const Glance&)> answer) {
    auto shared = std::make_shared<Responder>(std::move(reply));
    const bool asked =
        questions.ask([shared, answer = std::move(answer)](const Glance& glance) { shared->respond(answer(glance)); });
    if (!asked) shared->respond(textResponse(503, "too many questions wait for the state thread; ask again later\n"));
}

void routeOperator(http::Router& router, const std::shared_ptr<ReadSide>& read, HttpCalls& calls,
                   Questions& questions) {
    // As a form: frameworkId=F.
    router.defer("POST", "/teardown", [&calls](Request request, Responder reply) {
        const std::optional<http::Target> form = http::parseTarget("/?" + request.body);
        if (form) request.query = form->query;
        const std::string_view framework = request.parameter("frameworkId").value_or(std::string_view());
        if (framework.empty()) return reply.respond(textResponse(400, "frameworkId: missing\n"));
        wish(calls, TearDownFramework{FrameworkId(std::string(framework))}, std::move(reply));
    });
    router.subtree("POST", "/api/v1", [read, &calls, &questions](Request request, Responder reply) {
        takeCall(*read, calls, questions, std::move(request), std::move(reply));
    });
}

} // namespace stoa::master
