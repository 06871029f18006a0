// The daemon whole, with a real state, shim, door and wire; only the master is the test, at the other end of a real socket.
#include "agent/daemon.h"
#include "protocol/codec/agent_messages.h"
#include "protocol/http/client.h"
#include "protocol/http/server.h"
#include "protocol/wire/acceptor.h"
#include "tests/unit/agent/core_world.h"
#include "tests/unit/agent/scratch_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

namespace stoa::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Runs a daemon on a thread of its own, which alone has the signals blocked, so that it can be told to stop alone.
class Running {
public:
    explicit Running(const DaemonOptions& options)
        : thread_([this, options] {
              blockSignals();
              auto daemon = Daemon::start(options);
              started_.set_value(daemon.status());
              if (daemon.ok()) ended = (*daemon)->run();
          }) {}
    ~Running() { stop(SIGTERM); }
    absl::Status started() { return started_.get_future().get(); }
    void stop(int signal) {
        if (!thread_.joinable()) return;
        ::pthread_kill(thread_.native_handle(), signal);
        thread_.join();
    }

    absl::Status ended;

private:
    std::promise<absl::Status> started_;
    std::thread thread_;
};

class DaemonTest : public ::testing::Test {
protected:
    DaemonTest() {
        ::chmod(dir.path().c_str(), 0755);
        AcceptorOptions accept;
        accept.port = 0;
        auto made = Acceptor::create(accept);
        if (!made.ok()) throw std::runtime_error(std::string(made.status().message()));
        master = *std::move(made);
        options.master = "127.0.0.1:" + std::to_string(master->boundPort());
        options.port = 0;
        options.port_file = dir.path() / "port";
        options.hostname = "host";
        options.work_dir = dir.path() / "work";
        options.shim = fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin" / "stoa-shim";
        options.launcher = LauncherKind::kProcess;
        options.cgroups = false;
        options.resources = "cpus:4;mem:1024";
        options.output_cap_bytes = 1 << 20;
    }
    // Takes what agents say until `enough`.
    template <class T>
    T hear(const std::function<bool(const T&)>& enough = [](const T&) { return true; }) {
        for (;;) {
            for (auto it = heard.begin(); it != heard.end(); ++it) {
                const T* said = std::get_if<T>(&*it);
                if (said == nullptr || !enough(*said)) continue;
                T found = *said;
                heard.erase(heard.begin(), it + 1);
                return found;
            }
            pollfd ready{master->eventFd(), POLLIN, 0};
            if (::poll(&ready, 1, 20'000) != 1) throw std::runtime_error("the agent says nothing more");
            for (const Arrival& arrival : master->take()) {
                if (const auto* opened = std::get_if<arrival::Opened>(&arrival)) peer = opened->peer;
                const auto* message = std::get_if<arrival::Message>(&arrival);
                if (message == nullptr || message->peer != peer) continue;
                heard.push_back(decodeFromAgent(*message->body).value());
            }
        }
    }
    void say(const ToAgent& message) { master->send(peer, encode(message)); }
    void registerAgent() {
        (void)hear<agent_says::Register>();
        say(master_says::Registered{AgentId("a1"), Duration{0}});
    }
    void launch(const std::string& id, const std::string& shell) {
        TaskInfo info = task(id, 1, 64);
        TaskSpec spec;
        spec.command.shell = shell;
        info.body = makeTaskBody(spec);
        say(master_says::Launch{framework(), info});
    }
    // Acknowledges every update up to the first with this state, which it gives.
    TaskStatus until(TaskState state) {
        const auto update = hear<agent_says::StatusUpdate>([&](const agent_says::StatusUpdate& one) {
            if (one.status.uuid) {
                say(master_says::AcknowledgeUpdate{one.framework, one.status.task, *one.status.uuid});
            }
            return one.status.state == state;
        });
        return update.status;
    }
    int doorPort() const {
        int port = 0;
        std::ifstream(options.port_file) >> port;
        return port;
    }

    ScratchDir dir;
    DaemonOptions options;
    std::unique_ptr<Acceptor> master;
    Peer peer = 0;
    std::vector<FromAgent> heard;
};

TEST_F(DaemonTest, ATaskRunsAndItsEndAndOutputAreToldAndServed) {
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    registerAgent();
    launch("t", "echo said; exit 7");
    EXPECT_GT(until(TaskState::kRunning).pid, 0);
    EXPECT_EQ(until(TaskState::kFailed).message, "exited with 7");
    const auto reply = http::get("http://127.0.0.1:" + std::to_string(doorPort()) +
                                 "/files/download?path=/frameworks/f/executors/t/runs/latest/stdout");
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->body, "said\n");
}

TEST_F(DaemonTest, AnAgentThatIsStoppedAndStartedFindsItsRunningTaskAgain) {
    std::int64_t pid = 0;
    {
        Running agent(options);
        ASSERT_TRUE(agent.started().ok());
        registerAgent();
        launch("t", "while ! test -e go; do sleep 0.05; done; exit 3");
        pid = until(TaskState::kRunning).pid;
        agent.stop(SIGTERM);
        EXPECT_TRUE(agent.ended.ok()) << agent.ended;
    }
    EXPECT_EQ(::kill(static_cast<pid_t>(pid), 0), 0);
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    const agent_says::Register said = hear<agent_says::Register>();
    ASSERT_EQ(said.tasks.size(), 1u);
    EXPECT_EQ(said.info.id, AgentId("a1"));
    EXPECT_EQ(said.tasks[0].state, TaskState::kRunning);
    EXPECT_EQ(said.tasks[0].status.pid, pid);
    say(master_says::Registered{AgentId("a1"), Duration{0}});
    std::ofstream(options.work_dir / "sandboxes/f/t/go") << "x";
    EXPECT_EQ(until(TaskState::kFailed).message, "exited with 3");
}

TEST_F(DaemonTest, AStandbysOfficeIsWaitedFor) {
    auto standby = Acceptor::create({.port = 0, .epoch = 0});
    ASSERT_TRUE(standby.ok()) << standby.status();
    master = *std::move(standby);
    options.master = "127.0.0.1:" + std::to_string(master->boundPort());
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    pollfd ready{master->eventFd(), POLLIN, 0};
    ASSERT_EQ(::poll(&ready, 1, 20'000), 1);
    const std::vector<Arrival> arrivals = master->take();
    ASSERT_EQ(arrivals.size(), 1u);
    peer = std::get<arrival::Opened>(arrivals[0]).peer;
    master->lead(3);
    EXPECT_EQ(hear<agent_says::Register>().info.hostname, "host") << "in the session that it had";
}

TEST_F(DaemonTest, AMasterOfALowerEpochIsRefusedEvenAfterARestart) {
    const auto masterOf = [&](std::uint64_t epoch) {
        auto made = Acceptor::create({.port = 0, .epoch = epoch});
        if (!made.ok()) throw std::runtime_error(std::string(made.status().message()));
        master = *std::move(made);
        options.master = "127.0.0.1:" + std::to_string(master->boundPort());
    };
    masterOf(5);
    {
        Running agent(options);
        ASSERT_TRUE(agent.started().ok());
        registerAgent();
    }
    masterOf(4);
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    const std::string metrics = "http://127.0.0.1:" + std::to_string(doorPort()) + "/metrics";
    const auto refused = [&] {
        const auto reply = http::get(metrics);
        if (!reply.ok()) return 0;
        const std::size_t at = reply->body.find("\nstoa_agent_refused_epochs_total ");
        return at == std::string::npos ? 0 : std::atoi(reply->body.c_str() + reply->body.find(' ', at));
    };
    // It opens a session, and is answered under the wrong epoch: that is counted.
    for (int looks = 0; refused() == 0 && looks < 300; ++looks) {
        pollfd ready{master->eventFd(), POLLIN, 0};
        (void)::poll(&ready, 1, 100);
        for (const Arrival& arrival : master->take()) {
            EXPECT_FALSE(std::holds_alternative<arrival::Message>(arrival)) << "it says nothing to it";
        }
    }
    EXPECT_GE(refused(), 1);
}

TEST_F(DaemonTest, ARetiredAgentEndsItsTasksAndUnregisters) {
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    registerAgent();
    launch("t", "sleep 100");
    until(TaskState::kRunning);
    std::thread stopper([&] { agent.stop(SIGUSR1); });
    EXPECT_EQ(until(TaskState::kKilled).task, TaskId("t"));
    (void)hear<agent_says::Unregister>();
    stopper.join();
    EXPECT_TRUE(agent.ended.ok()) << agent.ended;
}

TEST_F(DaemonTest, ARefusedAgentEndsWithTheMastersReason) {
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    (void)hear<agent_says::Register>();
    say(master_says::Refused{"its clock is from another century"});
    agent.stop(0); // only joins
    EXPECT_THAT(std::string(agent.ended.message()), HasSubstr("another century"));
}

TEST_F(DaemonTest, AWorkDirectoryThatAnotherAgentUsesIsRefused) {
    Running agent(options);
    ASSERT_TRUE(agent.started().ok());
    const auto second = Daemon::start(options);
    ASSERT_FALSE(second.ok());
    EXPECT_THAT(std::string(second.status().message()), HasSubstr("in use"));
}

TEST_F(DaemonTest, APortThatIsInUseIsNamed) {
    const auto other = http::Server::start({}, http::Router());
    ASSERT_TRUE(other.ok());
    options.port = (*other)->port();
    const auto daemon = Daemon::start(options);
    ASSERT_FALSE(daemon.ok());
    EXPECT_THAT(std::string(daemon.status().message()), HasSubstr(std::to_string(options.port)));
}

TEST_F(DaemonTest, AWorkDirectoryThatCannotBeMadeIsNamed) {
    options.work_dir = "/proc/nowhere";
    const auto daemon = Daemon::start(options);
    ASSERT_FALSE(daemon.ok());
    EXPECT_THAT(std::string(daemon.status().message()), HasSubstr("/proc/nowhere"));
}

TEST_F(DaemonTest, MalformedResourcesAreAWrongFlag) {
    options.resources = "cpus:abc";
    const auto daemon = Daemon::start(options);
    EXPECT_EQ(daemon.status().code(), absl::StatusCode::kInvalidArgument);
}

} // namespace
} // namespace stoa::agent
