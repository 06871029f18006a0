// `stoa submit`: a job for the queue.
#include "frameworks/cli/batch_client.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/output_follower.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/task_options.h"
#include "frameworks/sdk/agent_doors.h"
#include "protocol/http/client.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>
#include <absl/strings/numbers.h>
#include <absl/strings/str_replace.h>

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>

namespace stoa::cli {

namespace {

struct SubmitOptions {
    TaskOptions task;
    std::uint32_t array = 0; // 0: one task
    std::vector<std::string> after;
    std::uint32_t retries = 0;
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    bool extract = false;
};

std::string randomToken() {
    unsigned char bytes[8]{};
    if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return concat(::getpid(), "-", ::time(nullptr));
    std::string token = "in";
    for (unsigned char byte : bytes) {
        token += "0123456789abcdef"[byte >> 4];
        token += "0123456789abcdef"[byte & 15];
    }
    return token;
}

// Puts local files where every task can fetch them: on one agent each, in turn.
class Uploader {
public:
    explicit Uploader(const MasterClient& master) : master_(master) {}

    absl::StatusOr<batch::JobInput> input(const std::string& given, std::uint32_t count) {
        batch::JobInput input;
        const bool remote =
            given.rfind("http://", 0) == 0 || given.rfind("file://", 0) == 0 || given.rfind("job:", 0) == 0;
        const std::size_t equals = given.find('=');
        // NAME=SOURCE, where a name has no slash of a URL or path before its "=".
        std::string source = given;
        if (equals != std::string::npos && given.substr(0, equals).find('/') == std::string::npos && !remote) {
            input.name = given.substr(0, equals);
            source = given.substr(equals + 1);
        }
        if (source.rfind("http://", 0) == 0 || source.rfind("file://", 0) == 0 || source.rfind("job:", 0) == 0) {
            input.source = source;
            return input;
        }
        if (input.name.empty()) input.name = source.substr(source.rfind('/') + 1);
        absl::StatusOr<Address> agent = nextAgent();
        if (!agent.ok()) return agent.status();
        const std::string name = randomToken();
        const bool each = source.find("%i") != std::string::npos;
        for (std::uint32_t i = 0; i < (each ? count : 1); ++i) {
            const std::string path = absl::StrReplaceAll(source, {{"%i", concat(i)}});
            absl::Status status =
                put(path, sdk::uploadedFile(*agent, each ? concat(name, "-", i) : name), input.executable);
            if (!status.ok()) return status;
        }
        input.source = sdk::uploadedFile(*agent, name) + (each ? "-%i" : "");
        return input;
    }

private:
    absl::Status put(const std::string& path, const std::string& url, bool& executable) {
        UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!file) return absl::NotFoundError(concat("--input: ", path, ": ", std::strerror(errno)));
        struct stat info {};
        if (::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) {
            return invalid("--input: ", path, " is no regular file; pack a directory with tar");
        }
        executable |= (info.st_mode & 0111) != 0;
        http::ClientRequest request;
        request.method = "PUT";
        request.url = url;
        request.body_fd = file.get();
        request.timeout = http::kNoTimeout;
        absl::StatusOr<http::ClientResponse> response = http::fetch(request);
        if (!response.ok()) return response.status();
        if (!response->ok())
            return absl::InternalError(concat("--input: ", path, ": the agent says: ", response->body));
        return absl::OkStatus();
    }

    absl::StatusOr<Address> nextAgent() {
        if (agents_.empty()) {
            absl::StatusOr<rapidjson::Document> json = master_.get("/slaves");
            if (!json.ok()) return json.status();
            for (const Json& agent : listAt(*json, "slaves")) {
                if (!truthAt(agent, "active")) continue;
                const std::string address = textAt(agent, "address");
                agents_.push_back(
                    {address.substr(0, address.rfind(':')), static_cast<std::uint16_t>(integerAt(agent, "port"))});
            }
            if (agents_.empty()) return absl::UnavailableError("no agent is there to take the input files");
        }
        return agents_[next_++ % agents_.size()];
    }

