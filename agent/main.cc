// stoa-agent: flags become options, parts are built by Daemon::start, the last line runs the loop.
#include "agent/daemon.h"
#include "protocol/strings.h"
#include "protocol/version.h"

#include <absl/time/time.h>
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <unistd.h>

#include <cstdlib>
#include <iostream>

DEFINE_string(master, "127.0.0.1:5052", "host:port of the master's ZeroMQ socket");
DEFINE_string(ip, "127.0.0.1", "address of the HTTP door; beyond loopback it needs --insecure");
DEFINE_int32(port, 5051, "port of the HTTP door; 0: any free one");
DEFINE_string(port_file, "", "file into which the HTTP door's port is written when it is open");
DEFINE_string(hostname, "", "name under which the agent is known; empty: the machine's");
DEFINE_string(work_dir, "/var/lib/stoa/agent", "the agent's directory: its state, sandboxes and uploads");
DEFINE_string(run_dir, "",
              "absolute directory of the shim's socket and journal, at most 80 bytes; empty: run in the "
              "work directory");
DEFINE_string(shim, "", "the stoa-shim program; empty: beside this one");
DEFINE_string(launcher, "auto",
              "oci: each task in a container of an OCI runtime; process: a plain process, in a cgroup "
              "where possible; auto: oci as root, process otherwise");
DEFINE_string(runtime, "", "OCI runtime, by name or path; empty: crun, then runc");
DEFINE_bool(cgroups, true, "with --launcher=process: limit and end tasks by cgroups where possible");
DEFINE_string(resources, "",
              "what to advertise instead of what is found, e.g. \"cpus:4;mem:2048;ports:[31000-32000]\"");
DEFINE_string(attributes, "", "what to say about this machine, e.g. \"rack:a;ssd:true\"");
DEFINE_bool(allow_root_tasks, false, "let tasks of root run as root");
DEFINE_string(unprivileged_user, "nobody",
              "user of tasks that name none, or that name root without --allow_root_tasks");
DEFINE_string(allow_writable, "", "directories, by commas, under which a task may ask for writable paths");
DEFINE_int64(output_cap, 10 << 20, "bytes of stdout, and of stderr, after which they are rotated");
DEFINE_int64(pids_limit, 4096, "processes and threads of one task; 0: no limit");
DEFINE_string(kill_grace, "3s", "between SIGTERM and SIGKILL, where neither task nor kill says otherwise");
DEFINE_string(gc_delay, "168h", "age at which an ended task's sandbox is removed; less as the disk fills");
DEFINE_bool(insecure, false, "allow an HTTP door beyond loopback though nobody has to prove who he is");

DECLARE_bool(help); // gflags' own, which lists every library's flags and exits as if something were wrong

// gflags ends the process by this on a flag that it doesn't know or can't read.
namespace google {
extern void (*gflags_exitfunc)(int);
}

namespace {

constexpr int kUsage = 2; // exit codes: usage and failure
constexpr int kFailure = 1;

[[noreturn]] void usageError(const std::string& what) {
    std::cerr << "stoa-agent: " << what << "\n";
    std::exit(kUsage);
}

stoa::Duration durationOf(const char* flag, const std::string& text) {
    absl::Duration duration;
    if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration() || duration > absl::Hours(24 * 3650)) {
        usageError(stoa::concat("--", flag, ": \"", text, "\" is no duration; write 3s, 500ms or 168h"));
    }
    return absl::ToChronoNanoseconds(duration);
}

bool loopback(const std::string& ip) { return ip == "localhost" || ip == "::1" || ip.rfind("127.", 0) == 0; }

stoa::agent::LauncherKind launcherOf(const std::string& name) {
    if (name == "oci") return stoa::agent::LauncherKind::kOci;
    if (name == "process") return stoa::agent::LauncherKind::kProcess;
    if (name != "auto") usageError(stoa::concat("--launcher: \"", name, "\" is none of oci, process, auto"));
    return ::geteuid() == 0 ? stoa::agent::LauncherKind::kOci : stoa::agent::LauncherKind::kProcess;
}

