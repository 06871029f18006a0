#include "frameworks/batch/door.h"

#include "frameworks/batch/job_json.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

namespace stoa::batch {

namespace {

constexpr Duration kLongestWatch = std::chrono::seconds(30);
constexpr Duration kFollowPause = std::chrono::milliseconds(50); // what changes meanwhile is told at once
constexpr std::size_t kFollowAhead = std::size_t{1} << 20;       // bytes that may wait for a reader
constexpr std::uint32_t kTasksShown = 100;                       // unless asked otherwise

int httpStatus(const absl::Status& status) {
    switch (status.code()) {
    case absl::StatusCode::kNotFound: return 404;
    case absl::StatusCode::kPermissionDenied: return 403;
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
            } else if constexpr (std::is_same_v<Content, answer::Cancelled> ||
                                 std::is_same_v<Content, answer::Changed>) {
                return http::jsonResponse("{}");
            } else if constexpr (std::is_same_v<Content, answer::Jobs>) {
                return http::jsonResponse(toJson(content));
            } else if constexpr (std::is_same_v<Content, answer::Job>) {
                return http::jsonResponse(toJson(content.job, content.framework));
            } else if constexpr (std::is_same_v<Content, answer::ChangedJobs>) {
                return http::textResponse(500, "nobody waits for this once"); // Door::answer() takes it
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

absl::StatusOr<std::unique_ptr<Door>> Door::open(const Options& options, std::function<bool(Input)> ask) {
    std::unique_ptr<Door> door(new Door(std::move(ask), options.credentials));
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
    if (!may_submit) {
        router.guard([this](const http::Request& request, std::string_view path) -> std::optional<http::Response> {
            if (path == "/health") return std::nullopt;
            return gate_.refuse(request, {Right::kFramework, Right::kOperator});
        });
    }
    router.get("/health", [](const http::Request&) { return http::textResponse(200, ""); });
    router.defer("GET", "/api/stoa/jobs", [this](const http::Request& request, http::Responder responder) {
        ListJobs list;
        if (const auto before = request.number("before")) list.before = static_cast<JobNumber>(*before);
        if (const auto limit = request.number("limit"); limit && *limit > 0) {
            list.limit = static_cast<std::uint32_t>(std::min<std::int64_t>(*limit, UINT32_MAX));
        }
        list.unfinished = request.number("unfinished").value_or(0) != 0;
        list.user = std::string(request.parameter("user").value_or(""));
        list.name = std::string(request.parameter("name").value_or(""));
        list.request = keep(std::move(responder));
        const RequestId id = list.request;
        pass(std::move(list), id);
    });
    router.defer("GET", "/api/stoa/jobs/events", [this](const http::Request&, http::Responder responder) {
        http::Response head;
        head.content_type = "application/x-ndjson";
        follow(responder.stream(std::move(head)), 0);
    });
    if (may_submit) {
        router.defer("POST", "/api/stoa/jobs", [this](const http::Request& request, http::Responder responder) {
            submit(request, std::move(responder));
        });
    } else {
        router.on("POST", "/api/stoa/jobs", [](const http::Request&) {
            return http::textResponse(
                403, "nobody can be recognized here: submit on the machine itself, through the socket");
        });
    }
    router.subtree("*", "/api/stoa/jobs", [this, may_submit](const http::Request& request, http::Responder responder) {
        onJob(request, std::move(responder), may_submit);
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

void Door::follow(http::Stream stream, std::uint64_t after) {
    RequestId id = 0;
    {
        std::lock_guard lock(mutex_);
        id = ++last_request_;
        following_.emplace(id, stream);
    }
    // Asked to answer now, the queue forgets who waited.
    stream.onEnd([this, id](const std::string&) {
        std::lock_guard lock(mutex_);
        if (following_.erase(id) > 0) (void)ask_(AnswerNow{id});
    });
    if (ask_(FollowJobs{id, after})) return;
    std::lock_guard lock(mutex_);
    following_.erase(id);
}

void Door::passOn(const answer::ChangedJobs& changed, http::Stream stream) {
    std::string lines;
    for (const JobView& job : changed.jobs) lines += toJson(job) + "\n";
    if (!stream.write(std::move(lines))) return;
    followOn(std::move(stream), changed.upto);
}

// As fast as he reads, so that a slow one is not cut.
void Door::followOn(http::Stream stream, std::uint64_t after) {
    tcp_->postAfter(kFollowPause, [this, stream = std::move(stream), after] {
        if (!stream.ended().empty()) return;
        stream.queued() > kFollowAhead ? followOn(stream, after) : follow(stream, after);
    });
}

void Door::answer(Answer answer) {
    std::optional<http::Responder> responder;
    if (const auto* changed = std::get_if<answer::ChangedJobs>(&answer.content)) {
        std::optional<http::Stream> stream;
        {
            std::lock_guard lock(mutex_);
            if (auto one = following_.extract(answer.request)) stream = std::move(one.mapped());
        }
        if (stream) passOn(*changed, *std::move(stream));
        return;
    }
    {
        std::lock_guard lock(mutex_);
        auto waiting = waiting_.find(answer.request);
        if (waiting == waiting_.end()) return;
        responder = std::move(waiting->second);
        waiting_.erase(waiting);
    }
    responder->respond(responseTo(answer));
}

absl::StatusOr<Asker> Door::askerOf(const http::Request& request) const {
    if (!request.credentials) return absl::PermissionDeniedError("the kernel does not say who asks");
    const uid_t uid = request.credentials->uid;
    Asker asker{userNamed(uid), uid == 0};
    if (asker.user.empty()) return absl::PermissionDeniedError(concat("user ", uid, " has no name here"));
    return asker;
}

void Door::submit(const http::Request& request, http::Responder responder) {
    auto refuse = [&](const absl::Status& status) {
        responder.respond(http::textResponse(httpStatus(status), std::string(status.message())));
    };
    absl::StatusOr<JobSpec> spec = jobSpecFromJson(request.body);
    if (!spec.ok()) return refuse(spec.status());
    absl::StatusOr<Asker> asker = askerOf(request);
    if (!asker.ok()) return refuse(asker.status());
    std::string& user = spec->command.user;
    if (!user.empty() && user != asker->user && !asker->root) {
        return refuse(
            absl::PermissionDeniedError(concat("user: only root may submit for another user; you are ", asker->user)));
    }
    if (user.empty()) user = asker->user;
    const RequestId id = keep(std::move(responder));
    pass(Submit{id, *std::move(spec)}, id);
}

void Door::change(const http::Request& request, http::Responder responder, JobNumber job, bool cancels) {
    absl::StatusOr<Asker> asker = askerOf(request);
    absl::Status status = asker.status();
    Cancel cancel;
    Change change;
    if (status.ok()) status = cancels ? readRequest(request.body, cancel) : readRequest(request.body, change);
    if (!status.ok()) {
        return responder.respond(http::textResponse(httpStatus(status), std::string(status.message())));
    }
    const RequestId id = keep(std::move(responder));
    cancel.request = change.request = id;
    cancel.job = change.job = job;
    cancel.by = change.by = *asker;
    if (cancels) {
        pass(std::move(cancel), id);
    } else {
        pass(std::move(change), id);
    }
}

// "7", "7/cancel" or "7/change".
void Door::onJob(const http::Request& request, http::Responder responder, bool may_submit) {
    const std::size_t slash = request.rest.find('/');
    JobNumber job = 0;
    if (!absl::SimpleAtoi(request.rest.substr(0, slash), &job)) {
        return responder.respond(http::textResponse(404, concat("\"", request.rest, "\" is no job's number")));
    }
    const std::string what = slash == std::string::npos ? "" : request.rest.substr(slash + 1);
    if ((what == "cancel" || what == "change") && request.method == "POST") {
        if (!may_submit) return responder.respond(http::textResponse(403, "jobs are changed through the socket"));
        return change(request, std::move(responder), job, what == "cancel");
    }
    if (!what.empty() || (request.method != "GET" && request.method != "HEAD")) {
        return responder.respond(http::textResponse(404, "there is no such thing; see GET /api/stoa/jobs"));
    }
    ShowJob show;
    show.job = job;
    if (const auto since = request.number("since")) show.changed_since = static_cast<std::uint64_t>(*since);
    show.first_task = static_cast<std::uint32_t>(request.number("first").value_or(0));
    if (const auto index = request.number("index"); index && *index >= 0 && *index <= UINT32_MAX) {
        show.index = static_cast<std::uint32_t>(*index);
    }
    show.live_tasks = request.number("live").value_or(0) != 0;
    show.task_count = static_cast<std::uint32_t>(request.number("tasks").value_or(kTasksShown));
    const RequestId id = keep(std::move(responder));
    show.request = id;
    const bool watch = show.changed_since.has_value();
    pass(show, id);
    http::Server* server = may_submit ? unix_.get() : tcp_.get();
    if (watch && server) server->postAfter(kLongestWatch, [this, id] { ask_(AnswerNow{id}); });
}

} // namespace stoa::batch
