#include "agent/shim/server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/shim/host_view.h"

namespace stoa::shim {
namespace {

std::int64_t nowMillis() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1000} + now.tv_nsec / 1'000'000;
}

bool failed(const char* what) {
    fprintf(stderr, "stoa-shim: %s: %m\n", what);
    return false;
}

void watch(int epoll, int fd, Watch* watch) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = watch;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// What an agent kept to be used again or found busy, and then ended. One that is in use stays; so do its files.
void removeDirectoriesBelow(const char* cgroup) {
    DIR* directory = opendir(cgroup);
    if (!directory) return;
    while (const dirent* entry = readdir(directory))
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
    closedir(directory);
}

// The task directories' parents: whoever is last takes them away. One in use stays.
void removeCgroups(int run_directory) {
    const int fd = openat(run_directory, kCgroupsName, O_RDONLY | O_CLOEXEC);
    FILE* file = fd >= 0 ? fdopen(fd, "r") : nullptr;
    if (!file) return;
    char line[kCgroupSize];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        removeDirectoriesBelow(line);
        rmdir(line);
    }
    fclose(file);
}

} // namespace

bool Server::open(int run_directory) {
    run_directory_ = run_directory;
    started_millis_ = timer_millis_ = nowMillis();
    rlimit open_files, raised;
    getrlimit(RLIMIT_NOFILE, &open_files);
    raised = {open_files.rlim_max, open_files.rlim_max}; // three a task; tasks get what we got
    setrlimit(RLIMIT_NOFILE, &raised);

    for (int signo = 1; signo < SIGRTMIN; ++signo) ::signal(signo, SIG_DFL); // tasks inherit "ignored"
    sigset_t handled;
    sigemptyset(&handled);
    constexpr int kHandled[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    for (const int signo : kHandled) sigaddset(&handled, signo);
    sigprocmask(SIG_SETMASK, &handled, nullptr);
    signals_ = signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (signals_ < 0 || epoll_ < 0) return failed("epoll");
    watch(epoll_, signals_, &signals_watch_);
    if (!tasks_.open(run_directory, epoll_, open_files)) return failed(kJournalName);
    return listenForAgents() || failed(kSocketName);
}

bool Server::listenForAgents() {
    // Relative to the working directory, which is the run directory: an address has 107 bytes only.
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", kSocketName);
    unlink(kSocketName);
    listener_ = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 8) != 0)
        return false;
    watch(epoll_, listener_, &listener_watch_);
    return true;
}

int Server::run() {
    for (;;) {
        std::int64_t now = nowMillis();
        if (finished(now)) break;
        epoll_event events[64];
        const int count = epoll_wait(epoll_, events, 64, waitMillis(now));
        for (int i = 0; i < count; ++i) {
            const Watch& watch = *static_cast<Watch*>(events[i].data.ptr);
            switch (watch.kind) {
            case Watch::Kind::kListener: acceptAgent(); break;
            case Watch::Kind::kAgent: onAgent(); break;
            case Watch::Kind::kSignals: onSignals(); break;
            // A socket or pidfd may have been closed earlier in this turn.
            case Watch::Kind::kSocket:
                if (watch.task->socket >= 0) tasks_.onSocket(*watch.task);
                break;
            case Watch::Kind::kPidfd:
                if (watch.task->pidfd >= 0) tasks_.onPidfd(*watch.task);
                break;
            }
        }
        // Before the timer: a process that was killed keeps its cgroup busy until it is reaped.
        reapChildren();
        now = nowMillis();
        const int timeout = tasks_.timeoutMillis();
        if (timeout >= 0 && now - timer_millis_ >= timeout) {
            timer_millis_ = now;
            tasks_.onTimer(now);
        }
        tasks_.commit();
        sendEvents();
        tasks_.collectForgotten();
    }
    tasks_.finish();
    unlink(kSocketName);
    awaitTheKilled();
    removeCgroups(run_directory_);
    return 0;
}

// A process that was killed is no longer listed in its cgroup some time before it has left it.
void Server::awaitTheKilled() {
    const std::int64_t until = nowMillis() + kKilledMillis;
    for (;;) {
        signalfd_siginfo ignored;
        while (read(signals_, &ignored, sizeof ignored) > 0) continue;
        pid_t child;
        while ((child = waitpid(-1, nullptr, WNOHANG)) > 0) continue;
        const std::int64_t left = until - nowMillis();
        if (child < 0 || left <= 0) return;
        pollfd death = {signals_, POLLIN, 0};
        poll(&death, 1, static_cast<int>(left));
    }
}

