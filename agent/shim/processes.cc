#include "agent/shim/processes.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

namespace stoa::shim {
namespace {

// Reads the start of a file; a file of /proc needs no second read for what is looked at here.
ssize_t readFile(const char* path, char* buffer, size_t size) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    const ssize_t n = read(fd, buffer, size - 1);
    close(fd);
    if (n >= 0) buffer[n] = '\0';
    return n;
}

bool writeFile(const char* directory, const char* name, const char* text) {
    char path[kCgroupSize + 32];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool written = write(fd, text, strlen(text)) >= 0;
    close(fd);
    return written;
}

int killCgroup(const char* cgroup) {
    char path[kCgroupSize + 32];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    FILE* file = fopen(path, "re");
    if (!file) return 0; // removed: nothing is in it
    int count = 0;
    long pid;
    while (fscanf(file, "%ld", &pid) == 1) {
        // v1 has no atomic kill: forbid forks first, so that the listing can only shrink.
        if (count++ == 0 && !writeFile(cgroup, "cgroup.kill", "1")) writeFile(cgroup, "pids.max", "0");
        kill(static_cast<pid_t>(pid), SIGKILL);
    }
    fclose(file);
    return count;
}

bool carriesMark(pid_t pid, const char* id) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%d/environ", pid);
    FILE* file = fopen(path, "re");
    if (!file) return false;
    const size_t name = sizeof kTaskVariable - 1;
    char* line = nullptr;
    size_t capacity = 0;
    bool found = false;
    while (!found && getdelim(&line, &capacity, '\0', file) > 0)
        found = strncmp(line, kTaskVariable, name) == 0 && line[name] == '=' && strcmp(line + name + 1, id) == 0;
    free(line);
    fclose(file);
    return found;
}

struct Candidate {
    ProcessStat stat;
    bool member;
};

struct Candidates {
    Candidate* all = nullptr;
    size_t count = 0;
    size_t capacity = 0;

    // Only processes that are not older than the task: its members can't be.
    void consider(pid_t pid, const TaskProcesses& task) {
        ProcessStat stat;
        if (!readProcessStat(pid, &stat)) return;
        if (stat.start_time < task.start_time || stat.state == 'Z') return;
        if (count == capacity) {
            const size_t larger = capacity ? 2 * capacity : 64;
            auto* moved = static_cast<Candidate*>(realloc(all, larger * sizeof(Candidate)));
            if (!moved) return;
            all = moved;
            capacity = larger;
        }
        all[count++] = {stat, false};
    }
};

// The pid given out last when the task is so young that the counter can't have gone round since it
// began, and few were given out; else 0. Most tasks of a busy agent end like this, and trying a few
// pids costs a hundredth of a walk through /proc.
pid_t lastPidOfYoungTask(const TaskProcesses& task) {
    constexpr pid_t kFew = 256;
    timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    const std::uint64_t ticks_per_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
    if (static_cast<std::uint64_t>(now.tv_sec) > task.start_time / ticks_per_second + 1) return 0;
    char text[128];
    pid_t last = 0;
    if (readFile("/proc/loadavg", text, sizeof text) <= 0 || sscanf(text, "%*s %*s %*s %*s %d", &last) != 1) return 0;
    return last >= task.first && last - task.first <= kFew ? last : 0;
}

void listCandidates(const TaskProcesses& task, Candidates* candidates) {
    if (const pid_t last = lastPidOfYoungTask(task)) {
        for (pid_t pid = task.first; pid <= last; ++pid) candidates->consider(pid, task);
        return;
    }
    DIR* proc = opendir("/proc");
    if (!proc) return;
    while (const dirent* entry = readdir(proc))
        if (isdigit(static_cast<unsigned char>(entry->d_name[0]))) candidates->consider(atoi(entry->d_name), task);
    closedir(proc);
}

int killDescendants(const TaskProcesses& task) {
    Candidates found;
    listCandidates(task, &found);
    Candidate* const candidates = found.all;
    const size_t count = found.count;
    const pid_t self = getpid();
    // Its session's number can have become another's only once nothing is left in that session.
    ProcessStat first;
    const bool reused = readProcessStat(task.first, &first) && first.start_time != task.start_time;
    for (size_t i = 0; i < count; ++i) {
        const ProcessStat& stat = candidates[i].stat;
        candidates[i].member = (stat.pid == task.first && stat.start_time == task.start_time) ||
                               (stat.session == task.first && !reused) ||
                               (stat.parent == self && carriesMark(stat.pid, task.id));
    }
    bool grown = true;
    while (grown) {
        grown = false;
        for (size_t i = 0; i < count; ++i) {
            for (size_t j = 0; j < count && !candidates[i].member; ++j) {
                if (candidates[j].member && candidates[i].stat.parent == candidates[j].stat.pid)
                    candidates[i].member = grown = true;
            }
        }
    }
    int killed = 0;
    for (size_t i = 0; i < count; ++i)
        if (candidates[i].member && kill(candidates[i].stat.pid, SIGKILL) == 0) ++killed;
    free(candidates);
    return killed;
}

} // namespace

bool readProcessStat(pid_t pid, ProcessStat* stat) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (readFile(path, text, sizeof text) <= 0) return false;
    // The command's name may hold anything, a ')' too: fields count from the last one.
    const char* rest = strrchr(text, ')');
    if (!rest) return false;
    unsigned long long start_time;
    if (sscanf(rest + 1, " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &stat->state,
               &stat->parent, &stat->session, &start_time) != 4)
        return false;
    stat->pid = pid;
    stat->start_time = start_time;
    return true;
}

void readBootId(char (&boot_id)[kBootIdSize]) {
    if (readFile("/proc/sys/kernel/random/boot_id", boot_id, sizeof boot_id) < 0) boot_id[0] = '\0';
    boot_id[strcspn(boot_id, "\n")] = '\0';
}

int killAll(const TaskProcesses& task) { return task.cgroup[0] ? killCgroup(task.cgroup) : killDescendants(task); }

} // namespace stoa::shim
