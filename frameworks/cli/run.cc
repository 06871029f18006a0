// `stoa run`: one command on the cluster, as if it were run here.
#include "frameworks/cli/command.h"
#include "frameworks/cli/command_framework.h"
#include "frameworks/cli/output_follower.h"
#include "frameworks/cli/room.h"
#include "frameworks/cli/run_scheduler.h"
#include "frameworks/cli/task_options.h"
#include "protocol/strings.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <iostream>

namespace stoa::cli {

namespace {

using Clock = std::chrono::steady_clock;

// When nothing is offered for so long, see whether the task can ever be placed, and later say what is in the way.
constexpr auto kFirstLook = std::chrono::milliseconds(100);
constexpr auto kHint = std::chrono::seconds(2);
// How long a task outlives this command when it is killed and can't say goodbye.
constexpr Duration kFailoverTimeout = std::chrono::seconds(30);

class Run {
public:
    Run(MasterClient master, RunScheduler::Task task)
        : master_(std::move(master)), shape_(task.shape), constraints_(task.constraints), scheduler_(std::move(task)) {}

    int run(const std::string& wire, const std::string& user, const std::string& name) {
        absl::StatusOr<std::unique_ptr<sdk::SchedulerDriver>> driver =
            startFramework(master_, wire, concat("run ", name), user, kFailoverTimeout, scheduler_);
        if (!driver.ok()) return fail(driver.status(), kNotRun);
        driver_ = *std::move(driver);
        scheduler_.ask(*driver_);
        while (!exit_code_) turn();
        if (torn_down_) driver_->teardown().IgnoreError();
        return *exit_code_;
    }

private:
    void turn() {
        pollfd fds[] = {{scheduler_.eventFd(), POLLIN, 0},
                        {interrupts_.fd(), POLLIN, 0},
                        {out_ && !out_done_ ? out_->doneFd() : -1, POLLIN, 0},
                        {err_ && !err_done_ ? err_->doneFd() : -1, POLLIN, 0}};
        int timeout = -1;
        if (look_at_) {
            timeout = static_cast<int>(std::max<std::int64_t>(
                0, std::chrono::ceil<std::chrono::milliseconds>(*look_at_ - Clock::now()).count()));
        }
        ::poll(fds, 4, timeout);
        if (const int signal = interrupts_.next(); signal != 0) onSignal(signal);
        for (RunScheduler::News& news : scheduler_.take()) {
            std::visit([&](auto& what) { on(what); }, news);
        }
        if (look_at_ && Clock::now() >= *look_at_ && !placed_ && !exit_code_) look();
        out_done_ |= fds[2].revents != 0;
        err_done_ |= fds[3].revents != 0;
        if (end_ && (!out_ || (out_done_ && err_done_))) finish();
    }

    void on(const RunScheduler::Subscribed& subscribed) {
        framework_ = subscribed.framework;
        subscribed_ = true;
    }
    void on(const RunScheduler::MasterLost&) { subscribed_ = false; } // the driver goes on trying; the task runs on
    void on(const RunScheduler::Placed& placed) {
        placed_ = placed;
        look_at_.reset();
    }
    void on(const RunScheduler::Refused& refused) {
        exit_code_ = fail(concat("the master refuses: ", refused.why), kNotRun);
        torn_down_ = false;
    }
    void on(const RunScheduler::Updated& updated) {
        const TaskStatus& status = updated.status;
        const bool ran =
            status.state == TaskState::kRunning || status.pid != 0 || status.outcome.wait_status.has_value();
        if (ran && !out_) follow();
        if (status.state == TaskState::kUnreachable) {
            std::cerr << "stoa: the agent of this task is unreachable; it may still run, and is waited for\n";
        }
        if (!isTerminal(status.state)) return;
        end_ = status;
        if (out_) out_->ended();
        if (err_) err_->ended();
    }

    void follow() {
        OutputFollower::Source source{master_, framework_, placed_->task, placed_->agent, placed_->address, "stdout"};
        out_ = std::make_unique<OutputFollower>(source, 1);
        source.which = "stderr";
        err_ = std::make_unique<OutputFollower>(source, 2);
    }

    void onSignal(int signal) {
        if (!placed_ || interrupted_) {
            // Nothing runs yet, or whoever interrupts doesn't want to wait: the framework goes, and its task with it.
            exit_code_ = kSignalled + signal;
            if (interrupted_) std::cerr << "stoa: not waiting for the task's end\n";
            return;
        }
        interrupted_ = true;
        scheduler_.kill(*driver_);
    }