bool Server::finished(std::int64_t now_millis) const {
    if (tasks_.anyAlive()) return false;
    if (told_to_end_) return true;
    return agent_ < 0 && (had_agent_ || now_millis - started_millis_ >= kFirstAgentMillis);
}

int Server::waitMillis(std::int64_t now_millis) const {
    int wait = tasks_.timeoutMillis();
    if (wait >= 0) {
        const std::int64_t left = timer_millis_ + wait - now_millis;
        wait = left > 0 ? static_cast<int>(left) : 0;
    }
    if (!had_agent_ && (wait < 0 || wait > kFirstAgentMillis)) wait = kFirstAgentMillis;
    return wait;
}

// ---- The agent -----------------------------------------------------------------------------------

void Server::acceptAgent() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    ucred peer = {};
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || (peer.uid != geteuid() && peer.uid != 0)) {
        close(fd);
        return;
    }
    dropAgent();
    agent_ = fd;
    had_agent_ = true;
    watch(epoll_, agent_, &agent_watch_);
    Event hello = {};
    hello.kind = EventKind::kHello;
    hello.version = kProtocolVersion;
    hello.damaged_records = tasks_.damagedRecords();
    sendEvent(hello);
}

void Server::dropAgent() {
    if (agent_ >= 0) close(agent_);
    agent_ = -1;
    list_end_owed_ = waits_to_send_ = false;
    tasks_.tellNobody();
}

void Server::onAgent() {
    constexpr int kAtOnce = 64; // then children and journal get their turn
    for (int i = 0; i < kAtOnce && agent_ >= 0; ++i) {
        Request request;
        iovec data = {&request, sizeof request};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        msghdr message = {};
        message.msg_iov = &data;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const ssize_t n = recvmsg(agent_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) return dropAgent();
        int memfd = -1;
        const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&memfd, CMSG_DATA(header), sizeof memfd);
        request.id[sizeof request.id - 1] = '\0';
        if (n == sizeof request) onRequest(request, memfd);
        if (memfd >= 0) close(memfd);
    }
}

void Server::onRequest(const Request& request, int memfd) {
    switch (request.kind) {
    case RequestKind::kSpawn: return tasks_.spawn(request.id, memfd);
    case RequestKind::kSignal: return tasks_.signal(request.id, request.value);
    case RequestKind::kKill: return tasks_.kill(request.id);
    case RequestKind::kForget: return tasks_.forget(request.id);
    case RequestKind::kList:
        tasks_.tellAll();
        list_end_owed_ = true;
        return;
    case RequestKind::kMakeHostView: {
        Event event = {};
        event.kind = EventKind::kHostView;
        makeHostView(request.value == 1, event.reason, sizeof event.reason);
        sendEvent(event);
        return;
    }
    }
}

bool Server::sendEvent(const Event& event) {
    return send(agent_, &event, sizeof event, MSG_DONTWAIT | MSG_NOSIGNAL) == sizeof event;
}

void Server::sendEvents() {
    if (agent_ < 0) return tasks_.tellNobody();
    Event event;
    bool sent = true;
    while (sent && tasks_.firstToTell(&event)) {
        sent = event.state == TaskState::kForgotten || sendEvent(event);
        if (sent) tasks_.popToTell();
    }
    if (sent && list_end_owed_) {
        Event end = {};
        end.kind = EventKind::kListEnd;
        sent = sendEvent(end);
        if (sent) list_end_owed_ = false;
    }
    // The agent is slow: wait until it has read. A dead one shows as end of file.
    if (sent != waits_to_send_) return;
    waits_to_send_ = !sent;
    epoll_event interest = {};
    interest.events = sent ? EPOLLIN : EPOLLIN | EPOLLOUT;
    interest.data.ptr = &agent_watch_;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, agent_, &interest);
}

// ---- Signals -------------------------------------------------------------------------------------

void Server::onSignals() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) == sizeof info) {
        // Of a machine that shuts down, mostly: tasks get theirs, and their ends are still written down.
        if (info.ssi_signo != SIGCHLD) told_to_end_ = true;
    }
}

void Server::reapChildren() {
    for (;;) {
        int status;
        rusage usage;
        const pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid <= 0) return;
        tasks_.onChild(pid, status, usage);
    }
}

} // namespace stoa::shim
