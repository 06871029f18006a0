/* The interface between the allocator and a module that decides who comes next and where it is placed. In C, so that
 * a module may be built with another compiler, library version or sanitizer, or in another language. A module in C++
 * uses module_face.h instead, which is over this and no thicker than it looks.
 *
 * A module is a shared object that exports
 *
 *     const struct stoa_allocator_module_v1* stoa_allocator_v1(void);
 *
 * One turn of the allocator goes
 *
 *     begin(contenders)                     who wants something and may get something in this turn
 *     while (next() is a client)            who comes next
 *         place(request, candidates)        on which agent, and how many of the shape
 *         charged(client)                   it was granted; its holdings in the view have grown
 *      or retired(client)                   nothing is left for it in this turn
 *
 * The host owns all state: what frameworks hold, which pairs may be looked at, what fits. A module sees it in a view,
 * orders and places. An answer that breaks a rule (a client that doesn't contend, an agent that isn't eligible, more
 * than fits or is wanted) is ignored, counted and logged, so that a wrong module costs fairness and never safety.
 *
 * Clients (a framework in one of its roles), roles and agents are dense numbers, used again after their owner is gone;
 * between turns a module keeps none of them. Amounts are thousandths in the order cpus, mem, disk, gpus. A module has
 * no clock, starts no thread, and draws chance from host->random alone, so that a cluster replays from one seed. Ties
 * are broken by number, not by the order in which spans happen to be. stoa-allocator-check looks for all this.
 *
 * Structs start with their size and are only ever appended to; elements of spans are `stride` bytes apart. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STOA_ALLOCATOR_ABI 1u
#define STOA_ALLOCATOR_NONE UINT32_MAX
#define STOA_ALLOCATOR_SCALARS 4
#define STOA_ALLOCATOR_SYMBOL "stoa_allocator_v1"

/* A framework in one of its roles. */
struct stoa_allocator_client_v1 {
    int64_t held[STOA_ALLOCATOR_SCALARS]; /* offered to it and used by its tasks */
    uint32_t framework;
    uint32_t role;
    uint32_t units; /* pieces in its open offers: a demand's shape counts each, a remainder once */
    uint32_t tasks;
};

struct stoa_allocator_role_v1 {
    int64_t held[STOA_ALLOCATOR_SCALARS]; /* by all its clients */
    int64_t weight;                       /* thousandths, at least 1 */
};

struct stoa_allocator_agent_v1 {
    int64_t free[STOA_ALLOCATOR_SCALARS];
    int64_t total[STOA_ALLOCATOR_SCALARS];
};

/* Valid during the call that it is given to. */
struct stoa_allocator_view_v1 {
    uint32_t size;
    uint32_t client_stride;
    uint32_t role_stride;
    uint32_t agent_stride;
    const struct stoa_allocator_client_v1* clients;
    const struct stoa_allocator_role_v1* roles;
    const struct stoa_allocator_agent_v1* agents;
    uint32_t client_count;
    uint32_t role_count;
    uint32_t agent_count;
    uint32_t reserved;
    int64_t total[STOA_ALLOCATOR_SCALARS]; /* of all agents */
};

struct stoa_allocator_request_v1 {
    uint32_t size;
    uint32_t client;
    uint32_t wanted; /* pieces at most; 0: whatever is free on one agent, whole */
    uint32_t gang;   /* 1: of a gang, placed as a whole in calls that follow each other; only the last is charged */
    int64_t shape[STOA_ALLOCATOR_SCALARS]; /* of one piece; 0 for a remainder */
};

struct stoa_allocator_placement_v1 {
    uint32_t agent; /* STOA_ALLOCATOR_NONE: nowhere, in this turn */
    uint32_t count; /* pieces, 1 … wanted; unread for a remainder */
};

struct stoa_allocator_host_v1 {
    uint32_t size;
    uint32_t abi;
    void* context;
    /* Uniform in [0, bound); only between begin() and the last retired() of a turn. */
    uint64_t (*random)(void* context, uint64_t bound);
    void (*log)(void* context, const char* text, size_t length);
};

struct stoa_allocator_module_v1 {
    uint32_t size;
    uint32_t abi; /* STOA_ALLOCATOR_ABI it was built for */
    const char* name;

    /* NULL refuses the parameters; the reason, ended by a zero, goes to error. The host outlives the instance. */
    void* (*create)(const struct stoa_allocator_host_v1* host, const char* parameters, size_t length, char* error,
                    size_t error_size);
    void (*destroy)(void* self);

    void (*begin)(void* self, const struct stoa_allocator_view_v1* view, const uint32_t* contenders, uint32_t count);
    /* A contender that isn't retired, or STOA_ALLOCATOR_NONE to end the turn. */
    uint32_t (*next)(void* self, const struct stoa_allocator_view_v1* view);
    /* Candidates are a sample of eligible agents on which at least one piece fits; another agent may be named. */
    struct stoa_allocator_placement_v1 (*place)(void* self, const struct stoa_allocator_view_v1* view,
                                                const struct stoa_allocator_request_v1* request,
                                                const uint32_t* candidates, uint32_t count);
    void (*charged)(void* self, const struct stoa_allocator_view_v1* view, uint32_t client);
    void (*retired)(void* self, const struct stoa_allocator_view_v1* view, uint32_t client);
};

#ifdef __cplusplus
}
#endif
