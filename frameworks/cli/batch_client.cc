#include "frameworks/cli/batch_client.h"

#include "frameworks/batch/job_json.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <sys/wait.h>
#include <unistd.h>

namespace stoa::cli {

namespace {

constexpr const char* kDoorLabel = "stoa.batch.socket"; // as stoa-batch registers it
constexpr Duration kWatch = std::chrono::seconds(60);   // the door answers sooner

} // namespace

absl::StatusOr<BatchClient> BatchClient::find(const Context& context) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return master.status();
    BatchClient client(*std::move(master));
    client.socket_ = client.master_.address().batch_socket;
    if (!client.socket_.empty()) return client;
    absl::StatusOr<rapidjson::Document> frameworks = client.master_.get("/frameworks");
    if (!frameworks.ok()) return frameworks.status();
    for (const Json& framework : listAt(*frameworks, "frameworks")) {
        for (const Json& label : listAt(framework, "labels")) {
            if (textAt(label, "key") != kDoorLabel) continue;
            const std::string socket = textAt(label, "value");
            if (::access(socket.c_str(), W_OK) == 0) client.socket_ = socket;
            client.url_ = textAt(framework, "webui_url");
            if (truthAt(framework, "active")) return client;
        }
    }
    if (!client.url_.empty()) return client;
    return absl::NotFoundError("no batch framework is registered; `stoa up` starts one, or run stoa-batch");
}

absl::StatusOr<std::string> BatchClient::ask(const std::string& method, const std::string& target,
                                             std::string body) const {
    http::ClientRequest request;
    request.method = method;
    request.unix_socket = socket_;
    request.url = socket_.empty() ? url_ + target : "http://batch" + target;
    request.body = std::move(body);
    request.timeout = kWatch;
    if (!request.body.empty()) request.headers = {{"Content-Type", "application/json"}};
    absl::StatusOr<http::ClientResponse> response = http::fetch(request);
    if (!response.ok()) {
        if (!absl::IsUnavailable(response.status())) return response.status();
        return absl::UnavailableError(concat("the batch framework does not answer at ",
                                             socket_.empty() ? url_ : socket_, "; `stoa up` starts it again"));
    }
    if (!response->ok()) {
        std::string why = response->body;
        while (!why.empty() && why.back() == '\n') why.pop_back();
        return response->status == 404 ? absl::NotFoundError(why) : absl::FailedPreconditionError(why);
    }
    return std::move(response->body);
}

absl::StatusOr<batch::JobNumber> BatchClient::submit(const batch::JobSpec& spec) const {
    absl::StatusOr<std::string> answer = ask("POST", "/api/stoa/jobs", batch::toJson(spec));
    if (!answer.ok()) return answer.status();
    absl::StatusOr<rapidjson::Document> json = parseJson(*answer, "the batch framework");
    if (!json.ok()) return json.status();
    return static_cast<batch::JobNumber>(integerAt(*json, "job"));
}

absl::StatusOr<rapidjson::Document> BatchClient::jobs() const {
    absl::StatusOr<std::string> answer = ask("GET", "/api/stoa/jobs", "");
    if (!answer.ok()) return answer.status();
    return parseJson(*answer, "the batch framework");
}

absl::StatusOr<rapidjson::Document> BatchClient::job(batch::JobNumber job, std::uint32_t first, std::uint32_t tasks,
                                                     std::int64_t since) const {
    std::string target = concat("/api/stoa/jobs/", job, "?first=", first, "&tasks=", tasks);
    if (since >= 0) target += concat("&since=", since);
    absl::StatusOr<std::string> answer = ask("GET", target, "");
    if (!answer.ok()) return answer.status();
    return parseJson(*answer, "the batch framework");
}

absl::Status BatchClient::cancel(batch::JobNumber job) const {
    return ask("POST", concat("/api/stoa/jobs/", job, "/cancel"), "").status();
}

absl::StatusOr<batch::JobNumber> parseJob(const std::string& text) {
    batch::JobNumber job = 0;
    if (!absl::SimpleAtoi(text, &job) || job == 0)
        return invalid("\"", text, "\" is no job's number; `stoa jobs` lists them");
    return job;
}

absl::StatusOr<JobOrTask> parseJobOrTask(const std::string& text) {
    const std::size_t slash = text.find('/');
    absl::StatusOr<batch::JobNumber> job = parseJob(text.substr(0, slash));
    if (!job.ok()) return job.status();
    JobOrTask parsed{*job, std::nullopt};
    if (slash != std::string::npos) {
        std::uint32_t task = 0;
        if (!absl::SimpleAtoi(text.substr(slash + 1), &task)) return invalid("\"", text, "\" is not JOB or JOB/TASK");
        parsed.task = task;
    }
    return parsed;
}

bool isFinal(const Json& job) {
    const std::string state = textAt(job, "state");
    return state == "succeeded" || state == "failed" || state == "cancelled";
}

int exitCodeOf(const Json& job) {
    if (textAt(job, "state") == "succeeded") return 0;
    const auto tasks = listAt(job, "tasks");
    if (integerAt(job, "count") == 1 && tasks.Size() == 1 && at(tasks[0], "wait_status").IsInt()) {
        const int status = at(tasks[0], "wait_status").GetInt();
        if (WIFEXITED(status) && WEXITSTATUS(status) != 0) return WEXITSTATUS(status);
        if (WIFSIGNALED(status)) return kSignalled + WTERMSIG(status);
    }
    return kFailed;
}

} // namespace stoa::cli