    const MasterClient& master_;
    std::vector<Address> agents_;
    std::size_t next_ = 0;
};

absl::StatusOr<batch::JobSpec> specOf(const SubmitOptions& options, const std::vector<std::string>& argv,
                                      double agent_cpus) {
    batch::JobSpec job;
    absl::StatusOr<Resources> shape = options.task.shape(agent_cpus);
    if (!shape.ok()) return shape.status();
    absl::StatusOr<TaskSpec> task = options.task.spec(argv);
    if (!task.ok()) return task.status();
    absl::StatusOr<std::vector<Constraint>> constraints = options.task.parsedConstraints();
    if (!constraints.ok()) return constraints.status();
    job.name = options.task.nameOf(argv);
    job.command = task->command;
    job.shape = *shape;
    job.array = options.array > 0;
    job.count = std::max(options.array, 1u);
    job.retries = options.retries;
    job.outputs = options.outputs;
    job.constraints = *std::move(constraints);
    job.writable_paths = task->writable_paths;
    job.kill_grace = task->kill_grace;
    for (const std::string& given : options.after) {
        absl::StatusOr<batch::JobNumber> before = parseJob(given);
        if (!before.ok()) return invalid("--after: ", toStd(before.status().message()));
        job.after.push_back(*before);
    }
    if (absl::Status status = batch::validate(job); !status.ok()) return status;
    return job;
}

int submit(const SubmitOptions& options, const CLI::App& command, const Context& context) {
    absl::StatusOr<std::vector<std::string>> argv = commandOf(command, context);
    if (!argv.ok()) return fail(argv.status(), kUsage);
    absl::StatusOr<MasterAddress> master = findMaster(context.master, clusterDirectory(context.directory));
    if (!master.ok()) return fail(master.status(), kUsage);
    absl::StatusOr<batch::JobSpec> spec = specOf(options, *argv, master->agent_cpus);
    if (!spec.ok()) return fail(spec.status(), kUsage);
    absl::StatusOr<BatchClient> batch = BatchClient::find(context);
    if (!batch.ok()) return fail(batch.status());
    Uploader uploader(batch->master());
    for (const std::string& given : options.inputs) {
        absl::StatusOr<batch::JobInput> input = uploader.input(given, spec->count);
        if (!input.ok()) return fail(input.status());
        input->extract = options.extract;
        spec->inputs.push_back(*std::move(input));
    }
    absl::StatusOr<batch::JobNumber> job = batch->submit(*spec);
    if (!job.ok()) return fail(job.status());
    if (context.json) {
        std::cout << "{\"job\": " << *job << "}" << std::endl;
    } else {
        std::cout << *job << std::endl;
    }
    // It is in the queue whatever follows; but who asks for more than there is should hear of it now.
    if (absl::StatusOr<rapidjson::Document> agents = batch->master().get("/slaves"); agents.ok()) {
        const Room room = roomFor(*agents, spec->shape, spec->constraints);
        if (!room.possible) std::cerr << "stoa: job " << *job << " waits for another agent: " << room.words << "\n";
    }
    return 0;
}

} // namespace

void addSubmit(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("submit", "put a job into the batch queue and print its number");
    command->footer(
        "Tasks see STOA_JOB, STOA_TASK_INDEX, STOA_TASK_COUNT and STOA_ATTEMPT. In --input, %i is the task's index, "
        "and\n"
        "job:7/*/counts stands for the output `counts` of every task of job 7, whose end is then waited for.\n\n"
        "Example:\n"
        "  stoa submit --array=24 --input=part=part-%i.txt --output=counts -- sh -c 'sort part | uniq -c > counts'\n"
        "  stoa submit --input=part=job:1/*/counts -- sh -c 'cat part.*'");
    endsWithCommand(*command, context);
    auto options = std::make_shared<SubmitOptions>();
    options->task.add(*command);
    command->add_option("--user", options->task.user, "run it as this user; for root only (default: you)");
    command->add_option("--array", options->array, "so many tasks, numbered from 0")->check(CLI::Range(1, 1'000'000));
    command->add_option("--after", options->after, "start when this job has succeeded; can be repeated")
        ->type_size(1)
        ->allow_extra_args(false);
    command->add_option("--retries", options->retries, "further attempts at a task that failed");
    command
        ->add_option("--input", options->inputs,
                     "[NAME=]FILE, URL or job:N/TASK/PATH, put into the sandbox; can be repeated")
        ->type_size(1)
        ->allow_extra_args(false);
    command->add_flag("--extract", options->extract, "inputs are archives, to be unpacked there");
    command
        ->add_option("--output", options->outputs,
                     "a path in the sandbox that later jobs and `stoa fetch` may want; can be repeated")
        ->type_size(1)
        ->allow_extra_args(false);
    command->callback([command, options, &context] { context.exit_code = submit(*options, *command, context); });
}

} // namespace stoa::cli
