// System calls that need no C library: they work before its start-up has run, touch no thread-local errno, and may be made
// by a child that shares its parent's memory. Each gives what the kernel gives: a negative errno for a failure.
// Used by pid 1 of containers (init.h) alone.

#pragma once

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <type_traits>

namespace stoa::shim::bare {

#if defined(__x86_64__)

inline long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

// As vfork(), but the child runs run(argument) on a stack of its own, so that it can't spoil its parent's.
inline long vfork(void* stack_end, void (*run)(void*), void* argument) {
    register long r10 asm("r10") = 0;
    register long r8 asm("r8") = 0;
    register void (*function)(void*) asm("r12") = run;
    register void* parameter asm("r13") = argument;
    long result;
    asm volatile("syscall\n\t"
                 "test %%rax, %%rax\n\t"
                 "jnz 1f\n\t"
                 "xor %%ebp, %%ebp\n\t"
                 "mov %%r13, %%rdi\n\t"
                 "call *%%r12\n\t"
                 "ud2\n"
                 "1:"
                 : "=a"(result)
                 : "a"(SYS_clone), "D"(CLONE_VM | CLONE_VFORK | SIGCHLD), "S"(stack_end), "d"(0), "r"(r10), "r"(r8),
                   "r"(function), "r"(parameter)
                 : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

inline long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = a;
    register long x1 asm("x1") = b;
    register long x2 asm("x2") = c;
    register long x3 asm("x3") = d;
    register long x4 asm("x4") = e;
    register long x5 asm("x5") = f;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}

// As vfork(), but the child runs run(argument) on a stack of its own, so that it can't spoil its parent's.
inline long vfork(void* stack_end, void (*run)(void*), void* argument) {
    register long x8 asm("x8") = SYS_clone;
    register long x0 asm("x0") = CLONE_VM | CLONE_VFORK | SIGCHLD;
    register void* x1 asm("x1") = stack_end;
    register long x2 asm("x2") = 0;
    register long x3 asm("x3") = 0;
    register long x4 asm("x4") = 0;
    register void (*function)(void*) asm("x19") = run;
    register void* parameter asm("x20") = argument;
    asm volatile("svc 0\n\t"
                 "cbnz x0, 1f\n\t"
                 "mov x29, xzr\n\t"
                 "mov x0, x20\n\t"
                 "blr x19\n\t"
                 "brk 1\n"
                 "1:"
                 : "+r"(x0)
                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(function), "r"(parameter)
                 : "memory", "x30", "cc");
    return x0;
}

#else // through the C library, which has to be up

inline long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
    const long result = ::syscall(number, a, b, c, d, e, f);
    return result < 0 ? -errno : result;
}

inline long vfork(void* stack_end, void (*run)(void*), void* argument) {
    struct Call {
        void (*run)(void*);
        void* argument;
    } call = {run, argument};
    const auto enter = [](void* call) {
        static_cast<Call*>(call)->run(static_cast<Call*>(call)->argument);
        return 127;
    };
    const int pid = ::clone(enter, stack_end, CLONE_VM | CLONE_VFORK | SIGCHLD, &call);
    return pid < 0 ? -errno : pid;
}

#endif

template <class Value>
long word(Value value) {
    if constexpr (std::is_pointer_v<Value>)
        return reinterpret_cast<long>(value);
    else
        return static_cast<long>(value);
}

// A system call with arguments of any kind.
template <class... Arguments>
long call(long number, Arguments... arguments) {
    return raw(number, word(arguments)...);
}

} // namespace stoa::shim::bare
