// `stoa-shim init COMMAND…`: pid 1 of a container. Waits on kGoFd for the word to go, runs the
// command in a session of its own, passes signals on to it, reaps what is left behind in the
// container, reports the command's wait status to the shim, and exits with the code a shell would
// give. It is there because the kernel drops fatal signals that pid 1 has no handler for, and because
// an exit code alone cannot tell 137 from signal 9.
//
// The program's entry point (entry.cc) comes here before the C library has started, whose start-up
// costs a virtual machine more than the rest of this program's life: it asks the processor dozens of
// questions that the hypervisor has to answer. So init.cc calls nothing but the kernel (syscalls.h).

#pragma once

namespace stoa::shim {

// The exit code. `command` lies in the program's arguments with at least one before it, which may be overwritten.
int runInit(char** command, char** environment);

} // namespace stoa::shim
