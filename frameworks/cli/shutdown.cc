#include "frameworks/cli/shutdown.h"

#include "protocol/strings.h"

#include <signal.h>

namespace stoa::cli {

namespace {

constexpr Duration kPatience = std::chrono::seconds(15); // with a daemon that was asked to end
constexpr int kRetire = SIGUSR1;                         // an agent ends its tasks, unregisters, ends

} // namespace

absl::Status shutDown(const Cluster& cluster, bool keep_tasks) {
    std::string killed;
    auto end = [&](auto belongs, int signal) {
        std::vector<const ClusterProcess*> asked;
        for (const ClusterProcess& process : cluster.processes) {
            if (belongs(process.name) && signalProcess(process.process, signal)) asked.push_back(&process);
        }
        for (const ClusterProcess* process : asked) {
            if (waitForEnd(process->process, kPatience)) continue;
            signalProcess(process->process, SIGKILL);
            waitForEnd(process->process, kPatience);
            killed += (killed.empty() ? "" : ", ") + process->name;
        }
    };
    end([](const std::string& name) { return name == "batch"; }, SIGTERM);
    end([](const std::string& name) { return name.rfind("agent-", 0) == 0; }, keep_tasks ? SIGTERM : kRetire);
    end([](const std::string& name) { return name.rfind("master", 0) == 0; }, SIGTERM);
    end([](const std::string& name) { return name.rfind("zookeeper-", 0) == 0; }, SIGTERM);
    if (killed.empty()) return absl::OkStatus();
    return absl::DeadlineExceededError(concat("did not end when asked, and was killed: ", killed));
}

} // namespace stoa::cli
