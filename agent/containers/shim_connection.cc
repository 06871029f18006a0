#include "agent/containers/shim_connection.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace stoa::agent {
namespace {

// A shim answers within a millisecond; what takes this long is stopped or broken.
constexpr std::chrono::milliseconds kPatience{5000};

absl::Status gone() { return absl::UnavailableError("the connection to the shim was lost"); }

absl::StatusOr<Fd> connectTo(const std::filesystem::path& run_dir) {
    const Fd directory(open(run_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", run_dir.string()));
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return absl::ErrnoToStatus(errno, "socket");
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    // By the open directory: an address has 107 bytes only, a run directory's name may be longer.
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(), shim::kSocketName);
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return socket;
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot connect to the shim in ", run_dir.string()));
}

// Where systemd manages the cgroups, a scope of its own is the subtree it leaves to the shim and its
// tasks. The agent's unit would not do: it could not be started again while tasks run in it. Each task
// has a limit of its own, so systemd's usual one, of all that a unit starts together, is lifted.
std::vector<std::string> startCommand(const std::filesystem::path& shim, const std::filesystem::path& run_dir) {
    std::vector<std::string> command;
    struct stat stat;
    if (geteuid() == 0 && ::stat("/run/systemd/system", &stat) == 0)
        command = {"systemd-run",
                   "--scope",
                   "--quiet",
                   "--collect",
                   "--property=Delegate=yes",
                   "--property=TasksMax=infinity"};
    command.push_back(shim.string());
    command.push_back("serve");
    command.push_back(absl::StrCat("--run_dir=", run_dir.string()));
    return command;
}

absl::Status start(const std::filesystem::path& shim, const std::filesystem::path& run_dir) {
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "pipe");
    const Fd read_end(errors[0]);
    Fd write_end(errors[1]);

    const std::vector<std::string> command = startCommand(shim, run_dir);
    std::vector<char*> argv;
    argv.reserve(command.size() + 1);
    for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, write_end.get(), 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3); // nothing of the agent's lives on in the shim
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid;
    const int failed = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) return absl::ErrnoToStatus(failed, absl::StrCat("cannot start ", command[0]));
    write_end = Fd();

    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    if (status == 0) return absl::OkStatus();
    char text[512];
    const ssize_t n = read(read_end.get(), text, sizeof text);
    return absl::UnavailableError(
        absl::StrCat("the shim did not start in ", run_dir.string(), ": ",
                     absl::StripAsciiWhitespace(absl::string_view(text, n > 0 ? static_cast<size_t>(n) : 0))));
}

} // namespace

absl::StatusOr<ShimConnection> ShimConnection::open(const std::filesystem::path& shim,
                                                    const std::filesystem::path& run_dir) {
    // A shim may end, for want of tasks, between being found and being greeted: then once more.
    constexpr int kAttempts = 3;
    absl::Status last;
    for (int i = 0; i < kAttempts; ++i) {
        absl::StatusOr<Fd> socket = connectTo(run_dir);
        if (!socket.ok()) {
            if (absl::Status status = start(shim, run_dir); !status.ok()) return status;
            socket = connectTo(run_dir);
        }
        if (!socket.ok()) {
            last = socket.status();
            continue;
        }
        ShimConnection connection;
        connection.socket_ = *std::move(socket);
        ucred peer = {};
        socklen_t size = sizeof peer;
        getsockopt(connection.fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size);
        connection.shim_pid_ = peer.pid;
        const absl::StatusOr<std::optional<shim::Event>> hello = connection.receive(kPatience);
        if (!hello.ok()) {
            last = hello.status();
            continue;
        }
        if (!*hello) return absl::DeadlineExceededError(absl::StrCat("the shim (pid ", peer.pid, ") does not answer"));
        if ((*hello)->version != shim::kProtocolVersion)
            return absl::FailedPreconditionError(
                absl::StrCat("the shim in ", run_dir.string(), " (pid ", peer.pid, ") speaks version ",
                             (*hello)->version, ", this agent ", shim::kProtocolVersion,
                             ": let its tasks end first, or give the agent another run directory"));
        connection.damaged_records_ = (*hello)->damaged_records;
        return connection;
    }
    return last;
}

absl::Status ShimConnection::request(shim::RequestKind kind, const std::string& id, int value, const Fd& memfd) {
    shim::Request request = {};
    request.kind = kind;
    request.value = value;
    snprintf(request.id, sizeof request.id, "%s", id.c_str());
    iovec data = {&request, sizeof request};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message = {};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (memfd) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int fd = memfd.get();
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    for (;;) {
        if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL) >= 0) return absl::OkStatus();
        if (errno == EINTR) continue;
        if (errno != EAGAIN) return gone();
        pollfd wait = {socket_.get(), POLLOUT, 0};
        if (poll(&wait, 1, static_cast<int>(kPatience.count())) == 0)
            return absl::DeadlineExceededError("the shim takes no requests");
    }
}

absl::StatusOr<std::optional<shim::Event>> ShimConnection::receive(std::chrono::milliseconds wait) {
    if (wait.count() > 0) {
        pollfd readable = {socket_.get(), POLLIN, 0};
        if (poll(&readable, 1, static_cast<int>(wait.count())) == 0) return std::nullopt;
    }
    shim::Event event;
    for (;;) {
        const ssize_t n = recv(socket_.get(), &event, sizeof event, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return std::nullopt;
        if (n != sizeof event) return gone();
        break;
    }
    event.id[sizeof event.id - 1] = event.reason[sizeof event.reason - 1] = event.boot_id[sizeof event.boot_id - 1] = 0;
    return event;
}

} // namespace stoa::agent
