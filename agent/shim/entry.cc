// The first instructions of `stoa-shim`: `init` is seen to without the C library (init.h); all else goes on to where a
// program starts otherwise, with registers and stack as the kernel left them.

#include "agent/shim/init.h"
#include "agent/shim/syscalls.h"

#if defined(__x86_64__)
asm(".globl shimStart\n"
    "shimStart:\n\t"
    "mov %rsp, %rbx\n\t"
    "mov %rdx, %r12\n\t"
    "mov %rsp, %rdi\n\t"
    "and $-16, %rsp\n\t"
    "call beInitIfAsked\n\t"
    "mov %rbx, %rsp\n\t"
    "mov %r12, %rdx\n\t"
    "jmp _start");
#elif defined(__aarch64__)
asm(".globl shimStart\n"
    "shimStart:\n\t"
    "mov x19, sp\n\t"
    "mov x20, x0\n\t"
    "mov x0, sp\n\t"
    "bl beInitIfAsked\n\t"
    "mov sp, x19\n\t"
    "mov x0, x20\n\t"
    "b _start");
#else
asm(".globl shimStart\n.set shimStart, _start"); // main() sees to it
#endif

// The System V ABI's initial stack: the number of arguments, these, a null, the environment, a null.
extern "C" void beInitIfAsked(long* stack) {
    const long count = *stack;
    char** const arguments = reinterpret_cast<char**>(stack + 1);
    if (count < 3) return;
    const char* text = arguments[1];
    for (const char* name = "init";; ++name, ++text) {
        if (*name != *text) return;
        if (!*name) break;
    }
    stoa::shim::bare::call(SYS_exit_group, stoa::shim::runInit(arguments + 2, arguments + count + 1));
}
