// The agent's HTTP door: what people and tools read of it (/health, /state, /metrics, /flags), the files of sandboxes
// (/files/browse, /files/read, /files/download, and output as it is written), and the files that submitters leave for
// later tasks (/api/stoa/uploads). Only sandboxes and uploads can be reached, whatever a path or a task's symbolic link
// says; ids become directory names by directoryName().
//
//   GET /files/download?path=/frameworks/F/executors/T/runs/latest/FILE     (T: the task; as Mesos names sandboxes)
//   GET /api/stoa/sandbox/F/T/FILE?offset=N&follow=1     chunks, until the task has ended and all was sent; with
//                                                        tail=N no more than the last N bytes of what is there
//   PUT, GET, DELETE /api/stoa/uploads/NAME
//
// It answers from a copy of the agent's tasks that only the server's thread touches; show() brings it up to date.
// Started and stopped by the agent's loop, which owns it and calls everything here.
#pragma once

#include "agent/core/agent.h"
#include "agent/doors_executors.h"
#include "agent/follower.h"
#include "protocol/credentials/credentials.h"
#include "protocol/http/gate.h"
#include "protocol/http/server.h"
#include "protocol/leader/master_links.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace stoa::agent {

// What the core's own counters don't have.
struct DaemonMetrics {
    bool registered = false;
    std::uint64_t commits = 0;
    std::uint64_t sandboxes_collected = 0;
    std::size_t containers = 0;
    Resources used;
    Agent::Counters core;
    MasterLinks::Counters masters;
};

class Doors {
public:
    struct Options {
        std::string host = "127.0.0.1";
        std::uint16_t port = 0;
        std::filesystem::path sandboxes;
        std::filesystem::path uploads;                            // exists
        std::uint64_t upload_bytes = std::uint64_t{1} << 30;      // of one file
        std::uint64_t all_upload_bytes = std::uint64_t{10} << 30; // of all; beyond: 507
        std::vector<std::pair<std::string, std::string>> flags;   // as /flags shows them
        // Whom to admit; null: everybody. /health is open all the same, and executors have tokens of their own.
        SharedCredentials credentials;
        std::vector<std::string> names;    // of this machine, as others call it in URLs: for what agents fetch from it
        ExecutorDoor* executors = nullptr; // served here; absent: nobody asks for it
        std::set<std::string> live; // sandboxes still written to, of a former agent's tasks, until show() tells of them
    };
    static constexpr std::size_t kMostEnded = 1000; // tasks kept for /state after their end; the oldest goes

    static absl::StatusOr<std::unique_ptr<Doors>> start(Options options);
    ~Doors();

    std::uint16_t port() const { return server_->port(); }

    using Change = std::variant<AgentInfo, TaskChanged, TaskGone, ExecutorChanged, ExecutorGone, DaemonMetrics>;
    void show(std::vector<Change> changes);

private:
    struct View;

    explicit Doors(Options options);
    http::Router routes();
    void addFiles(http::Router& router);
    void addUploads(http::Router& router);
    void followOutput(const http::Request& request, http::Responder responder);
    std::optional<http::Response> refuse(const http::Request& request, std::string_view path);

    const Options options_;
    http::Gate gate_;            // the server's thread's
    std::uint16_t own_port_ = 0; // likewise
    std::shared_ptr<View> view_; // likewise
    // In this order: the server, and with it every stream, ends before the follower.
    std::unique_ptr<Follower> follower_;
    std::unique_ptr<http::Server> server_;
};

// Below the sandboxes' root, as Sandboxes::relative() names it.
std::string sandboxOf(const ExecutorKey& key);

// "/frameworks/F/executors/T/runs/latest/FILE" as a path below the sandboxes' root; absent for what names no sandbox.
std::optional<std::string> sandboxPath(std::string_view virtual_path);

} // namespace stoa::agent
