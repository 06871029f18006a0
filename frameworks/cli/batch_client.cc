#include "frameworks/cli/batch_client.h"

#include "frameworks/batch/job_json.h"
#include "protocol/credentials/principals.h"
#include "protocol/http/client.h"
#include "protocol/http/message.h"
#include "protocol/labels.h"
#include "protocol/strings.h"

#include <absl/strings/numbers.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

namespace stoa::cli {

namespace {

constexpr Duration kWatch = std::chrono::seconds(60); // the door answers sooner

} // namespace

absl::StatusOr<BatchClient> BatchClient::find(const Context& context) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return master.status();
    BatchClient client(*std::move(master));
    client.socket_ = client.master_.address().batch_socket;
    if (!client.socket_.empty()) return client;
    absl::StatusOr<rapidjson::Document> frameworks = client.master_.get("/frameworks");
    if (!frameworks.ok()) return frameworks.status();
    const bool known = !client.master_.credentialFile().empty();
    for (const Json& framework : listAt(*frameworks, "frameworks")) {
        if (known && textAt(framework, "principal") != kBatchPrincipal) continue;
        for (const Json& label : listAt(framework, "labels")) {
            if (textAt(label, "key") != kBatchLabel) continue;
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
    if (socket_.empty()) master_.identify(request); // through the socket the kernel says who asks
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

absl::StatusOr<BatchClient::Jobs> BatchClient::jobs(const Which& which) const {
    constexpr std::size_t kPage = 2'000;
    Jobs jobs;
    std::string before;
    for (;;) {
        const std::size_t page = which.limit == 0 ? kPage : std::min(kPage, which.limit - jobs.count);
        std::string target = concat("/api/stoa/jobs?limit=", page, before);
        if (which.unfinished) target += "&unfinished=1";
        if (!which.user.empty()) target += "&user=" + http::percentEncodePath(which.user);
        if (!which.name.empty()) target += "&name=" + http::percentEncodePath(which.name);
        absl::StatusOr<std::string> answer = ask("GET", target, "");
        if (!answer.ok()) return answer.status();
        absl::StatusOr<rapidjson::Document> json = parseJson(*answer, "the batch framework");
        if (!json.ok()) return json.status();
        jobs.unfinished = static_cast<std::size_t>(integerAt(*json, "unfinished"));
        jobs.ended = static_cast<std::size_t>(integerAt(*json, "ended"));
        jobs.count += listAt(*json, "jobs").Size();
        const std::int64_t next = integerAt(*json, "next");
        jobs.pages.push_back(*std::move(json));
        jobs.more = next > 0;
        if (!jobs.more || (which.limit > 0 && jobs.count >= which.limit)) return jobs;
        before = concat("&before=", next);
    }
}

void BatchClient::Jobs::each(const std::function<void(const Json& job)>& visit) const {
    for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
        for (const Json& job : listAt(*page, "jobs")) visit(job);
    }
}

absl::StatusOr<rapidjson::Document> BatchClient::task(batch::JobNumber job, std::uint32_t index) const {
    absl::StatusOr<std::string> answer = ask("GET", concat("/api/stoa/jobs/", job, "?index=", index), "");
    if (!answer.ok()) return answer.status();
    return parseJson(*answer, "the batch framework");
}

absl::StatusOr<rapidjson::Document> BatchClient::liveTasks(batch::JobNumber job) const {
    absl::StatusOr<std::string> answer = ask("GET", concat("/api/stoa/jobs/", job, "?tasks=10000&live=1"), "");
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

absl::Status BatchClient::cancel(batch::JobNumber job, const std::string& body) const {
    return ask("POST", concat("/api/stoa/jobs/", job, "/cancel"), body).status();
}

absl::Status BatchClient::change(batch::JobNumber job, const std::string& body) const {
    return ask("POST", concat("/api/stoa/jobs/", job, "/change"), body).status();
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
