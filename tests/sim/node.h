// What every simulated process has: a place in the event queue, a loop that runs soon after something came in (so that
// what comes close together is one batch, as in a daemon's poll loop), and one timer.
//
// A node object outlives its process: crash() ends what the derived class keeps in memory, start() builds it anew from
// what is on disk. Owned by the World; single-threaded.
#pragma once

#include "tests/sim/event_queue.h"

#include <optional>

namespace stoa::sim {

class Node {
public:
    explicit Node(EventQueue& queue) : queue_(queue), id_(queue.addNode()) {}
    virtual ~Node() = default;
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    NodeId id() const { return id_; }
    bool up() const { return up_; }

    void start() {
        up_ = true;
        begin();
        poke();
    }
    void crash() {
        if (!up_) return;
        up_ = false;
        poked_ = false;
        timer_ = {};
        queue_.crash(id_);
        end();
    }
    void pause(Duration length) { queue_.pause(id_, queue_.now() + length); }

protected:
    virtual void begin() = 0; // a new life
    virtual void end() = 0;   // memory is gone
    virtual void run() = 0;   // one turn of the loop; returns with poke() or wakeAt() called where there is more to do

    Time now() const { return queue_.now(); }
    void poke() {
        if (poked_) return;
        poked_ = true;
        queue_.schedule(id_, std::chrono::microseconds(30), [this] {
            poked_ = false;
            run();
        });
    }
    // Timers that came to be too early cost a turn and harm nothing.
    void wakeAt(std::optional<Time> at) {
        if (!at || (timer_ && *timer_ <= *at && *timer_ > now())) return;
        timer_ = *at;
        queue_.schedule(id_, std::max(*at - now(), Duration{0}), [this, at = *at] {
            if (timer_ == at) timer_.reset();
            poke();
        });
    }

    EventQueue& queue_;

private:
    NodeId id_;
    bool up_ = false;
    bool poked_ = false;
    std::optional<Time> timer_;
};

} // namespace stoa::sim
