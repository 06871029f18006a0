// A session with ZooKeeper, over its C client: asynchronous calls whose results, like the session's events and watches,
// are handed over when the owner asks for them.
//
//     absl::StatusOr<std::unique_ptr<ZooKeeper>> zookeeper = ZooKeeper::open("h1:2181,h2:2181", timeout, events);
//     (*zookeeper)->get("/stoa/epoch", false, [](absl::StatusOr<ZooKeeper::Node> node) { … });
//     poll((*zookeeper)->eventFd()); (*zookeeper)->dispatch();     // calls what has completed, in order
//
// The client library has two threads of its own; its callbacks run on one of them and only put what they were told into a
// queue and raise the event descriptor. Everything that the owner passes is called within dispatch(), on the owner's
// thread, and nothing after the destruction. An object is one session: when that has expired every call fails, and the
// owner makes a new object. Destroying it closes the session, which takes its ephemeral nodes away within milliseconds;
// never do so within a callback.
//
// Errors of calls: NotFound (no such node, or no parent), AlreadyExists, Aborted (another version), Unavailable (the
// connection was lost: whether a write took effect is NOT known), FailedPrecondition (the session has expired, or is
// closing), PermissionDenied, Internal. They name the path.
#pragma once

#include "protocol/units.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stoa {

class ZooKeeper {
public:
    // More would break the connection (1 MiB is its default limit, on either side); with room for paths.
    static constexpr std::size_t kMostRequestBytes = 500'000;

    enum class Session : std::uint8_t {
        kConnected, // first, or again
        kSuspended, // no connection; the session may live on
        kExpired,   // over: make a new object
    };
    struct Events {
        std::function<void(Session)> session;
        std::function<void(const std::string& path)> changed; // a watch, set by a call, has fired; it is then gone
    };
    struct Node {
        std::string data;
        std::int32_t version = 0;
    };
    enum class Kind : std::uint8_t { kPersistent, kEphemeralSequential };
    static constexpr std::int32_t kAnyVersion = -1;

    struct Op {
        enum class What : std::uint8_t { kCheck, kSet, kCreate, kErase } what = What::kCheck;
        std::string path;
        std::string data;
        std::int32_t version = kAnyVersion;
    };

    template <class Result>
    using Done = std::function<void(absl::StatusOr<Result>)>;
    using DoneVoid = std::function<void(absl::Status)>;

    // An error: the hosts make no sense or can't be resolved. Servers that don't answer are waited for.
    static absl::StatusOr<std::unique_ptr<ZooKeeper>> open(const std::string& hosts, Duration session_timeout,
                                                           Events events);
    ~ZooKeeper();
    ZooKeeper(const ZooKeeper&) = delete;
    ZooKeeper& operator=(const ZooKeeper&) = delete;

    // Readable when dispatch() has something to call.
    int eventFd() const;
    void dispatch();

    // As agreed with the server, once connected.
    Duration sessionTimeout() const;

    void get(const std::string& path, bool watch, Done<Node> done);
    // Names below the path, in no order.
    void children(const std::string& path, bool watch, Done<std::vector<std::string>> done);
    void exists(const std::string& path, bool watch, Done<bool> done);
    // Gives the path that was created.
    void create(const std::string& path, const std::string& data, Kind kind, Done<std::string> done);
    // The path and what it is in; nodes that are there already are left alone.
    void createAll(const std::string& path, DoneVoid done);
    // All or nothing.
    void multi(std::vector<Op> ops, DoneVoid done);

private:
    struct Shared;
    struct Pending;
    struct Callbacks;
    ZooKeeper(std::unique_ptr<Shared> shared, Events events);
    void refused(int code, Pending* pending);
    void createFrom(const std::string& path, std::size_t from, DoneVoid done);

    std::unique_ptr<Shared> shared_;
    Events events_;
};

} // namespace stoa
