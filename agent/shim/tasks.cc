#include "agent/shim/tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern "C" { // glibc 2.36 forgot
#include <sys/pidfd.h>
}

#include "agent/shim/output.h"
#include "agent/shim/processes.h"
#include "agent/shim/spawn.h"
#include "agent/shim/user_mounts.h"

namespace stoa::shim {
namespace {

// How soon to look again for processes that got away from a SIGKILL, or at a journal that fails.
constexpr int kRetryMillis = 10;

constexpr char kJournalFailed[] = "the shim cannot write its journal in its run directory";

void closeFd(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
}

void copyText(char* to, size_t size, const char* from) { snprintf(to, size, "%s", from); }

void freeDescription(Task& task) {
    free(task.description);
    task.description = nullptr;
}

// The runtime's own words: the last line of its log, in which both crun and runc explain a failure.
void readLastLine(const char* path, char* line, size_t size) {
    line[0] = '\0';
    FILE* file = fopen(path, "re");
    if (!file) return;
    char* text = nullptr;
    size_t capacity = 0;
    while (getline(&text, &capacity, file) > 0) copyText(line, size, text);
    free(text);
    fclose(file);
    line[strcspn(line, "\n")] = '\0';
}

TaskProcesses processesOf(const Task& task) {
    return {task.record.id, task.record.cgroup, task.record.pid, task.record.start_time};
}

bool alive(const Task& task) { return task.phase != TaskPhase::kEnding && task.phase != TaskPhase::kEnded; }

} // namespace

// ---- The table -----------------------------------------------------------------------------------

bool Tasks::open(int run_directory, int epoll, const rlimit& open_files) {
    run_directory_ = run_directory;
    epoll_ = epoll;
    open_files_ = open_files;
    readBootId(boot_id_);
    null_ = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const auto keep = [](const Record& record, void* self) {
        auto* tasks = static_cast<Tasks*>(self);
        Task* task = tasks->find(record.id);
        if (!task) task = tasks->add(record.id);
        if (task) task->record = record;
    };
    if (null_ < 0 || !journal_.open(run_directory, keep, this)) return false;
    for (Task* task = tasks_; task; task = task->next) adopt(*task);
    commit();
    collectForgotten();
    return true;
}

Task* Tasks::find(const char* id) {
    for (Task* task = tasks_; task; task = task->next)
        if (strcmp(task->record.id, id) == 0 && !task->forgotten) return task;
    return nullptr;
}

Task* Tasks::add(const char* id) {
    auto* task = static_cast<Task*>(calloc(1, sizeof(Task)));
    if (!task) return nullptr;
    copyText(task->record.id, sizeof task->record.id, id);
    copyText(task->record.boot_id, sizeof task->record.boot_id, boot_id_);
    task->socket = task->pidfd = task->outputs[0] = task->outputs[1] = -1;
    task->socket_watch = {Watch::Kind::kSocket, task};
    task->pidfd_watch = {Watch::Kind::kPidfd, task};
    task->next = tasks_;
    tasks_ = task;
    ++count_;
    return task;
}

void Tasks::change(Task& task) {
    if (task.changed) return;
    task.changed = true;
    task.next_changed = changed_;
    changed_ = &task;
}

void Tasks::tell(Task& task) {
    if (task.to_tell) return;
    task.to_tell = true;
    task.next_to_tell = nullptr;
    (first_to_tell_ ? last_to_tell_->next_to_tell : first_to_tell_) = &task;
    last_to_tell_ = &task;
}

void Tasks::tellAll() {
    for (Task* task = tasks_; task; task = task->next)
        if (task->phase != TaskPhase::kEnding) tell(*task); // commit() tells the others
}

void Tasks::tellNobody() {
    while (first_to_tell_) popToTell();
}

bool Tasks::firstToTell(Event* event) const {
    if (!first_to_tell_) return false;
    const Record& record = first_to_tell_->record;
    *event = {};
    event->kind = EventKind::kTask;
    event->state = record.state;
    event->version = kProtocolVersion;
    event->pid = record.pid;
    event->wait_status = record.wait_status;
    event->status_known = record.status_known;
    event->start_time = record.start_time;
    event->cpu_nanos = record.cpu_nanos;
    event->max_memory_bytes = record.max_memory_bytes;
    memcpy(event->boot_id, record.boot_id, sizeof event->boot_id);
    memcpy(event->id, record.id, sizeof event->id);
    memcpy(event->reason, record.reason, sizeof event->reason);
    return true;
}

void Tasks::popToTell() {
    first_to_tell_->to_tell = false;
    first_to_tell_ = first_to_tell_->next_to_tell;
}

void Tasks::watch(int fd, Watch* watch) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.ptr = watch;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
}

