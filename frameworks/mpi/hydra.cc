#include "frameworks/mpi/hydra.h"

#include "protocol/argv.h"
#include "protocol/strings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace stoa::mpi {

absl::StatusOr<Hydra> Hydra::start(const std::vector<std::string>& argv,
                                   const std::map<std::string, std::string>& environment, int input) {
    int output[2];
    int failed[2]; // closes when the program is executed, else says why it was not
    if (::pipe2(output, O_CLOEXEC) != 0) return absl::InternalError(concat("pipe: ", ::strerror(errno)));
    UniqueFd reads(output[0]), writes(output[1]);
    if (::pipe2(failed, O_CLOEXEC) != 0) return absl::InternalError(concat("pipe: ", ::strerror(errno)));
    UniqueFd failure(failed[0]), fails(failed[1]);

    // Nothing is allocated between fork and exec.
    const std::vector<char*> arguments = argvOf(argv);
    std::vector<std::string> variables;
    variables.reserve(environment.size());
    for (const auto& [name, value] : environment) variables.push_back(concat(name, "=", value));
    for (char** at = environ; *at != nullptr; ++at) {
        const std::string_view variable(*at);
        if (!environment.contains(std::string(variable.substr(0, variable.find('=')))))
            variables.emplace_back(variable);
    }
    const std::vector<char*> variable_pointers = argvOf(variables);

    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return absl::InternalError(concat("fork: ", ::strerror(errno)));
    if (pid == 0) {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (::getppid() != parent) ::_exit(127);
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::signal(SIGPIPE, SIG_DFL);
        ::dup2(input, 0);
        ::dup2(writes.get(), 1);
        ::execvpe(arguments[0], arguments.data(), variable_pointers.data());
        const int why = errno;
        [[maybe_unused]] const ssize_t written = ::write(fails.get(), &why, sizeof why);
        ::_exit(127);
    }
    Hydra hydra(pid, std::move(reads));
    fails.reset();
    int why = 0;
    if (::read(failure.get(), &why, sizeof why) == sizeof why) {
        return absl::NotFoundError(
            concat(argv.front(), ": ", ::strerror(why), "; MPICH's Hydra is in Debian's package mpich"));
    }
    return hydra;
}

Hydra::Hydra(Hydra&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)), output_(std::move(other.output_)), status_(other.status_) {}

Hydra::~Hydra() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

void Hydra::signal(int number) const {
    if (pid_ != 0) ::kill(pid_, number);
}

std::optional<int> Hydra::ended() {
    int status = 0;
    if (pid_ != 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = 0;
        status_ = status;
    }
    return status_;
}

} // namespace stoa::mpi
