// stoa-agent: flags become options, parts are built by Daemon::start, the last line runs the loop.
#include "agent/daemon.h"
#include "protocol/daemon/command_line.h"
#include "protocol/strings.h"
#include "protocol/version.h"

#include <gflags/gflags.h>

#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>

DEFINE_string(
    master, "127.0.0.1:5052",
    "host:port of the master's ZeroMQ socket; or zk://host:port,host:port/path, where masters elect a leader");
DEFINE_string(registration_spread, "500ms",
              "after a fail-over the agent registers within this time, at random, so that all don't at once");
DEFINE_string(ip, "127.0.0.1", "address of the HTTP door; beyond loopback it needs --credentials or --insecure");
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
DEFINE_bool(seccomp, true,
            "with --launcher=oci: refuse tasks the system calls that change the machine, as Docker does");
DEFINE_bool(enforce_container_disk_quota, false, "end a task whose sandbox holds more than the disk that it asked for");
DEFINE_string(container_disk_watch_interval, "15s",
              "with --enforce_container_disk_quota: how often sandboxes are measured, at least 1s");
DEFINE_string(resources, "",
              "what to advertise instead of what is found, e.g. \"cpus:4;mem:2048;ports:[31000-32000]\"");
DEFINE_string(attributes, "", "what to say about this machine, e.g. \"rack:a;ssd:true\"");
DEFINE_bool(allow_root_tasks, false, "let tasks of root run as root");
DEFINE_string(unprivileged_user, "nobody",
              "user of tasks that name none, or that name root without --allow_root_tasks");
DEFINE_string(allow_writable, "", "directories, by commas, under which a task may ask for writable paths");
DEFINE_string(allowed_work_directories, "/home,/tmp",
              "directories, by commas, below which a task may start in one, and write to it");
DEFINE_int64(output_cap, 10 << 20, "bytes of stdout, and of stderr, after which they are rotated");
DEFINE_int64(pids_limit, 4096, "processes and threads of one task; 0: no limit");
DEFINE_string(kill_grace, "3s", "between SIGTERM and SIGKILL, where neither task nor kill says otherwise");
DEFINE_string(executor_registration_timeout, "1m", "from an executor's launch until it has to subscribe");
DEFINE_string(executor_reregistration_timeout, "2s",
              "after the agent's restart, until an executor that lives has to subscribe again");
DEFINE_string(executor_shutdown_grace_period, "5s",
              "between an executor's shutdown and SIGKILL, where the executor doesn't say otherwise");
DEFINE_string(gc_delay, "168h", "age at which an ended task's sandbox is removed; less as the disk fills");
DEFINE_string(
    credentials, "",
    "file that says who this agent is to the masters, and which principals its door admits (`stoa credentials "
    "new` makes it); empty: nobody has to prove who he is");
DEFINE_bool(insecure, false, "allow an HTTP door beyond loopback though nobody has to prove who he is");

namespace {

using stoa::command_line::usageError;

constexpr char kThisFile[] = "agent/main";

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
    options.credentials = stoa::command_line::credentials(FLAGS_credentials, stoa::CredentialsOf::kClientWithDoor);
    stoa::command_line::requireLoopback(FLAGS_ip, FLAGS_insecure, options.credentials);
    if (FLAGS_output_cap < 4096) usageError("--output_cap: at least 4096 bytes");
    if (FLAGS_pids_limit < 0) usageError("--pids_limit: 0 or more");
    options.master = FLAGS_master;
    options.registration_spread = stoa::command_line::duration("registration_spread", FLAGS_registration_spread);
    options.ip = FLAGS_ip;
    options.port = stoa::command_line::port("port", FLAGS_port);
    options.port_file = FLAGS_port_file;
    options.hostname = FLAGS_hostname;
    options.work_dir = std::filesystem::absolute(FLAGS_work_dir);
    options.run_dir = FLAGS_run_dir;
    options.shim = FLAGS_shim.empty() ? besideThisProgram("stoa-shim") : std::filesystem::path(FLAGS_shim);
    options.launcher = launcherOf(FLAGS_launcher);
    options.runtime = FLAGS_runtime;
    options.cgroups = FLAGS_cgroups;
    options.seccomp = FLAGS_seccomp;
    options.enforce_disk = FLAGS_enforce_container_disk_quota;
    options.disk_watch_every =
        stoa::command_line::duration("container_disk_watch_interval", FLAGS_container_disk_watch_interval);
    options.resources = FLAGS_resources;
    options.attributes = FLAGS_attributes;
    options.users = {FLAGS_unprivileged_user, FLAGS_allow_root_tasks};
    for (const std::string_view root : stoa::split(FLAGS_allow_writable, ',')) {
        if (!root.empty()) options.writable_roots.emplace_back(root);
    }
    for (const std::string_view root : stoa::split(FLAGS_allowed_work_directories, ',')) {
        if (root.empty()) continue;
        if (root.front() != '/') usageError(stoa::concat("--allowed_work_directories: \"", root, "\" is not absolute"));
        options.work_directory_roots.emplace_back(root);
    }
    options.output_cap_bytes = FLAGS_output_cap;
    options.pids_limit = FLAGS_pids_limit;
    options.kill_grace = stoa::command_line::duration("kill_grace", FLAGS_kill_grace);
    options.executor_registration =
        stoa::command_line::duration("executor_registration_timeout", FLAGS_executor_registration_timeout);
    options.executor_reregistration =
        stoa::command_line::duration("executor_reregistration_timeout", FLAGS_executor_reregistration_timeout);
    options.executor_shutdown_grace =
        stoa::command_line::duration("executor_shutdown_grace_period", FLAGS_executor_shutdown_grace_period);
    options.gc_delay = stoa::command_line::duration("gc_delay", FLAGS_gc_delay);
    options.version = stoa::kVersion;
    options.flags = stoa::command_line::flagsOf(kThisFile);
    return options;
}

} // namespace

int main(int argc, char** argv) {
    stoa::command_line::parse(
        kThisFile,
        "runs tasks on this machine for a Stoa master.\n\n"
        "  SIGTERM, SIGINT   stop; tasks go on, and an agent started again on the same work directory finds them\n"
        "  SIGUSR1           end all tasks, unregister, stop",
        &argc, &argv);
    stoa::agent::blockSignals();

    auto daemon = stoa::agent::Daemon::start(optionsFromFlags());
    if (!daemon.ok()) return stoa::command_line::exitCode(daemon.status());
    const absl::Status ended = (*daemon)->run();
    daemon->reset();
    return stoa::command_line::exitCode(ended);
}
