#include "frameworks/batch/door.h"

#include "frameworks/batch/job_json.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

namespace stoa::batch {

namespace {

constexpr Duration kLongestWatch = std::chrono::seconds(30);
constexpr std::uint32_t kTasksShown = 100; // unless asked otherwise

int httpStatus(const absl::Status& status) {
    switch (status.code()) {
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kFailedPrecondition: return 409;
    case absl::StatusCode::kResourceExhausted: return 503;
    default: return 400;
    }
}

http::Response responseTo(const Answer& answer) {
    return std::visit(
        [](const auto& content) -> http::Response {
            using Content = std::decay_t<decltype(content)>;
            if constexpr (std::is_same_v<Content, answer::Submitted>) {
                http::Response response = http::jsonResponse(concat("{\"job\":", content.job, "}"));
                response.status = 201;
                return response;
            } else if constexpr (std::is_same_v<Content, answer::Cancelled>) {
                return http::jsonResponse("{}");
            } else if constexpr (std::is_same_v<Content, answer::Jobs>) {
                return http::jsonResponse(toJson(content.jobs, content.framework));
            } else if constexpr (std::is_same_v<Content, answer::Job>) {
                return http::jsonResponse(toJson(content.job, content.framework));
            } else {
                return http::textResponse(httpStatus(content.why), std::string(content.why.message()));
            }
        },
        answer.content);
}

std::string userNamed(uid_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    char buffer[4096];
    if (::getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || !found) return "";
    return entry.pw_name;
}

} // namespace

WallTime wallNow() {
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
                .count()};
}

absl::StatusOr<std::unique_ptr<Door>> Door::open(Options options, std::function<bool(Input)> ask) {
    std::unique_ptr<Door> door(new Door(std::move(ask)));
    http::ServerOptions tcp;
    tcp.host = options.host;
    tcp.port = options.port;
    tcp.thread_name = "door-tcp";
    absl::StatusOr<std::unique_ptr<http::Server>> server = http::Server::start(tcp, door->routes(false));
    if (!server.ok()) return server.status();
    door->tcp_ = *std::move(server);

    http::ServerOptions local;
    local.unix_socket = options.unix_socket;
    local.thread_name = "door-unix";
    server = http::Server::start(local, door->routes(true));
    if (!server.ok()) return server.status();
    door->unix_ = *std::move(server);
    // Everybody on this host may submit, as himself, when root runs this; else only its owner, since all runs as him.
    if (::chmod(options.unix_socket.c_str(), ::geteuid() == 0 ? 0666 : 0600) != 0) {
        return absl::UnavailableError(concat(options.unix_socket, ": ", std::strerror(errno)));
    }
    return door;
}

Door::~Door() {
    unix_.reset();
    tcp_.reset();
}

http::Router Door::routes(bool may_submit) {
    http::Router router;
    router.get("/health", [](const http::Request&) { return http::textResponse(200, ""); });
    router.defer("GET", "/api/stoa/jobs", [this](http::Request, http::Responder responder) {
        const RequestId id = keep(std::move(responder));
        pass(ListJobs{id}, id);
    });
    if (may_submit) {
        router.defer("POST", "/api/stoa/jobs", [this](http::Request request, http::Responder responder) {
            submit(std::move(request), std::move(responder));
        });
    } else {
        router.on("POST", "/api/stoa/jobs", [](const http::Request&) {
            return http::textResponse(
                403, "nobody can be recognized here: submit on the machine itself, through the socket");
        });
    }
    router.subtree("*", "/api/stoa/jobs", [this, may_submit](http::Request request, http::Responder responder) {
        onJob(std::move(request), std::move(responder), may_submit);
    });
    return router;
}

RequestId Door::keep(http::Responder responder) {
    std::lock_guard lock(mutex_);
    const RequestId id = ++last_request_;
    waiting_.emplace(id, std::move(responder));
    return id;
}

void Door::pass(Input input, RequestId request) {
    if (ask_(std::move(input))) return;
    answer({request, answer::Refused{absl::ResourceExhaustedError("the batch framework is ending")}});
}

void Door::answer(Answer answer) {
    std::optional<http::Responder> responder;
    {
        std::lock_guard lock(mutex_);
        auto waiting = waiting_.find(answer.request);
        if (waiting == waiting_.end()) return;
        responder = std::move(waiting->second);
        waiting_.erase(waiting);
    }
    responder->respond(responseTo(answer));
}

void Door::submit(http::Request request, http::Responder responder) {
    absl::StatusOr<JobSpec> spec = jobSpecFromJson(request.body);
    if (!spec.ok()) return responder.respond(http::textResponse(400, std::string(spec.status().message())));
    if (!request.credentials) return responder.respond(http::textResponse(403, "the kernel does not say who submits"));
    const uid_t uid = request.credentials->uid;
    const std::string submitter = userNamed(uid);
    if (submitter.empty()) return responder.respond(http::textResponse(403, concat("user ", uid, " has no name here")));
    std::string& user = spec->command.user;
    if (!user.empty() && user != submitter && uid != 0) {
        return responder.respond(
            http::textResponse(403, concat("user: only root may submit for another user; you are ", submitter)));
    }
    if (user.empty()) user = submitter;
    const RequestId id = keep(std::move(responder));
    pass(Submit{id, *std::move(spec), wallNow()}, id);
}

// "7", or "7/cancel".
void Door::onJob(http::Request request, http::Responder responder, bool may_submit) {
    const std::size_t slash = request.rest.find('/');
    JobNumber job = 0;
    if (!absl::SimpleAtoi(request.rest.substr(0, slash), &job)) {
        return responder.respond(http::textResponse(404, concat("\"", request.rest, "\" is no job's number")));
    }
    const std::string what = slash == std::string::npos ? "" : request.rest.substr(slash + 1);
    if (what == "cancel" && request.method == "POST") {
        if (!may_submit) return responder.respond(http::textResponse(403, "jobs are cancelled through the socket"));
        const RequestId id = keep(std::move(responder));
        return pass(Cancel{id, job, wallNow()}, id);
    }
    if (!what.empty() || (request.method != "GET" && request.method != "HEAD")) {
        return responder.respond(http::textResponse(404, "there is no such thing; see GET /api/stoa/jobs"));
    }
    ShowJob show;
    show.job = job;
    if (const auto since = request.number("since")) show.changed_since = static_cast<std::uint64_t>(*since);
    show.first_task = static_cast<std::uint32_t>(request.number("first").value_or(0));
    show.task_count = static_cast<std::uint32_t>(request.number("tasks").value_or(kTasksShown));
    const RequestId id = keep(std::move(responder));
    show.request = id;
    const bool watch = show.changed_since.has_value();
    pass(show, id);
    http::Server* server = may_submit ? unix_.get() : tcp_.get();
    if (watch && server) server->postAfter(kLongestWatch, [this, id] { ask_(AnswerNow{id}); });
}

} // namespace stoa::batch
