// `stoa up`: a cluster on this machine. Run again, it starts what has ended meanwhile and says what is there.
#include "frameworks/cli/cluster.h"
#include "frameworks/cli/command.h"
#include "frameworks/cli/ensemble.h"
#include "frameworks/cli/shutdown.h"
#include "frameworks/cli/table.h"
#include "protocol/http/client.h"
#include "protocol/resources/resources.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>
#include <absl/strings/str_format.h>

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace stoa::cli {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMostAgents = 500;
constexpr int kMostMasters = 5;
constexpr int kZooKeeperServers = 3;
// A killed leader is missed after this long; a busy machine's pauses are shorter.
constexpr char kSessionTimeout[] = "--zk_session_timeout=6s";
constexpr std::uint16_t kHttpPort = 5050, kAgentPort = 5051, kWirePort = 5052;

struct UpOptions {
    int agents = 1;
    int masters = 1;
    bool detach = false;
    bool no_batch = false;
    int port = 0; // 0: kHttpPort if it is free
    std::string resources;
    std::string launcher;
    std::vector<std::string> agent_flags;
    std::vector<std::string> master_flags;
    double wait_seconds = 60;
};

// An equal part of this machine for each of `agents`, with the same reserve that an agent alone would keep.
std::string shareOfMachine(int agents, const std::string& directory) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const int processors = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    double memory = 0; // MB
    std::ifstream meminfo("/proc/meminfo");
    std::string key;
    for (double kilobytes = 0; meminfo >> key >> kilobytes; meminfo.ignore(100, '\n')) {
        if (key == "MemTotal:") memory = kilobytes / 1024;
    }
    struct statvfs disk {};
    double disk_megabytes = 0;
    if (::statvfs(directory.c_str(), &disk) == 0) {
        disk_megabytes = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize) / 1048576;
    }
    auto share = [&](double whole, double reserve) { return (whole - std::min(reserve, whole / 2)) / agents; };
    return absl::StrFormat("cpus:%.3f;mem:%.0f;disk:%.0f", std::floor(processors * 1000.0 / agents) / 1000,
                           std::floor(share(memory, 1024)), std::floor(share(disk_megabytes, 5120)));
}

std::string portsOf(int index, int agents) {
    constexpr int kFirst = 31000, kCount = 1001;
    const int each = kCount / agents;
    return each < 1 ? "" : absl::StrFormat(";ports:[%d-%d]", kFirst + index * each, kFirst + (index + 1) * each - 1);
}

class Up {
public:
    Up(UpOptions options, std::string directory) : options_(std::move(options)) {
        cluster_.directory = std::move(directory);
    }

    int run(bool json) {
        std::error_code error;
        std::filesystem::create_directories(cluster_.directory + "/log", error);
        if (error)
            return fail(
                concat("cannot make ", cluster_.directory, "/log: ", error.message(), "; --dir names another place"));

        absl::StatusOr<Cluster> before = readCluster(cluster_.directory);
        if (!before.ok() && !absl::IsNotFound(before.status())) return fail(before.status());
        bool was_up = false;
        if (before.ok()) {
            cluster_ = *before;
            for (const ClusterProcess& process : cluster_.processes) was_up |= alive(process.process);
        }
        if (was_up) {
            if (absl::Status status = startMissing(); !status.ok()) return fail(status);
        } else if (absl::Status status = startAll(); !status.ok()) {
            endAll();
            return fail(status, absl::IsInvalidArgument(status) ? kUsage : kFailed);
        }
        if (absl::Status status = writeCluster(cluster_); !status.ok()) {
            if (!was_up) endAll();
            return fail(status);
        }
        if (absl::Status status = waitUntilThere(); !status.ok()) {
            if (!was_up) endAll();
            return fail(status);
        }
        show(json, was_up);
        if (options_.detach || was_up) return 0;
        return stay();
    }

private:
    std::string wire() const { return concat("127.0.0.1:", cluster_.wire_port); }
    // How agents and the batch framework find the master.
    std::string master() const { return cluster_.zookeeper.empty() ? wire() : cluster_.zookeeper; }