bool Tasks::anyAlive() const {
    bool ending = false;
    for (const Task* task = tasks_; task; task = task->next) {
        if (alive(*task)) return true;
        ending |= task->phase == TaskPhase::kEnding;
    }
    // An end that is not on disk yet still has to get there, unless its directory was removed.
    struct stat stat;
    return ending && !(fstat(run_directory_, &stat) == 0 && stat.st_nlink == 0);
}

// ---- After the death of an earlier shim ----------------------------------------------------------

void Tasks::adopt(Task& task) {
    const Record& record = task.record;
    task.adopted = true;
    task.phase = TaskPhase::kEnded;
    if (record.state == TaskState::kForgotten) task.forgotten = true;
    if (record.state != TaskState::kStarting && record.state != TaskState::kLive) return;
    if (strcmp(record.boot_id, boot_id_) != 0) return endedUnknown(task, "the machine was restarted");
    // The pidfd first, then the comparison: so the pidfd can't be of a later process with this pid.
    task.pidfd = pidfd_open(record.pid, 0);
    ProcessStat stat;
    if (task.pidfd < 0 || !readProcessStat(record.pid, &stat) || stat.start_time != record.start_time ||
        stat.state == 'Z') {
        closeFd(task.pidfd);
        return endedUnknown(task, "the shim died, and the task ended before another was there");
    }
    task.phase = TaskPhase::kRunning;
    task.record.state = TaskState::kLive;
    watch(task.pidfd, &task.pidfd_watch);
    if (!openOutputs(record.sandbox, kOwnerAsIs, 0, task.outputs))
        fprintf(stderr, "stoa-shim: %s: output is not capped any more: %m\n", record.id);
}

void Tasks::onPidfd(Task& task) {
    closeFd(task.pidfd);
    endedUnknown(task, "the shim died while the task ran");
}

// ---- Requests ------------------------------------------------------------------------------------

void Tasks::spawn(const char* id, int memfd) {
    if (Task* known = find(id)) return tell(*known); // heard twice
    Task* const task = add(id);
    if (!task) return;
    SpawnDescription description;
    const char* error;
    task->phase = TaskPhase::kCommit;
    if (!readSpawnDescription(memfd, &description, &error)) return fail(*task, "%s", error);
    const SpawnHeader& header = description.header;
    Record& record = task->record;
    task->description = description.memory;
    task->pid_file = const_cast<char*>(description.pid_file);
    task->runtime_log = const_cast<char*>(description.runtime_log);
    task->cgroups = description.cgroups;
    task->cgroup_count = header.cgroup_count;
    task->mounts = description.mounts;
    task->mount_count = header.mount_count;
    record.mode = header.mode;
    record.output_cap_bytes = header.output_cap_bytes;
    copyText(record.sandbox, sizeof record.sandbox, description.sandbox);
    if (header.cgroup_count > 0) copyText(record.cgroup, sizeof record.cgroup, description.cgroups[0]);

    if (journal_failed_) return fail(*task, "%s", kJournalFailed);
    if (!openOutputs(description.sandbox, header.uid, header.gid, task->outputs))
        return fail(*task, "stdout and stderr in the sandbox %.150s: %s", description.sandbox, strerror(errno));
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return fail(*task, "socketpair: %s", strerror(errno));
    const int program = header.mode == TaskMode::kOci ? runtime_.of(description.argv[0]) : -1;
    const SpawnFiles files = {null_, {task->outputs[0], task->outputs[1]}, pair[1], program};
    const pid_t pid = spawnProcess(description, id, files, open_files_);
    close(pair[1]);
    task->socket = pair[0];
    if (pid < 0) return fail(*task, "fork: %s", strerror(errno));
    watch(task->socket, &task->socket_watch);
    record.state = TaskState::kStarting;
    if (header.mode == TaskMode::kOci) {
        task->phase = TaskPhase::kRuntime;
        task->runtime = pid;
        return;
    }
    freeDescription(*task);
    ProcessStat stat = {};
    readProcessStat(pid, &stat);
    record.pid = pid;
    record.start_time = stat.start_time;
    change(*task);
}

