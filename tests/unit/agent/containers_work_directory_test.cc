// Tasks that start in a directory of the host: where they may, what they may write, and with whose rights.

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/shim/shim_protocol.h"
#include "tests/unit/agent/containers_fixture.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

class WorkDirectory : public EveryLauncher {
protected:
    void SetUp() override {
        if (geteuid() != 0) GTEST_SKIP() << "takes root";
        EveryLauncher::SetUp();
        if (IsSkipped()) return;
        directory_ = fs::canonical(base_) / "users" / "place";
        fs::create_directories(directory_);
        fs::create_directories(base_ / "other");
        ASSERT_EQ(chown(directory_.c_str(), kNobody, kNobody), 0);
        LauncherOptions made = parameterOptions();
        made.work_directory_roots = {base_ / "users"};
        makeLauncherOrDie(made);
    }
    fs::path directory_;
};

TEST_P(WorkDirectory, IsWhereTheTaskStartsAndMayWrite) {
    ContainerSpec task =
        shell("here", "pwd; echo made > file; touch " + (base_ / "other" / "x").string() + " || echo no");
    task.work_directory = directory_;
    EXPECT_EQ(run(task).wait_status, 0) << readAll(sandboxOf("here") / "stderr");
    EXPECT_EQ(outputOf("here"), directory_.string() + "\nno\n");
    EXPECT_EQ(readAll(directory_ / "file"), "made\n");
    struct stat info {};
    ASSERT_EQ(stat((directory_ / "file").c_str(), &info), 0);
    EXPECT_EQ(info.st_uid, kNobody);
}

TEST_P(WorkDirectory, IsReachedThroughALinkOnlyWhereThatLeadsToOneThatIsAllowed) {
    fs::create_symlink(base_ / "other", base_ / "users" / "escape");
    fs::create_symlink(directory_, base_ / "other" / "in");
    ContainerSpec refused = shell("refused", "true");
    refused.work_directory = base_ / "users" / "escape";
    const absl::Status status = launcher_->launch(refused);
    EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
    EXPECT_NE(status.message().find("this agent allows only those below"), absl::string_view::npos) << status;
    ContainerSpec allowed = shell("allowed", "touch through");
    allowed.work_directory = base_ / "other" / "in";
    EXPECT_EQ(run(allowed).wait_status, 0);
    EXPECT_TRUE(fs::exists(directory_ / "through"));
}

TEST_P(WorkDirectory, MustBeThere) {
    ContainerSpec gone = shell("gone", "true");
    gone.work_directory = directory_ / "gone";
    EXPECT_TRUE(absl::IsNotFound(launcher_->launch(gone)));
    std::ofstream(directory_ / "file") << "no directory";
    gone.work_directory = directory_ / "file";
    EXPECT_TRUE(absl::IsNotFound(launcher_->launch(gone)));
}

// Neither itself nor what lies behind a closed door, though a runtime would go in as root.
TEST_P(WorkDirectory, OneThatTheUserMayNotEnterIsNotEnteredForHim) {
    const fs::path closed = base_ / "users" / "closed";
    fs::create_directories(closed / "open");
    ASSERT_EQ(chmod((closed / "open").c_str(), 0777), 0);
    ASSERT_EQ(chmod(closed.c_str(), 0700), 0);
    for (const fs::path& directory : {closed, closed / "open"}) {
        ContainerSpec task = shell("closed", "echo ran");
        task.work_directory = directory;
        const absl::Status status = launcher_->launch(task);
        EXPECT_TRUE(absl::IsPermissionDenied(status)) << directory << status;
        EXPECT_NE(status.message().find(
                      "the task runs as nobody, who may not enter it: Permission denied; choose another (--chdir) "
                      "or none (--sandbox)"),
                  absl::string_view::npos)
            << status;
    }
    // Whoever is in the group that may, may.
    constexpr gid_t kGroup = 64321;
    ASSERT_EQ(chown(closed.c_str(), 0, kGroup), 0);
    ASSERT_EQ(chmod(closed.c_str(), 0710), 0);
    ContainerSpec task = shell("member", "echo ran");
    task.work_directory = closed / "open";
    task.groups = {kGroup};
    EXPECT_EQ(run(task).wait_status, 0);
    EXPECT_EQ(geteuid(), 0u);
    EXPECT_EQ(access("/root", W_OK), 0); // we are ourselves again
}

TEST_P(WorkDirectory, SupplementaryGroupsOpenWhatIsTheirs) {
    constexpr gid_t kGroup = 64321;
    fs::create_directories(directory_ / "shared");
    ASSERT_EQ(chown((directory_ / "shared").c_str(), 0, kGroup), 0);
    ASSERT_EQ(chmod((directory_ / "shared").c_str(), 0770), 0);
    ContainerSpec task = shell("groups", "touch shared/x && id -G");
    task.work_directory = directory_;
    task.groups = {kGroup};
    EXPECT_EQ(run(task).wait_status, 0) << readAll(sandboxOf("groups") / "stderr");
    EXPECT_EQ(outputOf("groups"), "65534 64321\n");
    ContainerSpec without = shell("without", "touch shared/y");
    without.work_directory = directory_;
    EXPECT_NE(run(without).wait_status, 0);
}

// Of a user's groups the shim knows only so many, and so his door may be open to the agent and closed to the task.
using WorkDirectoryOfAProcess = WorkDirectory;