    // To the person who waits; not into what a script reads.
    void progress(const std::string& what) {
        if (what == said_) return;
        said_ = what;
        std::cerr << "stoa: " << what << "\n";
    }

    absl::Status startAll() {
        cluster_.processes.clear();
        if (options_.port != 0 && !portIsFree(static_cast<std::uint16_t>(options_.port))) {
            return absl::FailedPreconditionError(concat("--port: ", options_.port, " is in use by another process"));
        }
        cluster_.http_port = options_.port != 0 ? static_cast<std::uint16_t>(options_.port) : freePort(kHttpPort);
        // Who names a port has the usual ones in mind for another cluster, which may be down just now.
        const bool usual = options_.port == 0;
        cluster_.wire_port = freePort(usual ? kWirePort : 0);
        // What an earlier cluster in this directory had.
        cluster_.zookeeper.clear();
        cluster_.batch_socket.clear();
        if (options_.masters == 1) {
            if (absl::Status status = startMaster("master", cluster_.http_port, cluster_.wire_port); !status.ok()) {
                return status;
            }
        } else if (absl::Status status = startMasters(); !status.ok()) {
            return status;
        }

        const std::string share =
            options_.resources.empty() ? shareOfMachine(options_.agents, cluster_.directory) : options_.resources;
        if (absl::StatusOr<Resources> parsed = Resources::parse(share); parsed.ok()) {
            cluster_.agent_cpus = static_cast<double>(parsed->scalar(Resources::kCpus).count) / 1000;
        } else {
            return invalid("--resources: ", toStd(parsed.status().message()));
        }
        for (int i = 0; i < options_.agents; ++i) {
            const std::string name = concat("agent-", i + 1);
            const bool own_ports = share.find("ports:") != std::string::npos;
            std::vector<std::string> agent = {
                besideThisProgram("stoa-agent"),
                concat("--master=", master()),
                concat("--port=", freePort(usual && i == 0 ? kAgentPort : 0)),
                concat("--work_dir=", directoryOf(name)),
                concat("--resources=", share, own_ports ? "" : portsOf(i, options_.agents)),
            };
            // Jobs run in the directory from which they are submitted: for a cluster of one's own, here as well.
            std::error_code error;
            if (const auto here = std::filesystem::current_path(error); !error && here != here.root_path()) {
                agent.push_back(concat("--allowed_work_directories=/home,/tmp,", here.string()));
            }
            if (!options_.launcher.empty()) agent.push_back(concat("--launcher=", options_.launcher));
            agent.insert(agent.end(), options_.agent_flags.begin(), options_.agent_flags.end());
            if (absl::Status status = start(name, agent); !status.ok()) return status;
        }
        if (options_.no_batch) return absl::OkStatus();
        cluster_.batch_socket = directoryOf("batch") + "/door";
        return start("batch", {besideThisProgram("stoa-batch"), concat("--master=", master()),
                               concat("--work_dir=", directoryOf("batch"))});
    }

    absl::Status startMaster(const std::string& name, std::uint16_t port, std::uint16_t wire_port) {
        std::vector<std::string> argv = {besideThisProgram("stoa-master"), concat("--port=", port),
                                         concat("--zmq_port=", wire_port), concat("--work_dir=", directoryOf(name))};
        if (!cluster_.zookeeper.empty()) {
            argv.push_back(concat("--zk=", cluster_.zookeeper));
            argv.emplace_back(kSessionTimeout);
        }
        argv.insert(argv.end(), options_.master_flags.begin(), options_.master_flags.end());
        return start(name, std::move(argv));
    }

