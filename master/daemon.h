// The running master: its core with sockets, a registry, a read model and a clock around it. run() is the state thread's
// loop: take what has arrived, step, turn, store, and say what has become durable.
//
//     absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::start(options);
//     return (*daemon)->run();          // until SIGTERM or SIGINT, or a failure that must end the process
//     return Daemon::serve(options);    // both, and from the start again where a leader has stepped down
//
// With ZooKeeper it is a standby first: its doors are open, agents and frameworks hold sessions with it, but its core knows
// nothing and is never stepped. Elected, it makes its core from the registry. A leader that steps down is of no more use:
// its core believes what may not be so, and its sessions are of an epoch that is over.
//
// Threads: this one; the acceptor's network thread; the HTTP server's; the registry's writer. Signals must be blocked
// (blockSignals) before any of them starts.
#pragma once

#include "master/core/master.h"
#include "master/doors/http_door.h"
#include "master/doors/questions.h"
#include "master/doors/scheduler_door.h"
#include "master/doors/wire_door.h"
#include "master/election/office.h"
#include "master/registry/registry.h"
#include "protocol/output_commit.h"
#include "protocol/unique_fd.h"
#include "protocol/wire/acceptor.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace stoa::master {

struct DaemonOptions {
    std::string ip = "127.0.0.1";
    std::string advertise_host; // what others are told; empty: the ip, or the machine's name for a wildcard
    std::uint16_t port = 5050;
    std::uint16_t zmq_port = 5052;
    std::filesystem::path work_dir;
    std::filesystem::path port_file;                        // empty: none
    std::string zookeeper;                                  // zk://host:port,…/path; empty: this master leads alone
    Duration zookeeper_timeout = std::chrono::seconds(10);  // of its session
    std::string allocator = "drf";                          // a name, or a shared object's path
    Options core;                                           // but for what the registry and the ports say
    std::vector<std::pair<std::string, std::string>> flags; // as /flags shows them
    std::string version;
    SharedCredentials credentials; // whom both doors admit; null: everybody
};

// Blocks the signals that run() waits for, in the calling thread and those it starts.
void blockSignals();

class Daemon {
public:
    // Opens the registry (and so takes the lead), binds both ports, then says where by the port file. Errors are
    // sentences for whoever started it; InvalidArgument is his flags' fault.
    static absl::StatusOr<std::unique_ptr<Daemon>> start(DaemonOptions options);
    ~Daemon();

    // Aborted: it led, and does no longer.
    absl::Status run();

    static absl::Status serve(DaemonOptions options);

private:
    explicit Daemon(DaemonOptions options);
    absl::Status open();
    absl::Status openAlone();
    absl::Status stand(const std::string& host);
    void lead();
    absl::Status turnOffice();
    absl::Status writePortFile() const;
    void wait() const;
    bool stopAsked() const;
    void turn();
    void turnStandby();
    void carryOut(Output& output);
    bool mayLead() const; // by the clock, too
    Glance glance() const;

    DaemonOptions options_;
    UniqueFd signals_;
    Questions questions_;
    HttpCalls calls_;
    SchedulerDoor schedulers_;
    std::unique_ptr<Registry> registry_;
    std::unique_ptr<HttpDoor> http_;
    std::unique_ptr<Acceptor> acceptor_;
    std::unique_ptr<WireDoor> wire_;
    std::unique_ptr<Master> core_;
    OutputCommit<Effect> commit_;
    std::unique_ptr<Office> office_; // absent: leads alone. Goes before the registry
    std::uint64_t turns_ = 0;
    Time started_;
};

} // namespace stoa::master