TEST_P(WorkDirectoryOfAProcess, OneThatTurnsOutToBeClosedIsToldAtOnce) {
    constexpr gid_t kGroup = 64321;
    ASSERT_EQ(chown(directory_.c_str(), 0, kGroup), 0);
    ASSERT_EQ(chmod(directory_.c_str(), 0770), 0);
    for (int attempt = 0; attempt < 20; ++attempt) {
        ContainerSpec task = shell("closed-" + std::to_string(attempt), "echo ran");
        task.work_directory = directory_;
        for (gid_t group = 70000; task.groups.size() < shim::kMaxGroups; ++group) task.groups.push_back(group);
        task.groups.push_back(kGroup);
        EXPECT_EQ(launchFailure(task), "cannot enter the directory " + directory_.string() + ": Permission denied");
    }
}

// Containers alone hide anything: a plain process sees what its user may.
using WorkDirectoryInAContainer = WorkDirectory;

// The agent's own directories stay hidden though the work directory holds them.
TEST_P(WorkDirectoryInAContainer, DoesNotShowTheAgentsDirectories) {
    LauncherOptions made = parameterOptions();
    made.work_directory_roots = {base_};
    launcher_.reset();
    makeLauncherOrDie(made);
    ContainerSpec task =
        shell("above", "ls -A " + run_dir_.string() + " | wc -l; touch " + base_.string() + "/users/place/y");
    task.work_directory = base_;
    EXPECT_EQ(run(task).wait_status, 0) << readAll(sandboxOf("above") / "stderr");
    EXPECT_EQ(outputOf("above"), "0\n");
}

TEST_P(WorkDirectoryInAContainer, InAWritablePathIsPartOfThat) {
    fs::create_directories(directory_ / "below");
    LauncherOptions made = parameterOptions();
    made.work_directory_roots = made.writable_roots = {base_ / "users"};
    launcher_.reset();
    makeLauncherOrDie(made);
    ContainerSpec task = shell("nested", "pwd && touch here ../there");
    task.work_directory = directory_;
    task.writable_paths = {directory_ / "below", base_ / "users"};
    ASSERT_EQ(chown((base_ / "users").c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(run(task).wait_status, 0) << readAll(sandboxOf("nested") / "stderr");
    EXPECT_EQ(outputOf("nested"), directory_.string() + "\n");
    EXPECT_TRUE(fs::exists(directory_ / "here"));
    EXPECT_TRUE(fs::exists(base_ / "users" / "there"));
}

// A runtime before which the user puts a link in the place of his directory, and perhaps takes it away again after it.
class ExchangedDirectory : public WorkDirectory {
protected:
    void exchangeFor(const fs::path& target, bool and_back) {
        const std::string name = parameterOptions().runtime;
        const std::string directory = directory_.string();
        fs::create_directories(base_ / "bin");
        const fs::path runtime = base_ / "bin" / name;
        std::ofstream(runtime) << "#!/bin/sh\n"
                                  "for word; do [ \"$word\" = run ] && run=yes; done\n"
                                  "[ -e "
                               << base_.string() << "/now ] || run=\n"
                               << "[ -z $run ] || { mv " << directory << " " << directory << ".away && ln -s "
                               << target.string() << " " << directory << "; }\n"
                               << name << " \"$@\"\n"
                               << "code=$?\n"
                               << "[ -z $run ] || " << (and_back ? "" : "true || ") << "{ rm " << directory << " && mv "
                               << directory << ".away " << directory << "; }\n"
                               << "exit $code\n";
        fs::permissions(runtime, fs::perms::owner_all);
        LauncherOptions made = parameterOptions();
        made.runtime = runtime;
        made.work_directory_roots = made.writable_roots = {base_ / "users"};
        launcher_.reset();
        makeLauncherOrDie(made);
        std::ofstream(base_ / "now") << "";
    }
};

TEST_P(ExchangedDirectory, IsNotWhatATaskGets) {
    // Another one; and one that holds it, through which it would be found again.
    for (const fs::path& target : {base_ / "other", base_ / "users"}) {
        for (const bool and_back : {false, true}) {
            for (const bool as_writable_path : {false, true}) {
                exchangeFor(target, and_back);
                const std::string id = "exchanged-" + target.filename().string() + (and_back ? "-back" : "") +
                                       (as_writable_path ? "-writable" : "");
                ContainerSpec task = shell(id, "echo ran");
                if (as_writable_path)
                    task.writable_paths = {directory_};
                else
                    task.work_directory = directory_;
                EXPECT_EQ(launchFailure(task), directory_.string() + " was exchanged while the container was made");
                EXPECT_EQ(outputOf(id), "");
                fs::remove(base_ / "now");
                if (and_back) continue;
                fs::remove(directory_);
                fs::rename(directory_.string() + ".away", directory_);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(, WorkDirectory, testing::ValuesIn(kEveryLauncher), kLauncherName);
INSTANTIATE_TEST_SUITE_P(, WorkDirectoryOfAProcess, testing::Values("process_cgroups", "process_plain"), kLauncherName);
INSTANTIATE_TEST_SUITE_P(, WorkDirectoryInAContainer, testing::Values("oci_crun", "oci_runc"), kLauncherName);
INSTANTIATE_TEST_SUITE_P(, ExchangedDirectory, testing::Values("oci_crun", "oci_runc"), kLauncherName);

} // namespace
} // namespace stoa::agent