    // ZooKeeper's servers, and masters that are elected there.
    absl::Status startMasters() {
        absl::StatusOr<std::vector<ZooKeeperServer>> servers = prepareEnsemble(cluster_.directory, kZooKeeperServers);
        if (!servers.ok()) return servers.status();
        progress(concat("starting ZooKeeper, ", kZooKeeperServers, " servers"));
        for (const ZooKeeperServer& server : *servers) {
            if (absl::Status status = start(server.name, server.argv); !status.ok()) return status;
        }
        cluster_.zookeeper = ensembleAddress(*servers);
        progress(concat("starting ", options_.masters, " masters at ", cluster_.zookeeper));
        for (int i = 1; i <= options_.masters; ++i) {
            const std::uint16_t port = i == 1 ? cluster_.http_port : freePort(0);
            const std::uint16_t wire_port = i == 1 ? cluster_.wire_port : freePort(0);
            if (absl::Status status = startMaster(concat("master-", i), port, wire_port); !status.ok()) return status;
        }
        return absl::OkStatus();
    }

    absl::Status startMissing() {
        for (ClusterProcess& process : cluster_.processes) {
            if (alive(process.process)) continue;
            absl::StatusOr<ProcessId> started = startDaemon(process.argv, process.log);
            if (!started.ok()) return started.status();
            process.process = *started;
            restarted_.push_back(process.name);
        }
        return absl::OkStatus();
    }

    std::string directoryOf(const std::string& name) {
        std::string path = concat(cluster_.directory, "/", name);
        std::error_code ignored; // the daemon says it better
        std::filesystem::create_directories(path, ignored);
        return path;
    }

    absl::Status start(const std::string& name, std::vector<std::string> argv) {
        const std::string log = concat(cluster_.directory, "/log/", name, ".log");
        absl::StatusOr<ProcessId> process = startDaemon(argv, log);
        if (!process.ok()) return process.status();
        cluster_.processes.push_back({name, *process, std::move(argv), log});
        return absl::OkStatus();
    }