std::filesystem::path besideThisProgram(const char* name) {
    std::error_code error;
    const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
    return error ? std::filesystem::path(name) : self.parent_path() / name;
}

stoa::agent::DaemonOptions optionsFromFlags() {
    stoa::agent::DaemonOptions options;
    if (!loopback(FLAGS_ip) && !FLAGS_insecure) {
        usageError(stoa::concat("--ip: ", FLAGS_ip,
                                " can be reached from other machines, and nobody has to prove who he "
                                "is: add --insecure if that is wanted"));
    }
    if (FLAGS_port < 0 || FLAGS_port > 65535) usageError(stoa::concat("--port: ", FLAGS_port, " is not 0 to 65535"));
    if (FLAGS_output_cap < 4096) usageError("--output_cap: at least 4096 bytes");
    if (FLAGS_pids_limit < 0) usageError("--pids_limit: 0 or more");
    options.master = FLAGS_master;
    options.ip = FLAGS_ip;
    options.port = static_cast<std::uint16_t>(FLAGS_port);
    options.port_file = FLAGS_port_file;
    options.hostname = FLAGS_hostname;
    options.work_dir = std::filesystem::absolute(FLAGS_work_dir);
    options.run_dir = FLAGS_run_dir;
    options.shim = FLAGS_shim.empty() ? besideThisProgram("stoa-shim") : std::filesystem::path(FLAGS_shim);
    options.launcher = launcherOf(FLAGS_launcher);
    options.runtime = FLAGS_runtime;
    options.cgroups = FLAGS_cgroups;
    options.resources = FLAGS_resources;
    options.attributes = FLAGS_attributes;
    options.users = {FLAGS_unprivileged_user, FLAGS_allow_root_tasks};
    for (const std::string_view root : stoa::split(FLAGS_allow_writable, ',')) {
        if (!root.empty()) options.writable_roots.emplace_back(root);
    }
    options.output_cap_bytes = FLAGS_output_cap;
    options.pids_limit = FLAGS_pids_limit;
    options.kill_grace = durationOf("kill_grace", FLAGS_kill_grace);
    options.gc_delay = durationOf("gc_delay", FLAGS_gc_delay);
    options.version = stoa::kVersion;
    std::vector<google::CommandLineFlagInfo> flags;
    google::GetAllFlags(&flags);
    for (const google::CommandLineFlagInfo& flag : flags) {
        // Of this file alone: the libraries' flags are no business of whoever looks.
        if (flag.filename.find("agent/main.cc") != std::string::npos)
            options.flags.emplace_back(flag.name, flag.current_value);
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    google::gflags_exitfunc = [](int code) { std::_Exit(code == 0 ? 0 : kUsage); };
    google::SetVersionString(stoa::kVersion);
    google::SetUsageMessage(
        "runs tasks on this machine for a Stoa master.\n\n"
        "  SIGTERM, SIGINT   stop; tasks go on, and an agent started again on the same work directory finds them\n"
        "  SIGUSR1           end all tasks, unregister, stop\n\n"
        "Exit codes: 0 as asked, 1 a failure, 2 a wrong flag.");
    FLAGS_logtostderr = true;
    google::ParseCommandLineNonHelpFlags(&argc, &argv, true);
    if (FLAGS_help) {
        google::ShowUsageWithFlagsRestrict(argv[0], "agent/main");
        return 0;
    }
    google::HandleCommandLineHelpFlags();
    if (argc > 1) usageError(stoa::concat("\"", argv[1], "\" is no flag; see --help"));
    google::InitGoogleLogging(argv[0]);
    stoa::agent::blockSignals();

    const stoa::agent::DaemonOptions options = optionsFromFlags();
    auto daemon = stoa::agent::Daemon::start(options);
    if (!daemon.ok()) {
        std::cerr << "stoa-agent: " << daemon.status().message() << "\n";
        return absl::IsInvalidArgument(daemon.status()) ? kUsage : kFailure;
    }
    const absl::Status ended = (*daemon)->run();
    daemon->reset();
    if (ended.ok()) return 0;
    std::cerr << "stoa-agent: " << ended.message() << "\n";
    return kFailure;
}
