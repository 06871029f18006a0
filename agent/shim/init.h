// `stoa-shim init COMMAND…`: pid 1 of a container. Waits on kGoFd for the word to go, runs the
// command in a session of its own, passes signals on to it, reaps what is left behind in the
// container, reports the command's wait status to the shim, and exits with the code a shell would
// give. It is there because the kernel drops fatal signals that pid 1 has no handler for, and because
// an exit code alone cannot tell 137 from signal 9.

#pragma once

namespace stoa::shim {

int runInit(char** command);

} // namespace stoa::shim