    // Nothing was offered yet.
    void look() {
        absl::StatusOr<rapidjson::Document> agents = master_.get("/slaves");
        if (!agents.ok()) {
            // A master that restarts is waited for; one that never was there is not.
            if (!subscribed_ && framework_.empty()) {
                exit_code_ = fail(agents.status(), kNotRun);
                torn_down_ = false;
                return;
            }
        } else {
            const Room room = roomFor(*agents, shape_, constraints_);
            if (!room.possible) {
                exit_code_ = fail(room.words, kNotRun);
                return;
            }
            if (hinted_) {
                std::cerr << "stoa: still waiting for a place: "
                          << (room.words.empty() ? "others come first" : room.words) << "\n";
                look_at_.reset();
                return;
            }
        }
        hinted_ = true;
        look_at_ = Clock::now() + kHint - kFirstLook;
    }

    void finish() {
        for (OutputFollower* follower : {out_.get(), err_.get()}) {
            if (!follower) continue;
            follower->join();
            if (!follower->problem().empty()) {
                std::cerr << "stoa: not all of the output could be shown: " << follower->problem() << "\n";
            }
        }
        const TaskStatus& end = *end_;
        if (end.reason == Reason::kContainerLimitationDisk) {
            std::cerr << "stoa: out of disk: " << end.message << "; ask for more with --disk\n";
            exit_code_ = kSignalled + SIGKILL;
            return;
        }
        if (end.outcome.wait_status && !end.outcome.out_of_memory) {
            const int status = *end.outcome.wait_status;
            exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
            if (WIFSIGNALED(status) && !interrupted_)
                std::cerr << "stoa: the command was ended by signal " << WTERMSIG(status) << "\n";
            return;
        }
        if (end.outcome.out_of_memory) {
            std::cerr << "stoa: out of memory: the task had " << shape_.toString() << "; ask for more with --mem\n";
            exit_code_ = kSignalled + SIGKILL;
            return;
        }
        if (end.state == TaskState::kFinished) {
            exit_code_ = 0;
        } else if (end.state == TaskState::kKilled && interrupted_) {
            exit_code_ = kInterrupted;
        } else {
            std::string words = concat(name(end.state));
            if (end.reason != Reason::kNone) words += concat(", ", name(end.reason));
            if (!end.message.empty()) words += ": " + end.message;
            exit_code_ = fail(words, kNotRun);
        }
    }

    MasterClient master_;
    const Resources shape_;
    const std::vector<Constraint> constraints_;
    RunScheduler scheduler_;
    std::unique_ptr<sdk::SchedulerDriver> driver_;
    Interrupts interrupts_;
    FrameworkId framework_;
    std::optional<RunScheduler::Placed> placed_;
    std::optional<TaskStatus> end_;
    std::unique_ptr<OutputFollower> out_, err_;
    bool out_done_ = false, err_done_ = false; // all was written
    std::optional<Clock::time_point> look_at_ = Clock::now() + kFirstLook;
    bool hinted_ = false;
    bool subscribed_ = false;
    bool interrupted_ = false;
    bool torn_down_ = true; // at the end the framework is torn down
    std::optional<int> exit_code_;
};

} // namespace

void addRun(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand("run", "run a command on the cluster as if it were run here");
    command->footer(
        "The output comes as it is written; the exit code is the command's, 128+N when signal N ended it, 125 when\n"
        "it could not be run. Ctrl-C kills the task, a second one does not wait for its end.\n\n"
        "Example:\n  stoa run --cpus=2 --mem=1G -- make -j2");
    endsWithCommand(*command, context);
    auto options = std::make_shared<TaskOptions>();
    options->add(*command);
    command->add_option("--user", options->user,
                        "run it as this user (default: you; root becomes the agents' unprivileged user)");
    command->callback([command, options, &context] {
        context.exit_code = [&]() -> int {
            absl::StatusOr<std::vector<std::string>> argv = commandOf(*command, context);
            if (!argv.ok()) return fail(argv.status(), kUsage);
            absl::StatusOr<TaskSpec> spec = options->spec(*argv);
            if (!spec.ok()) return fail(spec.status(), kUsage);
            absl::StatusOr<std::vector<Constraint>> constraints = options->parsedConstraints();
            if (!constraints.ok()) return fail(constraints.status(), kUsage);
            absl::StatusOr<MasterClient> master = MasterClient::find(context);
            if (!master.ok()) return fail(master.status(), kUsage);
            absl::StatusOr<Resources> shape = options->shape(master->address().agent_cpus);
            if (!shape.ok()) return fail(shape.status(), kUsage);
            absl::StatusOr<std::string> wire = master->wireAddress();
            if (!wire.ok()) return fail(wire.status(), kNotRun);

            const std::string user = options->user.empty() ? ownUserName() : options->user;
            const std::string name = options->nameOf(*argv);
            Run run(*std::move(master), {name, *shape, *std::move(spec), *std::move(constraints)});
            return run.run(*wire, user, name);
        }();
    });
}

} // namespace stoa::cli
