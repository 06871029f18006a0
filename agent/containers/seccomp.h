// The system calls that no container makes: those by which a process changes the machine, its clock, kernel or mounts, or
// gets at kernel code that has been broken before (keyrings, bpf, io_uring, userfaultfd, new user namespaces). It is what
// Docker's default profile leaves out, but for what MPI and debuggers use (ptrace, process_vm_readv, set_mempolicy), which
// reach the container's own processes only. Said as a list of what is refused, since a list of what is allowed costs the
// runtime three times as much a container, and becomes wrong with each new kernel.
//
// Refused calls fail with EPERM, and clone3 with ENOSYS: its flags lie in memory that a filter can't look at, and the C
// library then falls back on clone. Pure; used from the launcher's thread.

#pragma once

#include <string>

namespace stoa::agent {

// As the OCI runtime spec has `linux.seccomp`.
const std::string& seccompProfile();

} // namespace stoa::agent
