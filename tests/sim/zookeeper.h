// ZooKeeper as masters see it through its client (protocol/leader/zookeeper.h), with what makes it hard: a call whose
// connection breaks may or may not have been carried out; a session's end is told only on reconnect, and may come late, so
// that one cut off for longer than its timeout comes back alive; a watch whose connection breaks is lost; a process that
// stands still sends no sign of life. Calls of one connection keep their order; a multi is carried out as a whole. Its own
// ensemble never loses anything and never disagrees: that is ZooKeeper's to prove.
//
//     const ZooKeeperModel::Client client = model.open(node, {on_session, on_change});
//     model.children(client, "", true, [](absl::StatusOr<std::vector<std::string>> names) { … });
//
// Everything is called back in the opening node's life, never within a call. Errors as of the shipped client.
// Owned by the World; single-threaded.
#pragma once

#include "protocol/rng.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/faults.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa::sim {

class ZooKeeperModel {
public:
    static constexpr Duration kSessionTimeout = std::chrono::seconds(10);

    using Client = std::uint64_t; // a session, counted from 1
    enum class Session : std::uint8_t { kConnected, kSuspended, kExpired };
    struct Events {
        std::function<void(Session)> session;
        std::function<void()> changed; // below a path whose children were asked for with a watch; it is then gone
    };
    struct NodeData {
        std::string data;
        std::int32_t version = 0;
    };
    struct Op {
        enum class What : std::uint8_t { kCheck, kSet, kCreate, kErase } what = What::kCheck;
        std::string path;
        std::string data;
        std::int32_t version = -1; // any
    };
    template <class Result>
    using Done = std::function<void(absl::StatusOr<Result>)>;
    using DoneVoid = std::function<void(absl::Status)>;

    ZooKeeperModel(EventQueue& queue, Rng& rng, FaultCounts& counts, FaultPlan faults)
        : queue_(queue), rng_(rng), counts_(counts), faults_(faults) {
        nodes_["epoch"] = {};
    }

    Client open(NodeId node, Events events);
    // The client ends its session: at once, when its word arrives.
    void close(Client client);
    // The client's process is gone without a word.
    void abandon(Client client);

    void get(Client client, const std::string& path, const Done<NodeData>& done);
    // Names that begin with `prefix`, in order.
    void children(Client client, const std::string& prefix, bool watch, const Done<std::vector<std::string>>& done);
    // Ten digits are appended to `prefix`; the node goes with the session.
    void createEphemeral(Client client, const std::string& prefix, const std::string& data,
                         const Done<std::string>& done);
    // `carried_out` is called, whoever lives then, when the multi takes effect.
    void multi(Client client, std::vector<Op> ops, std::function<void()> carried_out, const DoneVoid& done);

    // ---- Faults ----
    // Nothing passes between the node's process and ZooKeeper until then.
    void cut(NodeId node, Time until);
    void stopFaults();

    // ---- Seen from outside ----
    std::int32_t version(const std::string& path) const;
    // A follower's view, some time late: the data of the first node that begins with `prefix`.
    std::optional<std::string> first(std::string_view prefix) const;
    // Sessions that lived on though they had been cut off for longer than their timeout.
    std::uint64_t zombies() const { return zombies_; }
    std::uint64_t expired() const { return expired_; }

private:
    struct Node {
        NodeData data;
        Client owner = 0; // of an ephemeral one
    };
    struct State { // of a session, its client's side and the servers'
        NodeId node = 0;
        std::uint32_t life = 0;
        Events events;
        bool open = true;  // the client holds it
        bool lives = true; // as the servers know
        bool connected = false;
        bool breaking = false; // the connection is broken; the client doesn't know it yet
        bool watching = false;
        std::uint64_t connection = 0;
        Time expires_at{};
        Time up_at{};                              // when the last call arrives, on its way up
        Time down_at{};                            // when the last answer arrives
        std::map<std::uint64_t, DoneVoid> pending; // called with the error of a connection that broke
    };

    bool strikes(Fault fault);
    bool isCut(NodeId node) const;
    Duration way();
    void toClient(Client client, std::function<void()> action);
    void connect(Client client);
    void breakIn(Client client, Duration wait);
    void disconnect(Client client);
    void ping(Client client);
    void heard(Client client);
    void expire(Client client);
    void end(Client client); // the servers' side of it: its nodes go
    void changed(const std::string& path);
    // Sends `execute` to the servers, and what it gives to `answer`, or an error to `failed`.
    void call(Client client, std::function<std::function<void()>()> execute, DoneVoid failed);
    absl::Status execute(const std::vector<Op>& ops);

    EventQueue& queue_;
    Rng& rng_;
    FaultCounts& counts_;
    FaultPlan faults_;
    std::map<std::string, Node> nodes_;
    std::map<NodeId, Time> cut_until_;
    std::map<Client, State> sessions_;
    std::uint64_t last_call_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::uint64_t zombies_ = 0;
    std::uint64_t expired_ = 0;
};

} // namespace stoa::sim
