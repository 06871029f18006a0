// Starts one process of a task: the command itself, or the runtime that makes its container. The
// process gets the task's files as standard output and error, /dev/null as input, a socket to the
// shim as kGoFd and nothing else; a command changes to its cgroups, directory and user, waits for
// the word to go, and is exec'ed. What fails before that is reported through the socket.
//
// SpawnDescription is a request's memfd, read and checked. Used from the shim's one thread.

#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include "agent/shim/shim_protocol.h"

namespace stoa::shim {

struct SpawnDescription {
    SpawnHeader header;
    const char* sandbox;
    const char* directory; // where the command starts
    const char* pid_file;
    const char* runtime_log;
    char** argv;        // ends with a null pointer
    char** environment; // likewise
    char** cgroups;     // header.cgroup_count of them
    char** mounts;      // likewise
    void* memory;       // holds all of the above
};

// Null when something is wrong, and says what. Freed with free(description->memory).
bool readSpawnDescription(int memfd, SpawnDescription* description, const char** error);

struct SpawnFiles {
    int null;
    int outputs[2];
    int socket;  // the started process's end
    int program; // to be executed instead of the file argv[0]; -1: none
};

// The pid, or -1 with errno.
pid_t spawnProcess(const SpawnDescription& description, const char* id, const SpawnFiles& files,
                   const rlimit& open_files);

} // namespace stoa::shim
