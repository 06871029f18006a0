// A follower's connections to the masters: where a detector (detector.h) says they are it dials them (wire/dialer.h), and
// whichever leads is listened to (following.h). To its owner it looks like one dialer that finds its way by itself:
//
//     auto links = MasterLinks::create({.master = "zk://h1:2181/stoa", .highest_epoch = persisted, .every_master = true});
//     poll(links->eventFd()); for (DialerArrival& arrival : links->take()) …   // Connected, Message…, Gone, Connected …
//     links->send(encode(message));
//
// An agent holds a session with every master, so that a fail-over costs messages, not handshakes; a framework dials only
// the one that stands first. A master that starts over is another one, with a connection of its own. One that is no longer
// listed keeps its connection for a while, since the list may be late, and so that what a deposed leader had queued is
// refused and counted.
//
// Owned by one thread, which calls everything here; nothing blocks but the end, which waits for goodbyes.
#pragma once

#include "protocol/leader/detector.h"
#include "protocol/leader/following.h"
#include "protocol/rng.h"
#include "protocol/unique_fd.h"
#include "protocol/wire/dialer.h"

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stoa {

struct MasterLinksOptions {
    std::string master = "127.0.0.1:5052"; // host:port of a ZeroMQ port, or zk://host:port,host:port/path
    std::uint64_t highest_epoch = 0;       // frames of a lower one are refused
    bool every_master = false;
    Following::Options following = {};
    SessionOptions session = {};
    SharedCredentials credentials = {}; // null: none
    // How long the end waits for what was sent to arrive.
    Duration linger = std::chrono::seconds(1);
};

class MasterLinks {
public:
    // How long a master that is not listed any more is listened to.
    static constexpr Duration kKeepUnlisted = std::chrono::minutes(10);

    struct Counters {
        std::uint64_t refused_epochs = 0; // what a deposed leader said: frames, and connections
        std::uint64_t failovers = 0;
        std::uint64_t links = 0; // connections to masters, now
    };

    // An error means that `master` makes no sense; masters and a ZooKeeper that aren't there are waited for.
    static absl::StatusOr<std::unique_ptr<MasterLinks>> create(MasterLinksOptions options);
    ~MasterLinks();
    MasterLinks(const MasterLinks&) = delete;
    MasterLinks& operator=(const MasterLinks&) = delete;

    // Readable when take() has something, or something to see to inside.
    int eventFd() const { return poll_.get(); }
    std::vector<DialerArrival> take();
    // In the session whose Connected was taken last. False, and dropped, when there is none.
    bool send(Body body) { return sendIn(following_.session(), std::move(body)); }
    bool send(std::string bytes) { return send(makeBody(std::move(bytes))); }
    // In the session of that Connected; false, and dropped, when it is over.
    bool sendIn(std::uint64_t session, Body body);
    // A session that must not be used, whoever said why: it ends, and another is dialed.
    void drop(std::uint64_t session, std::vector<DialerArrival>& told);

    // Not OK (PermissionDenied) when a master refuses to talk (Dialer::refusal()) before any has led us: it is no use to wait.
    // Later a master that refuses is logged, and the others are followed.
    const absl::Status& refused() const { return refused_; }

    std::uint64_t session() const { return following_.session(); } // 0: none
    std::uint64_t highestEpoch() const { return following_.highestEpoch(); }
    // "127.0.0.1:5052", of whom the session is with; empty without one.
    std::string leaderAddress() const;
    Counters counters() const;

private:
    struct Link {
        std::string id; // of the master's incarnation
        std::string address;
        std::unique_ptr<Dialer> dialer;
        bool listed = true;
        Time forget_at = Time::max();
        std::optional<std::string> refusal = {}; // as it was last told
    };

    MasterLinks(MasterLinksOptions options, std::unique_ptr<Detector> detector);
    void lookForRefusals(const std::vector<DialerArrival>& told);
    void see(const Masters& masters, std::vector<DialerArrival>& told);
    void dial(const std::string& id, const std::string& address);
    std::map<Following::Link, Link>::iterator close(std::map<Following::Link, Link>::iterator link,
                                                    std::vector<DialerArrival>& told);
    void watch(int fd) const;
    void arm();

    const MasterLinksOptions options_;
    std::unique_ptr<Detector> detector_;
    UniqueFd poll_; // of the detector, all dialers and the timer
    UniqueFd timer_;
    std::optional<Time> armed_;
    Rng rng_;
    Following following_;
    std::uint64_t told_epoch_ = 0; // raised at all links
    bool followed_ = false;        // a master has led us
    absl::Status refused_;
    Following::Link last_link_ = 0;
    std::map<Following::Link, Link> links_;
    std::uint64_t refused_before_ = 0; // by links that are no more
};

} // namespace stoa