    // Registered: the master says so. A daemon that ends instead is shown with its last words.
    absl::Status waitUntilThere() {
        const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                 std::chrono::duration<double>(options_.wait_seconds));
        std::string missing = "master";
        std::size_t agents = 0;
        for (const ClusterProcess& process : cluster_.processes) agents += process.name.rfind("agent-", 0) == 0;
        for (;;) {
            for (const ClusterProcess& process : cluster_.processes) {
                if (alive(process.process)) continue;
                return absl::AbortedError(concat(process.name, " ended at once; its log ", process.log, " ends with\n",
                                                 lastLines(process.log, 5)));
            }
            missing = whatIsMissing(agents);
            if (missing.empty()) return absl::OkStatus();
            if (!cluster_.zookeeper.empty()) progress(concat("waiting for ", missing));
            if (Clock::now() >= deadline) {
                return absl::DeadlineExceededError(concat(missing, " did not register within ", options_.wait_seconds,
                                                          " s; the logs are in ", cluster_.directory, "/log"));
            }
            ::poll(nullptr, 0, 20);
        }
    }

    // HTTP addresses of all masters.
    std::vector<std::string> masters() const {
        std::vector<std::string> addresses;
        for (const ClusterProcess& process : cluster_.processes) {
            if (process.name.rfind("master", 0) == 0) addresses.push_back(addressOfMaster(process));
        }
        return addresses;
    }
    static std::string addressOfMaster(const ClusterProcess& process) {
        constexpr std::string_view kFlag = "--port=";
        for (const std::string& argument : process.argv) {
            if (argument.starts_with(kFlag)) return concat("http://127.0.0.1:", argument.substr(kFlag.size()));
        }
        return {};
    }

    std::string whatIsMissing(std::size_t agents) {
        // Standbys answer, too, but only with where the leader is.
        absl::StatusOr<http::ClientResponse> slaves = absl::UnavailableError("");
        for (const std::string& master : masters()) {
            slaves = http::get(master + "/slaves");
            if (!slaves.ok() || !slaves->ok()) continue;
            leader_ = master;
            break;
        }
        if (!slaves.ok() || !slaves->ok()) return cluster_.zookeeper.empty() ? "the master" : "a master to be elected";
        absl::StatusOr<rapidjson::Document> json = parseJson(slaves->body, "/slaves");
        if (!json.ok()) return "the master";
        std::size_t active = 0;
        std::size_t left = 0;
        for (const Json& agent : listAt(*json, "slaves")) (truthAt(agent, "active") ? active : left)++;
        if (active < agents)
            return concat(agents - active, " of ", counted(static_cast<std::int64_t>(agents), "agent"));
        agents_ = *std::move(json);
        if (cluster_.batch_socket.empty()) return "";
        http::ClientRequest request;
        request.url = "http://batch/health";
        request.unix_socket = cluster_.batch_socket;
        absl::StatusOr<http::ClientResponse> health = http::fetch(request);
        return health.ok() && health->ok() ? "" : "the batch framework";
    }

    void show(bool json, bool was_up) const {
        if (json) {
            rapidjson::Document answer(rapidjson::kObjectType);
            auto& memory = answer.GetAllocator();
            answer.AddMember("master", rapidjson::Value(leader_.c_str(), memory), memory);
            if (!cluster_.zookeeper.empty()) {
                answer.AddMember("zookeeper", rapidjson::Value(cluster_.zookeeper.c_str(), memory), memory);
            }
            answer.AddMember("zmq", rapidjson::Value(wire().c_str(), memory), memory);
            answer.AddMember("directory", rapidjson::Value(cluster_.directory.c_str(), memory), memory);
            answer.AddMember("was_up", was_up, memory);
            std::cout << pretty(answer) << std::endl;
            return;
        }
        if (was_up) {
            std::cout << "a cluster is up already in " << cluster_.directory;
            for (std::size_t i = 0; i < restarted_.size(); ++i)
                std::cout << (i == 0 ? "; started again: " : ", ") << restarted_[i];
            std::cout << "\n\n";
        }
        Table table({"WHAT", "PID", "ADDRESS", "CPUS", "MEM", "ISOLATION"});
        for (const ClusterProcess& process : cluster_.processes) {
            std::string address = process.name == "batch" ? cluster_.batch_socket : "";
            if (process.name.rfind("master", 0) == 0) {
                address = addressOfMaster(process);
                if (!cluster_.zookeeper.empty() && address == leader_) address += " (leads)";
            }
            std::string cpus = "-", mem = "-", isolation = "-";
            for (const Json& agent : listAt(agents_, "slaves")) {
                const std::string port = concat("--port=", integerAt(agent, "port"));
                if (std::find(process.argv.begin(), process.argv.end(), port) == process.argv.end() ||
                    !truthAt(agent, "active"))
                    continue;
                if (process.name.rfind("agent-", 0) != 0) continue;
                address = textAt(agent, "address");
                cpus = amount(numberAt(at(agent, "resources"), "cpus"));
                mem = amount(numberAt(at(agent, "resources"), "mem"));
                isolation = textAt(agent, "isolation");
            }
            table.row({process.name, concat(process.process.pid), address, cpus, mem, isolation});
        }
        std::cout << table.text() << "\n";
        const bool is_default = clusterDirectory("") == cluster_.directory;
        const std::string option = is_default ? "" : concat(" --dir=", cluster_.directory);
        std::cout << "  stoa" << option << " run -- COMMAND     run something\n"
                  << "  stoa" << option << " agents             see the machines\n"
                  << (options_.detach || was_up ? concat("  stoa", option, " down               end it all\n")
                                                : std::string("  ctrl-C ends it all\n"));
        std::cout.flush();
    }

    // In the foreground: until a signal, or until a daemon ends.
    int stay() {
        sigset_t signals;
        sigemptyset(&signals);
        for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
        ::sigprocmask(SIG_BLOCK, &signals, nullptr);
        UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC));
        pollfd wait{fd.get(), POLLIN, 0};
        int code = 0;
        while (::poll(&wait, 1, 1000) <= 0) {
            const auto ended = std::find_if(cluster_.processes.begin(), cluster_.processes.end(),
                                            [](const ClusterProcess& process) { return !alive(process.process); });
            if (ended == cluster_.processes.end()) continue;
            // Somebody may have started it again, or ended it all, by another `stoa up` or `stoa down`.
            absl::StatusOr<Cluster> now = readCluster(cluster_.directory);
            if (!now.ok()) return 0;
            cluster_ = *std::move(now);
            const bool all_gone = std::none_of(cluster_.processes.begin(), cluster_.processes.end(),
                                               [](const ClusterProcess& process) { return alive(process.process); });
            if (all_gone) return 0;
            const auto still = std::find_if(cluster_.processes.begin(), cluster_.processes.end(),
                                            [](const ClusterProcess& process) { return !alive(process.process); });
            if (still == cluster_.processes.end() || still->name == reported_) continue;
            reported_ = still->name;
            std::cerr << "stoa: " << still->name << " has ended; `stoa up` starts it again; its log is " << still->log
                      << "\n";
        }
        std::cout << "\nending the cluster\n";
        if (absl::StatusOr<Cluster> now = readCluster(cluster_.directory); now.ok()) cluster_ = *std::move(now);
        const absl::Status status = shutDown(cluster_, false);
        if (!status.ok()) code = fail(status);
        return code;
    }

    void endAll() { shutDown(cluster_, false).IgnoreError(); }

    const UpOptions options_;
    Cluster cluster_;
    rapidjson::Document agents_;
    std::vector<std::string> restarted_;
    std::string reported_;
    std::string leader_; // its HTTP door's URL
    std::string said_;
};

} // namespace

