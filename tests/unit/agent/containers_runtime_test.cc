// The OCI runtime's program: the shim keeps a sealed copy of it, which nobody should notice.

#include <fstream>

#include "tests/unit/agent/containers_fixture.h"

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCrun = "/usr/bin/crun";

class ContainerRuntime : public ContainersFixture {
protected:
    // A new file in the place of the old, as a package manager puts it there.
    void install(const fs::path& program, const fs::path& from) const {
        const fs::path fresh = program.string() + ".new";
        fs::copy_file(from, fresh);
        fs::rename(fresh, program);
    }
    void useRuntime(const fs::path& program) {
        LauncherOptions made = options(LauncherKind::kOci);
        made.runtime = program;
        makeLauncherOrDie(std::move(made));
    }
};

TEST_F(ContainerRuntime, ANewVersionIsUsedAtOnce) {
    const fs::path runtime = base_ / "crun";
    install(runtime, kCrun);
    useRuntime(runtime);
    EXPECT_EQ(run(shell("old", "exit 0")).wait_status, 0);

    install(runtime, "/bin/false");
    EXPECT_EQ(launchFailure(shell("broken", "exit 0")), "the runtime ended with wait status 256 and no message");

    install(runtime, kCrun);
    EXPECT_EQ(run(shell("new", "exit 0")).wait_status, 0);
}

TEST_F(ContainerRuntime, AScriptMayStartIt) {
    const fs::path runtime = base_ / "wrapper";
    std::ofstream(runtime) << "#!/bin/sh\nexec " << kCrun << " \"$@\"\n";
    fs::permissions(runtime, fs::perms::owner_all);
    useRuntime(runtime);
    EXPECT_EQ(run(shell("wrapped", "exit 0")).wait_status, 0);
}

TEST_F(ContainerRuntime, OneThatIsGoneIsALaunchThatFailed) {
    const fs::path runtime = base_ / "crun";
    install(runtime, kCrun);
    useRuntime(runtime);
    fs::remove(runtime);
    EXPECT_EQ(launchFailure(shell("gone", "exit 0")), "execvp " + runtime.string() + ": No such file or directory");
}

} // namespace
} // namespace stoa::agent
