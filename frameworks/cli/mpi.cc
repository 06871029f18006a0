// `stoa mpi`: an MPI program of MPICH's on the cluster. Its processes are Hydra's affair: mpiexec.hydra runs here, and
// what we do is what its launcher would have done by ssh: one proxy a machine. Output, exit codes and a rank's death
// travel over Hydra's own connections.
#include "frameworks/cli/command.h"
#include "frameworks/cli/command_framework.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/table.h"
#include "frameworks/cli/task_options.h"
#include "frameworks/mpi/hydra.h"
#include "frameworks/mpi/job_scheduler.h"
#include "frameworks/mpi/plan.h"
#include "frameworks/sdk/driver.h"
#include "protocol/http/message.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <iostream>
#include <utility>

namespace stoa::cli {

namespace {

using Clock = std::chrono::steady_clock;

// When nothing is offered for so long, see whether the gang can ever be placed, and later say what is in the way.
constexpr auto kFirstLook = std::chrono::milliseconds(200);
constexpr auto kHint = std::chrono::seconds(2);
// From a signal to Hydra until it is killed, and from the end of a proxy until Hydra must have noticed it.
constexpr auto kToClean = std::chrono::seconds(3);
// How long proxies outlive this command when it is killed and can't say goodbye.
constexpr Duration kFailoverTimeout = std::chrono::seconds(10);

struct Settings {
    mpi::Job job;
    mpi::JobScheduler::Options gang;
    TaskSpec proxy; // all but its command
    std::map<std::string, std::string> environment;
    std::string mpiexec;
    std::string user;
};

// The address of this machine from which the other one is reached.
absl::StatusOr<std::string> ownAddressTowards(const std::string& host) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    if (const int error = ::getaddrinfo(host.c_str(), "9", &hints, &found); error != 0) {
        return absl::NotFoundError(concat("the agent's address ", host, ": ", ::gai_strerror(error)));
    }
    const UniqueFd probe(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int connected = ::connect(probe.get(), found->ai_addr, found->ai_addrlen); // sends nothing
    ::freeaddrinfo(found);
    sockaddr_in own{};
    socklen_t size = sizeof own;
    char text[INET_ADDRSTRLEN];
    if (connected != 0 || ::getsockname(probe.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
        ::inet_ntop(AF_INET, &own.sin_addr, text, sizeof text) == nullptr) {
        return absl::UnavailableError(concat("no way to the agent at ", host, ": ", std::strerror(errno)));
    }
    return std::string(text);
}

class MpiRun {
public:
    MpiRun(MasterClient master, Settings settings)
        : master_(std::move(master)), settings_(std::move(settings)), scheduler_(settings_.gang) {}

    int run(const std::string& wire) {
        // A terminal is not read: the job isn't in its foreground.
        input_ = UniqueFd(::isatty(0) == 0 ? ::fcntl(0, F_DUPFD_CLOEXEC, 3) : -1);
        if (!input_) input_ = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));

        absl::StatusOr<std::unique_ptr<sdk::SchedulerDriver>> driver = startFramework(
            master_, wire, concat("mpi ", settings_.gang.name), settings_.user, kFailoverTimeout, scheduler_);
        if (!driver.ok()) return fail(driver.status(), kNotRun);
        driver_ = *std::move(driver);
        scheduler_.ask(*driver_);
        while (!exit_code_) turn();
        // Whatever proxies are left go with their framework.
        if (torn_down_) driver_->teardown().IgnoreError();
        return *exit_code_;
    }

private:
    void turn() {
        pollfd fds[] = {{scheduler_.eventFd(), POLLIN, 0},
                        {interrupts_.fd(), POLLIN, 0},
                        {hydra_ && !output_over_ ? hydra_->output() : -1, POLLIN, 0}};
        int timeout = -1;
        for (const auto& due : {look_at_, give_up_at_}) {
            if (!due) continue;
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due - Clock::now()).count();
            const int wait = static_cast<int>(std::max<std::int64_t>(0, left));
            timeout = timeout < 0 ? wait : std::min(timeout, wait);
        }
        ::poll(fds, 3, timeout);
        while (const int signal = interrupts_.next()) onSignal(signal);
        if (fds[2].revents != 0) onOutput();
        for (mpi::JobScheduler::News& news : scheduler_.take()) {
            std::visit([&](auto& what) { on(what); }, news);
        }
        if (exit_code_) return;
        if (look_at_ && Clock::now() >= *look_at_) look();
        if (give_up_at_ && Clock::now() >= *give_up_at_ && hydra_) hydra_->signal(SIGKILL);
        if (hydra_ && output_over_ && hydra_->ended()) finish(*hydra_->ended());
    }

