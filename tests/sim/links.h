// A simulated follower's sessions with the masters: the shipped dialer sessions and following (protocol/leader/following.h),
// joined as protocol/leader/master_links.cc joins them with sockets. One per life of an agent's or a framework's process;
// single-threaded.
//
//     links.look(masters);                                    // whom to dial
//     for (DialerArrival& arrival : links.take(now)) …        // after onFrame()s; includes tick()
//     links.send(body, now); links.flush(now, network, id);
#pragma once

#include "protocol/leader/following.h"
#include "protocol/session.h"
#include "tests/sim/network.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace stoa::sim {

class Links {
public:
    // What is counted over all lives of a process.
    struct Counters {
        SessionCounters sessions;
        std::uint64_t refused_epochs = 0; // connections, beside the sessions' own
        std::uint64_t failovers = 0;
        std::uint64_t refused() const { return sessions.refused_epoch + refused_epochs; }
    };

    // `rng` and `counters` outlive this.
    Links(std::uint64_t highest_epoch, Rng& rng, Counters& counters)
        : rng_(rng), counters_(counters), following_(highest_epoch, rng) {}
    Links(const Links&) = delete;
    Links& operator=(const Links&) = delete;

    // Dials it, if it isn't yet. None is given up: a deposed one's words are to be refused.
    void look(NodeId master, Time now) {
        if (links_.count(master) == 0) {
            links_.try_emplace(master, 0, following_.highestEpoch(), rng_, counters_.sessions, now);
        }
    }
    void onFrame(NodeId master, Frame frame) { frames_.emplace_back(master, std::move(frame)); }

    // What the follower is told, and by whom.
    std::vector<DialerArrival> take(Time now) {
        for (auto& [master, frame] : std::exchange(frames_, {})) {
            if (const auto link = links_.find(master); link != links_.end()) {
                link->second.onFrame(std::move(frame), now, out_[master]);
            }
        }
        std::vector<DialerArrival> told;
        for (auto& [master, session] : links_) {
            session.tick(now, out_[master]);
            for (DialerArrival& arrival : std::exchange(out_[master].arrivals, {})) {
                following_.on(master, std::move(arrival), now, told);
            }
        }
        following_.wake(now, told);
        const Following::Counters counted = following_.counters();
        counters_.refused_epochs += counted.refused_epochs - counted_.refused_epochs;
        counters_.failovers += counted.failovers - counted_.failovers;
        counted_ = counted;
        for (auto& [master, session] : links_) session.raiseEpoch(following_.highestEpoch(), now, out_[master]);
        return told;
    }
    bool send(Body body, Time now) {
        const std::optional<Following::Way> way = following_.wayOf(following_.session());
        return way && links_.at(static_cast<NodeId>(way->link))
                          .send(way->session, std::move(body), now, out_[static_cast<NodeId>(way->link)]);
    }
    void close(std::string_view why, Time now) {
        for (auto& [master, session] : links_) session.close(why, now, out_[master]);
    }
    // True when there is something for take(): what sending led to.
    bool flush(Time now, Network& network, NodeId self) {
        bool more = false;
        for (auto& [master, session] : links_) {
            DialerSession::Output& out = out_[master];
            session.flush(now, out);
            for (Frame& frame : std::exchange(out.frames, {})) {
                network.dialerSends(network.connectionOf(self, master), std::move(frame));
            }
            if (std::exchange(out.renew_transport, false)) network.renewTransport(self, master);
            more |= !out.arrivals.empty();
        }
        return more;
    }
    std::optional<Time> nextDeadline() const {
        std::optional<Time> next = following_.nextDeadline();
        for (const auto& [master, session] : links_) {
            const std::optional<Time> one = session.nextDeadline();
            if (one && (!next || *one < *next)) next = one;
        }
        return next;
    }

    // Who is followed, under which epoch.
    std::optional<NodeId> leader() const {
        const std::optional<Following::Link> link = following_.link();
        if (!link) return std::nullopt;
        return static_cast<NodeId>(*link);
    }
    std::uint64_t highestEpoch() const { return following_.highestEpoch(); }

private:
    Rng& rng_;
    Counters& counters_;
    Following following_;
    Following::Counters counted_;
    std::map<NodeId, DialerSession> links_;
    std::map<NodeId, DialerSession::Output> out_;
    std::vector<std::pair<NodeId, Frame>> frames_;
};

} // namespace stoa::sim