void addUp(CLI::App& app, Context& context) {
    CLI::App* command =
        app.add_subcommand("up", "start a cluster on this machine: a master, agents, the batch framework");
    command->footer(
        "The agents share the machine's resources evenly. Run again, it starts what has ended and says what is up.\n\n"
        "Example:\n  stoa up --agents=3 --detach");
    auto options = std::make_shared<UpOptions>();
    command->add_option("--agents", options->agents, "how many agents")
        ->check(CLI::Range(1, kMostAgents))
        ->capture_default_str();
    command
        ->add_option("--masters", options->masters,
                     "how many masters; several are elected by ZooKeeper, which is started, too")
        ->check(CLI::Range(1, kMostMasters))
        ->capture_default_str();
    command->add_flag("--detach", options->detach, "leave it running in the background");
    command->add_flag("--no-batch", options->no_batch, "without the batch framework");
    command
        ->add_option(
            "--port", options->port,
            "port of the master's HTTP door; the others are free ones then (default: 5050 to 5052, or free ones)")
        ->check(CLI::Range(1, 65535));
    command->add_option("--resources", options->resources,
                        "what each agent advertises, e.g. \"cpus:4;mem:2048\" (default: its share)");
    command->add_option("--launcher", options->launcher, "how tasks are run: oci, process or auto")
        ->check(CLI::IsMember({"oci", "process", "auto"}));
    command
        ->add_option("--agent-flag", options->agent_flags,
                     "a flag for each stoa-agent, e.g. --agent-flag=--allow_root_tasks")
        ->type_size(1)
        ->allow_extra_args(false);
    command->add_option("--master-flag", options->master_flags, "a flag for stoa-master")
        ->type_size(1)
        ->allow_extra_args(false);
    command->add_option("--wait", options->wait_seconds, "seconds in which all must have registered")
        ->capture_default_str();
    command->callback([options, &context] {
        ::unsetenv("STOA_CREDENTIAL"); // of another cluster's: this one is on loopback, and asks nobody
        const std::string directory = std::filesystem::absolute(clusterDirectory(context.directory)).lexically_normal();
        Up up(*options, directory);
        context.exit_code = up.run(context.json);
    });
}

} // namespace stoa::cli