void Tasks::signal(const char* id, int signo) {
    Task* const task = find(id);
    if (!task || task->phase != TaskPhase::kRunning) return;
    if (task->adopted)
        pidfd_send_signal(task->pidfd, signo, nullptr, 0);
    else
        ::kill(task->record.pid, signo);
}

void Tasks::kill(const char* id) {
    Task* const task = find(id);
    if (!task || !alive(*task)) return;
    // The first time the runtime is left to finish: a container half made is harder to remove.
    if (task->phase == TaskPhase::kRuntime && task->kill_wanted) ::kill(task->runtime, SIGKILL);
    task->kill_wanted = true;
    if (task->phase == TaskPhase::kRuntime || task->phase == TaskPhase::kCommit) return;
    if (task->record.mode == TaskMode::kProcess) killAll(processesOf(*task));
    if (task->phase == TaskPhase::kDraining) return;
    // The end of a container's pid 1 is the end of all in it.
    if (task->adopted)
        pidfd_send_signal(task->pidfd, SIGKILL, nullptr, 0);
    else
        ::kill(task->record.pid, SIGKILL);
}

void Tasks::forget(const char* id) {
    Task* const task = find(id);
    if (!task || task->phase != TaskPhase::kEnded) return;
    task->forgotten = true;
    task->record.state = TaskState::kForgotten;
    // Goes to disk with whatever is synced next: a forgotten task that comes back is forgotten again.
    journal_.append(task->record);
}

// ---- The life of a task --------------------------------------------------------------------------

void Tasks::fail(Task& task, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(task.record.reason, sizeof task.record.reason, format, arguments);
    va_end(arguments);
    task.record.state = TaskState::kFailed;
    end(task);
}

void Tasks::doom(Task& task, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(task.record.reason, sizeof task.record.reason, format, arguments);
    va_end(arguments);
    task.record.state = TaskState::kFailed;
    closeFd(task.socket);
    if (task.phase == TaskPhase::kRuntime) return;
    ::kill(task.record.pid, SIGKILL);
    task.phase = TaskPhase::kGo;
}

void Tasks::end(Task& task) {
    if (task.record.output_cap_bytes > 0) capOutputs(task.record.sandbox, task.outputs, task.record.output_cap_bytes);
    closeFd(task.socket);
    closeFd(task.outputs[0]);
    closeFd(task.outputs[1]);
    freeDescription(task);
    task.phase = TaskPhase::kEnding;
    change(task);
}

void Tasks::ended(Task& task, int wait_status) {
    if (!task.command_ended) task.record.wait_status = wait_status;
    task.record.status_known = 1;
    task.record.state = TaskState::kExited;
    drain(task);
}

void Tasks::endedUnknown(Task& task, const char* reason) {
    copyText(task.record.reason, sizeof task.record.reason, reason);
    task.record.state = TaskState::kExited;
    drain(task);
}