    void on(const mpi::JobScheduler::Subscribed& subscribed) {
        framework_ = subscribed.framework;
        subscribed_ = true;
    }
    void on(const mpi::JobScheduler::MasterLost&) { subscribed_ = false; } // the driver goes on trying; the job runs on
    void on(const mpi::JobScheduler::Refused& refused) {
        exit_code_ = fail(concat("the master refuses: ", refused.why), kNotRun);
        torn_down_ = false;
    }
    void on(const mpi::JobScheduler::TakenBack&) {
        hydra_.reset();
        lines_.reset();
        launched_ = false;
        look_at_ = Clock::now() + kFirstLook;
    }
    void on(const mpi::JobScheduler::Granted& granted) {
        look_at_.reset();
        places_.clear();
        std::vector<mpi::Place> places;
        std::string peer;
        for (const Offer& offer : granted.offers) {
            places_.push_back(concat(offer.hostname, " (", offer.address.host, ")"));
            places.push_back({offer.address.host, offer.count});
            if (peer.empty() || peer.starts_with("127.")) peer = offer.address.host;
        }
        absl::StatusOr<std::string> own = ownAddressTowards(peer);
        if (!own.ok()) return end(fail(own.status(), kNotRun));
        absl::StatusOr<mpi::Hydra> hydra = mpi::Hydra::start(
            mpi::hydraCommand(settings_.mpiexec, settings_.job, places, *own), settings_.environment, input_.get());
        if (!hydra.ok()) return end(fail(hydra.status(), kNotRun));
        hydra_.emplace(*std::move(hydra));
        lines_.emplace(places.size());
        output_over_ = false;
    }
    void on(const mpi::JobScheduler::Updated& updated) {
        const TaskStatus& status = updated.status;
        const bool lost = status.state == TaskState::kUnreachable;
        if (give_up_at_ || (!isTerminal(status.state) && !lost)) return;
        if (status.state == TaskState::kFinished) return; // Hydra has it in order
        if (!trouble_.empty()) return;
        never_ran_ = status.pid == 0 && !status.outcome.wait_status;
        trouble_ = concat("the proxy on ", places_[updated.place], " is ", name(status.state));
        if (status.outcome.out_of_memory) {
            trouble_ += concat(": out of memory; ", settings_.gang.shape.toString(), " a rank was not enough");
        } else if (!status.message.empty()) {
            trouble_ += ": " + status.message;
        }
        // Hydra has noticed, or notices now; if it does not, it is not waited for.
        give_up_at_ = Clock::now() + kToClean;
        if (lost && hydra_) hydra_->signal(SIGINT);
    }

    void onOutput() {
        char buffer[65536];
        const ssize_t got = ::read(hydra_->output(), buffer, sizeof buffer);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (got <= 0) {
            output_over_ = true;
            return;
        }
        std::string_view output(buffer, static_cast<std::size_t>(got));
        if (!launched_) {
            if (absl::Status read = lines_->feed(output); !read.ok()) return end(fail(read, kNotRun));
            if (!lines_->complete()) return;
            launch();
            const std::string rest = lines_->takeRest();
            print(rest);
            return;
        }
        print(output);
    }

    void launch() {
        std::vector<TaskSpec> proxies;
        for (const std::vector<std::string>& command : lines_->proxies()) {
            proxies.push_back(settings_.proxy);
            proxies.back().command.argv = command;
        }
        // Not taken: TakenBack is on its way.
        launched_ = scheduler_.launch(*driver_, proxies).ok();
    }

    void print(std::string_view output) {
        while (!output.empty() && !output_lost_) {
            const ssize_t written = ::write(1, output.data(), output.size());
            if (written < 0 && errno == EINTR) continue;
            if (written < 0 && errno == EAGAIN) {
                pollfd wait{1, POLLOUT, 0};
                ::poll(&wait, 1, -1);
                continue;
            }
            if (written < 0) { // nobody reads it any more: as for a program that is written to a closed pipe
                output_lost_ = true;
                stop(SIGTERM);
                return;
            }
            output.remove_prefix(static_cast<std::size_t>(written));
        }
    }

