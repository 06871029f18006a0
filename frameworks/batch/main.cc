// stoa-batch: flags become options, the daemon is built, and the last line runs it.
#include "frameworks/batch/daemon.h"
#include "protocol/daemon/command_line.h"

#include <gflags/gflags.h>

#include <csignal>
#include <string>
#include <thread>

DEFINE_string(
    master, "127.0.0.1:5052",
    "host:port of the master's ZeroMQ socket; or zk://host:port,host:port/path, where masters elect a leader");
DEFINE_string(work_dir, "/var/lib/stoa/batch", "the framework's directory: its queue, and the socket of its door");
DEFINE_string(ip, "127.0.0.1",
              "address of the HTTP door for those who only look; beyond loopback it needs --credentials "
              "or --insecure");
DEFINE_int32(port, 0, "port of the HTTP door; 0: any free one");
DEFINE_string(name, "batch", "name of the framework, for people");
DEFINE_string(role, "*", "role under which it is offered resources");
DEFINE_string(unreachable_patience, "10m",
              "a task whose agent is unreachable for this long is started elsewhere, and ended there if it comes back");
DEFINE_string(credentials, "",
              "file that says who this framework is to the masters, and which principals its HTTP door admits (`stoa "
              "credentials new` makes it); empty: nobody has to prove who he is");
DEFINE_bool(insecure, false, "allow an HTTP door beyond loopback though nobody has to prove who he is");

namespace {

constexpr char kThisFile[] = "batch/main";

stoa::batch::DaemonOptions optionsFromFlags() {
    stoa::batch::DaemonOptions options;
    options.credential = FLAGS_credentials;
    options.credentials = stoa::command_line::credentials(FLAGS_credentials, stoa::CredentialsOf::kClientWithDoor);
    stoa::command_line::requireLoopback(FLAGS_ip, FLAGS_insecure, options.credentials);
    options.master = FLAGS_master;
    options.work_dir = FLAGS_work_dir;
    options.host = FLAGS_ip;
    options.port = stoa::command_line::port("port", FLAGS_port);
    options.name = FLAGS_name;
    options.role = FLAGS_role;
    options.unreachable_patience = stoa::command_line::duration("unreachable_patience", FLAGS_unreachable_patience);
    return options;
}

} // namespace

int main(int argc, char** argv) {
    stoa::command_line::parse(
        kThisFile,
        "a framework that queues and runs batch jobs; see `stoa submit`.\n\n"
        "  SIGTERM, SIGINT   stop; tasks go on, and one started again on the same work directory goes on with the jobs",
        &argc, &argv);
    std::signal(SIGPIPE, SIG_IGN);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); // in all threads: one of ours waits for them

    auto daemon = stoa::batch::Daemon::start(optionsFromFlags());
    if (!daemon.ok()) return stoa::command_line::exitCode(daemon.status());
    std::thread waiter([&] {
        int signal = 0;
        ::sigwait(&signals, &signal);
        (*daemon)->stop();
    });
    const absl::Status ended = (*daemon)->run();
    // It may wait still; a signal more does no harm.
    // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): blocked in every thread, it ends nothing but the sigwait()
    ::pthread_kill(waiter.native_handle(), SIGTERM);
    waiter.join();
    daemon->reset();
    return stoa::command_line::exitCode(ended);
}
