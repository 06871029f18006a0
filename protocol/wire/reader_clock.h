// The clock of a network thread's sessions: the machine's, except that it stands still while the thread doesn't read
// because its owner is behind. Nobody is then taken for silent who spoke and wasn't heard.
// Private to this folder; owned by the network thread.
#pragma once

#include "protocol/boot_clock.h"
#include "protocol/units.h"

#include <algorithm>
#include <optional>

namespace stoa {

class ReaderClock {
public:
    Time now() const { return paused_since_ ? *paused_since_ - paused_ : bootTime() - paused_; }
    bool paused() const { return paused_since_.has_value(); }
    void pause() {
        if (!paused_since_) paused_since_ = bootTime();
    }
    void resume() {
        if (!paused_since_) return;
        paused_ += bootTime() - *paused_since_;
        paused_since_.reset();
    }
    // Milliseconds for a poll that ends at `deadline`, rounded up; -1: none.
    long pollTimeout(std::optional<Time> deadline) const {
        if (!deadline || paused()) return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - now());
        return std::max<long>(0, static_cast<long>(left.count()));
    }

private:
    Duration paused_{0};
    std::optional<Time> paused_since_;
};

} // namespace stoa