    void onSignal(int signal) {
        const bool again = std::exchange(signal_, signal) != 0;
        if (again) std::cerr << "stoa: not waiting for the ranks' end\n";
        if (again || !launched_) return end(kSignalled + signal);
        stop(signal);
    }

    void stop(int signal) {
        if (hydra_) hydra_->signal(signal == SIGINT ? SIGINT : SIGTERM);
        give_up_at_ = Clock::now() + kToClean;
    }

    void end(int code) {
        exit_code_ = code;
        hydra_.reset();
    }

    void finish(int status) {
        if (!launched_ && WIFEXITED(status))
            return end(fail("mpiexec.hydra ended before anything was started", kNotRun));
        if (signal_ != 0) return end(kSignalled + signal_);
        if (!trouble_.empty() && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
            fail(trouble_);
            if (never_ran_) return end(kNotRun);
            return end(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : kFailed);
        }
        end(WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status));
    }

    // Nothing was granted yet.
    void look() {
        absl::StatusOr<rapidjson::Document> agents = master_.get("/slaves");
        if (!agents.ok() || !subscribed_) {
            // A master that restarts is waited for; one that never was there is not.
            if (!agents.ok() && framework_.empty()) {
                end(fail(agents.status(), kNotRun));
                torn_down_ = false;
                return;
            }
            look_at_ = Clock::now() + kHint;
            return;
        }
        absl::StatusOr<rapidjson::Document> why =
            master_.get("/api/stoa/explain?framework=" + http::percentEncodePath(framework_.value()));
        look_at_ = Clock::now() + kHint;
        if (!why.ok()) return;
        for (const Json& demand : listAt(*why, "demands")) {
            const std::string words = inWords(demand);
            const bool nobody = integerAt(demand, "agents") == 0;
            if (!nobody && !gangFitsEver(demand)) return end(fail("this gang can't be placed: " + words, kNotRun));
            if (hinted_ && !said_) {
                said_ = true;
                std::cerr << "stoa: still waiting for a place: " << (nobody ? "no agent is there" : words) << "\n";
            }
        }
        hinted_ = true;
        if (said_) look_at_.reset();
    }

    std::string inWords(const Json& demand) const {
        std::string words = gangInWords(demand);
        if (const std::string nearest = textAt(demand, "nearest"); !nearest.empty()) words += "\n  nearest: " + nearest;
        for (const Json& reason : listAt(demand, "reasons")) {
            words += concat("\n  ", counted(integerAt(reason, "agents"), "agent"), ": ", textAt(reason, "what"));
        }
        return words;
    }

    MasterClient master_;
    const Settings settings_;
    mpi::JobScheduler scheduler_;
    std::unique_ptr<sdk::SchedulerDriver> driver_;
    Interrupts interrupts_{true};
    UniqueFd input_;
    FrameworkId framework_;
    std::vector<std::string> places_; // for people
    std::optional<mpi::Hydra> hydra_;
    std::optional<mpi::LaunchLines> lines_;
    std::string trouble_; // why a proxy ended, if it did so by itself
    std::optional<Clock::time_point> look_at_ = Clock::now() + kFirstLook;
    std::optional<Clock::time_point> give_up_at_; // then Hydra is killed
    std::optional<int> exit_code_;
    int signal_ = 0; // that interrupted it
    bool subscribed_ = false;
    bool launched_ = false;
    bool output_over_ = false;
    bool output_lost_ = false;
    bool never_ran_ = false; // the proxy in trouble
    bool hinted_ = false;
    bool said_ = false;
    bool torn_down_ = true; // at the end the framework is torn down
};

// As execvp finds it; empty: nowhere.
std::string findProgram(const std::string& name) {
    if (name.find('/') != std::string::npos) return ::access(name.c_str(), R_OK) == 0 ? name : "";
    const char* path = ::getenv("PATH");
    for (std::string_view folder : split(path == nullptr ? "/usr/bin:/bin" : path, ':')) {
        std::string candidate = concat(folder.empty() ? "." : folder, "/", name);
        if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    }
    return "";
}

