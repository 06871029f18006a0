// What a network thread and the owner of its endpoint share: arrivals on their way to the owner, commands on their way to
// the thread, the signal that wakes the thread, and the counters. Both ends of the wire derive from it. When the owner is
// so far behind that arrivals reach their bound, reading stops (letOwnerCatchUp()) until he has taken them.
// Private to this folder. The owner calls what stands first, the network thread the rest.
#pragma once

#include "protocol/wire/counters.h"
#include "protocol/wire/network_thread.h"
#include "protocol/wire/reader_clock.h"
#include "protocol/wire/swap_queue.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

namespace stoa {

// The bounds of one link; beyond, reading pauses, and a session whose message can't be queued is cut.
struct LinkBounds {
    std::size_t most_arrivals;
    std::size_t most_arrival_bytes;
    std::size_t most_send_bytes;
};

template <class Arrival, class Command>
class OwnerLink {
public:
    explicit OwnerLink(LinkBounds bounds) : bounds_(bounds) {}

    // ---- The owner's side ----

    int eventFd() const { return arrivals_.fd(); }

    std::vector<Arrival> take() {
        std::vector<Arrival> taken = arrivals_.take();
        if (reading_paused_.load(std::memory_order_relaxed)) wake_.raise();
        return taken;
    }

    WireCounters counters() const {
        const std::lock_guard lock(published_mutex_);
        return published_;
    }

    void stop() {
        stopping_.store(true);
        wake_.raise();
        thread_.join();
    }

protected:
    template <class Run>
    void startThread(const char* name, Run run) {
        thread_ = NetworkThread(name, std::move(run));
    }
    void command(Command command, std::size_t bytes) { commands_.push(std::move(command), bytes); }
    bool sendsAreFull() const { return commands_.atLeast(SIZE_MAX, bounds_.most_send_bytes); }
    void wake() { wake_.raise(); }

    // ---- The network thread's side ----

    bool stopping() const { return stopping_.load(); }
    int commandsFd() const { return commands_.fd(); }
    int wakeFd() const { return wake_.fd(); }
    void lowerWake() { wake_.lower(); }
    std::vector<Command> takeCommands() { return commands_.take(); }

    // Stops `clock`, and with it reading, while the owner is behind.
    void letOwnerCatchUp(ReaderClock& clock, WireCounters& counters) {
        const bool behind = ownerIsBehind() && !stopping();
        if (behind && !clock.paused()) ++counters.reading_pauses;
        reading_paused_.store(behind, std::memory_order_relaxed);
        // The owner may have taken between the look and the store, and not have woken us: look again.
        if (behind && ownerIsBehind()) {
            clock.pause();
        } else {
            clock.resume();
        }
    }

    void publish(const WireCounters& counters) {
        const std::lock_guard lock(published_mutex_);
        published_ = counters;
    }

    // Takes everything out of `arrivals`.
    void reveal(std::vector<Arrival>& arrivals, std::size_t bytes) { arrivals_.pushAll(arrivals, bytes); }
    // The owner is to look, though nothing has arrived.
    void ringOwner() { arrivals_.ring(); }

private:
    bool ownerIsBehind() const { return arrivals_.atLeast(bounds_.most_arrivals, bounds_.most_arrival_bytes); }

    const LinkBounds bounds_;
    SwapQueue<Arrival> arrivals_;
    SwapQueue<Command> commands_;
    Signal wake_;
    std::atomic<bool> stopping_{false};
    std::atomic<bool> reading_paused_{false};
    mutable std::mutex published_mutex_;
    WireCounters published_;
    NetworkThread thread_;
};

} // namespace stoa
