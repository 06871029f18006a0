// Which of several masters a follower listens to: the one that leads under the highest epoch that was ever seen. A follower
// holds a link (a dialer's connection) to each master that it knows; what the links hear comes in, and what is the
// leader's goes on, as if there had been one connection all the time:
//
//     Following following(persisted_epoch, rng);
//     following.on(link, arrival, now, told);       // Connected, Message…, Gone, as a dialer tells them
//     …raise following.highestEpoch() at every other link's session; wake() by nextDeadline()
//
// The rules. A link that connects under a higher epoch is followed from then on, and the session before it is over. One of
// a lower epoch is refused and counted, whatever it says: this, with the sessions' own refusal (session.h), is the fence
// against a leader that was stopped, was replaced, and goes on with what it had queued. The owner keeps the highest
// epoch, durably where it outlives the process, before it answers a Connected.
//
// When a new leader takes office all its peers learn of it within milliseconds, and all would register at once. So the first
// Connected of a life is told at once, and each further one after a random wait, of an average that doubles while sessions
// end soon after they began. The fence doesn't wait.
//
// Pure: no sockets, threads, clocks. Owned by one master_links.h, or by the simulator.
#pragma once

#include "protocol/session.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace stoa {

class Following {
public:
    using Link = std::uint64_t; // the owner's number for a link, never used again

    struct Options {
        // The wait is drawn evenly from nothing to the spread.
        Duration spread = std::chrono::milliseconds(500);
        Duration most_spread = std::chrono::seconds(8);
        // A session that ends within this time was in vain.
        Duration soon = std::chrono::seconds(10);
    };
    struct Counters {
        std::uint64_t refused_epochs = 0; // connections under a lower epoch, and messages in them
        std::uint64_t failovers = 0;      // from one leader to another of a higher epoch
    };

    // `rng` outlives this.
    Following(std::uint64_t highest_epoch, Rng& rng) : Following(highest_epoch, rng, Options()) {}
    Following(std::uint64_t highest_epoch, Rng& rng, const Options& options)
        : options_(options), rng_(rng), highest_epoch_(highest_epoch), spread_(options.spread) {}

    // Appends what the follower is told: a session is named by its number here, which counts up from 1.
    void on(Link link, DialerArrival arrival, Time now, std::vector<DialerArrival>& told);
    // The link is no more; nothing else comes from it.
    void dropped(Link link, Time now, std::vector<DialerArrival>& told);
    // Tells of a session whose wait is over.
    void wake(Time now, std::vector<DialerArrival>& told);
    std::optional<Time> nextDeadline() const { return tell_at_; }

    // Where what is said in `session` goes; absent when that session is over.
    struct Way {
        Link link = 0;
        std::uint64_t session = 0; // as the link names it
    };
    std::optional<Way> wayOf(std::uint64_t session) const;
    std::uint64_t session() const { return current_ && !tell_at_ ? session_ : 0; } // 0: none that was told
    std::optional<Link> link() const;
    std::uint64_t highestEpoch() const { return highest_epoch_; }
    const Counters& counters() const { return counters_; }

private:
    void tell(Time now, std::vector<DialerArrival>& told);
    void over(std::string why, Time now, std::vector<DialerArrival>& told);

    const Options options_;
    Rng& rng_;
    std::uint64_t highest_epoch_;
    std::uint64_t session_ = 0; // the last one's number
    std::uint64_t led_by_ = 0;  // its epoch
    std::optional<Way> current_;
    std::optional<Time> tell_at_; // the current one waits to be told
    Time told_at_{};
    Duration spread_;
    Counters counters_;
};

} // namespace stoa
