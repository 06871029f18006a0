#include "frameworks/cli/processes.h"

#include "protocol/argv.h"
#include "protocol/strings.h"
#include "protocol/unique_fd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

namespace stoa::cli {

std::optional<std::uint64_t> startTimeOf(pid_t pid) {
    std::ifstream file(concat("/proc/", pid, "/stat"));
    std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    // The name, in parentheses, may hold anything; what follows its end begins with field 3.
    const std::size_t end = stat.rfind(')');
    if (end == std::string::npos) return std::nullopt;
    std::istringstream fields(stat.substr(end + 1));
    std::string field;
    for (int number = 3; number <= 22; ++number) {
        fields >> field;
        if (number == 3 && field == "Z") return std::nullopt;
    }
    if (!fields) return std::nullopt;
    return std::strtoull(field.c_str(), nullptr, 10);
}

bool alive(const ProcessId& process) { return process.pid > 0 && startTimeOf(process.pid) == process.start_time; }

absl::StatusOr<ProcessId> startDaemon(const std::vector<std::string>& argv, const std::string& log) {
    UniqueFd output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (!output) return absl::UnavailableError(concat("cannot write ", log, ": ", std::strerror(errno)));
    UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(std::strerror(errno));
    UniqueFd told(ends[0]), tell(ends[1]);

    const std::vector<char*> arguments = argvOf(argv);

    const pid_t child = ::fork();
    if (child < 0) return absl::InternalError(concat("cannot start ", argv[0], ": ", std::strerror(errno)));
    if (child == 0) {
        ::setsid();
        sigset_t none;
        sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        ::dup2(input.get(), 0);
        ::dup2(output.get(), 1);
        ::dup2(output.get(), 2);
        ::execv(arguments[0], arguments.data());
        const int error = errno;
        [[maybe_unused]] const ssize_t written = ::write(tell.get(), &error, sizeof error);
        ::_exit(127);
    }
    tell.reset();
    int error = 0;
    if (::read(told.get(), &error, sizeof error) == sizeof error) {
        ::waitpid(child, nullptr, 0);
        return absl::NotFoundError(concat("cannot start ", argv[0], ": ", std::strerror(error)));
    }
    const std::optional<std::uint64_t> start = startTimeOf(child);
    return ProcessId{child, start.value_or(0)};
}

bool signalProcess(const ProcessId& process, int signal) {
    // The descriptor pins the process that the start time is then read of.
    UniqueFd pin(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!pin || !alive(process)) return false;
    return ::syscall(SYS_pidfd_send_signal, pin.get(), signal, nullptr, 0) == 0;
}

bool waitForEnd(const ProcessId& process, Duration most) {
    UniqueFd pin(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!pin || !alive(process)) return true;
    pollfd fd{pin.get(), POLLIN, 0};
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(most).count();
    const bool ended = ::poll(&fd, 1, static_cast<int>(timeout)) > 0;
    if (ended) ::waitpid(process.pid, nullptr, WNOHANG); // if it is our own
    return ended;
}

std::string lastLines(const std::string& path, std::size_t count) {
    std::ifstream file(path);
    std::deque<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back("  " + line);
        if (lines.size() > count) lines.pop_front();
    }
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
}

std::string besideThisProgram(const std::string& name) {
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? name : (self.parent_path() / name).string();
}

namespace {

std::optional<std::uint16_t> bound(std::uint16_t port) {
    UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    // As the daemons do: a port whose last connections are still closing is free.
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
    if (::listen(socket.get(), 1) != 0) return std::nullopt;
    socklen_t length = sizeof address;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
}

} // namespace

bool portIsFree(std::uint16_t port) { return bound(port).has_value(); }

std::uint16_t freePort(std::uint16_t wanted) {
    if (const auto port = wanted == 0 ? std::nullopt : bound(wanted)) return *port;
    // Not one of those that the kernel gives to any connection: whoever is to listen there has yet to start.
    std::random_device random;
    std::uniform_int_distribution<int> below_the_kernels(20'000, 29'999);
    for (int i = 0; i < 100; ++i) {
        if (const auto port = bound(static_cast<std::uint16_t>(below_the_kernels(random)))) return *port;
    }
    return bound(0).value_or(0);
}

} // namespace stoa::cli
