/* What `stoa framework run` finds in a framework plug-in: a shared object, built out of the tree, that brings a
 * scheduler and leaves finding the master, flags, signals, and the keeping of id and state to the one who runs it. In C,
 * so that whatever SDK the plug-in was built with, the two can first tell each other so. A plug-in in C++ uses
 * plugin_face.h instead, which is over this.
 *
 * A plug-in exports
 *
 *     const struct stoa_framework_plugin_v1* stoa_framework_v1(void);
 *
 * One run of it goes
 *
 *     create(host, flags) -> self       its flags are read, its state is opened
 *     run(self)                         blocks until the framework has ended
 *     stop(self)                        from another thread, meanwhile: run() returns soon, tasks go on
 *     destroy(self)
 *
 * The plug-in brings its own SDK (libstoa.so, whose soname bears STOA_SDK_ABI): no C++ type crosses this border, no
 * exception leaves it. Structs start with their size and are only ever appended to. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of what is declared here. */
#define STOA_FRAMEWORK_ABI 1u
#define STOA_FRAMEWORK_SYMBOL "stoa_framework_v1"
/* Of the SDK's classes, and so of libstoa.so.N: it changes when programs built before would break. */
#define STOA_SDK_ABI 0

/* Exit codes, as the `stoa` command has them. */
#define STOA_FRAMEWORK_OK 0
#define STOA_FRAMEWORK_FAILED 1
#define STOA_FRAMEWORK_USAGE 2

/* Valid during create(). */
struct stoa_framework_host_v1 {
    uint32_t size;
    uint32_t abi;
    const char* master;    /* what the driver dials: host:port, or zk://host:port,host:port/path */
    const char* name;      /* of the framework, for people */
    const char* user;      /* as whom its tasks run; empty: the agents' unprivileged user */
    const char* directory; /* exists, and is this framework's alone: its id and state are kept there */
};

struct stoa_framework_plugin_v1 {
    uint32_t size;
    uint32_t abi;        /* STOA_FRAMEWORK_ABI it was built for */
    const char* name;    /* letters, digits, '.', '_', '-' */
    const char* summary; /* one line, for --help */

    /* Its flags for --help, a line each. Lives as long as the object is loaded. */
    const char* (*usage)(void);
    /* STOA_FRAMEWORK_OK and *self, or another code and the reason, ended by a zero, in error. */
    int (*create)(const struct stoa_framework_host_v1* host, const char* const* flags, size_t count, void** self,
                  char* error, size_t error_size);
    int (*run)(void* self, char* error, size_t error_size);
    void (*stop)(void* self);
    void (*destroy)(void* self);
};

#ifdef __cplusplus
}
#endif