void Tasks::drain(Task& task) {
    // Of another boot, that is: these pids are somebody else's now.
    const bool ours = strcmp(task.record.boot_id, boot_id_) == 0;
    if (ours && task.record.mode == TaskMode::kProcess && killAll(processesOf(task)) > 0)
        task.phase = TaskPhase::kDraining;
    else
        end(task);
}

void Tasks::onSocket(Task& task) {
    StartReport report;
    ssize_t n = recv(task.socket, &report, sizeof report, MSG_DONTWAIT);
    // It was gone before it read the word to go, which is told first and once; its own last word is still there.
    if (n < 0 && errno == ECONNRESET) n = recv(task.socket, &report, sizeof report, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n == sizeof report) {
        report.what[sizeof report.what - 1] = '\0';
        // The command may have got at the socket of its container's pid 1, so a report is believed only
        // where it fits.
        if (report.kind == ReportKind::kFailed && task.phase != TaskPhase::kRunning)
            return doom(task, "%s: %s", report.what, strerror(report.value));
        if (report.kind == ReportKind::kRunning && task.phase == TaskPhase::kGo) running(task);
        if (report.kind == ReportKind::kEnded && task.phase == TaskPhase::kRunning) {
            task.record.wait_status = report.value;
            task.command_ended = true;
        }
        return;
    }
    closeFd(task.socket);
    // A command's socket closes by exec. A container's pid 1 keeps it: that is its end.
    if (task.phase == TaskPhase::kGo && task.record.mode == TaskMode::kProcess) running(task);
}

void Tasks::running(Task& task) {
    task.phase = TaskPhase::kRunning;
    task.record.state = TaskState::kLive; // on disk kStarting will do: pid and start time are there
    tell(task);
}

