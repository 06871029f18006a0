// What a container can see, touch and use, asked of the kernel: namespaces by inode, limits by the
// cgroup's own files, file systems by trying.

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/unit/agent/containers_fixture.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

class OciContainer : public EveryLauncher {
protected:
    std::string outputOfScript(const std::string& id, const std::string& script) {
        EXPECT_EQ(run(shell(id, script)).wait_status, 0) << readAll(sandboxOf(id) / "stderr");
        return outputOf(id);
    }
};

std::string namespaceOf(pid_t pid, const std::string& type) {
    return fs::read_symlink("/proc/" + std::to_string(pid) + "/ns/" + type);
}

TEST_P(OciContainer, HasItsOwnNamespaces) {
    makeGate(shell("ns", "").id);
    const ContainerStarted started = start(shell("ns", "read x < gate"));
    for (const char* type : {"pid", "ipc", "uts", "mnt"})
        EXPECT_NE(namespaceOf(started.pid, type), namespaceOf(getpid(), type)) << type;
    EXPECT_EQ(namespaceOf(started.pid, "net"), namespaceOf(getpid(), "net"));
    openGate("ns");
    EXPECT_EQ(waitExited("ns").wait_status, 0);
}

TEST_P(OciContainer, SaysHowItIsolates) {
    EXPECT_TRUE(launcher_->isolation().starts_with("oci/" + std::string(GetParam()).substr(4) + " cgroup-v"))
        << launcher_->isolation();
    EXPECT_TRUE(launcher_->isolation().ends_with(" pid,ipc,uts,mount seccomp")) << launcher_->isolation();
}

TEST_P(OciContainer, SeesTheHostReadOnlyAndLive) {
    const fs::path file = base_ / "shared";
    std::ofstream(file) << "one";
    makeGate(shell("host", "").id);
    start(shell("host", "read x < gate; cat " + file.string() + "; echo two > " + file.string() + " || echo refused"));
    std::ofstream(file) << "later";
    openGate("host");
    EXPECT_EQ(waitExited("host").wait_status, 0);
    EXPECT_EQ(outputOf("host"), "laterrefused\n");
    EXPECT_EQ(readAll(file), "later");
}

TEST_P(OciContainer, RootCannotWriteTheHostEither) {
    ContainerSpec root = shell("root", "touch " + (base_ / "x").string() +
                                           " /etc/x /sys/x; echo $?; "
                                           "mount -o remount,rw / 2>/dev/null || echo no-remount; "
                                           "mknod disk b 254 0 2>/dev/null || echo no-device");
    root.uid = root.gid = 0;
    ASSERT_EQ(run(root).wait_status, 0);
    EXPECT_EQ(outputOf("root"), "1\nno-remount\nno-device\n");
    EXPECT_FALSE(fs::exists(base_ / "x"));
}

TEST_P(OciContainer, IsRefusedWhatChangesTheMachine) {
    // Where a process could do it without a filter: anybody may have a user namespace, and in there mount.
    ContainerSpec task = shell("calls", "grep '^Seccomp:' /proc/self/status; "
                                        "unshare -U true 2>/dev/null || echo no-namespace; "
                                        "unshare -Um mount -t tmpfs none /tmp 2>/dev/null || echo no-mount");
    ASSERT_EQ(run(task).wait_status, 0);
    EXPECT_EQ(outputOf("calls"), "Seccomp:\t2\nno-namespace\nno-mount\n");
}

TEST_F(ContainersFixture, WithoutAFilterNoneIsThere) {
    LauncherOptions made = options(LauncherKind::kOci);
    made.seccomp = false;
    makeLauncherOrDie(std::move(made));
    EXPECT_TRUE(launcher_->isolation().ends_with(" pid,ipc,uts,mount")) << launcher_->isolation();
    ASSERT_EQ(run(shell("calls", "grep '^Seccomp:' /proc/self/status")).wait_status, 0);
    EXPECT_EQ(outputOf("calls"), "Seccomp:\t0\n");
}

TEST_P(OciContainer, WritesItsSandbox) {
    outputOfScript("sandbox", "echo text > file");
    EXPECT_EQ(readAll(sandboxOf("sandbox") / "file"), "text\n");
}

TEST_P(OciContainer, DoesNotSeeTheAgentsDirectories) {
    std::ofstream(work_dir_ / "secret") << "x";
    spec("neighbour", {});
    EXPECT_EQ(outputOfScript("hidden", "ls " + work_dir_.string() + " " + (work_dir_ / "sandboxes").string() +
                                           "; ls -A " + run_dir_.string() + " 2>/dev/null; true"),
              work_dir_.string() + ":\nsandboxes\n\n" + (work_dir_ / "sandboxes").string() + ":\nhidden\n");
}

TEST_P(OciContainer, HasATmpOfItsOwn) {
    const std::string name = fs::path(base_).filename().string() + "-of-host";
    std::ofstream("/tmp/" + name) << "x";
    EXPECT_EQ(outputOfScript("tmp", "ls -A /tmp; touch /tmp/" + name +
                                        ".inside && echo written; ls -A /run /dev/shm | head -1"),
              "written\n/dev/shm:\n");
    EXPECT_FALSE(fs::exists("/tmp/" + name + ".inside"));
    fs::remove("/tmp/" + name);
}

TEST_P(OciContainer, HasNoPrivilegesAndGetsNone) {
    EXPECT_EQ(outputOfScript("privileges", "grep -E 'NoNewPrivs|Cap(Eff|Bnd)' /proc/self/status"),
              "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n");
}

