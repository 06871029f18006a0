// A master's HTTP door over a read model of any size, for tests/bench/page_bench.cjs to look at with a browser: agents and
// running tasks are there from the first moment, and then tasks end and start at a given rate.
//
//     build/bench/page_bench [--agents=10000] [--tasks=100000] [--changes=1000]     changes a second
//
// Prints "listening PORT" and runs until its standard input ends.
#include "master/doors/http_door.h"
#include "protocol/boot_clock.h"

#include <CLI/CLI.hpp>

#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using namespace stoa;
using namespace stoa::master;

struct Sizes {
    std::uint64_t agents = 10'000;
    std::uint64_t tasks = 100'000;
    std::uint64_t changes = 1'000;
};

class Cluster {
public:
    explicit Cluster(const Sizes& sizes) : sizes_(sizes) {}

    std::vector<Delta> all() {
        std::vector<Delta> deltas;
        FrameworkInfo framework;
        framework.id = kFramework;
        framework.name = "batch";
        framework.user = "nobody";
        deltas.emplace_back(FrameworkChanged{framework, true, wallTime()});
        const Resources resources = *Resources::parse("cpus:32;mem:131072;disk:1000000;ports:[31000-32000]");
        for (std::uint64_t i = 0; i < sizes_.agents; ++i) {
            AgentInfo info;
            info.id = agent(i);
            info.hostname = "host" + std::to_string(i) + ".example.org";
            info.address = {info.hostname, 5051};
            info.resources = resources;
            info.isolation = "oci/crun";
            info.version = "0.1.0";
            deltas.emplace_back(AgentChanged{std::move(info), AgentChanged::State::kActive, wallTime()});
        }
        while (last_ < sizes_.tasks) deltas.emplace_back(task(++last_, TaskState::kRunning));
        return deltas;
    }

    // One task ends and another starts.
    void change(std::vector<Delta>& deltas) {
        deltas.emplace_back(task(++ended_, TaskState::kFinished));
        deltas.emplace_back(task(++last_, TaskState::kRunning));
    }

private:
    static AgentId agent(std::uint64_t i) { return AgentId("8f3a91c27d5e-S" + std::to_string(i)); }
    TaskChanged task(std::uint64_t number, TaskState state) {
        TaskChanged changed;
        changed.framework = kFramework;
        changed.info.id = TaskId("job-" + std::to_string(number / 1000) + "." + std::to_string(number % 1000) + "-1");
        changed.info.name = "job " + std::to_string(number / 1000);
        changed.info.agent = agent(number % sizes_.agents);
        changed.info.resources = piece_;
        changed.state = changed.status.state = state;
        changed.status.task = changed.info.id;
        changed.status.source = StatusSource::kAgent;
        changed.status.timestamp = wallTime();
        return changed;
    }

    const FrameworkId kFramework = FrameworkId("8f3a91c27d5e-F1");
    const Resources piece_ = *Resources::parse("cpus:1;mem:1024");
    const Sizes sizes_;
    std::uint64_t last_ = 0;
    std::uint64_t ended_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    Sizes sizes;
    CLI::App app("A master's page over a cluster of any size");
    app.add_option("--agents", sizes.agents, "agents")->check(CLI::PositiveNumber);
    app.add_option("--tasks", sizes.tasks, "running tasks");
    app.add_option("--changes", sizes.changes, "tasks that end, and start, in a second");
    CLI11_PARSE(app, argc, argv);

    Questions questions;
    HttpCalls calls;
    Identity identity;
    identity.id = "8f3a91c27d5e";
    identity.epoch = 1;
    identity.version = "0.1.0";
    identity.started = wallTime();
    identity.address.host = "127.0.0.1";
    auto door = HttpDoor::start({}, identity, questions, calls);
    if (!door.ok()) {
        std::fprintf(stderr, "page_bench: %s\n", std::string(door.status().message()).c_str());
        return 1;
    }
    Cluster cluster(sizes);
    (*door)->show(cluster.all());
    std::printf("listening %d\n", (*door)->port());
    std::fflush(stdout);

    constexpr int kBeat = 50; // ms
    for (pollfd input{STDIN_FILENO, POLLIN, 0}; ::poll(&input, 1, kBeat) == 0;) {
        std::vector<Delta> deltas;
        for (std::uint64_t i = 0; i < sizes.changes * kBeat / 1000; ++i) cluster.change(deltas);
        (*door)->show(std::move(deltas));
    }
}