// A program that is here is looked at; one that isn't may be on the agents.
absl::Status checkProgram(const std::string& name) {
    const std::string path = findProgram(name);
    if (path.empty()) return absl::OkStatus();
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0)
        return absl::OkStatus();
    const auto size = static_cast<std::size_t>(info.st_size);
    void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (bytes == MAP_FAILED) return absl::OkStatus();
    absl::Status checked =
        mpi::runsUnderHydra(name, mpi::neededLibraries(std::string_view(static_cast<const char*>(bytes), size)));
    ::munmap(bytes, size);
    return checked;
}

struct MpiOptions : TaskOptions {
    std::uint32_t ranks = 0;
    std::uint32_t tasks_per_agent = 0;
    bool label = false;
    std::string directory;
    std::string mpiexec = "mpiexec.hydra";
};

absl::StatusOr<Settings> settingsOf(const MpiOptions& options, const std::vector<std::string>& argv,
                                    double agent_cpus) {
    Settings settings;
    if (options.ranks == 0) return invalid("-n: a job has at least one rank");
    if (absl::Status checked = checkProgram(argv.front()); !checked.ok()) return checked;
    absl::StatusOr<TaskSpec> spec = options.spec(argv);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::vector<Constraint>> constraints = options.parsedConstraints();
    if (!constraints.ok()) return constraints.status();
    absl::StatusOr<Resources> shape = options.shape(agent_cpus);
    if (!shape.ok()) return shape.status();
    std::string directory = options.directory;
    if (directory.empty()) {
        char* const here = ::getcwd(nullptr, 0);
        if (here == nullptr)
            return absl::NotFoundError(concat("the directory that you are in: ", std::strerror(errno)));
        directory = here;
        ::free(here);
    }
    settings.environment = spec->command.environment;
    settings.proxy = *std::move(spec);
    settings.proxy.command.environment.clear(); // Hydra takes it to the ranks
    settings.proxy.work_directory = directory;
    settings.job = {options.ranks, options.tasks_per_agent, argv, directory, options.label};
    settings.gang = {options.nameOf(argv), *std::move(shape), options.ranks, options.tasks_per_agent,
                     *std::move(constraints)};
    settings.mpiexec = options.mpiexec;
    settings.user = options.user.empty() ? ownUserName() : options.user;
    return settings;
}

} // namespace

void addMpi(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("mpi", "run an MPI program of MPICH's on the cluster");
    command->footer(
        "All ranks start together, when there is room for all of them. Each has --cpus and --mem; they start in the\n"
        "directory that you are in, which the agents must have and allow. Standard input goes to rank 0 unless it is "
        "a\n"
        "terminal. The exit code is the job's, 125 when it could not be run. A rank that dies ends the job; ctrl-C "
        "does, "
        "too.\n\n"
        "Example:\n  stoa mpi -n 16 --tasks-per-agent=4 --label ./a.out input.dat");
    endsWithCommand(*command, context);
    auto options = std::make_shared<MpiOptions>();
    options->mem = "256M";
    command->add_option("-n,--ranks", options->ranks, "how many ranks")->required();
    command->add_option("--tasks-per-agent", options->tasks_per_agent,
                        "ranks on one agent at most (default: any number)");
    command->add_flag("-l,--label", options->label, "begin each line of output with its rank: [3] …");
    command->add_option("--chdir", options->directory, "where the ranks start (default: here)");
    command->add_option("--mpiexec", options->mpiexec, "MPICH's mpiexec.hydra")->capture_default_str();
    options->add(*command);
    command->add_option("--user", options->user,
                        "run it as this user (default: you; root becomes the agents' unprivileged user)");
    command->callback([command, options, &context] {
        context.exit_code = [&]() -> int {
            absl::StatusOr<std::vector<std::string>> argv = commandOf(*command, context);
            if (!argv.ok()) return fail(argv.status(), kUsage);
            absl::StatusOr<MasterClient> master = MasterClient::find(context);
            if (!master.ok()) return fail(master.status(), kUsage);
            absl::StatusOr<Settings> settings = settingsOf(*options, *argv, master->address().agent_cpus);
            if (!settings.ok()) {
                const bool wrong_program = settings.status().code() == absl::StatusCode::kFailedPrecondition;
                return fail(settings.status(), wrong_program ? kNotRun : kUsage);
            }
            absl::StatusOr<std::string> wire = master->wireAddress();
            if (!wire.ok()) return fail(wire.status(), kNotRun);
            MpiRun run(*std::move(master), *std::move(settings));
            return run.run(*wire);
        }();
    });
}

} // namespace stoa::cli
