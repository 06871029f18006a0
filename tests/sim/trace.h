// What a run tells a person who looks for the cause of a violation: one line for everything that a process was told or
// did, with the virtual time. Off unless asked for, and then it costs what printing costs.
// Owned by the World; single-threaded.
#pragma once

#include "agent/core/events.h"
#include "master/core/events.h"
#include "protocol/message/framework.h"
#include "tests/sim/event_queue.h"

#include <cstdio>
#include <string>

namespace stoa::sim {

class Trace {
public:
    // Null: off. The file outlives this.
    Trace(const EventQueue& queue, std::FILE* file) : queue_(queue), file_(file) {}

    bool on() const { return file_ != nullptr; }
    void line(const std::string& who, const std::string& what) const;

private:
    const EventQueue& queue_;
    std::FILE* file_;
};

std::string show(const TaskKey& key);
std::string show(const FromAgent& message);
std::string show(const ToAgent& message);
std::string show(const Call& call);
std::string show(const Event& event);

} // namespace stoa::sim
