#include "agent/containers/launcher.h"

#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "agent/containers/shim_launcher.h"

namespace stoa::agent {
namespace {

constexpr const char* kSystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A name is looked up where system programs are, whatever PATH the agent was started with. Empty: not there.
std::string findProgram(const std::string& name) {
    if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
    for (const std::string& directory : std::vector<std::string>(absl::StrSplit(kSystemPath, ':'))) {
        std::string path = absl::StrCat(directory, "/", name);
        if (access(path.c_str(), X_OK) == 0) return path;
    }
    return "";
}

struct Attempt {
    std::string runtime;
    bool hide_cgroup2;
};

// crun takes 40 % of runc's time. On a hybrid host it refuses to work beside a cgroup2 tree (crun 1.8).
std::vector<Attempt> attemptsFor(const std::string& runtime) {
    if (!runtime.empty()) return {{runtime, false}, {runtime, true}};
    return {{"crun", false}, {"crun", true}, {"runc", false}};
}

} // namespace

absl::StatusOr<std::unique_ptr<Launcher>> makeLauncher(LauncherOptions options) {
    const bool oci = options.kind == LauncherKind::kOci;
    if (oci && geteuid() != 0)
        return absl::FailedPreconditionError(
            "containers need root; ask for the launcher \"process\" to run tasks without");
    const std::vector<Attempt> attempts = attemptsFor(options.runtime);
    absl::StatusOr<std::unique_ptr<ShimLauncher>> launcher = ShimLauncher::open(std::move(options));
    if (!launcher.ok()) return launcher.status();
    if (!oci) return *std::move(launcher);

    std::vector<std::string> failures;
    for (const Attempt& attempt : attempts) {
        const std::string path = findProgram(attempt.runtime);
        const std::string name =
            absl::StrCat(attempt.runtime, attempt.hide_cgroup2 ? " with the cgroup2 tree hidden" : "");
        if (path.empty()) {
            failures.push_back(absl::StrCat(name, ": not found in ", kSystemPath));
            continue;
        }
        const bool is_runc = path.substr(path.rfind('/') + 1) == "runc";
        absl::Status status = (*launcher)->useRuntime({path, is_runc, true, {}, {}, {}}, attempt.hide_cgroup2);
        if (status.ok()) status = (*launcher)->probe();
        if (status.ok()) return *std::move(launcher);
        failures.push_back(absl::StrCat(name, ": ", status.message()));
    }
    return absl::UnavailableError(
        absl::StrCat("no OCI runtime works here (", absl::StrJoin(failures, "; "),
                     "). Install crun, or ask for the launcher \"process\", which isolates less."));
}

} // namespace stoa::agent