TEST_P(OciContainer, WritesOnlyWhereTheAgentAllows) {
    launcher_.reset();
    LauncherOptions made = parameterOptions();
    fs::create_directories(base_ / "data" / "mine");
    fs::create_directories(base_ / "other");
    ASSERT_EQ(chown((base_ / "data" / "mine").c_str(), kNobody, kNobody), 0);
    fs::create_symlink(base_ / "other", base_ / "data" / "escape");
    made.writable_roots = {base_ / "data"};
    makeLauncherOrDie(made);

    const std::string mine = base_ / "data" / "mine";
    ContainerSpec allowed = shell("allowed", "echo x > " + mine + "/file");
    allowed.writable_paths = {mine};
    EXPECT_EQ(run(allowed).wait_status, 0);
    EXPECT_EQ(readAll(mine + "/file"), "x\n");

    for (const char* path : {"other", "data/escape", "data/../other"}) {
        ContainerSpec refused = shell("refused", "true");
        refused.writable_paths = {base_ / path};
        EXPECT_TRUE(absl::IsPermissionDenied(launcher_->launch(refused))) << path;
    }
}

INSTANTIATE_TEST_SUITE_P(, OciContainer, testing::Values("oci_crun", "oci_runc"), kLauncherName);

// ---- Limits --------------------------------------------------------------------------------------

class Limits : public EveryLauncher {
protected:
    // A file in the cgroup of a living task: of v1's controller, or of v2.
    std::string cgroupFile(const ContainerStarted& started, const std::string& controller, const std::string& v1,
                           const std::string& v2) const {
        const std::string text = readAll("/proc/" + std::to_string(started.pid) + "/cgroup");
        for (const auto& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
            const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
            if (fields.size() == 3 && fields[1] == controller)
                return readAll(absl::StrCat("/sys/fs/cgroup/", controller, fields[2], "/", v1));
        }
        for (const auto& line : std::vector<std::string>(absl::StrSplit(text, '\n')))
            if (line.starts_with("0::")) return readAll("/sys/fs/cgroup" + line.substr(3) + "/" + v2);
        return "";
    }
};

TEST_P(Limits, AreInTheTasksOwnCgroup) {
    ContainerSpec task = shell("limits", "read x < gate");
    task.memory_bytes = 48 << 20;
    task.cpus_milli = 250;
    task.pids_limit = 20;
    makeGate("limits");
    const ContainerStarted started = start(task);
    EXPECT_EQ(cgroupFile(started, "memory", "memory.limit_in_bytes", "memory.max"), std::to_string(48 << 20) + "\n");
    EXPECT_EQ(cgroupFile(started, "cpu", "cpu.cfs_quota_us", "cpu.max").substr(0, 5), "25000");
    EXPECT_EQ(cgroupFile(started, "pids", "pids.max", "pids.max"), std::to_string(isOci() ? 21 : 20) + "\n");
    openGate("limits");
    EXPECT_EQ(waitExited("limits").wait_status, 0);
}

TEST_P(Limits, TooMuchMemoryIsToldAsSuch) {
    ContainerSpec task = spec("oom", {"perl", "-e", "$x = 'a' x (200 * 1024 * 1024); print length $x"});
    task.memory_bytes = 32 << 20;
    const ContainerExited exited = run(task);
    EXPECT_TRUE(exited.out_of_memory);
    ASSERT_TRUE(exited.wait_status);
    EXPECT_TRUE(WIFSIGNALED(*exited.wait_status));
    EXPECT_GT(exited.usage.max_memory_bytes, 20 << 20);
    EXPECT_LE(exited.usage.max_memory_bytes, 33 << 20);
}

TEST_P(Limits, UsageIsMeasured) {
    const ContainerExited exited = run(spec("busy", {"perl", "-e", "$x = 'a' x (16 << 20); 1 while times < 0.2"}));
    EXPECT_EQ(exited.wait_status, 0);
    EXPECT_FALSE(exited.out_of_memory);
    EXPECT_GT(exited.usage.cpu_nanos, 190'000'000);
    EXPECT_LT(exited.usage.cpu_nanos, 2'000'000'000);
    EXPECT_GT(exited.usage.max_memory_bytes, 16 << 20);
}

TEST_P(Limits, ForksEndAtThePidsLimit) {
    ContainerSpec task = shell("forks", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait");
    task.pids_limit = 5;
    const ContainerExited exited = run(task); // dash gives up when it can't fork
    ASSERT_TRUE(exited.wait_status);
    EXPECT_NE(*exited.wait_status, 0);
}

INSTANTIATE_TEST_SUITE_P(, Limits, testing::Values("oci_crun", "oci_runc", "process_cgroups"), kLauncherName);

// ---- Without root --------------------------------------------------------------------------------

class Unprivileged : public ContainersFixture {};

TEST_F(Unprivileged, AProcessRunsAndEveryOtherWayIsRefused) {
    fs::create_directories(run_dir_);
    for (const fs::path& path : {work_dir_, work_dir_ / "sandboxes", run_dir_})
        ASSERT_EQ(chown(path.c_str(), kNobody, kNobody), 0);
    LauncherOptions unprivileged = options(LauncherKind::kProcess);
    fs::copy_file(unprivileged.shim, base_ / "stoa-shim"); // the build may lie where only its owner gets to
    unprivileged.shim = base_ / "stoa-shim";
    const pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(99);
        makeLauncherOrDie(unprivileged);
        if (!launcher_) _exit(98);
        EXPECT_EQ(launcher_->isolation(), "process");
        EXPECT_EQ(run(shell("mine", "exit 7")).wait_status, 7 << 8);
        ContainerSpec other = shell("other", "true");
        other.uid = 0;
        EXPECT_TRUE(absl::IsPermissionDenied(launcher_->launch(other)));
        EXPECT_FALSE(makeLauncher(options(LauncherKind::kOci)).ok());
        TearDown();
        _exit(HasFailure() ? 1 : 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

} // namespace
} // namespace stoa::agent
