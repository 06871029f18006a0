// `stoa explain`: why something waits.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/table.h"
#include "protocol/http/message.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <iostream>

namespace stoa::cli {

namespace {

absl::StatusOr<rapidjson::Document> masterSays(const MasterClient& master, const std::string& framework,
                                               const std::string& resources) {
    std::string target = "/api/stoa/explain?framework=" + http::percentEncodePath(framework);
    if (!resources.empty()) target += "&resources=" + http::percentEncodePath(resources);
    return master.get(target);
}

void print(const Json& explanation) {
    for (const Json& demand : listAt(explanation, "demands")) {
        std::cout << integerAt(demand, "count") << " × " << textAt(demand, "shape") << ": ";
        if (const std::string gang = gangInWords(demand); !gang.empty()) std::cout << gang << "; ";
        const std::int64_t fit = integerAt(demand, "fit_now");
        std::cout << (fit > 0 ? std::to_string(fit) : "none") << " of " << counted(integerAt(demand, "agents"), "agent")
                  << (fit > 1 ? " have" : " has") << " room now\n";
        for (const Json& reason : listAt(demand, "framework")) {
            if (reason.IsString()) std::cout << "  the framework: " << reason.GetString() << "\n";
        }
        for (const Json& reason : listAt(demand, "reasons")) {
            std::cout << "  " << counted(integerAt(reason, "agents"), "agent") << ": " << textAt(reason, "what")
                      << "\n";
        }
        if (const std::string nearest = textAt(demand, "nearest"); !nearest.empty())
            std::cout << "  nearest miss: " << nearest << "\n";
    }
}

int explainJob(const Context& context, const std::string& text) {
    absl::StatusOr<batch::JobNumber> number = parseJob(text);
    if (!number.ok()) return fail(number.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    absl::StatusOr<rapidjson::Document> answer = batch->job(*number, 0, 0);
    if (!answer.ok()) return fail(answer.status());
    const Json& job = at(*answer, "job");
    const std::string shape = textAt(job, "resources");
    absl::StatusOr<rapidjson::Document> why = masterSays(batch->master(), textAt(*answer, "framework_id"), shape);
    if (!why.ok()) return fail(why.status());
    if (context.json) {
        std::cout << pretty(*why) << "\n";
        return 0;
    }
    const std::int64_t waiting = integerAt(at(job, "tasks_in"), "waiting");
    std::cout << "job " << *number << " is " << textAt(job, "state");
    if (const std::string reason = textAt(job, "why"); !reason.empty()) std::cout << ": " << reason;
    std::cout << "\n";
    if (isFinal(job) || textAt(job, "state") == "held" || waiting == 0) return 0;
    std::cout << waiting << " of its tasks " << (waiting == 1 ? "waits" : "wait") << " for a place, each needs "
              << shape << "\n";
    print(*why);
    absl::StatusOr<rapidjson::Document> agents = batch->master().get("/slaves");
    absl::StatusOr<Resources> parsed = Resources::parse(shape);
    if (agents.ok() && parsed.ok()) {
        if (const Room room = roomFor(*agents, *parsed, {}); !room.words.empty()) std::cout << room.words << "\n";
    }
    return 0;
}

int explainFrameworks(const Context& context, const std::string& only) {
    absl::StatusOr<MasterClient> master = MasterClient::find(context);
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<rapidjson::Document> frameworks = master->get("/frameworks");
    if (!frameworks.ok()) return fail(frameworks.status());
    bool any = false;
    for (const Json& framework : listAt(*frameworks, "frameworks")) {
        const std::string id = textAt(framework, "id");
        if (!only.empty() && id != only && textAt(framework, "name") != only) continue;
        absl::StatusOr<rapidjson::Document> why = masterSays(*master, id, "");
        if (!why.ok()) return fail(why.status());
        any = true;
        if (context.json) {
            std::cout << pretty(*why) << "\n";
            continue;
        }
        std::cout << id << " " << textAt(framework, "name")
                  << (listAt(*why, "demands").Empty() ? ": asks for nothing" : ":") << "\n";
        print(*why);
    }
    if (!any && !only.empty()) return fail(concat("no framework has the id or name \"", only, "\""));
    return 0;
}

} // namespace

void addExplain(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("explain", "why a job or a framework waits: what falls short where, and the nearest miss");
    command->footer("Example:\n  stoa explain 12\n  stoa explain --framework=batch");
    auto job = std::make_shared<std::string>();
    auto framework = std::make_shared<std::string>();
    command->add_option("job", *job, "the job's number (default: every framework)");
    command->add_option("--framework", *framework, "a framework's id or name");
    command->callback([job, framework, &context] {
        context.exit_code = job->empty() ? explainFrameworks(context, *framework) : explainJob(context, *job);
    });
}

} // namespace stoa::cli
