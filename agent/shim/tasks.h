// Every task the shim knows, and the life of each:
//
//   kRuntime   the OCI runtime makes the container (oci only)
//   kCommit    the process is there and waits; its record has to be synced
//   kGo        it was told to go; exec'ed or failed is not known yet
//   kRunning
//   kDraining  the command has ended; what it left behind is being killed (process only)
//   kEnding    ended or failed; the record has to be synced before anyone hears
//   kEnded     known until the agent forgets it
//
// Events come in through the calls below and only mark what changed. commit(), once a turn of the
// loop, writes all the records of that turn, syncs them with one fdatasync, and only then lets
// processes go and ends be told. A task of an earlier shim that died (adopted) is watched by pidfd:
// its end is seen, its exit status is not.
//
// Owned by the Server and used from its one thread.

#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

#include "agent/shim/journal.h"
#include "agent/shim/sealed_program.h"
#include "agent/shim/shim_protocol.h"

namespace stoa::shim {

enum class TaskPhase { kRuntime, kCommit, kGo, kRunning, kDraining, kEnding, kEnded };

struct Task;

// What an epoll event refers to; `task` is null for the server's own descriptors.
struct Watch {
    enum class Kind { kListener, kAgent, kSignals, kSocket, kPidfd } kind;
    Task* task;
};

struct Task {
    Task* next;
    Task* next_changed;
    Task* next_to_tell;
    bool changed; // in the list of what commit() looks at
    bool to_tell; // in the list of what the agent has to hear
    bool adopted;
    bool kill_wanted;
    bool command_ended; // pid 1 of the container has told the wait status
    bool forgotten;     // freed once no event of this turn can refer to it
    TaskPhase phase;
    pid_t runtime;  // kRuntime: the runtime's process
    int socket;     // to the started process; -1: closed
    int pidfd;      // adopted only
    int outputs[2]; // -1: closed
    char* pid_file; // kRuntime
    char* runtime_log;
    char** cgroups; // kRuntime: to be entered by the container's pid 1
    std::uint32_t cgroup_count;
    char** mounts; // kRuntime: to be compared with what the runtime has mounted
    std::uint32_t mount_count;
    void* description; // holds these
    Watch socket_watch;
    Watch pidfd_watch;
    Record record;
};

class Tasks {
public:
    bool open(int run_directory, int epoll, const rlimit& open_files);

    std::uint32_t damagedRecords() const { return journal_.damagedRecords(); }
    bool anyAlive() const;

    void spawn(const char* id, int memfd);
    void signal(const char* id, int signo);
    void kill(const char* id);
    void forget(const char* id);
    void tellAll();

    void onSocket(Task& task);
    void onPidfd(Task& task);
    void onChild(pid_t pid, int wait_status, const rusage& usage);

    // How long until onTimer() has something to do, in milliseconds; -1: nothing.
    int timeoutMillis() const;
    void onTimer(std::int64_t now_millis);

    void commit();

    // Before the shim ends: what waited for the next sync.
    void finish() { journal_.sync(); }

    // Frees what was forgotten. After it no event of this turn may be looked at.
    void collectForgotten();

    // Events for the agent, oldest first; popToTell() once the first was sent.
    bool firstToTell(Event* event) const;
    void popToTell();
    void tellNobody();

private:
    Task* find(const char* id);
    Task* add(const char* id);
    void change(Task& task);
    void tell(Task& task);
    void watch(int fd, Watch* watch);
    void adopt(Task& task);

    // With nothing of it alive; and with a process that is killed, whose end is then the failure.
    void fail(Task& task, const char* format, ...) __attribute__((format(printf, 3, 4)));
    void doom(Task& task, const char* format, ...) __attribute__((format(printf, 3, 4)));
    void end(Task& task);
    void ended(Task& task, int wait_status);
    void endedUnknown(Task& task, const char* reason);
    void drain(Task& task);
    void runtimeEnded(Task& task, int wait_status);
    bool enterCgroups(Task& task);
    void go(Task& task);
    void running(Task& task);
    bool syncChanged();

    int run_directory_ = -1;
    int epoll_ = -1;
    int null_ = -1;
    rlimit open_files_ = {};
    char boot_id_[kBootIdSize] = {};
    Journal journal_;
    SealedProgram runtime_;
    Task* tasks_ = nullptr;
    Task* changed_ = nullptr;
    Task* first_to_tell_ = nullptr;
    Task* last_to_tell_ = nullptr;
    size_t count_ = 0;
    bool journal_failed_ = false;
    std::int64_t outputs_checked_millis_ = 0;
};

} // namespace stoa::shim
