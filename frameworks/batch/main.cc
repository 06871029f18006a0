// stoa-batch: flags become options, the daemon is built, and the last line runs it.
#include "frameworks/batch/daemon.h"
#include "protocol/strings.h"

#include <gflags/gflags.h>
#include <glog/logging.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

DEFINE_string(master, "127.0.0.1:5052", "host:port of the master's ZeroMQ socket");
DEFINE_string(work_dir, "/var/lib/stoa/batch", "the framework's directory: its queue, and the socket of its door");
DEFINE_string(ip, "127.0.0.1", "address of the HTTP door for those who only look; beyond loopback it needs --insecure");
DEFINE_int32(port, 0, "port of the HTTP door; 0: any free one");
DEFINE_string(name, "batch", "name of the framework, for people");
DEFINE_string(role, "*", "role under which it is offered resources");
DEFINE_bool(insecure, false, "allow an HTTP door beyond loopback though nobody has to prove who he is");

// gflags ends the process by this on a flag that it doesn't know or can't read.
namespace google {
extern void (*gflags_exitfunc)(int);
}

namespace {

constexpr int kUsage = 2; // exit codes: usage and failure
constexpr int kFailure = 1;

[[noreturn]] void usageError(const std::string& what) {
    std::cerr << "stoa-batch: " << what << "\n";
    std::exit(kUsage);
}

stoa::batch::DaemonOptions optionsFromFlags() {
    const bool loopback = FLAGS_ip == "localhost" || FLAGS_ip == "::1" || FLAGS_ip.rfind("127.", 0) == 0;
    if (!loopback && !FLAGS_insecure) {
        usageError(stoa::concat("--ip: ", FLAGS_ip,
                                " can be reached from other machines, and nobody has to prove who he is: "
                                "add --insecure if that is wanted"));
    }
    if (FLAGS_port < 0 || FLAGS_port > 65535) usageError(stoa::concat("--port: ", FLAGS_port, " is not 0 to 65535"));
    stoa::batch::DaemonOptions options;
    options.master = FLAGS_master;
    options.work_dir = FLAGS_work_dir;
    options.host = FLAGS_ip;
    options.port = static_cast<std::uint16_t>(FLAGS_port);
    options.name = FLAGS_name;
    options.role = FLAGS_role;
    return options;
}

} // namespace

int main(int argc, char** argv) {
    google::gflags_exitfunc = [](int code) { std::_Exit(code == 0 ? 0 : kUsage); };
    google::SetVersionString(STOA_VERSION);
    google::SetUsageMessage("a framework that queues and runs batch jobs; see `stoa submit`.\n\n"
                            "  SIGTERM, SIGINT   stop; tasks go on, and one started again on the same work directory "
                            "goes on with the jobs\n\n"
                            "Exit codes: 0 as asked, 1 a failure, 2 a wrong flag.");
    FLAGS_logtostderr = true;
    google::ParseCommandLineFlags(&argc, &argv, true);
    if (argc > 1) usageError(stoa::concat("\"", argv[1], "\" is no flag; see --help"));
    google::InitGoogleLogging(argv[0]);
    std::signal(SIGPIPE, SIG_IGN);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr); // in all threads: one of ours waits for them

    auto daemon = stoa::batch::Daemon::start(optionsFromFlags());
    if (!daemon.ok()) {
        std::cerr << "stoa-batch: " << daemon.status().message() << "\n";
        return absl::IsInvalidArgument(daemon.status()) ? kUsage : kFailure;
    }
    std::thread waiter([&] {
        int signal = 0;
        ::sigwait(&signals, &signal);
        (*daemon)->stop();
    });
    const absl::Status ended = (*daemon)->run();
    ::pthread_kill(waiter.native_handle(), SIGTERM); // it may wait still; a signal more does no harm
    waiter.join();
    daemon->reset();
    if (ended.ok()) return 0;
    std::cerr << "stoa-batch: " << ended.message() << "\n";
    return kFailure;
}