void Tasks::onChild(pid_t pid, int wait_status, const rusage& usage) {
    Task* task = tasks_;
    while (task && !(alive(*task) && (task->phase == TaskPhase::kRuntime ? task->runtime : task->record.pid) == pid))
        task = task->next;
    if (!task || task->adopted || task->phase == TaskPhase::kDraining) return; // an orphan
    if (task->phase == TaskPhase::kRuntime) return runtimeEnded(*task, wait_status);
    // What it had to say before it ended is still in the socket.
    while (task->socket >= 0) {
        const int before = task->socket;
        char more;
        if (recv(before, &more, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN) break;
        onSocket(*task);
    }
    task->record.cpu_nanos = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * std::int64_t{1'000'000'000} +
                             (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * std::int64_t{1'000};
    task->record.max_memory_bytes = usage.ru_maxrss * std::int64_t{1024};
    if (task->record.state == TaskState::kFailed) return end(*task);
    if (task->phase != TaskPhase::kRunning)
        return fail(*task, task->kill_wanted ? "killed before it ran" : "ended before it ran");
    ended(*task, wait_status);
}

void Tasks::runtimeEnded(Task& task, int wait_status) {
    if (task.record.state == TaskState::kFailed) return end(task); // it was not even exec'ed
    if (wait_status != 0) {
        if (task.kill_wanted) return fail(task, "killed before it ran");
        char line[kReasonSize - 64];
        readLastLine(task.runtime_log, line, sizeof line);
        if (line[0]) return fail(task, "the runtime failed: %s", line);
        return fail(task, "the runtime ended with wait status %d and no message", wait_status);
    }
    FILE* file = fopen(task.pid_file, "re");
    int pid = 0;
    const bool read = file && fscanf(file, "%d", &pid) == 1;
    if (file) fclose(file);
    ProcessStat stat, parent;
    if (!read || !readProcessStat(pid, &stat)) return fail(task, "the runtime made no container");
    // crun goes into the background by a fork, and that one may need another moment to end.
    if (stat.parent != getpid() && !(readProcessStat(stat.parent, &parent) && parent.parent == getpid()))
        return fail(task, "the runtime's pid file names process %d, which is not the container", pid);
    task.record.pid = pid;
    task.record.start_time = stat.start_time;
    task.phase = TaskPhase::kCommit;
    for (std::uint32_t i = 0; i < task.mount_count; ++i)
        if (!isMountedAsSeen(pid, task.mounts[i]))
            return doom(task, "%.150s was exchanged while the container was made", strchr(task.mounts[i], '/'));
    if (!enterCgroups(task)) return doom(task, "cannot put the container into its cgroup: %s", strerror(errno));
    freeDescription(task);
    change(task);
}

bool Tasks::enterCgroups(Task& task) {
    for (std::uint32_t i = 0; i < task.cgroup_count; ++i) {
        char path[kCgroupSize + 32], text[16];
        snprintf(path, sizeof path, "%s/cgroup.procs", task.cgroups[i]);
        const int length = snprintf(text, sizeof text, "%d", task.record.pid);
        const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0) return false;
        const bool written = write(fd, text, static_cast<size_t>(length)) == length;
        const int why = errno;
        close(fd);
        errno = why;
        if (!written) return false;
    }
    return true;
}

void Tasks::go(Task& task) {
    if (task.kill_wanted) return doom(task, "killed before it ran");
    task.phase = TaskPhase::kGo;
    send(task.socket, "g", 1, MSG_NOSIGNAL);
}

// ---- The turn of the loop ------------------------------------------------------------------------

int Tasks::timeoutMillis() const {
    int timeout = journal_failed_ ? kOutputCheckMillis : -1;
    for (const Task* task = tasks_; task; task = task->next) {
        if (task->phase == TaskPhase::kDraining) return kRetryMillis;
        if (task->phase == TaskPhase::kRunning && task->record.output_cap_bytes > 0) timeout = kOutputCheckMillis;
    }
    return timeout;
}

void Tasks::onTimer(std::int64_t now_millis) {
    const bool check_outputs = now_millis - outputs_checked_millis_ >= kOutputCheckMillis;
    if (check_outputs) outputs_checked_millis_ = now_millis;
    for (Task* task = tasks_; task; task = task->next) {
        if (task->phase == TaskPhase::kDraining) drain(*task);
        if (check_outputs && task->phase == TaskPhase::kRunning && task->record.output_cap_bytes > 0)
            capOutputs(task->record.sandbox, task->outputs, task->record.output_cap_bytes);
    }
}

bool Tasks::syncChanged() {
    if (!journal_.shouldRewrite(count_)) {
        for (Task* task = changed_; task; task = task->next_changed) journal_.append(task->record);
        if (journal_.sync()) return true;
    }
    journal_.startRewrite();
    for (Task* task = tasks_; task; task = task->next)
        if (!task->forgotten && task->phase != TaskPhase::kRuntime) journal_.append(task->record);
    return journal_.finishRewrite();
}

void Tasks::commit() {
    if (!changed_) return;
    const bool synced = syncChanged();
    if (!synced && !journal_failed_) fprintf(stderr, "stoa-shim: cannot write the journal: %m\n");
    journal_failed_ = !synced;
    Task* task = changed_;
    changed_ = nullptr;
    while (task) {
        Task* const next = task->next_changed;
        task->changed = false;
        if (task->phase == TaskPhase::kCommit) {
            if (synced)
                go(*task);
            else
                doom(*task, "%s", kJournalFailed);
        } else if (task->phase == TaskPhase::kEnding && task->record.state == TaskState::kExited && !synced) {
            change(*task); // an end is told when it is on disk, however long that takes
        } else if (task->phase == TaskPhase::kEnding) {
            task->phase = TaskPhase::kEnded;
            tell(*task);
        }
        task = next;
    }
}

void Tasks::collectForgotten() {
    for (Task** link = &tasks_; *link;) {
        Task* const task = *link;
        if (!task->forgotten || task->to_tell || task->changed) {
            link = &task->next;
            continue;
        }
        *link = task->next;
        --count_;
        free(task);
    }
}

} // namespace stoa::shim
